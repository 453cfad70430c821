//! `GET /v1/governance/proposals/{id}/audit`: the records of a vote, with the operations out of the log's blocks.
use super::{app::App, failure::Failure, governance::no_proposal};
use axum::{Json, extract::State};
use icn_api::{
    ApiError,
    audit::{
        AUDIT_FORMAT, Attestation, AuditBundle, AuditRecords, AuditedBallot, AuditedLink, RollCooperative,
        RollMember,
    },
};
use icn_model::{
    BallotRecord, Cid, DelegationRecord, Did, Height, LogEntry, Name, OperationId, ProposalId,
    ProposalRecord, Signed, SignedOperation, Time,
};
use icn_protocol::ledger::OperationStatus;
use icn_serve::http::Path;
use icn_state::State as LogState;
use std::collections::{BTreeMap, BTreeSet};

/// What the state knows of a vote.
struct Known {
    federation: Cid,
    height: Height,
    record: ProposalRecord,
    cooperatives: Vec<RollCooperative>,
    members: Vec<RollMember>,
    ballots: Vec<(Did, BallotRecord)>,
    links: Vec<(Did, DelegationRecord)>,
}

/// `GET /v1/governance/proposals/{id}/audit`
pub(super) async fn audit(
    State(app): State<App>,
    Path(id): Path<ProposalId>,
) -> Result<Json<AuditBundle>, Failure> {
    // A bundle of many voters takes much memory.
    let Ok(_turn) = app.audits.try_acquire() else {
        let what = "putting another audit bundle together";
        return Err(ApiError::Busy { what }.into());
    };
    let reading = app.clone();
    let known = tokio::task::spawn_blocking(move || reading.ledger().read(|state| known(state, id))).await?;
    let known = known.ok_or_else(|| no_proposal(id))??;
    let made = made_at(&app, id)?;
    let operations = operations(&app, &known, made).await?;
    let signing = app.clone();
    // Hashing and signing all of it, too.
    let bundle = tokio::task::spawn_blocking(move || bundle(&signing, id, known, made, &operations));
    Ok(Json(bundle.await??))
}

/// What the state knows; none if there is no such proposal, and a failure if nobody can vote on it yet.
fn known(state: &LogState, id: ProposalId) -> Option<Result<Known, Failure>> {
    let record = state.proposal(&id)?.clone();
    let Some(roll) = record.roll.clone() else {
        let unopened = ApiError::NotFound {
            what: "roll yet of proposal",
            id: id.to_string(),
        };
        return Some(Err(unopened.into()));
    };
    let cooperative = |did: &Did| RollCooperative {
        did: *did,
        officers: state.seat_record(did).map(|seat| seat.keys.officers.clone()),
    };
    let member = |(did, cooperative): (Did, Did)| RollMember {
        did,
        cooperative,
        key: state.member(&did).map(|member| member.key),
    };
    let ballots: Vec<_> = state
        .ballots(&id)
        .map(|(voter, ballot)| (*voter, ballot.clone()))
        .collect();
    Some(Ok(Known {
        federation: state.federation(),
        height: state.height(),
        cooperatives: roll.cooperatives.iter().map(cooperative).collect(),
        members: state.roll_members(&roll).into_iter().map(member).collect(),
        links: links(state, &record.spec.topic, &ballots),
        ballots,
        record,
    }))
}

/// The delegations of those in the middle of a chain who have no ballot of their own, as they are now.
fn links(state: &LogState, topic: &Name, ballots: &[(Did, BallotRecord)]) -> Vec<(Did, DelegationRecord)> {
    let has_ballot = |did: &Did| ballots.binary_search_by_key(did, |(voter, _)| *voter).is_ok();
    let between = ballots.iter().flat_map(|(_, ballot)| {
        let last = ballot.through.len().saturating_sub(1);
        &ballot.through[..last]
    });
    let between: BTreeSet<Did> = between.filter(|did| !has_ballot(did)).copied().collect();
    let of = |did: Did| {
        // What has ended is still there until a block after it forgets it.
        let record = state.delegation(&did, Some(topic), Time::ZERO)?;
        Some((did, record.clone()))
    };
    between.into_iter().filter_map(of).collect()
}

/// Where the operation that made a proposal is.
fn made_at(app: &App, id: ProposalId) -> Result<LogEntry, Failure> {
    let operation = OperationId::new(*id.digest());
    match app.ledger().status(&operation)? {
        Some(OperationStatus::Final(place)) => Ok(LogEntry {
            height: place.height,
            operation,
        }),
        // Its record is known a moment before it is durable.
        _ => Err(ApiError::NotReady {
            reason: "the proposal is not durable here yet".into(),
        }
        .into()),
    }
}

/// Reads every operation that the records name, block by block.
async fn operations(
    app: &App,
    known: &Known,
    made: LogEntry,
) -> Result<BTreeMap<OperationId, SignedOperation>, Failure> {
    let ballots = known.ballots.iter().flat_map(|(_, ballot)| &ballot.by);
    let links = known.links.iter().flat_map(|(_, link)| &link.by);
    let mut wanted = BTreeMap::<Height, BTreeSet<OperationId>>::new();
    for entry in ballots.chain(links).chain([&made]) {
        wanted.entry(entry.height).or_default().insert(entry.operation);
    }
    let mut found = BTreeMap::new();
    for (height, ids) in wanted {
        let missing = || ApiError::NotFound {
            what: "block of the log on this node at height",
            id: height.to_string(),
        };
        let block = app.inner.node.block(height).await.ok_or_else(missing)?;
        let named = block.content().operations.iter();
        let named = named.filter(|operation| ids.contains(&operation.id()));
        found.extend(named.map(|operation| (operation.id(), operation.clone())));
    }
    Ok(found)
}

fn bundle(
    app: &App,
    id: ProposalId,
    known: Known,
    made: LogEntry,
    operations: &BTreeMap<OperationId, SignedOperation>,
) -> Result<AuditBundle, Failure> {
    let one = |entry: &LogEntry| {
        let operation = operations.get(&entry.operation).cloned();
        let (operation_id, height) = (entry.operation, entry.height);
        operation.ok_or_else(|| {
            Failure::internal(format_args!(
                "block {height} does not have operation {operation_id}"
            ))
        })
    };
    let all = |entries: &[LogEntry]| entries.iter().map(one).collect::<Result<Vec<_>, _>>();
    let ballots = known.ballots.into_iter().map(|(voter, record)| {
        Ok(AuditedBallot {
            voter,
            operations: all(&record.by)?,
            record,
        })
    });
    let links = known.links.into_iter().map(|(from, link)| {
        Ok(AuditedLink {
            from,
            to: link.to,
            operations: all(&link.by)?,
            by: link.by,
        })
    });
    let records = AuditRecords {
        federation: known.federation,
        genesis: app.inner.genesis.clone(),
        proposal: id,
        proposed: one(&made)?,
        record: known.record,
        cooperatives: known.cooperatives,
        members: known.members,
        ballots: ballots.collect::<Result<_, Failure>>()?,
        links: links.collect::<Result<_, Failure>>()?,
    };
    let author = app.inner.node.author();
    let attestation = Attestation {
        federation: records.federation,
        proposal: id,
        digest: records.digest(),
        height: known.height,
        node: author.did(),
        key: author.key().public(),
    };
    Ok(AuditBundle {
        format: AUDIT_FORMAT,
        records,
        attestation: Signed::new(attestation, author.key()),
    })
}
