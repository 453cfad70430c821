//! Consensus streams: takes them from tracked peers only, opens them on request, never dials. What is
//! refused is reported.
use super::{
    handler::{Arrived, Handler, Open, Opened, Protocols},
    protocol,
};
use crate::class::Class;
use libp2p::{
    Multiaddr, PeerId, Stream,
    core::{Endpoint, transport::PortUse},
    swarm::{
        ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler, THandler,
        THandlerInEvent, THandlerOutEvent, ToSwarm,
    },
};
use std::{
    collections::{HashMap, HashSet, VecDeque},
    task::{Context, Poll},
    time::Duration,
};
use tokio::sync::mpsc;

/// Request for a stream with a connected peer. Dropped unanswered if there is no connection.
#[derive(Debug)]
pub(crate) struct OpenRequest {
    pub(crate) peer: PeerId,
    pub(crate) class: Class,
    pub(crate) reply: Opened,
}

/// What happened to an inbound stream.
#[derive(Debug)]
pub(crate) enum StreamEvent {
    /// A tracked peer opened it.
    Accepted {
        peer: PeerId,
        class: Class,
        stream: Stream,
    },
    /// Somebody else did; it is closed.
    Refused { peer: PeerId, class: Class },
}

/// Behaviour of the consensus streams.
pub(crate) struct Streams {
    protocols: Protocols,
    open_timeout: Duration,
    requests: mpsc::Receiver<OpenRequest>,
    admitted: HashSet<PeerId>,
    /// Oldest first.
    connections: HashMap<PeerId, Vec<ConnectionId>>,
    /// At most as many as handlers reported since the last poll.
    events: VecDeque<StreamEvent>,
}

impl Streams {
    pub(crate) fn new(
        federation: &str,
        open_timeout: Duration,
        requests: mpsc::Receiver<OpenRequest>,
    ) -> Self {
        Self {
            protocols: Protocols {
                urgent: protocol(federation, "consensus/urgent/1"),
                bulk: protocol(federation, "consensus/bulk/1"),
            },
            open_timeout,
            requests,
            admitted: HashSet::new(),
            connections: HashMap::new(),
            events: VecDeque::new(),
        }
    }

    /// Replaces the peers whose streams are taken.
    pub(crate) fn admit(&mut self, peers: HashSet<PeerId>) {
        self.admitted = peers;
    }

    fn handler(&self) -> Handler {
        Handler::new(self.protocols.clone(), self.open_timeout)
    }
}

impl NetworkBehaviour for Streams {
    type ConnectionHandler = Handler;
    type ToSwarm = StreamEvent;

    fn handle_established_inbound_connection(
        &mut self,
        _id: ConnectionId,
        _peer: PeerId,
        _local: &Multiaddr,
        _remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler())
    }

    fn handle_established_outbound_connection(
        &mut self,
        _id: ConnectionId,
        _peer: PeerId,
        _addr: &Multiaddr,
        _role: Endpoint,
        _port_use: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler())
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(opened) => {
                self.connections
                    .entry(opened.peer_id)
                    .or_default()
                    .push(opened.connection_id);
            }
            FromSwarm::ConnectionClosed(closed) => {
                if let Some(ids) = self.connections.get_mut(&closed.peer_id) {
                    ids.retain(|id| *id != closed.connection_id);
                    if ids.is_empty() {
                        self.connections.remove(&closed.peer_id);
                    }
                }
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        _id: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        let Arrived { class, stream } = event;
        self.events.push_back(if self.admitted.contains(&peer) {
            StreamEvent::Accepted { peer, class, stream }
        } else {
            StreamEvent::Refused { peer, class }
        });
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        if let Some(event) = self.events.pop_front() {
            return Poll::Ready(ToSwarm::GenerateEvent(event));
        }
        while let Poll::Ready(Some(request)) = self.requests.poll_recv(cx) {
            let OpenRequest { peer, class, reply } = request;
            // The newest connection: an older one may be dying unnoticed.
            let Some(id) = self.connections.get(&peer).and_then(|ids| ids.last()) else {
                continue;
            };
            return Poll::Ready(ToSwarm::NotifyHandler {
                peer_id: peer,
                handler: NotifyHandler::One(*id),
                event: Open { class, reply },
            });
        }
        Poll::Pending
    }
}
