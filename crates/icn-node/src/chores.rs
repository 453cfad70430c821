//! What the store leaves to its user: chores, now and then, for as long as the node runs.
use crate::dag::story;
use icn_store::Store;
use std::time::Duration;

/// How often. Each time commits wait for it, so a chore only begins what takes long.
pub(crate) const EVERY: Duration = Duration::from_secs(60);

/// Does the store's chores every `interval`, until the store stops.
pub(crate) async fn tend(store: Store, interval: Duration) {
    loop {
        tokio::time::sleep(interval).await;
        let tended = store.clone();
        match tokio::task::spawn_blocking(move || tended.maintain()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                // The store takes no further calls after this, and whoever makes one is told.
                tracing::error!(error = story(&error), "a chore of the store failed");
                return;
            }
            Err(error) => tracing::error!(%error, "a chore of the store was not done"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use icn_store::{
        Backend, BackendError, Batch, Caps, Durability, ErrorKind, MemoryBackend, Page, ScanRange,
        StoreConfig, Table, View,
    };
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Whose third chore fails.
    struct Tended(MemoryBackend, AtomicU32);

    impl View for Tended {
        fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, BackendError> {
            self.0.get(table, key)
        }

        fn scan(&self, table: Table, range: &ScanRange, limit: usize) -> Result<Page, BackendError> {
            self.0.scan(table, range, limit)
        }
    }

    impl Backend for Tended {
        fn snapshot(&self) -> Result<Box<dyn View>, BackendError> {
            self.0.snapshot()
        }

        fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), BackendError> {
            self.0.commit(batch, durability)
        }

        fn persist(&self) -> Result<(), BackendError> {
            self.0.persist()
        }

        fn caps(&self) -> Caps {
            self.0.caps()
        }

        fn size_bytes(&self) -> Result<u64, BackendError> {
            self.0.size_bytes()
        }

        fn maintain(&self) -> Result<(), BackendError> {
            if self.1.fetch_add(1, Ordering::Relaxed) < 2 {
                return Ok(());
            }
            let cause = std::io::Error::other("the disk said no");
            Err(BackendError::new("a test", ErrorKind::Io, "tidy up", cause))
        }
    }

    #[tokio::test]
    async fn chores_are_done_until_one_fails() {
        let backend = std::sync::Arc::new(Tended(MemoryBackend::new(), AtomicU32::new(0)));
        let store = Store::inline(backend.clone(), StoreConfig::default());
        tend(store.clone(), Duration::from_millis(1)).await;
        assert_eq!(backend.1.load(Ordering::Relaxed), 3);
        assert!(store.commit(Batch::new(), Durability::Sync).await.is_err());
    }
}
