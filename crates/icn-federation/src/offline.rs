//! What the program does without serving: keys and tables of the database, and looking at files.
use crate::{
    catalog::read_file,
    clock::Clock,
    config::Config,
    http::CODES,
    keys::{DEFAULT_OVERLAP, KeyName, KeyView, Made, Scope, Wanted, generate, hash},
    moment::Moment,
    store::Store,
};
use anyhow::{Context as _, bail};
use icn_api::presence::Slug;
use icn_model::Millis;
use std::path::Path;

/// Who made a key with this program.
const BY: &str = "(command line)";

fn open(config: &Config) -> anyhow::Result<Store> {
    if config.database.url.is_none() {
        std::fs::create_dir_all(&config.server.data_dir)
            .with_context(|| format!("cannot make {}", config.server.data_dir.display()))?;
    }
    Ok(config.place()?.open(config.database.max_connections, 0)?)
}

/// Brings the tables to this version; the names of what was done.
///
/// # Errors
/// If the database cannot be reached, or is of a later version.
pub async fn migrate(config: &Config) -> anyhow::Result<Vec<String>> {
    let store = open(config)?;
    let missing = store.missing_migrations().await?;
    store.migrate().await?;
    Ok(missing)
}

/// The versions of the tables that are missing.
///
/// # Errors
/// If the database cannot be reached, or is of a later version.
pub async fn missing_migrations(config: &Config) -> anyhow::Result<Vec<String>> {
    Ok(open(config)?.missing_migrations().await?)
}

/// Makes a key; its secret.
///
/// # Errors
/// If there is one of that name, or the wish makes no sense.
pub async fn add_key(
    config: &Config,
    name: &str,
    scope: &str,
    slug: Option<&str>,
    expires: Option<&str>,
) -> anyhow::Result<String> {
    let name: KeyName = name.parse()?;
    let slug = slug.map(str::parse::<Slug>).transpose()?;
    let scope = Scope::of(scope, slug).map_err(anyhow::Error::msg)?;
    let expires = expires
        .map(|text| Moment::parse(text).with_context(|| format!("{text:?} is no date: 2027-01-01T00:00:00Z")))
        .transpose()?;
    let now = Clock::default().now();
    if expires.is_some_and(|expires| expires.0 <= now) {
        bail!("--expires: that moment is past");
    }
    let store = open(config)?;
    store.migrate().await?;
    let wanted = Wanted {
        name,
        scope,
        expires: expires.map(|expires| expires.0),
    };
    let made = Made::new(&wanted, now, BY)?;
    if !store.add_key(&made.stored).await? {
        bail!(
            "there is a key {} already: choose another name, or rotate it",
            wanted.name
        );
    }
    Ok(made.secret)
}

/// Every key.
///
/// # Errors
/// If the database cannot be reached.
pub async fn keys(config: &Config) -> anyhow::Result<Vec<KeyView>> {
    let keys = open(config)?.keys().await?;
    Ok(keys.into_iter().map(KeyView::from).collect())
}

/// Gives a key another secret; the former one counts for `overlap_seconds`, or a day.
///
/// # Errors
/// If there is no such key.
pub async fn rotate_key(config: &Config, name: &str, overlap_seconds: Option<u64>) -> anyhow::Result<String> {
    let overlap = overlap_seconds.map_or(DEFAULT_OVERLAP, Millis::from_secs);
    let until = Clock::default().now().after(overlap);
    let secret = generate()?;
    if !open(config)?.rotate_key(name, &hash(&secret), until).await? {
        bail!("there is no key {name}");
    }
    Ok(secret)
}

/// Takes a key away.
///
/// # Errors
/// If there is no such key.
pub async fn revoke_key(config: &Config, name: &str) -> anyhow::Result<()> {
    if !open(config)?.revoke_key(name).await? {
        bail!("there is no key {name}");
    }
    Ok(())
}

/// Checks a catalog; how many entries it has.
///
/// # Errors
/// Names every fault, each with its line.
pub fn check_catalog(path: &Path) -> anyhow::Result<usize> {
    Ok(read_file(path)?.len())
}

/// What an error of the interface means, by its number or name.
pub fn explain(code: &str) -> Option<String> {
    let found = CODES
        .iter()
        .find(|known| known.name == code || known.number.to_string() == code)?;
    Some(format!(
        "{} {}\n{}\n{}",
        found.number, found.name, found.meaning, found.remedy
    ))
}
