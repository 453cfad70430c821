//! From a checked program to a WebAssembly module: no imports, no floats, no tables, no start function, a
//! bounded memory. What comes out has been validated.
//!
//! Every value is one `i64`: a scalar itself, anything else the address of what [`builder`] describes. All
//! memory of a call is taken from the end of a heap that begins anew with each call.
mod arithmetic;
mod builder;
mod collections;
mod emit;
mod formats;
mod key;
mod low;
mod memory;
mod operations;
mod operators;
mod outer;
mod texts;
mod translate;
mod wire;

use crate::{
    Metadata,
    abi::{
        FUNCTION_PREFIX, INPUT_EXPORT, MEMORY_EXPORT, METADATA_SECTION, ROLE_PREFIX, STATIC_ADDRESS,
        TEST_PREFIX,
    },
    ir::Program,
    limits::{MAX_HEAP_BYTES, MAX_MODULE_BYTES, MAX_STATIC_BYTES},
};
use builder::Builder;
use emit::emit;
use key::Key;
use low::{Calling, Code};
use wasm_encoder::{
    CodeSection, ConstExpr, CustomSection, DataSection, ExportKind, ExportSection, FunctionSection,
    GlobalSection, GlobalType, MemorySection, MemoryType, Module, TypeSection, ValType,
};

const PAGE_BYTES: i64 = 64 * 1024;

/// What a module is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Build {
    /// Policies and role requirements.
    #[default]
    Contract,
    /// The tests, too.
    WithTests,
    /// Also each function with at most one parameter, for those who compare it with the interpreter.
    WithFunctions,
}

/// Why a checked program has no module.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// The constants are too large.
    #[error(
        "the constants and texts of the contract take {0} bytes; at most {MAX_STATIC_BYTES} are allowed: shorten them"
    )]
    Statics(usize),
    /// The module is too large.
    #[error(
        "the compiled contract has {0} bytes; at most {MAX_MODULE_BYTES} are allowed: split the contract"
    )]
    Module(usize),
    /// What the module says of itself is too large.
    #[error("the names, roles and processes of the contract are too long or too many: shorten them")]
    Metadata,
    /// A fault of this compiler.
    #[error("the compiler wrote a module that is not valid, which is a fault of the compiler: {0}")]
    Invalid(String),
}

/// The module of `program`.
///
/// # Errors
/// Constants or code that are too large.
pub fn compile(program: &Program, build: Build) -> Result<Vec<u8>, CompileError> {
    let mut builder = Builder::new(program);
    let mut exports = vec![(INPUT_EXPORT.to_owned(), builder.index(Key::Input))];
    for policy in &program.policies {
        exports.push((
            policy.slot.name.to_owned(),
            builder.index(Key::Outer(policy.function)),
        ));
    }
    for role in &program.roles {
        if let Some(function) = role.requires {
            exports.push((
                format!("{ROLE_PREFIX}{}", role.name),
                builder.index(Key::Outer(function)),
            ));
        }
    }
    if build != Build::Contract {
        for (number, test) in program.tests.iter().enumerate() {
            exports.push((
                format!("{TEST_PREFIX}{number}"),
                builder.index(Key::Outer(test.function)),
            ));
        }
    }
    if build == Build::WithFunctions {
        let all = program.functions.iter().enumerate();
        for (id, _) in all.filter(|(_, function)| function.params <= 1) {
            exports.push((format!("{FUNCTION_PREFIX}{id}"), builder.index(Key::Outer(id))));
        }
    }
    while let Some((index, key)) = builder.next() {
        let code = code(&mut builder, key);
        builder.put(index, code);
    }
    if let Some(why) = builder.broken() {
        return Err(CompileError::Invalid(why.to_owned()));
    }
    let bytes = link(program, &builder, &exports)?;
    if bytes.len() > MAX_MODULE_BYTES {
        return Err(CompileError::Module(bytes.len()));
    }
    validate(&bytes)?;
    Ok(bytes)
}

/// Makes a function; what it calls is made after it.
fn code(builder: &mut Builder<'_>, key: Key) -> Code {
    match key {
        Key::Input => outer::input(),
        Key::Outer(id) => outer::call(builder, id),
        Key::User(id) => translate::function(builder, id),
        Key::Decode(ty) => wire::decode(builder, &ty),
        Key::Encode(ty) => wire::encode(builder, &ty),
        Key::Equal(ty) => operations::equal(builder, &ty),
        Key::Contains(ty) => operations::contains(builder, &ty),
        Key::Format(ty) => formats::format(builder, &ty),
        Key::Memory(helper) => memory::code(builder, helper),
        Key::Arithmetic(helper) => arithmetic::code(builder, helper),
        Key::Texts(helper) => texts::code(builder, helper),
        Key::Collections(helper) => collections::code(builder, helper),
    }
}

/// What the modules may use beyond the first version of WebAssembly.
fn validate(bytes: &[u8]) -> Result<(), CompileError> {
    use wasmparser::WasmFeatures;
    let features = WasmFeatures::WASM1.difference(WasmFeatures::FLOATS) | WasmFeatures::BULK_MEMORY;
    wasmparser::Validator::new_with_features(features)
        .validate_all(bytes)
        .map(|_| ())
        .map_err(|error| CompileError::Invalid(error.to_string()))
}

fn link(
    program: &Program,
    builder: &Builder<'_>,
    exports: &[(String, u32)],
) -> Result<Vec<u8>, CompileError> {
    let statics = builder.statics();
    if statics.len() > MAX_STATIC_BYTES {
        return Err(CompileError::Statics(statics.len()));
    }
    let heap = i64::from(STATIC_ADDRESS) + i64::try_from(statics.len()).unwrap_or(i64::MAX);
    let codes = builder.codes();

    // Types: the one that is called from outside, then those within by the number of parameters.
    let mut types = TypeSection::new();
    types.ty().function([ValType::I32], [ValType::I32]);
    let most = codes.iter().map(|code| code.params).max().unwrap_or(0);
    for params in 0..=most {
        types
            .ty()
            .function((0..params).map(|_| ValType::I64), [ValType::I64]);
    }
    let mut functions = FunctionSection::new();
    let mut bodies = CodeSection::new();
    for code in &codes {
        functions.function(if code.calling == Calling::Outer {
            0
        } else {
            code.params + 1
        });
        bodies.function(&emit(code));
    }
    let pages = |bytes: i64| u64::try_from(bytes / PAGE_BYTES + 1).expect("addresses are positive");
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: pages(heap + PAGE_BYTES),
        maximum: Some(pages(heap + MAX_HEAP_BYTES)),
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    let mut globals = GlobalSection::new();
    // In the order of the constants in `memory`.
    for (value, mutable) in [(heap, true), (0, true), (0, true), (0, true), (heap, false)] {
        let ty = GlobalType {
            val_type: ValType::I64,
            mutable,
            shared: false,
        };
        globals.global(ty, &ConstExpr::i64_const(value));
    }
    let mut exported = ExportSection::new();
    exported.export(MEMORY_EXPORT, ExportKind::Memory, 0);
    for (name, index) in exports {
        exported.export(name, ExportKind::Func, *index);
    }
    let mut data = DataSection::new();
    let address = i32::try_from(STATIC_ADDRESS).expect("the address is small");
    data.active(0, &ConstExpr::i32_const(address), statics.iter().copied());
    let metadata = Metadata::of(program)
        .to_bytes()
        .map_err(|_| CompileError::Metadata)?;

    let mut module = Module::new();
    module
        .section(&types)
        .section(&functions)
        .section(&memories)
        .section(&globals)
        .section(&exported);
    module.section(&bodies).section(&data).section(&CustomSection {
        name: METADATA_SECTION.into(),
        data: metadata.into(),
    });
    Ok(module.finish())
}
