//! The table of routes holds together.
use icn_api::{ENDPOINTS, ErrorKind, Method, Scope, paths};

#[test]
fn calls_and_routes_are_there_once() {
    for (at, endpoint) in ENDPOINTS.iter().enumerate() {
        let before = &ENDPOINTS[..at];
        assert!(
            before.iter().all(|other| other.id != endpoint.id),
            "{}",
            endpoint.id
        );
        assert!(
            before
                .iter()
                .all(|other| (other.path, other.method) != (endpoint.path, endpoint.method)),
            "{}",
            endpoint.path
        );
    }
}

#[test]
fn every_path_is_a_route() {
    let constants = include_str!("../src/paths.rs").lines().filter_map(|line| {
        let (_, value) = line.strip_prefix("pub const ")?.split_once("\"")?;
        value.strip_suffix("\";")
    });
    let mut paths: Vec<_> = constants.collect();
    assert!(paths.len() > 20);
    paths.sort_unstable();
    let mut served: Vec<_> = ENDPOINTS.iter().map(|endpoint| endpoint.path).collect();
    served.sort_unstable();
    served.dedup();
    assert_eq!(paths, served);
}

#[test]
fn only_bodies_have_sizes_and_only_keys_are_refused() {
    for endpoint in ENDPOINTS {
        assert_eq!(
            endpoint.request.is_some(),
            endpoint.max_request_bytes > 0,
            "{}",
            endpoint.id
        );
        assert!(
            endpoint.request.is_none() || matches!(endpoint.method, Method::Post | Method::Patch),
            "{}",
            endpoint.id
        );
        let refuses = endpoint.errors.contains(&ErrorKind::Unauthorised);
        // Where nothing is to be answered without a key, only probes are.
        let is_probe = [paths::HEALTH, paths::READY].contains(&endpoint.path);
        assert_eq!(refuses, !is_probe, "{}", endpoint.id);
        assert!(!is_probe || endpoint.scope == Scope::Open, "{}", endpoint.id);
        assert!(
            endpoint
                .errors
                .iter()
                .all(|error| !ErrorKind::COMMON.contains(error)),
            "{}",
            endpoint.id
        );
    }
}
