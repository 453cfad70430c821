//! The node's key-value store: ordered keys in named tables, atomic batches across tables with a
//! stated durability, snapshots read in pages, over one of several [`Backend`]s; and the
//! content-addressed [`Blocks`] on top of it.
//!
//! What the crate does not do: it gives no meaning to keys and values, it asks no async runtime of its
//! callers, and it holds neither the consensus journals nor keys (both live beside it in the data
//! directory).
//!
//! Two ways to run one store:
//! - [`Store::threaded`]: one writer thread with a bounded queue; what waits is committed as one.
//! - [`Store::inline`]: a commit happens in the call, for the deterministic simulator.
//!
//! ```
//! use icn_store::{Batch, Durability, MemoryBackend, Reader, ScanRange, Store, StoreConfig, Table};
//!
//! let store = Store::threaded(MemoryBackend::new(), StoreConfig::default())?;
//! let mut batch = Batch::new();
//! batch.put(Table::Meta, "applied", 7u64.to_be_bytes())?;
//! batch.put(Table::State, "member/1", "a cooperative")?;
//! store.commit(batch, Durability::Sync).wait()?; // or `.await` it
//!
//! let snapshot = store.snapshot()?;
//! let page = snapshot.scan(Table::State, &ScanRange::prefix("member/"), 100)?;
//! assert_eq!(page.entries, [(b"member/1".to_vec(), b"a cooperative".to_vec())]);
//! assert!(page.next.is_none());
//! # Ok::<(), icn_store::StoreError>(())
//! ```
//!
//! A backend is chosen by a [`Location`], which [`open`] opens and [`migrate`] moves to another one:
//!
//! ```no_run
//! use icn_store::{BackendKind, Location, Store, StoreConfig, open};
//!
//! let location = Location::new(Some(BackendKind::Sqlite), "./icn_data/store")?;
//! let store = Store::threaded(open(&location)?, StoreConfig::default())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod backend;
mod batch;
mod blocks;
mod bounds;
mod building;
#[cfg(feature = "conformance")]
pub mod conformance;
mod core;
#[cfg_attr(
    not(all(feature = "fjall", feature = "sqlite")),
    allow(dead_code, reason = "each backend uses its part")
)]
mod directory;
mod error;
#[cfg(feature = "fjall")]
mod fjall;
mod kind;
mod location;
mod mark;
mod memory;
mod migrate;
#[cfg(any(feature = "sqlite", feature = "postgresql"))]
mod moments;
mod open;
#[cfg(feature = "postgresql")]
mod postgresql;
#[cfg(any(feature = "fjall", feature = "sled", feature = "persist-rocksdb"))]
mod prefix;
mod queue;
mod reader;
#[cfg(feature = "redb")]
mod redb;
#[cfg(feature = "persist-rocksdb")]
mod rocksdb;
mod scan;
#[cfg(feature = "sled")]
mod sled;
mod snapshot;
#[cfg(any(feature = "sqlite", feature = "postgresql"))]
mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;
mod table;
mod views;
mod wait;

pub use self::backend::{Backend, Caps, View};
pub use self::batch::{Batch, Durability};
pub use self::blocks::{
    Block, BlockEntry, BlockError, BlockPage, BlockQuota, BlockUsage, Blocks, MAX_BLOCK_BYTES, OverQuota,
    Reserved,
};
pub use self::bounds::{
    MAX_BATCH_BYTES, MAX_KEY_BYTES, MAX_OPEN_SNAPSHOTS, MAX_VALUE_BYTES, OP_OVERHEAD_BYTES,
};
pub use self::building::Building;
pub use self::core::{Clock, CommitCounts, SNAPSHOT_DEADLINE_MS, StoreConfig};
pub use self::error::{BackendError, ErrorKind, OpenError, StoreError};
#[cfg(feature = "fjall")]
pub use self::fjall::{FORMAT_VERSION, FjallBackend};
pub use self::kind::{BackendKind, UnknownBackend};
pub use self::location::{
    EmbeddedKind, Location, LocationError, MIN_POSTGRESQL_CONNECTIONS, POSTGRESQL_ANSWER_TIMEOUT_MS,
    POSTGRESQL_CONNECT_TIMEOUT_MS, POSTGRESQL_CONNECTIONS, POSTGRESQL_SCHEMA, PostgresqlSettings,
};
pub use self::memory::{MAX_UNDONE_COMMITS, MemoryBackend};
pub use self::migrate::{Contents, MigrateError, Progress, Step, migrate};
pub use self::open::{open, open_existing};
#[cfg(feature = "postgresql")]
pub use self::postgresql::PostgresqlBackend;
pub use self::queue::{Commit, MAX_GROUP_COMMITS, MAX_QUEUED_BYTES, MAX_QUEUED_COMMITS};
pub use self::reader::Reader;
#[cfg(feature = "redb")]
pub use self::redb::RedbBackend;
#[cfg(feature = "persist-rocksdb")]
pub use self::rocksdb::RocksdbBackend;
pub use self::scan::{Cursor, Direction, Entry, MAX_PAGE_BYTES, MAX_PAGE_ENTRIES, Page, ScanRange};
#[cfg(feature = "sled")]
pub use self::sled::SledBackend;
pub use self::snapshot::Snapshot;
#[cfg(feature = "sqlite")]
pub use self::sqlite::SqliteBackend;
pub use self::store::Store;
pub use self::table::Table;
