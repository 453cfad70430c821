//! Who has a block: provider records in the federation's distributed hash table. Finds keys of peers;
//! fetches nothing.
use crate::error::DiscoveryError;
use commonware_cryptography::ed25519::PublicKey;
use tokio::sync::{mpsc, oneshot};

/// Longest provider key, bytes: a CID or a multihash.
pub const MAX_PROVIDER_KEY_BYTES: usize = 128;
/// Most keys that one node announces.
pub const MAX_PROVIDED_KEYS: usize = 16_384;
/// A search ends when it has found this many providers.
pub const MAX_PROVIDERS: usize = 16;
/// Searches running at once.
pub(crate) const MAX_SEARCHES: usize = 64;
/// Requests waiting for the swarm task.
pub(crate) const REQUEST_BACKLOG: usize = 256;

/// Request to the swarm task.
#[derive(Debug)]
pub(crate) enum Request {
    Provide(Vec<u8>, oneshot::Sender<Result<(), DiscoveryError>>),
    Withdraw(Vec<u8>, oneshot::Sender<()>),
    FindProviders(Vec<u8>, oneshot::Sender<Result<Vec<PublicKey>, DiscoveryError>>),
}

/// Handle for announcing and finding blocks. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Discovery {
    pub(crate) requests: mpsc::Sender<Request>,
}

impl Discovery {
    /// Announces this node as a provider of `key`, now and every twelve hours until withdrawn or stopped.
    /// Other nodes store the announcement only of peers that they track.
    ///
    /// # Errors
    /// The key has a wrong size, too many are announced, too many requests wait, or the network has stopped.
    pub async fn provide(&self, key: Vec<u8>) -> Result<(), DiscoveryError> {
        let (reply, answer) = oneshot::channel();
        self.request(Request::Provide(checked(key)?, reply))?;
        answer.await.map_err(|_| DiscoveryError::Closed)?
    }

    /// Stops announcing `key`. Others forget the last announcement after two days.
    ///
    /// # Errors
    /// As [`Self::provide`]; a key that was not announced is none.
    pub async fn withdraw(&self, key: Vec<u8>) -> Result<(), DiscoveryError> {
        let (reply, answer) = oneshot::channel();
        self.request(Request::Withdraw(checked(key)?, reply))?;
        answer.await.map_err(|_| DiscoveryError::Closed)
    }

    /// Finds other nodes that announce `key`, at most [`MAX_PROVIDERS`], nearest first found. Takes at
    /// most `query_timeout`; an empty answer means that nobody was found in that time.
    ///
    /// # Errors
    /// As [`Self::provide`].
    pub async fn find_providers(&self, key: Vec<u8>) -> Result<Vec<PublicKey>, DiscoveryError> {
        let (reply, answer) = oneshot::channel();
        self.request(Request::FindProviders(checked(key)?, reply))?;
        answer.await.map_err(|_| DiscoveryError::Closed)?
    }

    fn request(&self, request: Request) -> Result<(), DiscoveryError> {
        self.requests.try_send(request).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => DiscoveryError::Busy,
            mpsc::error::TrySendError::Closed(_) => DiscoveryError::Closed,
        })
    }
}

fn checked(key: Vec<u8>) -> Result<Vec<u8>, DiscoveryError> {
    if key.is_empty() || key.len() > MAX_PROVIDER_KEY_BYTES {
        return Err(DiscoveryError::Key {
            bytes: key.len(),
            max_bytes: MAX_PROVIDER_KEY_BYTES,
        });
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;

    #[test]
    fn bad_keys_and_a_full_or_stopped_network_are_told_apart() {
        let (requests, queue) = mpsc::channel(1);
        let discovery = Discovery { requests };
        for bytes in [0, MAX_PROVIDER_KEY_BYTES + 1] {
            let refused = block_on(discovery.provide(vec![0; bytes]));
            assert!(matches!(refused, Err(DiscoveryError::Key { .. })));
        }
        let (reply, _) = oneshot::channel();
        discovery.request(Request::Withdraw(vec![1], reply)).unwrap();
        assert_eq!(block_on(discovery.provide(vec![1])), Err(DiscoveryError::Busy));
        drop(queue);
        assert_eq!(
            block_on(discovery.find_providers(vec![1])),
            Err(DiscoveryError::Closed)
        );
    }
}
