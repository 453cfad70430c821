//! Tells a node whether another one runs with its key.
//!
//! Each process draws a number at its start and says it on each connection. A peer that hears two numbers under one
//! key asks the earlier process for a sign of life, which is signed and names the later one, and hands it to the later
//! one. So a node learns before it votes that it must not; nobody can make it believe that by a lie, and what a
//! process signed that is gone by now does not name the new one.
use super::protocol;
use futures::{AsyncReadExt as _, AsyncWriteExt as _, FutureExt as _, future::BoxFuture};
use libp2p::{
    Multiaddr, PeerId, Stream, StreamProtocol,
    core::{Endpoint, UpgradeInfo, transport::PortUse},
    identity::Keypair,
    swarm::{
        ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler, OneShotHandler,
        StreamUpgradeError, SubstreamProtocol, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
    },
};
use std::{
    collections::{HashMap, VecDeque},
    io, iter,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Instant, Sleep, sleep_until};

/// What signs of life are signed under; the federation follows.
const NAMESPACE: &[u8] = b"icn/presence/1/";
/// How long a process has to show that it is alive.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);
/// Signs of life that wait; of one peer there are as many as it has connections, which the guard bounds.
const MAX_QUESTIONS: usize = 256;
/// Longest message, bytes.
const MAX_MESSAGE_BYTES: u64 = 128;
const SIGNATURE_BYTES: usize = 64;

/// Number of a process.
type Instance = u64;

/// A sign of life: the process that gives it, and the signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sign {
    instance: Instance,
    signature: [u8; SIGNATURE_BYTES],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Message {
    /// Who speaks.
    Hello { instance: Instance },
    /// Another process says that it is you: show that you are alive.
    Question { about: Instance },
    /// I am.
    Alive { about: Instance, sign: Sign },
    /// What was found out about you: a process with your key, or none.
    Found { twin: Option<Sign> },
}

impl Message {
    fn encode(&self) -> Vec<u8> {
        let sign = |sign: &Sign| [&sign.instance.to_be_bytes()[..], &sign.signature].concat();
        match self {
            Self::Hello { instance } => [&[0][..], &instance.to_be_bytes()].concat(),
            Self::Question { about } => [&[1][..], &about.to_be_bytes()].concat(),
            Self::Alive { about, sign: given } => [&[2][..], &about.to_be_bytes(), &sign(given)].concat(),
            Self::Found { twin: None } => vec![3],
            Self::Found { twin: Some(twin) } => [&[4][..], &sign(twin)].concat(),
        }
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        let number = |bytes: &[u8]| bytes.try_into().ok().map(Instance::from_be_bytes);
        let sign = |bytes: &[u8]| {
            let (instance, signature) = bytes.split_at_checked(8)?;
            Some(Sign {
                instance: number(instance)?,
                signature: signature.try_into().ok()?,
            })
        };
        match kind {
            0 => number(rest).map(|instance| Self::Hello { instance }),
            1 => number(rest).map(|about| Self::Question { about }),
            2 => {
                let (about, given) = rest.split_at_checked(8)?;
                Some(Self::Alive {
                    about: number(about)?,
                    sign: sign(given)?,
                })
            }
            3 => rest.is_empty().then_some(Self::Found { twin: None }),
            4 => sign(rest).map(|twin| Self::Found { twin: Some(twin) }),
            _ => None,
        }
    }
}

/// The protocol of incoming messages.
#[derive(Clone, Debug)]
pub(crate) struct Incoming(StreamProtocol);

/// A message on its way out.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    protocol: StreamProtocol,
    message: Message,
}

impl UpgradeInfo for Incoming {
    type Info = StreamProtocol;
    type InfoIter = iter::Once<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        iter::once(self.0.clone())
    }
}

impl UpgradeInfo for Outgoing {
    type Info = StreamProtocol;
    type InfoIter = iter::Once<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        iter::once(self.protocol.clone())
    }
}

impl libp2p::core::InboundUpgrade<Stream> for Incoming {
    type Output = Said;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Said>>;

    fn upgrade_inbound(self, stream: Stream, _: StreamProtocol) -> Self::Future {
        async move {
            let mut bytes = Vec::new();
            stream.take(MAX_MESSAGE_BYTES).read_to_end(&mut bytes).await?;
            Message::decode(&bytes)
                .map(|message| Said(Some(message)))
                .ok_or_else(|| io::ErrorKind::InvalidData.into())
        }
        .boxed()
    }
}

impl libp2p::core::OutboundUpgrade<Stream> for Outgoing {
    type Output = Said;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Said>>;

    fn upgrade_outbound(self, mut stream: Stream, _: StreamProtocol) -> Self::Future {
        async move {
            stream.write_all(&self.message.encode()).await?;
            stream.close().await?;
            Ok(Said(None))
        }
        .boxed()
    }
}

/// What a handler reports: a message that came, or that one has gone out.
#[derive(Debug)]
pub(crate) struct Said(Option<Message>);

/// What was found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PresenceEvent {
    /// A peer knows of no other process with this node's key.
    Alone { peer: PeerId },
    /// Another process runs with this node's key, by its own signature.
    Twin,
    /// Two processes run with a peer's key.
    TwinsOf { peer: PeerId },
}

/// A process that said who it is while another one had, and the one that has to show that it is alive.
struct Question {
    peer: PeerId,
    later: ConnectionId,
    about: Instance,
    earlier: ConnectionId,
    until: Instant,
}

/// Behaviour that finds processes with one key.
pub(crate) struct Presence {
    protocol: StreamProtocol,
    namespace: Vec<u8>,
    keypair: Keypair,
    instance: Instance,
    /// Who has said that it is who, by connection.
    said: HashMap<ConnectionId, (PeerId, Option<Instance>)>,
    questions: Vec<Question>,
    timer: Option<Pin<Box<Sleep>>>,
    actions: VecDeque<ToSwarm<PresenceEvent, Outgoing>>,
}

impl Presence {
    /// Of the process with the number `instance`, which no other one with this key may have.
    pub(crate) fn new(federation: &str, keypair: &Keypair, instance: Instance) -> Self {
        Self {
            protocol: protocol(federation, "presence/1"),
            namespace: [NAMESPACE, federation.as_bytes()].concat(),
            keypair: keypair.clone(),
            instance,
            said: HashMap::new(),
            questions: Vec::new(),
            timer: None,
            actions: VecDeque::new(),
        }
    }

    fn handler(&self) -> OneShotHandler<Incoming, Outgoing, Said> {
        let incoming = SubstreamProtocol::new(Incoming(self.protocol.clone()), ());
        OneShotHandler::new(incoming, libp2p::swarm::OneShotHandlerConfig::default())
    }

    fn say(&mut self, peer_id: PeerId, to: ConnectionId, message: Message) {
        self.actions.push_back(ToSwarm::NotifyHandler {
            peer_id,
            handler: NotifyHandler::One(to),
            event: Outgoing {
                protocol: self.protocol.clone(),
                message,
            },
        });
    }

    fn report(&mut self, event: PresenceEvent) {
        self.actions.push_back(ToSwarm::GenerateEvent(event));
    }

    /// What is signed by the process `alive` for the one `about`, which is given afresh each time.
    fn statement(&self, alive: Instance, about: Instance) -> Vec<u8> {
        [&self.namespace[..], &alive.to_be_bytes(), &about.to_be_bytes()].concat()
    }

    fn hear(&mut self, peer: PeerId, from: ConnectionId, message: Message) {
        match message {
            Message::Hello { instance } => self.greet(peer, from, instance),
            Message::Question { about } if about != self.instance => {
                let statement = self.statement(self.instance, about);
                let signed = self.keypair.sign(&statement).ok();
                if let Some(signature) = signed.and_then(|bytes| bytes.try_into().ok()) {
                    let instance = self.instance;
                    let sign = Sign { instance, signature };
                    self.say(peer, from, Message::Alive { about, sign });
                }
            }
            Message::Question { .. } => {}
            Message::Alive { about, sign } => self.answer(from, about, Some(sign)),
            Message::Found { twin: None } => self.report(PresenceEvent::Alone { peer }),
            Message::Found { twin: Some(sign) } => {
                let statement = self.statement(sign.instance, self.instance);
                if sign.instance != self.instance && self.keypair.public().verify(&statement, &sign.signature)
                {
                    self.report(PresenceEvent::Twin);
                }
            }
        }
    }

    /// A process says who it is. What it says first on a connection holds.
    fn greet(&mut self, peer: PeerId, from: ConnectionId, instance: Instance) {
        match self.said.get_mut(&from) {
            Some((_, said @ None)) => *said = Some(instance),
            _ => return,
        }
        let others: Vec<ConnectionId> = self
            .said
            .iter()
            .filter(|(_, (other, said))| *other == peer && said.is_some_and(|said| said != instance))
            .map(|(id, _)| *id)
            .collect();
        if others.is_empty() || self.questions.len() + others.len() > MAX_QUESTIONS {
            self.say(peer, from, Message::Found { twin: None });
            return;
        }
        for earlier in others {
            self.questions.push(Question {
                peer,
                later: from,
                about: instance,
                earlier,
                until: Instant::now() + SIGN_OF_LIFE,
            });
            self.say(peer, earlier, Message::Question { about: instance });
        }
    }

    /// Ends the questions to `earlier` about `about`: it has given a sign of life, or none.
    fn answer(&mut self, earlier: ConnectionId, about: Instance, sign: Option<Sign>) {
        let Some(at) = self
            .questions
            .iter()
            .position(|question| question.earlier == earlier && question.about == about)
        else {
            return;
        };
        let question = self.questions.swap_remove(at);
        let waits = self.questions.iter().any(|other| other.later == question.later);
        match sign {
            Some(sign) => {
                self.report(PresenceEvent::TwinsOf { peer: question.peer });
                self.say(question.peer, question.later, Message::Found { twin: Some(sign) });
            }
            None if !waits => self.say(question.peer, question.later, Message::Found { twin: None }),
            None => {}
        }
    }

    fn close(&mut self, id: ConnectionId) {
        self.said.remove(&id);
        self.questions.retain(|question| question.later != id);
        let asked: Vec<Instance> = self
            .questions
            .iter()
            .filter(|question| question.earlier == id)
            .map(|question| question.about)
            .collect();
        asked.into_iter().for_each(|about| self.answer(id, about, None));
    }

    fn expire(&mut self, cx: &mut Context<'_>) {
        let Some(next) = self.questions.iter().map(|question| question.until).min() else {
            self.timer = None;
            return;
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(next)));
        timer.as_mut().reset(next);
        if timer.poll_unpin(cx).is_pending() {
            return;
        }
        let now = Instant::now();
        let late: Vec<_> = self
            .questions
            .iter()
            .filter(|question| question.until <= now)
            .map(|question| (question.earlier, question.about))
            .collect();
        for (earlier, about) in late {
            self.answer(earlier, about, None);
        }
    }
}

impl NetworkBehaviour for Presence {
    type ConnectionHandler = OneShotHandler<Incoming, Outgoing, Said>;
    type ToSwarm = PresenceEvent;

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
                self.said.insert(opened.connection_id, (opened.peer_id, None));
                let instance = self.instance;
                self.say(opened.peer_id, opened.connection_id, Message::Hello { instance });
            }
            FromSwarm::ConnectionClosed(closed) => self.close(closed.connection_id),
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, id: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {
            Ok(Said(Some(message))) => self.hear(peer, id, message),
            Ok(Said(None)) => {}
            // A peer without this protocol knows of nobody.
            Err(StreamUpgradeError::NegotiationFailed) => self.report(PresenceEvent::Alone { peer }),
            Err(error) => tracing::debug!(%peer, %error, "presence"),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        self.expire(cx);
        match self.actions.pop_front() {
            Some(action) => Poll::Ready(action),
            None => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn messages_are_read_as_they_were_written() {
        let sign = Sign {
            instance: 7,
            signature: [9; SIGNATURE_BYTES],
        };
        for message in [
            Message::Hello { instance: u64::MAX },
            Message::Question { about: 1 },
            Message::Alive { about: 2, sign },
            Message::Found { twin: None },
            Message::Found { twin: Some(sign) },
        ] {
            let bytes = message.encode();
            assert!(bytes.len() as u64 <= MAX_MESSAGE_BYTES);
            assert_eq!(Message::decode(&bytes), Some(message));
            assert_eq!(Message::decode(&bytes[..bytes.len() - 1]), None);
            assert_eq!(Message::decode(&[&bytes[..], &[0]].concat()), None);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_message_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..130)) {
            if let Some(message) = Message::decode(&bytes) {
                prop_assert_eq!(message.encode(), bytes);
            }
        }
    }
}
