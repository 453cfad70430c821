//! The Cooperative Contract Language: rules that members of a federation write and its nodes carry out.
#![forbid(unsafe_code)]

pub mod abi;
pub mod ast;
pub mod builtins;
mod check;
mod codegen;
pub mod diagnostic;
mod explain;
mod fault;
mod format;
pub mod interface;
pub mod interp;
pub mod ir;
pub mod lexer;
pub mod limits;
mod number;
mod parser;
mod source;
pub mod testing;
mod types;
pub mod value;

pub use check::{Checked, check};
pub use codegen::{Build, CompileError, compile};
pub use explain::explain;
pub use fault::{FaultCode, Stop};
pub use format::format;
pub use ir::Program;
pub use number::{Ratio, Rounding};
pub use source::{Modules, NoModules, Resolver, Source, Sources, Span};
pub use types::{EnumDef, EnumId, RecordDef, RecordId, Type, Types, UnitDef, UnitId};
pub use value::Value;
