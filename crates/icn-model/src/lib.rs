//! The nouns of a federation, each defined once: identities, content ids, amounts, times, operations,
//! blocks, jobs, receipts, events, refusals and limits, with their canonical bytes.
//!
//! Nothing here acts: no clock, no randomness, no IO. What the nouns *mean* together is decided by
//! `icn-state`; how they travel and when, by `icn-protocol`.
//!
//! Everything that is signed, hashed or stored is canonical DAG-CBOR ([`canonical`]): one value has one
//! encoding, and bytes that are not that encoding are refused. Every collection has a bound, named in
//! [`limits`]. The test `tests/model/fixtures.rs` pins a hash of each encoding, so that a change of one shows.
// The derive of OpenAPI schemas writes code for std; without them the compiler holds this crate to `core`.
#![cfg_attr(not(feature = "schema"), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod agreement;
mod agreement_record;
mod block;
pub mod canonical;
mod clearing;
mod content;
mod credit;
mod event;
mod fault;
mod federation;
pub mod file;
mod governance;
mod governance_event;
mod governance_record;
mod ids;
mod job;
mod job_record;
mod key;
pub mod limits;
mod line_record;
mod macros;
mod operation;
mod parameters;
mod policy;
mod policy_slot;
mod records;
mod refusal;
mod transfer;
mod units;

pub use agreement::{
    AgreementAct, AgreementKind, AgreementKindError, AgreementState, AgreementStateError, DisputeRule, Party,
    PartyRole, PartyRoleError, Terms, TermsError,
};
pub use agreement_record::{
    AgreementEntry, AgreementEvent, AgreementRecord, AgreementStep, BreachClaim, Ending, EndingError,
    InForce, Notice, Offer, Suspension,
};
pub use block::{Block, BlockHeader, NamedRoot};
pub use clearing::{
    AbortReason, ClearedUnit, ClearingAct, ClearingEvent, ClearingPrice, ClearingRow, ClearingStep,
    ClearingWindows, GoneRecord, RoundNumber, RoundObjection, RoundPhase, RoundRecord,
};
pub use content::{Cid, CidError, Codec, Digest};
pub use credit::{CreditError, CreditUnit, LineTerms, RateTerms, Rounding, RoundingError};
pub use event::{Callee, Event, EventKind, EventRecord};
pub use fault::Fault;
pub use federation::{
    Checkpoint, Endorsement, Founder, Genesis, GenesisError, Invitation, InvitationId, Name, NameError,
    Officers, Possession, Predecessor, Role, RoleKeys, SeatKind,
};
pub use governance::{
    Choice, ChoiceError, Effect, Electorate, ElectorateError, Method, MethodKind, MethodKindError, Process,
    ProcessError, ProposalKind, ProposalKindError, ProposalSpec, Share, ShareError, Threshold,
};
pub use governance_event::GovernanceEvent;
pub use governance_record::{
    BallotRecord, Counts, DecidedRecord, Decision, DelegationRecord, DepartedRecord, LogEntry,
    PROTOCOL_VERSION, PlannedUpgrade, ProposalPhase, ProposalRecord, ProposalStatus, ProposalStatusError,
    Roll, Round, SideTally, Tally, Wish, WishesRecord,
};
pub use ids::{AgreementId, JobId, OperationId, ProposalId};
pub use job::{
    Bid, Exclusion, ExclusionReason, ExitStatus, JobLimits, JobSpec, Outcome, Receipt, Requirements, Verdict,
};
pub use job_record::{
    Assignment, Challenge, Delivery, Ineligible, JobPhase, JobRecord, JobStatus, Juror, RankedBid, Ranking,
    Vote,
};
pub use key::{Did, DidError, Domain, PublicKey, SecretKey, Signable, Signature, SignatureError, Signed};
pub use line_record::{
    ChainRecord, CreditAct, CreditEvent, CreditStep, FormerLimits, LineDispute, LineLimits, LinePhase,
    LineRecord, OpenVoid,
};
pub use operation::{Action, Operation, OperationError, SignedOperation};
pub use parameters::{ParameterError, ParameterName, ParameterNameError, Parameters};
pub use policy::{
    Activity, ActivityRecord, AdmissionQuestion, BidQuestion, ContractRecord, ManaQuestion, PolicyAnswer,
    PolicyFailure, PolicyQuestion, PolicyRecord, PriceQuestion, VoteQuestion,
};
pub use policy_slot::{PolicySlot, PolicySlotError};
pub use records::{
    AccountRecord, EpochRecord, FederationRecord, FormerKey, HeadRecord, InvitationRecord, KeyWish,
    MemberRecord, MetaRecord, PaidRecord, RateRecord, SeatEntry, SeatPhase, SeatRecord, SequenceRecord,
    StandingRecord, Succession, Supply, Totals,
};
pub use refusal::{Code, REFUSAL_CODES, Refusal};
pub use transfer::{
    Acceptance, ChainView, CoSigned, CoSignedError, Head, LineId, LineIdError, LineMessage, LineSync,
    Release, Released, Standing, Transfer, TransferError,
};
pub use units::{EpochNumber, Height, Mana, ManaError, Millis, Sequence, Time};
