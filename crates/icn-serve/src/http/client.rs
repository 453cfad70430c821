//! What a request says of itself before it is read: who calls (the other end of the connection, or whom a proxy that is
//! believed names), with which key, and how much is to come.
use axum::http::{HeaderMap, header};
use icn_api::API_KEY_HEADER;
use ipnet::IpNet;
use std::net::{IpAddr, Ipv6Addr};

/// In which proxies say for whom they ask, the nearest last.
const FORWARDED_FOR: &str = "x-forwarded-for";
/// Addresses that are read of that header.
const MAX_HOPS: usize = 32;

/// The proxies that are believed.
pub struct Proxies {
    behind: bool,
    trusted: Vec<IpNet>,
}

impl Proxies {
    /// Believes `trusted`, or this machine's own if there are none; nobody unless `behind`.
    pub const fn new(behind: bool, trusted: Vec<IpNet>) -> Self {
        Self { behind, trusted }
    }

    fn believes(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.behind
            && if self.trusted.is_empty() {
                address.is_loopback()
            } else {
                self.trusted.iter().any(|network| network.contains(&address))
            }
    }
}

/// The address of the caller: going back from the nearest, the first that is no proxy of ours. What stands before
/// it in the header, anybody can have written there.
pub fn client(proxies: &Proxies, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let mut client = peer.to_canonical();
    let lines = headers.get_all(FORWARDED_FOR).iter().rev();
    let hops = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
    for hop in hops.take(MAX_HOPS) {
        if !proxies.believes(client) {
            break;
        }
        match hop.trim().parse::<IpAddr>() {
            Ok(address) => client = address.to_canonical(),
            Err(_) => break,
        }
    }
    client
}

/// What of an address tells clients apart: who has one IPv6 address has a network of them.
pub fn apart(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

/// The key that the caller sent.
pub fn presented(headers: &HeaderMap) -> Option<&[u8]> {
    if let Some(key) = headers.get(API_KEY_HEADER) {
        return Some(key.as_bytes());
    }
    bearer(headers)
}

/// The token that the caller sent.
pub fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let (scheme, key) = headers
        .get(header::AUTHORIZATION)?
        .as_bytes()
        .split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(key)
}

/// How long the body is, by the caller's word.
pub fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn from(proxies: &Proxies, peer: &str, lines: &[&'static str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, line.parse().unwrap());
        }
        client(proxies, peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn only_proxies_of_ours_are_believed() {
        let none = Proxies::new(false, Vec::new());
        assert_eq!(from(&none, "127.0.0.1", &["203.0.113.7"]), "127.0.0.1");
        let local = Proxies::new(true, Vec::new());
        assert_eq!(from(&local, "127.0.0.1", &["203.0.113.7"]), "203.0.113.7");
        assert_eq!(from(&local, "::ffff:127.0.0.1", &["203.0.113.7"]), "203.0.113.7");
        assert_eq!(from(&local, "10.0.0.1", &["203.0.113.7"]), "10.0.0.1");
        let named = Proxies::new(true, vec!["10.0.0.0/24".parse().unwrap()]);
        // The caller wrote the first one himself.
        let lines = ["1.1.1.1, 203.0.113.7", "10.0.0.2"];
        assert_eq!(from(&named, "10.0.0.1", &lines), "203.0.113.7");
        assert_eq!(from(&named, "127.0.0.1", &lines), "127.0.0.1");
        assert_eq!(from(&named, "10.0.0.1", &["unknown"]), "10.0.0.1");
        assert_eq!(from(&named, "10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn a_network_is_one_client() {
        let apart = |text: &str| apart(text.parse().unwrap()).to_string();
        assert_eq!(apart("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(apart("203.0.113.7"), "203.0.113.7");
    }

    #[test]
    fn the_key_comes_in_one_of_two_headers() {
        let with = |name: &'static str, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            presented(&headers).map(<[u8]>::to_vec)
        };
        assert_eq!(with("x-api-key", "k").as_deref(), Some(&b"k"[..]));
        assert_eq!(with("authorization", "Bearer k").as_deref(), Some(&b"k"[..]));
        assert_eq!(with("authorization", "bearer k").as_deref(), Some(&b"k"[..]));
        assert_eq!(with("authorization", "Basic k"), None);
        assert_eq!(with("authorization", "Bear"), None);
        assert_eq!(with("cookie", "k"), None);
    }
}
