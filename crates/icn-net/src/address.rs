//! Where a node listens or is reached: `/ip4/203.0.113.7/tcp/7000`, with or without `/p2p/<peer id>`.
//! An address says nothing about whether anybody is there.
use crate::identity;
use commonware_cryptography::ed25519::PublicKey;
use libp2p::{
    Multiaddr, PeerId,
    multiaddr::{self, Protocol},
};
use std::{fmt, net::IpAddr, net::SocketAddr, str::FromStr};

/// Longest accepted text of an address, bytes.
pub const MAX_ADDRESS_BYTES: usize = 512;

/// Checked address: one of `/ip4`, `/ip6`, `/dns`, `/dns4`, `/dns6`, then `/tcp`, then at most one
/// `/p2p` with the id of an Ed25519 key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address(Multiaddr);

/// Why a text is not an [`Address`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Longer than [`MAX_ADDRESS_BYTES`].
    #[error("address of {bytes} bytes is longer than {MAX_ADDRESS_BYTES}")]
    TooLong {
        /// Length of the text.
        bytes: usize,
    },
    /// Not a multiaddress at all.
    #[error("address {text:?} is not a multiaddress ({reason}); write it as /ip4/203.0.113.7/tcp/7000")]
    Malformed {
        /// The text as given.
        text: String,
        /// What the parser said.
        reason: String,
    },
    /// A multiaddress of a transport that the node does not speak.
    #[error(
        "address {text:?} is not supported; use /ip4, /ip6 or /dns, then /tcp, then at most one /p2p/<peer id>"
    )]
    Unsupported {
        /// The text as given.
        text: String,
    },
    /// The `/p2p` part names a key that is not Ed25519.
    #[error("peer id in address {text:?} is not that of an ed25519 key, as every node's is")]
    ForeignKey {
        /// The text as given.
        text: String,
    },
}

impl Address {
    /// Key named by the `/p2p` part.
    pub fn public_key(&self) -> Option<PublicKey> {
        self.peer().and_then(|peer| identity::public_key(&peer))
    }

    /// IP address and port, unless the address is a name.
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        let mut parts = self.0.iter();
        let ip = ip_of(&parts.next()?)?;
        match parts.next()? {
            Protocol::Tcp(port) => Some(SocketAddr::new(ip, port)),
            _ => None,
        }
    }

    /// The same place, with `key` as the only peer that may answer there.
    pub fn with_peer(&self, key: &PublicKey) -> Self {
        Self(self.bare().with(Protocol::P2p(identity::peer_id(key))))
    }

    /// The same place, whoever answers there.
    pub fn without_peer(&self) -> Self {
        Self(self.bare())
    }

    pub(crate) fn bare(&self) -> Multiaddr {
        split(&self.0).0
    }

    pub(crate) fn peer(&self) -> Option<PeerId> {
        split(&self.0).1
    }

    /// An address that came from the network: checked like one that a person wrote.
    pub(crate) fn checked(addr: Multiaddr) -> Result<Self, AddressError> {
        let mut parts = addr.iter();
        let host = matches!(
            parts.next(),
            Some(
                Protocol::Ip4(_)
                    | Protocol::Ip6(_)
                    | Protocol::Dns(_)
                    | Protocol::Dns4(_)
                    | Protocol::Dns6(_)
            )
        );
        let tcp = matches!(parts.next(), Some(Protocol::Tcp(_)));
        let peer = parts.next();
        let shape = host && tcp && matches!(peer, None | Some(Protocol::P2p(_))) && parts.next().is_none();
        if !shape {
            return Err(AddressError::Unsupported {
                text: addr.to_string(),
            });
        }
        if let Some(Protocol::P2p(id)) = peer
            && identity::public_key(&id).is_none()
        {
            return Err(AddressError::ForeignKey {
                text: addr.to_string(),
            });
        }
        Ok(Self(addr))
    }
}

impl From<SocketAddr> for Address {
    fn from(addr: SocketAddr) -> Self {
        Self(Multiaddr::from(addr.ip()).with(Protocol::Tcp(addr.port())))
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.len() > MAX_ADDRESS_BYTES {
            return Err(AddressError::TooLong { bytes: text.len() });
        }
        let addr = text
            .parse()
            .map_err(|error: multiaddr::Error| AddressError::Malformed {
                text: text.to_owned(),
                reason: error.to_string(),
            })?;
        Self::checked(addr)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Takes a trailing `/p2p/<peer id>` off an address.
pub(crate) fn split(addr: &Multiaddr) -> (Multiaddr, Option<PeerId>) {
    let mut bare = addr.clone();
    match bare.pop() {
        Some(Protocol::P2p(id)) => (bare, Some(id)),
        _ => (addr.clone(), None),
    }
}

/// IP address of the first part of an address.
pub(crate) fn ip(addr: &Multiaddr) -> Option<IpAddr> {
    addr.iter().next().as_ref().and_then(ip_of)
}

fn ip_of(part: &Protocol<'_>) -> Option<IpAddr> {
    match part {
        Protocol::Ip4(ip) => Some(IpAddr::V4(*ip)),
        Protocol::Ip6(ip) => Some(IpAddr::V6(*ip)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PEER: &str = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";

    #[test]
    fn accepts_what_the_node_speaks() {
        for text in [
            "/ip4/127.0.0.1/tcp/0",
            "/ip6/::1/tcp/7000",
            "/dns4/node.coop.example/tcp/7000",
            "/dns/node.coop.example/tcp/7000",
        ] {
            let bare: Address = text.parse().unwrap();
            assert_eq!(bare.to_string(), text);
            assert_eq!(bare.public_key(), None);
            let full: Address = format!("{text}/p2p/{PEER}").parse().unwrap();
            assert_eq!(full.without_peer(), bare);
            assert_eq!(bare.with_peer(&full.public_key().unwrap()), full);
        }
    }

    #[test]
    fn refuses_the_rest_and_says_why() {
        for (text, says) in [
            ("", "not supported"),
            ("localhost:7000", "not a multiaddress"),
            ("/ip4/300.1.1.1/tcp/1", "not a multiaddress"),
            ("/ip4/127.0.0.1", "not supported"),
            ("/ip4/127.0.0.1/udp/7000/quic-v1", "not supported"),
            ("/ip4/127.0.0.1/tcp/7000/ws", "not supported"),
            (
                "/ip4/1.2.3.4/tcp/1/p2p/QmcgpsyWgH8Y8ajJz1Cu72KnS5uo2Aa2LpzU7kinSupNKC",
                "not that of an ed25519 key",
            ),
        ] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
        let long = format!("/dns/{}/tcp/1", "a".repeat(MAX_ADDRESS_BYTES));
        assert!(matches!(
            long.parse::<Address>(),
            Err(AddressError::TooLong { .. })
        ));
    }

    #[test]
    fn socket_addresses_survive() {
        for text in ["192.0.2.1:7000", "[2001:db8::1]:1"] {
            let socket: SocketAddr = text.parse().unwrap();
            assert_eq!(Address::from(socket).socket_addr(), Some(socket));
        }
        assert_eq!(
            "/dns4/a.example/tcp/1".parse::<Address>().unwrap().socket_addr(),
            None
        );
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in ".{0,80}") {
            if let Ok(address) = text.parse::<Address>() {
                prop_assert_eq!(address.to_string().parse::<Address>().unwrap(), address);
            }
        }
    }
}
