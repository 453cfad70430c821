//! The routes: one handler for each entry of `icn_api::ENDPOINTS`, and what all of them go through.
use super::{
    agreements, app::App, around, backups, blocks, bundle, clearing, config, credit, events, federation,
    files, front::Front, gate, governance, identity, keys, mana, mesh, network, node, operations, pins,
};
use axum::{
    Router,
    extract::Request,
    handler::Handler,
    middleware,
    routing::{MethodRouter, delete, get, patch, post},
};
use icn_api::{ApiError, ENDPOINTS, Endpoint, Method, paths};
use icn_serve::http::{not_found, panicked};
use std::sync::Arc;
use tower_http::catch_panic::CatchPanicLayer;

pub(super) type Route<S> = (Method, &'static str, MethodRouter<S>);

/// Every route with its handler.
fn routes() -> Vec<Route<App>> {
    let mut routes = of_the_node();
    routes.extend(of_governance());
    routes.extend(of_credit());
    routes.extend(of_keys());
    routes
}

/// The routes about keys, which need nothing but who may call.
pub(super) fn of_keys<S: Clone + Send + Sync + 'static>() -> [Route<S>; 4] {
    [
        (Method::Get, paths::KEYS, get(keys::list)),
        (Method::Post, paths::KEYS, post(keys::make)),
        (Method::Delete, paths::KEY, delete(keys::revoke)),
        (Method::Post, paths::KEY_ROTATE, post(keys::rotate)),
    ]
}

/// Every route of the table for a node that is not in operation yet, of which keys can be managed already.
pub(super) fn before_operation<S: Clone + Send + Sync + 'static>(
    handler: impl Fn(Method, &'static str) -> MethodRouter<S>,
) -> Vec<Route<S>> {
    let keys = of_keys();
    let about_keys = |endpoint: &&Endpoint| {
        keys.iter()
            .any(|(method, path, _)| (*method, *path) == (endpoint.method, endpoint.path))
    };
    let other = ENDPOINTS
        .iter()
        .filter(|endpoint| !about_keys(endpoint))
        .map(|endpoint| {
            let Endpoint { method, path, .. } = *endpoint;
            (method, path, handler(method, path))
        });
    other.collect::<Vec<_>>().into_iter().chain(keys).collect()
}

/// One answer to a method.
pub(super) fn answer<T, S>(method: Method, handler: impl Handler<T, S>) -> MethodRouter<S>
where
    T: 'static,
    S: Clone + Send + Sync + 'static,
{
    match method {
        Method::Get => get(handler),
        Method::Post => post(handler),
        Method::Patch => patch(handler),
        Method::Delete => delete(handler),
    }
}

fn of_governance() -> [Route<App>; 10] {
    let read = |path, handler| (Method::Get, path, handler);
    [
        read(paths::PROPOSALS, get(governance::proposals)),
        read(paths::PROPOSAL, get(governance::proposal)),
        read(paths::PROPOSAL_BALLOTS, get(governance::ballots)),
        read(paths::PROPOSAL_AUDIT, get(bundle::audit)),
        (Method::Post, paths::GOVERNANCE_PLAN, post(governance::plan)),
        (
            Method::Post,
            paths::GOVERNANCE_BACKTEST,
            post(governance::backtest),
        ),
        read(paths::GOVERNANCE_RULES, get(governance::rules)),
        read(paths::DELEGATIONS, get(governance::delegations)),
        read(paths::CONTRACTS, get(governance::contracts)),
        read(paths::CONTRACT, get(governance::contract)),
    ]
}

fn of_credit() -> [Route<App>; 14] {
    let read = |path, handler| (Method::Get, path, handler);
    let act = |path, handler| (Method::Post, path, handler);
    [
        read(paths::AGREEMENTS, get(agreements::list)),
        read(paths::AGREEMENT, get(agreements::agreement)),
        read(paths::AGREEMENT_HISTORY, get(agreements::history)),
        read(paths::CREDIT_LINES, get(credit::list)),
        read(paths::CREDIT_LINE, get(credit::line)),
        read(paths::CREDIT_TRANSFERS, get(credit::transfers)),
        act(paths::CREDIT_TRANSFERS, post(credit::transfer)),
        act(paths::CREDIT_ANCHOR, post(credit::anchor)),
        act(paths::CREDIT_VOID, post(credit::void)),
        read(paths::CREDIT_EXPOSURE, get(credit::exposure)),
        read(paths::CLEARING_PLAN, get(clearing::plan)),
        read(paths::CLEARING_ROUNDS, get(clearing::rounds)),
        read(paths::CLEARING_ROUND, get(clearing::round)),
        read(paths::CLEARING_REPORT, get(clearing::round_report)),
    ]
}

fn of_the_node() -> Vec<Route<App>> {
    let read = |path, handler| (Method::Get, path, handler);
    let hand_in = |path, handler| (Method::Post, path, handler);
    vec![
        read(paths::HEALTH, get(node::health)),
        read(paths::READY, get(node::ready)),
        read(paths::STATUS, get(node::status)),
        read(paths::INFO, get(node::info)),
        read(paths::IDENTITY, get(identity::identity)),
        hand_in(paths::IDENTITY_ROTATE, post(identity::rotate)),
        read(paths::METRICS, get(node::metrics)),
        read(paths::OPENAPI, get(node::openapi)),
        read(paths::EVENTS, get(events::events)),
        hand_in(paths::OPERATIONS, post(operations::submit)),
        read(paths::OPERATION_NEXT, get(operations::next)),
        read(paths::OPERATION, get(operations::operation)),
        read(paths::FEDERATION, get(federation::federation)),
        read(paths::GENESIS, get(federation::genesis)),
        read(paths::SUCCESSOR, get(federation::successor)),
        hand_in(paths::JOIN, post(federation::join)),
        read(paths::MEMBERS, get(federation::members)),
        read(paths::LOG_BLOCK, get(federation::log_block)),
        read(paths::DAG, get(blocks::list)),
        hand_in(paths::DAG_BLOCKS, post(blocks::put)),
        read(paths::DAG_BLOCK, get(blocks::get)),
        hand_in(paths::DAG_FILES, post(files::put)),
        read(paths::DAG_FILE, get(files::get)),
        read(paths::DAG_PINS, get(pins::list)),
        hand_in(paths::DAG_PINS, post(pins::pin)),
        (Method::Delete, paths::DAG_PIN, delete(pins::unpin)),
        read(paths::DAG_GC, get(pins::gc_status)),
        hand_in(paths::DAG_GC, post(pins::gc)),
        read(paths::VERIFY, get(backups::verify_status)),
        hand_in(paths::VERIFY, post(backups::verify)),
        read(paths::BACKUPS, get(backups::list)),
        hand_in(paths::BACKUPS, post(backups::backup)),
        hand_in(paths::RESTORE, post(backups::restore)),
        read(paths::JOBS, get(mesh::jobs)),
        read(paths::JOB, get(mesh::job)),
        read(paths::JOB_WHY, get(mesh::why)),
        read(paths::EXECUTORS, get(mesh::executors)),
        read(paths::BLACKLIST, get(mesh::blacklist)),
        read(paths::MANA, get(mana::accounts)),
        read(paths::ACCOUNT, get(mana::account)),
        read(paths::CONFIG, get(config::config)),
        (Method::Patch, paths::CONFIG, patch(config::change)),
        read(paths::NETWORK, get(network::network)),
        read(paths::PEERS, get(network::peers)),
    ]
}

/// The router over all routes of a node.
pub(super) fn router(app: App) -> Router {
    guarded(&app.front, routes()).with_state(app)
}

/// Routes behind what every request meets first.
pub(super) fn guarded<S: Clone + Send + Sync + 'static>(
    front: &Arc<Front>,
    routes: Vec<Route<S>>,
) -> Router<S> {
    let mut router = Router::new();
    for (method, path, handler) in routes {
        let endpoint = ENDPOINTS
            .iter()
            .find(|endpoint| (endpoint.method, endpoint.path) == (method, path));
        let endpoint = endpoint.expect("every route is in the table of routes, as a test sees to");
        let gate = middleware::from_fn_with_state((front.clone(), endpoint), gate::gate);
        router = router.route(path, handler.route_layer(gate));
    }
    let (nowhere, no_method) = (front.clone(), front.clone());
    router
        .fallback(async move |request: Request| gate::turn_away(&nowhere, &request, not_found(&request)))
        .method_not_allowed_fallback(async move |request: Request| {
            gate::turn_away(&no_method, &request, ApiError::MethodNotAllowed {})
        })
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn_with_state(front.clone(), around::around))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_router_serves_the_table_and_nothing_else() {
        let mut served: Vec<_> = routes()
            .into_iter()
            .map(|(method, path, _)| (path, method))
            .collect();
        let mut table: Vec<_> = ENDPOINTS
            .iter()
            .map(|endpoint| (endpoint.path, endpoint.method))
            .collect();
        served.sort_unstable();
        table.sort_unstable();
        assert_eq!(served, table);
    }
}
