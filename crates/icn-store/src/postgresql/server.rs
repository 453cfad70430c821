//! Reaching the server: settings become connections, failures become messages that say what to do.
//! No message carries a password.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, Row as _, SqlSafeStr as _};

use crate::error::OpenError;
use crate::location::Absent;
use crate::location::{MIN_POSTGRESQL_CONNECTIONS, PostgresqlSettings};

/// What the store's tables have come to, one version after the other.
const MIGRATIONS: [(i64, &str, &str); 3] = [
    (
        1,
        "tables",
        include_str!("../../migrations/postgresql/0001_tables.sql"),
    ),
    (
        2,
        "credit",
        include_str!("../../migrations/postgresql/0002_credit.sql"),
    ),
    (
        3,
        "event kinds",
        include_str!("../../migrations/postgresql/0003_event_kinds.sql"),
    ),
];
const LATEST: u32 = 3;
const MIGRATIONS_TABLE: &str = "icn_store_migrations";
/// PostgreSQL 12; older ones are out of support, and nobody has tried them.
const MIN_SERVER_VERSION: i32 = 120_000;
/// A connection that was idle for longer is asked whether it still works before it is used.
pub(super) const TRUSTED_IDLE_MS: u128 = 1000;
/// Idle connections are closed after ten minutes.
const IDLE_TIMEOUT_MS: u64 = 600_000;

/// A server, database and schema, and how to talk to them.
pub(super) struct Server {
    options: PgConnectOptions,
    settings: PostgresqlSettings,
}

/// The outcome of `future`, or an error if it takes longer.
pub(super) async fn within<T>(
    timeout_ms: u64,
    future: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    match tokio::time::timeout(Duration::from_millis(timeout_ms), future).await {
        Ok(outcome) => outcome,
        Err(_) => Err(sqlx::Error::Io(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("no answer from the server in {timeout_ms} ms"),
        ))),
    }
}

fn settings_error(reason: impl Into<String>) -> OpenError {
    OpenError::Settings {
        reason: reason.into(),
    }
}

impl Server {
    pub(super) fn new(settings: &PostgresqlSettings) -> Result<Self, OpenError> {
        check_schema_name(&settings.schema)?;
        if settings.max_connections < MIN_POSTGRESQL_CONNECTIONS {
            let (least, given) = (MIN_POSTGRESQL_CONNECTIONS, settings.max_connections);
            return Err(settings_error(format!(
                "{given} connections are too few: allow at least {least}"
            )));
        }
        let options: PgConnectOptions = settings
            .url
            .parse()
            .map_err(|error: sqlx::Error| settings_error(format!("{settings}: {error}")))?;
        let timeout_ms = settings.answer_timeout_ms.to_string();
        // A name of the operator's choice is theirs to find the sessions by.
        let name = options.get_application_name().unwrap_or("icn-store").to_owned();
        let mut options = options
            .application_name(&name)
            .options([
                ("search_path", settings.schema.as_str()),
                ("statement_timeout", &timeout_ms),
            ])
            .disable_statement_logging();
        if let Some(password) = &settings.password {
            options = options.password(password);
        }
        Ok(Self {
            options,
            settings: settings.clone(),
        })
    }

    pub(super) fn settings(&self) -> &PostgresqlSettings {
        &self.settings
    }

    /// How long to wait for a server that is silent; one that is slow stops a statement by itself
    /// first.
    pub(super) fn silence_timeout_ms(&self) -> u64 {
        self.settings.answer_timeout_ms.saturating_mul(2)
    }

    /// Server, database, user and schema, for messages.
    pub(super) fn place(&self) -> String {
        let host = match self.options.get_socket() {
            Some(socket) => socket.display().to_string(),
            None => self.options.get_host().to_owned(),
        };
        format!(
            "{} at {host}:{} as {}, schema {}",
            self.options.get_database().unwrap_or(self.options.get_username()),
            self.options.get_port(),
            self.options.get_username(),
            self.settings.schema
        )
    }

    /// The connection on which to write.
    pub(super) async fn connect(&self) -> Result<PgConnection, OpenError> {
        within(self.settings.connect_timeout_ms, self.options.connect())
            .await
            .map_err(|error| self.open_error(error))
    }

    /// Connections on which to read, made when they are needed.
    pub(super) fn pool(&self) -> PgPool {
        let options = self
            .options
            .clone()
            .options([("default_transaction_read_only", "on")]);
        PgPoolOptions::new()
            .max_connections(self.settings.max_connections - 1)
            .acquire_timeout(Duration::from_millis(self.settings.connect_timeout_ms))
            .idle_timeout(Duration::from_millis(IDLE_TIMEOUT_MS))
            .test_before_acquire(false)
            .before_acquire(|connection, state| {
                Box::pin(async move {
                    if state.idle_for.as_millis() > TRUSTED_IDLE_MS {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .connect_lazy_with(options)
    }

    /// Makes the tables, or brings them to this program's version. Of several programs that try, one
    /// does it at a time.
    pub(super) async fn migrate(
        &self,
        connection: &mut PgConnection,
        absent: Absent,
    ) -> Result<(), OpenError> {
        let schema = &self.settings.schema;
        let is_there = self
            .check_schema(connection)
            .await
            .map_err(|error| self.open_error(error))?;
        let migrations = MIGRATIONS.map(|(version, name, sql)| {
            Migration::new(
                version,
                name.into(),
                MigrationType::Simple,
                sql.into_sql_str(),
                false,
            )
        });
        let mut migrator = Migrator::with_migrations(migrations.to_vec());
        migrator.dangerous_set_table_name(format!("{schema}.{MIGRATIONS_TABLE}"));
        match is_there {
            Schema::Absent | Schema::Empty if absent == Absent::Refuse => {
                return Err(OpenError::Absent { place: self.place() });
            }
            Schema::Absent => {
                migrator.create_schema(schema.clone());
            }
            Schema::Empty | Schema::Ours => {}
            Schema::Foreign => {
                return Err(settings_error(format!(
                    "the schema {schema} holds other tables and no store: name another schema"
                )));
            }
        }
        // In a session of its own: the migrator takes a pool, or a connection by means that the compiler
        // cannot see through here (rust-lang/rust#110338).
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(Duration::from_millis(self.settings.connect_timeout_ms))
            .connect_lazy_with(self.options.clone());
        let outcome = migrator.run(&pool).await;
        pool.close().await;
        outcome.map_err(|error| match error {
            MigrateError::VersionMissing(found) => OpenError::Format {
                place: self.place(),
                found: u32::try_from(found).unwrap_or(u32::MAX),
                supported: LATEST,
            },
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => self.open_error(error),
            error => OpenError::engine(self.place(), error),
        })
    }

    async fn check_schema(&self, connection: &mut PgConnection) -> Result<Schema, sqlx::Error> {
        let (namespaces, ours, tables): (i64, i64, i64) = sqlx::query_as(
            "SELECT count(DISTINCT n.oid), count(*) FILTER (WHERE c.relname = $2), count(c.oid) \
             FROM pg_namespace n LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind = 'r' \
             WHERE n.nspname = $1",
        )
        .bind(&self.settings.schema)
        .bind(MIGRATIONS_TABLE)
        .fetch_one(connection)
        .await?;
        Ok(match (namespaces, ours, tables) {
            (0, ..) => Schema::Absent,
            (_, 0, 0) => Schema::Empty,
            (_, 0, 1..) => Schema::Foreign,
            _ => Schema::Ours,
        })
    }

    /// Whether what the server acknowledges survives a power cut. Warns if not, and if the connection
    /// can be read on its way.
    pub(super) async fn is_power_loss_safe(&self, connection: &mut PgConnection) -> Result<bool, OpenError> {
        let row = sqlx::query(
            "SELECT current_setting('server_version_num')::int, \
             current_setting('fsync')::bool AND current_setting('full_page_writes')::bool, \
             current_setting('synchronous_commit') = 'off', \
             coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false)",
        )
        .fetch_one(&mut *connection)
        .await;
        let read = |row: sqlx::postgres::PgRow| -> Result<(i32, bool, bool, bool), sqlx::Error> {
            Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?))
        };
        let (version, is_safe, is_asynchronous, is_encrypted) =
            row.and_then(read).map_err(|error| self.open_error(error))?;
        if version < MIN_SERVER_VERSION {
            return Err(settings_error(format!(
                "the server is PostgreSQL {}: use 12 or later",
                version / 10_000
            )));
        }
        if is_asynchronous {
            sqlx::query("SET synchronous_commit TO on")
                .execute(connection)
                .await
                .map_err(|error| self.open_error(error))?;
        }
        if !is_safe {
            tracing::warn!(
                place = self.place(),
                "the database server runs with fsync or full_page_writes off: a power cut there loses what it has acknowledged"
            );
        }
        if !is_encrypted && !self.is_local() {
            tracing::warn!(
                place = self.place(),
                "the connection to the database is not encrypted: add sslmode=verify-full to its URL"
            );
        }
        Ok(is_safe)
    }

    fn is_local(&self) -> bool {
        let host = self.options.get_host();
        self.options.get_socket().is_some()
            || host.starts_with('/')
            || host == "localhost"
            || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
    }

    pub(super) fn open_error(&self, error: sqlx::Error) -> OpenError {
        let place = self.place();
        let code = match &error {
            sqlx::Error::Database(error) => error.code().unwrap_or_default().into_owned(),
            sqlx::Error::Configuration(error) => {
                return settings_error(format!("{place}: {error}"));
            }
            _ => {
                return OpenError::Unreachable {
                    place,
                    source: error.into(),
                };
            }
        };
        // https://www.postgresql.org/docs/current/errcodes-appendix.html
        match code.as_str() {
            "3D000" => settings_error(format!("{place}: there is no such database: create it")),
            "42501" => settings_error(format!(
                "{place}: the user may not make tables there: grant it CREATE on the database, or make the schema and give it to the user"
            )),
            code if code.starts_with("28") => OpenError::Refused {
                place,
                source: error.into(),
            },
            code if is_passing(code) => OpenError::Unreachable {
                place,
                source: error.into(),
            },
            _ => OpenError::engine(place, error),
        }
    }
}

enum Schema {
    Absent,
    Empty,
    Ours,
    Foreign,
}

fn check_schema_name(schema: &str) -> Result<(), OpenError> {
    let is_plain = schema.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
        && schema
            .chars()
            .all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '_')
        && schema.len() <= 63
        && !schema.starts_with("pg_");
    if is_plain {
        Ok(())
    } else {
        Err(settings_error(format!(
            "{schema:?} cannot name the schema: take up to 63 lower case letters, digits and underscores"
        )))
    }
}

/// Whether the server was just starting, stopping or full: class 08, 53 and the shutdowns of 57.
fn is_passing(code: &str) -> bool {
    code.starts_with("08") || code.starts_with("53") || matches!(code, "57P01" | "57P02" | "57P03")
}

/// Whether the connection is gone, as against: the server answered that something is wrong.
pub(super) fn is_connection_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| is_passing(&code)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{MIGRATIONS, Server};
    use crate::error::OpenError;
    use crate::location::PostgresqlSettings;

    fn refusal(change: impl FnOnce(&mut PostgresqlSettings)) -> String {
        let mut settings = PostgresqlSettings::new("postgres://node:geheim@db/icn");
        change(&mut settings);
        match Server::new(&settings) {
            Err(error @ OpenError::Settings { .. }) => error.to_string(),
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("it was taken"),
        }
    }

    #[test]
    fn bad_settings_are_named_without_the_password() {
        for schema in ["", "Icn", "1icn", "icn; drop", "pg_icn", &"i".repeat(64)] {
            let message = refusal(|settings| settings.schema = schema.to_owned());
            assert!(message.contains("cannot name the schema"), "{message}");
        }
        let message = refusal(|settings| settings.max_connections = 2);
        assert!(message.contains("at least 3"), "{message}");
        for url in [
            "postgres://node:geheim@db:port/icn",
            "postgres://node:geheim@db/icn?sslmode=perhaps",
            "postgres://node:gehe/im@db/icn",
        ] {
            let message = refusal(|settings| settings.url = url.to_owned());
            assert!(!message.contains("gehe"), "{message}");
        }
    }

    #[test]
    fn migrations_are_numbered_in_order() {
        for (index, (version, ..)) in MIGRATIONS.iter().enumerate() {
            assert_eq!(usize::try_from(*version).unwrap(), index + 1);
        }
        assert_eq!(MIGRATIONS.len(), super::LATEST as usize);
    }
}
