//! One run: from a prepared module and a world to an outcome.

use std::time::{Duration, Instant};

use wasmtime::{InstancePre, Store, UpdateDeadline};

use crate::exit::{Exit, Invalid, Trap};
use crate::invocation::{Limits, Outcome};
use crate::limiter::Limiter;
use crate::linker::{Context, Stopped};
use crate::ticker::CancelFlag;
use crate::wasi::{Stop, Wasi};

/// A module that is compiled and connected, ready to run any number of times.
#[derive(Clone)]
pub(crate) struct Prepared {
    pub(crate) instance: InstancePre<Context>,
    pub(crate) initial_memory_bytes: u64,
}

/// Until when a run may go on.
#[derive(Clone, Debug)]
pub(crate) struct Patience {
    /// None if the limit is further away than time reaches.
    deadline: Option<Instant>,
    cancel: CancelFlag,
}

/// Why a run was interrupted from outside.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(crate) enum Interruption {
    #[error("the time limit passed")]
    WallClock,
    #[error("the run was cancelled")]
    Cancelled,
}

impl From<Interruption> for Exit {
    fn from(interruption: Interruption) -> Self {
        match interruption {
            Interruption::WallClock => Self::WallClock,
            Interruption::Cancelled => Self::Cancelled,
        }
    }
}

impl Patience {
    pub(crate) fn new(started: Instant, wall_ms: u64, cancel: &CancelFlag) -> Self {
        let deadline = started.checked_add(Duration::from_millis(wall_ms));
        Self {
            deadline,
            cancel: cancel.clone(),
        }
    }

    /// Whether the run has to stop, and why.
    pub(crate) fn check(&self) -> Result<(), Interruption> {
        if self.cancel.is_cancelled() {
            return Err(Interruption::Cancelled);
        }
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline => Err(Interruption::WallClock),
            _ => Ok(()),
        }
    }
}

/// Runs the module in its world. The caller keeps the engine's epoch going.
pub(crate) fn execute(prepared: &Prepared, wasi: Wasi, limits: &Limits, patience: Patience) -> Outcome {
    if prepared.initial_memory_bytes > limits.memory_bytes {
        return Outcome::not_run(Exit::MemoryLimit);
    }
    let context = Context {
        wasi,
        limiter: Limiter::new(limits.memory_bytes),
    };
    let mut store = Store::new(prepared.instance.module().engine(), context);
    store.limiter(|context| &mut context.limiter);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |_| match patience.check() {
        Ok(()) => Ok(UpdateDeadline::Continue(1)),
        Err(interruption) => Err(interruption.into()),
    });
    let exit = match start(prepared, &mut store, limits.fuel) {
        Ok(()) => Exit::Code(0),
        Err(error) => exit_of(&error),
    };
    let fuel_left = store.get_fuel().unwrap_or_default();
    let Context { wasi, limiter } = store.into_data();
    let written = wasi.finish();
    Outcome {
        exit,
        stdout: written.stdout,
        stderr: written.stderr,
        files: written.files,
        fuel_used: limits.fuel.saturating_sub(fuel_left),
        peak_memory_bytes: limiter.peak_bytes,
        wall_ms: 0,
        memory_growth_denied: limiter.memory_denied,
        table_growth_denied: limiter.table_denied,
    }
}

fn start(prepared: &Prepared, store: &mut Store<Context>, fuel: u64) -> wasmtime::Result<()> {
    store.set_fuel(fuel)?;
    // Runs the module's start section, if it has one, under the same limits.
    let instance = prepared.instance.instantiate(&mut *store)?;
    instance
        .get_typed_func::<(), ()>(&mut *store, "_start")?
        .call(&mut *store, ())
}

fn exit_of(error: &wasmtime::Error) -> Exit {
    if let Some(Stopped(stop)) = error.downcast_ref::<Stopped>() {
        return match stop {
            Stop::Exit(code) => Exit::Code(*code),
            Stop::OutOfFuel => Exit::OutOfFuel,
            Stop::OutputLimit => Exit::OutputLimit,
            Stop::HostMemory => Exit::HostFailure("no memory left for what the program writes".to_owned()),
        };
    }
    if let Some(interruption) = error.downcast_ref::<Interruption>() {
        return (*interruption).into();
    }
    if let Some(trap) = error.downcast_ref::<wasmtime::Trap>() {
        return exit_of_trap(*trap);
    }
    Exit::HostFailure(format!("{error:#}"))
}

fn exit_of_trap(trap: wasmtime::Trap) -> Exit {
    let trap = match trap {
        wasmtime::Trap::OutOfFuel => return Exit::OutOfFuel,
        wasmtime::Trap::StackOverflow => return Exit::StackOverflow,
        wasmtime::Trap::UnreachableCodeReached => Trap::Unreachable,
        wasmtime::Trap::MemoryOutOfBounds => Trap::MemoryOutOfBounds,
        wasmtime::Trap::TableOutOfBounds => Trap::TableOutOfBounds,
        wasmtime::Trap::IndirectCallToNull => Trap::IndirectCallToNull,
        wasmtime::Trap::BadSignature => Trap::BadSignature,
        wasmtime::Trap::IntegerOverflow => Trap::IntegerOverflow,
        wasmtime::Trap::IntegerDivisionByZero => Trap::IntegerDivisionByZero,
        wasmtime::Trap::BadConversionToInteger => Trap::BadConversionToInteger,
        // Traps of features that are switched off.
        other => return Exit::HostFailure(format!("unexpected {other}")),
    };
    Exit::Trapped(trap)
}

/// Why there is no [`Prepared`] module.
#[derive(Debug)]
pub(crate) enum NotPrepared {
    Invalid(Invalid),
    Interrupted(Interruption),
    Host(String),
}

impl From<Invalid> for NotPrepared {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}

impl From<Interruption> for NotPrepared {
    fn from(interruption: Interruption) -> Self {
        Self::Interrupted(interruption)
    }
}

impl From<NotPrepared> for Exit {
    fn from(reason: NotPrepared) -> Self {
        match reason {
            NotPrepared::Invalid(invalid) => Self::Invalid(invalid),
            NotPrepared::Interrupted(interruption) => interruption.into(),
            NotPrepared::Host(reason) => Self::HostFailure(reason),
        }
    }
}
