//! Events of the swarm: keeps the board current and passes the rest on.
use super::{
    Actor, Event,
    book::{self, Source},
};
use crate::{
    address::{self, Address},
    behaviour::{BehaviourEvent, presence::PresenceEvent, streams::StreamEvent},
    identity,
    status::{Direction, NetworkEvent, PeerInfo, clean_agent},
};
use libp2p::{
    Multiaddr, PeerId,
    core::ConnectedPoint,
    identify, kad, mdns, ping,
    swarm::{ListenError, SwarmEvent},
};
use std::time::{Instant, SystemTime};

/// Addresses taken from one message of a peer.
const MAX_TOLD: usize = 8;

impl Actor {
    pub(super) fn on_event(&mut self, event: Event) {
        let board = &self.shared.board;
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour(event),
            SwarmEvent::ConnectionEstablished {
                peer_id,
                connection_id,
                endpoint,
                num_established,
                ..
            } => {
                let now = Instant::now();
                if endpoint.is_dialer() {
                    self.on_dialed(connection_id, peer_id, now);
                    self.learn(peer_id, Source::Proven, endpoint.get_remote_address());
                }
                // Linked first: who sees the peer on the board can send to it.
                self.link(peer_id, now);
                self.on_connected(peer_id, &endpoint, num_established.get());
            }
            SwarmEvent::ConnectionClosed {
                peer_id,
                num_established,
                cause,
                ..
            } => self.on_disconnected(peer_id, num_established, cause.map(|c| c.to_string())),
            SwarmEvent::OutgoingConnectionError {
                connection_id,
                peer_id,
                error,
            } => self.on_dial_error(connection_id, peer_id, error),
            SwarmEvent::IncomingConnectionError {
                send_back_addr,
                error,
                ..
            } => {
                if let ListenError::Denied { cause } = &error {
                    board.counters.connections_refused.add(1);
                    tracing::debug!(from = %send_back_addr, %cause, "connection refused");
                } else {
                    tracing::debug!(from = %send_back_addr, %error, "inbound handshake failed");
                }
            }
            SwarmEvent::NewListenAddr { listener_id, address } => {
                self.bound.insert(listener_id);
                if let Ok(address) = Address::checked(address) {
                    tracing::info!(%address, "listening");
                    board.listening(address);
                }
            }
            SwarmEvent::ExpiredListenAddr { address, .. } => self.on_listen_ended([address].into(), None),
            SwarmEvent::ListenerClosed {
                addresses, reason, ..
            } => {
                let cause = reason.err().map(|e| e.to_string());
                tracing::error!(?addresses, ?cause, "a listener ended; no new peer can reach it");
                self.on_listen_ended(addresses, cause);
            }
            SwarmEvent::ListenerError { error, .. } => tracing::warn!(%error, "cannot accept a connection"),
            _ => {}
        }
    }

    fn on_behaviour(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Streams(StreamEvent::Accepted { peer, class, stream }) => {
                self.on_stream(peer, class, stream);
            }
            BehaviourEvent::Streams(StreamEvent::Refused { peer, class }) => {
                self.shared.board.counters.streams_refused.add(1);
                tracing::debug!(%peer, ?class, "stream refused: peer is in no tracked set");
            }
            BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. }) => {
                self.on_identified(peer_id, info);
            }
            BehaviourEvent::Presence(event) => self.on_presence(event),
            BehaviourEvent::Ping(ping::Event {
                peer,
                result: Ok(rtt),
                ..
            }) => {
                if let Some(key) = identity::public_key(&peer) {
                    self.shared.board.update(&key, |p| {
                        p.rtt = Some(rtt);
                        false
                    });
                }
            }
            BehaviourEvent::Kad(event) => self.on_kad(event),
            BehaviourEvent::Gossip(event) => self.on_gossip(event),
            BehaviourEvent::Mdns(mdns::Event::Discovered(found)) => {
                for (peer, addr) in found {
                    self.swarm.behaviour_mut().kad.add_address(&peer, addr.clone());
                    self.learn(peer, Source::Hint, &addr);
                    self.dial_neighbour(peer, addr);
                }
            }
            _ => {}
        }
    }

    fn on_presence(&self, event: PresenceEvent) {
        let board = &self.shared.board;
        match event {
            PresenceEvent::Alone { peer } => {
                if let Some(key) = identity::public_key(&peer) {
                    board.alone(key);
                }
            }
            PresenceEvent::Twin => {
                if board.twin() {
                    tracing::error!("another process runs with this node's key: stop one of the two");
                }
            }
            PresenceEvent::TwinsOf { peer } => {
                tracing::warn!(%peer, "two processes run with the key of this peer");
                if let Some(peer) = identity::public_key(&peer) {
                    board.emit(NetworkEvent::TwinsOf { peer });
                }
            }
        }
    }

    fn on_connected(&mut self, id: PeerId, endpoint: &ConnectedPoint, connections: u32) {
        let board = &self.shared.board;
        board.counters.connections_opened.add(1);
        let Some(key) = identity::public_key(&id) else {
            return; // The guard lets no other kind of key in.
        };
        if connections > 1 {
            board.update(&key, |p| {
                p.connections = connections;
                true
            });
            return;
        }
        let Ok(address) = Address::checked(endpoint.get_remote_address().clone()) else {
            return; // The transport has no other kind of address.
        };
        let direction = if endpoint.is_dialer() {
            Direction::Outbound
        } else {
            Direction::Inbound
        };
        tracing::info!(peer = %id, %address, ?direction, "connected");
        board.connected(PeerInfo {
            peer_id: id.to_base58(),
            public_key: key,
            address: address.without_peer(),
            connected_since: SystemTime::now(),
            direction,
            connections,
            rtt: None,
            admitted: self.role_of(&id),
            agent: None,
        });
    }

    fn on_disconnected(&mut self, id: PeerId, connections: u32, cause: Option<String>) {
        let board = &self.shared.board;
        board.counters.connections_closed.add(1);
        let Some(key) = identity::public_key(&id) else {
            return;
        };
        if connections > 0 {
            board.update(&key, |p| {
                p.connections = connections;
                true
            });
            return;
        }
        tracing::info!(peer = %id, ?cause, "disconnected");
        board.disconnected(&key, cause);
        self.topics.forget(&id);
        self.unlink(&id, Instant::now());
    }

    fn on_listen_ended(&self, addresses: Vec<Multiaddr>, cause: Option<String>) {
        for address in addresses.into_iter().filter_map(|a| Address::checked(a).ok()) {
            self.shared.board.listen_ended(address, cause.clone());
        }
    }

    fn on_identified(&mut self, id: PeerId, info: identify::Info) {
        let Some(key) = identity::public_key(&id) else {
            return;
        };
        let agent = clean_agent(&info.agent_version);
        self.shared.board.update(&key, |p| {
            let changed = p.agent.as_ref() != Some(&agent);
            p.agent = Some(agent);
            changed
        });
        let far_end = self.shared.board.address_of(&key).and_then(|a| a.socket_addr());
        let near = far_end.is_some_and(|a| a.ip().is_loopback());
        let ours: Vec<Multiaddr> = self.swarm.listeners().cloned().collect();
        let useful = |addr: &Multiaddr| book::usable(addr, near) && !ours.contains(&address::split(addr).0);
        let told: Vec<Multiaddr> = info
            .listen_addrs
            .into_iter()
            .filter(useful)
            .take(MAX_TOLD)
            .collect();
        for addr in told {
            self.swarm.behaviour_mut().kad.add_address(&id, addr.clone());
            self.learn(id, Source::Told, &addr);
        }
    }

    fn on_kad(&mut self, event: kad::Event) {
        match event {
            kad::Event::InboundRequest {
                request: kad::InboundRequest::AddProvider { record: Some(record) },
            } => self.on_announcement(record),
            kad::Event::OutboundQueryProgressed { id, result, step, .. } => match result {
                kad::QueryResult::GetProviders(result) => self.on_providers(id, result, step.last),
                kad::QueryResult::GetClosestPeers(Ok(found)) => {
                    for peer in found.peers {
                        for addr in peer.addrs.iter().take(MAX_TOLD) {
                            self.learn(peer.peer_id, Source::Hint, addr);
                        }
                    }
                }
                _ => {}
            },
            _ => {}
        }
    }

    /// Remembers an address of a tracked peer.
    fn learn(&mut self, id: PeerId, source: Source, addr: &Multiaddr) {
        // A loopback address that a stranger tells is nowhere; one that was dialed has worked.
        if let Some(member) = self.members.get_mut(&id)
            && book::usable(addr, true)
        {
            member.book.add(source, addr);
        }
    }
}
