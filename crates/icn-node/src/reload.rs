//! What is done on SIGHUP: each part of the node that can read something anew while it runs says how, and the log
//! says what came of it.
use std::sync::{Arc, Mutex, PoisonError};
use tokio::signal::unix;

/// Reads something anew; says for people what there is now.
type Hook = Arc<dyn Fn() -> anyhow::Result<String> + Send + Sync>;

/// What came of it: what was read anew, and what there is now or why it stayed as it was.
pub(crate) type Reloaded = (&'static str, anyhow::Result<String>);

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

    /// Reads everything anew, one after the other, and tells of each. What fails stays as it was, and stops nothing else.
    fn run(&self, told: impl Fn(&Reloaded)) {
        let hooks = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (name, hook) in hooks {
            let reloaded = (name, hook());
            match &reloaded.1 {
                Ok(now) => tracing::info!("reloaded {name}: {now}"),
                Err(error) => tracing::warn!("cannot reload {name}, which stays as it was: {error:#}"),
            }
            told(&reloaded);
        }
    }

    /// Waits for SIGHUP, again and again, for as long as it is run.
    pub(crate) async fn serve(
        self,
        mut hangup: unix::Signal,
        told: impl Fn(&Reloaded) + Clone + Send + 'static,
    ) {
        while hangup.recv().await.is_some() {
            let (reloads, told) = (self.clone(), told.clone());
            if let Err(error) = tokio::task::spawn_blocking(move || reloads.run(told)).await {
                tracing::error!(%error, "a reload panicked");
            }
        }
    }
}
