//! A line of credit as one of its ends keeps it, off the log: what it signs, countersigns, stores and sends.
//!
//! [`LineBook`] is a pure machine: it knows no clock, network or disk. Whoever drives it gives it what the user wants
//! ([`LineBook::propose`]), what the other end says ([`LineBook::hear`]) and what the log says ([`LineBook::follow`]), and
//! gets back an [`Outcome`]: rows to store and messages to send.
//!
//! # The one rule of driving it
//!
//! **All rows of an outcome are durable before any of its messages is sent.** They reach the disk together or not at all,
//! and those of one outcome after those of the one before. Outcomes may share a sync. If a row cannot be stored, the book is dropped and loaded anew, as after a
//! crash; nobody has heard of what is lost with it. So, at whatever instant a process is killed:
//!
//! | stored last | known to the other end | after the restart |
//! |---|---|---|
//! | nothing of the transfer | nothing | the user's next [`LineBook::propose`] with the reference makes it |
//! | the debtor's row | maybe the transfer | it is pending, is sent again by [`LineBook::hear`]ing a sync, and made once: the reference names it |
//! | the creditor's row | maybe the countersignature | the transfer comes again and gets the same countersignature |
//! | the debtor's row with the countersignature | all | nothing is left to do |
//!
//! # Invariants
//!
//! 1. **A number is signed once**, by the debtor and by the creditor. What is void leaves a gap.
//! 2. **A reference is made once**, as long as it is among the last [`MAX_RECENT_TRANSFERS`] of the chain: who wants it
//!    for longer asks its store first.
//! 3. **Limits count what is pending.** The debtor counts all that it has signed against what it has seen confirmed; the
//!    creditor countersigns only what is within the limit by what the transfer names as seen, which it holds confirmed
//!    itself. So what one end owes the other by confirmed transfers is within the limit in the eyes of both.
//! 4. **What one says that it owes is what the other says that it is owed**, once all messages have arrived.
//! 5. **A countersignature covers all before it:** of transfers that arrive together the last is countersigned, and a lost
//!    countersignature is made good by the next, and by a sync.
//! 6. **Nothing is believed unsigned.** A sync is, so it only ever brings transfers with both signatures.
//! 7. **Limits hold whether a round of clearing is applied or aborted.** From when an end joins until the freeze it lets
//!    its chain grow by no more than its limit over what is anchored, and from then to the end of the round, if it could
//!    be made to owe more, over what was anchored at the freeze. The proof is in the crate's module `clearing`. What the
//!    other end signs beyond that is neither countersigned nor released: it waits for the end of the round, or for this
//!    end to hear of what was anchored.
//!
//! # When something is wrong
//!
//! A transfer that the creditor will never countersign is released: signed for as void, so that the debtor's chain goes
//! on at once. A creditor that is silent is overruled by the log (`CreditAct::Void`, [`LineBook::void_through`]); a window
//! that its debtor opens there, it has to answer ([`LineBook::anchor_by`]). A debtor that signs two transfers with one
//! number is not dealt with any more until its cooperative and this one have signed new terms.
//!
//! An end that was restored from a backup may have signed more than it knows. It says so when it loads its book, which
//! then signs nothing before it has heard where the other end stands: since a head says the whole, one sync is enough.
//!
//! [`MAX_RECENT_TRANSFERS`]: icn_model::limits::MAX_RECENT_TRANSFERS
mod book;
mod chains;
mod hear;
mod round;
mod sync;

use alloc::{boxed::Box, vec::Vec};
pub use book::LineBook;
use icn_model::{
    Acceptance, ChainRecord, Cid, Did, Digest, Head, LineId, LineMessage, PublicKey, Release, RoundNumber,
    Signed, Transfer,
};
use serde::{Deserialize, Serialize};

/// One end of a line, as the log has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// Who.
    pub did: Did,
    /// Its line key, then those that were it lately.
    pub keys: Vec<PublicKey>,
    /// What it may owe now, minor units.
    pub limit: u64,
    /// Its chain, as far as it is anchored.
    pub chain: ChainRecord,
    /// From what sum on its chain may grow by no more than its limit, minor units, while a round of clearing is on that
    /// could make it owe more; none, if none could.
    pub base: Option<u64>,
}

/// The round of clearing that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenRound {
    /// Its number.
    pub number: RoundNumber,
    /// Whether there is a plan, of which the line is part; else lines can still join.
    pub is_frozen: bool,
}

/// What the log says of a line to one of its ends ([`State::line_view`](crate::State::line_view)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// In which federation.
    pub federation: Cid,
    /// Which line.
    pub line: LineId,
    /// The end whose book it is.
    pub mine: Side,
    /// The other one.
    pub theirs: Side,
    /// How much of what it owes has been cleared; below zero, of what it is owed.
    pub cleared: i64,
    /// The round of clearing that concerns the line.
    pub round: Option<OpenRound>,
}

/// What an end wants to owe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// How much more, minor units.
    pub amount: u64,
    /// By which it is made once.
    pub reference: Digest,
    /// What it is for.
    pub memo: Option<Cid>,
}

/// What is stored of a line. A row takes the place of an earlier one with the same [`Row::key`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Row {
    /// A transfer of this end. It is confirmed if it, or one with a higher number, has a countersignature or is anchored,
    /// and it is not void by another row.
    Own {
        /// What it signed.
        transfer: Signed<Transfer>,
        /// What the other end signed.
        acceptance: Option<Signed<Acceptance>>,
    },
    /// A transfer of the other end that this one has countersigned, by itself or with one after it.
    Other {
        /// What the other end signed.
        transfer: Signed<Transfer>,
        /// What this end signed; none if it signed for one with a higher number at the same time.
        acceptance: Option<Signed<Acceptance>>,
    },
    /// The log has shown that both have signed a transfer, and all before it; this end did not know.
    Anchored {
        /// Whether it is this end's chain.
        is_own: bool,
        /// Where the chain stands with it.
        head: Head,
    },
    /// Transfers of one chain are void.
    Void {
        /// Whether it is this end's chain.
        is_own: bool,
        /// From the number after this one.
        after: u64,
        /// Up to this one.
        through: u64,
        /// The other end's word for it, if it is not the log's.
        release: Option<Signed<Release>>,
    },
    /// A transfer of the other end that this one has released.
    Released {
        /// Its number.
        number: u64,
        /// What this end signed.
        release: Signed<Release>,
    },
    /// The other end has signed another transfer with the number of this one; nothing, once that is forgiven.
    Quarrel {
        /// The transfer that came first, if it is in no other row: it waited for one before it, or came with the second.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        first: Option<Box<Signed<Transfer>>>,
        /// The transfer that came second.
        second: Option<Signed<Transfer>>,
    },
    /// This end joins a round of clearing with the line.
    Joins {
        /// Which.
        round: RoundNumber,
    },
}

impl Row {
    /// Under which key of its line it is stored. Rows that are read in the order of their keys make the same book as in
    /// the order in which they were written.
    pub fn key(&self) -> Vec<u8> {
        let (kind, number, rest): (u8, u64, &[u8]) = match self {
            Self::Own { transfer, .. } => (0, transfer.content.number, &[]),
            Self::Other { transfer, .. } => (1, transfer.content.number, &[]),
            Self::Released { number, release } => (2, *number, release.content.transfer.as_bytes()),
            Self::Void { is_own, after, .. } => (3, *after, if *is_own { &[0] } else { &[1] }),
            Self::Anchored { is_own, head } => (4, head.number, if *is_own { &[0] } else { &[1] }),
            Self::Quarrel { .. } => (5, 0, &[]),
            Self::Joins { .. } => (6, 0, &[]),
        };
        [&[kind], number.to_be_bytes().as_slice(), rest].concat()
    }
}

/// What came of something that a book was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// What happened, for who drives it.
    pub heard: Vec<Heard>,
    /// What to store, in this order, before anything is sent.
    pub write: Vec<Row>,
    /// What to send then.
    pub send: Vec<LineMessage>,
}

/// Something that happened in a book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// An own transfer is signed.
    Signed {
        /// Its number.
        number: u64,
    },
    /// It is known already: nothing is done twice.
    Duplicate {
        /// Its number.
        number: u64,
    },
    /// A transfer of the other end is countersigned.
    Accepted {
        /// Its number.
        number: u64,
    },
    /// A transfer of the other end came before what it builds on.
    Waits {
        /// Its number.
        number: u64,
    },
    /// A transfer of the other end is refused for good.
    Released {
        /// Its number.
        number: u64,
        /// Why.
        reason: Reason,
    },
    /// Own transfers are countersigned.
    Confirmed {
        /// Up to which number.
        through: u64,
    },
    /// Transfers are void.
    Voided {
        /// Whether they are own ones.
        is_own: bool,
        /// From the number after this one.
        after: u64,
        /// Up to this one.
        through: u64,
    },
    /// The other end has signed two transfers with one number. The row of the first is stored, or was just heard of.
    Equivocation {
        /// The number.
        number: u64,
        /// The one that came first, if it is at hand; else it is in the row of that number.
        first: Option<Box<Signed<Transfer>>>,
        /// The other one.
        second: Box<Signed<Transfer>>,
    },
}

/// Why a book does not do what it is told. Nothing changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// For another line, end or federation.
    #[error("it is not of this line")]
    OtherLine,
    /// By a key that does not act for the line.
    #[error("the key does not sign for this end of the line")]
    Key,
    /// By a key that was replaced.
    #[error("the line key that signed it was replaced")]
    FormerKey,
    /// By nobody that it names.
    #[error("the signature does not hold")]
    Signature,
    /// No such transfer.
    #[error("there is no such transfer: number, amount and sums do not fit")]
    Form,
    /// It does not build on what is confirmed.
    #[error("it does not follow the last transfer that both have signed")]
    Link,
    /// Its sum is wrong.
    #[error("the sum of the chain is not what it says")]
    Sum,
    /// It counts on what is not there, or less than before.
    #[error("what it names as seen is not what both have signed")]
    Seen,
    /// More than may be owed.
    #[error("it would be over the limit: {owes} owed with what is pending, {limit} allowed")]
    OverLimit {
        /// What would be owed, what is pending included, minor units.
        owes: i128,
        /// What may be owed.
        limit: u64,
    },
    /// More than may be owed if a round of clearing is applied. It is for now, and not for good.
    #[error(
        "round {round} of clearing is under way: {remains} more can be signed on the line until it is over, or anchored"
    )]
    Round {
        /// Which.
        round: RoundNumber,
        /// How much more this end can sign, minor units.
        remains: u64,
    },
    /// Not all that both have signed is anchored.
    #[error("what both have signed is to be anchored before the line joins a round of clearing")]
    NotAnchored,
    /// There is no round to join.
    #[error("no round of clearing is announced that the line could join")]
    NoRound,
    /// Too many wait for the other end.
    #[error(
        "{} transfers wait for the other end's signature already",
        icn_model::limits::MAX_PENDING_TRANSFERS
    )]
    TooManyPending,
    /// A reference that names another transfer.
    #[error("the reference names another transfer, with number {number}: use a new one")]
    Reference {
        /// That transfer's.
        number: u64,
    },
    /// Voiding is under way on the log.
    #[error("what is pending is being made void: wait until the log has decided")]
    Voiding,
    /// It is void.
    #[error("it is void")]
    Void,
    /// It was restored from a backup.
    #[error("this end was restored from a backup: it signs when the other end has told where it stands")]
    Restored,
    /// There is a proof against the other end.
    #[error("the other end has signed two transfers with one number: nothing is signed until new terms are")]
    Quarrel,
    /// Not known here.
    #[error("it is about a transfer that is not known here")]
    Unknown,
    /// The other end contradicts itself, or this one did before it was restored.
    #[error("it contradicts what was signed before")]
    Contradiction,
}

impl Reason {
    /// A short name, for counts.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::OtherLine => "other-line",
            Self::Key => "key",
            Self::FormerKey => "former-key",
            Self::Signature => "signature",
            Self::Form => "form",
            Self::Link => "link",
            Self::Sum => "sum",
            Self::Seen => "seen",
            Self::OverLimit { .. } => "over-limit",
            Self::Round { .. } => "round",
            Self::NotAnchored => "not-anchored",
            Self::NoRound => "no-round",
            Self::TooManyPending => "too-many-pending",
            Self::Reference { .. } => "reference",
            Self::Voiding => "voiding",
            Self::Void => "void",
            Self::Restored => "restored",
            Self::Quarrel => "quarrel",
            Self::Unknown => "unknown",
            Self::Contradiction => "contradiction",
        }
    }
}
