//! What happens around every request: what every server does ([`Called`]), and a line in the audit log.
use super::{audit, front::Front};
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use icn_serve::http::Called;
use std::sync::Arc;
use tracing::Instrument as _;

/// Answers a request, and does what every answer needs.
pub(super) async fn around(State(front): State<Arc<Front>>, request: Request, next: Next) -> Response {
    let called = Called::of(&request, &front.ids);
    let span = called.span();
    async move {
        let mut response = next.run(request).await;
        audit::note(&mut response, &called).await;
        called.answer(response, &front.metrics)
    }
    .instrument(span)
    .await
}
