//! Runs the contracts of the log: the engine behind [`icn_state::Policies`] in nodes.
//!
//! The log holds texts. A contract is compiled here from its text by `icn-ccl` and run under wasmi, with
//! nothing to import, a bounded memory, and fuel. What it answers is `icn-ccl`'s to say ([`Contract`]): here is
//! only how its functions are called. A simulation runs the same contracts by the interpreter of `icn-ccl`,
//! and gets the same answers.
//!
//! What is kept between calls (compiled modules, an instance of each) never shows: each call begins anew.
mod instance;

use crate::cache::{Cache, Lookup};
use icn_ccl::{Contract, Resolver, contract::Ended};
use icn_model::{Cid, PolicyAnswer, PolicyFailure, PolicyQuestion};
use icn_state::{Examined, Policies, Texts};
use instance::Instance;
use sha2::{Digest, Sha256};
use std::{
    convert::Infallible,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use wasmi::{CompilationMode, Config, Engine, Module};

/// Contracts that are kept compiled: twice as many as there are slots, since a block may be looked at before
/// and after a replacement.
const KEPT_CONTRACTS: usize = 16;
/// Bytes of modules that are kept; wasmi's own form takes a few times as much.
const KEPT_BYTES: usize = 16 << 20;
/// Bytes of memory with which an instance is kept. One that needed more gives it back.
const KEPT_MEMORY_BYTES: usize = 2 << 20;
/// How long somebody waits at a time for a contract that somebody else compiles.
const PATIENCE: Duration = Duration::from_millis(50);

/// Calls on the stack. The language's own bound is 256 levels, helpers included far less than this.
const CALLS_MAX: usize = 1_000;
/// Bytes of the stack of values. A contract of sixteen full texts has fewer locals than would fill it.
const STACK_BYTES: usize = 16 << 20;

/// Runs contracts of the log under wasmi. Clones share what is kept; any number of threads may ask at a time.
#[derive(Clone)]
pub struct PolicyHost(Arc<Inner>);

struct Inner {
    engine: Engine,
    kept: Cache<Arc<Prepared>>,
}

/// A contract that is compiled, and an instance that nobody is using.
struct Prepared {
    contract: Contract,
    module: Module,
    idle: Mutex<Option<Instance>>,
}

impl fmt::Debug for PolicyHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolicyHost").finish_non_exhaustive()
    }
}

impl Default for PolicyHost {
    fn default() -> Self {
        Self::new()
    }
}

/// Texts of the state, as the compiler asks for them.
struct OfState<'a>(&'a dyn Texts);

impl Resolver for OfState<'_> {
    fn source(&self, cid: &Cid) -> Option<&str> {
        self.0.text(cid)
    }
}

/// An engine that meters fuel and knows what the modules of `icn-ccl` use, and no more. Modules are
/// translated before they are used: whether the engine takes one does not wait for a call.
fn engine() -> Engine {
    let mut config = Config::default();
    config
        .consume_fuel(true)
        .compilation_mode(CompilationMode::Eager)
        .ignore_custom_sections(true)
        .allow_start_fn(false)
        .set_max_recursion_depth(CALLS_MAX)
        .set_max_stack_height(STACK_BYTES)
        .floats(false)
        .wasm_custom_page_sizes(false)
        .wasm_extended_const(false)
        .wasm_multi_memory(false)
        .wasm_multi_value(false)
        .wasm_reference_types(false)
        .wasm_saturating_float_to_int(false)
        .wasm_sign_extension(false)
        .wasm_tail_call(false)
        .wasm_wide_arithmetic(false);
    Engine::new(&config)
}

impl PolicyHost {
    /// A host that has compiled nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Inner {
            engine: engine(),
            kept: Cache::new(KEPT_CONTRACTS, KEPT_BYTES),
        }))
    }
}

impl Policies for PolicyHost {
    fn examine(&self, source: &str, texts: &dyn Texts) -> Result<Examined, String> {
        let (contract, module) = Contract::read(source, &OfState(texts))?;
        let prepared = self.0.prepare(contract, &module)?;
        Ok(Examined {
            name: prepared.contract.name().to_owned(),
            slots: prepared.contract.slots(),
            imports: prepared.contract.imports(),
        })
    }

    fn ask(
        &self,
        contract: &Cid,
        texts: &dyn Texts,
        question: &PolicyQuestion,
    ) -> Result<PolicyAnswer, PolicyFailure> {
        let prepared = self.0.contract(contract, &OfState(texts))?;
        prepared.ask(&self.0.engine, question)
    }
}

impl Inner {
    fn contract(&self, cid: &Cid, texts: &dyn Resolver) -> Result<Arc<Prepared>, PolicyFailure> {
        let key = Sha256::digest(cid.to_string()).into();
        let found = self.kept.lookup(key, PATIENCE, || Ok::<_, Infallible>(()));
        match found {
            Ok(Lookup::Made(prepared)) => {
                prepared.contract.check_texts(texts)?;
                Ok(prepared)
            }
            Ok(Lookup::Make(making)) => {
                let (contract, module) = Contract::open(cid, texts)?;
                let prepared = self.prepare(contract, &module);
                let prepared = Arc::new(prepared.map_err(|detail| PolicyFailure::Fault { detail })?);
                making.done(prepared.clone(), module.len());
                Ok(prepared)
            }
            Err(never) => match never {},
        }
    }

    /// Translates a module and makes an instance of it. What `icn-ccl` compiles is always taken, but for
    /// functions that are too large for the engine.
    fn prepare(&self, contract: Contract, module: &[u8]) -> Result<Prepared, String> {
        let refused =
            |error: wasmi::Error| format!("the engine does not take the compiled contract: {error}");
        let module = Module::new(&self.engine, module).map_err(refused)?;
        let instance = Instance::new(&self.engine, &module, contract.entries()).map_err(refused)?;
        Ok(Prepared {
            contract,
            module,
            idle: Mutex::new(Some(instance)),
        })
    }
}

impl Prepared {
    fn ask(&self, engine: &Engine, question: &PolicyQuestion) -> Result<PolicyAnswer, PolicyFailure> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let entries = self.contract.entries();
        let instance = idle().take();
        let mut instance = match instance {
            Some(instance) => instance,
            None => Instance::new(engine, &self.module, entries).map_err(|_| PolicyFailure::Fault {
                detail: "the engine does not take the compiled contract".into(),
            })?,
        };
        let program = self.contract.program();
        let answer = self.contract.ask(question, |entry, input| {
            let function = program
                .functions
                .get(entries[entry].function)
                .ok_or(Ended::Engine("export"))?;
            instance.call(&program.types, function, entry, input)
        });
        if instance.memory_bytes() <= KEPT_MEMORY_BYTES {
            *idle() = Some(instance);
        }
        answer
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests;
