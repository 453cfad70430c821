//! Errors of starting and asking the network. Errors of single peers are events and counters, see `status`.
use crate::{address::Address, config::ConfigError};
use std::io;

/// Why the network did not start. Nothing is left running.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting cannot work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The address is taken, not ours, or not permitted.
    #[error("cannot listen on {address}; free the port or choose another listen address")]
    Listen {
        /// The address as configured.
        address: Address,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The system reported no bound address in time.
    #[error(
        "{address} was bound to no interface within {timeout_ms} ms; listen on an address of this machine"
    )]
    NotBound {
        /// The address as configured.
        address: Address,
        /// How long was waited.
        timeout_ms: u64,
    },
    /// Multicast discovery was asked for and the system refused it.
    #[error("cannot start discovery on the local network; switch mdns off or allow multicast")]
    Mdns(#[source] io::Error),
    /// A library refused settings that this crate derives; a fault of this crate.
    #[error("refused {what} settings: {reason}")]
    Settings {
        /// Which part.
        what: &'static str,
        /// What the library said.
        reason: String,
    },
}

/// Why providers could not be announced or found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiscoveryError {
    /// The network has stopped.
    #[error("network has stopped")]
    Closed,
    /// Too many requests wait.
    #[error("too many discovery requests wait; ask again later")]
    Busy,
    /// The key is empty or too long.
    #[error("provider key of {bytes} bytes must have 1 to {max_bytes} bytes")]
    Key {
        /// Length of the key.
        bytes: usize,
        /// Longest allowed.
        max_bytes: usize,
    },
    /// The table of announced keys is full.
    #[error("{max_keys} keys are announced already; withdraw some first")]
    Full {
        /// Most keys that one node announces.
        max_keys: usize,
    },
}

/// The network has stopped: nothing will arrive any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("network has stopped")]
pub struct Closed;
