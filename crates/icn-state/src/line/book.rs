//! The book of a line: how it is loaded, what it says, and what its own end signs.
use super::{
    Heard, Order, Outcome, Reason, Row, View,
    chains::{Hashed, Other, Own},
};
use alloc::{boxed::Box, vec::Vec};
use icn_model::{
    Acceptance, CoSigned, Digest, Head, LineMessage, OpenVoid, PublicKey, Release, RoundNumber, SecretKey,
    Signed, Standing, Time, Transfer, canonical, limits,
};

/// The book that one end of a line keeps of it.
pub struct LineBook {
    pub(super) view: View,
    pub(super) own: Own,
    pub(super) other: Other,
    /// Whether the other end has signed two transfers with one number.
    pub(super) has_quarrel: bool,
    /// Whether more may have been signed than was loaded.
    pub(super) is_restored: bool,
    /// The other end's last word that an own transfer is void.
    pub(super) released: Option<Signed<Release>>,
    /// Whether the log was asked to make void what is pending.
    is_voiding: bool,
    /// The last round of clearing that this end has joined, or is about to.
    pub(super) joins: Option<RoundNumber>,
}

impl LineBook {
    /// The book with what was stored of it, in the order in which it was written or of the keys, and what the log says
    /// now.
    ///
    /// Of a long chain the last [`MAX_RECENT_TRANSFERS`](limits::MAX_RECENT_TRANSFERS) own and others' rows are enough,
    /// with all rows of the other kinds. `is_restored` says that rows may be missing which were written once: after a
    /// backup was restored. What the log has decided meanwhile is in the outcome.
    pub fn load(view: View, rows: impl IntoIterator<Item = Row>, is_restored: bool) -> (Self, Outcome) {
        let origin = |did| Head::origin(&view.federation, &view.line, did);
        let own = Own::new(origin(&view.mine.did));
        let other = Other::new(origin(&view.theirs.did), own.head);
        let mut book = Self {
            view: view.clone(),
            own,
            other,
            has_quarrel: false,
            is_restored,
            released: None,
            is_voiding: false,
            joins: None,
        };
        rows.into_iter().for_each(|row| book.read(row));
        let outcome = book.follow(view);
        (book, outcome)
    }

    fn read(&mut self, row: Row) {
        match row {
            Row::Own { transfer, acceptance } => {
                let transfer = stored(transfer, acceptance.as_ref());
                let number = transfer.number();
                self.own.recent.add(&transfer);
                self.own.last = self.own.last.max(number);
                if number > self.own.head.number {
                    match acceptance {
                        Some(acceptance) => self.own.show(transfer, acceptance),
                        None => drop(self.own.pending.insert(number, transfer)),
                    }
                }
            }
            Row::Other { transfer, acceptance } => {
                let transfer = stored(transfer, acceptance.as_ref());
                match acceptance {
                    Some(acceptance) if transfer.number() > self.other.head.number => {
                        self.other.show(transfer, acceptance);
                    }
                    // The countersignature of a later one covers it.
                    _ => self.other.recent.add(&transfer),
                }
            }
            Row::Anchored { is_own: true, head } if head.number > self.own.head.number => {
                self.own.confirm(head, None);
            }
            Row::Anchored { is_own: false, head } if head.number > self.other.head.number => {
                self.other.move_to(head);
            }
            Row::Anchored { .. } => {}
            Row::Void {
                is_own: true,
                after,
                through,
                release,
            } => {
                self.released = release.or(self.released.take());
                self.own
                    .pending
                    .retain(|number, _| *number <= after || *number > through);
                self.own.recent.void(after, through);
                self.own.last = self.own.last.max(through);
            }
            Row::Void { after, through, .. } => self.other.recent.void(after, through),
            Row::Released { number, release } => {
                let hash = release.content.transfer;
                if number > self.other.head.number {
                    self.other.released.insert(hash, (number, release));
                }
            }
            Row::Quarrel { second, .. } => self.has_quarrel = second.is_some(),
            Row::Joins { round } => self.joins = self.joins.max(Some(round)),
        }
    }

    /// What the log says, as far as the book knows.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// The last own transfer that both have signed.
    pub fn own_head(&self) -> Head {
        self.own.head
    }

    /// The last transfer of the other end that both have signed.
    pub fn other_head(&self) -> Head {
        self.other.head
    }

    /// Those transfers, to be anchored: own, other's. None where the log knows as much.
    pub fn to_anchor(&self) -> Vec<CoSigned> {
        let own = (&self.own.shown, self.view.mine.chain.head);
        let other = (&self.other.shown, self.view.theirs.chain.head);
        let newer = [own, other].into_iter().filter_map(|(shown, anchored)| {
            let shown = shown.as_ref()?;
            (shown.transfer.content.number > anchored.number).then(|| shown.clone())
        });
        newer.collect()
    }

    /// The other end's word that an own transfer is void, with the transfer's number, as long as it could anchor that transfer all
    /// the same: to be shown to the log.
    pub fn to_show(&self) -> Option<(u64, &Signed<Release>)> {
        let release = self.released.as_ref()?;
        let (after, chain) = (release.content.after, self.view.mine.chain);
        let (number, _) = self.own.recent.number_of(&release.content.transfer)?;
        let is_open = number > chain.void_through && after == chain.head && after == self.own.head;
        is_open.then_some((number, release))
    }

    /// The log does not take it.
    pub fn show_no_more(&mut self) {
        self.released = None;
    }

    /// What this end owes the other by what both have signed, after clearing, minor units; below zero, what it is owed.
    pub fn debt(&self) -> i128 {
        i128::from(self.own.head.owed) - i128::from(self.other.head.owed) - i128::from(self.view.cleared)
    }

    /// What it would owe if all that is pending were signed by both.
    pub fn debt_with_pending(&self) -> i128 {
        self.debt() + i128::from(self.own.tip().owed) - i128::from(self.own.head.owed)
    }

    /// Own transfers that wait for the other end, in order.
    pub fn pending(&self) -> impl Iterator<Item = &Signed<Transfer>> {
        self.own.pending.values().map(|transfer| &transfer.signed)
    }

    /// How an own transfer stands, if it is among the last.
    pub fn standing(&self, number: u64) -> Option<Standing> {
        self.own.standing(number)
    }

    /// Whether the other end has signed two transfers with one number.
    pub fn has_quarrel(&self) -> bool {
        self.has_quarrel
    }

    /// Whether it signs nothing before the other end has told where it stands.
    pub fn is_restored(&self) -> bool {
        self.is_restored
    }

    /// Both parties have signed new terms: what the other end did is forgiven.
    pub fn forgive(&mut self) -> Outcome {
        self.has_quarrel = false;
        Outcome {
            write: alloc::vec![Row::Quarrel {
                first: None,
                second: None,
            }],
            ..Outcome::default()
        }
    }

    /// Up to which number the log is to be asked to make void what is pending; nothing is signed from now on until it
    /// has decided. None if nothing is pending.
    pub fn void_through(&mut self) -> Option<u64> {
        self.is_voiding = !self.own.pending.is_empty();
        self.is_voiding.then_some(self.own.last)
    }

    /// The log was not asked after all: goes on as before.
    pub fn keep_pending(&mut self) {
        self.is_voiding = false;
    }

    /// What the other end would have void and this one has countersigned: what is to be anchored by then, or it is
    /// void.
    pub fn anchor_by(&self) -> Option<OpenVoid> {
        let chain = self.view.theirs.chain;
        chain
            .voiding
            .filter(|_| self.other.head.number > chain.head.number)
    }

    pub(super) fn is_voiding(&self) -> bool {
        self.is_voiding || self.view.mine.chain.voiding.is_some()
    }

    pub(super) fn decided(&mut self) {
        self.is_voiding = false;
    }

    /// Signs a transfer with the end's line key. With a reference that it has signed before, it does nothing but send
    /// what is pending again.
    ///
    /// # Errors
    /// A [`Reason`] for which nothing is signed.
    pub fn propose(&mut self, order: &Order, now: Time, key: &SecretKey) -> Result<Outcome, Reason> {
        if let Some((number, trace)) = self.own.recent.named(&order.reference) {
            if trace.amount != order.amount {
                return Err(Reason::Reference { number });
            }
            let again = self.own.pending.get(&number).map(Self::transfer);
            return Ok(Outcome {
                heard: alloc::vec![Heard::Duplicate { number }],
                write: Vec::new(),
                send: again.into_iter().collect(),
            });
        }
        let tip = self.check_order(order, key.public())?;
        let number = self.own.last.checked_add(1).ok_or(Reason::Form)?;
        let transfer = Transfer {
            federation: self.view.federation,
            line: self.view.line.clone(),
            debtor: self.view.mine.did,
            number,
            previous: tip.hash,
            amount: order.amount,
            owed: tip.owed.checked_add(order.amount).ok_or(Reason::Form)?,
            seen: self.other.head,
            reference: order.reference,
            memo: order.memo,
            made: now,
            key: key.public(),
        };
        transfer.check().map_err(|_| Reason::Form)?;
        let bytes = canonical::to_bytes(&transfer);
        let transfer = Hashed {
            hash: Digest::of(&bytes),
            signed: Signed::of_bytes(transfer, &bytes, key),
        };
        let outcome = Outcome {
            heard: alloc::vec![Heard::Signed { number }],
            write: alloc::vec![Row::Own {
                transfer: transfer.signed.clone(),
                acceptance: None,
            }],
            send: alloc::vec![Self::transfer(&transfer)],
        };
        self.own.recent.add(&transfer);
        self.own.last = number;
        self.own.pending.insert(number, transfer);
        Ok(outcome)
    }

    /// Whether the order can be signed; says what it builds on.
    fn check_order(&self, order: &Order, key: PublicKey) -> Result<Head, Reason> {
        if self.has_quarrel {
            return Err(Reason::Quarrel);
        }
        if self.is_restored {
            return Err(Reason::Restored);
        }
        if self.is_voiding() {
            return Err(Reason::Voiding);
        }
        if self.view.mine.keys.first() != Some(&key) {
            return Err(Reason::Key);
        }
        if self.own.pending.len() >= limits::MAX_PENDING_TRANSFERS {
            return Err(Reason::TooManyPending);
        }
        if order.amount == 0 || order.amount > limits::MAX_CREDIT {
            return Err(Reason::Form);
        }
        let limit = self.view.mine.limit;
        let owes = self.debt_with_pending() + i128::from(order.amount);
        if owes > i128::from(limit) {
            return Err(Reason::OverLimit { owes, limit });
        }
        self.check_round(order.amount)?;
        Ok(self.own.tip())
    }

    pub(super) fn transfer(transfer: &Hashed) -> LineMessage {
        LineMessage::Transfer(Box::new(transfer.signed.clone()))
    }
}

/// A transfer of a row that this program wrote.
fn stored(transfer: Signed<Transfer>, acceptance: Option<&Signed<Acceptance>>) -> Hashed {
    match acceptance {
        Some(acceptance) => Hashed::countersigned(transfer, acceptance),
        None => Hashed::of(transfer),
    }
}
