//! The books of all lines of this node, and everything that is done with them under one lock.
use super::{
    CreditCounts, CreditError, Letter, LineKeys, LineStatus, Made,
    flush::{Group, Waiters},
    rows,
};
use crate::{
    keys,
    ledger::{Ledger, LedgerError, OperationStatus},
    membership::is_waiting,
};
use commonware_cryptography::ed25519;
use commonware_utils::channel::{mpsc, oneshot};
use icn_model::{
    CoSigned, Did, LineId, LineMessage, LinePhase, Millis, OperationId, RoundNumber, SecretKey, Signed,
    Standing, Time, Transfer, limits::MAX_LINES_PER_JOIN,
};
use icn_state::{
    State,
    line::{Heard, LineBook, Order, Outcome, Reason, Row, View},
};
use icn_store::{Reader as _, Table};
use std::collections::{BTreeMap, BTreeSet};

/// What waits for the other end is sent again, and what that knows asked for, after this; twice as long after each time
/// that nothing comes back.
const ASK_FIRST: Millis = Millis::from_secs(1);
const ASK_LATEST: Millis = Millis::from_secs(16);
/// The log is told again after this, if it refused.
const TELL_AGAIN: Millis = Millis::from_secs(30);

/// A line that this node keeps.
struct Line {
    book: LineBook,
    /// The seat keys of the other end: the one in force, then those that it had.
    peers: Vec<ed25519::PublicKey>,
    /// Whether it is frozen on the log.
    is_frozen: bool,
    /// Whether a round of clearing waits for this end's word that it takes part with the line.
    is_awaited: bool,
    /// When the other end was last heard.
    heard: Option<Time>,
    /// When it was last asked where it stands, and how long to wait until it is asked again.
    asked: Option<Time>,
    patience: Millis,
    /// Since when both have signed what the log does not know.
    ahead_since: Option<Time>,
    /// What the log was told last.
    told: Option<OperationId>,
    /// When it refused: not before this it is told again.
    tell_again: Option<Time>,
    /// The log was asked to make void what is pending, by this operation.
    voiding: Option<OperationId>,
}

/// That another end has signed two transfers with one number.
#[derive(Clone)]
pub(super) struct Proof {
    pub(super) first: Signed<Transfer>,
    pub(super) second: Signed<Transfer>,
}

/// Something to say on the log.
pub(super) enum Word {
    Anchor(LineId, Vec<CoSigned>),
    Prove(LineId, Box<Proof>),
    /// Takes part in a round of clearing with these lines.
    Join(RoundNumber, Vec<LineId>),
}

/// Taken when an outcome is known to have its place in the queue.
type Place = mpsc::OwnedPermit<Group>;

pub(super) struct Desk {
    ledger: Ledger,
    did: Did,
    keys: LineKeys,
    /// Names the time since when this node's disk has forgotten nothing.
    mark: Vec<u8>,
    queue: mpsc::Sender<Group>,
    waiters: Waiters,
    lines: BTreeMap<LineId, Line>,
    proofs: BTreeMap<LineId, Proof>,
    counts: CreditCounts,
}

impl Desk {
    pub(super) fn new(
        ledger: Ledger,
        did: Did,
        keys: LineKeys,
        mark: Vec<u8>,
        queue: mpsc::Sender<Group>,
        waiters: Waiters,
    ) -> Self {
        Self {
            ledger,
            did,
            keys,
            mark,
            queue,
            waiters,
            lines: BTreeMap::new(),
            proofs: BTreeMap::new(),
            counts: CreditCounts::default(),
        }
    }

    fn place(&self) -> Result<Place, CreditError> {
        self.queue
            .clone()
            .try_reserve_owned()
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => CreditError::Busy,
                mpsc::error::TrySendError::Closed(_) => CreditError::Stopped,
            })
    }

    /// The line's book, made from the store if that was not done yet.
    fn open(&mut self, id: &LineId) -> Result<&mut Line, CreditError> {
        if !self.lines.contains_key(id) {
            let (did, ledger) = (self.did, self.ledger.clone());
            let (is_there, seen) = ledger.read(|state| (state.line(id).is_some(), seen(state, id, &did)));
            let seen = seen.ok_or_else(|| match is_there {
                true => CreditError::NotAnEnd(id.clone()),
                false => CreditError::UnknownLine(id.clone()),
            })?;
            let place = self.place()?;
            self.load(id, seen, place)?;
        }
        let line = self.lines.get_mut(id);
        line.ok_or_else(|| CreditError::UnknownLine(id.clone()))
    }

    fn load(&mut self, id: &LineId, seen: Seen, place: Place) -> Result<(), CreditError> {
        let store = self.ledger.store();
        let stored = rows::load(store, id)?;
        let met = store
            .get(Table::Credit, &rows::met_key(id))
            .map_err(LedgerError::from)?;
        let has_forgotten = met.as_ref() != Some(&self.mark);
        let second = stored.iter().rev().find_map(|row| match row {
            Row::Quarrel { second } => Some(second.clone()),
            _ => None,
        });
        let (book, outcome) = LineBook::load(seen.view, stored, has_forgotten);
        if let Some(Some(second)) = second
            && let Some(Row::Other { transfer: first, .. }) =
                rows::transfer(store, id, false, second.content.number)?
        {
            self.proofs.insert(id.clone(), Proof { first, second });
        }
        let line = Line {
            book,
            peers: seen.peers,
            is_frozen: seen.is_frozen,
            is_awaited: seen.is_awaited,
            heard: None,
            asked: None,
            patience: ASK_FIRST,
            ahead_since: None,
            told: None,
            tell_again: None,
            voiding: None,
        };
        self.lines.insert(id.clone(), line);
        self.push(place, id, outcome, Vec::new(), None);
        Ok(())
    }

    /// Hands an outcome to the disk, and counts what happened.
    fn push(
        &mut self,
        place: Place,
        id: &LineId,
        outcome: Outcome,
        beside: Vec<(Vec<u8>, Vec<u8>)>,
        done: Option<oneshot::Sender<()>>,
    ) {
        self.count(id, &outcome.heard);
        let is_empty = outcome == Outcome::default() && beside.is_empty() && done.is_none();
        if is_empty {
            return;
        }
        let to = self.lines.get(id).and_then(|line| line.peers.first().cloned());
        let line = id.clone();
        place.send(Group {
            line,
            to,
            outcome,
            beside,
            done,
        });
    }

    fn count(&mut self, id: &LineId, heard: &[Heard]) {
        for one in heard {
            match one {
                Heard::Signed { .. } => self.counts.signed += 1,
                Heard::Accepted { .. } => self.counts.accepted += 1,
                Heard::Released { number, reason } => {
                    tracing::warn!(line = %id, number, %reason, "not countersigned: released for good");
                    *self.counts.released.entry(reason.name()).or_default() += 1;
                }
                Heard::Voided {
                    is_own,
                    after,
                    through,
                } => {
                    tracing::info!(line = %id, is_own, after, through, "transfers are void");
                    if *is_own {
                        self.counts.voided += through - after;
                    }
                }
                Heard::Equivocation {
                    number,
                    first,
                    second,
                } => {
                    tracing::error!(line = %id, number, "the other end has signed two transfers with one number");
                    let stored = || {
                        rows::transfer(self.ledger.store(), id, false, *number)
                            .ok()
                            .flatten()
                    };
                    let first = first.as_deref().cloned().or_else(|| match stored() {
                        Some(Row::Other { transfer, .. }) => Some(transfer),
                        _ => None,
                    });
                    if let Some(first) = first {
                        let second = (**second).clone();
                        self.proofs.insert(id.clone(), Proof { first, second });
                    }
                }
                Heard::Duplicate { .. } | Heard::Waits { .. } | Heard::Confirmed { .. } => {}
            }
        }
    }

    fn key(&self, id: &LineId) -> Result<SecretKey, CreditError> {
        let mine = self
            .lines
            .get(id)
            .and_then(|line| line.book.view().mine.keys.first().copied());
        let key = mine.ok_or_else(|| CreditError::UnknownLine(id.clone()))?;
        (self.keys)(&key).ok_or(CreditError::NoKey { key })
    }

    /// Signs what is ordered. What is given back as made is durable when the receiver says so.
    pub(super) fn transfer(
        &mut self,
        id: &LineId,
        orders: &[Order],
        now: Time,
    ) -> Result<(Vec<Result<Made, CreditError>>, oneshot::Receiver<()>), CreditError> {
        self.open(id)?;
        let (key, place) = (self.key(id)?, self.place()?);
        let mut all = Outcome::default();
        let made: Vec<_> = orders
            .iter()
            .map(|order| self.transfer_one(id, order, now, &key, &mut all))
            .collect();
        let (done, durable) = oneshot::channel();
        self.push(place, id, all, Vec::new(), Some(done));
        Ok((made, durable))
    }

    fn transfer_one(
        &mut self,
        id: &LineId,
        order: &Order,
        now: Time,
        key: &SecretKey,
        all: &mut Outcome,
    ) -> Result<Made, CreditError> {
        if let Some(made) = self.made_long_ago(id, order)? {
            return Ok(made);
        }
        let book = &mut self.open(id)?.book;
        let mut outcome = book.propose(order, now, key)?;
        let (number, is_new) = match outcome.heard.first() {
            Some(Heard::Duplicate { number }) => (*number, false),
            Some(Heard::Signed { number }) => (*number, true),
            // A book that signs says so.
            _ => return Err(Reason::Unknown.into()),
        };
        let standing = book.standing(number).unwrap_or(Standing::Confirmed);
        let settled = (standing == Standing::Pending).then(|| self.waiters.wait(id, number));
        all.heard.append(&mut outcome.heard);
        all.write.append(&mut outcome.write);
        all.send.append(&mut outcome.send);
        Ok(Made {
            number,
            is_new,
            standing,
            settled,
        })
    }

    /// A transfer that the book does not remember any more, by its reference.
    fn made_long_ago(&self, id: &LineId, order: &Order) -> Result<Option<Made>, CreditError> {
        let store = self.ledger.store();
        let Some(number) = rows::named(store, id, &order.reference)? else {
            return Ok(None);
        };
        let Some(line) = self.lines.get(id) else {
            return Ok(None);
        };
        if line.book.standing(number).is_some() {
            return Ok(None);
        }
        let Some(Row::Own { transfer, .. }) = rows::transfer(store, id, true, number)? else {
            return Ok(None);
        };
        if transfer.content.amount != order.amount {
            return Err(Reason::Reference { number }.into());
        }
        let voids = rows::Voids::load(store, id, true)?;
        Ok(Some(Made {
            number,
            is_new: false,
            standing: voids.standing(number, line.book.own_head().number),
            settled: None,
        }))
    }

    /// Takes what the other end of a line says.
    pub(super) fn hear(&mut self, from: &ed25519::PublicKey, letter: &Letter, now: Time) {
        let id = &letter.line;
        if let Err(error) = self.open(id) {
            // Of a line that this node's log does not know yet, it comes again.
            tracing::debug!(line = %id, ?from, %error, "a message about credit that is not listened to");
            self.refuse("unknown-line");
            return;
        }
        if !self.lines.get(id).is_some_and(|line| line.peers.contains(from)) {
            tracing::debug!(line = %id, ?from, "a message about credit from somebody else than the other end");
            self.refuse("other-end");
            return;
        }
        let key = match self.key(id) {
            Ok(key) => key,
            Err(error) => {
                tracing::warn!(line = %id, %error, "transfers come in that cannot be countersigned");
                self.refuse("key");
                return;
            }
        };
        for message in &letter.messages {
            let Ok(place) = self.place() else { return };
            self.hear_one(id, message, &key, place, now);
        }
    }

    fn hear_one(&mut self, id: &LineId, message: &LineMessage, key: &SecretKey, place: Place, now: Time) {
        let Some(line) = self.lines.get_mut(id) else {
            return;
        };
        let had_forgotten = line.book.is_restored();
        let pending = line.book.pending().count() as u64;
        match line.book.hear(message, key) {
            Ok(outcome) => {
                line.heard = Some(now);
                line.patience = ASK_FIRST;
                let has_confirmed = |heard: &Heard| matches!(heard, Heard::Confirmed { .. });
                if outcome.heard.iter().any(has_confirmed) {
                    self.counts.confirmed += pending.saturating_sub(line.book.pending().count() as u64);
                }
                let knows_all = had_forgotten && !line.book.is_restored();
                let beside = knows_all.then(|| (rows::met_key(id), self.mark.clone()));
                self.push(place, id, outcome, beside.into_iter().collect(), None);
            }
            Err(reason) => {
                tracing::debug!(line = %id, %reason, "a message about credit is not listened to");
                self.refuse(reason.name());
            }
        }
    }

    fn refuse(&mut self, why: &'static str) {
        *self.counts.refused.entry(why).or_default() += 1;
    }

    /// Brings every book to what the log says now; opens those of new lines, and closes those of forgotten ones.
    pub(super) fn follow(&mut self) {
        let (did, ledger) = (self.did, self.ledger.clone());
        let standing = ledger.read(|state| {
            let lines = state.lines_of(&did).map(|(id, _)| id).collect::<Vec<_>>();
            lines
                .into_iter()
                .filter_map(|id| Some((seen(state, &id, &did)?, id)))
                .collect::<Vec<_>>()
        });
        let known: BTreeSet<&LineId> = standing.iter().map(|(_, id)| id).collect();
        self.lines.retain(|id, _| known.contains(id));
        self.proofs.retain(|id, _| known.contains(id));
        for (seen, id) in standing {
            let Ok(place) = self.place() else { return };
            if let Err(error) = self.follow_one(&id, seen, place) {
                tracing::error!(line = %id, %error, "a line of credit cannot be kept");
            }
        }
    }

    fn follow_one(&mut self, id: &LineId, seen: Seen, place: Place) -> Result<(), CreditError> {
        if !self.lines.contains_key(id) {
            return self.load(id, seen, place);
        }
        let Some(line) = self.lines.get_mut(id) else {
            return Ok(());
        };
        line.peers = seen.peers;
        line.is_frozen = seen.is_frozen;
        line.is_awaited = seen.is_awaited;
        let forgiven = seen.view.theirs.chain.forgiven_through;
        let proof = self.proofs.get(id);
        let is_forgiven = proof.is_some_and(|proof| proof.second.content.number <= forgiven);
        let mut outcome = Outcome::default();
        if *line.book.view() != seen.view {
            let before = line.book.view().clone();
            if heads(&before) != heads(&seen.view) {
                line.ahead_since = None;
            }
            outcome = line.book.follow(seen.view);
        }
        if is_forgiven && line.book.has_quarrel() {
            outcome.write.extend(line.book.forgive().write);
        }
        self.push(place, id, outcome, Vec::new(), None);
        if is_forgiven {
            self.proofs.remove(id);
        }
        Ok(())
    }

    /// Asks the other ends where they stand, as far as that is due.
    pub(super) fn ask(&mut self, now: Time) {
        let mut due = Vec::new();
        for (id, line) in &mut self.lines {
            let is_needed =
                line.heard.is_none() || line.book.is_restored() || line.book.pending().next().is_some();
            let last = line.asked.max(line.heard);
            let is_time = last.is_none_or(|last| now.since(last) >= line.patience);
            if !is_needed || !is_time || line.peers.is_empty() {
                continue;
            }
            if line.asked.is_some() {
                line.patience = Millis::new((line.patience.get() * 2).min(ASK_LATEST.get()));
            }
            line.asked = Some(now);
            due.push((id.clone(), line.book.sync(false)));
        }
        for (id, message) in due {
            let Ok(place) = self.place() else { return };
            let outcome = Outcome {
                send: vec![message],
                ..Outcome::default()
            };
            self.push(place, &id, outcome, Vec::new(), None);
        }
    }

    /// What is to be said on the log now.
    pub(super) fn words(&mut self, anchor_after: Millis, now: Time) -> Vec<Word> {
        let mut words = Vec::new();
        for (id, line) in &mut self.lines {
            if let Some(proof) = self.proofs.get(id).filter(|_| !line.is_frozen) {
                if line.may_tell(&self.ledger, now) {
                    words.push(Word::Prove(id.clone(), Box::new(proof.clone())));
                }
                continue;
            }
            line.look_at_void(&self.ledger);
            let heads = line.book.to_anchor();
            if heads.is_empty() {
                line.ahead_since = None;
                continue;
            }
            let since = *line.ahead_since.get_or_insert(now);
            let view = line.book.view();
            // One of the two is enough, so the one whose word comes first in the agreement goes first.
            let turn = 1 + u64::from(
                self.ledger
                    .read(|state| state.line(id).is_some_and(|line| line.ends[1] == view.mine.did)),
            );
            let is_due = line.is_awaited || now.since(since).get() >= anchor_after.get() * turn;
            if (is_due || line.book.anchor_by().is_some()) && line.may_tell(&self.ledger, now) {
                words.push(Word::Anchor(id.clone(), heads));
            }
        }
        words.extend(self.joins(now));
        words
    }

    /// The lines with which this end takes part in the round of clearing that is announced, as far as nothing of them
    /// waits for the log. Their books keep the promise from now on.
    fn joins(&mut self, now: Time) -> Option<Word> {
        let ledger = self.ledger.clone();
        let awaited = self
            .lines
            .iter()
            .filter(|(_, line)| line.is_awaited && line.may_tell(&ledger, now));
        let awaited: Vec<LineId> = awaited
            .map(|(id, _)| id.clone())
            .take(MAX_LINES_PER_JOIN)
            .collect();
        let (mut round, mut joined) = (None, Vec::new());
        for id in awaited {
            let Ok(place) = self.place() else { break };
            let Some(line) = self.lines.get_mut(&id) else {
                continue;
            };
            // What stands in the way passes: something is anchored first, or the other end is asked.
            let Ok((number, outcome)) = line.book.join_round() else {
                continue;
            };
            round = Some(number);
            self.push(place, &id, outcome, Vec::new(), None);
            joined.push(id);
        }
        Some(Word::Join(round?, joined))
    }

    /// The log was told something of a line.
    pub(super) fn told(&mut self, id: &LineId, operation: Option<OperationId>, now: Time) {
        if let Some(line) = self.lines.get_mut(id) {
            line.ahead_since = None;
            line.told = operation;
            line.tell_again = operation.is_none().then(|| now.after(TELL_AGAIN));
        }
    }

    /// Transfers that both have signed and the log does not know, the last of each direction.
    pub(super) fn heads(&self, id: &LineId) -> Option<Vec<CoSigned>> {
        Some(self.lines.get(id)?.book.to_anchor())
    }

    /// Stops to sign on a line until [`Self::asked_to_void`] says what came of it, and the log what it decided.
    pub(super) fn void_through(&mut self, id: &LineId) -> Option<u64> {
        self.lines.get_mut(id)?.book.void_through()
    }

    pub(super) fn asked_to_void(&mut self, id: &LineId, operation: Option<OperationId>) {
        if let Some(line) = self.lines.get_mut(id) {
            line.voiding = operation;
            if operation.is_none() {
                line.book.keep_pending();
            }
        }
    }

    /// Tells when what was done on a line so far is durable.
    pub(super) fn durable(&mut self, id: &LineId) -> Result<oneshot::Receiver<()>, CreditError> {
        self.open(id)?;
        let (done, durable) = oneshot::channel();
        let place = self.place()?;
        self.push(place, id, Outcome::default(), Vec::new(), Some(done));
        Ok(durable)
    }

    pub(super) fn status(&mut self, id: &LineId) -> Option<LineStatus> {
        self.open(id).ok()?;
        let can_sign = self.key(id).is_ok();
        let line = self.lines.get(id)?;
        let book = &line.book;
        Some(LineStatus {
            own: book.own_head(),
            other: book.other_head(),
            debt: book.debt(),
            debt_with_pending: book.debt_with_pending(),
            pending: book.pending().cloned().collect(),
            is_ahead: !book.to_anchor().is_empty(),
            heard: line.heard,
            waits_for_other: book.is_restored(),
            has_quarrel: book.has_quarrel(),
            can_sign,
        })
    }

    pub(super) fn counts(&self) -> CreditCounts {
        let pending: usize = self.lines.values().map(|line| line.book.pending().count()).sum();
        CreditCounts {
            pending: pending as u64,
            lines: self.lines.len() as u64,
            ..self.counts.clone()
        }
    }

    /// Whether there is anything to look after.
    pub(super) fn is_idle(&self) -> bool {
        self.lines.is_empty()
    }
}

impl Line {
    /// Whether nothing that the log was told is still on its way.
    fn may_tell(&self, ledger: &Ledger, now: Time) -> bool {
        let is_told = self
            .told
            .as_ref()
            .is_some_and(|operation| is_waiting(ledger, operation));
        !is_told && self.tell_again.is_none_or(|again| now >= again)
    }

    /// Goes on if the log has not taken the wish to make void what is pending.
    fn look_at_void(&mut self, ledger: &Ledger) {
        let Some(operation) = &self.voiding else { return };
        match ledger.status(operation) {
            Ok(Some(OperationStatus::Waiting)) | Err(_) => {}
            Ok(Some(OperationStatus::Final(place))) if place.refusal.is_none() => self.voiding = None,
            Ok(_) => {
                self.voiding = None;
                self.book.keep_pending();
            }
        }
    }
}

/// What the log says of a line to this node.
struct Seen {
    view: View,
    peers: Vec<ed25519::PublicKey>,
    is_frozen: bool,
    is_awaited: bool,
}

fn seen(state: &State, id: &LineId, me: &Did) -> Option<Seen> {
    let view = state.line_view(id, me)?;
    let other = state.seat_record(&view.theirs.did);
    let peers = other.map_or_else(Vec::new, |seat| {
        let former = seat.succession.former_seats.iter().rev();
        std::iter::once(&seat.keys.seat)
            .chain(former)
            .filter_map(keys::public)
            .collect()
    });
    let is_frozen = matches!(state.line(id)?.phase, LinePhase::Frozen { .. });
    let is_announced = view.round.is_some_and(|round| !round.is_frozen);
    Some(Seen {
        is_awaited: is_announced && view.mine.base.is_none(),
        view,
        peers,
        is_frozen,
    })
}

fn heads(view: &View) -> [u64; 2] {
    [view.mine.chain.head.number, view.theirs.chain.head.number]
}
