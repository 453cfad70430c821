//! What the desk does as time passes: it follows the log, asks other ends that are silent, and says what the log has to be
//! told.
use super::{
    CreditError,
    desk::{Desk, Place, Proof},
    line::{Line, Seen, heads, seen},
    rows,
};
use crate::{ledger::Ledger, membership::CAUGHT_UP};
use icn_model::{
    CoSigned, LineId, Millis, OperationId, Released, RoundNumber, Time, limits::MAX_LINES_PER_JOIN,
};
use icn_state::line::{Outcome, Row};
use std::collections::BTreeSet;

/// The longest that a silent end is left alone.
const ASK_LATEST: Millis = Millis::from_secs(16);
/// The log is told again after this, if it refused.
const TELL_AGAIN: Millis = Millis::from_secs(30);

/// Something to say on the log.
pub(super) enum Word {
    Anchor(LineId, Vec<CoSigned>),
    Prove(LineId, Box<Proof>),
    /// The other end has said that it is void.
    Void(LineId, Box<Released>),
    /// Takes part in a round of clearing with these lines.
    Join(RoundNumber, Vec<LineId>),
}

impl Desk {
    /// Brings every book to what the log says now; opens those of new lines, and closes those of forgotten ones.
    pub(super) fn follow(&mut self, now: Time) {
        let (did, ledger) = (self.did, self.ledger.clone());
        if now.since(ledger.progress().time) <= CAUGHT_UP {
            self.lines
                .values_mut()
                .for_each(|line| line.must_catch_up = false);
        }
        let standing = ledger.read(|state| {
            let lines = state.lines_of(&did).map(|(id, _)| id).collect::<Vec<_>>();
            lines
                .into_iter()
                .filter_map(|id| Some((seen(state, &id, &did)?, id)))
                .collect::<Vec<_>>()
        });
        let known: BTreeSet<&LineId> = standing.iter().map(|(_, id)| id).collect();
        self.lines.retain(|id, _| known.contains(id));
        self.quarrels.retain(|id, _| known.contains(id));
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
        line.reach(seen.peers);
        line.is_frozen = seen.is_frozen;
        line.is_awaited = seen.is_awaited;
        let forgiven = seen.view.theirs.chain.forgiven_through;
        let quarrel = self.quarrels.get(id);
        let is_forgiven = quarrel.is_some_and(|quarrel| quarrel.second.content.number <= forgiven);
        let mut outcome = Outcome::default();
        if *line.book.view() != seen.view {
            if heads(line.book.view()) != heads(&seen.view) {
                line.ahead_since = None;
            }
            outcome = line.book.follow(seen.view);
        }
        if is_forgiven && line.book.has_quarrel() {
            outcome.write.extend(line.book.forgive().write);
        }
        self.push(place, id, outcome, Vec::new(), None);
        if is_forgiven {
            self.quarrels.remove(id);
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
            if !is_needed || !is_time || line.to.is_none() {
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
            if let Some(quarrel) = self.quarrels.get(id).filter(|_| !line.is_frozen) {
                if line.may_tell(&self.ledger, now)
                    && let Some(proof) = quarrel.proof(&self.ledger, id)
                {
                    words.push(Word::Prove(id.clone(), Box::new(proof)));
                }
                continue;
            }
            line.look_at_void(&self.ledger);
            let heads = line.book.to_anchor();
            if heads.is_empty() {
                line.ahead_since = None;
                if line.may_tell(&self.ledger, now)
                    && let Some(released) = released(&self.ledger, id, line)
                {
                    words.push(Word::Void(id.clone(), Box::new(released)));
                }
                continue;
            }
            let since = *line.ahead_since.get_or_insert(now);
            // One of the two is enough, so the one whose word comes first in the agreement goes first.
            let turn = 1 + u64::from(line.is_second);
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

    /// The log does not take a release.
    pub(super) fn showed_in_vain(&mut self, id: &LineId) {
        if let Some(line) = self.lines.get_mut(id) {
            line.book.show_no_more();
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
}

/// The transfer of this end that the other one has released, with its word for it, as long as the log is to be shown both.
fn released(ledger: &Ledger, id: &LineId, line: &Line) -> Option<Released> {
    let (number, release) = line.book.to_show()?;
    match rows::transfer(ledger.store(), id, true, number).ok()?? {
        Row::Own { transfer, .. } => Some(Released {
            transfer: transfer.content,
            release: release.clone(),
        }),
        _ => None,
    }
}
