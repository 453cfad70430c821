//! What came of the reports: counted, and what has changed.
use icn_model::Time;
use icn_protocol::resilience::{BreakerConfig, Breakers, CircuitState, Turn};
use icn_serve::clock::now;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

/// Since when, and why, reports do not arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failing {
    /// The first that did not.
    pub(crate) since: Time,
    /// What went wrong with the last one.
    pub(crate) error: String,
}

/// What is new after a report.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// It is as it was.
    Nothing,
    /// Reports do not arrive any more.
    Failing(String),
    /// They do again.
    Mended,
}

/// What came of the reports of this run. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Reports {
    counts: Family<Outcome, Counter>,
    failing: Arc<Mutex<Option<Failing>>>,
    circuit: Arc<Mutex<Breakers<()>>>,
}

impl Default for Reports {
    fn default() -> Self {
        Self::new(BreakerConfig::default())
    }
}

impl Reports {
    /// Of which none was made so far; `breaker` says when the service is left alone.
    pub(crate) fn new(breaker: BreakerConfig) -> Self {
        let counts = Family::<Outcome, Counter>::default();
        for outcome in ["sent", "failed"] {
            // Shown from the start, so that an alert can ask for their increase.
            drop(counts.get_or_create(&Outcome { outcome }));
        }
        Self {
            counts,
            failing: Arc::default(),
            circuit: Arc::new(Mutex::new(Breakers::new(breaker))),
        }
    }

    fn circuit(&self) -> MutexGuard<'_, Breakers<()>> {
        self.circuit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the service may be tried now: not for a while after it has failed several times in a row.
    pub(super) fn admits(&self) -> bool {
        self.circuit().admits(&(), now())
    }

    /// Where the circuit of the service stands, and how often it has opened.
    pub(crate) fn breaker(&self) -> (CircuitState, u64) {
        let circuit = self.circuit();
        let state = circuit.broken().next().map(|(_, state)| state);
        (state.unwrap_or(CircuitState::Closed), circuit.openings())
    }

    /// Notes the outcome of a report for the circuit; says what that has changed of it.
    pub(super) fn turn(&self, arrived: bool) -> Option<Turn> {
        let mut circuit = self.circuit();
        if arrived {
            circuit.succeeded(&())
        } else {
            circuit.failed(&(), now())
        }
    }

    /// Counts the outcome of a report; says what is new.
    pub(super) fn note(&self, told: Result<(), String>) -> Said {
        let outcome = if told.is_ok() { "sent" } else { "failed" };
        self.counts.get_or_create(&Outcome { outcome }).inc();
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        match (told, failing.as_mut()) {
            (Ok(()), None) => Said::Nothing,
            (Ok(()), Some(_)) => {
                *failing = None;
                Said::Mended
            }
            (Err(error), Some(known)) => {
                known.error = error;
                Said::Nothing
            }
            (Err(error), None) => {
                *failing = Some(Failing {
                    since: now(),
                    error: error.clone(),
                });
                Said::Failing(error)
            }
        }
    }

    /// Since when, and why, reports do not arrive; none if the last one did.
    pub(crate) fn failing(&self) -> Option<Failing> {
        self.failing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Adds the counts to what is scraped.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let help = "Heartbeats to the Federation Service, by whether it took them";
        registry.register("icn_reports", help, self.counts.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_said_once() {
        let reports = Reports::default();
        let failed = |text: &str| Err(text.to_owned());
        assert_eq!(reports.note(Ok(())), Said::Nothing);
        assert_eq!(reports.note(failed("one")), Said::Failing("one".into()));
        assert_eq!(reports.note(failed("two")), Said::Nothing);
        assert_eq!(reports.failing().unwrap().error, "two");
        assert_eq!(reports.note(Ok(())), Said::Mended);
        assert_eq!((reports.note(Ok(())), reports.failing()), (Said::Nothing, None));
    }

    #[test]
    fn a_service_that_fails_is_left_alone_for_a_while() {
        let reports = Reports::default();
        for turn in [None, None, Some(Turn::Opened)] {
            assert!(reports.admits());
            assert_eq!(reports.turn(false), turn);
        }
        assert_eq!(reports.breaker(), (CircuitState::Open, 1));
        assert!(!reports.admits());
        assert_eq!(reports.turn(true), Some(Turn::Closed));
        assert_eq!(reports.breaker(), (CircuitState::Closed, 1));
    }
}
