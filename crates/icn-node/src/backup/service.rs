//! Backups of the node that runs: made and merged one at a time, and its check.
use super::{
    BackupError,
    format::{Head, Taken},
    merge,
    taken::Notes,
    verify::{self, Subject},
    write::{self, Source},
};
use crate::{
    background::Single,
    config::Config,
    dag::{Dag, story},
};
use icn_api::{
    backups::{BackupRequest, Merged, VerifyReport, VerifyStatus},
    keyfile,
    node::BackupsStatus,
};
use icn_model::{Did, Genesis, Time};
use icn_protocol::node::Node;
use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long a log takes to start at most, before its blocks count as absent.
const LOG_STARTS: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The backups of a node. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Backups(Arc<Inner>);

struct Inner {
    node: Node,
    dag: Dag,
    did: Did,
    genesis: Genesis,
    config: serde_json::Value,
    key_path: PathBuf,
    notes: Notes,
    /// What the notes say of the last backups.
    last: Mutex<BackupsStatus>,
    /// One archive is made or used at a time.
    one: Arc<Semaphore>,
    checking: Single,
    checked: Mutex<(Option<VerifyReport>, Option<String>)>,
    stop: AtomicBool,
}

/// The right to make or use an archive.
pub(crate) struct Turn(#[expect(dead_code, reason = "held, not read")] OwnedSemaphorePermit);

impl Backups {
    pub(crate) fn new(
        node: Node,
        dag: Dag,
        did: Did,
        genesis: Genesis,
        config: &Config,
        data_dir: &Path,
    ) -> Self {
        let notes = Notes::new(data_dir);
        Self(Arc::new(Inner {
            node,
            dag,
            did,
            genesis,
            config: config.without_secrets(),
            key_path: config.identity.key_path(data_dir),
            last: Mutex::new(notes.last()),
            notes,
            one: Arc::new(Semaphore::new(1)),
            checking: Single::new(),
            checked: Mutex::default(),
            stop: AtomicBool::new(false),
        }))
    }

    /// The backups that were made, the youngest last.
    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.0.notes.all()
    }

    /// When the last backups were made.
    pub(crate) fn last(&self) -> BackupsStatus {
        *self.0.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The right to make or use an archive, if nobody has it.
    pub(crate) fn turn(&self) -> Option<Turn> {
        self.0.one.clone().try_acquire_owned().ok().map(Turn)
    }

    /// What has to be known before a backup is begun, so that a refusal is an answer and not a stream that breaks.
    pub(crate) fn prepare(&self, request: &BackupRequest) -> Result<Prepared, BackupError> {
        let identity = if request.include_identity {
            let stored = keyfile::load(&self.0.key_path).map_err(io::Error::other)?;
            if !stored.is_encrypted() {
                return Err(BackupError::PlainIdentity);
            }
            Some(fs::read(&self.0.key_path)?)
        } else {
            None
        };
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let id = random.map(|byte| format!("{byte:02x}")).concat();
        Ok(Prepared {
            id,
            identity,
            incremental: request.incremental,
            since: request.since,
        })
    }

    /// Makes a backup, on a thread that may block.
    pub(crate) fn write(
        &self,
        _turn: Turn,
        prepared: Prepared,
        now: Time,
        to: impl Write,
    ) -> Result<Head, BackupError> {
        let inner = &self.0;
        inner.await_log();
        inner.notes.tidy();
        let base = if prepared.incremental {
            inner.notes.base(prepared.since)?
        } else {
            None
        };
        let source = Source {
            store: inner.node.ledger().store(),
            blocks: inner.node.exchange().blocks(),
            node: inner.did,
            genesis: &inner.genesis,
            config: &inner.config,
            identity: prepared.identity.as_deref(),
            base,
            anchor: &|height| tokio::runtime::Handle::current().block_on(inner.node.anchor(height)),
            list: inner.notes.list(&prepared.id)?,
        };
        let (head, list) = write::write(source, prepared.id, now, to)?;
        inner.notes.keep(&head, list)?;
        *inner.last.lock().unwrap_or_else(PoisonError::into_inner) = inner.notes.last();
        tracing::info!(
            id = head.taken.id,
            height = head.taken.height.get(),
            base = head.base.as_ref().map(|base| base.id.as_str()),
            "made a backup"
        );
        Ok(head)
    }

    /// Where an archive that comes in is kept while it is checked and used.
    pub(crate) fn incoming(&self) -> Result<tempfile::NamedTempFile, BackupError> {
        let directory = self.0.notes.directory()?;
        Ok(tempfile::Builder::new().suffix(".part").tempfile_in(directory)?)
    }

    /// Takes blocks and pins out of an archive.
    pub(crate) async fn merge(&self, _turn: Turn, path: &Path) -> Result<Merged, BackupError> {
        let blocks = self.0.node.exchange().blocks().clone();
        let merged = merge::merge(blocks, self.0.dag.pins().clone(), self.0.genesis.id(), path).await?;
        tracing::info!(
            id = merged.id,
            blocks = merged.blocks_put,
            pins = merged.pins_put,
            "took blocks from a backup"
        );
        Ok(merged)
    }

    /// Starts a check; false if one runs already.
    pub(crate) fn check(&self, deep: bool, now: fn() -> Time) -> bool {
        let Some(running) = self.0.checking.begin() else {
            return false;
        };
        let backups = self.clone();
        let runtime = tokio::runtime::Handle::current();
        tokio::task::spawn_blocking(move || {
            let _running = running;
            let inner = &backups.0;
            inner.await_log();
            let ledger = inner.node.ledger();
            let subject = Subject {
                store: ledger.store(),
                blocks: inner.node.exchange().blocks(),
                pins: inner.dag.pins(),
                genesis: &inner.genesis,
                policies: ledger.read(icn_state::State::engine),
                log_block: &|height| runtime.block_on(inner.node.block(height)),
                in_memory: &|| ledger.read(|state| (state.height(), state.merkle_root())),
                stop: &inner.stop,
                now,
            };
            let outcome = match verify::verify(&subject, deep) {
                Ok(report) => (Some(report), None),
                Err(error) => (None, Some(story(&error))),
            };
            *inner.checked.lock().unwrap_or_else(PoisonError::into_inner) = outcome;
        });
        true
    }

    /// How far a check is.
    pub(crate) fn checked(&self) -> VerifyStatus {
        let checked = self.0.checked.lock().unwrap_or_else(PoisonError::into_inner);
        VerifyStatus {
            running: self.0.checking.is_running(),
            last: checked.0.clone(),
            failure: checked.1.clone(),
        }
    }

    /// Waits until no check runs.
    pub(crate) async fn idle(&self) {
        self.0.checking.idle().await;
    }

    /// Ends a check that runs, soon.
    pub(crate) fn stop(&self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }
}

impl Inner {
    /// Waits for the log of a node that has just started: before it runs, no block of it can be read. On a thread
    /// that may block.
    fn await_log(&self) {
        let mut waited = Duration::ZERO;
        while !self.node.log_is_ready() && waited < LOG_STARTS && !self.stop.load(Ordering::Relaxed) {
            thread::sleep(LOOK_AGAIN);
            waited += LOOK_AGAIN;
        }
    }
}

/// A backup that can be begun.
pub(crate) struct Prepared {
    pub(crate) id: String,
    identity: Option<Vec<u8>>,
    incremental: bool,
    since: Option<Time>,
}
