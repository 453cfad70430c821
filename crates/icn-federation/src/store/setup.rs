//! Where the database is, how it is reached, and the versions of its tables.
use super::{Dialect, Store, StoreError};
use sqlx::{
    Executor as _,
    any::{AnyConnectOptions, AnyPoolOptions},
    migrate::{Migrate as _, Migration, MigrationType, Migrator},
};
use std::{borrow::Cow, path::Path, time::Duration};

/// Every version of the tables, in both dialects.
const MIGRATIONS: [(i64, &str, &str, &str); 1] = [(
    1,
    "tables",
    include_str!("../../migrations/postgresql/0001_tables.sql"),
    include_str!("../../migrations/sqlite/0001_tables.sql"),
)];
/// Which versions have been applied; the name is the library's own.
const MIGRATIONS_TABLE: &str = "_sqlx_migrations";
/// Until when a connection must be there.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections to a file: one writes, the others read.
const SQLITE_CONNECTIONS: u32 = 4;
/// What every connection to a file begins with. Durable at each commit, and whoever waits for another writer waits.
const SQLITE_PRAGMAS: &str =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 10000;";
/// What every connection to a server begins with: a statement that hangs is given up.
const POSTGRESQL_SETTINGS: &str = "SET statement_timeout = '30s'";

/// Where a database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    dialect: Dialect,
    url: String,
}

impl Place {
    /// A file in `directory`.
    pub fn in_directory(directory: &Path) -> Self {
        let path = directory.join("federation.db");
        Self {
            dialect: Dialect::Sqlite,
            url: format!("sqlite://{}?mode=rwc", path.display()),
        }
    }

    /// From a URL as operators write it: `postgresql://…`, also with the name of a Python driver in it, or `sqlite://…`.
    /// `password` is put in where the URL has a user and none.
    ///
    /// # Errors
    /// If it is none, in words for whoever wrote it. The URL is not in them: it may hold a password.
    pub fn parse(text: &str, password: Option<&str>) -> Result<Self, String> {
        let (scheme, rest) = text
            .split_once("://")
            .ok_or("a URL is needed: postgresql://USER@HOST/DATABASE or sqlite://PATH")?;
        let kind = scheme.split('+').next().unwrap_or_default();
        match kind {
            "postgresql" | "postgres" => {
                let mut url = url::Url::parse(&format!("postgresql://{rest}"))
                    .map_err(|error| format!("no URL of a PostgreSQL database: {error}"))?;
                if url.password().is_none() && password.is_some() {
                    url.set_password(password)
                        .map_err(|()| "a password needs a URL with a host".to_owned())?;
                }
                Ok(Self {
                    dialect: Dialect::Postgresql,
                    url: url.into(),
                })
            }
            "sqlite" => Ok(Self {
                dialect: Dialect::Sqlite,
                url: match rest.contains('?') {
                    true => format!("sqlite://{rest}"),
                    false => format!("sqlite://{rest}?mode=rwc"),
                },
            }),
            _ => Err(format!(
                "{kind:?} is no database that this service knows: postgresql or sqlite"
            )),
        }
    }

    /// Where it is, for people: without a password.
    pub(crate) fn shown(&self) -> String {
        match self.dialect {
            Dialect::Postgresql => icn_serve::config::without_password(&self.url),
            Dialect::Sqlite => self.url.split('?').next().unwrap_or_default().to_owned(),
        }
    }

    /// Opens the database; connects when somebody asks it something.
    ///
    /// # Errors
    /// If the URL has what no database takes.
    pub fn open(&self, max_connections: u32, replica: i64) -> Result<Store, StoreError> {
        sqlx::any::install_default_drivers();
        let options: AnyConnectOptions = self.url.parse()?;
        let (connections, settings) = match self.dialect {
            Dialect::Postgresql => (max_connections, POSTGRESQL_SETTINGS),
            Dialect::Sqlite => (SQLITE_CONNECTIONS, SQLITE_PRAGMAS),
        };
        let pool = AnyPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            // A connection that died with its server is noticed before it is used.
            .test_before_acquire(true)
            .after_connect(move |connection, _| {
                Box::pin(async move { connection.execute(settings).await.map(drop) })
            })
            .connect_lazy_with(options);
        Ok(Store {
            pool,
            dialect: self.dialect,
            replica,
        })
    }
}

impl Store {
    fn migrator(&self) -> Migrator {
        let migrations = MIGRATIONS.map(|(version, name, postgresql, sqlite)| {
            let sql = match self.dialect {
                Dialect::Postgresql => postgresql,
                Dialect::Sqlite => sqlite,
            };
            Migration::new(
                version,
                Cow::Borrowed(name),
                MigrationType::Simple,
                sqlx::SqlStr::from_static(sql),
                false,
            )
        });
        Migrator::with_migrations(migrations.to_vec())
    }

    /// Brings the tables to this version, under a lock: of several replicas that start at once one does it.
    ///
    /// # Errors
    /// If the database cannot be reached, or is of a later version.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        Ok(self.migrator().run(&self.pool).await?)
    }

    /// The versions of the tables that are missing.
    ///
    /// # Errors
    /// If the database cannot be reached, or is of a later version.
    pub async fn missing_migrations(&self) -> Result<Vec<String>, StoreError> {
        let migrator = self.migrator();
        let mut connection = self.pool.acquire().await?;
        connection.ensure_migrations_table(MIGRATIONS_TABLE).await?;
        let applied = connection.list_applied_migrations(MIGRATIONS_TABLE).await?;
        let is_applied = |version| applied.iter().any(|migration| migration.version == version);
        if let Some(later) = applied
            .iter()
            .find(|migration| !migrator.version_exists(migration.version))
        {
            return Err(sqlx::migrate::MigrateError::VersionMissing(later.version).into());
        }
        Ok(migrator
            .iter()
            .filter(|migration| !is_applied(migration.version))
            .map(|migration| format!("{:04} {}", migration.version, migration.description))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_as_operators_write_them() {
        let place = |text: &str| Place::parse(text, Some("p@ss/word"));
        let python = place("postgresql+asyncpg://commandcenter@postgres:5432/commandcenter_fed").unwrap();
        assert_eq!(
            python.url,
            "postgresql://commandcenter:p%40ss%2Fword@postgres:5432/commandcenter_fed"
        );
        assert_eq!(
            python.shown(),
            "postgresql://commandcenter:***@postgres:5432/commandcenter_fed"
        );
        let own = place("postgres://a:own@db/x").unwrap();
        assert_eq!(own.url, "postgresql://a:own@db/x");
        assert_eq!(place("sqlite://x.db").unwrap().url, "sqlite://x.db?mode=rwc");
        for bad in ["", "x.db", "mysql://a@b/c", "postgresql://"] {
            let error = Place::parse(bad, None);
            assert!(error.is_err() || bad == "postgresql://", "{bad}: {error:?}");
        }
        assert!(
            Place::parse("mysql://a:secret@b/c", None)
                .unwrap_err()
                .find("secret")
                .is_none()
        );
    }
}
