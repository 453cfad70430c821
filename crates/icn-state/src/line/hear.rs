//! What the other end says of transfers.
use super::{Heard, LineBook, Outcome, Reason, Row, chains::Hashed};
use alloc::{boxed::Box, vec::Vec};
use core::cmp::Ordering;
use icn_model::{Acceptance, Digest, LineMessage, Release, SecretKey, Signed, Transfer, canonical, limits};

/// What an end makes of a transfer of the other one.
enum Judgement {
    Accept,
    /// Later, perhaps.
    Wait,
    /// Never.
    Release(Reason),
}

/// What becomes of messages that are heard together.
pub(super) struct Answer<'a> {
    /// This end's line key.
    key: &'a SecretKey,
    pub(super) outcome: Outcome,
    /// The last transfer that was accepted, while it waits whether there is another one: the countersignature of that
    /// covers it.
    accepted: Option<Hashed>,
}

impl Answer<'_> {
    /// A transfer that was accepted just now.
    fn accepted(&self, number: u64) -> Option<&Signed<Transfer>> {
        let last = self.accepted.as_ref().map(|last| &last.signed);
        let written = self.outcome.write.iter().filter_map(|row| match row {
            Row::Other { transfer, .. } => Some(transfer),
            _ => None,
        });
        last.into_iter()
            .chain(written)
            .find(|transfer| transfer.content.number == number)
    }
}

impl LineBook {
    /// Takes what the other end says, in order. Of transfers that are accepted one after the other, the last is
    /// countersigned, with this end's line key. Beside what comes of it there are the reasons for which messages are not
    /// listened to: these change nothing, but of a sync one chain can be taken and the other not.
    pub fn hear(&mut self, messages: &[LineMessage], key: &SecretKey) -> (Outcome, Vec<Reason>) {
        let mut answer = Answer {
            key,
            outcome: Outcome::default(),
            accepted: None,
        };
        let mut refused = Vec::new();
        for message in messages {
            let heard = match message {
                LineMessage::Transfer(transfer) => self.on_transfer(transfer, &mut answer),
                LineMessage::Acceptance(acceptance) => self.on_acceptance(acceptance, &mut answer),
                LineMessage::Release(release) => self.on_release(release, &mut answer.outcome),
                LineMessage::Sync(sync) => self.on_sync(sync, &mut answer),
            };
            refused.extend(heard.err());
        }
        self.countersign(&mut answer);
        (answer.outcome, refused)
    }

    /// The other end would owe more.
    ///
    /// # Errors
    /// A [`Reason`] for which it is not looked at, or not now.
    fn on_transfer(&mut self, signed: &Signed<Transfer>, answer: &mut Answer<'_>) -> Result<(), Reason> {
        let transfer = &signed.content;
        let bytes = canonical::to_bytes(transfer);
        let (number, hash) = (transfer.number, Digest::of(&bytes));
        if transfer.federation != self.view.federation
            || transfer.line != self.view.line
            || transfer.debtor != self.view.theirs.did
        {
            return Err(Reason::OtherLine);
        }
        if self.is_known(number, &hash, &mut answer.outcome) {
            return Ok(());
        }
        transfer.check().map_err(|_| Reason::Form)?;
        if !self.view.theirs.keys.contains(&transfer.key) {
            return Err(Reason::Key);
        }
        signed.verify_bytes(&bytes).map_err(|_| Reason::Signature)?;
        let transfer = Hashed {
            signed: signed.clone(),
            hash,
        };
        if self.is_quarrel(&transfer, answer) {
            return Ok(());
        }
        if number <= self.other.head.number {
            // Too old to know, or void: where this end stands says it all.
            self.countersign(answer);
            answer.outcome.heard.push(Heard::Duplicate { number });
            answer.outcome.send.push(self.sync(true));
            return Ok(());
        }
        self.judge_and_do(transfer, answer)?;
        self.take_waiting(answer);
        Ok(())
    }

    /// Gives the same answer as before to what was answered.
    fn is_known(&self, number: u64, hash: &Digest, outcome: &mut Outcome) -> bool {
        let again = if let Some((_, release)) = self.other.released.get(hash) {
            Some(LineMessage::Release(Box::new(release.clone())))
        } else {
            let trace = self.other.recent.get(number);
            if trace.is_none_or(|trace| trace.hash != *hash || trace.is_void) {
                return false;
            }
            // It covers all before it. There is none where one is about to be sent.
            let shown = self.other.shown.as_ref();
            shown.map(|shown| LineMessage::Acceptance(Box::new(shown.acceptance.clone())))
        };
        outcome.heard.push(Heard::Duplicate { number });
        outcome.send.extend(again);
        true
    }

    /// If this is the second transfer with its number: that ends all dealings. A replaced key may be in other hands, so
    /// what it signs says nothing of the cooperative.
    fn is_quarrel(&mut self, transfer: &Hashed, answer: &mut Answer<'_>) -> bool {
        let (number, key) = (transfer.number(), transfer.signed.content.key);
        if self.view.theirs.keys.first() != Some(&key) {
            return false;
        }
        let waiting = self.other.waiting.get(&number);
        let waiting = waiting.filter(|first| first.signed.content.key == key && first.hash != transfer.hash);
        let recent = self.other.recent.get(number);
        if waiting.is_none() && recent.is_none_or(|trace| trace.hash == transfer.hash) {
            return false;
        }
        let first = waiting.map(|first| &first.signed);
        let first = first.or_else(|| answer.accepted(number)).cloned().map(Box::new);
        // Once proven is enough, and what is proven has to stay the same.
        if !core::mem::replace(&mut self.has_quarrel, true) {
            answer.outcome.write.push(Row::Quarrel {
                first: first.clone(),
                second: Some(transfer.signed.clone()),
            });
        }
        answer.outcome.heard.push(Heard::Equivocation {
            number,
            first,
            second: Box::new(transfer.signed.clone()),
        });
        true
    }

    fn judge_and_do(&mut self, transfer: Hashed, answer: &mut Answer<'_>) -> Result<(), Reason> {
        let number = transfer.number();
        if self.has_quarrel {
            return Err(Reason::Quarrel);
        }
        if self.view.mine.keys.first() != Some(&answer.key.public()) {
            return Err(Reason::Key);
        }
        match self.judge(&transfer.signed.content)? {
            Judgement::Accept => self.accept(transfer, answer),
            Judgement::Release(reason) => return self.release(&transfer, reason, answer),
            Judgement::Wait => {
                let waiting = &mut self.other.waiting;
                if waiting.len() >= limits::MAX_PENDING_TRANSFERS && !waiting.contains_key(&number) {
                    return Err(Reason::TooManyPending);
                }
                waiting.insert(number, transfer);
                answer.outcome.heard.push(Heard::Waits { number });
            }
        }
        Ok(())
    }

    /// What a transfer, signed by a key of the other end, is worth now.
    fn judge(&self, transfer: &Transfer) -> Result<Judgement, Reason> {
        let (head, chain) = (self.other.head, &self.view.theirs.chain);
        let number = transfer.number;
        if number <= chain.void_through {
            return Err(Reason::Void);
        }
        if chain.voiding.is_some_and(|void| number <= void.through) {
            return Err(Reason::Voiding);
        }
        // An honest end signs no number again. Else it could show the log that the first was released, and have the
        // second void with it, which this end has countersigned.
        if number <= self.other.released_through() {
            return Err(Reason::Void);
        }
        if transfer.previous != head.hash {
            return match number.cmp(&head.number.saturating_add(1)) {
                Ordering::Greater => Ok(Judgement::Wait),
                _ => Err(Reason::Link),
            };
        }
        if self.view.theirs.keys.first() != Some(&transfer.key) {
            return Ok(Judgement::Release(Reason::FormerKey));
        }
        if head.owed.checked_add(transfer.amount) != Some(transfer.owed) {
            return Ok(Judgement::Release(Reason::Sum));
        }
        let (seen, own) = (&transfer.seen, &self.own.head);
        let is_there = match seen.number.cmp(&own.number) {
            // It counts on a countersignature of its own that is still on its way here.
            Ordering::Greater => return Ok(Judgement::Wait),
            Ordering::Equal => seen == own,
            Ordering::Less => seen.owed <= own.owed,
        };
        if !is_there || seen.number < self.other.seen.number || seen.owed < self.other.seen.owed {
            return Ok(Judgement::Release(Reason::Seen));
        }
        // As the log judges it: by the most of this end's chain that is anchored or counted on. What was anchored may
        // have been cleared since the other end signed.
        let counted = seen.owed.max(self.view.mine.chain.head.owed);
        let owes = i128::from(transfer.owed) - i128::from(counted) + i128::from(self.view.cleared);
        let limit = self.view.theirs.limit;
        if owes > i128::from(limit) {
            let over = Reason::OverLimit { owes, limit };
            // The other end may know already that part of what it owes was cleared.
            return if self.is_in_round() {
                Err(over)
            } else {
                Ok(Judgement::Release(over))
            };
        }
        self.judge_round(transfer)?;
        Ok(Judgement::Accept)
    }

    fn accept(&mut self, transfer: Hashed, answer: &mut Answer<'_>) {
        let number = transfer.number();
        self.other.take(&transfer);
        answer.outcome.heard.push(Heard::Accepted { number });
        if let Some(covered) = answer.accepted.replace(transfer) {
            answer.outcome.write.push(Row::Other {
                transfer: covered.signed,
                acceptance: None,
            });
        }
    }

    /// Countersigns the last transfer that was accepted, if that was not done yet.
    pub(super) fn countersign(&mut self, answer: &mut Answer<'_>) {
        let Some(transfer) = answer.accepted.take() else {
            return;
        };
        let acceptance = Acceptance {
            transfer: transfer.hash,
            key: answer.key.public(),
        };
        let acceptance = Signed::new(acceptance, answer.key);
        answer.outcome.write.push(Row::Other {
            transfer: transfer.signed.clone(),
            acceptance: Some(acceptance.clone()),
        });
        let message = LineMessage::Acceptance(Box::new(acceptance.clone()));
        answer.outcome.send.push(message);
        self.other.show(transfer, acceptance);
    }

    fn release(&mut self, transfer: &Hashed, reason: Reason, answer: &mut Answer<'_>) -> Result<(), Reason> {
        if self.other.released.len() >= limits::MAX_PENDING_TRANSFERS {
            return Err(reason);
        }
        // What it is released after, the other end holds signed by both.
        self.countersign(answer);
        let (number, hash, key) = (transfer.number(), transfer.hash, answer.key);
        let release = Release {
            federation: self.view.federation,
            line: self.view.line.clone(),
            debtor: self.view.theirs.did,
            after: self.other.head,
            transfer: hash,
            key: key.public(),
        };
        let release = Signed::new(release, key);
        self.other.released.insert(hash, (number, release.clone()));
        // What builds on it is void with it.
        self.other.waiting.remove(&number);
        answer.outcome.heard.push(Heard::Released { number, reason });
        answer.outcome.write.push(Row::Released {
            number,
            release: release.clone(),
        });
        let message = LineMessage::Release(Box::new(release));
        answer.outcome.send.push(message);
        Ok(())
    }

    /// Looks again at what waited for what has come meanwhile.
    pub(super) fn take_waiting(&mut self, answer: &mut Answer<'_>) {
        loop {
            let head = self.other.head.hash;
            let mut waiting = self.other.waiting.values();
            let next = waiting.find(|next| next.signed.content.previous == head);
            let Some(next) = next.cloned() else { return };
            let before = answer.outcome.heard.len();
            if self.judge_and_do(next, answer).is_err()
                || matches!(answer.outcome.heard.get(before), Some(Heard::Waits { .. }))
            {
                answer.outcome.heard.truncate(before);
                return;
            }
        }
    }

    /// The other end has countersigned.
    ///
    /// # Errors
    /// A [`Reason`] for which that does not count.
    fn on_acceptance(&mut self, signed: &Signed<Acceptance>, answer: &mut Answer<'_>) -> Result<(), Reason> {
        let hash = signed.content.transfer;
        let Some((number, trace)) = self.own.recent.number_of(&hash) else {
            return Err(Reason::Unknown);
        };
        if trace.is_void {
            return Err(Reason::Void);
        }
        let Some(transfer) = self.own.pending.get(&number).cloned() else {
            answer.outcome.heard.push(Heard::Duplicate { number });
            return Ok(());
        };
        if !self.view.theirs.keys.contains(&signed.content.key) {
            return Err(Reason::Key);
        }
        signed.verify().map_err(|_| Reason::Signature)?;
        self.confirm_own(transfer, signed.clone(), &mut answer.outcome);
        self.take_waiting(answer);
        Ok(())
    }

    pub(super) fn confirm_own(
        &mut self,
        transfer: Hashed,
        acceptance: Signed<Acceptance>,
        outcome: &mut Outcome,
    ) {
        let through = transfer.number();
        outcome.heard.push(Heard::Confirmed { through });
        outcome.write.push(Row::Own {
            transfer: transfer.signed.clone(),
            acceptance: Some(acceptance.clone()),
        });
        self.own.show(transfer, acceptance);
    }

    /// The other end will not countersign.
    ///
    /// # Errors
    /// A [`Reason`] for which that does not count, or not now.
    fn on_release(&mut self, signed: &Signed<Release>, outcome: &mut Outcome) -> Result<(), Reason> {
        let said = &signed.content;
        if said.federation != self.view.federation
            || said.line != self.view.line
            || said.debtor != self.view.mine.did
        {
            return Err(Reason::OtherLine);
        }
        let Some((number, trace)) = self.own.recent.number_of(&said.transfer) else {
            return Err(Reason::Unknown);
        };
        if trace.is_void {
            outcome.heard.push(Heard::Duplicate { number });
            return Ok(());
        }
        if !self.own.pending.contains_key(&number) {
            return Err(Reason::Contradiction);
        }
        // Countersignatures to those before it are on their way, or will be with the next sync.
        if said.after != self.own.head {
            return Err(Reason::Link);
        }
        if !self.view.theirs.keys.contains(&said.key) {
            return Err(Reason::Key);
        }
        signed.verify().map_err(|_| Reason::Signature)?;
        let (after, through) = (self.own.head.number, self.own.last);
        self.own.void_all();
        self.released = Some(signed.clone());
        outcome.heard.push(Heard::Voided {
            is_own: true,
            after,
            through,
        });
        outcome.write.push(Row::Void {
            is_own: true,
            after,
            through,
            release: Some(signed.clone()),
        });
        Ok(())
    }
}
