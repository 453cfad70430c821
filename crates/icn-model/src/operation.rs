//! Operations: what authors sign and the log orders.
use crate::{
    AgreementAct, AgreementId, Bid, Choice, Cid, ClearingAct, CreditAct, CreditUnit, Did, Digest, Domain,
    Exclusion, Invitation, JobId, JobSpec, Mana, Name, OperationId, Possession, ProposalId, ProposalSpec,
    PublicKey, Receipt, RoleKeys, SecretKey, Sequence, Signature, SignatureError, Signed, Terms, Time,
    Verdict,
    canonical::{self, DecodeError},
    limits::MAX_OPERATION_BYTES,
};
use alloc::{boxed::Box, string::String, sync::Arc, vec::Vec};
use core::fmt;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_bytes::{ByteBuf, Bytes};

/// What an author wants done. Closed: what is not here cannot be asked of the log.
#[expect(
    clippy::large_enum_variant,
    reason = "an action lives once, behind the Arc of its signed operation"
)]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Action {
    /// Apply for a seat; signed with the applicant's first key. It is a proposal to admit the applicant, with the
    /// operation's id.
    Join {
        /// Used once.
        invitation: Signed<Invitation>,
        /// What the applicant is called.
        name: Name,
        /// Which keys act for it.
        keys: RoleKeys,
    },
    /// Say that an admitted node has the log and will order blocks from the next epoch on; the seat's word.
    Ready {},
    /// Give up the author's seat at the end of the epoch.
    Leave {},
    /// Put other keys in place of those that act for the author: its officers' word, or the recovery key's; a seat
    /// key may replace itself. The seat's key changes with an epoch, the others at once.
    RotateKeys {
        /// All keys, those that stay included.
        keys: Box<RoleKeys>,
        /// By the new seat key, if there is one.
        possession: Option<Signed<Possession>>,
    },
    /// Put another key in place of a member's: its own word, or an officer's of its cooperative.
    RotateMemberKey {
        /// By the new key; says whose it is to be.
        possession: Signed<Possession>,
    },
    /// Enter a member by key; an officer's word.
    AddMember {
        /// Who enters.
        member: Did,
    },
    /// Strike a member; what mana it has returns to the cooperative.
    RemoveMember {
        /// Who leaves.
        member: Did,
    },
    /// Move mana between a cooperative and a member of it.
    ShareMana {
        /// Who gets it.
        to: Did,
        /// How much.
        amount: Mana,
    },
    /// Ask for a job to be run; its `max_mana` is held. The operation's id is the job's.
    SubmitJob {
        /// The job.
        spec: Box<JobSpec>,
    },
    /// Give a job to the best of the bids by the rule that every node recomputes.
    AwardJob {
        /// Which job.
        job: JobId,
        /// Which attempt of it, from 0.
        attempt: u32,
        /// At most [`crate::limits::MAX_BIDS`], of distinct executors.
        bids: Vec<Signed<Bid>>,
        /// Bidders that the coordinator left out, and why; for people to read.
        excluded: Vec<Exclusion>,
    },
    /// Post the receipt of a job; the executor's word.
    PostReceipt {
        /// The receipt.
        receipt: Box<Signed<Receipt>>,
    },
    /// Hand back an awarded job unfinished, without pay; the executor's word.
    ReturnJob {
        /// Which job.
        job: JobId,
        /// Which attempt.
        attempt: u32,
    },
    /// Withdraw a job before its receipt; the submitter's word.
    CancelJob {
        /// Which job.
        job: JobId,
    },
    /// Put mana at stake that a receipt is false.
    ChallengeJob {
        /// Which job.
        job: JobId,
    },
    /// What a drawn seat got from replaying a challenged job.
    PostVerdict {
        /// The word.
        verdict: Verdict,
    },
    /// Make a proposal: an officer's word for its cooperative, or a member's. The operation's id is the
    /// proposal's.
    Propose {
        /// What is proposed.
        proposal: Box<ProposalSpec>,
    },
    /// Speak for another cooperative's proposal before it opens; an officer's word.
    Sponsor {
        /// Which.
        proposal: ProposalId,
    },
    /// Vote: a member's word, or that of as many officers of a cooperative as its threshold says.
    Vote {
        /// On which proposal.
        proposal: ProposalId,
        /// What the voter says.
        choice: Choice,
    },
    /// Let another vote where the author does not: a member's word, or that of as many officers of a
    /// cooperative as its threshold says.
    Delegate {
        /// Who: a member for a member, a cooperative for a cooperative.
        to: Did,
        /// On what; none for every topic without a delegation of its own.
        topic: Option<Name>,
        /// Until when, by block time, if not for good.
        until: Option<Time>,
    },
    /// End a delegation; whose word it needs is as in [`Self::Delegate`].
    Undelegate {
        /// That on which topic.
        topic: Option<Name>,
    },
    /// Withdraw a proposal that is not accepted yet; its proposer's word.
    CancelProposal {
        /// Which.
        proposal: ProposalId,
    },
    /// Try again to carry out a proposal that could not be; an officer's word.
    RetryProposal {
        /// Which.
        proposal: ProposalId,
    },
    /// Put the text of a contract, or of a module that contracts import, in the log, for policies to name.
    PublishContract {
        /// The text, at most [`crate::limits::MAX_CONTRACT_BYTES`].
        source: String,
    },
    /// Offer an agreement to other cooperatives; an officer's word, which counts as a signature. The operation's id is
    /// the agreement's.
    ProposeAgreement {
        /// What it says.
        terms: Box<Terms>,
    },
    /// Say something of an agreement: the word of as many officers of a party as its threshold says. An offer needs one,
    /// and counts as that officer's signature.
    Agreement {
        /// Which.
        agreement: AgreementId,
        /// What.
        act: Box<AgreementAct>,
    },
    /// Say or show something of a line of credit: the word of an end, by its line, officers' or seat key, but for proofs
    /// that an end signed two transfers with one number, which are anybody's who has a seat, and disputes, which are an
    /// officer's.
    Credit {
        /// The agreement that opened it.
        agreement: AgreementId,
        /// Its unit.
        unit: CreditUnit,
        /// What.
        act: Box<CreditAct>,
    },
    /// Say something of the round of clearing that is under way; [`ClearingAct`] says whose word each is.
    Clearing {
        /// What.
        act: ClearingAct,
    },
    /// Say up to which version of the protocol the author's node can follow; the seat's word.
    Announce {
        /// The version.
        protocol: u32,
    },
}

impl Action {
    /// A short name for logs, metrics and the command line.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Join { .. } => "join",
            Self::Ready {} => "ready",
            Self::Leave {} => "leave",
            Self::RotateKeys { .. } => "rotate-keys",
            Self::RotateMemberKey { .. } => "rotate-member-key",
            Self::AddMember { .. } => "add-member",
            Self::RemoveMember { .. } => "remove-member",
            Self::ShareMana { .. } => "share-mana",
            Self::SubmitJob { .. } => "submit-job",
            Self::AwardJob { .. } => "award-job",
            Self::PostReceipt { .. } => "post-receipt",
            Self::ReturnJob { .. } => "return-job",
            Self::CancelJob { .. } => "cancel-job",
            Self::ChallengeJob { .. } => "challenge-job",
            Self::PostVerdict { .. } => "post-verdict",
            Self::Propose { .. } => "propose",
            Self::Sponsor { .. } => "sponsor",
            Self::Vote { .. } => "vote",
            Self::Delegate { .. } => "delegate",
            Self::Undelegate { .. } => "undelegate",
            Self::CancelProposal { .. } => "cancel-proposal",
            Self::RetryProposal { .. } => "retry-proposal",
            Self::PublishContract { .. } => "publish-contract",
            Self::ProposeAgreement { .. } => "propose-agreement",
            Self::Agreement { .. } => "agreement",
            Self::Credit { .. } => "credit",
            Self::Clearing { .. } => "clearing",
            Self::Announce { .. } => "announce",
        }
    }
}

/// An author's wish, before it is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// The federation that it is for: it means nothing in another.
    pub federation: Cid,
    /// For whom it is done.
    pub author: Did,
    /// The author's key that signs.
    pub key: PublicKey,
    /// The key's own number; each is used once.
    pub sequence: Sequence,
    /// By block time; at most an hour ahead.
    pub expires: Time,
    /// What is wanted.
    pub action: Action,
}

/// An operation with its signature, its id and the bytes that were signed. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedOperation(Arc<Parts>);

#[derive(PartialEq, Eq)]
struct Parts {
    operation: Operation,
    bytes: Vec<u8>,
    signature: Signature,
    id: OperationId,
}

/// Why bytes are not a signed operation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OperationError {
    /// Not the canonical bytes of an operation.
    #[error("malformed operation: {0}")]
    Decode(#[from] DecodeError),
}

impl SignedOperation {
    /// Signs `operation` with `key`, which should be the one that it names.
    pub fn sign(operation: Operation, key: &SecretKey) -> Self {
        let bytes = canonical::to_bytes(&operation);
        let signature = key.sign(Domain::Operation, &bytes);
        Self::from_parts(operation, bytes, signature)
    }

    /// Takes bytes from outside. The signature is not checked here: see [`Self::verify`].
    ///
    /// # Errors
    /// [`OperationError`] if `bytes` are not the canonical bytes of an operation of allowed size.
    pub fn decode(bytes: Vec<u8>, signature: Signature) -> Result<Self, OperationError> {
        let operation = canonical::from_bytes(&bytes, MAX_OPERATION_BYTES)?;
        Ok(Self::from_parts(operation, bytes, signature))
    }

    fn from_parts(operation: Operation, bytes: Vec<u8>, signature: Signature) -> Self {
        let id = OperationId::new(Digest::of(&bytes));
        Self(Arc::new(Parts {
            operation,
            bytes,
            signature,
            id,
        }))
    }

    /// Checks the signature by the strict rule.
    ///
    /// # Errors
    /// [`SignatureError`] if the named key did not sign these bytes.
    pub fn verify(&self) -> Result<(), SignatureError> {
        self.0
            .operation
            .key
            .verify(Domain::Operation, &self.0.bytes, &self.0.signature)
    }

    /// The id.
    pub fn id(&self) -> OperationId {
        self.0.id
    }

    /// What was signed.
    pub fn operation(&self) -> &Operation {
        &self.0.operation
    }

    /// The canonical bytes that were signed, without domain prefix.
    pub fn bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// The signature.
    pub fn signature(&self) -> &Signature {
        &self.0.signature
    }

    /// Bytes that it takes in a block or message, within a few.
    pub fn encoded_len(&self) -> usize {
        self.0.bytes.len() + Signature::LEN + 8
    }
}

impl fmt::Debug for SignedOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedOperation")
            .field("id", &self.0.id)
            .field("operation", &self.0.operation)
            .finish()
    }
}

/// In DAG-CBOR the pair of signed bytes and signature; in JSON the operation, the signature and the id.
impl Serialize for SignedOperation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            Readable {
                id: self.0.id,
                operation: &self.0.operation,
                signature: self.0.signature,
            }
            .serialize(serializer)
        } else {
            (Bytes::new(&self.0.bytes), &self.0.signature).serialize(serializer)
        }
    }
}

#[derive(Serialize)]
struct Readable<'a> {
    id: OperationId,
    operation: &'a Operation,
    signature: Signature,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FromReadable {
    // For readers of the JSON; the true id follows from the operation.
    #[serde(default, rename = "id")]
    _id: Option<OperationId>,
    operation: Operation,
    signature: Signature,
}

impl<'de> Deserialize<'de> for SignedOperation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let read = FromReadable::deserialize(deserializer)?;
            let bytes = canonical::to_bytes(&read.operation);
            Ok(Self::from_parts(read.operation, bytes, read.signature))
        } else {
            let (bytes, signature) = <(ByteBuf, Signature)>::deserialize(deserializer)?;
            Self::decode(bytes.into_vec(), signature).map_err(D::Error::custom)
        }
    }
}
