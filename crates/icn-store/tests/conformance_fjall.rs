//! The suite for backends, on fjall.
#![cfg(feature = "fjall")]

use std::sync::Arc;

use icn_store::{Backend, FjallBackend};

icn_store::conformance_suite!({
    let dir = tempfile::tempdir().expect("a temporary directory");
    move || -> Arc<dyn Backend> { Arc::new(FjallBackend::open(dir.path()).expect("it opens")) }
});
