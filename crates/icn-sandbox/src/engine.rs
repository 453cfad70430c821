//! The engine's settings. Whatever here can change what a run gives is part of the engine profile.

use wasmtime::{Config, Engine, ModuleVersionStrategy, OperatorCost, OptLevel, Strategy};

use crate::screen::FEATURES;

/// Bytes of native stack for a program's calls. The thread that runs it has more, for the host's.
pub(crate) const WASM_STACK_BYTES: usize = 1 << 20;

/// An engine that meters fuel, can be interrupted, and gives every NaN the same bits.
pub(crate) fn engine() -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(OptLevel::Speed)
        .cranelift_nan_canonicalization(true)
        .consume_fuel(true)
        .operator_cost(operator_cost())
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK_BYTES)
        .module_version(ModuleVersionStrategy::WasmtimeVersion)?
        // Nobody reads a stack trace of a stranger's module.
        .generate_address_map(false)
        .native_unwind_info(false);
    // Switched on and off one by one, so that a new default of the engine changes nothing.
    config.wasm_features(wasmparser::WasmFeatures::all().difference(FEATURES), false);
    config.wasm_features(FEATURES, true);
    Engine::new(&config)
}

/// One unit for most instructions and for each byte or element that a bulk instruction handles, as is
/// the engine's default. Growing costs what it makes the host do, also where it is refused.
fn operator_cost() -> OperatorCost {
    let mut cost = OperatorCost::new();
    cost.MemoryGrow = u8::MAX;
    cost.TableGrow = u8::MAX;
    cost.variable.memory_grow_per_page = u8::MAX;
    cost
}
