//! Lines of credit between this node and others: transfers that both sign, beside the log.
//!
//! What is signed and when is for [`icn_state::line`] to say, a pure machine for each line. Here it is driven: rows are
//! made durable before anything that depends on them is sent (`flush`), messages are heard (`desk`), and the log is
//! followed and told (`upkeep`, `tend`). Nothing of it needs the log to advance: two nodes that reach each other trade.
//!
//! ```text
//! transfer ──┐                     ┌─> store ─> the other end
//! message ───┼─> desk (the books) ─┤            whoever waits
//! log ───────┘                     └─> tend ──> the log: heads, proofs
//! ```
//!
//! One lock guards the books and is never held across an await. Every outcome goes through one queue, so rows reach the
//! disk in the order in which books made them, and outcomes that come while the disk is busy share the next sync.
//!
//! If the store fails, credit stops: the books have signed what is on no disk. Nobody has heard of that, and the node
//! begins again from what is stored.
mod desk;
mod flush;
mod line;
mod rows;
mod tend;
mod upkeep;

use crate::{
    author::Author,
    environment::Runtime,
    ledger::{Ledger, LedgerError},
    time::now,
};
use commonware_cryptography::ed25519;
use commonware_p2p::{Receiver, Sender};
use commonware_utils::{
    channel::{mpsc, oneshot},
    sync::Mutex,
};
use desk::Desk;
use flush::Waiters;
use futures::{
    future::{Either, select},
    pin_mut,
};
use icn_model::{
    Action, CreditAct, Fault, Head, LineId, LineMessage, Millis, OperationId, PublicKey, Refusal, SecretKey,
    Signed, Standing, Time, Transfer, canonical, limits::MAX_PENDING_TRANSFERS,
};
use icn_state::line::{Order, Reason, Row};
use icn_store::Direction;
use serde::Deserialize;
use std::{collections::BTreeMap, sync::Arc};

/// Messages of one line that travel together.
const MAX_LETTER: usize = MAX_PENDING_TRANSFERS;
/// Largest message: transfers and states of a line are about 1 KiB and 3 KiB.
const MAX_LETTER_BYTES: usize = 512 << 10;
/// Outcomes that wait for the disk; with more, transfers are refused and messages dropped, which come again.
const MAX_QUEUED: usize = 4_096;
/// Orders that are taken at once: as many as may be pending.
pub const MAX_ORDERS: usize = MAX_PENDING_TRANSFERS;

/// Finds the secret key that belongs to a line key of this node's cooperative, if the node has it.
pub type LineKeys = Arc<dyn Fn(&PublicKey) -> Option<SecretKey> + Send + Sync>;

/// How a node keeps its lines.
#[derive(Clone)]
pub struct CreditConfig {
    /// The line keys that it has.
    pub keys: LineKeys,
    /// How long what both have signed waits until the log is told; the agreement's counterparty waits twice as long, so
    /// that mostly one of the two does it.
    pub anchor_after: Millis,
}

impl CreditConfig {
    /// With one line key, and 30 s until the log is told.
    pub fn with_key(key: SecretKey) -> Self {
        Self {
            keys: Arc::new(move |public| (key.public() == *public).then(|| key.clone())),
            anchor_after: Millis::from_secs(30),
        }
    }
}

/// What one end tells the other of a line.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Letter {
    line: LineId,
    messages: Vec<LineMessage>,
}

/// Why nothing comes of an order.
#[derive(Debug, thiserror::Error)]
pub enum CreditError {
    /// The log has no such line.
    #[error("there is no line {0}: a credit agreement opens it when it takes effect")]
    UnknownLine(LineId),
    /// This node's cooperative has nothing to say on it.
    #[error("this node's cooperative is no end of the line {0}")]
    NotAnEnd(LineId),
    /// The node cannot sign.
    #[error(
        "the cooperative's line key is {key}, and this node does not have it: set identity.line_key_path to its file"
    )]
    NoKey {
        /// The line key on the log.
        key: PublicKey,
    },
    /// The book does not do it.
    #[error(transparent)]
    Book(#[from] Reason),
    /// More at once than is taken.
    #[error("{found} transfers at once: at most {MAX_ORDERS} are taken")]
    TooMany {
        /// How many there were.
        found: usize,
    },
    /// Nothing waits for the other end.
    #[error("nothing on this line waits for the other end's signature")]
    NothingPending,
    /// Both have signed nothing that the log does not know.
    #[error("the log knows all that both ends of this line have signed")]
    NothingToAnchor,
    /// Too much to do.
    #[error("too many transfers wait for this node's disk: try again in a moment")]
    Busy,
    /// The store has failed, or the node is stopping.
    #[error("this node takes no transfers any more: its store has failed, or it is stopping")]
    Stopped,
    /// The log would refuse what it is told.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// A transfer that was ordered: signed and durable here.
#[derive(Debug)]
pub struct Made {
    /// Its number in this end's chain.
    pub number: u64,
    /// Whether this order made it: else its reference has named it before.
    pub is_new: bool,
    /// How it stands.
    pub standing: Standing,
    settled: Option<oneshot::Receiver<Standing>>,
}

impl Made {
    /// Waits until it is signed by both or void, or `timeout` ends, and says how it stands.
    pub async fn settled(&mut self, timeout: impl Future<Output = ()>) -> Standing {
        if let Some(settled) = self.settled.take() {
            pin_mut!(timeout);
            if let Either::Left((Ok(standing), _)) = select(settled, timeout).await {
                self.standing = standing;
            }
        }
        self.standing
    }
}

/// What came of orders, in their order.
pub type Answers = Vec<Result<Made, CreditError>>;

/// A line as this node keeps it.
#[derive(Clone, Debug)]
pub struct LineStatus {
    /// Own transfers that both have signed.
    pub own: Head,
    /// The other end's.
    pub other: Head,
    /// What this end owes by that, after clearing, minor units; below zero, what it is owed.
    pub debt: i128,
    /// What it would owe if all that is pending were signed by both.
    pub debt_with_pending: i128,
    /// What waits for the other end.
    pub pending: Vec<Signed<Transfer>>,
    /// Whether both have signed more than the log knows.
    pub is_ahead: bool,
    /// When the other end was last heard since this node started.
    pub heard: Option<Time>,
    /// Whether this end signs nothing before the other one has told where it stands.
    pub waits_for_other: bool,
    /// Whether the other end has signed two transfers with one number.
    pub has_quarrel: bool,
    /// Whether this node has the line key of its cooperative.
    pub can_sign: bool,
}

/// One transfer of a line's history.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Whether this end owes by it.
    pub is_own: bool,
    /// What is stored of it: its debtor's signature, and if it came, its creditor's.
    pub row: Row,
    /// How it stands.
    pub standing: Standing,
}

/// What happened on all lines since the node started.
#[derive(Clone, Debug, Default)]
pub struct CreditCounts {
    /// Transfers that this node signed.
    pub signed: u64,
    /// Own transfers that the other end countersigned.
    pub confirmed: u64,
    /// Others' transfers that this node countersigned.
    pub accepted: u64,
    /// Others' transfers that it released, by the reason's name.
    pub released: BTreeMap<&'static str, u64>,
    /// Own transfers that became void.
    pub voided: u64,
    /// What others said and was not listened to, by the reason's name.
    pub refused: BTreeMap<&'static str, u64>,
    /// Own transfers that wait now.
    pub pending: u64,
    /// Lines that this node keeps now.
    pub lines: u64,
}

/// The node's lines of credit. Cheap to clone.
#[derive(Clone)]
pub struct Credit {
    desk: Arc<Mutex<Desk>>,
    ledger: Ledger,
    author: Author,
}

/// Starts to keep the lines of `author`, and talks of them over `channel`. `mark` names the time since when this node's
/// disk has forgotten nothing.
pub(crate) fn start<E: Runtime>(
    runtime: &E,
    ledger: Ledger,
    author: Author,
    config: CreditConfig,
    mark: Vec<u8>,
    channel: (
        impl Sender<PublicKey = ed25519::PublicKey>,
        impl Receiver<PublicKey = ed25519::PublicKey>,
    ),
) -> Credit {
    let (queue, incoming) = mpsc::channel(MAX_QUEUED);
    let (sender, receiver) = channel;
    let (waiters, store) = (Waiters::default(), ledger.store().clone());
    let anchor_after = config.anchor_after;
    let desk = Desk::new(
        ledger.clone(),
        author.did(),
        config.keys,
        mark,
        queue,
        waiters.clone(),
    );
    let credit = Credit {
        desk: Arc::new(Mutex::new(desk)),
        ledger,
        author,
    };
    runtime.child("credit_flush").spawn(move |_| async move {
        if let Err(error) = flush::run(store, incoming, sender, waiters).await {
            tracing::error!(%error, "no credit any more: the store has failed");
        }
    });
    runtime.child("credit_hear").spawn({
        let credit = credit.clone();
        move |runtime| credit.hear(runtime, receiver)
    });
    runtime.child("credit_tend").spawn({
        let credit = credit.clone();
        move |runtime| tend::run(runtime, credit, anchor_after)
    });
    credit
}

impl Credit {
    /// Signs transfers by which this node's cooperative owes more, in the order of `orders`, and sends them to the other
    /// end once they are durable. A reference that was used before makes nothing new.
    ///
    /// # Errors
    /// [`CreditError`] for all, if there is no such line or nothing can be signed on it; for one, if that one is not
    /// signed. Those after it are tried.
    pub async fn transfer(&self, line: &LineId, orders: &[Order], now: Time) -> Result<Answers, CreditError> {
        if orders.len() > MAX_ORDERS {
            return Err(CreditError::TooMany { found: orders.len() });
        }
        let (made, durable) = self.desk.lock().transfer(line, orders, now)?;
        durable.await.map_err(|_| CreditError::Stopped)?;
        Ok(made)
    }

    /// A line as this node keeps it; none if its cooperative is no end of it.
    pub fn status(&self, line: &LineId) -> Option<LineStatus> {
        self.desk.lock().status(line)
    }

    /// What happened on all lines.
    pub fn counts(&self) -> CreditCounts {
        self.desk.lock().counts()
    }

    /// Transfers of one direction of a line with numbers after `after`, at most `limit`; backwards, before it.
    ///
    /// # Errors
    /// [`CreditError`] if this node keeps no such line, or its store fails.
    pub fn history(
        &self,
        line: &LineId,
        is_own: bool,
        after: Option<u64>,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Entry>, CreditError> {
        let status = self.status(line).ok_or_else(|| self.no_line(line))?;
        let head = if is_own { status.own } else { status.other };
        let store = self.ledger.store();
        let voids = rows::Voids::load(store, line, is_own)?;
        let rows = rows::history(store, line, is_own, after, direction, limit)?;
        let entry = |row: Row| {
            let (Row::Own { transfer, .. } | Row::Other { transfer, .. }) = &row else {
                return None;
            };
            let standing = voids.standing(transfer.content.number, head.number);
            Some(Entry {
                is_own,
                row,
                standing,
            })
        };
        Ok(rows.into_iter().filter_map(entry).collect())
    }

    /// Shows the log what both ends of a line have signed.
    ///
    /// # Errors
    /// [`CreditError`] if there is nothing to show, or the log would refuse it.
    pub async fn anchor(&self, line: &LineId, now: Time) -> Result<OperationId, CreditError> {
        self.durable(line).await?;
        let heads = self.desk.lock().heads(line).ok_or_else(|| self.no_line(line))?;
        if heads.is_empty() {
            return Err(CreditError::NothingToAnchor);
        }
        Ok(self.act(line, CreditAct::Anchor { heads }, now)?)
    }

    /// Asks the log to make void what the other end does not countersign. Until the log has decided, nothing is signed on
    /// the line.
    ///
    /// # Errors
    /// [`CreditError`] if nothing is pending, or the log would refuse it.
    pub async fn void(&self, line: &LineId, now: Time) -> Result<OperationId, CreditError> {
        self.durable(line).await?;
        let (heads, through) = {
            let mut desk = self.desk.lock();
            let heads = desk.heads(line).ok_or_else(|| self.no_line(line))?;
            let through = desk.void_through(line).ok_or(CreditError::NothingPending)?;
            (heads, through)
        };
        let asked = self.ask_to_void(line, heads, through, now);
        self.desk.lock().asked_to_void(line, asked.as_ref().ok().copied());
        Ok(asked?)
    }

    fn ask_to_void(
        &self,
        line: &LineId,
        heads: Vec<icn_model::CoSigned>,
        through: u64,
        now: Time,
    ) -> Result<OperationId, Refusal> {
        // What is anchored is the last that counts.
        if !heads.is_empty() {
            match self.act(line, CreditAct::Anchor { heads }, now) {
                Ok(_) | Err(Refusal::OldHead { .. }) => {}
                Err(refusal) => return Err(refusal),
            }
        }
        let release = None;
        self.act(line, CreditAct::Void { through, release }, now)
    }

    fn act(&self, line: &LineId, act: CreditAct, now: Time) -> Result<OperationId, Refusal> {
        let action = Action::Credit {
            agreement: line.agreement,
            unit: line.unit.clone(),
            act: Box::new(act),
        };
        self.author.act(action, now)
    }

    /// Waits until what was done on a line so far is durable.
    async fn durable(&self, line: &LineId) -> Result<(), CreditError> {
        let durable = self.desk.lock().durable(line)?;
        durable.await.map_err(|_| CreditError::Stopped)
    }

    fn no_line(&self, line: &LineId) -> CreditError {
        match self.ledger.read(|state| state.line(line).is_some()) {
            true => CreditError::NotAnEnd(line.clone()),
            false => CreditError::UnknownLine(line.clone()),
        }
    }

    /// Hears what other ends say, until the network ends.
    async fn hear<E: Runtime>(self, runtime: E, mut receiver: impl Receiver<PublicKey = ed25519::PublicKey>) {
        while let Ok((from, message)) = receiver.recv().await {
            match canonical::from_own_bytes::<Letter>(message.as_ref(), MAX_LETTER_BYTES) {
                Ok(letter) if letter.messages.len() <= MAX_LETTER => {
                    self.desk.lock().hear(&from, &letter, now(&runtime));
                }
                _ => {
                    tracing::debug!(?from, "undecodable message about credit");
                    self.ledger.counters().fault(Fault::MalformedMessage);
                }
            }
        }
    }
}
