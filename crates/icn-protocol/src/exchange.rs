//! Blocks of the DAG between nodes: asked for by CID, checked on arrival, healed when the disk lies.
use crate::{
    counters::Counters,
    environment::Runtime,
    keys,
    ledger::Ledger,
    observations::Observer,
    resilience::{Breakers, CircuitState, Resilience, Retry, Turn},
    time::now,
};
use bytes::Bytes;
use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::{Receiver, Recipients, Sender};
use commonware_utils::{
    channel::{mpsc, oneshot},
    sync::Mutex,
};
use futures::{
    future::{Either, select},
    pin_mut,
};
use icn_model::{Callee, Cid, Fault, Time, canonical, file::FileIndex, limits::MAX_DAG_BLOCK_BYTES};
use icn_store::{BlockError, Blocks};
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, sync::Arc, time::Duration};

/// Fetches under way at once; more wait.
const MAX_FETCHES: usize = 256;
/// A peer that does not answer in this time is passed over.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(1_500);
/// How often is looked whether those who are left alone answer again.
const PROBE: Duration = Duration::from_secs(5);
const MAX_MESSAGE_BYTES: usize = MAX_DAG_BLOCK_BYTES + 256;

/// Why a block is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Nobody who answered has it.
    #[error("no reachable node has block {0}")]
    Absent(Cid),
    /// The file is larger than its reader allows.
    #[error("{cid} has {size} bytes, at most {max} are allowed here")]
    TooLarge {
        /// The file.
        cid: Cid,
        /// Its size.
        size: u64,
        /// What is allowed.
        max: u64,
    },
    /// It is not what it claims to be.
    #[error("{cid} is not a file: {detail}")]
    NotAFile {
        /// The block.
        cid: Cid,
        /// What is wrong.
        detail: String,
    },
    /// The store failed.
    #[error("the block store failed")]
    Store(#[from] BlockError),
    /// The node is shutting down.
    #[error("the node is shutting down")]
    Closed,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Message {
    Want {
        number: u64,
        cid: Cid,
    },
    Have {
        number: u64,
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    Missing {
        number: u64,
    },
}

struct Request {
    cid: Cid,
    first: Vec<icn_model::PublicKey>,
    answer: oneshot::Sender<Result<Bytes, FetchError>>,
}

/// Gets blocks, from here or from others. Cheap to clone.
#[derive(Clone)]
pub struct Exchange {
    blocks: Blocks,
    requests: mpsc::Sender<Request>,
    circuits: Circuits,
}

impl Exchange {
    /// The blocks that are here.
    pub const fn blocks(&self) -> &Blocks {
        &self.blocks
    }

    /// Nodes that are not asked for now, or asked only to see whether they answer again, since they did not.
    pub fn circuits(&self) -> Vec<(PublicKey, CircuitState)> {
        let circuits = self.circuits.lock();
        circuits
            .broken()
            .map(|(peer, state)| (peer.clone(), state))
            .collect()
    }

    /// How often a node was left alone because it did not answer.
    pub fn openings(&self) -> u64 {
        self.circuits.lock().openings()
    }

    /// A block from here, or else from the seats, `first` before the others. A block that the disk has
    /// changed is replaced by a good one.
    ///
    /// # Errors
    /// [`FetchError`] if nobody has it.
    pub async fn get(&self, cid: &Cid, first: &[icn_model::PublicKey]) -> Result<Bytes, FetchError> {
        match self.blocks.get(&cid.generic()) {
            Ok(Some(bytes)) => return Ok(bytes.into()),
            Ok(None) => {}
            Err(BlockError::Corrupt { .. }) => {
                tracing::warn!(%cid, "block is corrupt on disk, fetching it anew")
            }
            Err(error) => return Err(error.into()),
        }
        let (answer, answered) = oneshot::channel();
        let request = Request {
            cid: *cid,
            first: first.to_vec(),
            answer,
        };
        self.requests
            .send(request)
            .await
            .map_err(|_| FetchError::Closed)?;
        answered.await.map_err(|_| FetchError::Closed)?
    }

    /// Bytes of those blocks of a job's file that are here.
    pub fn local_bytes(&self, cid: &Cid) -> u64 {
        match self.blocks.get(&cid.generic()) {
            Ok(Some(bytes)) => bytes.len() as u64,
            _ => 0,
        }
    }

    /// A whole file of at most `max` bytes.
    ///
    /// # Errors
    /// [`FetchError`] if a block of it is not to be had, or it is larger.
    pub async fn file(
        &self,
        cid: &Cid,
        max: u64,
        first: &[icn_model::PublicKey],
    ) -> Result<Bytes, FetchError> {
        let head = self.get(cid, first).await?;
        let too_large = |size| FetchError::TooLarge { cid: *cid, size, max };
        if cid.codec() == icn_model::Codec::Raw {
            return if head.len() as u64 <= max {
                Ok(head)
            } else {
                Err(too_large(head.len() as u64))
            };
        }
        let index = FileIndex::from_bytes(&head).map_err(|error| FetchError::NotAFile {
            cid: *cid,
            detail: error.to_string(),
        })?;
        if index.size > max {
            return Err(too_large(index.size));
        }
        let mut content = Vec::with_capacity(usize::try_from(index.size).unwrap_or(0));
        for chunk in &index.chunks {
            content.extend_from_slice(&self.get(chunk, first).await?);
        }
        if content.len() as u64 != index.size {
            return Err(FetchError::NotAFile {
                cid: *cid,
                detail: "its blocks have another size than it says".into(),
            });
        }
        Ok(content.into())
    }
}

/// One for each node that is asked.
type Circuits = Arc<Mutex<Breakers<PublicKey>>>;
/// What was asked: the number, whom, and who waits for the answer.
type Waiting = Arc<Mutex<HashMap<u64, (PublicKey, oneshot::Sender<Option<Bytes>>)>>>;

/// Starts the exchange over `channel`. It tells `observer` whom it leaves alone.
pub fn start<E: Runtime>(
    runtime: &E,
    ledger: Ledger,
    me: PublicKey,
    channel: (
        impl Sender<PublicKey = PublicKey>,
        impl Receiver<PublicKey = PublicKey>,
    ),
    resilience: Resilience,
    observer: Observer,
) -> Exchange {
    let (requests, incoming) = mpsc::channel(MAX_FETCHES);
    let circuits = Circuits::new(Mutex::new(Breakers::new(resilience.breaker)));
    let exchange = Exchange {
        blocks: Blocks::new(ledger.store().clone()),
        requests,
        circuits: circuits.clone(),
    };
    let waiting = Waiting::default();
    let (sender, receiver) = channel;
    let serving = Serving {
        blocks: exchange.blocks.clone(),
        waiting: waiting.clone(),
        sender: sender.clone(),
        exchange: exchange.clone(),
        counters: ledger.counters().clone(),
    };
    runtime
        .child("exchange_server")
        .spawn(move |runtime| serving.run(runtime, receiver));
    let asking = Asking {
        blocks: exchange.blocks.clone(),
        waiting,
        sender,
        ledger,
        me,
        retry: resilience.retry,
        circuits,
        observer,
    };
    runtime
        .child("exchange_client")
        .spawn(move |runtime| asking.run(runtime, incoming));
    exchange
}

struct Serving<S> {
    blocks: Blocks,
    waiting: Waiting,
    sender: S,
    exchange: Exchange,
    counters: Counters,
}

impl<S: Sender<PublicKey = PublicKey>> Serving<S> {
    async fn run<E: Runtime>(mut self, runtime: E, mut receiver: impl Receiver<PublicKey = PublicKey>) {
        while let Ok((from, message)) = receiver.recv().await {
            match canonical::from_own_bytes(message.as_ref(), MAX_MESSAGE_BYTES) {
                Ok(Message::Want { number, cid }) => {
                    let answer = self.look_up(&runtime, number, &cid);
                    self.sender
                        .send(Recipients::One(from), canonical::to_bytes(&answer), false);
                }
                Ok(Message::Have { number, bytes }) => self.answer(&from, number, Some(bytes.into())),
                Ok(Message::Missing { number }) => self.answer(&from, number, None),
                Err(error) => {
                    tracing::debug!(?from, %error, "undecodable message about blocks");
                    self.counters.fault(Fault::MalformedMessage);
                }
            }
        }
    }

    fn look_up(&self, runtime: &impl Runtime, number: u64, cid: &Cid) -> Message {
        match self.blocks.get(&cid.generic()) {
            Ok(Some(bytes)) => Message::Have { number, bytes },
            Ok(None) => Message::Missing { number },
            Err(error) => {
                // A corrupt block is never served. Somebody wants it, so it is worth healing now.
                tracing::warn!(%cid, %error, "cannot serve block");
                let (exchange, cid) = (self.exchange.clone(), *cid);
                runtime.child("heal").spawn(move |_| async move {
                    let _ = exchange.get(&cid, &[]).await;
                });
                Message::Missing { number }
            }
        }
    }

    /// Passes an answer on, if it is from the one who was asked.
    fn answer(&self, from: &PublicKey, number: u64, answer: Option<Bytes>) {
        let mut waiting = self.waiting.lock();
        let is_asked = waiting.get(&number).is_some_and(|(peer, _)| peer == from);
        if is_asked && let Some((_, waiting)) = waiting.remove(&number) {
            let _ = waiting.send(answer);
        }
    }
}

/// What came of asking one node.
enum Answer {
    Have(Bytes),
    Missing,
    Silence,
}

struct Asking<S> {
    blocks: Blocks,
    waiting: Waiting,
    sender: S,
    ledger: Ledger,
    me: PublicKey,
    retry: Retry,
    circuits: Circuits,
    observer: Observer,
}

impl<S: Sender<PublicKey = PublicKey>> Asking<S> {
    async fn run<E: Runtime>(self, runtime: E, mut requests: mpsc::Receiver<Request>) {
        let asking = Arc::new(self);
        // Random, so that answers to a former life of this node go nowhere.
        let mut number = runtime.child("numbers").next_u64();
        let probing = Arc::downgrade(&asking);
        runtime.child("probes").spawn(move |mut runtime| async move {
            loop {
                runtime.sleep(PROBE).await;
                let Some(asking) = probing.upgrade() else { return };
                asking.probe(&mut runtime).await;
            }
        });
        while let Some(request) = requests.recv().await {
            let asking = asking.clone();
            number = number.wrapping_add(1 << 16);
            runtime.child("fetch").spawn(move |mut runtime| async move {
                let fetched = asking.fetch(&mut runtime, number, &request).await;
                let _ = request.answer.send(fetched);
            });
        }
    }

    /// Sees whether those who did not answer do again, so that nobody is called broken because nothing was needed of
    /// it since.
    async fn probe<E: Runtime>(&self, runtime: &mut E) {
        let broken: Vec<_> = self
            .circuits
            .lock()
            .broken()
            .map(|(peer, _)| peer.clone())
            .collect();
        if broken.is_empty() {
            return;
        }
        let peers = self.peers(&[]);
        // Everybody has an answer to this, if only that it is missing.
        let cid = Cid::of_raw(&[]);
        for peer in broken {
            if !peers.contains(&peer) {
                self.forget(&peer);
            } else if self.circuits.lock().admits(&peer, now(runtime)) {
                let number = runtime.next_u64();
                let answer = self.ask(runtime, number, &cid, &peer).await;
                self.judge(answer, &cid, &peer, now(runtime));
            }
        }
    }

    /// Asks one node after the other, and all of them again after a pause.
    async fn fetch<E: Runtime>(
        &self,
        runtime: &mut E,
        mut number: u64,
        request: &Request,
    ) -> Result<Bytes, FetchError> {
        let peers = self.peers(&request.first);
        let mut rounds = 0;
        loop {
            for peer in &peers {
                if !self.circuits.lock().admits(peer, now(runtime)) {
                    continue;
                }
                let answer = self.ask(runtime, number, &request.cid, peer).await;
                number += 1;
                if let Some(bytes) = self.judge(answer, &request.cid, peer, now(runtime)) {
                    if let Some(commit) = self.blocks.heal(&request.cid.generic(), bytes.to_vec())? {
                        commit.await.map_err(BlockError::from)?;
                    }
                    return Ok(bytes);
                }
            }
            rounds += 1;
            match self.retry.pause(rounds, runtime) {
                Some(pause) => runtime.sleep(pause).await,
                None => return Err(FetchError::Absent(request.cid)),
            }
        }
    }

    /// The block, if `peer` sent it. To have no block is no failure; to say nothing is, and to send another one.
    fn judge(&self, answer: Answer, cid: &Cid, peer: &PublicKey, now: Time) -> Option<Bytes> {
        let (found, failed) = match answer {
            Answer::Have(bytes) if cid.names(&bytes) => (Some(bytes), false),
            Answer::Have(_) => {
                tracing::warn!(%cid, ?peer, "a node sent other bytes than were asked for");
                self.ledger.counters().fault(Fault::WrongBlockBytes);
                (None, true)
            }
            Answer::Missing => (None, false),
            Answer::Silence => (None, true),
        };
        self.note(peer, failed, now);
        found
    }

    /// Notes how a call has ended, and tells what that has changed.
    fn note(&self, peer: &PublicKey, failed: bool, now: Time) {
        // Held until it is told: what two fetches change is told in the order in which they change it.
        let mut circuits = self.circuits.lock();
        let turn = if failed {
            circuits.failed(peer, now)
        } else {
            circuits.succeeded(peer)
        };
        let Some(turn) = turn else { return };
        match turn {
            Turn::Opened => tracing::info!(
                ?peer,
                "a node does not answer for blocks: it is left alone for a while"
            ),
            Turn::Closed => tracing::info!(?peer, "a node answers for blocks again"),
        }
        self.tell(peer, turn);
    }

    /// Closes the circuit of a node that is asked no more: it has no seat.
    fn forget(&self, peer: &PublicKey) {
        let mut circuits = self.circuits.lock();
        if let Some(turn) = circuits.succeeded(peer) {
            self.tell(peer, turn);
        }
    }

    fn tell(&self, peer: &PublicKey, turn: Turn) {
        self.observer
            .circuit(Callee::Peer(keys::model_public(peer)), turn);
    }

    async fn ask<E: Runtime>(&self, runtime: &E, number: u64, cid: &Cid, peer: &PublicKey) -> Answer {
        let (answer, answered) = oneshot::channel();
        self.waiting.lock().insert(number, (peer.clone(), answer));
        let message = canonical::to_bytes(&Message::Want { number, cid: *cid });
        self.sender
            .clone()
            .send(Recipients::One(peer.clone()), message, true);
        let timeout = runtime.sleep(ANSWER_TIMEOUT);
        pin_mut!(timeout);
        let answer = match select(answered, timeout).await {
            Either::Left((Ok(Some(bytes)), _)) => Answer::Have(bytes),
            Either::Left((Ok(None), _)) => Answer::Missing,
            Either::Left((Err(_), _)) | Either::Right(_) => Answer::Silence,
        };
        self.waiting.lock().remove(&number);
        answer
    }

    /// Every seat but this one, the preferred ones first.
    fn peers(&self, first: &[icn_model::PublicKey]) -> Vec<PublicKey> {
        let seats = self.ledger.read(|state| {
            let seats = state.seats(state.epoch()).unwrap_or_default();
            seats.iter().map(|seat| seat.key).collect::<Vec<_>>()
        });
        let (preferred, others): (Vec<_>, Vec<_>) = seats.into_iter().partition(|key| first.contains(key));
        let keys = preferred.iter().chain(&others).filter_map(keys::public);
        keys.filter(|key| *key != self.me).collect()
    }
}
