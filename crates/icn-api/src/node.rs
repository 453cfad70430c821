//! The node itself: alive, ready, what it is, how it fares.
use crate::operations::OperationStatus;
use icn_model::{
    Cid, Did, Digest, EpochNumber, Height, Mana, Millis, Name, PublicKey, Role, RoleKeys, SeatKind,
    Succession, Time,
};
use serde::{Deserialize, Serialize};

/// Answer of [`crate::paths::HEALTH`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Health {
    /// Always true: a node that is not alive does not answer.
    pub alive: bool,
    /// Since the process started, in seconds.
    pub uptime_secs: u64,
}

/// Answer of [`crate::paths::READY`], with status 200 or 503.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Ready {
    /// Whether every check passed.
    pub ready: bool,
    /// The checks, in the order in which they are made.
    pub checks: Vec<ReadyCheck>,
}

/// One condition of being ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ReadyCheck {
    /// What is checked, in kebab case, such as `storage`, `log` or `network`.
    pub name: String,
    /// Whether it holds.
    pub passed: bool,
    /// Why, or why not.
    pub reason: String,
}

/// What a node is to its federation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum NodeRole {
    /// Has a seat in the current epoch.
    Seat {
        /// What the seat stands for.
        kind: SeatKind,
    },
    /// Waits for a seat.
    Applicant {
        /// For what it waits, for people.
        waits_for: String,
    },
    /// Follows the log without a seat.
    Observer {},
}

/// Answer of [`crate::paths::INFO`]: what does not change while the node runs, or seldom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Info {
    /// Version of the program.
    pub version: String,
    /// The node's identity.
    pub did: Did,
    /// What the federation calls it; none while it has no seat and no application there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// Its seat key.
    pub key: PublicKey,
    /// The same key as libp2p's peer id.
    pub peer_id: String,
    /// What it is to its federation.
    pub role: NodeRole,
    /// Its federation; none for an applicant that has no log yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub federation: Option<FederationBrief>,
    /// Everything about its engine that results of jobs depend on.
    pub engine: String,
    /// The storage backend.
    pub storage: String,
    /// Where the HTTP interface listens.
    pub http_address: String,
    /// Multiaddrs that it listens on.
    pub p2p_addresses: Vec<String>,
    /// Whether it runs in memory with sample data, for trying things out.
    pub test_mode: bool,
    /// When the process started, by the node's clock.
    pub started: Time,
}

/// A federation by name and id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct FederationBrief {
    /// What it is called.
    pub name: Name,
    /// The CID of its genesis.
    pub id: Cid,
}

/// Answer of [`crate::paths::STATUS`]: one screen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Status {
    /// What the node is.
    pub info: Info,
    /// Whether it can serve.
    pub ready: Ready,
    /// Since the process started, in seconds.
    pub uptime_secs: u64,
    /// The node's clock.
    pub clock: Time,
    /// Where its log stands; none without a federation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<LogStatus>,
    /// Its network.
    pub network: NetworkStatus,
    /// Its account; none for a node without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mana: Option<ManaStatus>,
    /// Jobs of the federation and of this node.
    pub jobs: JobsStatus,
    /// Its storage.
    pub storage: StorageStatus,
    /// When it was backed up; none without a federation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backups: Option<BackupsStatus>,
    /// Who can use its interface, and how.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<AccessStatus>,
    /// What an operator should look at, for people; most urgent first.
    pub warnings: Vec<String>,
}

/// Who can use a node's interface, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AccessStatus {
    /// Whether callers need a key.
    pub require_auth: bool,
    /// The certificate that it shows; none where it speaks plain HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<CertificateStatus>,
    /// Named keys that count now.
    pub keys: u64,
    /// Named keys whose time is over or soon will be, by name.
    pub keys_ending: Vec<KeyEnd>,
}

/// A node's certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CertificateStatus {
    /// The host names and addresses that it is for.
    pub names: Vec<String>,
    /// From when it is valid.
    pub not_before: Time,
    /// Until when it is valid.
    pub not_after: Time,
    /// Why what its files hold now is not in use, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reload_failed: Option<String>,
}

/// A key whose time is over or soon will be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct KeyEnd {
    /// What it is called.
    pub name: crate::keys::KeyName,
    /// Until when it counts.
    pub expires: Time,
}

/// Before this much is left of a certificate or a key, an operator should look after it.
pub const ENDS_SOON: Millis = Millis::from_secs(14 * 24 * 3_600);

/// Where a node's log stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LogStatus {
    /// The last block that is final, executed and durable here.
    pub height: Height,
    /// The outcome root there.
    pub root: Digest,
    /// That block's time.
    pub time: Time,
    /// How long ago that was, by the node's clock.
    pub age_ms: Millis,
    /// Blocks known to be final that are not executed here yet.
    pub lag_blocks: u64,
    /// The current epoch.
    pub epoch: EpochNumber,
    /// Operations that wait to be ordered.
    pub waiting_operations: u64,
}

/// A node's network in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct NetworkStatus {
    /// Connected peers.
    pub peers: u32,
    /// Seats of the current epoch, this node's included.
    pub seats: u32,
    /// Of those, how many are connected or this node.
    pub seats_online: u32,
    /// How many seats must be online to order operations.
    pub quorum: u32,
}

impl NetworkStatus {
    /// Seats that must be online, of `seats`, to order operations: more than two thirds.
    pub const fn quorum_of(seats: u32) -> u32 {
        seats - seats.saturating_sub(1) / 3
    }
}

/// A node's account in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ManaStatus {
    /// Spendable now.
    pub available: Mana,
    /// Held for open jobs.
    pub held: Mana,
    /// Pay that is not spendable yet.
    pub maturing: Mana,
}

/// Jobs in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct JobsStatus {
    /// Of the federation, waiting for an award.
    pub bidding: u64,
    /// Of the federation, with executors.
    pub running: u64,
    /// Awarded to this node and not delivered yet.
    pub running_here: u64,
    /// Jobs that this node runs at once.
    pub slots: u64,
}

/// A node's storage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct StorageStatus {
    /// What the store takes on disk; 0 in memory.
    pub used_bytes: u64,
    /// What is free on that disk; none where there is no disk, or it cannot be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free_bytes: Option<u64>,
    /// Blocks of the DAG.
    pub blocks: u64,
    /// Bytes of those blocks.
    pub block_bytes: u64,
}

/// When a node made its last backups, by its clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct BackupsStatus {
    /// A full one; none if it made none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_full: Option<Time>,
    /// An incremental one; none if it made none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_incremental: Option<Time>,
}

impl BackupsStatus {
    /// The younger of both.
    pub fn last(&self) -> Option<Time> {
        self.last_full.max(self.last_incremental)
    }
}

/// Answer of [`crate::paths::IDENTITY`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Identity {
    /// The node's identity.
    pub did: Did,
    /// The key that it runs with.
    pub key: PublicKey,
    /// The same key as libp2p's peer id.
    pub peer_id: String,
    /// The keys that act for it by role; none if the log does not know it.
    pub keys: Option<RoleKeys>,
    /// What its keys were and will be; none if the log does not know it.
    pub succession: Option<Succession>,
}

/// Answer of [`crate::paths::IDENTITY_ROTATE`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Rotation {
    /// The new key.
    pub key: PublicKey,
    /// The same key as libp2p's peer id.
    pub peer_id: String,
    /// The roles in which it follows the old one: the seat with the next epoch, the others at once.
    pub roles: Vec<Role>,
    /// Where the operation stands that says so.
    pub operation: OperationStatus,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quorum_is_more_than_two_thirds() {
        let quorums: Vec<_> = (1..=8).map(NetworkStatus::quorum_of).collect();
        assert_eq!(quorums, [1, 2, 3, 3, 4, 5, 5, 6]);
        assert_eq!(NetworkStatus::quorum_of(0), 0);
    }
}
