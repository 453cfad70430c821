//! What ends show and say of a line.
use super::LineKey;
use crate::step::Step;
use icn_model::{
    ChainRecord, CoSigned, CreditAct, CreditStep, Did, LineDispute, LineId, LineRecord, Operation, Refusal,
    Role, limits,
};

/// Who may show something of a line for its end.
const SHOWING: [Role; 3] = [Role::Line, Role::Officer, Role::Seat];

impl Step<'_> {
    pub(crate) fn act_on_line(
        &mut self,
        operation: &Operation,
        key: &LineKey,
        act: &CreditAct,
    ) -> Result<(), Refusal> {
        if let CreditAct::ProveEquivocation { first, second } = act {
            return self.prove_equivocation(operation, key, [first, second]);
        }
        let roles = match act {
            CreditAct::Dispute { .. } | CreditAct::Withdraw {} => &[Role::Officer],
            _ => SHOWING.as_slice(),
        };
        self.cooperative_acting(operation, roles)?;
        let line = self.line(key)?;
        let Some(end) = line.end(&operation.author) else {
            return Err(Refusal::NotAnEnd { agreement: key.0 });
        };
        match act {
            CreditAct::Anchor { heads } => self.anchor(key, line, heads),
            CreditAct::Void { through, release } => self.void(key, line, end, *through, release.as_ref()),
            CreditAct::Dispute { reason } => self.dispute(key, line, operation.author, reason),
            CreditAct::Withdraw {} => self.withdraw_dispute(key, line, operation.author),
            // Heard above: anybody may say it.
            CreditAct::ProveEquivocation { .. } => Ok(()),
        }
    }

    fn anchor(&mut self, key: &LineKey, mut line: LineRecord, heads: &[CoSigned]) -> Result<(), Refusal> {
        let before = line.chains;
        let mut old = None;
        if heads.is_empty() || heads.len() > 2 {
            return Err(bad_head("one or two transfers are shown at a time"));
        }
        for (at, shown) in heads.iter().enumerate() {
            let debtor = shown.transfer.content.debtor;
            if heads[..at]
                .iter()
                .any(|other| other.transfer.content.debtor == debtor)
            {
                return Err(bad_head("one transfer of each chain is shown at a time"));
            }
            let end = self.check_shown(key, &line, shown)?;
            match self.advance(&mut line.chains[end], shown) {
                Err(Refusal::OldHead { .. }) => old = Some((end, shown)),
                result => result?,
            }
        }
        if let Some((end, shown)) = old
            && line.chains == before
        {
            return Err(old_head(&before[end], shown));
        }
        for shown in heads {
            self.check_bounds(key, &line, &before, shown)?;
        }
        for (end, (was, is)) in before.iter().zip(line.chains).enumerate() {
            if was.head == is.head {
                continue;
            }
            let debtor = line.ends[end];
            let head = is.head;
            self.tell_of_line(key, CreditStep::Anchored { debtor, head });
            if was.voiding.is_some() && is.voiding.is_none() {
                self.tell_of_line(key, CreditStep::VoidFell { debtor });
            }
        }
        self.set_line(key, line);
        Ok(())
    }

    /// That both ends have signed what is shown, on this line; says whose chain it is.
    fn check_shown(&self, key: &LineKey, line: &LineRecord, shown: &CoSigned) -> Result<usize, Refusal> {
        let transfer = &shown.transfer.content;
        let (agreement, unit) = (key.0, key.1.clone());
        if transfer.federation != self.state.federation.id {
            return Err(bad_head("it is for another federation"));
        }
        if transfer.line != (LineId { agreement, unit }) {
            return Err(bad_head("it is of another line"));
        }
        let Some(end) = line.end(&transfer.debtor) else {
            return Err(bad_head("its debtor is no end of the line"));
        };
        transfer
            .check()
            .map_err(|error| bad_head(&alloc::format!("{error}")))?;
        self.check_line_key(line.ends[end], transfer.key)?;
        self.check_line_key(line.ends[1 - end], shown.acceptance.content.key)?;
        shown.verify().map_err(|error| Refusal::HalfSigned {
            detail: alloc::format!("{error}"),
        })?;
        Ok(end)
    }

    /// Moves a chain to what is shown, if that comes after where it stands.
    fn advance(&self, chain: &mut ChainRecord, shown: &CoSigned) -> Result<(), Refusal> {
        let (transfer, head) = (&shown.transfer.content, shown.head());
        let (end, number) = (transfer.debtor, head.number);
        if number == chain.head.number && head != chain.head {
            return Err(Refusal::OtherHead { end, number });
        }
        if number <= chain.head.number {
            return Err(old_head(chain, shown));
        }
        if number <= chain.void_through {
            let through = chain.void_through;
            return Err(Refusal::VoidNumber { end, number, through });
        }
        // What comes before it stays owed.
        if head.owed - transfer.amount < chain.head.owed {
            return Err(bad_head("it adds up to less than what is anchored"));
        }
        chain.head = head;
        chain.void_through = 0;
        if chain.voiding.is_some_and(|void| number >= void.through) {
            chain.voiding = None;
        }
        Ok(())
    }

    /// That what a transfer counts on is there, and its debtor owes no more than it may.
    ///
    /// What it owes is judged by all that is anchored of the other chain, which is at least what the transfer counts on:
    /// it is the position that is bounded, and a position rises by nothing but what is shown here, and by clearing, which
    /// the second check is for.
    fn check_bounds(
        &self,
        key: &LineKey,
        line: &LineRecord,
        before: &[ChainRecord; 2],
        shown: &CoSigned,
    ) -> Result<(), Refusal> {
        let transfer = &shown.transfer.content;
        let Some(end) = line.end(&transfer.debtor) else {
            return Ok(());
        };
        if line.chains[end].head == before[end].head {
            return Ok(());
        }
        let (seen, other) = (&transfer.seen, &line.chains[1 - end]);
        let is_there = match seen.number.cmp(&other.head.number) {
            core::cmp::Ordering::Less => seen.owed <= other.head.owed,
            core::cmp::Ordering::Equal => *seen == other.head,
            core::cmp::Ordering::Greater => false,
        };
        if !is_there {
            return Err(Refusal::UnseenHead {
                end: line.ends[1 - end],
                seen: seen.number,
                anchored: other.head.number,
            });
        }
        let (owes, limit) = (line.debt(end), line.anchorable(self.now()).of(end));
        let end = transfer.debtor;
        if owes > i128::from(limit) {
            let owes = u64::try_from(owes).unwrap_or(u64::MAX);
            return Err(Refusal::OverLimit { end, owes, limit });
        }
        match self.state.round_base(key, &end) {
            Some((round, base)) if transfer.owed.saturating_sub(base) > limit => {
                Err(Refusal::OverLimitInRound {
                    end,
                    owes: transfer.owed.saturating_sub(base),
                    limit,
                    round,
                })
            }
            _ => Ok(()),
        }
    }

    fn dispute(&mut self, key: &LineKey, mut line: LineRecord, by: Did, reason: &str) -> Result<(), Refusal> {
        if reason.trim().is_empty() || reason.len() > limits::MAX_TEXT_BYTES {
            return Err(Refusal::NoReason {});
        }
        if line.disputes.iter().any(|dispute| dispute.by == by) {
            return Err(Refusal::AlreadySaid {});
        }
        line.disputes.push(LineDispute {
            by,
            reason: reason.into(),
            since: self.context.time,
        });
        let reason = reason.into();
        self.tell_of_line(key, CreditStep::Disputed { by, reason });
        self.set_line(key, line);
        Ok(())
    }

    fn withdraw_dispute(&mut self, key: &LineKey, mut line: LineRecord, by: Did) -> Result<(), Refusal> {
        let before = line.disputes.len();
        line.disputes.retain(|dispute| dispute.by != by);
        if line.disputes.len() == before {
            return Err(Refusal::NotDisputed {});
        }
        self.tell_of_line(key, CreditStep::DisputeEnded { by });
        self.set_line(key, line);
        Ok(())
    }
}

fn old_head(chain: &ChainRecord, shown: &CoSigned) -> Refusal {
    let transfer = &shown.transfer.content;
    Refusal::OldHead {
        end: transfer.debtor,
        number: transfer.number,
        anchored: chain.head.number,
    }
}

fn bad_head(detail: &str) -> Refusal {
    Refusal::BadHead {
        detail: detail.into(),
    }
}
