//! Runs compiled modules under wasmi, as a node does.
use icn_ccl::{
    Program, Stop, Type, Value,
    abi::{INPUT_EXPORT, MEMORY_EXPORT, OUTCOME_ADDRESS, OUTCOME_BYTES, decode_result, decode_stop},
    limits::MAX_INPUT_BYTES,
    value::encode,
};
use wasmi::{Engine, Instance, Linker, Memory, Module, Store, TypedFunc};

/// A module that is ready to be called.
pub(crate) struct Host {
    store: Store<()>,
    instance: Instance,
    memory: Memory,
    input: TypedFunc<i32, i32>,
}

impl Host {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let engine = Engine::default();
        let module = Module::new(&engine, bytes).expect("the module loads");
        assert_eq!(module.imports().len(), 0, "the host interface is empty");
        let mut store = Store::new(&engine, ());
        let instance = Linker::new(&engine)
            .instantiate_and_start(&mut store, &module)
            .expect("the module starts");
        let memory = instance
            .get_memory(&store, MEMORY_EXPORT)
            .expect("the memory is exported");
        let input = instance
            .get_typed_func(&store, INPUT_EXPORT)
            .expect("the input is exported");
        Self {
            store,
            instance,
            memory,
            input,
        }
    }

    /// Calls an export with bytes; gives the outcome, whether it is a result or how the call stopped.
    pub(crate) fn raw(&mut self, export: &str, input: &[u8]) -> Result<Vec<u8>, Stop> {
        let length = i32::try_from(input.len()).unwrap();
        let address = self.input.call(&mut self.store, length).unwrap();
        assert_ne!(address, 0, "the input fits");
        self.memory
            .write(&mut self.store, usize::try_from(address).unwrap(), input)
            .unwrap();
        let function: TypedFunc<i32, i32> = self.instance.get_typed_func(&self.store, export).unwrap();
        let ended = function.call(&mut self.store, length);
        let start = OUTCOME_ADDRESS as usize;
        let outcome = &self.memory.data(&self.store)[start..start + OUTCOME_BYTES as usize];
        match ended {
            Ok(length) => Ok(outcome[..usize::try_from(length).unwrap()].to_vec()),
            Err(error) => {
                Err(decode_stop(outcome).unwrap_or_else(|| panic!("a trap without an outcome: {error}")))
            }
        }
    }

    /// Calls the export of a function of `program` with a value.
    pub(crate) fn call(
        &mut self,
        program: &Program,
        export: &str,
        function: usize,
        input: &Value,
    ) -> Result<Value, Stop> {
        let called = &program.functions[function];
        let bytes = match called.locals.first().filter(|_| called.params == 1) {
            Some(ty) => encode(&program.types, ty, input, MAX_INPUT_BYTES).expect("the input is of its type"),
            None => Vec::new(),
        };
        self.result(program, &called.result, export, &bytes)
    }

    pub(crate) fn result(
        &mut self,
        program: &Program,
        ty: &Type,
        export: &str,
        input: &[u8],
    ) -> Result<Value, Stop> {
        let outcome = self.raw(export, input)?;
        Ok(decode_result(&program.types, ty, &outcome).expect("the result is of its type"))
    }
}
