//! One line of this node: its book, its other end, and what was said of it.
use crate::{
    keys,
    ledger::{Ledger, OperationStatus},
    membership::is_waiting,
};
use commonware_cryptography::ed25519;
use icn_model::{Did, LineId, LinePhase, Millis, OperationId, PublicKey, Time};
use icn_state::{
    State,
    line::{LineBook, View},
};

/// What waits for the other end is sent again, and what that knows asked for, after this; twice as long after each time
/// that nothing comes back.
pub(super) const ASK_FIRST: Millis = Millis::from_secs(1);

/// A line that this node keeps.
pub(super) struct Line {
    pub(super) book: LineBook,
    /// The seat keys of the other end: the one in force, then those that it had.
    pub(super) peers: Vec<PublicKey>,
    /// The first of them, as the network has it: told apart since finding the point of a key takes a while.
    pub(super) to: Option<ed25519::PublicKey>,
    /// Whether this end is the agreement's counterparty, which leaves the first word to the proposer.
    pub(super) is_second: bool,
    /// Whether it is frozen on the log.
    pub(super) is_frozen: bool,
    /// Whether this node may have forgotten what it promised, until its log is here again: what it has joined a round of
    /// clearing with, for one.
    pub(super) must_catch_up: bool,
    /// Whether a round of clearing waits for this end's word that it takes part with the line.
    pub(super) is_awaited: bool,
    /// When the other end was last heard.
    pub(super) heard: Option<Time>,
    /// When it was last asked where it stands, and how long to wait until it is asked again.
    pub(super) asked: Option<Time>,
    pub(super) patience: Millis,
    /// Since when both have signed what the log does not know.
    pub(super) ahead_since: Option<Time>,
    /// What the log was told last.
    pub(super) told: Option<OperationId>,
    /// When it refused: not before this it is told again.
    pub(super) tell_again: Option<Time>,
    /// The log was asked to make void what is pending, by this operation.
    pub(super) voiding: Option<OperationId>,
}

impl Line {
    /// The other end has these seat keys.
    pub(super) fn reach(&mut self, peers: Vec<PublicKey>) {
        if self.peers.first() != peers.first() {
            self.to = peers.first().and_then(keys::public);
        }
        self.peers = peers;
    }

    /// Whether nothing that the log was told is still on its way.
    pub(super) fn may_tell(&self, ledger: &Ledger, now: Time) -> bool {
        let is_told = self
            .told
            .as_ref()
            .is_some_and(|operation| is_waiting(ledger, operation));
        !is_told && self.tell_again.is_none_or(|again| now >= again)
    }

    /// Goes on if the log has not taken the wish to make void what is pending.
    pub(super) fn look_at_void(&mut self, ledger: &Ledger) {
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
pub(super) struct Seen {
    pub(super) view: View,
    pub(super) peers: Vec<PublicKey>,
    pub(super) is_second: bool,
    pub(super) is_frozen: bool,
    pub(super) is_awaited: bool,
}

pub(super) fn seen(state: &State, id: &LineId, me: &Did) -> Option<Seen> {
    let view = state.line_view(id, me)?;
    let other = state.seat_record(&view.theirs.did);
    let peers = other.map_or_else(Vec::new, |seat| {
        let former = seat.succession.former_seats.iter().rev();
        std::iter::once(&seat.keys.seat).chain(former).copied().collect()
    });
    let line = state.line(id)?;
    let is_frozen = matches!(line.phase, LinePhase::Frozen { .. });
    let is_announced = view.round.is_some_and(|round| !round.is_frozen);
    Some(Seen {
        is_awaited: is_announced && view.mine.base.is_none(),
        view,
        peers,
        is_second: line.ends[1] == *me,
        is_frozen,
    })
}

pub(super) fn heads(view: &View) -> [u64; 2] {
    [view.mine.chain.head.number, view.theirs.chain.head.number]
}
