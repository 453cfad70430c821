//! The suite for backends, on RocksDB.
#![cfg(feature = "persist-rocksdb")]

use std::sync::Arc;

use icn_store::{Backend, RocksdbBackend};

icn_store::conformance_suite!({
    let dir = tempfile::tempdir().expect("a temporary directory");
    move || -> Arc<dyn Backend> { Arc::new(RocksdbBackend::open(dir.path()).expect("it opens")) }
});
