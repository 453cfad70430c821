//! Where a webhook may be: somewhere that anybody reaches. Who may add hooks shall not look into the network of the
//! service.
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};
use ureq::{
    config::Config,
    http::Uri,
    unversioned::{
        resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver},
        transport::NextTimeout,
    },
};
use url::{Host, Url};

/// Why an address is none of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is on this machine or in a private network (webhooks.allow_private allows it)")]
struct Private(IpAddr);

/// Whether a hook that is to be added is where anybody reaches it.
///
/// # Errors
/// Where it is.
pub(crate) fn is_public(url: &str) -> Result<(), String> {
    let url = Url::parse(url).map_err(|error| error.to_string())?;
    let addresses: Vec<IpAddr> = match url.host() {
        None => return Err("no host".into()),
        Some(Host::Ipv4(address)) => vec![address.into()],
        Some(Host::Ipv6(address)) => vec![address.into()],
        Some(Host::Domain(name)) => {
            let port = url.port_or_known_default().unwrap_or(443);
            let found = (name, port).to_socket_addrs();
            found
                .map_err(|error| format!("{name}: {error}"))?
                .map(|found| found.ip())
                .collect()
        }
    };
    all_public(addresses).map_err(|error| error.to_string())
}

fn all_public(addresses: impl IntoIterator<Item = IpAddr>) -> Result<(), Private> {
    match addresses.into_iter().find(|address| is_private(*address)) {
        None => Ok(()),
        Some(address) => Err(Private(address)),
    }
}

/// Finds addresses, and refuses private ones as it connects: a name that was public when the hook was added may be
/// anything by now (DNS rebinding).
///
/// Where the environment names a proxy, that decides what may be reached, and only it is looked up here.
#[derive(Debug, Default)]
pub(super) struct PublicOnly(DefaultResolver);

impl Resolver for PublicOnly {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.0.resolve(uri, config, timeout)?;
        let is_proxy = config
            .proxy()
            .is_some_and(|proxy| uri.host() == Some(proxy.host()));
        if !is_proxy {
            all_public(found.iter().map(SocketAddr::ip))
                .map_err(|error| ureq::Error::Other(Box::new(error)))?;
        }
        Ok(found)
    }
}

fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_private_v4(address),
        IpAddr::V6(address) => {
            address.is_loopback()
                || address.is_unspecified()
                || address.is_multicast()
                || address.is_unique_local()
                || address.is_unicast_link_local()
                || translated(address).is_some_and(is_private_v4)
        }
    }
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        // "This network", and what is reserved, broadcast among it.
        || first == 0
        || first >= 240
        // Shared by the customers of a provider (RFC 6598), and for measuring networks (RFC 2544).
        || (first == 100 && second & 0xc0 == 64)
        || (first == 198 && second & 0xfe == 18)
}

/// The IPv4 address that a translator makes of an IPv6 address (NAT64, RFC 6052; 6to4, RFC 3056).
fn translated(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let of = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => Some(of(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ureq::unversioned::transport::DefaultConnector;

    #[test]
    fn hooks_are_not_on_this_machine_nor_in_a_private_network() {
        for private in [
            "http://127.0.0.1/",
            "http://[::1]/",
            "http://10.1.2.3/",
            "http://192.168.0.1/",
            "http://169.254.169.254/",
            "http://100.64.0.1/",
            "http://198.19.0.1/",
            "http://0.0.0.0/",
            "http://0.1.2.3/",
            "http://224.0.0.1/",
            "http://255.255.255.255/",
            "http://[fd00::1]/",
            "http://[ff02::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[64:ff9b::127.0.0.1]/",
            "http://[2002:a00:1::]/",
            "http://localhost:9/",
        ] {
            assert!(is_public(private).is_err(), "{private}");
        }
        for public in [
            "http://203.0.113.7/",
            "http://[64:ff9b::203.0.113.7]/",
            "http://[2001:db8::1]/",
        ] {
            assert!(is_public(public).is_ok(), "{public}");
        }
    }

    /// A name that was looked at when the hook was added is looked up again when it is called.
    #[test]
    fn nothing_private_is_connected_to() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://localhost:{}/", listener.local_addr().unwrap().port());
        let straight = ureq::Agent::config_builder().proxy(None).build();
        let agent = ureq::Agent::with_parts(straight, DefaultConnector::default(), PublicOnly::default());
        let failed = agent.post(&url).send("{}").unwrap_err();
        assert!(failed.to_string().contains("webhooks.allow_private"), "{failed}");
        listener.set_nonblocking(true).unwrap();
        assert!(listener.accept().is_err(), "something was connected to");
    }
}
