//! How connections are made, and the tables. The tables' form is the stored format: whoever changes
//! it counts [`FORMAT_VERSION`] up.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::table::Table;

/// The format that this program writes and reads.
pub(super) const FORMAT_VERSION: u32 = 3;
/// "ICNS": by it tools tell what a file is (`PRAGMA application_id`).
const APPLICATION_ID: i32 = 0x4943_4e53;
/// How long to wait for a tool that holds the file, in milliseconds.
const BUSY_TIMEOUT_MS: u64 = 5000;
const WRITER_CACHE_KIB: i32 = 32 * 1024;
const READER_CACHE_KIB: i32 = 4 * 1024;
/// What is left of the write-ahead file after a large commit, in bytes.
const JOURNAL_BYTES: i64 = 64 * 1024 * 1024;
/// Statements that a connection keeps prepared: every kind of scan over a few tables.
const STATEMENTS: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Create,
    Write,
    Read,
}

pub(super) fn open_connection(file: &Path, access: Access) -> rusqlite::Result<Connection> {
    // A reader opens for writing too: in WAL mode it writes the index that all connections share.
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if access == Access::Create {
        flags |= OpenFlags::SQLITE_OPEN_CREATE;
    }
    let connection = Connection::open_with_flags(file, flags)?;
    connection.busy_timeout(Duration::from_millis(BUSY_TIMEOUT_MS))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "trusted_schema", false)?;
    if access == Access::Create {
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    if access == Access::Read {
        connection.pragma_update(None, "query_only", true)?;
        connection.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
    } else {
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "fullfsync", true)?;
        connection.pragma_update(None, "checkpoint_fullfsync", true)?;
        connection.pragma_update_and_check(None, "journal_size_limit", JOURNAL_BYTES, |_| Ok(()))?;
        connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    }
    Ok(connection)
}

/// Makes a store in a file that does not exist, and closes it.
pub(super) fn create(file: &Path) -> rusqlite::Result<()> {
    let mut connection = open_connection(file, Access::Create)?;
    let transaction = connection.transaction()?;
    transaction.execute_batch("CREATE TABLE icn_store (flushes INTEGER NOT NULL) STRICT")?;
    transaction.execute("INSERT INTO icn_store VALUES (0)", [])?;
    for table in Table::ALL {
        transaction.execute_batch(&definition(table))?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", FORMAT_VERSION)?;
    transaction.commit()?;
    connection.close().map_err(|(_, error)| error)
}

fn definition(table: Table) -> String {
    // Small rows live in the tree of the keys; large ones would make it a bad one.
    let form = match table {
        Table::Blocks | Table::Log => "key BLOB NOT NULL UNIQUE, value BLOB NOT NULL) STRICT",
        Table::Meta
        | Table::State
        | Table::Pins
        | Table::Operations
        | Table::Events
        | Table::Jobs
        | Table::Credit
        | Table::EventKinds => "key BLOB NOT NULL PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID, STRICT",
    };
    format!("CREATE TABLE {table} ({form}")
}

/// Brings a store of an earlier format to this one, or leaves it as it is.
pub(super) fn upgrade(connection: &mut Connection, found: u32) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    // Which table came with which format.
    for (format, table) in [(2, Table::Credit), (3, Table::EventKinds)] {
        if found < format {
            transaction.execute_batch(&definition(table))?;
            transaction.pragma_update(None, "user_version", format)?;
        }
    }
    transaction.commit()
}

/// The format of the store, or `None` if the file is somebody else's.
pub(super) fn read_format(connection: &Connection) -> rusqlite::Result<Option<u32>> {
    let application: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok((application == APPLICATION_ID).then_some(version))
}
