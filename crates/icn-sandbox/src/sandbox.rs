//! The sandbox: an engine, a cache of compiled modules, and the one way to run something.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use sha2::{Digest, Sha256};
use wasmtime::{Engine, ExternType, Linker, Module, Store};

use crate::cache::{Cache, Lookup};
use crate::engine::{self, WASM_STACK_BYTES};
use crate::exit::{Exit, Invalid};
use crate::invocation::{Invocation, Outcome};
use crate::limiter::Limiter;
use crate::linker::{self, Context};
use crate::run::{self, NotPrepared, Patience, Prepared};
use crate::screen;
use crate::ticker::{CancelFlag, TICK, Ticker};
use crate::wasi::Wasi;

/// The name of everything that a result depends on besides module and invocation: the behaviour of
/// the calls and their price (`icn-wasip1`), the bounds on modules, the engine's features and its
/// metering. It changes whenever one of them does; a test with known results stands guard.
pub const ENGINE_PROFILE: &str = "icn-wasip1/2 wasmtime/48";

/// Bytes of stack for the host's own work on a run's thread: compiling and answering calls.
const HOST_STACK_BYTES: usize = 7 << 20;

/// What a sandbox may keep. Nothing here changes what a run gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SandboxConfig {
    /// Compiled modules kept at most; 0 keeps none.
    pub cache_modules: usize,
    /// Bytes of compiled code kept at most.
    pub cache_bytes: usize,
}

impl Default for SandboxConfig {
    /// 64 modules, 32 MiB.
    fn default() -> Self {
        Self {
            cache_modules: 64,
            cache_bytes: 32 << 20,
        }
    }
}

/// Why there is no sandbox.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The engine does not work on this machine.
    #[error("the WebAssembly engine cannot be set up on this machine")]
    Engine(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The system gives no thread.
    #[error("cannot start the sandbox's clock thread")]
    Thread(#[source] std::io::Error),
}

/// Runs modules. Clones share one engine and one cache; any number of threads may run at a time.
#[derive(Clone)]
pub struct Sandbox(Arc<Inner>);

struct Inner {
    engine: Engine,
    linker: Linker<Context>,
    cache: Cache<Prepared>,
    ticker: Ticker,
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sandbox").field(&ENGINE_PROFILE).finish()
    }
}

impl Sandbox {
    /// Sets up an engine.
    ///
    /// # Errors
    /// If the machine lacks what the engine or its clock thread needs.
    pub fn new(config: SandboxConfig) -> Result<Self, SandboxError> {
        let engine = engine::engine().map_err(|error| SandboxError::Engine(error.into()))?;
        let linker = linker::linker(&engine).map_err(|error| SandboxError::Engine(error.into()))?;
        let ticker = Ticker::start(engine.clone()).map_err(SandboxError::Thread)?;
        let cache = Cache::new(config.cache_modules, config.cache_bytes);
        Ok(Self(Arc::new(Inner {
            engine,
            linker,
            cache,
            ticker,
        })))
    }

    /// [`ENGINE_PROFILE`], for receipts.
    #[must_use]
    pub fn engine_profile(&self) -> &'static str {
        ENGINE_PROFILE
    }

    /// Runs the module, and returns when it has ended: after `limits.wall_ms` and the time to compile
    /// it at the latest. Blocks the calling thread; the program runs on a thread of its own, whose
    /// stack is the same whatever the caller's is.
    #[must_use]
    pub fn run(&self, module: &[u8], invocation: &Invocation, cancel: &CancelFlag) -> Outcome {
        let started = Instant::now();
        let patience = Patience::new(started, invocation.limits.wall_ms, cancel);
        let mut outcome = std::thread::scope(|scope| {
            let spawned = std::thread::Builder::new()
                .name("icn-job".to_owned())
                .stack_size(WASM_STACK_BYTES + HOST_STACK_BYTES)
                .spawn_scoped(scope, || self.0.run(module, invocation, patience));
            match spawned.map(std::thread::ScopedJoinHandle::join) {
                Ok(Ok(outcome)) => outcome,
                Ok(Err(panic)) => Outcome::not_run(Exit::HostFailure(panic_text(&*panic))),
                Err(error) => Outcome::not_run(Exit::HostFailure(format!("no thread for the run: {error}"))),
            }
        });
        outcome.wall_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        outcome
    }
}

impl Inner {
    fn run(&self, module: &[u8], invocation: &Invocation, patience: Patience) -> Outcome {
        let wasi = match Wasi::new(invocation) {
            Ok(wasi) => wasi,
            Err(invalid) => return Outcome::not_run(Exit::Invalid(invalid)),
        };
        match self.prepare(module, &patience) {
            Ok(prepared) => {
                let _running = self.ticker.running();
                run::execute(&prepared, wasi, &invocation.limits, patience)
            }
            Err(reason) => Outcome::not_run(reason.into()),
        }
    }

    /// The module from the cache, or else screened, compiled and put there.
    fn prepare(&self, module: &[u8], patience: &Patience) -> Result<Prepared, NotPrepared> {
        patience.check()?;
        let key = Sha256::digest(module).into();
        let prepared = match self.cache.lookup(key, TICK, || patience.check())? {
            Lookup::Made(prepared) => prepared,
            Lookup::Make(making) => {
                let screened = screen::screen(module)?;
                patience.check()?;
                let (prepared, bytes) = self.compile(module, screened.initial_memory_bytes)?;
                making.done(prepared.clone(), bytes);
                prepared
            }
        };
        patience.check()?;
        Ok(prepared)
    }

    fn compile(&self, module: &[u8], initial_memory_bytes: u64) -> Result<(Prepared, usize), NotPrepared> {
        let host = |error: wasmtime::Error| NotPrepared::Host(format!("cannot compile: {error:#}"));
        let module = Module::from_binary(&self.engine, module).map_err(host)?;
        self.check_import_types(&module)?;
        let image = module.image_range();
        let instance = self.linker.instantiate_pre(&module).map_err(host)?;
        let bytes = image.end.addr() - image.start.addr();
        Ok((
            Prepared {
                instance,
                initial_memory_bytes,
            },
            bytes,
        ))
    }

    /// Screening knows the imports' names; their types are compared with the real ones here.
    fn check_import_types(&self, module: &Module) -> Result<(), NotPrepared> {
        let wasi = Wasi::new(&Invocation::default())?;
        let mut store = Store::new(
            &self.engine,
            Context {
                wasi,
                limiter: Limiter::new(0),
            },
        );
        for import in module.imports() {
            let ours = self.linker.get(&mut store, import.module(), import.name());
            let matches = match (import.ty(), ours.ok().and_then(wasmtime::Extern::into_func)) {
                (ExternType::Func(theirs), Some(ours)) => ours.ty(&store).matches(&theirs),
                _ => false,
            };
            if !matches {
                return Err(Invalid::ImportType {
                    name: import.name().to_owned(),
                }
                .into());
            }
        }
        Ok(())
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("the sandbox panicked: {}", text.unwrap_or("no message"))
}
