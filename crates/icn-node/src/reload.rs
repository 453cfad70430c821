//! What is done on SIGHUP: each part of the node that can read something anew while it runs says how, and the log
//! says what came of it.
use crate::access::{Access, AuditLine, Change, Outcome};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::signal::unix;

/// Reads something anew; says for people what there is now.
type Hook = Arc<dyn Fn() -> anyhow::Result<String> + Send + Sync>;

/// What is read anew, in the order in which it was added. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Reloads(Arc<Mutex<Vec<(&'static str, Hook)>>>);

impl Reloads {
    /// Reads what `name` stands for anew from now on, too. The hook may block.
    pub(crate) fn add(
        &self,
        name: &'static str,
        hook: impl Fn() -> anyhow::Result<String> + Send + Sync + 'static,
    ) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((name, Arc::new(hook)));
    }

    /// Reads everything anew, one after the other. What fails stays as it was, and stops nothing else.
    fn run(&self, access: &Access) {
        let hooks = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (name, hook) in hooks {
            let (outcome, to) = match hook() {
                Ok(now) => {
                    tracing::info!("reloaded {name}: {now}");
                    (Outcome::Done, now)
                }
                Err(error) => {
                    tracing::warn!("cannot reload {name}, which stays as it was: {error:#}");
                    (Outcome::Failed, format!("{error:#}"))
                }
            };
            let change = Change {
                what: "reloaded",
                name: name.into(),
                to: Some(to),
            };
            access.audit.write(&AuditLine::of_change(&change, outcome));
        }
    }

    /// Waits for SIGHUP, again and again, for as long as it is run.
    pub(crate) async fn serve(self, mut hangup: unix::Signal, access: Arc<Access>) {
        while hangup.recv().await.is_some() {
            let (reloads, access) = (self.clone(), access.clone());
            if let Err(error) = tokio::task::spawn_blocking(move || reloads.run(&access)).await {
                tracing::error!(%error, "a reload panicked");
            }
        }
    }
}
