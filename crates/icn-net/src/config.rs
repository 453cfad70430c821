//! Settings of the network, their defaults and what each is good for. Reads no file.
use crate::address::Address;
use std::{fmt, ops::RangeInclusive, time::Duration};

/// Most addresses in each list of a [`Config`].
pub const MAX_ADDRESSES: usize = 256;
/// Longest federation name, bytes.
pub const MAX_FEDERATION_BYTES: usize = 64;
/// Accepted values of [`Config::max_message`], bytes.
pub const MAX_MESSAGE_BYTES: RangeInclusive<usize> = 1_024..=64 << 20;

/// Settings of one node's network.
#[derive(Clone)]
pub struct Config {
    /// Seed of the node's Ed25519 key, which is its peer id and its seat.
    pub key: [u8; 32],
    /// Tells this process from any other with the same key: drawn at random at each start.
    pub instance: u64,
    /// Separates federations: short hex of the genesis CID. Part of every protocol and topic name, so
    /// nodes of two federations that meet have nothing to say to each other. Letters, digits and `-`.
    pub federation: String,
    /// Where to listen. Port 0 takes a free one; the bound addresses are reported by `start`. Without any, nobody
    /// reaches this node, and it reaches others all the same.
    pub listen: Vec<Address>,
    /// Addresses that others are told to use instead of those that are listened on.
    pub announce: Vec<Address>,
    /// Addresses to keep dialing. With `/p2p/<peer id>` nobody else may answer there.
    pub bootstrap: Vec<Address>,
    /// Find nodes on the local network by multicast. Tells everybody there that the node exists.
    pub mdns: bool,
    /// Connections with peers outside the tracked sets. Tracked peers have slots beyond these.
    pub max_peers: usize,
    /// Inbound connections from one IP address with peers outside the tracked sets.
    pub max_peers_per_ip: usize,
    /// Largest message of a registered channel, bytes.
    pub max_message: usize,
    /// Name and version told to other nodes.
    pub agent: String,
    /// How long to wait for what.
    pub timings: Timings,
}

/// Timings of the network. With the defaults a cut of a minute heals in one to five seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timings {
    /// A connection on which nothing arrives for this long is dropped. 5 s.
    pub silence: Duration,
    /// Keeps a healthy connection from falling silent. 1 s.
    pub ping_interval: Duration,
    /// Limit for connecting and all handshakes. Short, or a SYN sent during a cut holds up the redial. 3 s.
    pub dial_timeout: Duration,
    /// First pause before dialing a tracked peer again, doubled from there. 250 ms.
    pub redial_min: Duration,
    /// Longest pause before dialing a seat again. 1 s.
    pub redial_max: Duration,
    /// Longest pause before dialing a follower or a silent bootstrap address again. 30 s.
    pub bootstrap_max: Duration,
    /// A link that lasted this long is dialed again at once when it breaks. 10 s.
    pub healthy_after: Duration,
    /// How long a blocked peer stays blocked. 4 h.
    pub block_for: Duration,
    /// Pause between attempts to publish what no peer was subscribed to. 500 ms.
    pub gossip_retry: Duration,
    /// Limit for one search for providers. 10 s.
    pub query_timeout: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            silence: Duration::from_secs(5),
            ping_interval: Duration::from_secs(1),
            dial_timeout: Duration::from_secs(3),
            redial_min: Duration::from_millis(250),
            redial_max: Duration::from_secs(1),
            bootstrap_max: Duration::from_secs(30),
            healthy_after: Duration::from_secs(10),
            block_for: Duration::from_secs(4 * 3_600),
            gossip_retry: Duration::from_millis(500),
            query_timeout: Duration::from_secs(10),
        }
    }
}

impl Config {
    /// Settings with defaults: listens on a free loopback port, knows nobody.
    pub fn new(key: [u8; 32], instance: u64, federation: impl Into<String>) -> Self {
        Self {
            key,
            instance,
            federation: federation.into(),
            listen: vec![Address::from(std::net::SocketAddr::from(([127, 0, 0, 1], 0)))],
            announce: Vec::new(),
            bootstrap: Vec::new(),
            mdns: false,
            max_peers: 128,
            max_peers_per_ip: 16,
            max_message: 5 << 20,
            agent: concat!("icn-net/", env!("CARGO_PKG_VERSION")).into(),
            timings: Timings::default(),
        }
    }

    /// Checks what the types do not.
    ///
    /// # Errors
    /// Names the first setting that cannot work.
    pub fn check(&self) -> Result<(), ConfigError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let name = &self.federation;
        if name.is_empty() || name.len() > MAX_FEDERATION_BYTES || !name.chars().all(plain) {
            return Err(ConfigError::Federation { name: name.clone() });
        }
        for (setting, list) in [
            ("listen", &self.listen),
            ("announce", &self.announce),
            ("bootstrap", &self.bootstrap),
        ] {
            if list.len() > MAX_ADDRESSES {
                return Err(ConfigError::TooManyAddresses {
                    setting,
                    count: list.len(),
                });
            }
        }
        if !MAX_MESSAGE_BYTES.contains(&self.max_message) {
            return Err(ConfigError::MaxMessage {
                bytes: self.max_message,
            });
        }
        self.timings.check()
    }
}

impl Timings {
    fn check(&self) -> Result<(), ConfigError> {
        let rising = [
            ("ping_interval", self.ping_interval, "silence", self.silence),
            ("redial_min", self.redial_min, "redial_max", self.redial_max),
            ("redial_max", self.redial_max, "bootstrap_max", self.bootstrap_max),
        ];
        for (small, low, large, high) in rising {
            if low.is_zero() || low > high {
                return Err(ConfigError::Timing {
                    small,
                    low,
                    large,
                    high,
                });
            }
        }
        if self.ping_interval == self.silence {
            return Err(ConfigError::Timing {
                small: "ping_interval",
                low: self.ping_interval,
                large: "silence",
                high: self.silence,
            });
        }
        Ok(())
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The seed stays out of every log.
        f.debug_struct("Config")
            .field("federation", &self.federation)
            .field("listen", &self.listen)
            .field("announce", &self.announce)
            .field("bootstrap", &self.bootstrap)
            .field("mdns", &self.mdns)
            .field("max_peers", &self.max_peers)
            .field("max_peers_per_ip", &self.max_peers_per_ip)
            .field("max_message", &self.max_message)
            .field("agent", &self.agent)
            .field("timings", &self.timings)
            .finish_non_exhaustive()
    }
}

/// A setting that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The federation name cannot be part of a protocol name.
    #[error("federation name {name:?} must be 1 to {MAX_FEDERATION_BYTES} letters, digits or '-'")]
    Federation {
        /// The name as given.
        name: String,
    },
    /// A list is too long.
    #[error("{count} {setting} addresses are more than {MAX_ADDRESSES}")]
    TooManyAddresses {
        /// Which list.
        setting: &'static str,
        /// Its length.
        count: usize,
    },
    /// Message limit out of range.
    #[error(
        "max_message of {bytes} bytes is outside {} to {}",
        MAX_MESSAGE_BYTES.start(),
        MAX_MESSAGE_BYTES.end()
    )]
    MaxMessage {
        /// The limit as given.
        bytes: usize,
    },
    /// Two timings in the wrong order.
    #[error("{small} of {low:?} must be above zero and below {large} of {high:?}")]
    Timing {
        /// The one that must be smaller.
        small: &'static str,
        /// Its value.
        low: Duration,
        /// The one that must be larger.
        large: &'static str,
        /// Its value.
        high: Duration,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_work_and_hide_the_key() {
        let config = Config::new([42; 32], 1, "3f9a");
        assert_eq!(config.check(), Ok(()));
        assert!(!format!("{config:?}").contains("42, 42"));
    }

    #[test]
    fn impossible_settings_are_named() {
        let says = |change: fn(&mut Config)| {
            let mut config = Config::new([1; 32], 1, "3f9a");
            change(&mut config);
            config.check().unwrap_err().to_string()
        };
        assert!(says(|c| c.federation = "a/b".into()).contains("a/b"));
        assert!(says(|c| c.federation = String::new()).contains("federation"));
        assert!(says(|c| c.bootstrap = vec![c.listen[0].clone(); 300]).contains("300 bootstrap"));
        assert!(says(|c| c.max_message = 0).contains("max_message"));
        assert!(says(|c| c.timings.ping_interval = Duration::from_secs(5)).contains("ping_interval"));
        assert!(says(|c| c.timings.redial_min = Duration::ZERO).contains("redial_min"));
    }
}
