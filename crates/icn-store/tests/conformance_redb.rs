//! The suite for backends, on redb.
#![cfg(feature = "redb")]

use std::sync::Arc;

use icn_store::{Backend, RedbBackend};

icn_store::conformance_suite!({
    let dir = tempfile::tempdir().expect("a temporary directory");
    move || -> Arc<dyn Backend> { Arc::new(RedbBackend::open(dir.path()).expect("it opens")) }
});
