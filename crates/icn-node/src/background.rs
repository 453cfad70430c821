//! Work in the background of which one piece runs at a time.
use std::sync::Arc;
use tokio::sync::watch;

/// Tells whether the work runs. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Single(Arc<watch::Sender<bool>>);

/// The right to do the work. However the work ends, also by a panic, the next one can begin.
pub(crate) struct Running(Single);

impl Single {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// The right to do the work, if nobody does it.
    pub(crate) fn begin(&self) -> Option<Running> {
        let ran = self.0.send_replace(true);
        (!ran).then(|| Running(self.clone()))
    }

    pub(crate) fn is_running(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until nobody does the work.
    pub(crate) async fn idle(&self) {
        // Fails only when the sender is gone, and this holds it.
        let _ = self.0.subscribe().wait_for(|running| !running).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.0.send_replace(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_runs_at_a_time_and_the_next_begins_however_it_ends() {
        let single = Single::new();
        let first = single.begin().unwrap();
        assert!(single.is_running() && single.begin().is_none());
        let failed = std::thread::spawn(move || {
            let _first = first;
            panic!("the work fails");
        });
        single.idle().await;
        assert!(failed.join().is_err());
        assert!(single.begin().is_some());
    }
}
