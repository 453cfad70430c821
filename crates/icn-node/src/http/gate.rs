//! Who may call a route, how often, and how much may be sent to it: the entry of the table of routes and the keys of
//! the interface decide.
use super::{failure::Failure, front::Front};
use crate::access::{Access, Holder, Limited, Standing};
use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use icn_api::{ApiError, Endpoint, Scope, paths};
use icn_model::Digest;
use icn_serve::http::{MaxBody, Peer, announced, client, presented};
use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

/// How many requests a minute the client may make.
const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
/// How many of them are left.
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
/// Until all are there again, in seconds.
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// Who calls, as handlers and the audit log see it. Answers carry it, too.
#[derive(Clone)]
pub(super) struct Caller {
    /// What decided about it.
    pub(super) access: Arc<Access>,
    /// The caller's key; none for one without, or with a wrong one.
    pub(super) holder: Option<Arc<Holder>>,
    /// The hash of what was sent as a key.
    secret: Option<Digest>,
    /// From where.
    pub(super) address: IpAddr,
    /// What the route needs.
    pub(super) needs: Scope,
}

impl Caller {
    /// Who sends `request`, to a route that needs `needs`.
    fn of(access: &Arc<Access>, request: &Request, needs: Scope) -> Self {
        let peer = request
            .extensions()
            .get()
            .map_or(Ipv4Addr::UNSPECIFIED.into(), |Peer(peer)| *peer);
        let secret = presented(request.headers()).map(Digest::of);
        Self {
            access: access.clone(),
            holder: secret.and_then(|secret| access.keys.find(secret)),
            secret,
            address: client(&access.proxies, peer, request.headers()),
            needs,
        }
    }

    /// Whether the key that opened the route would open it now. A caller that was let in without one stays so.
    pub(super) fn is_still_let_in(&self) -> bool {
        match (&self.holder, self.secret) {
            (Some(_), Some(secret)) => self.access.keys.still_good(secret, self.needs),
            _ => true,
        }
    }

    /// The name of the caller's key, for those who ask later who did it.
    pub(super) fn name(&self) -> &str {
        self.holder.as_ref().map_or("(no key)", |holder| &holder.name)
    }
}

/// Lets a request through, or answers why not.
pub(super) async fn gate(
    State((front, endpoint)): State<(Arc<Front>, &'static Endpoint)>,
    mut request: Request,
    next: Next,
) -> Response {
    if endpoint.path == paths::HEALTH {
        // Whether the process is alive is told to everybody, however much there is to do.
        return match check_size(endpoint, &request) {
            Ok(()) => next.run(request).await,
            Err(failure) => failure.into_response(),
        };
    }
    let Ok(_slot) = front.requests.clone().try_acquire_owned() else {
        return Failure::from(ApiError::Overloaded {}).into_response();
    };
    let caller = Caller::of(&front.access, &request, endpoint.scope);
    let (standing, counted) = count(&caller, endpoint.path == paths::READY);
    let admitted = counted.and_then(|()| {
        admit(&caller)?;
        check_size(endpoint, &request)
    });
    let mut response = match admitted {
        Ok(()) => {
            request
                .extensions_mut()
                .insert(MaxBody(endpoint.max_request_bytes));
            request.extensions_mut().insert(caller.clone());
            next.run(request).await
        }
        Err(failure) => failure.into_response(),
    };
    sign(&mut response, standing, caller);
    response
}

/// Answers a request that no route takes with `failure`, unless its client may ask nothing: who tries out what there is
/// counts like any other.
pub(super) fn turn_away(front: &Front, request: &Request, failure: ApiError) -> Response {
    let caller = Caller::of(&front.access, request, Scope::Open);
    let (standing, counted) = count(&caller, false);
    let failure = counted.err().unwrap_or_else(|| failure.into());
    let mut response = failure.into_response();
    sign(&mut response, standing, caller);
    response
}

/// Tells a client where it stands, and whoever looks at the answer who asked.
fn sign(response: &mut Response, standing: Option<Standing>, caller: Caller) {
    if let Some(standing) = standing {
        tell(response.headers_mut(), standing);
    }
    response.extensions_mut().insert(caller);
}

/// Counts the request of a client that is limited.
fn count(caller: &Caller, is_probe: bool) -> (Option<Standing>, Result<(), Failure>) {
    let limits = &caller.access.limits;
    let counted = match &caller.holder {
        Some(holder) if holder.configured => Ok(None),
        Some(holder) => limits.take_keyed(&holder.name),
        None => limits.take_open(caller.address, is_probe).map(Some),
    };
    match counted {
        Ok(standing) => (standing, Ok(())),
        Err(Limited::KeyNeeded) => (None, Err(ApiError::Unauthorised {}.into())),
        Err(Limited::Wait {
            standing,
            retry_after_secs,
        }) => (
            Some(standing),
            Err(Failure::from(ApiError::RateLimited { retry_after_secs }).after(retry_after_secs)),
        ),
    }
}

/// Whether the caller's key is good for the route.
fn admit(caller: &Caller) -> Result<(), Failure> {
    let (needs, sent_a_key) = (caller.needs, caller.secret.is_some());
    let is_open = |needs| {
        // Who is let in without a key cannot leave one behind for later.
        needs == Scope::Open || (!caller.access.require_auth && needs < Scope::Admin && !sent_a_key)
    };
    match &caller.holder {
        Some(holder) if holder.scope >= needs => Ok(()),
        Some(_) => Err(ApiError::Forbidden { needs }.into()),
        None if is_open(needs) => Ok(()),
        None => Err(ApiError::Unauthorised {}.into()),
    }
}

fn check_size(endpoint: &Endpoint, request: &Request) -> Result<(), Failure> {
    if endpoint.query.is_none() && request.uri().query().is_some_and(|query| !query.is_empty()) {
        return Err(Failure::bad("query", "the route takes no parameters"));
    }
    let max_bytes = endpoint.max_request_bytes as u64;
    if max_bytes > 0 && announced(request.headers()).is_some_and(|bytes| bytes > max_bytes) {
        return Err(ApiError::BodyTooLarge { max_bytes }.into());
    }
    Ok(())
}

/// Tells a client where it stands.
fn tell(headers: &mut HeaderMap, standing: Standing) {
    headers.insert(LIMIT, standing.limit.into());
    headers.insert(REMAINING, standing.remaining.into());
    headers.insert(RESET, HeaderValue::from(standing.reset_secs));
}

#[cfg(test)]
mod tests {
    use super::{super::routes, *};
    use crate::config::Config;
    use axum::{Router, body::Body, routing::get};
    use hyper::service::Service as _;
    use hyper_util::service::TowerToHyperService;
    use icn_api::Method;

    #[tokio::test]
    async fn health_is_told_while_nothing_else_is() {
        let dir = tempfile::tempdir().unwrap();
        let access = Access::open(&Config::default(), dir.path(), "dev-key-123").unwrap();
        let front = Front::new(Arc::new(access));
        let served = vec![
            (Method::Get, paths::HEALTH, get(async || "alive")),
            (Method::Get, paths::READY, get(async || "ready")),
        ];
        let router: Router = routes::guarded(&front, served);
        let status = async |path: &str| {
            let request = Request::builder().uri(path).body(Body::empty()).unwrap();
            let service = TowerToHyperService::new(router.clone());
            service.call(request).await.unwrap().status().as_u16()
        };
        assert_eq!(
            (status(paths::HEALTH).await, status(paths::READY).await),
            (200, 200)
        );
        front.requests.forget_permits(usize::MAX);
        assert_eq!(
            (status(paths::HEALTH).await, status(paths::READY).await),
            (200, 503)
        );
    }
}
