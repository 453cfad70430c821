//! What an end has signed and must not have, and what it has signed and would have void.
use super::LineKey;
use crate::step::Step;
use icn_model::{
    CreditStep, LineId, LinePhase, LineRecord, OpenVoid, Operation, Refusal, Released, Role, Signed, Transfer,
};

impl Step<'_> {
    /// Freezes a line if one of its ends has signed two transfers with one number.
    ///
    /// Numbers are not used again after a void, so no honest end ever signs two: there is nothing to excuse. What both
    /// have signed stays owed, and can be anchored as after a suspension.
    pub(super) fn prove_equivocation(
        &mut self,
        operation: &Operation,
        key: &LineKey,
        [first, second]: [&Signed<Transfer>; 2],
    ) -> Result<(), Refusal> {
        let seat = self.seat_acting(operation, &[Role::Seat, Role::Officer, Role::Line])?;
        if !seat.phase.is_seated() {
            return Err(Refusal::NotSeated {});
        }
        let line = self.line(key)?;
        if matches!(line.phase, LinePhase::Frozen { .. }) {
            return Err(Refusal::AlreadyFrozen {});
        }
        let (a, b) = (&first.content, &second.content);
        let (agreement, unit) = (key.0, key.1.clone());
        let id = LineId { agreement, unit };
        let is_here = |one: &Transfer| one.federation == self.state.federation.id && one.line == id;
        if !is_here(a) || !is_here(b) {
            return Err(nothing("they are not both of this line"));
        }
        if a.debtor != b.debtor || a.number != b.number {
            return Err(nothing("they are not of one chain with one number"));
        }
        if line.end(&a.debtor).is_none() {
            return Err(nothing("their debtor is no end of the line"));
        }
        let (debtor, number) = (a.debtor, a.number);
        let end = line.end(&debtor).unwrap_or(0);
        if number <= line.chains[end].forgiven_through {
            return Err(nothing("all parties have signed new terms since"));
        }
        let (first_hash, second_hash) = (a.hash(), b.hash());
        if first_hash == second_hash {
            return Err(nothing("they are one and the same"));
        }
        for one in [first, second] {
            self.check_line_key(debtor, one.content.key)?;
            if one.verify().is_err() {
                return Err(nothing("the debtor has not signed both"));
            }
        }
        let phase = LinePhase::Frozen { debtor, number };
        self.tell_of_line(
            key,
            CreditStep::Equivocated {
                debtor,
                number,
                first: first_hash,
                second: second_hash,
            },
        );
        let line = self.stand(key, line, phase);
        self.set_line(key, line);
        Ok(())
    }

    /// Opens a window after which what the debtor has signed up to `through`, and the creditor has not shown, is void.
    ///
    /// What is anchored is the last that counts, so who asks anchors its own last head first: else more is void than it
    /// means, and the creditor will show it. Numbers that are void are not signed again: the chain goes on above
    /// `through`, on the head that the log names.
    pub(super) fn void(
        &mut self,
        key: &LineKey,
        mut line: LineRecord,
        end: usize,
        through: u64,
        release: Option<&Released>,
    ) -> Result<(), Refusal> {
        let chain = line.chains[end];
        let settled = chain.head.number.max(chain.void_through);
        if through <= settled {
            return Err(Refusal::NothingToVoid { through, settled });
        }
        if let Some(released) = release {
            self.check_release(key, &line, end, through, released)?;
            line.chains[end].void_through = through;
            line.chains[end].voiding = chain.voiding.filter(|open| open.through > through);
            self.tell_of_line(
                key,
                CreditStep::Voided {
                    debtor: line.ends[end],
                    after: chain.head,
                    through,
                },
            );
            self.set_line(key, line);
            return Ok(());
        }
        if let Some(open) = chain.voiding {
            return Err(Refusal::VoidOpen { until: open.until });
        }
        let agreement = self.state.tables.agreements.get(&key.0);
        let held = agreement.and_then(|agreement| agreement.in_force.as_ref());
        let Some(held) = held else {
            return Err(Refusal::UnknownAgreement { agreement: key.0 });
        };
        let until = self.context.time.after(held.terms.contest_ms);
        line.chains[end].voiding = Some(OpenVoid { through, until });
        self.tell_of_line(
            key,
            CreditStep::VoidAsked {
                debtor: line.ends[end],
                through,
                until,
            },
        );
        self.set_line(key, line);
        Ok(())
    }

    fn check_release(
        &self,
        key: &LineKey,
        line: &LineRecord,
        end: usize,
        through: u64,
        Released { transfer, release }: &Released,
    ) -> Result<(), Refusal> {
        let said = &release.content;
        let (agreement, unit) = (key.0, key.1.clone());
        if said.federation != self.state.federation.id
            || said.line != (LineId { agreement, unit })
            || said.debtor != line.ends[end]
        {
            return Err(bad_release("it is not of this chain"));
        }
        if said.after != line.chains[end].head {
            return Err(bad_release("what is anchored is not the transfer before it"));
        }
        // Else a debtor could name the number of another transfer, which its creditor holds signed by both.
        if transfer.number != through || transfer.hash() != said.transfer {
            return Err(bad_release("it is for another transfer"));
        }
        self.check_line_key(line.ends[1 - end], said.key)?;
        release
            .verify()
            .map_err(|_| bad_release("the creditor has not signed it"))
    }
}

fn nothing(detail: &str) -> Refusal {
    Refusal::NoEquivocation {
        detail: detail.into(),
    }
}

fn bad_release(detail: &str) -> Refusal {
    Refusal::BadRelease {
        detail: detail.into(),
    }
}
