//! Views of the backend, which cannot be held for ever: each has a deadline, after which the store releases what
//! the backend keeps for it, also when nobody reads it any more.

use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};

use crate::backend::View;
use crate::bounds::MAX_OPEN_SNAPSHOTS;
use crate::error::StoreError;

/// A view of the backend until it expires.
pub(crate) struct Held {
    /// `None` once it is released.
    view: RwLock<Option<Box<dyn View>>>,
    expires_at_ms: u64,
}

impl Held {
    fn is_over(&self, now_ms: u64) -> bool {
        now_ms >= self.expires_at_ms
    }

    /// Reads the view; there is none once its time is over.
    pub(crate) fn read<T>(&self, now_ms: u64, read: impl FnOnce(Option<&dyn View>) -> T) -> T {
        if self.is_over(now_ms) {
            self.release();
            return read(None);
        }
        let view = self.view.read().unwrap_or_else(PoisonError::into_inner);
        read(view.as_deref())
    }

    /// Lets go of the view; `false` if a read in progress keeps it.
    fn release(&self) -> bool {
        match self.view.try_write() {
            Ok(mut view) => {
                *view = None;
                true
            }
            Err(_) => false,
        }
    }
}

/// The views that are held.
#[derive(Default)]
pub(crate) struct Views {
    open: Mutex<Vec<Weak<Held>>>,
}

impl Views {
    /// Releases the views whose time is over, and forgets those that are gone.
    pub(crate) fn sweep(&self, now_ms: u64) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|held| {
            held.upgrade()
                .is_some_and(|held| !(held.is_over(now_ms) && held.release()))
        });
    }

    /// Holds a view until `expires_at_ms`.
    pub(crate) fn hold(
        &self,
        expires_at_ms: u64,
        view: impl FnOnce() -> Result<Box<dyn View>, StoreError>,
    ) -> Result<Arc<Held>, StoreError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|held| held.strong_count() > 0);
        if open.len() >= MAX_OPEN_SNAPSHOTS {
            return Err(StoreError::TooManySnapshots);
        }
        let held = Arc::new(Held {
            view: RwLock::new(Some(view()?)),
            expires_at_ms,
        });
        open.push(Arc::downgrade(&held));
        Ok(held)
    }
}
