//! What must hold whatever goes wrong, checked after every block on every node.
//!
//! The oracle reads what nodes have written and what they say, and judges it by books of its own. It
//! shares the nouns with the program under test, and no rule: what it knows of mana, jobs and the log is
//! written here a second time, in another way.
mod accounts;
mod agreements;
mod books;
mod chain;
mod decisions;
mod job;
mod promises;
mod trades;

pub use agreements::Agreements;
pub use books::Books;
pub use decisions::Decisions;
pub use trades::Trades;

use accounts::Accounts;
use chain::Chain;
use icn_model::{Genesis, OperationId, PublicKey, Time};
use icn_protocol::ledger::Ledger;
use promises::Promises;
use std::{collections::BTreeSet, fmt};

/// Up to here the whole state is audited at every height. Then it has grown, and what an audit takes with it: it comes each
/// [`AUDIT_EVERY`] heights, and at the end.
const AUDITED_EACH: u64 = 4_096;
const AUDIT_EVERY: u64 = 64;

/// Something that must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// All nodes have the same blocks, roots and events at the same heights.
    Agreement,
    /// Mana neither comes from nowhere nor gets lost, in sum and in each account.
    Conservation,
    /// A job is paid for at most once, to who delivered, and no more than was held for it.
    PaidOnce,
    /// What was voted on is decided once, and carried out at most once, only if it was accepted and not vetoed.
    DecidedOnce,
    /// Each step of an agreement follows the one before, and nothing follows its end.
    Agreed,
    /// Both ends of a line say the same of it, and what was ordered on it is there once.
    Credited,
    /// What was acknowledged as final stays as it was acknowledged, on every node.
    Acknowledged,
    /// After the last trouble the log goes on within 30 s.
    Progress,
    /// Every job ends.
    JobsEnd,
    /// Nobody is accused or shut out who did nothing wrong.
    Innocence,
    /// No node stops by itself or reports an error.
    Alive,
}

impl Invariant {
    /// The name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Agreement => "agreement",
            Self::Conservation => "conservation",
            Self::PaidOnce => "paid-once",
            Self::DecidedOnce => "decided-once",
            Self::Agreed => "agreed",
            Self::Credited => "credited",
            Self::Acknowledged => "acknowledged",
            Self::Progress => "progress",
            Self::JobsEnd => "jobs-end",
            Self::Innocence => "innocence",
            Self::Alive => "alive",
        }
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An invariant that did not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{invariant} does not hold: {detail}")]
pub struct Violation {
    /// Which one.
    pub invariant: Invariant,
    /// What was found, where.
    pub detail: String,
}

impl Violation {
    pub(crate) fn new(invariant: Invariant, detail: impl Into<String>) -> Self {
        Self {
            invariant,
            detail: detail.into(),
        }
    }
}

/// Checks every node of one run.
pub struct Oracle {
    chain: Chain,
    books: Books,
    accounts: Accounts,
    promises: Promises,
    trades: Trades,
    /// Seats that really did contradict themselves.
    guilty: BTreeSet<PublicKey>,
    accused: BTreeSet<(PublicKey, u64, u64)>,
    violation: Option<Violation>,
    /// The height of the last audit.
    audited: u64,
    replays_pay: bool,
}

impl Oracle {
    /// For a federation of `nodes` nodes.
    pub fn new(genesis: &Genesis, nodes: usize) -> Self {
        Self {
            chain: Chain::new(nodes),
            books: Books::new(genesis),
            accounts: Accounts::new(genesis),
            promises: Promises::default(),
            trades: Trades::default(),
            guilty: BTreeSet::new(),
            accused: BTreeSet::new(),
            violation: None,
            audited: 0,
            replays_pay: false,
        }
    }

    /// What users ordered on lines of credit.
    pub fn trades(&mut self) -> &mut Trades {
        &mut self.trades
    }

    /// Looks at what a node has written since the last look.
    pub fn observe(&mut self, node: usize, ledger: &Ledger, now: Time) {
        if self.violation.is_none() {
            self.violation = self.look(node, ledger, now).err();
        }
    }

    fn look(&mut self, node: usize, ledger: &Ledger, now: Time) -> Result<(), Violation> {
        let news = self.chain.read(node, ledger)?;
        for (seat, epoch, view) in news.accusations {
            self.invariant_innocence(node, &seat)?;
            self.accused.insert((seat, epoch, view));
        }
        for (height, events) in news.events {
            for event in &events {
                self.books.enter(height, event)?;
                if self.replays_pay && matches!(event, icn_model::Event::PayMatured { .. }) {
                    self.books.enter(height, event)?;
                }
            }
        }
        let first = news.is_first.then_some(&self.books);
        self.accounts.invariant_conservation(node, ledger, first)?;
        let height = self.chain.highest();
        if news.is_first && (height < AUDITED_EACH || height >= self.audited + AUDIT_EVERY) {
            self.audited = height;
            let audit = ledger.read(icn_state::State::audit);
            audit
                .map_err(|error| Violation::new(Invariant::Conservation, format!("node {node}: {error}")))?;
        }
        self.promises.collect(node, ledger, now)
    }

    fn invariant_innocence(&self, node: usize, seat: &PublicKey) -> Result<(), Violation> {
        if self.guilty.contains(seat) {
            return Ok(());
        }
        Err(Violation::new(
            Invariant::Innocence,
            format!("node {node} has evidence against honest seat {seat}"),
        ))
    }

    /// A node has opened its store again after a crash.
    pub fn reopened(&mut self, node: usize, ledger: &Ledger) {
        if self.violation.is_none() {
            self.violation = self.chain.reopened(node, ledger).err();
        }
    }

    /// Expects an answer of `node` about an operation.
    pub fn promise(&mut self, node: usize, id: OperationId, now: Time) {
        self.promises.expect(node, id, now);
    }

    /// Compares what was acknowledged with what a node says now.
    pub fn check_promises(&mut self, node: usize, ledger: &Ledger) {
        if self.violation.is_none() {
            self.violation = self.promises.invariant_acknowledged(node, ledger).err();
        }
    }

    /// From now on this seat contradicts itself.
    pub fn convict(&mut self, seat: PublicKey) {
        self.guilty.insert(seat);
    }

    /// Whether a seat ever contradicted itself.
    pub fn is_guilty(&self, seat: &PublicKey) -> bool {
        self.guilty.contains(seat)
    }

    /// Reports something that was found elsewhere. The first report stays.
    pub fn report(&mut self, violation: Violation) {
        self.violation.get_or_insert(violation);
    }

    /// What does not hold, if anything.
    pub const fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    /// Jobs and mana as this oracle knows them.
    pub const fn books(&self) -> &Books {
        &self.books
    }

    /// Operations that were acknowledged.
    pub const fn acknowledged(&self) -> u64 {
        self.promises.acknowledged()
    }

    /// The latest acknowledged operation that is in the log with effect, and its height.
    pub fn last_acknowledged(&self) -> Option<OperationId> {
        self.promises.last()
    }

    /// Different views for which a seat was proven to contradict itself.
    pub fn equivocations(&self) -> usize {
        self.accused.len()
    }

    /// The height that every node has reached.
    pub fn common_height(&self) -> u64 {
        self.chain.common_height()
    }

    /// Reads every payment twice from now on.
    pub fn replay_pay(&mut self) {
        self.replays_pay = true;
    }
}
