//! Keeps the entries that belong to the catalog's file as the file says, when the service starts and when the file
//! changes. Entries that were registered over HTTP are not touched.
use crate::{
    catalog::{Entry, FileError, Owner, read_file},
    core::Core,
    store::{Edit, Store, StoreError},
};
use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::signal::unix;

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(2);
/// How soon is tried again what could not be put into the database.
const SOON: Duration = Duration::from_millis(200);

/// A catalog in a file.
pub(crate) struct CatalogFile {
    path: PathBuf,
    seen: Option<(SystemTime, u64)>,
    entries: Vec<Entry>,
}

impl CatalogFile {
    /// Reads the file for the first time.
    ///
    /// # Errors
    /// Names every fault, each with its line.
    pub(crate) fn open(path: PathBuf) -> Result<Self, FileError> {
        let seen = stamp(&path);
        let entries = read_file(&path)?;
        Ok(Self { path, seen, entries })
    }

    /// Follows the file for as long as it is run.
    pub(crate) async fn follow(mut self, core: Arc<Core>, store: Store, mut hangup: unix::Signal) {
        core.loaded().await;
        let mut is_applied = false;
        loop {
            // Replicas have the same file; the one who judges takes care of it.
            if !is_applied && core.is_keeper() && core.ears.database() {
                match apply(&core, &store, &self.entries).await {
                    Ok(()) => is_applied = true,
                    Err(error) => tracing::warn!(%error, "the catalog's file is not in the database yet"),
                }
            }
            let pause = if is_applied { LOOK } else { SOON };
            let is_asked = tokio::select! {
                () = tokio::time::sleep(pause) => false,
                _ = hangup.recv() => true,
            };
            let stamp = stamp(&self.path);
            if !is_asked && (stamp == self.seen || stamp.is_none()) {
                continue;
            }
            self.seen = stamp;
            let path = self.path.clone();
            match tokio::task::spawn_blocking(move || read_file(&path)).await {
                Ok(Ok(entries)) => {
                    tracing::info!(entries = entries.len(), "read the catalog's file anew");
                    self.entries = entries;
                    is_applied = false;
                }
                Ok(Err(error)) => tracing::error!("the catalog stays as it was: {error}"),
                Err(error) => tracing::error!(%error, "reading the catalog's file panicked"),
            }
        }
    }
}

/// When a file was last changed, and how long it is.
fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

/// Makes the file's part of the catalog what the file says.
async fn apply(core: &Core, store: &Store, entries: &[Entry]) -> Result<(), StoreError> {
    let mut edits = Vec::new();
    for entry in entries {
        let known = core.registry.get(entry.slug.as_str());
        match known.map(|project| (project.vital().owner, project.entry())) {
            Some((Owner::Api, _)) => tracing::warn!(
                slug = %entry.slug,
                "the file's entry does not count: the project was registered over HTTP. Remove it there, or here"
            ),
            Some((Owner::File, there)) if *there == *entry => {}
            Some((Owner::File, _)) | None => edits.push(Edit::Put {
                entry: Box::new(entry.clone()),
                owner: Owner::File,
            }),
        }
    }
    let named: HashSet<&str> = entries.iter().map(|entry| entry.slug.as_str()).collect();
    for project in core.registry.all() {
        let slug = project.slug();
        if project.vital().owner == Owner::File && !named.contains(slug.as_str()) {
            edits.push(Edit::Remove { slug });
        }
    }
    if edits.is_empty() {
        return Ok(());
    }
    let edited = store.edit(&edits, core.clock.now()).await?;
    core.hurry();
    tracing::info!(
        changed = edits.len(),
        new = edited.created,
        "the catalog follows its file"
    );
    Ok(())
}
