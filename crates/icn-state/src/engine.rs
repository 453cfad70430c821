//! What the state asks of whoever runs it: to run contracts, and to solve rounds of clearing.
use alloc::{string::String, sync::Arc, vec::Vec};
use icn_clearing::{Obligation, Solution};
use icn_model::{Cid, PolicyAnswer, PolicyFailure, PolicyQuestion, PolicySlot};

/// Texts of contracts and of the modules that they import.
pub trait Texts {
    /// The text that hashes to `cid`, as raw bytes.
    fn text(&self, cid: &Cid) -> Option<&str>;
}

/// What a contract is, to the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examined {
    /// What it is called.
    pub name: String,
    /// The slots that it has a policy for.
    pub slots: Vec<PolicySlot>,
    /// The modules that it imports, directly or not.
    pub imports: Vec<Cid>,
}

/// Runs contracts. A function of its arguments: every engine of a federation gives the same answers, bounds
/// the work of one call, and may keep what it has compiled by the contract's CID.
pub trait Policies: Send + Sync {
    /// Whether a text is a contract or module without faults.
    ///
    /// # Errors
    /// The first fault, with its place.
    fn examine(&self, source: &str, texts: &dyn Texts) -> Result<Examined, String>;

    /// What a contract that was examined says to a question.
    ///
    /// # Errors
    /// The contract refuses, or comes to a fault.
    fn ask(
        &self,
        contract: &Cid,
        texts: &dyn Texts,
        question: &PolicyQuestion,
    ) -> Result<PolicyAnswer, PolicyFailure>;

    /// Whether the engine wants to see the questions for a slot even where no contract decides it: to try a
    /// contract on what has happened.
    fn watches(&self, _slot: PolicySlot) -> bool {
        false
    }

    /// Sees a question for a slot that it watches. What it makes of it changes nothing.
    fn watch(&self, _question: &PolicyQuestion) {}

    /// Solves a round of clearing in one unit. There is one right answer, the exact solver's, to the byte: a state that
    /// takes another has another root than everybody else's. It is asked for here so that tests can see that.
    ///
    /// # Errors
    /// The obligations are more than the solver takes.
    fn clear(&self, parties: u32, owed: &[Obligation]) -> Result<Solution, icn_clearing::Error> {
        icn_clearing::solve(parties, owed)
    }
}

/// The engine of a state, shared by those that load one.
pub type Engine = Arc<dyn Policies>;

/// An engine for states in which there are no contracts, or that are only read: it takes none.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPolicies;

impl Policies for NoPolicies {
    fn examine(&self, _: &str, _: &dyn Texts) -> Result<Examined, String> {
        Err("this program runs no contracts".into())
    }

    fn ask(&self, _: &Cid, _: &dyn Texts, _: &PolicyQuestion) -> Result<PolicyAnswer, PolicyFailure> {
        Err(PolicyFailure::Fault {
            detail: "this program runs no contracts".into(),
        })
    }
}
