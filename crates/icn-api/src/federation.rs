//! The federation: its rules, seats, applicants and members, and how it began.
use crate::{InvitationFile, node::FederationBrief};
use icn_model::{
    Checkpoint, Cid, Did, Digest, EpochNumber, Genesis, Height, Invitation, MemberRecord, Name, Officers,
    Parameters, ProposalId, PublicKey, RoleKeys, SeatEntry, SeatRecord, Signed, Time,
};
use serde::{Deserialize, Serialize};

/// Answer of [`crate::paths::FEDERATION`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Federation {
    /// The CID of its first genesis.
    pub id: Cid,
    /// The log that it follows: the CID of the genesis of that. Another one than `id` once seats were lost for good.
    pub log: Cid,
    /// What it is called.
    pub name: Name,
    /// When it began.
    pub created: Time,
    /// Its rules now.
    pub parameters: Parameters,
    /// The last block that is final, executed and durable here.
    pub height: Height,
    /// The outcome root there.
    pub root: Digest,
    /// That block's time.
    pub time: Time,
    /// The current epoch.
    pub epoch: EpochNumber,
    /// Who orders its blocks, sorted by key.
    pub seats: Vec<SeatEntry>,
    /// The block at `height`, for invitations.
    pub checkpoint: Checkpoint,
    /// Where its nodes are reached, as multiaddrs with peer ids, for invitations.
    pub addresses: Vec<String>,
}

/// Answer of [`crate::paths::GENESIS`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct GenesisView {
    /// The federation's id.
    pub id: Cid,
    /// The CID of `bytes`: the id of the log. The federation's, too, if no seats were ever lost for good.
    pub log: Cid,
    /// The genesis.
    pub genesis: Genesis,
    /// Its canonical bytes in lower-case hexadecimal.
    pub bytes: String,
}

impl GenesisView {
    /// From the genesis.
    pub fn new(genesis: Genesis) -> Self {
        let bytes = icn_model::canonical::to_bytes(&genesis);
        Self {
            id: genesis.id(),
            log: genesis.log(),
            bytes: bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            genesis,
        }
    }
}

/// Request of [`crate::paths::JOIN`]: an invitation file, and how the node is to apply.
///
/// The file cannot say that itself: who invites would choose the keys that act for the newcomer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct JoinRequest {
    /// How the federation began.
    pub genesis: Genesis,
    /// The invitation.
    pub invitation: Signed<Invitation>,
    /// What the node does not apply with by itself.
    #[serde(default)]
    pub applicant: Applicant,
}

impl JoinRequest {
    /// What a node is told by whoever has a file.
    pub fn new(file: InvitationFile, applicant: Applicant) -> Self {
        let InvitationFile { genesis, invitation } = file;
        Self {
            genesis,
            invitation,
            applicant,
        }
    }

    /// The two again.
    pub fn into_parts(self) -> (InvitationFile, Applicant) {
        let Self {
            genesis,
            invitation,
            applicant,
        } = self;
        (InvitationFile { genesis, invitation }, applicant)
    }
}

/// As whom a node applies: what is not said is the node's own name, and its own key in every role.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Applicant {
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// Who speaks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub officers: Option<Officers>,
    /// The key that replaces lost ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery: Option<PublicKey>,
}

impl Applicant {
    /// The name and keys of an applicant that has `name` and `keys` by itself.
    ///
    /// # Errors
    /// If the keys cannot act.
    pub fn or(self, name: &Name, keys: &RoleKeys) -> Result<(Name, RoleKeys), UnusableKeys> {
        let keys = RoleKeys {
            officers: self.officers.unwrap_or_else(|| keys.officers.clone()),
            recovery: self.recovery.unwrap_or(keys.recovery),
            ..keys.clone()
        };
        if !keys.is_usable() {
            return Err(UnusableKeys);
        }
        Ok((self.name.unwrap_or_else(|| name.clone()), keys))
    }
}

/// Keys that nobody could act with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("these keys cannot act: name each officer once, and a threshold that they can meet")]
pub struct UnusableKeys;

/// Answer of [`crate::paths::JOIN`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Joining {
    /// The federation that the node applies to.
    pub federation: FederationBrief,
    /// What it waits for next, for people.
    pub waits_for: String,
}

/// Query of [`crate::paths::SUCCESSOR`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
#[serde(deny_unknown_fields)]
pub struct SuccessorQuery {
    /// Whose seats are lost for good: identities, separated by commas.
    #[serde(default)]
    pub lost: String,
}

/// Query of [`crate::paths::MEMBERS`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct MembersQuery {
    /// Only members of this cooperative.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cooperative: Option<Did>,
    /// Members after this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Did>,
    /// At most this many members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// Answer of [`crate::paths::MEMBERS`]. Every page has all seats; members come in pages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Members {
    /// As of this height.
    pub height: Height,
    /// Cooperatives and witnesses in every phase, applicants included, in the order of their DIDs.
    pub seats: Vec<SeatView>,
    /// The votes on applicants that are under way.
    pub applications: Vec<Application>,
    /// Members in the order of their DIDs.
    pub members: Vec<MemberView>,
    /// What to pass as `after` for more members; none if these are the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Did>,
}

/// The vote on an applicant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Application {
    /// Who applied.
    pub applicant: Did,
    /// The proposal to admit it.
    pub proposal: ProposalId,
    /// How many cooperatives have voted.
    pub voted: u64,
    /// Of how many.
    pub on_roll: u64,
}

impl Members {
    /// The vote on an applicant, if one is under way.
    pub fn application(&self, applicant: &Did) -> Option<&Application> {
        self.applications.iter().find(|one| one.applicant == *applicant)
    }

    /// What a seat is called.
    pub fn name_of(&self, did: &Did) -> Option<&Name> {
        let seat = self.seats.iter().find(|seat| seat.did == *did)?;
        Some(&seat.record.name)
    }
}

/// A cooperative, witness or applicant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SeatView {
    /// Who it is.
    pub did: Did,
    /// What the log knows of it.
    pub record: SeatRecord,
}

/// A member of a cooperative.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct MemberView {
    /// Who it is.
    pub did: Did,
    /// What the log knows of it.
    pub record: MemberRecord,
}
