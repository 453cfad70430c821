//! What a book does while a round of clearing is on.
use super::{LineBook, Outcome, Reason, Row};
use icn_model::{RoundNumber, Transfer};

impl LineBook {
    /// The round in which this end's chain is bounded, and from what sum on: since it has joined, or is about to, until
    /// the freeze; from then on if it could be made to owe more.
    fn bounded(&self) -> Option<(RoundNumber, u64)> {
        let (round, mine) = (self.view.round?, &self.view.mine);
        let is_about_to = !round.is_frozen && self.joins == Some(round.number);
        let base = mine
            .base
            .or_else(|| is_about_to.then_some(mine.chain.head.owed))?;
        Some((round.number, base))
    }

    /// That the limit holds with `amount` more, whether the round is applied or aborted.
    pub(super) fn check_round(&self, amount: u64) -> Result<(), Reason> {
        let Some((round, base)) = self.bounded() else {
            return Ok(());
        };
        let remains = self.remains(base);
        if amount > remains {
            return Err(Reason::Round { round, remains });
        }
        Ok(())
    }

    /// How much more this end's chain can grow, if it is bounded from `base` on.
    fn remains(&self, base: u64) -> u64 {
        let grown = self.own.tip().owed.saturating_sub(base);
        self.view.mine.limit.saturating_sub(grown)
    }

    /// Whether the line is in the round that is under way, as far as this end knows.
    pub(super) fn is_in_round(&self) -> bool {
        let both = [&self.view.mine, &self.view.theirs];
        let is_joined = both.iter().all(|side| side.base.is_some());
        self.view.round.is_some_and(|round| round.is_frozen || is_joined)
    }

    /// The same of a transfer of the other end: it may be too early for it, or this end may not have heard of what was
    /// anchored, so this is never a reason to release it.
    pub(super) fn judge_round(&self, transfer: &Transfer) -> Result<(), Reason> {
        let theirs = &self.view.theirs;
        let (Some(round), Some(base)) = (self.view.round, theirs.base) else {
            return Ok(());
        };
        if transfer.owed.saturating_sub(base) <= theirs.limit {
            return Ok(());
        }
        let grown = self.other.head.owed.saturating_sub(base);
        Err(Reason::Round {
            round: round.number,
            remains: theirs.limit.saturating_sub(grown),
        })
    }

    /// The round that this end can join with the line now, and has not joined as far as the log says: everything that
    /// both have signed is anchored, and what is pending is within the limit over that.
    ///
    /// # Errors
    /// What stands in the way: [`Reason::NoRound`] where there is none, the others pass.
    pub fn round_to_join(&self) -> Result<RoundNumber, Reason> {
        let round = self.view.round.filter(|round| !round.is_frozen);
        let round = round.ok_or(Reason::NoRound)?.number;
        let mine = &self.view.mine;
        if mine.base.is_some() {
            return Err(Reason::NoRound);
        }
        if self.is_restored {
            return Err(Reason::Restored);
        }
        if !self.to_anchor().is_empty() {
            return Err(Reason::NotAnchored);
        }
        let grown = self.own.tip().owed.saturating_sub(mine.chain.head.owed);
        if grown > mine.limit {
            let remains = 0;
            return Err(Reason::Round { round, remains });
        }
        Ok(round)
    }

    /// Joins [`Self::round_to_join`]: from now on, what this end signs fits its limit under both outcomes. When the row
    /// of the outcome is durable, and not before, `ClearingAct::Join` may name the line. It may be told again.
    ///
    /// # Errors
    /// As [`Self::round_to_join`]; nothing changes.
    pub fn join_round(&mut self) -> Result<(RoundNumber, Outcome), Reason> {
        let round = self.round_to_join()?;
        let mut outcome = Outcome::default();
        if self.joins != Some(round) {
            self.joins = Some(round);
            outcome.write.push(Row::Joins { round });
        }
        Ok((round, outcome))
    }
}
