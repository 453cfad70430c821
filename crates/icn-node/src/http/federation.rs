//! The federation and its log: rules, seats, members, blocks.
use super::{app::App, failure::Failure, page};
use axum::{Json, extract::State};
use icn_api::{
    ApiError,
    federation::{
        Application, Federation, GenesisView, MemberView, Members, MembersQuery, SeatView, SuccessorQuery,
    },
    log::LogBlock,
};
use icn_model::{Checkpoint, Cid, Codec, Did, Effect, Genesis, Height, MemberRecord, limits::MAX_ADDRESSES};
use icn_net::{Address, Direction};
use icn_protocol::keys;
use icn_serve::http::{Path, Query};
use icn_state::State as LogState;
use std::{collections::BTreeSet, num::ParseIntError};

/// `POST /v1/federation/join`: too late.
pub(super) async fn join(State(app): State<App>) -> Failure {
    let id = app.inner.genesis.id();
    ApiError::InFederation { id }.into()
}

/// `GET /v1/federation`
pub(super) async fn federation(State(app): State<App>) -> Result<Json<Federation>, Failure> {
    let progress = app.ledger().progress();
    let place = app.ledger().place(progress.height)?;
    let place =
        place.ok_or_else(|| Failure::internal(format_args!("block {} has no place", progress.height)))?;
    let (record, epoch, seats) = app.ledger().read(|state| {
        let seats = state.seats(state.epoch()).unwrap_or_default().to_vec();
        (state.federation_record().clone(), state.epoch(), seats)
    });
    let block = Cid::new(Codec::DagCbor, place.hash);
    Ok(Json(Federation {
        id: record.id,
        log: record.log,
        name: record.name,
        created: record.created,
        parameters: record.parameters,
        height: progress.height,
        root: progress.root,
        time: progress.time,
        epoch,
        addresses: addresses(&app, &seats.iter().map(|seat| seat.key).collect::<Vec<_>>()),
        seats,
        checkpoint: Checkpoint {
            height: progress.height,
            block,
        },
    }))
}

/// Where a newcomer can reach this node and the seats that this node dialed, with their peer ids. Where a
/// seat that dialed this node listens is not known here.
fn addresses(app: &App, seats: &[icn_model::PublicKey]) -> Vec<String> {
    let snapshot = app.inner.network.snapshot();
    let own = if snapshot.announce.is_empty() {
        &snapshot.listen
    } else {
        &snapshot.announce
    };
    let own = own
        .iter()
        .filter(|address| is_reachable(address))
        .map(|address| address.with_peer(&snapshot.public_key));
    let dialed = snapshot.peers.iter().filter(|peer| {
        peer.direction == Direction::Outbound && seats.contains(&keys::model_public(&peer.public_key))
    });
    let dialed = dialed.map(|peer| peer.address.with_peer(&peer.public_key));
    own.chain(dialed)
        .take(MAX_ADDRESSES)
        .map(|address| address.to_string())
        .collect()
}

/// `0.0.0.0` is where a node listens, not where it is.
fn is_reachable(address: &Address) -> bool {
    address
        .socket_addr()
        .is_none_or(|socket| !socket.ip().is_unspecified())
}

/// `GET /v1/federation/genesis`
pub(super) async fn genesis(State(app): State<App>) -> Json<GenesisView> {
    Json(GenesisView::new(app.inner.genesis.clone()))
}

/// `GET /v1/federation/successor`
pub(super) async fn successor(
    State(app): State<App>,
    Query(query): Query<SuccessorQuery>,
) -> Result<Json<Genesis>, Failure> {
    let names = query
        .lost
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty());
    let lost = names.map(str::parse::<Did>).collect::<Result<BTreeSet<_>, _>>();
    let lost = lost.map_err(|error| Failure::bad("lost", error))?;
    let drafted = app.ledger().read(|state| state.successor(&lost));
    drafted.map(Json).map_err(|error| {
        let detail = error.to_string();
        ApiError::NoSuccessor { detail }.into()
    })
}

/// `GET /v1/federation/members`
pub(super) async fn members(State(app): State<App>, Query(query): Query<MembersQuery>) -> Json<Members> {
    let size = page::size(query.limit);
    Json(app.ledger().read(|state| {
        let seats = state.seat_records().map(|(did, record)| SeatView {
            did: *did,
            record: record.clone(),
        });
        let mut members = members_after(state, query.cooperative, query.after, size + 1);
        let next = page::cut(&mut members, size, |(did, _)| *did);
        Members {
            height: state.height(),
            seats: seats.collect(),
            applications: applications(state),
            members: members
                .into_iter()
                .map(|(did, record)| MemberView { did, record })
                .collect(),
            next,
        }
    }))
}

/// The open proposals to admit somebody.
fn applications(state: &LogState) -> Vec<Application> {
    let admissions = state.proposals().filter_map(|(id, proposal)| {
        let (Effect::Admit { applicant } | Effect::AdmitWitness { applicant }) = proposal.spec.effect else {
            return None;
        };
        (!proposal.phase.status().is_ended()).then_some(Application {
            applicant,
            proposal: *id,
            voted: state.turnout(id),
            on_roll: proposal
                .roll
                .as_ref()
                .map_or(0, |roll| roll.cooperatives.len() as u64),
        })
    });
    admissions.collect()
}

/// At most `max` members after `after`, of one cooperative or all, in the order of their DIDs.
pub(super) fn members_after(
    state: &LogState,
    cooperative: Option<Did>,
    after: Option<Did>,
    max: usize,
) -> Vec<(Did, MemberRecord)> {
    let all = || state.seat_records().map(|(did, _)| *did).collect();
    let cooperatives: Vec<Did> = cooperative.map_or_else(all, |did| vec![did]);
    let mut members: Vec<_> = cooperatives
        .iter()
        .flat_map(|cooperative| {
            let own = state
                .members(cooperative)
                .filter(|(did, _)| after.is_none_or(|after| *did > after));
            own.take(max).map(|(did, record)| (did, *record))
        })
        .collect();
    members.sort_unstable_by_key(|(did, _)| *did);
    members.truncate(max);
    members
}

/// The height in a path.
pub(super) struct AtHeight(Height);

impl std::str::FromStr for AtHeight {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.parse().map(Height::new).map(Self)
    }
}

/// `GET /v1/log/blocks/{height}`
pub(super) async fn log_block(
    State(app): State<App>,
    Path(AtHeight(height)): Path<AtHeight>,
) -> Result<Json<LogBlock>, Failure> {
    let unknown = || ApiError::NotFound {
        what: "block of the log",
        id: height.to_string(),
    };
    if height > app.ledger().progress().height {
        return Err(unknown().into());
    }
    let block = if height == Height::ZERO {
        app.ledger().genesis_block()
    } else {
        app.inner.node.block(height).await.ok_or_else(unknown)?
    };
    Ok(Json(LogBlock {
        cid: Cid::new(Codec::DagCbor, block.hash()),
        size_bytes: block.bytes().len() as u64,
        block: block.content().clone(),
    }))
}
