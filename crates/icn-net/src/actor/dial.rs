//! When and where to dial: bootstrap addresses and tracked peers that are away, each with its own pause.
use super::{Actor, book::Source};
use crate::{
    address::{self, Address},
    config::Config,
    identity,
    status::NetworkEvent,
};
use libp2p::{
    Multiaddr, PeerId,
    swarm::{
        ConnectionId, DialError,
        dial_opts::{DialOpts, PeerCondition},
    },
};
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// How often the hash table is asked for a tracked peer that cannot be reached.
const LOOKUP_EVERY: Duration = Duration::from_secs(10);

/// Pause between attempts, doubled from `min` to `max`. Each is shortened by chance by up to a half, so that nodes that lost
/// each other at one moment do not dial each other at the same moments.
#[derive(Debug)]
pub(super) struct Backoff {
    min: Duration,
    max: Duration,
    pause: Duration,
    next: Instant,
}

impl Backoff {
    /// Due at once.
    pub(super) const fn new(min: Duration, max: Duration, now: Instant) -> Self {
        Self {
            min,
            max,
            pause: min,
            next: now,
        }
    }

    /// If an attempt is due, counts it and schedules the next.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let due = self.next <= now;
        if due {
            self.postpone(now);
        }
        due
    }

    pub(super) fn postpone(&mut self, now: Instant) {
        // Without chance it is all of the pause.
        let chance = getrandom::u32().unwrap_or(0);
        let shortened = 1.0 - f64::from(chance) / f64::from(u32::MAX) / 2.0;
        self.next = now + self.pause.mul_f64(shortened);
        self.pause = (self.pause * 2).min(self.max);
    }

    /// Due at once, and from the shortest pause.
    pub(super) fn reset(&mut self, now: Instant) {
        (self.pause, self.next) = (self.min, now);
    }

    pub(super) fn set_max(&mut self, max: Duration) {
        self.max = max;
        self.pause = self.pause.min(max);
    }
}

/// A bootstrap address.
#[derive(Debug)]
struct Target {
    addr: Multiaddr,
    /// From `/p2p/<peer id>`: nobody else may answer but the key that followed that one.
    pinned: Option<PeerId>,
    /// Who is expected there: the pinned peer, or who answered last.
    peer: Option<PeerId>,
    /// Who answered instead of the pinned peer; told once.
    impostor: Option<PeerId>,
    backoff: Backoff,
}

/// Bootstrap addresses and the dials to them.
#[derive(Debug)]
pub(super) struct Targets {
    list: Vec<Target>,
    dials: HashMap<ConnectionId, usize>,
}

impl Targets {
    pub(super) fn new(config: &Config, now: Instant) -> Self {
        let timings = &config.timings;
        let list = config.bootstrap.iter().map(|address| Target {
            addr: address.bare(),
            pinned: address.peer(),
            peer: address.peer(),
            impostor: None,
            backoff: Backoff::new(timings.redial_min, timings.bootstrap_max, now),
        });
        Self {
            list: list.collect(),
            dials: HashMap::new(),
        }
    }

    /// Addresses where a peer is expected.
    fn of(&self, peer: PeerId) -> impl Iterator<Item = Multiaddr> {
        self.list
            .iter()
            .filter(move |t| t.peer == Some(peer) && t.impostor.is_none())
            .map(|t| t.addr.clone())
    }

    fn is_dialing(&self, index: usize) -> bool {
        self.dials.values().any(|dialing| *dialing == index)
    }
}

impl Actor {
    /// Dials each bootstrap address whose peer is unknown or away. Tracked peers are dialed as such.
    pub(super) fn dial_targets(&mut self, now: Instant) {
        for index in 0..self.targets.list.len() {
            let target = &self.targets.list[index];
            let idle = match target.peer {
                None => true,
                Some(peer) => {
                    let as_member = self.members.contains_key(&peer) && target.impostor.is_none();
                    !as_member && !self.swarm.is_connected(&peer)
                }
            };
            if !idle || self.targets.is_dialing(index) {
                continue;
            }
            let target = &mut self.targets.list[index];
            if !target.backoff.take(now) {
                continue;
            }
            let opts = match target.pinned {
                Some(peer) => DialOpts::peer_id(peer)
                    .condition(PeerCondition::DisconnectedAndNotDialing)
                    .addresses(vec![target.addr.clone()])
                    .build(),
                None => DialOpts::unknown_peer_id().address(target.addr.clone()).build(),
            };
            let id = opts.connection_id();
            if self.swarm.dial(opts).is_ok() {
                self.targets.dials.insert(id, index);
            }
        }
    }

    /// Dials tracked peers that are away, and asks the hash table for those that stay away.
    pub(super) fn dial_members(&mut self, now: Instant) {
        let (swarm, successors) = (&self.swarm, &self.successors);
        let due = |(id, member): (&PeerId, &mut super::Member)| {
            let followed = successors.get(id).is_some_and(|next| swarm.is_connected(next));
            (!swarm.is_connected(id) && !followed && member.backoff.take(now)).then_some(*id)
        };
        let away: Vec<_> = self.members.iter_mut().filter_map(due).collect();
        for id in away {
            let Some(member) = self.members.get_mut(&id) else {
                continue;
            };
            let lookup = member.lookup_at <= now;
            if lookup {
                member.lookup_at = now + LOOKUP_EVERY;
            }
            let mut addrs = member.book.all();
            addrs.extend(self.targets.of(id));
            let opts = DialOpts::peer_id(id)
                .condition(PeerCondition::DisconnectedAndNotDialing)
                .addresses(addrs)
                .extend_addresses_through_behaviour()
                .build();
            if let Err(error) = self.swarm.dial(opts) {
                tracing::trace!(peer = %id, %error, "not dialed");
            }
            if lookup {
                self.swarm.behaviour_mut().kad.get_closest_peers(id);
            }
        }
    }

    /// A dial reached `peer`.
    pub(super) fn on_dialed(&mut self, id: ConnectionId, peer: PeerId, now: Instant) {
        if let Some(index) = self.targets.dials.remove(&id) {
            let target = &mut self.targets.list[index];
            target.peer = Some(peer);
            target.impostor = None;
            target.backoff.set_max(self.shared.config.timings.redial_max);
            target.backoff.reset(now);
        }
    }

    pub(super) fn on_dial_error(&mut self, id: ConnectionId, expected: Option<PeerId>, error: DialError) {
        self.targets.dials.remove(&id);
        let counters = &self.shared.board.counters;
        match error {
            DialError::WrongPeerId { obtained, address } => {
                counters.wrong_keys.add(1);
                if let Some(expected) = expected {
                    self.on_wrong_key(expected, obtained, &address);
                }
            }
            DialError::Denied { cause } => {
                counters.connections_refused.add(1);
                tracing::debug!(peer = ?expected, %cause, "dial refused");
            }
            // Private addresses repeat: a peer's may be our own, and would win every race to the peer.
            DialError::LocalPeerId { address } => {
                if let Some(expected) = expected {
                    self.forget(expected, &address);
                }
            }
            DialError::DialPeerConditionFalse(_) => {}
            error => {
                counters.dials_failed.add(1);
                tracing::debug!(peer = ?expected, %error, "dial failed");
            }
        }
    }

    /// An address answers with another key: forget it, or, if it is configured, say so.
    fn on_wrong_key(&mut self, expected: PeerId, obtained: PeerId, address: &Multiaddr) {
        self.forget(expected, address);
        let (bare, _) = address::split(address);
        let is_successor = self.successors.get(&expected) == Some(&obtained);
        if is_successor && let Some(member) = self.members.get_mut(&obtained) {
            member.book.add(Source::Proven, address);
            member.backoff.reset(Instant::now());
        }
        for target in self.targets.list.iter_mut().filter(|t| t.addr == bare) {
            if target.pinned.is_none() {
                // The address has a new owner: ask who it is.
                target.peer = None;
            } else if target.pinned == Some(expected) && is_successor {
                tracing::info!(%address, former = %expected, now = %obtained, "a bootstrap peer has another key");
                (target.pinned, target.peer, target.impostor) = (Some(obtained), Some(obtained), None);
            } else if target.pinned == Some(expected) && target.impostor.replace(obtained) != Some(obtained) {
                tracing::warn!(%address, %expected, %obtained, "bootstrap address answers with another key");
                if let Ok(address) = Address::checked(bare.clone()) {
                    self.shared.board.emit(NetworkEvent::WrongKey {
                        address,
                        expected: expected.to_base58(),
                        obtained: obtained.to_base58(),
                    });
                }
            }
        }
    }

    /// An address is not that of `peer`.
    fn forget(&mut self, peer: PeerId, address: &Multiaddr) {
        let (bare, _) = address::split(address);
        if let Some(member) = self.members.get_mut(&peer) {
            member.book.forget(&bare);
        }
        self.swarm.behaviour_mut().kad.remove_address(&peer, &bare);
    }

    /// Dials a peer that the local network announced.
    pub(super) fn dial_neighbour(&mut self, peer: PeerId, addr: Multiaddr) {
        if identity::public_key(&peer).is_none() || self.swarm.is_connected(&peer) {
            return;
        }
        let opts = DialOpts::peer_id(peer)
            .condition(PeerCondition::DisconnectedAndNotDialing)
            .addresses(vec![addr])
            .build();
        if let Err(error) = self.swarm.dial(opts) {
            tracing::trace!(%peer, %error, "neighbour not dialed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_maximum() {
        let (now, ms) = (Instant::now(), Duration::from_millis);
        let mut backoff = Backoff::new(ms(250), ms(1_000), now);
        let mut at = now;
        for pause in [250, 500, 1_000, 1_000] {
            assert!(backoff.take(at));
            assert!(!backoff.take(at + ms(pause / 2 - 1)));
            at += ms(pause);
        }
        backoff.reset(at);
        assert!(backoff.take(at) && backoff.take(at + ms(250)));
    }
}
