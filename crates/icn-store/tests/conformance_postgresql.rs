//! The suite for backends, on PostgreSQL.
#![cfg(feature = "postgresql")]
#![allow(clippy::unwrap_used, reason = "a test says no more by expecting")]

#[path = "common/postgres.rs"]
mod postgres;

use std::sync::Arc;

use icn_store::{Backend, PostgresqlBackend};

icn_store::conformance_suite!({
    let settings = postgres::Server::shared().settings();
    move || -> Arc<dyn Backend> { Arc::new(PostgresqlBackend::open(&settings).expect("it opens")) }
});
