//! `[network]`: where a node is reached, whom it reaches, and how it deals with those that do not answer.
use super::ConfigError;
use icn_model::Millis;
use icn_protocol::resilience::{BreakerConfig, Resilience, Retry};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// `[network]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Network {
    /// Address of the HTTP interface. Default: 127.0.0.1:7845, or the next free port.
    pub http_listen_addr: Option<SocketAddr>,
    /// Multiaddr (or `address:port`) for other nodes. Default: /ip4/127.0.0.1/tcp/7000, or the next free port.
    pub p2p_listen_addr: Option<String>,
    /// Nodes to start from, with or without `/p2p/<peer id>`. Default: none.
    pub bootstrap_peers: Vec<String>,
    /// Addresses that others are told to use, where they differ from the one listened on. Default: none.
    pub announce_addrs: Vec<String>,
    /// Connections with nodes that have no seat here. Default: 128.
    pub max_peers: usize,
    /// Find nodes on the local network by multicast. Default: false.
    pub mdns: bool,
    /// Listen for other nodes and dial them. Without, the node is for a federation of one. Default: true.
    pub p2p_enabled: bool,
    /// Limit for connecting to another node, in seconds. A long one holds up the healing of a cut. Default: 3.
    pub connection_timeout: u64,
    /// Failures in a row after which a node is left alone. Default: 3.
    pub failure_threshold: u32,
    /// For how long, in seconds, until it is tried once. Default: 5.
    pub open_timeout_secs: u64,
    /// How often something is tried with other nodes before it has failed. Default: 3.
    pub retry_max_attempts: u32,
    /// Pause after the first try, in milliseconds, doubled with each that follows. Default: 100.
    pub retry_initial_delay_ms: u64,
    /// Longest pause between tries, in milliseconds. Default: 1000.
    pub retry_max_delay_ms: u64,
}

impl Default for Network {
    fn default() -> Self {
        let Resilience { retry, breaker } = Resilience::default();
        Self {
            http_listen_addr: None,
            p2p_listen_addr: None,
            bootstrap_peers: Vec::new(),
            announce_addrs: Vec::new(),
            max_peers: 128,
            mdns: false,
            p2p_enabled: true,
            connection_timeout: 3,
            failure_threshold: breaker.failure_threshold,
            open_timeout_secs: breaker.open_timeout.get() / 1_000,
            retry_max_attempts: retry.max_attempts,
            retry_initial_delay_ms: retry.initial_delay.get(),
            retry_max_delay_ms: retry.max_delay.get(),
        }
    }
}

impl Network {
    /// How the node deals with others that do not answer.
    pub const fn resilience(&self) -> Resilience {
        Resilience {
            retry: Retry {
                max_attempts: self.retry_max_attempts,
                initial_delay: Millis::new(self.retry_initial_delay_ms),
                max_delay: Millis::new(self.retry_max_delay_ms),
            },
            breaker: BreakerConfig {
                failure_threshold: self.failure_threshold,
                open_timeout: Millis::from_secs(self.open_timeout_secs),
            },
        }
    }

    /// The first value that cannot be, with what can.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let delays = 1..=60_000;
        let ranges = [
            ("network.connection_timeout", self.connection_timeout, 1..=300),
            (
                "network.failure_threshold",
                u64::from(self.failure_threshold),
                1..=1_000,
            ),
            ("network.open_timeout_secs", self.open_timeout_secs, 1..=3_600),
            (
                "network.retry_max_attempts",
                u64::from(self.retry_max_attempts),
                1..=100,
            ),
            (
                "network.retry_initial_delay_ms",
                self.retry_initial_delay_ms,
                delays.clone(),
            ),
            ("network.retry_max_delay_ms", self.retry_max_delay_ms, delays),
        ];
        for (key, value, range) in ranges {
            if !range.contains(&value) {
                return Err(ConfigError::Value {
                    key,
                    value: value.to_string(),
                    reason: format!("from {} to {}", range.start(), range.end()),
                });
            }
        }
        if self.retry_initial_delay_ms > self.retry_max_delay_ms {
            return Err(ConfigError::Value {
                key: "network.retry_initial_delay_ms",
                value: self.retry_initial_delay_ms.to_string(),
                reason: format!(
                    "at most network.retry_max_delay_ms, which is {}",
                    self.retry_max_delay_ms
                ),
            });
        }
        if !self.p2p_enabled && (self.mdns || !self.bootstrap_peers.is_empty()) {
            return Err(ConfigError::Value {
                key: "network.p2p_enabled",
                value: "false".into(),
                reason: "bootstrap_peers and mdns need other nodes: take them out, or this".into(),
            });
        }
        Ok(())
    }
}
