//! Consensus streams of one connection: offers both protocols, opens what it is asked to, hands up what
//! arrives. Who is admitted is decided above.
use crate::class::Class;
use futures::future::{Ready, ready};
use libp2p::{
    InboundUpgrade, OutboundUpgrade, Stream, StreamProtocol,
    core::UpgradeInfo,
    swarm::{
        ConnectionHandler, ConnectionHandlerEvent, StreamUpgradeError, SubstreamProtocol,
        handler::{ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound},
    },
};
use std::{
    array,
    collections::VecDeque,
    convert::Infallible,
    io,
    task::{Context, Poll},
    time::Duration,
};
use tokio::sync::oneshot;

/// Inbound streams of one connection that wait for the decision; more are dropped.
const MAX_UNDECIDED: usize = 4;

/// Answer to a request for a stream.
pub(crate) type Opened = oneshot::Sender<io::Result<Stream>>;

/// Names of the two protocols.
#[derive(Clone, Debug)]
pub(crate) struct Protocols {
    pub(crate) urgent: StreamProtocol,
    pub(crate) bulk: StreamProtocol,
}

impl Protocols {
    pub(crate) const fn of(&self, class: Class) -> &StreamProtocol {
        match class {
            Class::Urgent => &self.urgent,
            Class::Bulk => &self.bulk,
        }
    }
}

/// Asks the handler to open a stream.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) class: Class,
    pub(crate) reply: Opened,
}

/// A stream that the peer opened.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) class: Class,
    pub(crate) stream: Stream,
}

/// Handler of one connection.
pub(crate) struct Handler {
    protocols: Protocols,
    open_timeout: Duration,
    /// Asked for and not yet begun; at most one for each class, as each class has one writer.
    wanted: VecDeque<Open>,
    opening: [Option<Opened>; 2],
    arrived: VecDeque<Arrived>,
}

impl Handler {
    pub(crate) const fn new(protocols: Protocols, open_timeout: Duration) -> Self {
        Self {
            protocols,
            open_timeout,
            wanted: VecDeque::new(),
            opening: [None, None],
            arrived: VecDeque::new(),
        }
    }

    const fn opening(&mut self, class: Class) -> &mut Option<Opened> {
        match class {
            Class::Urgent => &mut self.opening[0],
            Class::Bulk => &mut self.opening[1],
        }
    }

    fn opened(&mut self, class: Class, result: io::Result<Stream>) {
        if let Some(reply) = self.opening(class).take() {
            // A writer that has gone wants no stream: dropping it closes it.
            let _ = reply.send(result);
        }
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Open;
    type ToBehaviour = Arrived;
    type InboundProtocol = Either;
    type OutboundProtocol = One;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Class;

    fn listen_protocol(&self) -> SubstreamProtocol<Either> {
        SubstreamProtocol::new(Either(self.protocols.clone()), ())
    }

    fn poll(&mut self, _cx: &mut Context<'_>) -> Poll<ConnectionHandlerEvent<One, Class, Arrived>> {
        if let Some(arrived) = self.arrived.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(arrived));
        }
        if let Some(Open { class, reply }) = self.wanted.pop_front() {
            // A writer has one request at a time: an older reply has nobody waiting.
            *self.opening(class) = Some(reply);
            let one = One(Named {
                class,
                protocol: self.protocols.of(class).clone(),
            });
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest {
                protocol: SubstreamProtocol::new(one, class).with_timeout(self.open_timeout),
            });
        }
        Poll::Pending
    }

    fn on_behaviour_event(&mut self, open: Open) {
        self.wanted.retain(|other| other.class != open.class);
        self.wanted.push_back(open);
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Either, One, (), Class>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: (class, stream),
                ..
            }) if self.arrived.len() < MAX_UNDECIDED => {
                self.arrived.push_back(Arrived { class, stream });
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: stream,
                info: class,
            }) => self.opened(class, Ok(stream)),
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info: class, error }) => {
                let error = match error {
                    StreamUpgradeError::Timeout => io::ErrorKind::TimedOut.into(),
                    StreamUpgradeError::NegotiationFailed => {
                        io::Error::new(io::ErrorKind::Unsupported, "peer is not of this federation")
                    }
                    StreamUpgradeError::Io(error) => error,
                    StreamUpgradeError::Apply(never) => match never {},
                };
                self.opened(class, Err(error));
            }
            _ => {}
        }
    }
}

/// Protocol name that remembers its class.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    class: Class,
    protocol: StreamProtocol,
}

impl AsRef<str> for Named {
    fn as_ref(&self) -> &str {
        self.protocol.as_ref()
    }
}

/// Inbound upgrade: either class, as the peer chooses.
pub(crate) struct Either(Protocols);

impl UpgradeInfo for Either {
    type Info = Named;
    type InfoIter = array::IntoIter<Named, 2>;

    fn protocol_info(&self) -> Self::InfoIter {
        Class::ALL
            .map(|class| Named {
                class,
                protocol: self.0.of(class).clone(),
            })
            .into_iter()
    }
}

impl InboundUpgrade<Stream> for Either {
    type Output = (Class, Stream);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_inbound(self, stream: Stream, chosen: Named) -> Self::Future {
        ready(Ok((chosen.class, stream)))
    }
}

/// Outbound upgrade: the one class that was asked for.
pub(crate) struct One(Named);

impl UpgradeInfo for One {
    type Info = Named;
    type InfoIter = array::IntoIter<Named, 1>;

    fn protocol_info(&self) -> Self::InfoIter {
        [self.0.clone()].into_iter()
    }
}

impl OutboundUpgrade<Stream> for One {
    type Output = Stream;
    type Error = Infallible;
    type Future = Ready<Result<Stream, Infallible>>;

    fn upgrade_outbound(self, stream: Stream, _chosen: Named) -> Self::Future {
        ready(Ok(stream))
    }
}
