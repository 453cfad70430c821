//! The Cooperative Contract Language: rules that members of a federation write and its nodes carry out.
//! docs/reference/ccl.md is its reference.
//!
//! The way of a contract: [`check`] reads it (lexer, parser) and looks up its names and types; what comes out
//! is an [`ir::Program`], in which only the input can still make anything fail. [`interp::call`] runs that
//! directly, [`compile`] makes a WebAssembly module of it, and the two agree on every result, refusal and
//! fault. [`format()`], [`explain()`] and [`testing`] are for authors.
//!
//! What the state machine asks of contracts is [`interface`]; [`slots`] translates its questions and
//! [`contract`] answers them. How a host calls a module is [`abi`]; how values become bytes is [`value`].
//!
//! Pure: no clock, no randomness, no IO. Imported modules come from the caller's [`Resolver`], and what is
//! wrong with a contract is data ([`diagnostic`]) that the caller shows. Everything is bounded ([`limits`]).
//!
//! ```
//! use icn_ccl::{Build, NoModules, check, compile};
//!
//! let source = r#"contract "Half" version 1 language 1 scope federation;
//! policy vote_weight(input) { if input.roles.contains("elder") { 2 } else { 1 } }"#;
//! let program = check(source, &NoModules).program.expect("nothing is wrong with it");
//! let module = compile(&program, Build::Contract)?;
//! assert!(module.starts_with(b"\0asm"));
//! # Ok::<(), icn_ccl::CompileError>(())
//! ```
#![forbid(unsafe_code)]

pub mod abi;
pub mod ast;
pub mod builtins;
mod check;
mod codegen;
pub mod contract;
pub mod diagnostic;
mod explain;
mod fault;
mod format;
pub mod interface;
pub mod interp;
pub mod ir;
pub mod lexer;
pub mod limits;
mod metadata;
mod number;
mod parser;
pub mod slots;
mod source;
pub mod testing;
mod types;
pub mod value;
mod weight;

pub use check::{Checked, check};
pub use codegen::{Build, CompileError, compile};
pub use contract::{Contract, Interpreter};
pub use explain::explain;
pub use fault::{FaultCode, Stop};
pub use format::format;
pub use ir::Program;
pub use metadata::{Metadata, RoleData};
pub use number::{Ratio, Rounding};
pub use parser::parse;
pub use source::{Modules, NoModules, Resolver, Source, Sources, Span};
pub use types::{EnumDef, EnumId, RecordDef, RecordId, Type, Types, UnitDef, UnitId};
pub use value::Value;
