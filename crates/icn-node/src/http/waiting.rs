//! The interface of a node that is in no federation yet: it says what it waits for, and takes an invitation.
//!
//! All other routes of the table are there and answer that there is no federation.
use super::{failure::Failure, front::Front, node, routes, scrape, server, status};
use crate::federation::Membership;
use axum::{Json, extract::State, http::StatusCode, response::Response, routing::get};
use icn_api::{
    ApiError, Method,
    federation::{JoinRequest, Joining},
    node::{
        FederationBrief, Health, Identity, Info, JobsStatus, NetworkStatus, NodeRole, Ready, Status,
        StorageStatus,
    },
    paths,
};
use icn_model::RoleKeys;
use icn_serve::{clock, http::JsonText};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::{net::TcpListener, sync::mpsc};

/// What a waiting node waits for, for people.
const WAITS_FOR: &str = "an invitation: ask a cooperative for one (icn-cli federation invite), \
                         and give it to this node (icn-cli federation join FILE)";

/// Takes an invitation for good, or says what is wrong with it.
pub(crate) type Accept = Box<dyn Fn(JoinRequest) -> anyhow::Result<Membership> + Send + Sync>;

/// A node that waits.
pub(crate) struct Waiting {
    /// What it is.
    pub(crate) info: Info,
    /// Jobs that it will run at once.
    pub(crate) slots: u64,
    /// Whether it tells its metrics.
    pub(crate) tells_metrics: bool,
    /// What becomes of an invitation.
    pub(crate) accept: Accept,
}

struct Shared {
    front: Arc<Front>,
    waiting: Waiting,
    /// Filled once.
    invited: Mutex<Option<mpsc::Sender<Membership>>>,
}

type App = Arc<Shared>;

/// Serves until somebody brings an invitation, which is then the node's place in the world; metrics on a listener of their
/// own, if there is one.
pub(crate) async fn serve(
    listener: &TcpListener,
    metrics_listener: Option<&TcpListener>,
    front: Arc<Front>,
    waiting: Waiting,
) -> Option<Membership> {
    let (invited, mut invitation) = mpsc::channel(1);
    let app = Arc::new(Shared {
        front: front.clone(),
        waiting,
        invited: Mutex::new(Some(invited)),
    });
    let scraped = scrape::router(&front, get(metrics), get(health), get(ready)).with_state(app.clone());
    let router = routes::guarded(&front, routes()).with_state(app);
    let mut membership = None;
    let over = async {
        membership = invitation.recv().await;
    };
    server::before_operation((listener, router), (metrics_listener, scraped), &front, over).await;
    membership
}

fn routes() -> Vec<routes::Route<App>> {
    routes::before_operation(|method, path| match (method, path) {
        (Method::Get, paths::HEALTH) => get(health),
        (Method::Get, paths::READY) => get(ready),
        (Method::Get, paths::STATUS) => get(status),
        (Method::Get, paths::INFO) => get(info),
        (Method::Get, paths::METRICS) => get(metrics),
        (Method::Get, paths::IDENTITY) => get(identity),
        (Method::Get, paths::OPENAPI) => get(node::openapi),
        (Method::Post, paths::JOIN) => axum::routing::post(join),
        (method, _) => routes::answer(method, no_federation),
    })
}

async fn no_federation() -> Failure {
    ApiError::NoFederation {}.into()
}

async fn health(State(app): State<App>) -> Json<Health> {
    Json(app.front.health())
}

fn readiness() -> Ready {
    status::lacking("federation", format!("the node waits for {WAITS_FOR}"))
}

async fn ready() -> (StatusCode, Json<Ready>) {
    (StatusCode::SERVICE_UNAVAILABLE, Json(readiness()))
}

async fn metrics(State(app): State<App>) -> Result<Response, Failure> {
    node::metrics_before_operation(&app.front, app.waiting.tells_metrics)
}

async fn info(State(app): State<App>) -> Json<Info> {
    Json(app.waiting.info.clone())
}

async fn identity(State(app): State<App>) -> Json<Identity> {
    let Info {
        did,
        key,
        ref peer_id,
        ..
    } = app.waiting.info;
    Json(Identity {
        keys: None,
        succession: None,
        did,
        key,
        peer_id: peer_id.clone(),
    })
}

async fn status(State(app): State<App>) -> Json<Status> {
    Json(Status {
        info: app.waiting.info.clone(),
        ready: readiness(),
        uptime_secs: app.front.uptime_secs(),
        clock: clock::now(),
        log: None,
        network: NetworkStatus {
            peers: 0,
            seats: 0,
            seats_online: 0,
            quorum: 0,
        },
        mana: None,
        jobs: JobsStatus {
            bidding: 0,
            running: 0,
            running_here: 0,
            slots: app.waiting.slots,
        },
        storage: StorageStatus {
            used_bytes: 0,
            free_bytes: None,
            blocks: 0,
            block_bytes: 0,
        },
        backups: None,
        access: Some(app.front.access.status()),
        warnings: app.front.access.warnings(),
    })
}

async fn join(
    State(app): State<App>,
    JsonText(text): JsonText,
) -> Result<(StatusCode, Json<Joining>), Failure> {
    let request: JoinRequest =
        serde_json::from_slice(&text).map_err(|error| Failure::bad("invitation", error))?;
    let (file, applicant) = request.clone().into_parts();
    file.check().map_err(|error| Failure::bad("invitation", error))?;
    let Info { ref name, key, .. } = app.waiting.info;
    if let Some(name) = name {
        let keys = applicant.or(name, &RoleKeys::single(key));
        keys.map_err(|error| Failure::bad("applicant", error))?;
    }
    let federation = FederationBrief {
        name: file.genesis.name.clone(),
        id: file.genesis.id(),
    };
    // Whoever takes the sender is the one who joins; the lock is held so that nobody else writes meanwhile.
    let mut invited = app.invited.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(sender) = invited.take() else {
        return Err(ApiError::InFederation { id: federation.id }.into());
    };
    match (app.waiting.accept)(request) {
        Ok(membership) => {
            // There is room for the one message that is ever sent.
            let _ = sender.try_send(membership);
        }
        Err(error) => {
            *invited = Some(sender);
            return Err(Failure::internal(format!("{error:#}")));
        }
    }
    let joining = Joining {
        federation,
        waits_for: "the vote of the cooperatives (icn-cli federation approve)".into(),
    };
    Ok((StatusCode::ACCEPTED, Json(joining)))
}

/// What a node is that waits.
pub(crate) fn role() -> NodeRole {
    NodeRole::Applicant {
        waits_for: WAITS_FOR.into(),
    }
}
