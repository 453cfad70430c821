//! Lets connections in or not: blocked peers, foreign kinds of keys, and limits in total, per peer and
//! per IP address. Tracked peers have slots of their own; they never compete with strangers.
//!
//! Who somebody is, is known only after the handshake. Until then an address may have a few handshakes
//! running; the limit for strangers of one address is applied after it, so that strangers behind the
//! address of a seat cannot keep that seat out.
use crate::{address, identity};
use libp2p::{
    Multiaddr, PeerId,
    core::{ConnectedPoint, Endpoint, transport::PortUse},
    swarm::{
        CloseConnection, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler,
        THandlerInEvent, THandlerOutEvent, ToSwarm, dummy,
    },
};
use std::{
    collections::{HashMap, HashSet, VecDeque},
    convert::Infallible,
    net::IpAddr,
    task::{Context, Poll},
};

/// Handshakes running inbound, in total and for one IP address.
const MAX_PENDING_INBOUND: usize = 64;
const MAX_PENDING_PER_IP: usize = 16;
/// Dials running.
const MAX_PENDING_OUTBOUND: usize = 64;
/// Connections with one peer. Two that dial each other at once have two; a third covers a redial.
const MAX_PER_PEER: usize = 4;

/// Limits for peers outside the tracked sets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Connections in each direction.
    pub(crate) max_peers: usize,
    /// Inbound connections from one IP address.
    pub(crate) max_per_ip: usize,
}

/// Why a connection was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("peer is blocked")]
    Blocked,
    #[error("peer has no ed25519 key")]
    ForeignKey,
    #[error("too many handshakes are running")]
    Busy,
    #[error("too many connections with this peer")]
    PerPeer,
    #[error("too many connections from this ip address")]
    PerIp,
    #[error("too many connections")]
    Total,
}

struct Open {
    peer: PeerId,
    ip: Option<IpAddr>,
    inbound: bool,
}

/// Behaviour without a protocol that refuses connections.
pub(crate) struct Guard {
    limits: Limits,
    reserved: HashSet<PeerId>,
    blocked: HashSet<PeerId>,
    pending_inbound: HashMap<ConnectionId, Option<IpAddr>>,
    pending_outbound: HashSet<ConnectionId>,
    open: HashMap<ConnectionId, Open>,
    to_close: VecDeque<PeerId>,
}

impl Guard {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            reserved: HashSet::new(),
            blocked: HashSet::new(),
            pending_inbound: HashMap::new(),
            pending_outbound: HashSet::new(),
            open: HashMap::new(),
            to_close: VecDeque::new(),
        }
    }

    /// Tracked peers, for whom only the limit per peer holds.
    pub(crate) fn reserve(&mut self, peers: HashSet<PeerId>) {
        self.reserved = peers;
    }

    /// Replaces the blocked peers and disconnects new ones. The swarm must be polled after it.
    pub(crate) fn block(&mut self, peers: HashSet<PeerId>) {
        self.to_close.extend(peers.difference(&self.blocked));
        self.blocked = peers;
    }

    fn check(&self, peer: &PeerId, ip: Option<IpAddr>, inbound: bool) -> Result<(), Refused> {
        if self.blocked.contains(peer) {
            return Err(Refused::Blocked);
        }
        if identity::public_key(peer).is_none() {
            return Err(Refused::ForeignKey);
        }
        if self.open.values().filter(|c| c.peer == *peer).count() >= MAX_PER_PEER {
            return Err(Refused::PerPeer);
        }
        if self.reserved.contains(peer) {
            return Ok(());
        }
        let strangers = || {
            self.open
                .values()
                .filter(|c| c.inbound == inbound && !self.reserved.contains(&c.peer))
        };
        if strangers().count() >= self.limits.max_peers {
            return Err(Refused::Total);
        }
        if inbound && ip.is_some() && strangers().filter(|c| c.ip == ip).count() >= self.limits.max_per_ip {
            return Err(Refused::PerIp);
        }
        Ok(())
    }

    fn check_pending_inbound(&self, ip: Option<IpAddr>) -> Result<(), Refused> {
        let from_ip = self
            .pending_inbound
            .values()
            .filter(|other| **other == ip)
            .count();
        if self.pending_inbound.len() >= MAX_PENDING_INBOUND || from_ip >= MAX_PENDING_PER_IP {
            return Err(Refused::Busy);
        }
        Ok(())
    }
}

impl NetworkBehaviour for Guard {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        id: ConnectionId,
        _local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        let ip = address::ip(remote);
        self.check_pending_inbound(ip).map_err(ConnectionDenied::new)?;
        self.pending_inbound.insert(id, ip);
        Ok(())
    }

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        _local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.pending_inbound.remove(&id);
        self.check(&peer, address::ip(remote), true)
            .map_err(ConnectionDenied::new)?;
        Ok(dummy::ConnectionHandler)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: Option<PeerId>,
        _addresses: &[Multiaddr],
        _role: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        if peer.is_some_and(|peer| self.blocked.contains(&peer)) {
            return Err(ConnectionDenied::new(Refused::Blocked));
        }
        let reserved = peer.is_some_and(|peer| self.reserved.contains(&peer));
        if !reserved && self.pending_outbound.len() >= MAX_PENDING_OUTBOUND {
            return Err(ConnectionDenied::new(Refused::Busy));
        }
        self.pending_outbound.insert(id);
        Ok(Vec::new())
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        addr: &Multiaddr,
        _role: Endpoint,
        _port_use: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.pending_outbound.remove(&id);
        self.check(&peer, address::ip(addr), false)
            .map_err(ConnectionDenied::new)?;
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(opened) => {
                let (inbound, addr) = match opened.endpoint {
                    ConnectedPoint::Listener { send_back_addr, .. } => (true, send_back_addr),
                    ConnectedPoint::Dialer { address, .. } => (false, address),
                };
                let open = Open {
                    peer: opened.peer_id,
                    ip: address::ip(addr),
                    inbound,
                };
                self.open.insert(opened.connection_id, open);
            }
            FromSwarm::ConnectionClosed(closed) => {
                self.open.remove(&closed.connection_id);
            }
            FromSwarm::DialFailure(failure) => {
                self.pending_outbound.remove(&failure.connection_id);
            }
            FromSwarm::ListenFailure(failure) => {
                self.pending_inbound.remove(&failure.connection_id);
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        _peer: PeerId,
        _id: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {}
    }

    fn poll(&mut self, _cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        self.to_close.pop_front().map_or(Poll::Pending, |peer_id| {
            Poll::Ready(ToSwarm::CloseConnection {
                peer_id,
                connection: CloseConnection::All,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use commonware_cryptography::{Signer as _, ed25519::PrivateKey};

    fn peer(n: u64) -> PeerId {
        identity::peer_id(&PrivateKey::from_seed(n).public_key())
    }

    fn ip(n: u8) -> Option<IpAddr> {
        Some(IpAddr::from([192, 0, 2, n]))
    }

    fn guard() -> Guard {
        Guard::new(Limits {
            max_peers: 4,
            max_per_ip: 2,
        })
    }

    fn enter(guard: &mut Guard, id: usize, peer: PeerId, ip: Option<IpAddr>) -> Result<(), Refused> {
        guard.check(&peer, ip, true)?;
        let open = Open {
            peer,
            ip,
            inbound: true,
        };
        guard.open.insert(ConnectionId::new_unchecked(id), open);
        Ok(())
    }

    #[test]
    fn strangers_are_limited_and_seats_are_not() {
        let mut guard = guard();
        guard.reserve((100..110).map(peer).collect());
        assert_eq!(enter(&mut guard, 1, peer(1), ip(1)), Ok(()));
        assert_eq!(enter(&mut guard, 2, peer(2), ip(1)), Ok(()));
        assert_eq!(enter(&mut guard, 3, peer(3), ip(1)), Err(Refused::PerIp));
        assert_eq!(enter(&mut guard, 4, peer(4), ip(2)), Ok(()));
        assert_eq!(enter(&mut guard, 5, peer(5), ip(3)), Ok(()));
        assert_eq!(enter(&mut guard, 6, peer(6), ip(4)), Err(Refused::Total));
        // Strangers behind a seat's address, or everywhere, do not keep the seat out.
        for (id, n) in (100..110).enumerate() {
            assert_eq!(enter(&mut guard, 100 + id, peer(n), ip(1)), Ok(()));
        }
        // Dials are counted apart, so strangers who dial in cannot cut us off from dialing out.
        assert_eq!(guard.check(&peer(7), ip(1), false), Ok(()));
        // A stranger who becomes a seat frees its slot.
        guard.reserve([peer(1)].into());
        assert_eq!(guard.check(&peer(1), ip(1), true), Ok(()));
    }

    #[test]
    fn nobody_collects_connections() {
        let mut guard = guard();
        guard.reserve([peer(1)].into());
        for id in 0..MAX_PER_PEER {
            assert_eq!(enter(&mut guard, id, peer(1), ip(1)), Ok(()));
        }
        assert_eq!(enter(&mut guard, 99, peer(1), ip(1)), Err(Refused::PerPeer));
    }

    #[test]
    fn blocked_and_foreign_peers_are_refused() {
        let mut guard = guard();
        guard.block([peer(1)].into());
        assert_eq!(guard.check(&peer(1), ip(1), true), Err(Refused::Blocked));
        assert_eq!(
            guard.check(&PeerId::random(), ip(1), true),
            Err(Refused::ForeignKey)
        );
        assert_eq!(guard.to_close, [peer(1)]);
        guard.block([peer(1), peer(2)].into());
        assert_eq!(guard.to_close, [peer(1), peer(2)], "closed once each");
        guard.block(HashSet::new());
        assert_eq!(guard.check(&peer(1), ip(1), true), Ok(()));
    }

    #[test]
    fn handshakes_of_one_address_leave_room_for_others() {
        let mut guard = guard();
        for id in 0..MAX_PENDING_PER_IP {
            assert_eq!(guard.check_pending_inbound(ip(1)), Ok(()));
            guard
                .pending_inbound
                .insert(ConnectionId::new_unchecked(id), ip(1));
        }
        assert_eq!(guard.check_pending_inbound(ip(1)), Err(Refused::Busy));
        assert_eq!(guard.check_pending_inbound(ip(2)), Ok(()));
    }
}
