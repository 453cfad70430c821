//! What a federation is made of: its genesis, cooperatives with their keys, invitations.
use crate::{
    Cid, Did, Digest, Domain, Height, ParameterError, Parameters, PublicKey, Signable, Time, canonical,
    limits, macros::content_id,
};
use alloc::{string::String, vec::Vec};
use core::{fmt, str::FromStr};
use serde::{Deserialize, Serialize};

/// Name of a federation or cooperative: 1 to 64 bytes, printable, without spaces at the ends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

impl Name {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        let printable = !text.chars().any(char::is_control) && text.trim() == text;
        if text.is_empty() || text.len() > limits::MAX_NAME_BYTES || !printable {
            Err(NameError)
        } else {
            Ok(Self(text))
        }
    }
}

impl FromStr for Name {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::try_from(String::from(text))
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

/// Text that is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to 64 bytes, no control characters and no spaces at its ends")]
pub struct NameError;

/// What a key may do for its identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Orders blocks, is the node's network identity, bids for jobs and signs receipts.
    Seat,
    /// Speaks for the cooperative: admission, members, agreements.
    Officer,
    /// Moves credit up to a limit.
    Line,
    /// Replaces lost keys.
    Recovery,
    /// A person or service of the cooperative, with a key of its own.
    Member,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Seat => "seat",
            Self::Officer => "officer",
            Self::Line => "line",
            Self::Recovery => "recovery",
            Self::Member => "member",
        })
    }
}

/// The officers of a cooperative: any `threshold` of `keys` speak for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Officers {
    /// How many of the keys must agree, at least 1.
    pub threshold: u8,
    /// Distinct keys, at most [`limits::MAX_OFFICERS`].
    pub keys: Vec<PublicKey>,
}

/// The keys that act for a cooperative or witness, by role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RoleKeys {
    /// The node's key: consensus, network, jobs.
    pub seat: PublicKey,
    /// Who speaks for the cooperative.
    pub officers: Officers,
    /// Credit transfers up to a limit.
    pub line: PublicKey,
    /// Replaces the others when they are lost.
    pub recovery: PublicKey,
}

impl RoleKeys {
    /// One key in every role: how a new node starts, and what `doctor` warns of.
    pub fn single(key: PublicKey) -> Self {
        Self {
            seat: key,
            officers: Officers {
                threshold: 1,
                keys: alloc::vec![key],
            },
            line: key,
            recovery: key,
        }
    }

    /// Whether the thresholds and keys can act at all.
    pub fn is_usable(&self) -> bool {
        let officers = &self.officers.keys;
        let distinct = officers
            .iter()
            .enumerate()
            .all(|(at, key)| !officers[..at].contains(key));
        let threshold = usize::from(self.officers.threshold);
        let mut keys = officers.iter().chain([&self.seat, &self.line, &self.recovery]);
        distinct
            && (1..=officers.len()).contains(&threshold)
            && officers.len() <= limits::MAX_OFFICERS
            && keys.all(PublicKey::is_usable)
    }
}

/// Says that who wants a new key for an identity holds it, so that nobody is given a key that another one has, and
/// no seat one that nobody has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Possession {
    /// In which federation.
    pub federation: Cid,
    /// For whom the key is to act.
    pub did: Did,
    /// The new key, which signs this.
    pub key: PublicKey,
}

impl Signable for Possession {
    const DOMAIN: Domain = Domain::Possession;

    fn signer(&self) -> PublicKey {
        self.key
    }
}

/// What a seat stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum SeatKind {
    /// A cooperative: orders blocks, votes, has an account.
    Cooperative,
    /// Orders blocks only: no vote in governance, no account.
    Witness,
}

/// A cooperative that is there from the first block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Founder {
    /// Who it is.
    pub did: Did,
    /// What it is called.
    pub name: Name,
    /// Which keys act for it.
    pub keys: RoleKeys,
}

/// The log that a new one continues after seats were lost for good. What it brought about goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Predecessor {
    /// Id of the federation, which stays.
    pub federation: Cid,
    /// The log: the CID of its genesis.
    pub log: Cid,
    /// Its last final height.
    pub height: Height,
    /// Its outcome root there.
    pub root: Digest,
    /// The Merkle root over the whole state there.
    pub state: Digest,
}

/// The word of an officer of a survivor that a log continues another one. Its content is the genesis's CID alone: that
/// names everything else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Endorsement {
    /// The log that is to be followed: the CID of its genesis.
    pub log: Cid,
    /// For which cooperative.
    pub did: Did,
    /// The officer's key, which signs this.
    pub key: PublicKey,
}

impl Signable for Endorsement {
    const DOMAIN: Domain = Domain::Succession;

    fn signer(&self) -> PublicKey {
        self.key
    }
}

/// The beginning of a log, and with the first one of a federation, whose id is its CID.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// What the federation is called.
    pub name: Name,
    /// When it began, by its founder's clock.
    pub created: Time,
    /// The version of the protocol that its log begins with: the founding program's ([`PROTOCOL_VERSION`]).
    ///
    /// [`PROTOCOL_VERSION`]: crate::PROTOCOL_VERSION
    pub protocol: u32,
    /// Its rules.
    pub parameters: Parameters,
    /// Its first cooperatives, in the order of their DIDs, each once.
    pub founders: Vec<Founder>,
    /// What it continues, if anything.
    pub predecessor: Option<Predecessor>,
}

impl Genesis {
    /// The id of the federation: the CID of its first genesis, for ever.
    pub fn id(&self) -> Cid {
        self.predecessor
            .as_ref()
            .map_or_else(|| self.log(), |predecessor| predecessor.federation)
    }

    /// The id of the log that begins with this: its CID.
    pub fn log(&self) -> Cid {
        Cid::of_dag_cbor(&canonical::to_bytes(self))
    }

    /// Whether a federation can begin so.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn check(&self) -> Result<(), GenesisError> {
        self.parameters.check()?;
        if self.protocol == 0 {
            return Err(GenesisError::Protocol);
        }
        if self.founders.is_empty() || self.founders.len() > limits::MAX_SEATS {
            return Err(GenesisError::Founders {
                count: self.founders.len(),
            });
        }
        if !self.founders.is_sorted_by(|a, b| a.did < b.did) {
            return Err(GenesisError::Order);
        }
        let mut seats: Vec<_> = self.founders.iter().map(|founder| founder.keys.seat).collect();
        seats.sort_unstable();
        seats.dedup();
        match self.founders.iter().find(|founder| !founder.keys.is_usable()) {
            Some(founder) => Err(GenesisError::Keys {
                name: founder.name.clone(),
            }),
            None if seats.len() < self.founders.len() => Err(GenesisError::SharedSeat),
            None => Ok(()),
        }
    }
}

/// Why a federation cannot begin with a genesis.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    /// A parameter is out of range.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// No version.
    #[error("the protocol's versions begin with 1")]
    Protocol,
    /// None, or too many.
    #[error("{count} founders: a federation begins with 1 to {}", limits::MAX_SEATS)]
    Founders {
        /// How many there are.
        count: usize,
    },
    /// Not sorted, or one twice.
    #[error("founders are not in the order of their identities, each once")]
    Order,
    /// A key that is no key, or thresholds that cannot be met.
    #[error(
        "the keys of {name} cannot act: check that each is an Ed25519 key and the officers' threshold can be met"
    )]
    Keys {
        /// Whose keys.
        name: Name,
    },
    /// Two founders with one seat key.
    #[error("two founders share one seat key: each node needs its own")]
    SharedSeat,
}

content_id!(
    /// Id of an invitation, by which it is used once.
    InvitationId,
    "id of an invitation"
);

/// Lets one node apply for a seat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Invitation {
    /// To which federation.
    pub federation: Cid,
    /// Which log of it is to be followed: the CID of its genesis.
    pub log: Cid,
    /// To which kind of seat.
    pub kind: SeatKind,
    /// The cooperative that invites.
    pub inviter: Did,
    /// The officer's key that signs.
    pub key: PublicKey,
    /// Tells invitations of one officer apart; random.
    pub nonce: u64,
    /// By block time.
    pub expires: Time,
    /// A block that was final when this was written: the log that the newcomer follows must contain it.
    pub checkpoint: Checkpoint,
    /// Where the federation's nodes are reached, as multiaddrs; at most [`limits::MAX_ADDRESSES`].
    pub addresses: Vec<String>,
}

impl Invitation {
    /// Its id.
    pub fn id(&self) -> InvitationId {
        InvitationId::new(Digest::of(&canonical::to_bytes(self)))
    }
}

impl Signable for Invitation {
    const DOMAIN: Domain = Domain::Invitation;

    fn signer(&self) -> PublicKey {
        self.key
    }
}

/// A final block of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// Its height.
    pub height: Height,
    /// Its CID.
    pub block: Cid,
}
