//! The suite for backends, on sled.
#![cfg(feature = "sled")]

use std::sync::Arc;

use icn_store::{Backend, SledBackend};

icn_store::conformance_suite!({
    let dir = tempfile::tempdir().expect("a temporary directory");
    move || -> Arc<dyn Backend> { Arc::new(SledBackend::open(dir.path()).expect("it opens")) }
});
