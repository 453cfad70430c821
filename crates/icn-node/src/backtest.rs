//! Tries a contract on what has happened: executes the log anew, and asks the contract what the state machine would
//! have asked it.
//!
//! The log is executed as it was, so each question is that of the moment; what the contract says changes nothing.
use icn_api::governance::{Backtest, BacktestCase, BacktestReport};
use icn_model::{
    Cid, Did, Genesis, Height, Mana, PolicyAnswer, PolicyFailure, PolicyQuestion, PolicySlot,
    limits::MAX_CONTRACT_BYTES,
};
use icn_protocol::block::LogBlock;
use icn_state::{Engine, Examined, Policies, State, Texts};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

/// Cases that a report shows.
const MAX_CASES: usize = 50;

/// Where the federation's log is.
pub(crate) struct History<'a> {
    pub(crate) genesis: &'a Genesis,
    pub(crate) last: Height,
    /// The content of a final block, if it is on this node.
    pub(crate) block: &'a dyn Fn(Height) -> Option<LogBlock>,
    /// Set when nobody waits for the answer any more.
    pub(crate) stop: &'a AtomicBool,
}

/// Why nothing was tried.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BacktestError {
    #[error("the text is no contract: {0}")]
    Contract(String),
    #[error("contract {contract} has no policy for {slot}")]
    NoPolicy { contract: Cid, slot: PolicySlot },
    #[error("this node does not have block {0} of the log: ask a node that has followed from the beginning")]
    Missing(Height),
    #[error("nobody waits for the answer any more")]
    Stopped,
}

struct Modules(BTreeMap<Cid, String>);

impl Texts for Modules {
    fn text(&self, cid: &Cid) -> Option<&str> {
        self.0.get(cid).map(String::as_str)
    }
}

/// The federation's engine, with an eye on one slot.
struct Watcher {
    engine: Engine,
    slot: PolicySlot,
    contract: Cid,
    texts: Modules,
    /// Whether the window has begun.
    is_on: AtomicBool,
    height: AtomicU64,
    report: Mutex<BacktestReport>,
}

impl Policies for Watcher {
    fn examine(&self, source: &str, texts: &dyn Texts) -> Result<Examined, String> {
        self.engine.examine(source, texts)
    }

    fn ask(
        &self,
        contract: &Cid,
        texts: &dyn Texts,
        question: &PolicyQuestion,
    ) -> Result<PolicyAnswer, PolicyFailure> {
        self.engine.ask(contract, texts, question)
    }

    fn watches(&self, slot: PolicySlot) -> bool {
        slot == self.slot && self.is_on.load(Ordering::Relaxed)
    }

    fn watch(&self, question: &PolicyQuestion) {
        let answer = self.engine.ask(&self.contract, &self.texts, question);
        let height = Height::new(self.height.load(Ordering::Relaxed));
        let mut report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
        note(&mut report, height, question, &answer);
    }
}

fn note(
    report: &mut BacktestReport,
    height: Height,
    question: &PolicyQuestion,
    answer: &Result<PolicyAnswer, PolicyFailure>,
) {
    report.asked += 1;
    let (subject, says) = match (question, answer) {
        (question, Err(failure)) => {
            match failure {
                PolicyFailure::Refused { .. } => report.refused += 1,
                PolicyFailure::Fault { .. } => report.failed += 1,
            }
            (subject(question), failure.to_string())
        }
        (question, Ok(PolicyAnswer::Is(false))) => {
            report.refused += 1;
            (subject(question), "no".to_owned())
        }
        (PolicyQuestion::PriceCeiling(job), Ok(PolicyAnswer::Mana(ceiling))) if job.offered > *ceiling => {
            report.refused += 1;
            (
                job.submitter,
                format!("{} is over the ceiling of {ceiling}", job.offered),
            )
        }
        (PolicyQuestion::ManaRate(mana), Ok(PolicyAnswer::Mana(rate))) if *rate != mana.base_rate => {
            report.changed += 1;
            (mana.cooperative, instead(*rate, mana.base_rate))
        }
        (PolicyQuestion::ManaCapacity(mana), Ok(PolicyAnswer::Mana(capacity)))
            if *capacity != mana.base_capacity =>
        {
            report.changed += 1;
            (mana.cooperative, instead(*capacity, mana.base_capacity))
        }
        (PolicyQuestion::VoteWeight(vote), Ok(PolicyAnswer::Count(weight))) if *weight != 1 => {
            report.changed += 1;
            (vote.voter, format!("{weight} votes"))
        }
        _ => return,
    };
    if report.cases.len() < MAX_CASES {
        report.cases.push(BacktestCase {
            height,
            subject,
            says,
        });
    }
}

fn instead(amount: Mana, base: Mana) -> String {
    format!("{amount} instead of {base}")
}

/// Whom a question is about.
fn subject(question: &PolicyQuestion) -> Did {
    match question {
        PolicyQuestion::ManaRate(mana) | PolicyQuestion::ManaCapacity(mana) => mana.cooperative,
        PolicyQuestion::BidEligibility(bid) => bid.bidder,
        PolicyQuestion::PriceCeiling(job) => job.submitter,
        PolicyQuestion::VoteEligibility(vote) | PolicyQuestion::VoteWeight(vote) => vote.voter,
        PolicyQuestion::Admission(admission) => admission.applicant,
    }
}

/// Tries a contract on the blocks at the end of the log that carry the operations asked for; `modules` are the texts
/// that it may import. Reads and executes the whole log; for a blocking thread.
pub(crate) fn backtest(
    trial: Backtest,
    modules: BTreeMap<Cid, String>,
    engine: Engine,
    history: &History<'_>,
) -> Result<BacktestReport, BacktestError> {
    let Backtest {
        slot,
        source,
        operations,
    } = trial;
    // As when it is published: the log would not take it.
    if source.len() > MAX_CONTRACT_BYTES {
        let detail = format!(
            "it has {} bytes; at most {MAX_CONTRACT_BYTES} are allowed",
            source.len()
        );
        return Err(BacktestError::Contract(detail));
    }
    let contract = Cid::of_raw(source.as_bytes());
    let mut texts = Modules(modules);
    let examined = engine.examine(&source, &texts).map_err(BacktestError::Contract)?;
    if !examined.slots.contains(&slot) {
        return Err(BacktestError::NoPolicy { contract, slot });
    }
    texts.0.insert(contract, source);
    let (from, operations) = window(history, operations)?;
    let watcher = Arc::new(Watcher {
        engine,
        slot,
        contract,
        texts,
        is_on: AtomicBool::new(false),
        height: AtomicU64::new(0),
        report: Mutex::default(),
    });
    let Ok((mut state, _)) = State::genesis(history.genesis, watcher.clone()) else {
        return Err(BacktestError::Missing(Height::ZERO));
    };
    for height in (1..=history.last.get()).map(Height::new) {
        let block = read(history, height)?;
        if height >= from {
            watcher.is_on.store(true, Ordering::Relaxed);
            watcher.height.store(height.get(), Ordering::Relaxed);
        }
        let context = state.context_of(block.header());
        state.apply(&context, &block.content().operations);
    }
    let report = watcher
        .report
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    Ok(BacktestReport {
        from,
        to: history.last,
        operations,
        ..report
    })
}

/// The first block of the window, and how many operations there are from it on.
fn window(history: &History<'_>, wanted: u64) -> Result<(Height, u64), BacktestError> {
    let (mut first, mut count) = (history.last.next(), 0_u64);
    while first.get() > 1 && count < wanted {
        first = Height::new(first.get() - 1);
        count += read(history, first)?.content().operations.len() as u64;
    }
    Ok((first, count))
}

fn read(history: &History<'_>, height: Height) -> Result<LogBlock, BacktestError> {
    if history.stop.load(Ordering::Relaxed) {
        return Err(BacktestError::Stopped);
    }
    (history.block)(height).ok_or(BacktestError::Missing(height))
}
