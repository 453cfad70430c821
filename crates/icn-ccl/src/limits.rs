//! Every bound of the language, in one place. docs/reference/ccl.md shows them; a test compares the two.
//!
//! The interpreter and the compiled module count work and memory by the same rules, so that a call ends in
//! the same way in both.

/// Version of the language that this crate understands, as `language 1` in a contract's header.
pub const LANGUAGE_VERSION: u32 = 1;

/// Bytes of one source file.
pub const MAX_SOURCE_BYTES: usize = 256 * 1024;
/// Levels of nesting of brackets, blocks, operators and types in a source file.
pub const MAX_NESTING: usize = 64;
/// Levels of evaluation: nesting of expressions along the longest chain of calls.
pub const MAX_DEPTH: usize = 256;
/// Levels of types within types, records and enums included.
pub const MAX_TYPE_DEPTH: usize = 16;
/// Source files of a contract, itself included.
pub const MAX_MODULES: usize = 16;
/// Declarations of one kind (functions, types, constants, tests) over all source files of a contract.
pub const MAX_DECLARATIONS: usize = 1_000;
/// Parameters of a function, fields of a record, variants of an enum, values of a variant.
pub const MAX_MEMBERS: usize = 64;
/// Local names of one function.
pub const MAX_LOCALS: usize = 1_000;
/// Bytes of a name.
pub const MAX_NAME_BYTES: usize = 64;
/// Diagnostics that one check reports; more are counted only.
pub const MAX_DIAGNOSTICS: usize = 50;

/// Bytes of a `Text` value.
pub const MAX_TEXT_BYTES: usize = 4_096;
/// Elements of a `List`, entries of a `Map`.
pub const MAX_ELEMENTS: usize = 1_000;
/// Numbers of a `range`.
pub const MAX_RANGE: i64 = 10_000;
/// Units of work of one call: a turn of a loop, a call of a function and each element that a built-in looks
/// at cost one; a turn and a call one more for each [`OPERATIONS_PER_UNIT`] of their body.
pub const MAX_WORK: i64 = 100_000;
/// Operations that a body has for each unit of work that a pass through it costs.
pub const OPERATIONS_PER_UNIT: usize = 16;
/// Operations for which one counts that has to reduce a Ratio, or to compare two.
pub const RATIO_OPERATIONS: usize = 128;
/// Units of work of each Ratio that a built-in adds to a sum.
pub const RATIO_UNITS: usize = RATIO_OPERATIONS / OPERATIONS_PER_UNIT;
/// Operations for which one counts that writes a value into a text.
pub const TEXT_OPERATIONS: usize = 32;
/// Bytes that the values of one call may take, its input included and none given back.
pub const MAX_HEAP_BYTES: i64 = 8 * 1024 * 1024;
/// Roles with a rule in a contract of the log that decides about votes: all are asked for each vote.
pub const MAX_ASKED_ROLES: usize = 8;
/// Bytes of the name of a contract of the log.
pub const MAX_TITLE_BYTES: usize = 64;
/// Bytes of an encoded input.
pub const MAX_INPUT_BYTES: usize = 64 * 1024;
/// Bytes of an encoded result.
pub const MAX_RESULT_BYTES: usize = 64 * 1024;
/// Units of work of computing one constant.
pub const MAX_CONSTANT_WORK: i64 = 1_000;
/// Bytes that the values of computing one constant may take.
pub const MAX_CONSTANT_BYTES: i64 = 16 * 1024;
/// Bytes that the constants and texts of a compiled contract take in its memory.
pub const MAX_STATIC_BYTES: usize = 256 * 1024;
/// Bytes of a compiled contract.
pub const MAX_MODULE_BYTES: usize = 1024 * 1024;
