//! Errors in the log of a node fail its run.
use commonware_utils::sync::Mutex;
use std::{fmt::Write as _, sync::Arc};
use tracing::{Event, Level, Subscriber, field::Field, subscriber::with_default};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{Targets, filter_fn},
    layer::{Context, SubscriberExt as _},
};

/// Reports of errors that are kept.
const KEPT: usize = 16;

/// Collects what is logged as an error by this project's crates. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Errors(Arc<Mutex<Vec<String>>>);

impl Errors {
    /// Runs `simulate`, with logs on standard error as `RUST_LOG` says.
    pub(crate) fn watch<T>(self, simulate: impl FnOnce() -> T) -> T {
        let errors = self.with_filter(filter_fn(|metadata| *metadata.level() == Level::ERROR));
        let shown = tracing_subscriber::fmt::layer()
            .with_writer(std::io::stderr)
            .without_time()
            .with_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("off")));
        with_default(tracing_subscriber::registry().with(errors).with(shown), simulate)
    }

    /// The first of them.
    pub(crate) fn first(&self) -> Option<String> {
        self.0.lock().first().cloned()
    }
}

impl<S: Subscriber> Layer<S> for Errors {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let own = Targets::new().with_target("icn", Level::ERROR);
        if !own.would_enable(event.metadata().target(), event.metadata().level()) {
            return;
        }
        let mut text = String::new();
        event.record(&mut |field: &Field, value: &dyn std::fmt::Debug| {
            // Writing to a string does not fail.
            let _ = write!(
                text,
                "{}{field}={value:?}",
                if text.is_empty() { "" } else { " " }
            );
        });
        let mut errors = self.0.lock();
        if errors.len() < KEPT {
            errors.push(text);
        }
    }
}
