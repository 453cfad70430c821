//! One instance of a compiled contract, and how its functions are called (`icn_ccl::abi`).
use icn_ccl::{
    FaultCode, Span, Stop, Types, Value,
    abi::{INPUT_EXPORT, MEMORY_EXPORT, OUTCOME_ADDRESS, OUTCOME_BYTES, decode_result, decode_stop},
    contract::{Ended, Entry},
    ir::Function,
    limits::MAX_INPUT_BYTES,
    value::encode,
};
use std::alloc::{Layout, handle_alloc_error};
use wasmi::{
    Engine, Error, Linker, Memory, Module, Store, StoreLimits, StoreLimitsBuilder, TrapCode, TypedFunc,
    errors::{ErrorKind, InstantiationError},
};

/// Fuel of one call. The language's own bounds on work and memory come first, so that engines end calls alike:
/// the most that any contract is known to burn is a tenth of this (`the_slowest_contracts_end_by_the_language`).
pub(super) const FUEL: u64 = 1_000_000_000;
/// Bytes of memory of an instance: what a module asks for at the most, its constants, input, outcome and heap.
const MEMORY_BYTES: usize = 10 << 20;

/// Keeps a module within what its compiler gave it. Growing beyond the module's own maximum is refused before
/// anybody looks here, as the module expects; what fails here is the machine.
fn limits() -> StoreLimits {
    let limits = StoreLimitsBuilder::new().memory_size(MEMORY_BYTES).memories(1);
    limits.tables(0).instances(1).trap_on_grow_failure(true).build()
}

/// A machine without memory ends as at any other allocation that fails: the contract would see a fault that
/// no other node sees.
fn out_of_memory() -> ! {
    handle_alloc_error(Layout::new::<[u8; MEMORY_BYTES]>())
}

fn is_memory(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Memory(_) | ErrorKind::Instantiation(InstantiationError::FailedToInstantiateMemory(_))
    )
}

/// A module that is ready to be called. Each call begins anew; memory that it took stays.
pub(super) struct Instance {
    store: Store<StoreLimits>,
    memory: Memory,
    input: TypedFunc<i32, i32>,
    functions: Vec<TypedFunc<i32, i32>>,
}

impl Instance {
    pub(super) fn new(engine: &Engine, module: &Module, entries: &[Entry]) -> Result<Self, Error> {
        let mut store = Store::new(engine, limits());
        store.limiter(|limits| limits);
        store.set_fuel(FUEL)?;
        // Nothing can be imported: a module that wants something does not start.
        let linker: Linker<StoreLimits> = Linker::new(engine);
        let instance = linker
            .instantiate_and_start(&mut store, module)
            .map_err(|error| if is_memory(&error) { out_of_memory() } else { error })?;
        let memory = instance
            .get_memory(&store, MEMORY_EXPORT)
            .ok_or_else(|| Error::new("it exports no memory"))?;
        let functions = entries
            .iter()
            .map(|entry| instance.get_typed_func(&store, &entry.export));
        Ok(Self {
            input: instance.get_typed_func(&store, INPUT_EXPORT)?,
            functions: functions.collect::<Result<_, _>>()?,
            memory,
            store,
        })
    }

    /// Bytes that it holds.
    pub(super) fn memory_bytes(&self) -> usize {
        self.memory.data_size(&self.store)
    }

    /// Calls the entry at `entry`, which is `function` of the program, with its one input.
    pub(super) fn call(
        &mut self,
        types: &Types,
        function: &Function,
        entry: usize,
        input: &Value,
    ) -> Result<Value, Ended> {
        let unfit = || Stop::Fault {
            code: FaultCode::Input,
            span: Span::default(),
        };
        let ty = function.locals.first().ok_or_else(unfit)?;
        let bytes = encode(types, ty, input, MAX_INPUT_BYTES).map_err(|_| unfit())?;
        let export = self.functions.get(entry).ok_or(Ended::Engine("export"))?;
        self.store.set_fuel(FUEL).map_err(|_| Ended::Engine("fuel"))?;
        let length = i32::try_from(bytes.len()).map_err(|_| unfit())?;
        let address = self.input.call(&mut self.store, length).map_err(|_| unfit())?;
        let address = usize::try_from(address).map_err(|_| unfit())?;
        let written = self.memory.write(&mut self.store, address, &bytes);
        written.map_err(|_| Ended::Engine("memory"))?;
        let ended = export.call(&mut self.store, length);
        let start = OUTCOME_ADDRESS as usize;
        let data = self.memory.data(&self.store);
        let outcome = data
            .get(start..start + OUTCOME_BYTES as usize)
            .unwrap_or_default();
        match ended {
            Ok(length) => {
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                let result = outcome.get(..length).unwrap_or_default();
                decode_result(types, &function.result, result).map_err(|_| Ended::Engine("outcome"))
            }
            Err(error) => Err(why(&error, outcome)),
        }
    }

    /// What the last call burned.
    #[cfg(test)]
    pub(super) fn burned(&self) -> u64 {
        FUEL - self.store.get_fuel().expect("fuel is metered")
    }
}

/// How a call ended that trapped: as the module wrote before, or as the engine decided.
fn why(error: &Error, outcome: &[u8]) -> Ended {
    match error.as_trap_code() {
        Some(TrapCode::UnreachableCodeReached) => {
            decode_stop(outcome).map_or(Ended::Engine("trap"), Ended::Stop)
        }
        Some(TrapCode::OutOfSystemMemory | TrapCode::GrowthOperationLimited) => out_of_memory(),
        Some(TrapCode::OutOfFuel) => Ended::Engine("fuel"),
        Some(TrapCode::StackOverflow) => Ended::Engine("stack"),
        _ => Ended::Engine("trap"),
    }
}
