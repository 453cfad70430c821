//! Every route, once, in the form that both axum and OpenAPI read: `{name}` stands for one segment.

/// Is the process alive.
pub const HEALTH: &str = "/health";
/// Can the node serve.
pub const READY: &str = "/ready";
/// One screen about the node.
pub const STATUS: &str = "/status";
/// What the node is.
pub const INFO: &str = "/info";
/// Prometheus metrics.
pub const METRICS: &str = "/metrics";
/// The OpenAPI document.
pub const OPENAPI: &str = "/openapi.json";
/// Events, as a page or a stream.
pub const EVENTS: &str = "/events";
/// Hand in operations.
pub const OPERATIONS: &str = "/v1/operations";
/// What a key needs to build its next operation.
pub const OPERATION_NEXT: &str = "/v1/operations/next";
/// Where an operation stands.
pub const OPERATION: &str = "/v1/operations/{id}";
/// The node's identity.
pub const IDENTITY: &str = "/v1/identity";
/// Another key for the node.
pub const IDENTITY_ROTATE: &str = "/v1/identity/rotate";
/// The federation now.
pub const FEDERATION: &str = "/v1/federation";
/// How the federation began.
pub const GENESIS: &str = "/v1/federation/genesis";
/// How a log could begin that continues this one.
pub const SUCCESSOR: &str = "/v1/federation/successor";
/// Give a waiting node its invitation.
pub const JOIN: &str = "/v1/federation/join";
/// Seats, applicants and members.
pub const MEMBERS: &str = "/v1/federation/members";
/// A block of the log.
pub const LOG_BLOCK: &str = "/v1/log/blocks/{height}";
/// The node's own blocks.
pub const DAG: &str = "/v1/dag";
/// Put a block.
pub const DAG_BLOCKS: &str = "/v1/dag/blocks";
/// Get a block.
pub const DAG_BLOCK: &str = "/v1/dag/blocks/{cid}";
/// Put a file.
pub const DAG_FILES: &str = "/v1/dag/files";
/// Get a file.
pub const DAG_FILE: &str = "/v1/dag/files/{cid}";
/// What is kept, and for whom.
pub const DAG_PINS: &str = "/v1/dag/pins";
/// A pin.
pub const DAG_PIN: &str = "/v1/dag/pins/{cid}";
/// Remove what nothing refers to.
pub const DAG_GC: &str = "/v1/dag/gc";
/// Whether what the node keeps is whole.
pub const VERIFY: &str = "/v1/dag/verify";
/// Backups.
pub const BACKUPS: &str = "/v1/backups";
/// Take blocks out of a backup.
pub const RESTORE: &str = "/v1/backups/restore";
/// Jobs.
pub const JOBS: &str = "/v1/mesh/jobs";
/// A job.
pub const JOB: &str = "/v1/mesh/jobs/{id}";
/// How a job's executors were chosen.
pub const JOB_WHY: &str = "/v1/mesh/jobs/{id}/why";
/// Who runs jobs.
pub const EXECUTORS: &str = "/v1/mesh/executors";
/// Whom this node gives no jobs.
pub const BLACKLIST: &str = "/v1/mesh/blacklist";
/// All accounts.
pub const MANA: &str = "/v1/mana";
/// An account.
pub const ACCOUNT: &str = "/v1/mana/{did}";
/// Proposals.
pub const PROPOSALS: &str = "/v1/governance/proposals";
/// A proposal.
pub const PROPOSAL: &str = "/v1/governance/proposals/{id}";
/// The votes on a proposal.
pub const PROPOSAL_BALLOTS: &str = "/v1/governance/proposals/{id}/ballots";
/// What it takes to check a vote without a node.
pub const PROPOSAL_AUDIT: &str = "/v1/governance/proposals/{id}/audit";
/// What a proposal would change.
pub const GOVERNANCE_PLAN: &str = "/v1/governance/plan";
/// What a contract would have said to what has happened.
pub const GOVERNANCE_BACKTEST: &str = "/v1/governance/backtest";
/// How what is decided.
pub const GOVERNANCE_RULES: &str = "/v1/governance/rules";
/// Who votes for whom.
pub const DELEGATIONS: &str = "/v1/governance/delegations";
/// Contracts of the log.
pub const CONTRACTS: &str = "/v1/governance/contracts";
/// A contract of the log.
pub const CONTRACT: &str = "/v1/governance/contracts/{cid}";
/// Agreements between cooperatives.
pub const AGREEMENTS: &str = "/v1/agreements";
/// An agreement.
pub const AGREEMENT: &str = "/v1/agreements/{id}";
/// What has happened to an agreement.
pub const AGREEMENT_HISTORY: &str = "/v1/agreements/{id}/history";
/// Lines of credit between cooperatives.
pub const CREDIT_LINES: &str = "/v1/credit/lines";
/// A line of credit.
pub const CREDIT_LINE: &str = "/v1/credit/lines/{line}";
/// Transfers on a line.
pub const CREDIT_TRANSFERS: &str = "/v1/credit/lines/{line}/transfers";
/// Telling the log where a line stands.
pub const CREDIT_ANCHOR: &str = "/v1/credit/lines/{line}/anchor";
/// Asking the log to make void what the other end does not sign.
pub const CREDIT_VOID: &str = "/v1/credit/lines/{line}/void";
/// What a cooperative owes and is owed.
pub const CREDIT_EXPOSURE: &str = "/v1/credit/exposure";
/// What a round of clearing would come to now.
pub const CLEARING_PLAN: &str = "/v1/clearing/plan";
/// Rounds of clearing.
pub const CLEARING_ROUNDS: &str = "/v1/clearing/rounds";
/// A round of clearing.
pub const CLEARING_ROUND: &str = "/v1/clearing/rounds/{round}";
/// What a round of clearing is to clear or has cleared, with its proof.
pub const CLEARING_REPORT: &str = "/v1/clearing/rounds/{round}/report";
/// The node's place in the network.
pub const NETWORK: &str = "/v1/network";
/// The node's configuration.
pub const CONFIG: &str = "/v1/config";
/// Connected peers.
pub const PEERS: &str = "/v1/network/peers";

/// The keys of the interface.
pub const KEYS: &str = "/v1/keys";
/// A key.
pub const KEY: &str = "/v1/keys/{name}";
/// A new secret for a key.
pub const KEY_ROTATE: &str = "/v1/keys/{name}/rotate";

/// `path` with `value` in place of its one parameter. Values of this API (ids, CIDs, DIDs, names of keys, numbers)
/// consist of characters that a path segment may have.
pub fn with(path: &str, value: impl std::fmt::Display) -> String {
    match (path.find('{'), path.find('}')) {
        (Some(open), Some(close)) => format!("{}{value}{}", &path[..open], &path[close + 1..]),
        _ => path.to_owned(),
    }
}

/// The name of the parameter of `path`, if it has one.
pub fn parameter(path: &'static str) -> Option<&'static str> {
    let open = path.find('{')?;
    let close = path.find('}')?;
    path.get(open + 1..close)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_and_filled() {
        assert_eq!(with(JOB_WHY, "bafy"), "/v1/mesh/jobs/bafy/why");
        assert_eq!(with(LOG_BLOCK, 7), "/v1/log/blocks/7");
        assert_eq!(with(JOBS, 7), JOBS);
        assert_eq!(parameter(DAG_FILE), Some("cid"));
        assert_eq!(parameter(EVENTS), None);
    }
}
