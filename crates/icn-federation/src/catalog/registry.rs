//! All projects in memory, by slug and by number. Whoever reads the catalog reads this; the database is behind it.
use super::{Entry, Owner, Project, Vital};
use crate::liveness::Standing;
use icn_api::presence::Slug;
use icn_model::Time;
use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicU64, Ordering},
    },
};

/// A row of the catalog, as it is in the database.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// The project's number.
    pub id: i64,
    /// Its entry.
    pub entry: Entry,
    /// Who has registered it.
    pub owner: Owner,
    /// Whether it is not to be watched.
    pub paused: bool,
    /// When it was registered.
    pub created: Time,
    /// When its entry was last changed.
    pub updated: Time,
    /// Whether it is a tombstone.
    pub is_removed: bool,
    /// In which revision of the catalog it was last changed.
    pub revision: i64,
    /// What it is taken for.
    pub standing: Standing,
}

#[derive(Default)]
struct Index {
    by_slug: BTreeMap<Slug, Arc<Project>>,
    by_id: HashMap<i64, Arc<Project>>,
}

/// The projects.
#[derive(Default)]
pub(crate) struct Registry {
    index: RwLock<Index>,
    /// Counts what changes what readers see.
    version: AtomicU64,
    /// Counts what whoever caused it wants to see at once: changes of entries and standings, not each heartbeat.
    changes: AtomicU64,
}

impl Registry {
    fn read(&self) -> RwLockReadGuard<'_, Index> {
        // Changed by insertions and removals only, each of which is whole.
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The project called `slug`.
    pub(crate) fn get(&self, slug: &str) -> Option<Arc<Project>> {
        self.read().by_slug.get(slug).cloned()
    }

    /// The project with a number.
    pub(crate) fn by_id(&self, id: i64) -> Option<Arc<Project>> {
        self.read().by_id.get(&id).cloned()
    }

    /// All projects in the order of their slugs.
    pub(crate) fn all(&self) -> Vec<Arc<Project>> {
        self.read().by_slug.values().cloned().collect()
    }

    /// The projects after a slug, in order.
    pub(crate) fn after(&self, slug: Option<&str>) -> Vec<Arc<Project>> {
        let from = slug.map_or(Bound::Unbounded, Bound::Excluded);
        let index = self.read();
        let rest = index.by_slug.range::<str, _>((from, Bound::Unbounded));
        rest.map(|(_, project)| project.clone()).collect()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.read().by_slug.len()
    }

    /// A number that is another one when something may have changed.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// A number that is another one when an entry or a standing has changed.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// An entry or a standing has changed.
    pub(crate) fn change(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
        self.touch();
    }

    /// Something has changed.
    pub(crate) fn touch(&self) {
        self.version.fetch_add(1, Ordering::AcqRel);
    }

    /// Takes over a row; returns the project if it is there from now on.
    pub(crate) fn take(&self, record: Record) -> Option<Arc<Project>> {
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        self.change();
        if record.is_removed {
            index.by_id.remove(&record.id);
            index.by_slug.remove(&record.entry.slug);
            return None;
        }
        if let Some(project) = index.by_id.get(&record.id) {
            let mut vital = project.vital();
            vital.paused = record.paused;
            vital.owner = record.owner;
            vital.created = record.created;
            vital.updated = record.updated;
            drop(vital);
            project.set_entry(record.entry);
            return Some(project.clone());
        }
        let mut vital = Vital::new(record.standing, record.owner, record.created);
        vital.paused = record.paused;
        vital.updated = record.updated;
        let slug = record.entry.slug.clone();
        let project = Arc::new(Project::new(record.id, record.entry, vital));
        index.by_slug.insert(slug, project.clone());
        index.by_id.insert(record.id, project.clone());
        Some(project)
    }
}
