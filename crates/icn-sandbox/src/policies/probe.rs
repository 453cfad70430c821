//! Whether this build of the engine keeps its native stack still.
//!
//! wasmi passes from one instruction to the next by a tail call where it is optimised. Rust does not promise
//! tail calls: built with other settings than a release's, each instruction can take stack, and a contract of
//! some thousand instructions ends the process. So a host tries before it runs contracts: it lets a module do
//! a few turns of what contracts do, and looks how far the stack has moved. The module is `probe.wat`.
use wasmi::{Engine, Error, Linker, Module, Store};

const PROBE: &[u8] = include_bytes!("probe.wasm");
/// Turns of the loop, of some fifty instructions each: too few to exhaust any stack.
const TURNS: i32 = 64;
/// Bytes by which the stack may have moved: far less than a frame for each instruction.
const DRIFT_BYTES: usize = 4 << 10;

/// Whether a call takes as much stack, however long it runs.
pub(super) fn is_still(engine: &Engine) -> bool {
    matches!(marks(engine).as_deref(), Ok([first, last]) if first.abs_diff(*last) <= DRIFT_BYTES)
}

fn marks(engine: &Engine) -> Result<Vec<usize>, Error> {
    let module = Module::new(engine, PROBE)?;
    let mut store = Store::new(engine, Vec::new());
    store.set_fuel(1_000_000)?;
    let mut linker = Linker::new(engine);
    linker.func_wrap("", "mark", |mut caller: wasmi::Caller<'_, Vec<usize>>| {
        let here = 0_u8;
        caller.data_mut().push(std::ptr::from_ref(&here).addr());
    })?;
    let instance = linker.instantiate_and_start(&mut store, &module)?;
    instance
        .get_typed_func::<i32, ()>(&store, "probe")?
        .call(&mut store, TURNS)?;
    Ok(store.into_data())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    #[test]
    fn the_module_is_that_of_the_text() {
        let module = wat::parse_str(include_str!("probe.wat")).unwrap();
        if std::env::var_os("UPDATE").is_some() {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/policies/probe.wasm");
            std::fs::write(path, &module).unwrap();
        } else {
            assert!(
                module == PROBE,
                "`UPDATE=1 cargo test -p icn-sandbox --lib probe` writes the module"
            );
        }
    }

    #[test]
    fn the_module_runs_to_its_end() {
        assert_eq!(marks(&super::super::engine()).unwrap().len(), 2);
    }
}
