//! How much a store takes at once.

/// Longest key in bytes.
pub const MAX_KEY_BYTES: usize = 1024;
/// Longest value in bytes: 8 MiB.
pub const MAX_VALUE_BYTES: usize = 8 * 1024 * 1024;
/// Largest batch in bytes, keys and values and [`OP_OVERHEAD_BYTES`] for each operation: 64 MiB.
pub const MAX_BATCH_BYTES: usize = 64 * 1024 * 1024;
/// What each operation counts for beside its key and value, in bytes.
pub const OP_OVERHEAD_BYTES: usize = 64;
/// Most snapshots that may be open at once.
pub const MAX_OPEN_SNAPSHOTS: usize = 256;
