//! How large a module may be.

/// How large a module may be.
#[derive(Clone, Copy, Debug)]
pub struct ModuleBounds {
    /// Bytes of the whole module.
    pub bytes: u64,
    /// Bytes of the code section.
    pub code_bytes: u64,
    /// Bytes of one function's body.
    pub function_bytes: u64,
    /// Functions, and likewise globals and segments.
    pub entries: u64,
    /// Types, and likewise exports.
    pub types: u64,
    /// Imports.
    pub imports: u64,
    /// Linear memories.
    pub memories: u64,
    /// Tables.
    pub tables: u64,
    /// Parameters of one type.
    pub params: u64,
    /// Results of one type.
    pub results: u64,
    /// Parameters and locals of one function.
    pub locals: u64,
    /// Parameters and locals of all functions.
    pub locals_total: u64,
    /// Basic blocks that one function's control flow makes the compiler keep, about: see `weight`.
    pub branches: u64,
    /// The same in all functions.
    pub branches_total: u64,
    /// Sum over all functions of branches × (branches + 16 × locals), which the compiler's worst cases
    /// grow with.
    pub flow: u64,
}

/// The bounds of this engine profile: room for an interpreter compiled to WebAssembly. The compiler
/// takes seconds, not minutes, for the worst that fits: its time grows linearly with bytes, functions
/// and branches, and with the square of the branches in one function.
pub const MODULE_BOUNDS: ModuleBounds = ModuleBounds {
    bytes: 16 << 20,
    code_bytes: 8 << 20,
    function_bytes: 512 << 10,
    entries: 20_000,
    types: 5_000,
    imports: 256,
    memories: 4,
    tables: 16,
    params: 128,
    results: 16,
    locals: 4_096,
    locals_total: 1_000_000,
    branches: 15_000,
    branches_total: 500_000,
    flow: 500_000_000,
};

/// What each table element counts as, against the limit on memory.
pub(crate) const TABLE_ELEMENT_BYTES: u64 = 16;
