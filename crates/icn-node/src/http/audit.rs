//! Which requests get a line in the audit log, and what it says.
use super::gate::Caller;
use crate::access::{About, AuditLine, Change, Outcome};
use axum::response::Response;
use icn_api::Scope;
use icn_serve::http::{self, Called};

/// Writes the line of a request, if it gets one, before its answer goes out.
pub(super) async fn note(response: &mut Response, called: &Called) {
    let method = called.method;
    let extensions = response.extensions_mut();
    let (caller, change) = (extensions.remove::<Caller>(), extensions.remove::<Change>());
    let about = extensions.remove::<About>();
    // Probes of health have no caller.
    let Some(caller) = caller.filter(|caller| caller.access.audit.is_enabled()) else {
        return;
    };
    let status = response.status().as_u16();
    let denied = matches!(status, 401 | 403 | 429);
    let reads = matches!(method, "GET" | "HEAD");
    if reads && !denied && caller.needs < Scope::Admin {
        return;
    }
    // Who is told to wait may go on asking for as long as it likes, and not fill the disk with it.
    if status == 429 && !caller.access.audit.has_time_for_another() {
        return;
    }
    let error = http::name(response);
    let (correlation_id, route) = (called.id.clone(), called.route.clone());
    let write = move || {
        caller.access.audit.write(&AuditLine {
            correlation_id: Some(&correlation_id),
            key: caller.holder.as_ref().map(|holder| holder.name.as_str()),
            client: Some(caller.address),
            method: Some(method),
            route: Some(&route),
            status: Some(status),
            outcome: match status {
                _ if denied => Outcome::Denied,
                200..400 => Outcome::Done,
                _ => Outcome::Failed,
            },
            error: error.as_deref(),
            about: about.as_ref(),
            change: change.as_ref(),
        });
    };
    // The system may make a writer wait, and does where the line goes to the disk.
    if let Err(error) = tokio::task::spawn_blocking(write).await {
        tracing::error!(%error, "a line of the audit log was not written");
    }
}
