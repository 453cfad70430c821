//! Labels of parties: how far it is to the nearest party that is still owed something.
//!
//! A key is a pair, price and hops, in one integer: going along an arc costs +1 or -1 in price, and one hop. Comparing
//! keys as integers compares prices first. Hops make every arc cost a little more than its price, so that the arcs on
//! which keys fit exactly form no cycle.
//!
//! Sixteen bits make the table of keys small enough for the second-level cache at a million parties; what needs more
//! prices or hops than they hold (long chains) is solved with 64 bits.
use crate::graph::BACKWARD;

/// A label.
pub(crate) trait Key: Copy + Ord {
    /// No label; above every other.
    const NONE: Self;
    /// No label has as many hops; one more would carry into the price.
    const HOPS_END: u32;
    /// No label of a party has so high a price.
    const PRICE_END: u32;
    /// A label from its parts, which are within their limits.
    fn new(price: u32, hops: u32) -> Self;
    fn price(self) -> u32;
    fn hops(self) -> u32;
    /// The label that this party gives the one at the tail of `arc`, which leads here. Without meaning for an arc that
    /// has no residual.
    fn through(self, arc: u32) -> Self;
    /// The label that this party gives the one at the head of `arc`, which leaves here, for the way back.
    fn back_through(self, arc: u32) -> Self;
    /// This label with more hops. The sum is within the limits.
    fn plus_hops(self, hops: u32) -> Self;
}

macro_rules! key {
    ($int:ty, $hop_bits:literal, $price_bits:literal) => {
        #[allow(
            clippy::cast_possible_truncation,
            reason = "parts are within their limits"
        )]
        #[allow(
            clippy::unnecessary_cast,
            clippy::cast_lossless,
            reason = "one text for both widths"
        )]
        impl Key for $int {
            const NONE: Self = Self::MAX;
            const HOPS_END: u32 = ((1_u64 << $hop_bits) - 2) as u32;
            const PRICE_END: u32 = ((1_u64 << $price_bits) - 2) as u32;
            fn new(price: u32, hops: u32) -> Self {
                ((price as Self) << $hop_bits) | hops as Self
            }
            fn price(self) -> u32 {
                (self >> $hop_bits) as u32
            }
            fn hops(self) -> u32 {
                (self & ((1 << $hop_bits) - 1)) as u32
            }
            fn through(self, arc: u32) -> Self {
                // One more in price and hops, and two less in price for a backward arc.
                self.wrapping_add((1 << $hop_bits) + 1)
                    .wrapping_sub(((arc / BACKWARD) as Self) << ($hop_bits + 1))
            }
            fn back_through(self, arc: u32) -> Self {
                self.wrapping_sub((1 << $hop_bits) - 1)
                    .wrapping_add(((arc / BACKWARD) as Self) << ($hop_bits + 1))
            }
            fn plus_hops(self, hops: u32) -> Self {
                self + hops as Self
            }
        }
    };
}

key!(u16, 9, 7);
key!(u64, 32, 32);
