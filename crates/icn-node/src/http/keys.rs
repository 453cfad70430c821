//! The keys of the interface: listed, made, rotated and revoked, at once and without a restart. What is done to them
//! goes to the audit log by the way of the answer.
use super::{failure::Failure, gate::Caller};
use crate::access::{Access, Change, KeyError};
use axum::{
    Extension, Json,
    http::{HeaderName, StatusCode, header},
};
use icn_api::{
    ApiError,
    keys::{KeyName, KeyView, Keys, MAX_KEYS, MadeKey, NewKey, RotateKey},
};
use icn_serve::http::{JsonText, Path};
use std::sync::Arc;

/// An answer with a secret is for the caller's eyes only.
type Secret = [(HeaderName, &'static str); 1];
const SECRET: Secret = [(header::CACHE_CONTROL, "no-store")];

/// `GET /v1/keys`
pub(super) async fn list(Extension(caller): Extension<Caller>) -> Json<Keys> {
    Json(Keys {
        items: caller.access.keys.list(),
    })
}

/// `POST /v1/keys`
pub(super) async fn make(
    Extension(caller): Extension<Caller>,
    JsonText(text): JsonText,
) -> Result<(StatusCode, Secret, Extension<Change>, Json<MadeKey>), Failure> {
    let new: NewKey = serde_json::from_slice(&text).map_err(|error| Failure::bad("body", error))?;
    let by = caller.name().to_owned();
    let made = change(caller.access, move |access| access.keys.make(new, &by)).await?;
    let change = changed("key-made", &made.key, Some(made.key.scope.to_string()));
    Ok((StatusCode::CREATED, SECRET, change, Json(made)))
}

/// `POST /v1/keys/{name}/rotate`
pub(super) async fn rotate(
    Extension(caller): Extension<Caller>,
    Path(name): Path<KeyName>,
    JsonText(text): JsonText,
) -> Result<(Secret, Extension<Change>, Json<MadeKey>), Failure> {
    let wish: RotateKey = serde_json::from_slice(&text).map_err(|error| Failure::bad("body", error))?;
    let made = change(caller.access, move |access| {
        access.keys.rotate(name, wish.overlap_ms)
    })
    .await?;
    let change = changed("key-rotated", &made.key, None);
    Ok((SECRET, change, Json(made)))
}

/// `DELETE /v1/keys/{name}`
pub(super) async fn revoke(
    Extension(caller): Extension<Caller>,
    Path(name): Path<KeyName>,
) -> Result<(Extension<Change>, Json<KeyView>), Failure> {
    let key = change(caller.access, move |access| access.keys.revoke(name)).await?;
    Ok((changed("key-revoked", &key, None), Json(key)))
}

fn changed(what: &'static str, key: &KeyView, to: Option<String>) -> Extension<Change> {
    Extension(Change {
        what,
        name: key.name.to_string(),
        to,
    })
}

/// Changes the keys where waiting for the disk holds up nobody.
async fn change<T: Send + 'static>(
    access: Arc<Access>,
    change: impl FnOnce(&Access) -> Result<T, KeyError> + Send + 'static,
) -> Result<T, Failure> {
    Ok(tokio::task::spawn_blocking(move || change(&access)).await??)
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Taken(name) => ApiError::KeyNameTaken {
                name: name.to_string(),
            }
            .into(),
            KeyError::Unknown(name) => ApiError::NotFound {
                what: "key",
                id: name.to_string(),
            }
            .into(),
            KeyError::TooMany => ApiError::TooManyKeys { max: MAX_KEYS }.into(),
            KeyError::Senseless { field, reason } => Self::bad(field, reason),
            error @ KeyError::Failed(_) => Self::internal(error),
        }
    }
}
