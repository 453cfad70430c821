//! Decides whether a module may be compiled, before it is: full validation against a fixed set of
//! WebAssembly features, and bounds that keep the compiler's time and memory in proportion.
//!
//! Compilation cannot be interrupted, so nothing that could make it run away gets to it. The bounds
//! are constants and part of the engine profile, because a module that one node refuses must be
//! refused by all.

use wasmparser::{
    BlockType, ExternalKind, FuncValidatorAllocations, FunctionBody, Operator, Parser, Payload, TypeRef,
    ValidPayload, Validator, WasmFeatures,
};

use crate::bounds::{MODULE_BOUNDS, TABLE_ELEMENT_BYTES};
use crate::exit::Invalid;
use crate::linker;

/// WebAssembly 2.0 without external references, and tail calls, extended constants and several
/// memories. Left out: what needs a garbage collector (references to host objects, exceptions),
/// threads, 64-bit memories, and relaxed SIMD, whose results differ between processors.
pub(crate) const FEATURES: WasmFeatures = WasmFeatures::MUTABLE_GLOBAL
    .union(WasmFeatures::FLOATS)
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::REFERENCE_TYPES)
    .union(WasmFeatures::SIMD)
    .union(WasmFeatures::TAIL_CALL)
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::MULTI_MEMORY);

/// What a local adds to the cost of each branch, in branches.
const LOCALS_WEIGHT: u64 = 16;

/// Bytes of a linear memory's page.
const PAGE_BYTES: u64 = 64 * 1024;

/// What is known of a module that may be compiled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Screened {
    /// Bytes of memories and tables that exist before the first instruction.
    pub(crate) initial_memory_bytes: u64,
}

/// Checks the module.
///
/// # Errors
/// What is wrong with it, or the first bound that it exceeds.
pub(crate) fn screen(module: &[u8]) -> Result<Screened, Invalid> {
    check("bytes", module.len() as u64, MODULE_BOUNDS.bytes)?;
    let mut screen = Screen {
        validator: Validator::new_with_features(FEATURES),
        ..Screen::default()
    };
    for payload in Parser::new(0).parse_all(module) {
        screen.payload(&payload.map_err(malformed)?)?;
    }
    Ok(screen.screened)
}

#[derive(Default)]
struct Screen {
    validator: Validator,
    allocations: FuncValidatorAllocations,
    screened: Screened,
    start: Option<u32>,
    /// Parameters and results of each type, counted together.
    arities: Vec<u64>,
    locals_total: u64,
    branches_total: u64,
    flow: u64,
}

impl Screen {
    fn payload(&mut self, payload: &Payload<'_>) -> Result<(), Invalid> {
        check_entries(payload)?;
        let validated = self.validator.payload(payload).map_err(malformed)?;
        self.section(payload)?;
        match validated {
            ValidPayload::Func(function, body) => {
                check(
                    "bytes in one function",
                    body.range().len() as u64,
                    MODULE_BOUNDS.function_bytes,
                )?;
                let allocations = std::mem::take(&mut self.allocations);
                let mut validator = function.into_validator(allocations);
                validator.validate(&body).map_err(malformed)?;
                let locals = u64::from(validator.len_locals());
                self.allocations = validator.into_allocations();
                self.check_flow(&body, locals)
            }
            ValidPayload::End(types) => {
                let start = self.start.ok_or(Invalid::NoStart)?;
                let id = types.as_ref().core_function_at(start);
                let start = types[id].unwrap_func();
                let is_command = start.params().is_empty() && start.results().is_empty();
                if is_command { Ok(()) } else { Err(Invalid::NoStart) }
            }
            ValidPayload::Ok | ValidPayload::Parser(_) => Ok(()),
        }
    }

    /// Checks and notes what validation leaves to us.
    fn section(&mut self, payload: &Payload<'_>) -> Result<(), Invalid> {
        match payload {
            Payload::TypeSection(types) => {
                for function in types.clone().into_iter_err_on_gc_types() {
                    let function = function.map_err(malformed)?;
                    let (params, results) = (function.params().len() as u64, function.results().len() as u64);
                    check("parameters of one type", params, MODULE_BOUNDS.params)?;
                    check("results of one type", results, MODULE_BOUNDS.results)?;
                    self.arities.push(params + results);
                }
            }
            Payload::ImportSection(imports) => {
                for import in imports.clone().into_imports() {
                    let import = import.map_err(malformed)?;
                    let known = import.module == linker::MODULE && linker::FUNCTIONS.contains(&import.name);
                    if !known || !matches!(import.ty, TypeRef::Func(_)) {
                        let (module, name) = (import.module.to_owned(), import.name.to_owned());
                        return Err(Invalid::UnknownImport { module, name });
                    }
                }
            }
            Payload::MemorySection(memories) => {
                for memory in memories.clone() {
                    let pages = memory.map_err(malformed)?.initial;
                    self.add_initial(pages.saturating_mul(PAGE_BYTES));
                }
            }
            Payload::TableSection(tables) => {
                for table in tables.clone() {
                    let elements = table.map_err(malformed)?.ty.initial;
                    self.add_initial(elements.saturating_mul(TABLE_ELEMENT_BYTES));
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports.clone() {
                    let export = export.map_err(malformed)?;
                    if export.name == "_start" && export.kind == ExternalKind::Func {
                        self.start = Some(export.index);
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn add_initial(&mut self, bytes: u64) {
        let sum = &mut self.screened.initial_memory_bytes;
        *sum = sum.saturating_add(bytes);
    }

    /// Bounds what a function of `locals` parameters and locals costs to compile.
    fn check_flow(&mut self, body: &FunctionBody<'_>, locals: u64) -> Result<(), Invalid> {
        let mut branches = 1;
        for operator in body.get_operators_reader().map_err(malformed)? {
            branches += self.weight(&operator.map_err(malformed)?);
        }
        self.locals_total += locals;
        self.branches_total += branches;
        self.flow = self
            .flow
            .saturating_add(branches.saturating_mul(branches + LOCALS_WEIGHT * locals));
        check("locals in one function", locals, MODULE_BOUNDS.locals)?;
        check(
            "locals in all functions",
            self.locals_total,
            MODULE_BOUNDS.locals_total,
        )?;
        check("branches in one function", branches, MODULE_BOUNDS.branches)?;
        check(
            "branches in all functions",
            self.branches_total,
            MODULE_BOUNDS.branches_total,
        )?;
        check(
            "branches times branches and locals",
            self.flow,
            MODULE_BOUNDS.flow,
        )
    }

    /// What an instruction adds to its function's control flow, relative to a conditional branch.
    fn weight(&self, operator: &Operator<'_>) -> u64 {
        match operator {
            Operator::Block { blockty } | Operator::If { blockty } => self.block_weight(*blockty),
            // A loop checks fuel and time.
            Operator::Loop { blockty } => 1 + self.block_weight(*blockty),
            Operator::Else | Operator::Br { .. } | Operator::BrIf { .. } | Operator::Return => 1,
            Operator::BrTable { targets } => u64::from(targets.len()),
            // The called function's type is checked, and it may have to be looked up.
            Operator::CallIndirect { .. }
            | Operator::ReturnCallIndirect { .. }
            | Operator::TableGet { .. } => 2,
            // These become calls of the host with checks of fuel and time around them.
            Operator::MemoryGrow { .. }
            | Operator::MemoryFill { .. }
            | Operator::MemoryCopy { .. }
            | Operator::MemoryInit { .. } => 4,
            // And these become loops, with such checks in them and an element looked up in each turn.
            Operator::TableGrow { .. }
            | Operator::TableFill { .. }
            | Operator::TableCopy { .. }
            | Operator::TableInit { .. } => 12,
            _ => 0,
        }
    }

    /// Values that a block takes and gives are the most expensive thing to compile of all.
    fn block_weight(&self, block: BlockType) -> u64 {
        let BlockType::FuncType(index) = block else {
            return 1;
        };
        1 + 16 * self.arities.get(index as usize).copied().unwrap_or_default()
    }
}

/// Checks the number of entries that a section claims to have, before anything is read or kept.
fn check_entries(payload: &Payload<'_>) -> Result<(), Invalid> {
    let bounds = &MODULE_BOUNDS;
    let (what, count, limit) = match payload {
        Payload::TypeSection(section) => ("types", section.count(), bounds.types),
        Payload::ImportSection(section) => ("imports", section.count(), bounds.imports),
        Payload::FunctionSection(section) => ("functions", section.count(), bounds.entries),
        Payload::TableSection(section) => ("tables", section.count(), bounds.tables),
        Payload::MemorySection(section) => ("memories", section.count(), bounds.memories),
        Payload::GlobalSection(section) => ("globals", section.count(), bounds.entries),
        Payload::ExportSection(section) => ("exports", section.count(), bounds.types),
        Payload::ElementSection(section) => ("element segments", section.count(), bounds.entries),
        Payload::DataSection(section) => ("data segments", section.count(), bounds.entries),
        Payload::CodeSectionStart { size, .. } => ("bytes of code", *size, bounds.code_bytes),
        _ => return Ok(()),
    };
    check(what, u64::from(count), limit)
}

fn check(what: &'static str, count: u64, limit: u64) -> Result<(), Invalid> {
    if count > limit {
        Err(Invalid::TooMuch { what, count, limit })
    } else {
        Ok(())
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn malformed(error: wasmparser::Error) -> Invalid {
    Invalid::Malformed(error.to_string())
}
