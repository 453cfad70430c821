//! The books of all lines of this node, and everything that is done with them under one lock.
use super::{
    Answers, CreditCounts, CreditError, Letter, LineKeys, LineStatus, Made,
    flush::{Group, Waiters},
    line::{ASK_FIRST, Line, Seen, seen},
    rows,
};
use crate::{
    keys,
    ledger::{Ledger, LedgerError},
};
use commonware_cryptography::ed25519;
use commonware_utils::channel::{mpsc, oneshot};
use icn_model::{Did, LineId, SecretKey, Signed, Standing, Time, Transfer};
use icn_state::line::{Heard, LineBook, Order, Outcome, Reason, Row};
use icn_store::{Reader as _, Table};
use std::collections::BTreeMap;

/// That another end has signed two transfers with one number.
#[derive(Clone)]
pub(super) struct Proof {
    pub(super) first: Signed<Transfer>,
    pub(super) second: Signed<Transfer>,
}

/// That it has, as far as is known here.
pub(super) struct Quarrel {
    /// None if it is among the other end's transfers in the store.
    first: Option<Signed<Transfer>>,
    pub(super) second: Signed<Transfer>,
}

impl Quarrel {
    /// None as long as the first transfer is on its way to the disk.
    pub(super) fn proof(&self, ledger: &Ledger, id: &LineId) -> Option<Proof> {
        let stored = || {
            let number = self.second.content.number;
            match rows::transfer(ledger.store(), id, false, number).ok()?? {
                Row::Other { transfer, .. } => Some(transfer),
                _ => None,
            }
        };
        Some(Proof {
            first: self.first.clone().or_else(stored)?,
            second: self.second.clone(),
        })
    }
}

/// Taken when an outcome is known to have its place in the queue.
pub(super) type Place = mpsc::OwnedPermit<Group>;

pub(super) struct Desk {
    pub(super) ledger: Ledger,
    pub(super) did: Did,
    keys: LineKeys,
    /// Names the time since when this node's disk has forgotten nothing.
    mark: Vec<u8>,
    queue: mpsc::Sender<Group>,
    waiters: Waiters,
    pub(super) lines: BTreeMap<LineId, Line>,
    pub(super) quarrels: BTreeMap<LineId, Quarrel>,
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
            quarrels: BTreeMap::new(),
            counts: CreditCounts::default(),
        }
    }

    pub(super) fn place(&self) -> Result<Place, CreditError> {
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

    pub(super) fn load(&mut self, id: &LineId, seen: Seen, place: Place) -> Result<(), CreditError> {
        let store = self.ledger.store();
        let stored = rows::load(store, id)?;
        let met = store
            .get(Table::Credit, &rows::met_key(id))
            .map_err(LedgerError::from)?;
        let has_forgotten = met.as_ref() != Some(&self.mark);
        let quarrel = stored.iter().find_map(|row| match row {
            Row::Quarrel { first, second } => Some(Quarrel {
                first: first.as_deref().cloned(),
                second: second.clone()?,
            }),
            _ => None,
        });
        let (book, outcome) = LineBook::load(seen.view, stored, has_forgotten);
        if let Some(quarrel) = quarrel {
            self.quarrels.insert(id.clone(), quarrel);
        }
        let mut line = Line {
            book,
            peers: Vec::new(),
            to: None,
            is_second: seen.is_second,
            is_frozen: seen.is_frozen,
            must_catch_up: has_forgotten,
            is_awaited: seen.is_awaited,
            heard: None,
            asked: None,
            patience: ASK_FIRST,
            ahead_since: None,
            told: None,
            tell_again: None,
            voiding: None,
        };
        line.reach(seen.peers);
        self.lines.insert(id.clone(), line);
        self.push(place, id, outcome, Vec::new(), None);
        Ok(())
    }

    /// Hands an outcome to the disk, and counts what happened.
    pub(super) fn push(
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
        let to = self.lines.get(id).and_then(|line| line.to.clone());
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
                    self.quarrels.entry(id.clone()).or_insert_with(|| Quarrel {
                        first: first.as_deref().cloned(),
                        second: (**second).clone(),
                    });
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
    ) -> Result<(Answers, oneshot::Receiver<()>), CreditError> {
        self.open(id)?;
        let (key, place) = (self.key(id)?, self.place()?);
        if self.open(id)?.must_catch_up {
            return Err(Reason::Restored.into());
        }
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
        if !self
            .lines
            .get(id)
            .is_some_and(|line| line.peers.contains(&keys::model_public(from)))
        {
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
        let (Ok(place), Some(line)) = (self.place(), self.lines.get_mut(id)) else {
            return;
        };
        let had_forgotten = line.book.is_restored();
        let pending = line.book.pending().count() as u64;
        let (outcome, refused) = line.book.hear(&letter.messages, &key);
        if refused.len() < letter.messages.len() {
            line.heard = Some(now);
            line.patience = ASK_FIRST;
        }
        let has_confirmed = |heard: &Heard| matches!(heard, Heard::Confirmed { .. });
        if outcome.heard.iter().any(has_confirmed) {
            self.counts.confirmed += pending.saturating_sub(line.book.pending().count() as u64);
        }
        let knows_all = had_forgotten && !line.book.is_restored();
        let beside = knows_all.then(|| (rows::met_key(id), self.mark.clone()));
        self.push(place, id, outcome, beside.into_iter().collect(), None);
        for reason in refused {
            tracing::debug!(line = %id, %reason, "a message about credit is not listened to");
            self.refuse(reason.name());
        }
    }

    fn refuse(&mut self, why: &'static str) {
        *self.counts.refused.entry(why).or_default() += 1;
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
            waits_for_other: book.is_restored() || line.must_catch_up,
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
