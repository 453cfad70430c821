//! What it takes to check a vote without a node: who could vote, what each voter signed, how it was counted.
//!
//! An [`AuditBundle`] is one file of JSON. [`AuditBundle::digest`] is over the canonical DAG-CBOR of its records
//! alone, so that it is the same on every node of the federation that is as far in its log; each node signs it with
//! its seat's key. `icn-cli proposal verify-bundle` checks one; docs/operating/governance.md says what a bundle can
//! show and what it cannot.
use icn_model::{
    BallotRecord, Cid, Did, Digest, Domain, Genesis, Height, LogEntry, Officers, ProposalId, ProposalRecord,
    PublicKey, Signable, Signed, SignedOperation, canonical,
};
use serde::{Deserialize, Serialize};

/// The form of a bundle that this program writes and reads.
pub const AUDIT_FORMAT: u32 = 1;
/// The largest bundle that is read: one of 100,000 voters takes about 150 MiB.
pub const MAX_AUDIT_BYTES: u64 = 512 << 20;

/// Answer of [`crate::paths::PROPOSAL_AUDIT`], and the file of `icn-cli proposal audit`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AuditBundle {
    /// [`AUDIT_FORMAT`].
    pub format: u32,
    /// What can be checked.
    pub records: AuditRecords,
    /// The node's word on them.
    pub attestation: Signed<Attestation>,
}

impl AuditBundle {
    /// The hash of the records' canonical bytes.
    pub fn digest(&self) -> Digest {
        self.records.digest()
    }
}

/// The records of one vote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AuditRecords {
    /// The federation: the CID of its genesis.
    pub federation: Cid,
    /// How it began.
    pub genesis: Genesis,
    /// Which proposal: the id of the operation that made it.
    pub proposal: ProposalId,
    /// The operation that made it.
    #[cfg_attr(feature = "schema", schema(value_type = crate::schemas::SignedOperationSchema))]
    pub proposed: SignedOperation,
    /// The proposal as the log has it, with its roll and its tally.
    pub record: ProposalRecord,
    /// The cooperatives on the roll, in the order of their DIDs.
    pub cooperatives: Vec<RollCooperative>,
    /// The members on the roll, in the order of their DIDs. The CID in the record's roll names their list.
    pub members: Vec<RollMember>,
    /// Every vote, in the order of the voters' DIDs.
    pub ballots: Vec<AuditedBallot>,
    /// Delegations of those in chains who are not on the roll themselves, in the order of their DIDs.
    pub links: Vec<AuditedLink>,
}

impl AuditRecords {
    /// The hash of the canonical bytes.
    pub fn digest(&self) -> Digest {
        Digest::of(&canonical::to_bytes(self))
    }
}

/// A cooperative on the roll.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RollCooperative {
    /// Which.
    pub did: Did,
    /// Who speaks for it now; none if the log has forgotten it.
    pub officers: Option<Officers>,
}

/// A member on the roll.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RollMember {
    /// Which.
    pub did: Did,
    /// Its cooperative.
    pub cooperative: Did,
    /// The key that acts for it now; none if it has left.
    pub key: Option<PublicKey>,
}

/// A vote with the operations that cast it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AuditedBallot {
    /// Whose.
    pub voter: Did,
    /// As it was counted.
    pub record: BallotRecord,
    /// The operations that the record names, in its order: votes, or of a voter for whom another voted, those that
    /// say so.
    #[cfg_attr(feature = "schema", schema(value_type = Vec<crate::schemas::SignedOperationSchema>))]
    pub operations: Vec<SignedOperation>,
}

/// A link of a chain of delegations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AuditedLink {
    /// Who lets another vote.
    pub from: Did,
    /// Whom.
    pub to: Did,
    /// Where it says so.
    pub by: Vec<LogEntry>,
    /// The operations.
    #[cfg_attr(feature = "schema", schema(value_type = Vec<crate::schemas::SignedOperationSchema>))]
    pub operations: Vec<SignedOperation>,
}

/// A node's word that its log has these records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Attestation {
    /// Whose log.
    pub federation: Cid,
    /// Which proposal.
    pub proposal: ProposalId,
    /// The digest of the records.
    pub digest: Digest,
    /// How far the node was.
    pub height: Height,
    /// Whose node.
    pub node: Did,
    /// The key that signs: the node's seat key.
    pub key: PublicKey,
}

impl Signable for Attestation {
    const DOMAIN: Domain = Domain::Audit;

    fn signer(&self) -> PublicKey {
        self.key
    }
}
