//! How two ends find out where they stand after they were apart, and how a book follows the log.
use super::{Heard, LineBook, Outcome, Reason, Row, View, chains::Hashed, hear::Answer};
use alloc::boxed::Box;
use icn_model::{ChainView, CoSigned, Head, LineMessage, LineSync};

impl LineBook {
    /// Where this end stands: to be sent whenever the other one is reached again.
    pub fn sync(&self, is_answer: bool) -> LineMessage {
        let view = |head: Head, shown: &Option<CoSigned>| ChainView {
            head,
            shown: shown.clone().map(Box::new),
        };
        LineMessage::Sync(Box::new(LineSync {
            line: self.view.line.clone(),
            own: view(self.own.head, &self.own.shown),
            other: view(self.other.head, &self.other.shown),
            heard: self.other.heard(),
            is_answer,
        }))
    }

    /// The other end says where it stands: takes from it what is signed by both, tells it what it does not know, and
    /// sends again what is pending.
    ///
    /// # Errors
    /// A [`Reason`] for which it is not listened to.
    pub(super) fn on_sync(&mut self, sync: &LineSync, answer: &mut Answer<'_>) -> Result<(), Reason> {
        if sync.line != self.view.line {
            return Err(Reason::OtherLine);
        }
        self.countersign(answer);
        // What it owes and what it is owed, from its side.
        if let Some(shown) = &sync.own.shown {
            self.adopt_other(shown, &mut answer.outcome)?;
        }
        if let Some(shown) = &sync.other.shown {
            self.adopt_own(shown, &mut answer.outcome)?;
        }
        // What this end had signed before it was restored, and the other one has, is known now.
        let knows_all = sync.other.head.number <= self.own.head.number;
        if self.is_restored {
            // A word that nobody has signed: it can cost numbers, not all of them.
            let most = self.own.head.number.saturating_add(u64::from(u32::MAX));
            self.own.last = self.own.last.max(sync.heard.min(most));
        }
        self.is_restored &= !knows_all;
        // Also where nothing is new: who asks waits to hear just that before it signs, or until it goes quiet.
        if !sync.is_answer {
            answer.outcome.send.push(self.sync(true));
        }
        self.take_waiting(answer);
        let again = self.own.pending.values().map(Self::transfer);
        answer.outcome.send.extend(again);
        Ok(())
    }

    /// Whether a transfer of a chain is one that both ends have signed, and comes after `head`.
    fn check_adopted(&self, shown: &CoSigned, is_own: bool) -> Result<bool, Reason> {
        let transfer = &shown.transfer.content;
        let (debtor, creditor) = match is_own {
            true => (&self.view.mine, &self.view.theirs),
            false => (&self.view.theirs, &self.view.mine),
        };
        if transfer.federation != self.view.federation
            || transfer.line != self.view.line
            || transfer.debtor != debtor.did
        {
            return Err(Reason::OtherLine);
        }
        let head = if is_own { self.own.head } else { self.other.head };
        // The log says that it is void; the other end has not followed it so far.
        let is_void = transfer.number <= debtor.chain.void_through;
        if transfer.number <= head.number || is_void {
            return Ok(false);
        }
        // By a key that was replaced long ago: the next transfer says as much.
        if !debtor.keys.contains(&transfer.key) || !creditor.keys.contains(&shown.acceptance.content.key) {
            return Ok(false);
        }
        shown.verify().map_err(|_| Reason::Signature)?;
        Ok(true)
    }

    fn adopt_own(&mut self, shown: &CoSigned, outcome: &mut Outcome) -> Result<(), Reason> {
        if !self.check_adopted(shown, true)? {
            return Ok(());
        }
        self.check_pending(&shown.head())?;
        // The other end has released it: what is void between the two stays so, unless the log says otherwise.
        let number = shown.transfer.content.number;
        if self.own.recent.get(number).is_some_and(|trace| trace.is_void) {
            return Err(Reason::Void);
        }
        let transfer = Hashed::countersigned(shown.transfer.clone(), &shown.acceptance);
        self.confirm_own(transfer, shown.acceptance.clone(), outcome);
        Ok(())
    }

    /// That what is pending agrees with a head that both have signed.
    fn check_pending(&self, head: &Head) -> Result<(), Reason> {
        let agrees = match self.own.pending.range(head.number..).next() {
            // Lost, with all after it, before this end was restored.
            None => true,
            Some((number, next)) => *number == head.number && next.hash == head.hash,
        };
        if agrees {
            Ok(())
        } else {
            Err(Reason::Contradiction)
        }
    }

    fn adopt_other(&mut self, shown: &CoSigned, outcome: &mut Outcome) -> Result<(), Reason> {
        if !self.check_adopted(shown, false)? {
            return Ok(());
        }
        let number = shown.transfer.content.number;
        outcome.heard.push(Heard::Accepted { number });
        outcome.write.push(Row::Other {
            transfer: shown.transfer.clone(),
            acceptance: Some(shown.acceptance.clone()),
        });
        let transfer = Hashed::countersigned(shown.transfer.clone(), &shown.acceptance);
        self.other.show(transfer, shown.acceptance.clone());
        Ok(())
    }

    /// Takes what the log says now: limits, keys, what is anchored, and what is void.
    pub fn follow(&mut self, view: View) -> Outcome {
        let mut outcome = Outcome::default();
        let was_asked = self.view.mine.chain.voiding.is_some();
        self.view = view;
        let is_asked = self.view.mine.chain.voiding.is_some();
        self.follow_own(&mut outcome);
        self.follow_other(&mut outcome);
        if (was_asked && !is_asked) || self.own.pending.is_empty() {
            self.decided();
        }
        outcome
    }

    fn follow_own(&mut self, outcome: &mut Outcome) {
        let chain = self.view.mine.chain;
        if chain.head.number > self.own.head.number && self.check_pending(&chain.head).is_ok() {
            if let Some(transfer) = self.own.pending.get(&chain.head.number) {
                self.own.recent.add(transfer);
            }
            outcome.heard.push(Heard::Confirmed {
                through: chain.head.number,
            });
            let (is_own, head) = (true, chain.head);
            outcome.write.push(Row::Anchored { is_own, head });
            self.own.confirm(chain.head, None);
        }
        let through = chain.void_through;
        let is_rewound = chain.head.number < self.own.head.number && self.own.head.number <= through;
        let first = self.own.pending.keys().next();
        let is_void = first.is_some_and(|first| *first <= through);
        // A book that is loaded has read what is void already, and what was signed since stands on what the log says.
        let head = self.own.recent.get(self.own.head.number);
        let is_told = head.is_some_and(|head| head.is_void);
        if is_rewound {
            self.own.confirm(chain.head, None);
        }
        if (is_rewound && !is_told) || is_void {
            let (after, last) = (self.own.head.number, self.own.last.max(through));
            self.own.last = last;
            self.own.void_all();
            self.tell_void(true, after, last, outcome);
        }
        self.own.last = self.own.last.max(through);
        if self.other.seen.number > self.own.head.number {
            self.other.seen = self.own.head;
        }
    }

    fn follow_other(&mut self, outcome: &mut Outcome) {
        let chain = self.view.theirs.chain;
        let head = self.other.head.number;
        if chain.head.number > head {
            self.other.move_to(chain.head);
            let (is_own, head) = (false, chain.head);
            outcome.write.push(Row::Anchored { is_own, head });
        } else if chain.head.number < head && head <= chain.void_through {
            self.other.move_to(chain.head);
            let (after, through) = (chain.head.number, chain.void_through);
            self.other.recent.void(after, through);
            self.tell_void(false, after, through, outcome);
        }
    }

    fn tell_void(&self, is_own: bool, after: u64, through: u64, outcome: &mut Outcome) {
        outcome.heard.push(Heard::Voided {
            is_own,
            after,
            through,
        });
        outcome.write.push(Row::Void {
            is_own,
            after,
            through,
            release: None,
        });
    }
}
