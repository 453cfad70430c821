//! The suite for backends, on SQLite.
#![cfg(feature = "sqlite")]

use std::sync::Arc;

use icn_store::{Backend, SqliteBackend};

icn_store::conformance_suite!({
    let dir = tempfile::tempdir().expect("a temporary directory");
    move || -> Arc<dyn Backend> { Arc::new(SqliteBackend::open(dir.path()).expect("it opens")) }
});
