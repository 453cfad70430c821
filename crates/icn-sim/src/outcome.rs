//! What came of a run: one line, equal for equal configurations.
use crate::{config::Config, oracle::Oracle};
use icn_model::{Digest, canonical};
use icn_protocol::ledger::FinalOperation;
use icn_store::{Reader as _, ScanRange, Store, StoreError, Table};
use std::fmt;

const PAGE: usize = 4_096;
const MAX_RECORD_BYTES: usize = 1 << 16;

/// How often what went wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lives of nodes that ended at once.
    pub kills: u64,
    /// Times that the network fell apart.
    pub partitions: u64,
    /// Times that a seat ran twice.
    pub twins: u64,
    /// Seats that went on with another key.
    pub rotations: u64,
    /// Transfers of which users were told that both ends of a line had signed them.
    pub transfers: u64,
    /// Rounds of clearing that were applied.
    pub cleared: u64,
}

/// What came of a run in which everything held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The run's seed.
    pub seed: u64,
    /// The run's nodes.
    pub nodes: usize,
    /// The height that all nodes had reached at the end.
    pub height: u64,
    /// The outcome root there.
    pub root: Digest,
    /// Operations in the log up to there, users' and nodes' own.
    pub operations: u64,
    /// Users' operations that were acknowledged as final.
    pub acknowledged: u64,
    /// Jobs that users submitted.
    pub jobs: u64,
    /// Jobs that were paid.
    pub jobs_settled: u64,
    /// Jobs that came to nothing.
    pub rolled_back: u64,
    /// Jobs that were withdrawn.
    pub cancelled: u64,
    /// Jobs whose executors were found to have lied.
    pub disproved: u64,
    /// Proposals that users made.
    pub proposals: u64,
    /// Of them, those that were carried out.
    pub executed: u64,
    /// How often terms of agreements took effect.
    pub agreed: u64,
    /// What went wrong.
    pub counts: Counts,
    /// Views for which there is proof that a seat contradicted itself.
    pub equivocations: usize,
    /// Hash of the trace.
    pub trace: Digest,
    /// The runtime's own hash of everything that happened.
    pub audit: String,
}

impl Outcome {
    pub(crate) fn new(config: &Config, oracle: &Oracle, counts: Counts, end: (u64, Digest, u64)) -> Self {
        let (height, root, operations) = end;
        let books = oracle.books();
        Self {
            seed: config.seed,
            nodes: config.nodes,
            height,
            root,
            operations,
            acknowledged: oracle.acknowledged(),
            jobs: books.submitted(),
            jobs_settled: books.settled(),
            rolled_back: books.rolled_back(),
            cancelled: books.cancelled(),
            disproved: books.disproved(),
            proposals: books.decisions().proposed(),
            executed: books.decisions().executed(),
            agreed: books.agreements().held(),
            counts,
            equivocations: oracle.equivocations(),
            trace: Digest::ZERO,
            audit: String::new(),
        }
    }

    /// The numbers for people, a line each.
    pub fn table(&self) -> String {
        let rows = [
            ("height", self.height),
            ("operations in the log", self.operations),
            ("operations acknowledged to users", self.acknowledged),
            ("jobs submitted", self.jobs),
            ("jobs settled", self.jobs_settled),
            ("jobs rolled back", self.rolled_back),
            ("jobs cancelled", self.cancelled),
            ("jobs disproved", self.disproved),
            ("proposals", self.proposals),
            ("proposals carried out", self.executed),
            ("agreements that took effect", self.agreed),
            ("transfers signed by both", self.counts.transfers),
            ("rounds of clearing applied", self.counts.cleared),
            ("nodes killed", self.counts.kills),
            ("partitions", self.counts.partitions),
            ("seats run twice", self.counts.twins),
            ("seats with another key", self.counts.rotations),
            ("equivocations proven", self.equivocations as u64),
        ];
        rows.iter()
            .map(|(name, value)| format!("  {name:<34}{value:>10}\n"))
            .collect()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "seed={} nodes={} height={} root={} operations={} jobs_settled={} rolled_back={} \
             executed={} agreed={} transfers={} cleared={} kills={} partitions={} rotations={} equivocations={}",
            self.seed,
            self.nodes,
            self.height,
            self.root,
            self.operations,
            self.jobs_settled,
            self.rolled_back,
            self.executed,
            self.agreed,
            self.counts.transfers,
            self.counts.cleared,
            self.counts.kills,
            self.counts.partitions,
            self.counts.rotations,
            self.equivocations,
        )
    }
}

/// Operations of the log up to a height.
pub(crate) fn operations(store: &Store, height: u64) -> Result<u64, StoreError> {
    let mut count = 0;
    let all = ScanRange::all();
    let mut range = all.clone();
    loop {
        let page = store.scan(Table::Operations, &range, PAGE)?;
        let places = page.entries.iter();
        let places = places
            .filter_map(|(_, row)| canonical::from_own_bytes::<FinalOperation>(row, MAX_RECORD_BYTES).ok());
        count += places.filter(|place| place.height.get() <= height).count() as u64;
        match page.next {
            Some(cursor) => range = all.resume(&cursor),
            None => return Ok(count),
        }
    }
}
