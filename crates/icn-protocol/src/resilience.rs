//! How often something is tried again and after which pause, and whom to leave alone for a while because trying has
//! not helped: retry with jittered exponential back-off, and a circuit breaker for each peer.
use icn_model::{Millis, Time};
use rand_core::CryptoRng;
use std::{collections::BTreeMap, time::Duration};

/// When to try again what has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Tries in all, the first one included; at least one is made.
    pub max_attempts: u32,
    /// Pause after the first one, doubled with each that follows.
    pub initial_delay: Millis,
    /// The longest pause.
    pub max_delay: Millis,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            max_attempts: 3,
            initial_delay: Millis::new(100),
            max_delay: Millis::new(1_000),
        }
    }
}

impl Retry {
    /// How long to wait after `failures` tries, at least one of which was made: between half of the pause and all of
    /// it, by chance, so that those who failed together do not try again together. None if it is enough.
    pub fn pause(&self, failures: u32, rng: &mut impl CryptoRng) -> Option<Duration> {
        if failures >= self.max_attempts {
            return None;
        }
        let doubled = 1_u64.checked_shl(failures.saturating_sub(1)).unwrap_or(u64::MAX);
        let whole = self.initial_delay.get().saturating_mul(doubled);
        let whole = whole.min(self.max_delay.get());
        let jitter = rng.next_u64() % (whole / 2 + 1);
        Some(Duration::from_millis(whole - jitter))
    }
}

/// When a circuit opens, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerConfig {
    /// Failures in a row that open it.
    pub failure_threshold: u32,
    /// How long nobody tries, before one may.
    pub open_timeout: Millis,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self {
            failure_threshold: 3,
            open_timeout: Millis::from_secs(5),
        }
    }
}

/// How a node deals with others that do not answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resilience {
    /// When to try again.
    pub retry: Retry,
    /// Whom to leave alone.
    pub breaker: BreakerConfig,
}

/// Where a circuit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CircuitState {
    /// Everybody may try.
    Closed,
    /// Nobody may.
    Open,
    /// One tries, to see whether it is worth it again.
    HalfOpen,
}

impl CircuitState {
    /// The name in metrics and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

/// What a call has changed of a circuit. That it failed once more in a circuit that is open is no change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It was closed, and is open.
    Opened,
    /// It was open, and is closed.
    Closed,
}

#[derive(Clone, Copy)]
struct Circuit {
    failures: u32,
    /// When it opened, or somebody tried last.
    since: Time,
    state: CircuitState,
}

/// A circuit for each of those who can fail. Only who has failed lately takes room.
pub struct Breakers<K> {
    config: BreakerConfig,
    circuits: BTreeMap<K, Circuit>,
    openings: u64,
}

impl<K: Ord + Clone> Breakers<K> {
    /// With all circuits closed.
    pub const fn new(config: BreakerConfig) -> Self {
        Self {
            config,
            circuits: BTreeMap::new(),
            openings: 0,
        }
    }

    /// Whether `key` may be tried now. In an open circuit, when its time is over, one may: the next may not until
    /// that one has succeeded, or its own time is over.
    pub fn admits(&mut self, key: &K, now: Time) -> bool {
        let Some(circuit) = self.circuits.get_mut(key) else {
            return true;
        };
        if circuit.state == CircuitState::Closed {
            return true;
        }
        // A clock that was set back does not tell for how long nobody has tried.
        if now >= circuit.since && now.since(circuit.since) < self.config.open_timeout {
            return false;
        }
        (circuit.state, circuit.since) = (CircuitState::HalfOpen, now);
        true
    }

    /// A try of `key` has succeeded.
    pub fn succeeded(&mut self, key: &K) -> Option<Turn> {
        let circuit = self.circuits.remove(key)?;
        (circuit.state != CircuitState::Closed).then_some(Turn::Closed)
    }

    /// A try of `key` has failed.
    pub fn failed(&mut self, key: &K, now: Time) -> Option<Turn> {
        let circuit = self.circuits.entry(key.clone()).or_insert(Circuit {
            failures: 0,
            since: now,
            state: CircuitState::Closed,
        });
        circuit.failures = circuit.failures.saturating_add(1);
        let was = circuit.state;
        let opens = match was {
            CircuitState::Closed => circuit.failures >= self.config.failure_threshold,
            CircuitState::HalfOpen => true,
            CircuitState::Open => false,
        };
        if opens {
            (circuit.state, circuit.since) = (CircuitState::Open, now);
            self.openings = self.openings.saturating_add(1);
        }
        (opens && was == CircuitState::Closed).then_some(Turn::Opened)
    }

    /// How often a circuit has opened.
    pub const fn openings(&self) -> u64 {
        self.openings
    }

    /// Those whose circuit is not closed.
    pub fn broken(&self) -> impl Iterator<Item = (&K, CircuitState)> {
        let circuits = self.circuits.iter().map(|(key, circuit)| (key, circuit.state));
        circuits.filter(|(_, state)| *state != CircuitState::Closed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use commonware_runtime::{Runner as _, deterministic};

    #[test]
    fn pauses_double_up_to_the_longest_and_end() {
        let retry = Retry {
            max_attempts: 6,
            ..Retry::default()
        };
        deterministic::Runner::seeded(1).start(|mut context| async move {
            for (failures, whole) in [(1, 100_u128), (2, 200), (3, 400), (4, 800), (5, 1_000)] {
                for _ in 0..100 {
                    let pause = retry.pause(failures, &mut context).unwrap().as_millis();
                    assert!((whole / 2..=whole).contains(&pause), "{failures}: {pause}");
                }
            }
            assert_eq!(retry.pause(6, &mut context), None);
            let never = Retry {
                max_attempts: 0,
                ..retry
            };
            assert_eq!(never.pause(1, &mut context), None);
        });
    }

    #[test]
    fn a_circuit_opens_lets_one_try_and_closes() {
        let mut breakers = Breakers::new(BreakerConfig::default());
        let at = |secs: u64| Time::new(secs * 1_000);
        assert_eq!(breakers.failed(&'a', at(0)), None);
        assert_eq!(breakers.failed(&'a', at(0)), None);
        assert!(breakers.admits(&'a', at(0)));
        assert_eq!(breakers.failed(&'a', at(1)), Some(Turn::Opened));
        assert!(!breakers.admits(&'a', at(5)) && breakers.admits(&'b', at(5)));
        assert_eq!(
            breakers.broken().collect::<Vec<_>>(),
            [(&'a', CircuitState::Open)]
        );
        // One tries, and fails: open again for the whole time.
        assert!(breakers.admits(&'a', at(6)) && !breakers.admits(&'a', at(6)));
        assert_eq!(
            breakers.broken().collect::<Vec<_>>(),
            [(&'a', CircuitState::HalfOpen)]
        );
        assert_eq!(breakers.failed(&'a', at(7)), None);
        assert!(!breakers.admits(&'a', at(11)) && breakers.admits(&'a', at(12)));
        assert_eq!(breakers.openings(), 2);
        assert_eq!(breakers.succeeded(&'a'), Some(Turn::Closed));
        assert_eq!(breakers.succeeded(&'a'), None);
        assert!(breakers.admits(&'a', at(12)) && breakers.broken().next().is_none());
        // Failures before a success count for nothing.
        assert_eq!(breakers.failed(&'a', at(13)), None);
        assert_eq!(breakers.succeeded(&'a'), None);
    }

    #[test]
    fn a_clock_that_is_set_back_opens_no_circuit_for_longer() {
        let mut breakers = Breakers::new(BreakerConfig {
            failure_threshold: 1,
            open_timeout: Millis::from_secs(5),
        });
        assert_eq!(breakers.failed(&'a', Time::new(3_600_000)), Some(Turn::Opened));
        assert!(breakers.admits(&'a', Time::new(1_000)));
        assert!(!breakers.admits(&'a', Time::new(5_999)) && breakers.admits(&'a', Time::new(6_000)));
    }

    #[test]
    fn who_tries_and_never_says_how_it_ended_shuts_nobody_out_for_ever() {
        let mut breakers = Breakers::new(BreakerConfig {
            failure_threshold: 1,
            open_timeout: Millis::from_secs(5),
        });
        assert_eq!(breakers.failed(&'a', Time::new(0)), Some(Turn::Opened));
        assert!(breakers.admits(&'a', Time::new(5_000)));
        assert!(breakers.admits(&'a', Time::new(10_000)));
    }
}
