//! What the other end says of transfers.
use super::{Heard, LineBook, Outcome, Reason, Row, chains::Trace};
use alloc::{boxed::Box, vec::Vec};
use core::cmp::Ordering;
use icn_model::{Acceptance, CoSigned, Digest, LineMessage, Release, SecretKey, Signed, Transfer, limits};

/// What an end makes of a transfer of the other one.
enum Judgement {
    Accept,
    /// Later, perhaps.
    Wait,
    /// Never.
    Release(Reason),
}

impl LineBook {
    /// Takes what the other end says; countersigns with this end's line key.
    ///
    /// # Errors
    /// A [`Reason`] for which it is not listened to: nothing changes, and nothing is to be sent.
    pub fn hear(&mut self, message: &LineMessage, key: &SecretKey) -> Result<Outcome, Reason> {
        match message {
            LineMessage::Transfer(transfer) => self.on_transfer(transfer, key),
            LineMessage::Acceptance(acceptance) => self.on_acceptance(acceptance, key),
            LineMessage::Release(release) => self.on_release(release),
            LineMessage::Sync(sync) => self.on_sync(sync, key),
        }
    }

    /// The other end would owe more.
    ///
    /// # Errors
    /// A [`Reason`] for which it is not looked at, or not now.
    pub fn on_transfer(&mut self, signed: &Signed<Transfer>, key: &SecretKey) -> Result<Outcome, Reason> {
        let (transfer, hash) = (&signed.content, signed.content.hash());
        let number = transfer.number;
        if transfer.federation != self.view.federation
            || transfer.line != self.view.line
            || transfer.debtor != self.view.theirs.did
        {
            return Err(Reason::OtherLine);
        }
        if let Some(known) = self.known(number, &hash) {
            return Ok(known);
        }
        transfer.check().map_err(|_| Reason::Form)?;
        if !self.view.theirs.keys.contains(&transfer.key) {
            return Err(Reason::Key);
        }
        signed.verify().map_err(|_| Reason::Signature)?;
        if let Some(quarrel) = self.quarrel(signed, &hash) {
            return Ok(quarrel);
        }
        if number <= self.other.head.number {
            // Too old to know, or void: where this end stands says it all.
            return Ok(Outcome {
                heard: alloc::vec![Heard::Duplicate { number }],
                write: Vec::new(),
                send: alloc::vec![self.sync(true)],
            });
        }
        let mut outcome = Outcome::default();
        self.judge_and_do(signed, hash, key, &mut outcome)?;
        self.take_waiting(key, &mut outcome);
        Ok(outcome)
    }

    /// The same answer as before to what was answered.
    fn known(&self, number: u64, hash: &Digest) -> Option<Outcome> {
        let answer = if let Some((_, release)) = self.other.released.get(hash) {
            Some(LineMessage::Release(Box::new(release.clone())))
        } else {
            let trace = self.other.recent.get(number)?;
            if trace.hash != *hash || trace.is_void {
                return None;
            }
            // It covers all before it.
            let shown = self.other.shown.as_ref();
            shown.map(|shown| LineMessage::Acceptance(Box::new(shown.acceptance.clone())))
        };
        Some(Outcome {
            heard: alloc::vec![Heard::Duplicate { number }],
            write: Vec::new(),
            send: answer.into_iter().collect(),
        })
    }

    /// If this is the second transfer with its number: that ends all dealings. A replaced key may be in other hands, so
    /// what it signs says nothing of the cooperative.
    fn quarrel(&mut self, signed: &Signed<Transfer>, hash: &Digest) -> Option<Outcome> {
        let number = signed.content.number;
        if self.view.theirs.keys.first() != Some(&signed.content.key) {
            return None;
        }
        let waiting = self.other.waiting.get(&number);
        let first =
            waiting.filter(|first| first.content.key == signed.content.key && first.content.hash() != *hash);
        let recent = self.other.recent.get(number);
        if first.is_none() && recent.is_none_or(|trace| trace.hash == *hash) {
            return None;
        }
        let first = first.cloned().map(Box::new);
        self.has_quarrel = true;
        Some(Outcome {
            heard: alloc::vec![Heard::Equivocation {
                number,
                first,
                second: Box::new(signed.clone()),
            }],
            write: alloc::vec![Row::Quarrel {
                second: Some(signed.clone()),
            }],
            send: Vec::new(),
        })
    }

    fn judge_and_do(
        &mut self,
        signed: &Signed<Transfer>,
        hash: Digest,
        key: &SecretKey,
        outcome: &mut Outcome,
    ) -> Result<(), Reason> {
        let number = signed.content.number;
        if self.has_quarrel {
            return Err(Reason::Quarrel);
        }
        if self.view.mine.keys.first() != Some(&key.public()) {
            return Err(Reason::Key);
        }
        match self.judge(&signed.content)? {
            Judgement::Accept => self.accept(signed, hash, key, outcome),
            Judgement::Release(reason) => return self.release(signed, hash, reason, key, outcome),
            Judgement::Wait => {
                let waiting = &mut self.other.waiting;
                if waiting.len() >= limits::MAX_PENDING_TRANSFERS && !waiting.contains_key(&number) {
                    return Err(Reason::TooManyPending);
                }
                waiting.insert(number, signed.clone());
                outcome.heard.push(Heard::Waits { number });
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

    fn accept(&mut self, signed: &Signed<Transfer>, hash: Digest, key: &SecretKey, outcome: &mut Outcome) {
        let acceptance = Acceptance {
            transfer: hash,
            key: key.public(),
        };
        let acceptance = Signed::new(acceptance, key);
        let number = signed.content.number;
        self.other.confirm(CoSigned {
            transfer: signed.clone(),
            acceptance: acceptance.clone(),
        });
        outcome.heard.push(Heard::Accepted { number });
        outcome.write.push(Row::Other {
            transfer: signed.clone(),
            acceptance: acceptance.clone(),
        });
        outcome.send.push(LineMessage::Acceptance(Box::new(acceptance)));
    }

    fn release(
        &mut self,
        signed: &Signed<Transfer>,
        hash: Digest,
        reason: Reason,
        key: &SecretKey,
        outcome: &mut Outcome,
    ) -> Result<(), Reason> {
        if self.other.released.len() >= limits::MAX_PENDING_TRANSFERS {
            return Err(reason);
        }
        let number = signed.content.number;
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
        outcome.heard.push(Heard::Released { number, reason });
        outcome.write.push(Row::Released {
            number,
            release: release.clone(),
        });
        outcome.send.push(LineMessage::Release(Box::new(release)));
        Ok(())
    }

    /// Looks again at what waited for what has come meanwhile.
    pub(super) fn take_waiting(&mut self, key: &SecretKey, outcome: &mut Outcome) {
        loop {
            let head = self.other.head.hash;
            let next = self
                .other
                .waiting
                .values()
                .find(|next| next.content.previous == head);
            let Some(next) = next.cloned() else { return };
            let before = outcome.heard.len();
            let hash = next.content.hash();
            if self.judge_and_do(&next, hash, key, outcome).is_err()
                || matches!(outcome.heard.get(before), Some(Heard::Waits { .. }))
            {
                outcome.heard.truncate(before);
                return;
            }
        }
    }

    /// The other end has countersigned.
    ///
    /// # Errors
    /// A [`Reason`] for which that does not count.
    pub fn on_acceptance(&mut self, signed: &Signed<Acceptance>, key: &SecretKey) -> Result<Outcome, Reason> {
        let hash = signed.content.transfer;
        let Some((number, trace)) = self.own.recent.number_of(&hash) else {
            return Err(Reason::Unknown);
        };
        if trace.is_void {
            return Err(Reason::Void);
        }
        let Some(transfer) = self.own.pending.get(&number).cloned() else {
            return Ok(Outcome {
                heard: alloc::vec![Heard::Duplicate { number }],
                ..Outcome::default()
            });
        };
        if !self.view.theirs.keys.contains(&signed.content.key) {
            return Err(Reason::Key);
        }
        signed.verify().map_err(|_| Reason::Signature)?;
        let acceptance = signed.clone();
        let mut outcome = Outcome::default();
        self.confirm_own(CoSigned { transfer, acceptance }, &mut outcome);
        self.take_waiting(key, &mut outcome);
        Ok(outcome)
    }

    pub(super) fn confirm_own(&mut self, shown: CoSigned, outcome: &mut Outcome) {
        let transfer = &shown.transfer.content;
        let through = transfer.number;
        self.own.recent.add(through, Trace::of(transfer));
        outcome.heard.push(Heard::Confirmed { through });
        outcome.write.push(Row::Own {
            transfer: shown.transfer.clone(),
            acceptance: Some(shown.acceptance.clone()),
        });
        self.own.confirm(shown.head(), Some(shown));
    }

    /// The other end will not countersign.
    ///
    /// # Errors
    /// A [`Reason`] for which that does not count, or not now.
    pub fn on_release(&mut self, signed: &Signed<Release>) -> Result<Outcome, Reason> {
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
            return Ok(Outcome {
                heard: alloc::vec![Heard::Duplicate { number }],
                ..Outcome::default()
            });
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
        Ok(Outcome {
            heard: alloc::vec![Heard::Voided {
                is_own: true,
                after,
                through,
            }],
            write: alloc::vec![Row::Void {
                is_own: true,
                after,
                through,
                release: Some(signed.clone()),
            }],
            send: Vec::new(),
        })
    }
}
