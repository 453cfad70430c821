//! The node's place in the network.
use super::{app::App, status};
use axum::{Json, extract::State};
use icn_api::network::{Direction, Network, Peer, Peers};
use icn_model::{Millis, Time};
use icn_net::PeerInfo;
use icn_protocol::keys;
use std::time::{SystemTime, UNIX_EPOCH};

/// `GET /v1/network`
pub(super) async fn network(State(app): State<App>) -> Json<Network> {
    let snapshot = app.inner.network.snapshot();
    let texts = |addresses: &[icn_net::Address]| addresses.iter().map(ToString::to_string).collect();
    Json(Network {
        listen: texts(&snapshot.listen),
        announced: texts(&snapshot.announce),
        peer_id: snapshot.peer_id,
        status: status::network(&app),
    })
}

/// `GET /v1/network/peers`
pub(super) async fn peers(State(app): State<App>) -> Json<Peers> {
    let peers = app.inner.network.snapshot().peers;
    let known: Vec<_> = app.ledger().read(|state| {
        let owner = |peer: &PeerInfo| {
            let did = state.seat_of_key(&keys::model_public(&peer.public_key))?;
            Some((did, state.seat_record(&did)?.name.clone()))
        };
        peers.iter().map(owner).collect()
    });
    let items = peers.into_iter().zip(known).map(|(peer, owner)| {
        let (did, name) = owner.unzip();
        Peer {
            key: keys::model_public(&peer.public_key),
            peer_id: peer.peer_id,
            did,
            name,
            address: peer.address.to_string(),
            direction: match peer.direction {
                icn_net::Direction::Inbound => Direction::Inbound,
                icn_net::Direction::Outbound => Direction::Outbound,
            },
            since: time(peer.connected_since),
            round_trip_ms: peer
                .rtt
                .map(|rtt| Millis::new(u64::try_from(rtt.as_millis()).unwrap_or(u64::MAX))),
            agent: peer.agent,
        }
    });
    Json(Peers {
        items: items.collect(),
    })
}

fn time(moment: SystemTime) -> Time {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    Time::new(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
