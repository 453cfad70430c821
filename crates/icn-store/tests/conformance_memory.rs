//! The suite for backends, on memory.

use std::sync::Arc;

use icn_store::{Backend, MemoryBackend};

icn_store::conformance_suite!({
    let memory = MemoryBackend::new();
    move || -> Arc<dyn Backend> { Arc::new(memory.clone()) }
});
