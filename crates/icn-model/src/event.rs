//! Events: what the log's operations, and the passing of time, have brought about.
//!
//! Events are for readers: nothing in the state depends on them. They are the same on every node.
use crate::{
    AgreementEvent, ClearingEvent, CreditEvent, Did, Digest, EpochNumber, Fault, GovernanceEvent, Height,
    JobId, Mana, OperationId, PublicKey, Refusal, SeatKind, Time,
};
use alloc::{string::String, vec::Vec};
use serde::{Deserialize, Serialize};

/// Kind of an [`Event`], for filters (`icn-cli events --type rollback`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum EventKind {
    /// Seats, cooperatives and members.
    Membership = 1,
    /// A new epoch.
    Epoch = 2,
    /// Mana that changed hands or came into being.
    Mana = 3,
    /// A job's way.
    Job = 4,
    /// A job that came to nothing, with everything as before.
    Rollback = 5,
    /// A challenge and how it ended.
    Challenge = 6,
    /// Proposals, votes and what they decided.
    Governance = 7,
    /// Agreements between cooperatives.
    Agreement = 8,
    /// Lines of credit between cooperatives.
    Credit = 9,
    /// Rounds of clearing.
    Clearing = 10,
    /// An operation in a block that changed nothing.
    Refused = 11,
    /// A seat that broke the rules of consensus; this node's own observation.
    Misbehaviour = 12,
    /// Whom this node reaches and whom it does not; its own observation.
    Network = 13,
}

impl EventKind {
    /// Every kind, in order.
    pub const ALL: [Self; 13] = [
        Self::Membership,
        Self::Epoch,
        Self::Mana,
        Self::Job,
        Self::Rollback,
        Self::Challenge,
        Self::Governance,
        Self::Agreement,
        Self::Credit,
        Self::Clearing,
        Self::Refused,
        Self::Misbehaviour,
        Self::Network,
    ];

    /// The name in filters and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Membership => "membership",
            Self::Epoch => "epoch",
            Self::Mana => "mana",
            Self::Job => "job",
            Self::Rollback => "rollback",
            Self::Challenge => "challenge",
            Self::Governance => "governance",
            Self::Agreement => "agreement",
            Self::Credit => "credit",
            Self::Clearing => "clearing",
            Self::Refused => "refused",
            Self::Misbehaviour => "misbehaviour",
            Self::Network => "network",
        }
    }

    /// The stable number, by which stores find events of a kind. It is never changed and never used again.
    pub const fn number(self) -> u8 {
        self as u8
    }
}

/// Whom a node calls, and leaves alone for a while when that has failed too often in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Callee {
    /// Another node, by the key of its seat.
    Peer(PublicKey),
    /// The Federation Service to which it reports.
    FederationService,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Event {
    /// A node applied for a seat.
    Applied {
        /// Who.
        applicant: Did,
        /// For what.
        kind: SeatKind,
        /// Who invited it.
        inviter: Did,
    },
    /// An applicant was voted in.
    Admitted {
        /// Who.
        applicant: Did,
    },
    /// An admitted node has the log.
    SeatReady {
        /// Who.
        seat: Did,
    },
    /// A seat will be given up at the end of the epoch.
    Leaving {
        /// Who.
        seat: Did,
    },
    /// Seats were lost for good: the log goes on as another one, whose heights begin anew.
    LogContinued {
        /// The log that ended.
        predecessor: crate::Cid,
        /// Its last height.
        height: Height,
        /// Who had a seat, and has given it up with this.
        gone: Vec<Did>,
    },
    /// A node has its seat from this epoch on.
    Seated {
        /// Who.
        seat: Did,
        /// The first epoch that it orders.
        epoch: EpochNumber,
    },
    /// A seat has been given up; the account, if it has one, rests.
    Left {
        /// Who.
        seat: Did,
        /// The first epoch without it.
        epoch: EpochNumber,
    },
    /// An application was not approved, or an admitted node not ready, in time.
    ApplicationLapsed {
        /// Who applied.
        applicant: Did,
    },
    /// A seat that was given up long ago is no longer known.
    Forgotten {
        /// Whose it was.
        seat: Did,
        /// What was left in its account, without its members' accounts.
        burned: Mana,
    },
    /// Other keys act for a cooperative or witness.
    KeysRotated {
        /// For whom.
        seat: Did,
        /// The seat's key from the next epoch on, if that is to change.
        next_seat: Option<PublicKey>,
    },
    /// A seat has another key from this epoch on.
    SeatKeyChanged {
        /// Whose seat.
        seat: Did,
        /// The key.
        key: PublicKey,
        /// The first epoch in which it votes.
        epoch: EpochNumber,
    },
    /// Another key acts for a member.
    MemberKeyRotated {
        /// For whom.
        member: Did,
        /// The key.
        key: PublicKey,
    },
    /// A member entered.
    MemberAdded {
        /// Who.
        member: Did,
        /// Of which cooperative.
        cooperative: Did,
    },
    /// A member left.
    MemberRemoved {
        /// Who.
        member: Did,
        /// Of which cooperative.
        cooperative: Did,
        /// What it had, back with the cooperative.
        returned: Mana,
    },
    /// A cooperative was made to give up its seat for a while; it does at the end of the epoch.
    Suspended {
        /// Who.
        seat: Did,
        /// Until when.
        until: Time,
    },
    /// A suspension is over: the cooperative is admitted again.
    SuspensionEnded {
        /// Whose.
        seat: Did,
    },
    /// The seats of the next epoch are fixed.
    SeatsFixed {
        /// Which epoch.
        epoch: EpochNumber,
        /// Who will order its blocks.
        seats: Vec<Did>,
    },
    /// A cooperative got its start balance.
    ManaGranted {
        /// Who.
        to: Did,
        /// How much.
        amount: Mana,
    },
    /// Mana moved within a cooperative.
    ManaShared {
        /// From whom.
        from: Did,
        /// To whom.
        to: Did,
        /// How much.
        amount: Mana,
    },
    /// Pay became spendable.
    PayMatured {
        /// Which job.
        job: JobId,
        /// Who earned it.
        executor: Did,
        /// How much.
        amount: Mana,
    },
    /// A job was submitted; mana is held for it.
    JobSubmitted {
        /// Which job.
        job: JobId,
        /// Who pays.
        submitter: Did,
        /// How much is held.
        held: Mana,
    },
    /// A job was given to executors.
    JobAwarded {
        /// Which job.
        job: JobId,
        /// Which attempt.
        attempt: u32,
        /// To whom, one per replica.
        executors: Vec<Did>,
    },
    /// An executor posted its receipt.
    JobReceipt {
        /// Which job.
        job: JobId,
        /// Who ran it.
        executor: Did,
        /// Digest of what came out.
        outcome: Digest,
    },
    /// A job is done, paid (pay matures after the challenge window) and the rest released.
    JobSettled {
        /// Which job.
        job: JobId,
        /// Who is paid.
        executors: Vec<Did>,
        /// How much in total.
        paid: Mana,
        /// How much went back.
        released: Mana,
    },
    /// An attempt failed; the job goes to others.
    JobRetried {
        /// Which job.
        job: JobId,
        /// The attempt that failed.
        attempt: u32,
        /// Why.
        reason: String,
    },
    /// A job came to nothing: the hold is released, nobody is paid.
    JobRolledBack {
        /// Which job.
        job: JobId,
        /// How much went back.
        released: Mana,
        /// Why.
        reason: String,
    },
    /// Its submitter withdrew a job.
    JobCancelled {
        /// Which job.
        job: JobId,
        /// How much went back.
        released: Mana,
    },
    /// A receipt is in doubt.
    JobChallenged {
        /// Which job.
        job: JobId,
        /// Who doubts it.
        challenger: Did,
        /// Who replays it.
        jury: Vec<Did>,
    },
    /// The jury found the receipt true.
    ChallengeFailed {
        /// Which job.
        job: JobId,
        /// What the challenger lost.
        stake: Mana,
    },
    /// The jury found the receipt false.
    JobDisproved {
        /// Which job.
        job: JobId,
        /// Who lied.
        executor: Did,
        /// What it was not paid.
        forfeited: Mana,
    },
    /// The jury said nothing in time; everything as before the challenge.
    ChallengeLapsed {
        /// Which job.
        job: JobId,
    },
    /// An operation in a block changed nothing but its author's sequence window.
    Refused {
        /// Which operation.
        operation: OperationId,
        /// Whose.
        author: Did,
        /// Why.
        refusal: Refusal,
    },
    /// Something about proposals, votes, policies and what they decide.
    Governance(GovernanceEvent),
    /// An agreement between cooperatives went a step.
    Agreement(AgreementEvent),
    /// Something happened on a line of credit.
    Credit(CreditEvent),
    /// Something happened in a round of clearing.
    Clearing(ClearingEvent),
    /// A seat signed what it must not. Each node records what it saw itself.
    Misbehaved {
        /// The seat's key.
        seat: PublicKey,
        /// In which epoch.
        epoch: EpochNumber,
        /// In which view.
        view: u64,
        /// What it did.
        fault: Fault,
        /// What it was this time.
        detail: String,
    },
    /// Calls have failed: the circuit is open, and nobody is called for a while. Each node records whom it called itself.
    CircuitOpened {
        /// Whom.
        callee: Callee,
    },
    /// A call has succeeded: the circuit is closed again.
    CircuitClosed {
        /// Whose.
        callee: Callee,
    },
}

impl Event {
    /// The kind, for filters.
    pub const fn kind(&self) -> EventKind {
        match self {
            Self::Applied { .. }
            | Self::Admitted { .. }
            | Self::SeatReady { .. }
            | Self::Leaving { .. }
            | Self::LogContinued { .. }
            | Self::Seated { .. }
            | Self::Left { .. }
            | Self::ApplicationLapsed { .. }
            | Self::Forgotten { .. }
            | Self::KeysRotated { .. }
            | Self::SeatKeyChanged { .. }
            | Self::MemberKeyRotated { .. }
            | Self::Suspended { .. }
            | Self::SuspensionEnded { .. }
            | Self::MemberAdded { .. }
            | Self::MemberRemoved { .. } => EventKind::Membership,
            Self::SeatsFixed { .. } => EventKind::Epoch,
            Self::ManaGranted { .. } | Self::ManaShared { .. } | Self::PayMatured { .. } => EventKind::Mana,
            Self::JobSubmitted { .. }
            | Self::JobAwarded { .. }
            | Self::JobReceipt { .. }
            | Self::JobSettled { .. }
            | Self::JobRetried { .. }
            | Self::JobCancelled { .. } => EventKind::Job,
            Self::JobRolledBack { .. } => EventKind::Rollback,
            Self::JobChallenged { .. }
            | Self::ChallengeFailed { .. }
            | Self::JobDisproved { .. }
            | Self::ChallengeLapsed { .. } => EventKind::Challenge,
            Self::Governance(_) => EventKind::Governance,
            Self::Agreement(_) => EventKind::Agreement,
            Self::Credit(_) => EventKind::Credit,
            Self::Clearing(_) => EventKind::Clearing,
            Self::Refused { .. } => EventKind::Refused,
            Self::Misbehaved { .. } => EventKind::Misbehaviour,
            Self::CircuitOpened { .. } | Self::CircuitClosed { .. } => EventKind::Network,
        }
    }
}

/// An event with its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct EventRecord {
    /// Number on this node, from 1, without gaps: what `Last-Event-ID` and cursors name.
    pub number: u64,
    /// The block that brought it about.
    pub height: Height,
    /// That block's time.
    pub time: Time,
    /// What happened.
    pub event: Event,
    /// Hash of the record before this one; zero for the first.
    pub previous: Digest,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_of_kinds_are_the_stored_format() {
        let stored = EventKind::ALL.map(|kind| (kind.number(), kind.name()));
        assert_eq!(
            stored,
            [
                (1, "membership"),
                (2, "epoch"),
                (3, "mana"),
                (4, "job"),
                (5, "rollback"),
                (6, "challenge"),
                (7, "governance"),
                (8, "agreement"),
                (9, "credit"),
                (10, "clearing"),
                (11, "refused"),
                (12, "misbehaviour"),
                (13, "network"),
            ]
        );
    }
}
