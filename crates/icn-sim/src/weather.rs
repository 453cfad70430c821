//! How the links of a federation behave: cut, lossy or slow, each direction for itself.
//!
//! Messages of one direction arrive in the order in which they were sent, as over TCP, or not at all.
use commonware_cryptography::ed25519::PublicKey;
use icn_model::{Millis, Time};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use std::collections::BTreeMap;

/// Sets these numbers apart from others that come from the seed.
const STREAM: u64 = 0x51e7_ca57;

/// How one direction of a link behaves, beyond what it does on a good day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weather {
    /// Least and most that a message takes longer.
    pub delay_ms: (u64, u64),
    /// Messages of a thousand that arrive.
    pub arriving: u64,
}

impl Weather {
    /// A good day: nothing is lost, nothing takes longer.
    pub const FAIR: Self = Self {
        delay_ms: (0, 0),
        arriving: 1_000,
    };
    /// Nothing arrives.
    pub const CUT: Self = Self {
        delay_ms: (0, 0),
        arriving: 0,
    };

    /// Both troubles at once.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let delay_ms = (
            self.delay_ms.0.max(other.delay_ms.0),
            self.delay_ms.1.max(other.delay_ms.1),
        );
        Self {
            delay_ms,
            arriving: self.arriving.min(other.arriving),
        }
    }
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It arrives as on a good day.
    Prompt,
    /// It takes that much longer.
    Late(Millis),
    /// It does not arrive.
    Lost,
}

#[derive(Clone, Copy)]
struct Direction {
    weather: Weather,
    /// Before this no later message may leave, or it would overtake.
    busy_until: Time,
}

/// The weather on all links.
pub(crate) struct Sky {
    rng: StdRng,
    /// Which node has, had or will have a key.
    places: BTreeMap<PublicKey, usize>,
    nodes: usize,
    directions: Vec<Direction>,
}

impl Sky {
    /// A good day everywhere, between nodes with the keys of `places`.
    pub(crate) fn new(seed: u64, places: BTreeMap<PublicKey, usize>, nodes: usize) -> Self {
        let fair = Direction {
            weather: Weather::FAIR,
            busy_until: Time::ZERO,
        };
        Self {
            rng: StdRng::seed_from_u64(seed ^ STREAM),
            places,
            nodes,
            directions: vec![fair; nodes * nodes],
        }
    }

    /// Changes one direction of a link.
    pub(crate) fn set(&mut self, from: usize, to: usize, weather: Weather) {
        self.directions[from * self.nodes + to].weather = weather;
    }

    /// Makes it a good day everywhere.
    pub(crate) fn clear_up(&mut self) {
        self.directions
            .iter_mut()
            .for_each(|direction| direction.weather = Weather::FAIR);
    }

    /// Decides about one message.
    pub(crate) fn fate(&mut self, from: usize, to: &PublicKey, now: Time) -> Fate {
        let Some(to) = self.places.get(to) else {
            return Fate::Prompt;
        };
        let direction = &mut self.directions[from * self.nodes + to];
        let Weather {
            delay_ms: (least, most),
            arriving,
        } = direction.weather;
        if arriving < 1_000 && self.rng.random_range(0..1_000) >= arriving {
            return Fate::Lost;
        }
        let delay_ms = if most == 0 {
            0
        } else {
            self.rng.random_range(least..=most)
        };
        let leaves = now.after(Millis::new(delay_ms)).max(direction.busy_until);
        if leaves <= now {
            return Fate::Prompt;
        }
        // Tasks that wake at the same time run in any order: one after another keeps messages in order.
        direction.busy_until = leaves.after(Millis::new(1));
        Fate::Late(leaves.since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use commonware_cryptography::{Signer as _, ed25519::PrivateKey};

    fn sky() -> (Sky, Vec<PublicKey>) {
        let keys: Vec<_> = (0..3)
            .map(|seed| PrivateKey::from_seed(seed).public_key())
            .collect();
        let places = keys.iter().cloned().zip(0..).collect();
        (Sky::new(1, places, keys.len()), keys)
    }

    #[test]
    fn directions_are_on_their_own() {
        let (mut sky, keys) = sky();
        sky.set(0, 1, Weather::CUT);
        let now = Time::new(1_000);
        assert_eq!(sky.fate(0, &keys[1], now), Fate::Lost);
        assert_eq!(
            [sky.fate(1, &keys[0], now), sky.fate(0, &keys[2], now)],
            [Fate::Prompt; 2]
        );
        sky.clear_up();
        assert_eq!(sky.fate(0, &keys[1], now), Fate::Prompt);
    }

    #[test]
    fn nothing_overtakes_on_one_direction() {
        let (mut sky, keys) = sky();
        sky.set(
            0,
            1,
            Weather {
                delay_ms: (100, 900),
                arriving: 1_000,
            },
        );
        let mut last = 0;
        for sent in 1_000..1_200 {
            if sent == 1_150 {
                sky.clear_up();
            }
            let Fate::Late(later) = sky.fate(0, &keys[1], Time::new(sent)) else {
                panic!("still on the way")
            };
            assert!(sent + later.get() > last);
            last = sent + later.get();
        }
        assert_eq!(sky.fate(0, &keys[1], Time::new(last + 2)), Fate::Prompt);
    }

    #[test]
    fn about_as_many_are_lost_as_should_be() {
        let (mut sky, keys) = sky();
        sky.set(
            2,
            0,
            Weather {
                delay_ms: (0, 0),
                arriving: 700,
            },
        );
        let lost = (0..10_000)
            .filter(|_| sky.fate(2, &keys[0], Time::ZERO) == Fate::Lost)
            .count();
        assert!((2_700..3_300).contains(&lost), "{lost}");
    }
}
