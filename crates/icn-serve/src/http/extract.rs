//! What handlers read out of a request: parameters of path and query, and bodies, each within its bounds.
use super::{client::announced, failure::Failure};
use axum::{
    body::{BodyDataStream, Bytes},
    extract::{FromRequest, FromRequestParts, RawPathParams, Request},
    http::{HeaderMap, header, request::Parts},
};
use futures::StreamExt as _;
use icn_api::ApiError;
use icn_model::limits::MAX_DAG_BLOCK_BYTES;
use serde::de::DeserializeOwned;
use std::{fmt::Display, str::FromStr, time::Duration};

/// A body that stands still for this long is given up.
const STALLED: Duration = Duration::from_secs(30);
/// The most memory that is asked for at a caller's word, before the bytes are there.
const MAX_PREPARED_BYTES: usize = MAX_DAG_BLOCK_BYTES;
const JSON: &str = "application/json";

/// The parameters of the query; one that the route does not know is refused.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        match axum::extract::Query::try_from_uri(&parts.uri) {
            Ok(axum::extract::Query(query)) => Ok(Self(query)),
            Err(rejection) => {
                // Of the rejection's own words the last cause is the one that names the parameter.
                let mut cause: &dyn std::error::Error = &rejection;
                while let Some(next) = cause.source() {
                    cause = next;
                }
                Err(Failure::bad("query", cause))
            }
        }
    }
}

/// The one parameter of the path.
pub struct Path<T>(pub T);

impl<T: FromStr<Err: Display>, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let parameters = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|rejection| Failure::bad("path", rejection.body_text()))?;
        let Some((name, text)) = parameters.iter().next() else {
            return Err(Failure::internal(
                "a route without a parameter has a handler that reads one",
            ));
        };
        text.parse().map(Self).map_err(|error| Failure::bad(name, error))
    }
}

/// How many bytes the body of a request may have. Whoever lets a request through puts it into its extensions; without it
/// no body is read.
#[derive(Clone, Copy, Debug)]
pub struct MaxBody(pub usize);

/// A body that is read piece by piece, up to what the route takes.
pub struct Incoming {
    pieces: BodyDataStream,
    left: usize,
    max_bytes: usize,
    announced: Option<u64>,
}

impl Incoming {
    fn new(request: Request) -> Result<Self, Failure> {
        let Some(MaxBody(max_bytes)) = request.extensions().get().copied() else {
            return Err(Failure::internal(
                "a body is read of which nobody has said how long it may be",
            ));
        };
        Ok(Self {
            announced: announced(request.headers()),
            pieces: request.into_body().into_data_stream(),
            left: max_bytes,
            max_bytes,
        })
    }

    /// How long it is by the caller's word, if there is one.
    pub const fn announced(&self) -> Option<u64> {
        self.announced
    }

    /// The next piece; none at the end.
    ///
    /// # Errors
    /// If it is more than the route takes, does not come, or breaks off.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        let Ok(piece) = tokio::time::timeout(STALLED, self.pieces.next()).await else {
            return Err(Failure::bad(
                "body",
                format_args!("nothing came for {} s", STALLED.as_secs()),
            ));
        };
        let Some(piece) = piece.transpose().map_err(|error| Failure::bad("body", error))? else {
            return Ok(None);
        };
        match self.left.checked_sub(piece.len()) {
            Some(left) => self.left = left,
            None => {
                return Err(ApiError::BodyTooLarge {
                    max_bytes: self.max_bytes as u64,
                }
                .into());
            }
        }
        Ok(Some(piece))
    }

    /// All of it.
    async fn all(mut self) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        while let Some(piece) = self.next().await? {
            if bytes.is_empty() {
                // Room for all of it, so that it is not copied from one place to the next as it grows.
                let announced = self
                    .announced
                    .and_then(|announced| usize::try_from(announced).ok())
                    .unwrap_or(0);
                bytes.reserve_exact(announced.min(MAX_PREPARED_BYTES).max(piece.len()));
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }
}

impl<S: Sync> FromRequest<S> for Incoming {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        Self::new(request)
    }
}

/// A body of bytes, whatever they are said to be.
pub struct Octets(pub Vec<u8>);

impl<S: Sync> FromRequest<S> for Octets {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        Incoming::new(request)?.all().await.map(Self)
    }
}

/// The text of a body of JSON.
pub struct JsonText(pub Vec<u8>);

impl<S: Sync> FromRequest<S> for JsonText {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        if !is_json(request.headers()) {
            return Err(ApiError::UnsupportedMediaType { expected: JSON }.into());
        }
        Incoming::new(request)?.all().await.map(Self)
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let media = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = media.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case(JSON)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn json_is_told_by_its_media_type() {
        let with = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(value));
            is_json(&headers)
        };
        assert!(with("application/json") && with("Application/JSON; charset=utf-8"));
        assert!(!with("text/json") && !with("application/jsonl") && !is_json(&HeaderMap::new()));
    }
}
