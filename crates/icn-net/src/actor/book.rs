//! Addresses known of one tracked peer, the best first. What third parties say never pushes out what
//! the peer said itself, nor that what has worked.
use crate::address::{self, Address};
use libp2p::Multiaddr;

/// Addresses kept from one source.
const MAX_PER_SOURCE: usize = 4;

/// Where an address comes from, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    /// The peer answered there.
    Proven,
    /// The peer said so itself.
    Told,
    /// Somebody else said so.
    Hint,
}

/// Addresses of one peer, without their `/p2p` parts.
#[derive(Debug, Default)]
pub(super) struct AddressBook(Vec<(Source, Multiaddr)>);

impl AddressBook {
    /// Adds an address as the newest of its source; a better source is not forgotten.
    pub(super) fn add(&mut self, source: Source, addr: &Multiaddr) {
        let (bare, _) = address::split(addr);
        let known = self.0.iter().position(|(_, known)| *known == bare);
        let best = known.map_or(source, |at| self.0.remove(at).0.min(source));
        let at = self.0.partition_point(|(other, _)| *other < best);
        self.0.insert(at, (best, bare));
        let mut kept = 0;
        self.0.retain(|(other, _)| {
            kept += usize::from(*other == best);
            *other != best || kept <= MAX_PER_SOURCE
        });
    }

    /// Forgets an address where somebody else answers.
    pub(super) fn forget(&mut self, addr: &Multiaddr) {
        let (bare, _) = address::split(addr);
        self.0.retain(|(_, known)| *known != bare);
    }

    pub(super) fn all(&self) -> Vec<Multiaddr> {
        self.0.iter().map(|(_, addr)| addr.clone()).collect()
    }
}

/// Whether an address that the network told can be dialed from here. `near`: the peer that told it is
/// on this machine.
pub(super) fn usable(addr: &Multiaddr, near: bool) -> bool {
    let Ok(address) = Address::checked(addr.clone()) else {
        return false;
    };
    address.socket_addr().is_none_or(|socket| {
        let ip = socket.ip();
        socket.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && (near || !ip.is_loopback())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(n: usize) -> Multiaddr {
        format!("/ip4/192.0.2.{n}/tcp/7000").parse().unwrap()
    }

    #[test]
    fn hints_do_not_push_out_better_addresses() {
        let mut book = AddressBook::default();
        book.add(Source::Told, &addr(2));
        book.add(Source::Proven, &addr(1));
        for n in 10..200 {
            book.add(Source::Hint, &addr(n));
        }
        assert_eq!(book.all()[..3], [addr(1), addr(2), addr(199)]);
        assert_eq!(book.all().len(), 2 + MAX_PER_SOURCE);
        // A hint for a proven address leaves it proven.
        book.add(Source::Hint, &addr(1));
        assert_eq!(book.all()[0], addr(1));
        book.forget(&addr(1));
        assert_eq!(book.all()[0], addr(2));
    }

    #[test]
    fn peer_ids_do_not_make_two_of_one() {
        let mut book = AddressBook::default();
        let id = "/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
        book.add(Source::Told, &addr(1));
        book.add(Source::Told, &format!("{}{id}", addr(1)).parse().unwrap());
        assert_eq!(book.all(), [addr(1)]);
    }

    #[test]
    fn useless_addresses_are_left_out() {
        for (text, far, near) in [
            ("/ip4/192.0.2.1/tcp/7000", true, true),
            ("/dns4/a.example/tcp/7000", true, true),
            ("/ip4/127.0.0.1/tcp/7000", false, true),
            ("/ip6/::1/tcp/7000", false, true),
            ("/ip4/0.0.0.0/tcp/7000", false, false),
            ("/ip4/192.0.2.1/tcp/0", false, false),
            ("/ip4/224.0.0.1/tcp/7000", false, false),
            ("/ip4/192.0.2.1/udp/7000/quic-v1", false, false),
        ] {
            let addr = text.parse().unwrap();
            assert_eq!((usable(&addr, false), usable(&addr, true)), (far, near), "{text}");
        }
    }
}
