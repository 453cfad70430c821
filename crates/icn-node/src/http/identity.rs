//! Who the node is, and how it gets another key.
use super::{app::App, failure::Failure, operations};
use crate::{access::Change, network, succession};
use axum::{Extension, Json, extract::State, http::StatusCode};
use icn_api::{
    ApiError, DEFAULT_WAIT_MS,
    node::{Identity, Rotation},
    operations::{OperationState, OperationStatus, WaitQuery},
};
use icn_model::{Action, Possession, Refusal, SeatRecord, Signed};
use icn_serve::http::Query;
use icn_store::BackendKind;

/// `GET /v1/identity`
pub(super) async fn identity(State(app): State<App>) -> Json<Identity> {
    let seat = seat(&app);
    Json(Identity {
        did: app.inner.did,
        key: app.inner.key,
        peer_id: app.inner.network.snapshot().peer_id,
        keys: seat.as_ref().map(|seat| seat.keys.clone()),
        succession: seat.map(|seat| seat.succession),
    })
}

fn seat(app: &App) -> Option<SeatRecord> {
    app.ledger()
        .read(|state| state.seat_record(&app.inner.did).cloned())
}

/// `POST /v1/identity/rotate`
pub(super) async fn rotate(
    State(app): State<App>,
    Query(wait): Query<WaitQuery>,
) -> Result<(StatusCode, Extension<Change>, Json<Rotation>), Failure> {
    if app.inner.location.kind() == BackendKind::Memory {
        return Err(cannot(
            "the node keeps nothing, and would come back without its log",
        ));
    }
    let Some(seat) = seat(&app) else {
        return Err(cannot("the node has no seat whose key could change"));
    };
    let old = app.inner.key;
    if seat.keys.seat != old {
        return Err(cannot("the node is about to start again with another key"));
    }
    let ring = app.inner.keys.clone();
    // It writes and syncs files, and may open an encrypted one.
    let next = tokio::task::spawn_blocking(move || ring.next()).await?;
    let next = next.map_err(|error| cannot(&format!("{error:#}")))?;

    let (keys, roles) = succession::succeeding(&seat, old, next.public());
    let possession = Possession {
        federation: app.ledger().read(icn_state::State::federation),
        did: app.inner.did,
        key: next.public(),
    };
    let action = Action::RotateKeys {
        keys: Box::new(keys),
        possession: Some(Signed::new(possession, &next)),
    };
    let refused = |refusal: &Refusal| {
        let code = refusal.code();
        cannot(&format!(
            "the federation refuses it: {refusal} ({} {})",
            code.number, code.name
        ))
    };
    let id = app
        .inner
        .node
        .author()
        .act(action, app.now())
        .map_err(|refusal| refused(&refusal))?;
    let deadline = operations::deadline(wait.wait_ms.unwrap_or(DEFAULT_WAIT_MS));
    let operation = operations::wait_for(&app, id, deadline).await?;
    let operation = operation.unwrap_or(OperationStatus {
        id,
        state: OperationState::Waiting {},
    });
    if let OperationState::Refused { refusal, .. } = &operation.state {
        return Err(refused(&refusal.reason));
    }
    tracing::info!(key = %next.public(), ?roles, "another key is to follow this node's");
    let change = Change {
        what: "identity-rotated",
        name: next.public().to_string(),
        to: None,
    };
    let code = if operation.state.is_final() {
        StatusCode::OK
    } else {
        StatusCode::ACCEPTED
    };
    let rotation = Rotation {
        key: next.public(),
        peer_id: network::peer_name(&next),
        roles,
        operation,
    };
    Ok((code, Extension(change), Json(rotation)))
}

fn cannot(detail: &str) -> Failure {
    ApiError::CannotRotate {
        detail: detail.to_owned(),
    }
    .into()
}
