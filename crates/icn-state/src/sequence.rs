//! The window of operation numbers that one key may use.
//!
//! It is the anti-replay window of RFC 4303 (appendix A2.2), bounded upwards too: with `H` the highest
//! number used, `H - 63 ..= H + 64` may be used, each once, in any order.
use icn_model::{Refusal, Sequence, SequenceRecord, limits};

const WINDOW: u64 = limits::SEQUENCE_WINDOW;
const _: () = assert!(WINDOW == u64::BITS as u64, "one bit per number of the window");

/// The window of a key that has used no number.
pub(crate) const UNUSED: SequenceRecord = SequenceRecord {
    highest: 0,
    used: 1,
    retires: None,
};

/// Whether `sequence` has been used, or is so old that nobody can tell.
pub(crate) fn is_used(window: &SequenceRecord, sequence: Sequence) -> bool {
    match window.highest.checked_sub(sequence.get()) {
        None => false,
        Some(age) if age >= WINDOW => true,
        Some(age) => window.used >> age & 1 == 1,
    }
}

/// The window once `sequence` is used.
pub(crate) fn take(window: &SequenceRecord, sequence: Sequence) -> Result<SequenceRecord, Refusal> {
    let number = sequence.get();
    let out = Refusal::SequenceOutOfWindow {
        sequence,
        highest: Sequence::new(window.highest),
    };
    let mut next = *window;
    if let Some(ahead) = number.checked_sub(window.highest).filter(|ahead| *ahead > 0) {
        if ahead > WINDOW {
            return Err(out);
        }
        // A shift by all 64 bits leaves nothing of the old window.
        let shift = u32::try_from(ahead).unwrap_or(u32::MAX);
        next.used = window.used.checked_shl(shift).unwrap_or(0) | 1;
        next.highest = number;
        return Ok(next);
    }
    let age = window.highest - number;
    if number == 0 || age >= WINDOW {
        return Err(out);
    }
    if is_used(window, sequence) {
        return Err(Refusal::SequenceUsed { sequence });
    }
    next.used |= 1 << age;
    Ok(next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use proptest::prelude::*;

    fn out(number: u64, highest: u64) -> Result<SequenceRecord, Refusal> {
        Err(Refusal::SequenceOutOfWindow {
            sequence: Sequence::new(number),
            highest: Sequence::new(highest),
        })
    }

    #[test]
    fn edges_of_the_window() {
        assert_eq!(take(&UNUSED, Sequence::new(0)), out(0, 0));
        assert_eq!(take(&UNUSED, Sequence::new(65)), out(65, 0));
        let window = take(&UNUSED, Sequence::new(64)).unwrap();
        assert!(take(&window, Sequence::new(1)).is_ok());
        assert_eq!(
            take(&window, Sequence::new(64)),
            Err(Refusal::SequenceUsed {
                sequence: Sequence::new(64)
            })
        );
        let window = take(&window, Sequence::new(65)).unwrap();
        assert_eq!(take(&window, Sequence::new(1)), out(1, 65));
        assert!(take(&window, Sequence::new(2)).is_ok());
        assert_eq!(take(&window, Sequence::new(130)), out(130, 65));
        let last = SequenceRecord {
            highest: u64::MAX,
            ..UNUSED
        };
        assert!(take(&last, Sequence::new(u64::MAX)).is_err());
        assert!(take(&last, Sequence::new(u64::MAX - 1)).is_ok());
    }

    proptest! {
        /// Against the plainest model: a set of used numbers.
        #[test]
        fn agrees_with_a_set(numbers in proptest::collection::vec(0_u64..400, 0..300)) {
            let mut window = UNUSED;
            let mut used = BTreeSet::new();
            for number in numbers {
                let highest = used.last().copied().unwrap_or(0_u64);
                let inside = number > 0 && number + 64 > highest && number <= highest + 64;
                prop_assert_eq!(is_used(&window, Sequence::new(number)),
                    number == 0 || used.contains(&number) || number + 64 <= highest);
                match take(&window, Sequence::new(number)) {
                    Ok(next) => {
                        prop_assert!(inside && used.insert(number));
                        window = next;
                    }
                    Err(Refusal::SequenceUsed { .. }) => prop_assert!(inside && used.contains(&number)),
                    Err(_) => prop_assert!(!inside),
                }
            }
        }
    }
}
