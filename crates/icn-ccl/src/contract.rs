//! A contract as the log runs it: read from its text, asked in the slots of the log.
//!
//! The log holds texts, and every node compiles them, so that nothing but this compiler's work ever answers.
//! [`Contract`] is what all engines share: which text is taken, what each question and answer is, which roles
//! a voter has, how failures are worded. An engine only calls functions: [`Interpreter`] walks the checked
//! program, `icn-sandbox` runs the compiled module. Whatever here changes what is answered or refused, words
//! of failures included, is part of the log's protocol version.
use crate::{
    Build, Resolver, Span, Stop, Value,
    abi::ROLE_PREFIX,
    check, compile, interp,
    ir::{FunctionId, Program},
    limits::{MAX_ASKED_ROLES, MAX_TITLE_BYTES},
    slots,
};
use core::cell::Cell;
use icn_model::{Cid, PolicyAnswer, PolicyFailure, PolicyQuestion, PolicySlot, VoteQuestion};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Bytes of the line that says why a text is not taken.
const MAX_LINE_BYTES: usize = 512;
/// Contracts that an [`Interpreter`] keeps: more than there are slots.
const MAX_KEPT: usize = 16;

/// A function that is called from outside.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its name in the module.
    pub export: String,
    /// Its number in the program.
    pub function: FunctionId,
}

/// A contract or module of the log.
#[derive(Clone, Debug)]
pub struct Contract {
    program: Program,
    entries: Vec<Entry>,
    /// The policies: the slot, and the place among the entries.
    policies: Vec<(PolicySlot, usize)>,
    /// The roles that have a rule, in the order of the text: the name, and the place among the entries.
    roles: Vec<(String, usize)>,
}

/// Why an engine gives no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The contract ended the call.
    Stop(Stop),
    /// The engine did, which the bounds of the language come before; in a word.
    Engine(&'static str),
}

impl From<Stop> for Ended {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

fn fault(detail: impl Into<String>) -> PolicyFailure {
    let detail = detail.into();
    PolicyFailure::Fault { detail }
}

/// What is said whether or not an engine has kept the contract: what it keeps must not show.
fn missing() -> PolicyFailure {
    fault("the log does not have the text of the contract, or of a module that it imports")
}

/// A resolver that remembers whether something was not there.
struct Watched<'a> {
    inner: &'a dyn Resolver,
    missed: Cell<bool>,
}

impl Resolver for Watched<'_> {
    fn source(&self, cid: &Cid) -> Option<&str> {
        let found = self.inner.source(cid);
        self.missed.set(self.missed.get() || found.is_none());
        found
    }
}

impl Contract {
    /// The contract or module with this text, and the compiled module.
    ///
    /// # Errors
    /// One line: the place of the first fault, what is wrong, and what to do about it.
    pub fn read(text: &str, texts: &dyn Resolver) -> Result<(Self, Vec<u8>), String> {
        let checked = check(text, texts);
        let Some(program) = checked.program else {
            let found = checked.diagnostics.iter().find(|found| !found.code.is_warning());
            let found = found.ok_or("the text is no contract")?;
            let place = place(&checked.sources, found.span());
            let help = found
                .help
                .as_ref()
                .map_or_else(String::new, |help| format!(" ({help})"));
            return Err(line(format!("{place}: {}{help}", found.message)));
        };
        let module = compile(&program, Build::Contract).map_err(|error| line(error.to_string()))?;
        Ok((Self::of(program)?, module))
    }

    fn of(program: Program) -> Result<Self, String> {
        if program.name.len() > MAX_TITLE_BYTES {
            return Err(format!(
                "the name has {} bytes; at most {MAX_TITLE_BYTES} are allowed in the log",
                program.name.len()
            ));
        }
        if program.scope == "cooperative" {
            return Err(
                "the contract holds for one cooperative; the log runs those for all (write `scope federation`)"
                    .into(),
            );
        }
        let mut entries = Vec::new();
        let mut add = |export: String, function| {
            entries.push(Entry { export, function });
            entries.len() - 1
        };
        let mut policies = Vec::new();
        for policy in &program.policies {
            if let Some(slot) = slots::named(policy.slot.name) {
                policies.push((slot, add(policy.slot.name.to_owned(), policy.function)));
            }
        }
        let mut roles = Vec::new();
        for role in &program.roles {
            if let Some(function) = role.requires {
                let export = format!("{ROLE_PREFIX}{}", role.name);
                roles.push((role.name.clone(), add(export, function)));
            }
        }
        let votes = |slot| matches!(slot, PolicySlot::VoteEligibility | PolicySlot::VoteWeight);
        if roles.len() > MAX_ASKED_ROLES && policies.iter().any(|(slot, _)| votes(*slot)) {
            return Err(format!(
                "a contract that decides about votes has at most {MAX_ASKED_ROLES} roles with a rule: each is asked for each vote"
            ));
        }
        Ok(Self {
            program,
            entries,
            policies,
            roles,
        })
    }

    /// The contract `cid` of the log, and the compiled module.
    ///
    /// # Errors
    /// A fault, if a text is missing or, in another version of the language, is not taken any more.
    pub fn open(cid: &Cid, texts: &dyn Resolver) -> Result<(Self, Vec<u8>), PolicyFailure> {
        let text = texts.source(cid).ok_or_else(missing)?;
        if Cid::of_raw(text.as_bytes()) != *cid {
            return Err(missing());
        }
        let watched = Watched {
            inner: texts,
            missed: Cell::new(false),
        };
        Self::read(text, &watched).map_err(|error| {
            if watched.missed.get() {
                missing()
            } else {
                fault(error)
            }
        })
    }

    /// Whether the log still has all texts of this contract: an engine that has kept it asks before each use.
    ///
    /// # Errors
    /// The same fault as that of [`Contract::open`].
    pub fn check_texts(&self, texts: &dyn Resolver) -> Result<(), PolicyFailure> {
        let files = self.program.sources.files();
        if files.iter().all(|file| texts.source(&file.cid).is_some()) {
            Ok(())
        } else {
            Err(missing())
        }
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.program.name
    }

    /// The slots that it has a policy for, in the order of its text.
    pub fn slots(&self) -> Vec<PolicySlot> {
        self.policies.iter().map(|(slot, _)| *slot).collect()
    }

    /// The modules that it imports, directly or not.
    pub fn imports(&self) -> Vec<Cid> {
        let files = self.program.sources.files().iter().skip(1);
        files.map(|file| file.cid).collect()
    }

    /// The checked program.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// What engines call, by its place.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What it says to a question. `call` runs the function at a place in [`Contract::entries`].
    ///
    /// # Errors
    /// The contract refuses, or comes to a fault.
    pub fn ask(
        &self,
        question: &PolicyQuestion,
        mut call: impl FnMut(usize, &Value) -> Result<Value, Ended>,
    ) -> Result<PolicyAnswer, PolicyFailure> {
        let slot = question.slot();
        let policy = self.policies.iter().find(|(decided, _)| *decided == slot);
        let Some((_, policy)) = policy else {
            return Err(fault(format!("the contract has no policy for {slot}")));
        };
        let roles = match question {
            PolicyQuestion::VoteEligibility(question) | PolicyQuestion::VoteWeight(question) => {
                self.roles_of(question, &mut call)?
            }
            _ => Vec::new(),
        };
        let result = call(*policy, &slots::input(question, &roles)).map_err(|ended| self.failure(ended))?;
        slots::answer(slot, &result).ok_or_else(|| fault(format!("the answer is none to {slot}")))
    }

    /// The roles whose rules hold for a voter. Each rule is told those that came before it. A rule that
    /// refuses does not hold; what has no rule is given by nobody here.
    fn roles_of(
        &self,
        question: &VoteQuestion,
        call: &mut impl FnMut(usize, &Value) -> Result<Value, Ended>,
    ) -> Result<Vec<&str>, PolicyFailure> {
        let mut held = Vec::new();
        for (name, rule) in &self.roles {
            match call(*rule, &slots::role_input(question, &held)) {
                Ok(Value::Bool(true)) => held.push(name.as_str()),
                Ok(_) | Err(Ended::Stop(Stop::Refusal { .. })) => {}
                Err(ended) => return Err(self.failure(ended)),
            }
        }
        Ok(held)
    }

    fn failure(&self, ended: Ended) -> PolicyFailure {
        match ended {
            Ended::Stop(Stop::Refusal { reason, .. }) => PolicyFailure::Refused { reason },
            // The state keeps these words: only what is stable.
            Ended::Stop(Stop::Fault { code, span }) if span == Span::default() => fault(code.word()),
            Ended::Stop(Stop::Fault { code, span }) => fault(format!(
                "{} at {}",
                code.word(),
                place(&self.program.sources, span)
            )),
            Ended::Engine(word) => fault(word),
        }
    }
}

/// Line and column, and in which file if that is not the contract.
fn place(sources: &crate::Sources, span: Span) -> String {
    let (line, column) = sources.position(span);
    match sources.files().get(usize::from(span.source)) {
        Some(file) if span.source > 0 => format!("{line}:{column} of {}", file.cid),
        _ => format!("{line}:{column}"),
    }
}

/// One line, cut where it is too long.
fn line(text: String) -> String {
    let mut text = text.replace('\n', " ");
    if text.len() > MAX_LINE_BYTES {
        text.truncate(text.floor_char_boundary(MAX_LINE_BYTES - 3));
        text.push('…');
    }
    text
}

/// Runs contracts of the log by the interpreter: for simulations and back-tests. Gives what compiled modules
/// give, without an engine for them.
#[derive(Debug, Default)]
pub struct Interpreter {
    kept: Mutex<BTreeMap<Cid, Arc<Contract>>>,
}

impl Interpreter {
    /// Reads a text as [`Contract::read`] does.
    ///
    /// # Errors
    /// One line: the place of the first fault, what is wrong, and what to do about it.
    pub fn examine(&self, text: &str, texts: &dyn Resolver) -> Result<Contract, String> {
        Contract::read(text, texts).map(|(contract, _)| contract)
    }

    /// What the contract `cid` of the log says to a question.
    ///
    /// # Errors
    /// The contract refuses, or comes to a fault.
    pub fn ask(
        &self,
        cid: &Cid,
        texts: &dyn Resolver,
        question: &PolicyQuestion,
    ) -> Result<PolicyAnswer, PolicyFailure> {
        let contract = self.contract(cid, texts)?;
        let program = contract.program();
        contract.ask(question, |entry, input| {
            interp::call(program, contract.entries()[entry].function, input).map_err(Ended::Stop)
        })
    }

    fn contract(&self, cid: &Cid, texts: &dyn Resolver) -> Result<Arc<Contract>, PolicyFailure> {
        let kept = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let known = kept().get(cid).cloned();
        if let Some(contract) = known {
            contract.check_texts(texts)?;
            return Ok(contract);
        }
        let contract = Arc::new(Contract::open(cid, texts)?.0);
        let mut kept = kept();
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        kept.insert(*cid, contract.clone());
        Ok(contract)
    }
}
