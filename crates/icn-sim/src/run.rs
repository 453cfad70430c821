//! One run under the deterministic runtime, and how it ends.
use crate::{
    config::{Config, ConfigError},
    driver::Driver,
    errors::Errors,
    oracle::{Invariant, Violation},
    outcome::Outcome,
    trace::{BEGIN, Trace},
};
use commonware_runtime::{Runner as _, Supervisor as _, deterministic};
use icn_model::Time;
use icn_protocol::time::now;
use std::time::{Duration, UNIX_EPOCH};

/// Why a run did not end well.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It could not be simulated.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Something did not hold.
    #[error("seed={seed} nodes={nodes} t={}s failed={} {}", .at.since(BEGIN).get() / 1_000, .violation.invariant, .violation.detail)]
    Violation {
        /// The run's seed.
        seed: u64,
        /// The run's nodes.
        nodes: usize,
        /// When it was found, in virtual time.
        at: Time,
        /// What.
        violation: Violation,
    },
}

impl Failure {
    /// What did not hold.
    pub const fn invariant(&self) -> Option<Invariant> {
        match self {
            Self::Config(_) => None,
            Self::Violation { violation, .. } => Some(violation.invariant),
        }
    }
}

/// Simulates one federation.
///
/// # Errors
/// [`Failure`] says what did not hold and when.
pub fn run(config: &Config, trace: &Trace) -> Result<Outcome, Failure> {
    config.check()?;
    let start = UNIX_EPOCH + Duration::from_millis(BEGIN.get());
    let runtime = deterministic::Config::new()
        .with_seed(config.seed)
        .with_start_time(start);
    let errors = Errors::default();
    errors.clone().watch(|| {
        deterministic::Runner::new(runtime).start(|context| async move {
            let auditor = context.auditor();
            let clock = context.child("clock");
            let driver = Driver::new(context, config, trace.clone(), errors).await;
            let driven = Box::pin(driver.drive()).await;
            match driven {
                Ok(outcome) => Ok(Outcome {
                    audit: auditor.state(),
                    ..outcome
                }),
                Err(violation) => {
                    let (seed, nodes, at) = (config.seed, config.nodes, now(&clock));
                    trace.say(at, &violation);
                    Err(Failure::Violation {
                        seed,
                        nodes,
                        at,
                        violation,
                    })
                }
            }
        })
    })
}
