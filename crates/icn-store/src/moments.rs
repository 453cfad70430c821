//! Snapshots for engines that hold each in a connection of its own. Those between which nothing was
//! committed are one, so that their number is that of the moments that are looked at.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::error::{BackendError, ErrorKind};

/// The moments of which snapshots are held.
pub(crate) struct Moments<T> {
    backend: &'static str,
    max: usize,
    held: Mutex<Held<T>>,
}

struct Held<T> {
    /// The present one, unless a commit is under way.
    present: Weak<T>,
    all: Vec<Weak<T>>,
    is_changing: bool,
}

/// Held while a commit is under way: what is seen meanwhile may be before or after it.
pub(crate) struct Change<'a, T>(&'a Moments<T>);

impl<T> Drop for Change<'_, T> {
    fn drop(&mut self) {
        self.0.lock().is_changing = false;
    }
}

impl<T> Moments<T> {
    /// None yet, and never more than `max` at once.
    pub(crate) fn new(backend: &'static str, max: usize) -> Self {
        Self {
            backend,
            max,
            held: Mutex::new(Held {
                present: Weak::new(),
                all: Vec::new(),
                is_changing: false,
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Held<T>> {
        // Each change under this lock leaves the list sound.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To be called before each commit.
    pub(crate) fn change(&self) -> Change<'_, T> {
        let mut held = self.lock();
        held.present = Weak::new();
        held.is_changing = true;
        drop(held);
        Change(self)
    }

    /// This moment, which `begin` takes if nobody holds it.
    pub(crate) fn now(
        &self,
        begin: impl FnOnce() -> Result<T, BackendError>,
    ) -> Result<Arc<T>, BackendError> {
        let mut held = self.lock();
        if let Some(present) = held.present.upgrade() {
            return Ok(present);
        }
        held.all.retain(|moment| moment.strong_count() > 0);
        if held.all.len() >= self.max {
            let reason = format!(
                "snapshots of {} moments are held: drop one, or wait for one to expire",
                self.max
            );
            return Err(BackendError::new(
                self.backend,
                ErrorKind::Busy,
                "take a snapshot",
                reason,
            ));
        }
        let moment = Arc::new(begin()?);
        held.all.push(Arc::downgrade(&moment));
        if !held.is_changing {
            held.present = Arc::downgrade(&moment);
        }
        Ok(moment)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Moments;
    use crate::error::ErrorKind;

    #[test]
    fn a_moment_is_shared_until_something_changes_and_their_number_is_bounded() {
        let moments = Moments::new("a test", 2);
        let first = moments.now(|| Ok(1)).unwrap();
        assert!(Arc::ptr_eq(&first, &moments.now(|| Ok(2)).unwrap()));
        let change = moments.change();
        let during = moments.now(|| Ok(3)).unwrap();
        assert_eq!(*during, 3, "not the one from before");
        let error = moments.now(|| Ok(4)).unwrap_err();
        assert_eq!(
            error.kind(),
            ErrorKind::Busy,
            "what is seen during a change is not shared"
        );
        drop(change);
        assert!(moments.now(|| Ok(5)).is_err());
        drop(first);
        assert_eq!(*moments.now(|| Ok(6)).unwrap(), 6);
    }
}
