//! One block's work on the state: what time brings about, then the operations in order.
//!
//! An operation is judged in the order of the refusals' hundreds: form, author, then what it asks. What is
//! refused is undone to where it began, so no handler needs to check before it writes.
use crate::{changes::Changes, sequence, state::State};
use alloc::vec::Vec;
use icn_model::{
    Action, BlockHeader, Digest, Event, Height, Millis, Operation, Refusal, Role, SeatKind, SeatRecord,
    SignedOperation, Time, limits,
};

/// Things of each kind that one block ends; the rest waits for the next block.
pub(crate) const MAX_DUE_PER_BLOCK: usize = 8_192;
/// A pause of the log that is nobody's fault: what somebody had to do in it gets as much time again.
pub(crate) const GAP: Millis = Millis::from_secs(600);

/// What an operation's block is, to the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockContext {
    /// Its height: one above the state's.
    pub height: Height,
    /// Its time: what begins in the block begins then.
    pub time: Time,
    /// Its parent's time: what deadlines compare with, so that no proposer decides who was in time.
    pub parent_time: Time,
    /// Hash of its parent, from which juries are drawn.
    pub parent: Digest,
}

/// What a block brought about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockOutcome {
    /// One per operation, in order.
    pub results: Vec<Result<(), Refusal>>,
    /// What happened, in order.
    pub events: Vec<Event>,
    /// Every changed record, the head included.
    pub changes: Changes,
    /// The outcome root.
    pub root: Digest,
}

/// The state with the block that works on it.
pub(crate) struct Step<'a> {
    pub(crate) state: &'a mut State,
    pub(crate) context: BlockContext,
    pub(crate) events: Vec<Event>,
}

impl State {
    /// Applies a block. Total: a block that consensus has ordered never fails, its operations may.
    ///
    /// The caller gives each height once and in order, times that increase, and operations whose signatures
    /// it has verified; those of bids, receipts and invitations inside them are verified here, by the strict
    /// rule. Events are told of every refusal that leaves a trace: those for the form of an operation, or
    /// because its key does not act for its author, are in the results only.
    pub fn apply(&mut self, context: &BlockContext, operations: &[SignedOperation]) -> BlockOutcome {
        let mut step = Step {
            state: self,
            context: *context,
            events: Vec::new(),
        };
        let rules = step.state.rules();
        step.pass_time();
        step.state.tables.keep();
        let mut results = Vec::with_capacity(operations.len());
        for operation in operations {
            results.push(step.operate(operation));
            step.state.tables.keep();
        }
        let fixed = step.turn_epoch();
        let events = step.events;
        self.tables.keep();
        self.meta.height = context.height;
        self.meta.time = context.time;
        let mut changes = self.seal(self.rules() != rules);
        if fixed {
            self.set_checkpoint(&mut changes);
        }
        BlockOutcome {
            results,
            events,
            changes,
            root: self.head.root,
        }
    }

    fn set_checkpoint(&mut self, changes: &mut Changes) {
        self.head.checkpoint = Some(icn_model::NamedRoot {
            height: self.meta.height,
            root: self.merkle_root(),
        });
        changes.0[0] = self.head_change();
    }

    /// What a block with `header` is to this state, which its parent led to.
    pub fn context_of(&self, header: &BlockHeader) -> BlockContext {
        BlockContext {
            height: header.height,
            time: header.time,
            parent_time: self.meta.time,
            parent: header.parent,
        }
    }

    /// The next block, if it were made at `now`.
    pub(crate) fn next_context(&self, now: Time) -> BlockContext {
        BlockContext {
            height: self.meta.height.next(),
            time: now.max(self.meta.time),
            parent_time: self.meta.time,
            parent: Digest::ZERO,
        }
    }

    /// What `operation` would get in the next block, if that were made at `now`. Changes nothing.
    ///
    /// # Errors
    /// The refusal that it would get.
    pub fn check(&mut self, operation: &SignedOperation, now: Time) -> Result<(), Refusal> {
        let context = self.next_context(now);
        let mark = self.mark();
        let result = Step {
            state: &mut *self,
            context,
            events: Vec::new(),
        }
        .operate(operation);
        self.undo_to(mark);
        result
    }

    /// What each of `candidates` would get after `pending` (operations of blocks that are not final yet)
    /// and the candidates before it, in a block whose parent has `parent_time`. Changes nothing.
    ///
    /// The block's own time is not known yet: it is taken to be a heartbeat after its parent's.
    pub fn preview(
        &mut self,
        pending: &[SignedOperation],
        candidates: &[SignedOperation],
        parent_time: Time,
    ) -> Vec<Result<(), Refusal>> {
        let parent_time = parent_time.max(self.meta.time);
        let context = BlockContext {
            height: self.meta.height.next(),
            time: parent_time.after(self.federation.parameters.heartbeat_ms),
            parent_time,
            parent: Digest::ZERO,
        };
        let mark = self.mark();
        let mut step = Step {
            state: &mut *self,
            context,
            events: Vec::new(),
        };
        step.pass_time();
        for operation in pending {
            // What a pending operation gets is told when its block is applied.
            let _ = step.operate(operation);
        }
        let results = candidates
            .iter()
            .map(|operation| step.operate(operation))
            .collect();
        self.undo_to(mark);
        results
    }
}

/// What is known of an author before its operation is looked at.
enum Author {
    Seat,
    Member,
    /// Not known: only an application makes sense.
    Stranger,
}

impl Step<'_> {
    /// What deadlines compare with.
    pub(crate) fn now(&self) -> Time {
        self.context.parent_time
    }

    fn operate(&mut self, signed: &SignedOperation) -> Result<(), Refusal> {
        let operation = signed.operation();
        self.check_form(operation)?;
        let window = self.next_window(operation)?;
        let author = self.author(operation)?;
        let (mark, events) = (self.state.mark(), self.events.len());
        let key_is_known = !matches!(author, Author::Stranger);
        if key_is_known {
            self.state.tables.sequences.set(operation.key, window);
        }
        let after_window = self.state.mark();
        let result = self.act(signed);
        match &result {
            Ok(()) if !key_is_known => self.state.tables.sequences.set(operation.key, window),
            Ok(()) => {}
            // Strangers leave no trace: whoever makes up keys fills nobody's memory.
            Err(_) if !key_is_known => {
                self.state.undo_to(mark);
                self.events.truncate(events);
            }
            Err(refusal) => {
                self.state.undo_to(after_window);
                self.events.truncate(events);
                self.events.push(Event::Refused {
                    operation: signed.id(),
                    author: operation.author,
                    refusal: refusal.clone(),
                });
            }
        }
        result
    }

    fn check_form(&self, operation: &Operation) -> Result<(), Refusal> {
        if operation.federation != self.state.federation.id {
            return Err(Refusal::WrongFederation {});
        }
        let (expires, now) = (operation.expires, self.now());
        if expires < now {
            return Err(Refusal::Expired { expires, now });
        }
        let max = self.context.time.after(limits::MAX_EXPIRY);
        if expires > max {
            return Err(Refusal::ExpiryTooFar { expires, max });
        }
        Ok(())
    }

    fn next_window(&self, operation: &Operation) -> Result<icn_model::SequenceRecord, Refusal> {
        let window = self.state.tables.sequences.get(&operation.key);
        sequence::take(window.unwrap_or(&sequence::UNUSED), operation.sequence)
    }

    fn author(&self, operation: &Operation) -> Result<Author, Refusal> {
        let author = operation.author;
        let not_authorised = |needs| Err(Refusal::NotAuthorised { author, needs });
        if let Some(seat) = self.state.tables.seats.get(&author) {
            let keys = &seat.keys;
            let acts = keys.officers.keys.contains(&operation.key)
                || [keys.seat, keys.line, keys.recovery].contains(&operation.key);
            if acts {
                return Ok(Author::Seat);
            }
            // Somebody who left may come back with other keys.
            return match operation.action {
                Action::Join { .. } => Ok(Author::Stranger),
                _ => not_authorised(Role::Officer),
            };
        }
        if let Some(member) = self.state.tables.members.get(&author) {
            return if operation.key == member.key {
                Ok(Author::Member)
            } else {
                not_authorised(Role::Member)
            };
        }
        match operation.action {
            Action::Join { .. } => Ok(Author::Stranger),
            _ => Err(Refusal::UnknownAuthor { author }),
        }
    }

    fn act(&mut self, signed: &SignedOperation) -> Result<(), Refusal> {
        let operation = signed.operation();
        match &operation.action {
            Action::Join {
                invitation,
                name,
                keys,
            } => self.join(signed, invitation, name, keys),
            Action::Ready {} => self.ready(operation),
            Action::Leave {} => self.leave(operation),
            Action::RotateKeys { keys, possession } => self.rotate_keys(operation, keys, possession.as_ref()),
            Action::RotateMemberKey { possession } => self.rotate_member_key(operation, possession),
            Action::AddMember { member } => self.add_member(operation, *member),
            Action::RemoveMember { member } => self.remove_member(operation, *member),
            Action::ShareMana { to, amount } => self.share_mana(operation, *to, *amount),
            Action::SubmitJob { spec } => self.submit_job(operation, signed.id().into(), spec),
            Action::AwardJob {
                job,
                attempt,
                bids,
                excluded,
            } => self.award_job(operation, (*job, *attempt), bids, excluded),
            Action::PostReceipt { receipt } => self.post_receipt(operation, receipt),
            Action::ReturnJob { job, attempt } => self.return_job(operation, *job, *attempt),
            Action::CancelJob { job } => self.cancel_job(operation, *job),
            Action::ChallengeJob { job } => self.challenge_job(operation, *job),
            Action::PostVerdict { verdict } => self.post_verdict(operation, verdict),
            Action::Propose { proposal } => self.propose(signed, proposal),
            Action::Sponsor { proposal } => self.sponsor(operation, *proposal),
            Action::Vote { proposal, choice } => self.vote(signed, *proposal, choice),
            Action::Delegate { to, topic, until } => self.delegate(signed, *to, topic.as_ref(), *until),
            Action::Undelegate { topic } => self.undelegate(signed, topic.as_ref()),
            Action::CancelProposal { proposal } => self.cancel_proposal(operation, *proposal),
            Action::RetryProposal { proposal } => self.retry_proposal(operation, *proposal),
            Action::PublishContract { source } => self.publish_contract(signed, source),
            Action::ProposeAgreement { terms } => self.propose_agreement(signed, terms),
            Action::Agreement { agreement, act } => self.act_on_agreement(signed, *agreement, act),
            Action::Credit { agreement, unit, act } => {
                self.act_on_line(operation, &(*agreement, unit.clone()), act)
            }
            Action::Clearing { act } => self.act_on_clearing(operation, act),
            Action::Announce { protocol } => self.announce(operation, *protocol),
        }
    }

    /// What time brings about, before the operations of a block.
    fn pass_time(&mut self) {
        self.bridge_gap();
        self.bridge_governance_gap();
        self.bridge_agreement_gap();
        self.bridge_credit_gap();
        self.bridge_clearing_gap();
        self.expire_jobs();
        self.expire_governance();
        // What falls due on a line does so before the agreement that it is of is forgotten.
        self.expire_lines();
        self.advance_clearing();
        self.expire_agreements();
        self.expire_membership();
    }

    /// The author's record, if the key acts in one of `roles` for it. The first is the one to ask for.
    pub(crate) fn seat_acting(&self, operation: &Operation, roles: &[Role]) -> Result<&SeatRecord, Refusal> {
        let author = operation.author;
        let Some(seat) = self.state.tables.seats.get(&author) else {
            return Err(Refusal::NotACooperative { author });
        };
        let acts = |role: &Role| match role {
            Role::Seat => seat.keys.seat == operation.key,
            Role::Officer => seat.keys.officers.keys.contains(&operation.key),
            Role::Line => seat.keys.line == operation.key,
            Role::Recovery => seat.keys.recovery == operation.key,
            Role::Member => false,
        };
        match roles.first() {
            Some(needs) if !roles.iter().any(acts) => Err(Refusal::NotAuthorised {
                author,
                needs: *needs,
            }),
            _ => Ok(seat),
        }
    }

    /// As [`Self::seat_acting`], of a cooperative.
    pub(crate) fn cooperative_acting(
        &self,
        operation: &Operation,
        roles: &[Role],
    ) -> Result<&SeatRecord, Refusal> {
        let seat = self.seat_acting(operation, roles)?;
        match seat.kind {
            SeatKind::Cooperative => Ok(seat),
            SeatKind::Witness => Err(Refusal::NotACooperative {
                author: operation.author,
            }),
        }
    }
}
