//! A checked program: names are numbers, every expression has its type, nothing can be wrong any more but
//! what depends on the input. The interpreter runs it and the code generator translates it.
use crate::{
    fault::FaultCode,
    interface::{ProposalKind, Slot},
    number::{Ratio, Rounding},
    source::{Sources, Span},
    types::{Type, Types},
    value::Value,
};

/// Number of a function in [`Program`].
pub type FunctionId = usize;
/// Number of a local value in a [`Function`].
pub type LocalId = usize;

/// A checked contract.
#[derive(Clone, Debug)]
pub struct Program {
    /// What it is called.
    pub name: String,
    /// Its own version.
    pub version: u32,
    /// For whom it holds.
    pub scope: &'static str,
    /// Its source files.
    pub sources: Sources,
    /// Its units, records and enums, the interface's first.
    pub types: Types,
    /// Its functions, those behind policies, roles and tests included.
    pub functions: Vec<Function>,
    /// Its rules for slots.
    pub policies: Vec<Policy>,
    /// Its roles.
    pub roles: Vec<Role>,
    /// Its processes.
    pub processes: Vec<Process>,
    /// Its tests.
    pub tests: Vec<Test>,
}

/// The rule for a slot.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Which slot.
    pub slot: &'static Slot,
    /// The rule.
    pub function: FunctionId,
}

/// What somebody can be in a cooperative.
#[derive(Clone, Debug)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// What it may do; from [`interface::PERMISSIONS`](crate::interface::PERMISSIONS).
    pub may: Vec<&'static str>,
    /// Who can have it.
    pub requires: Option<FunctionId>,
}

/// What share of the votes a proposal needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threshold {
    /// A larger share than this.
    MoreThan(Ratio),
    /// This share or a larger one.
    AtLeast(Ratio),
}

/// How proposals of a kind are decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its name.
    pub name: String,
    /// Which proposals.
    pub kind: &'static ProposalKind,
    /// Who is on the roll; from [`interface::ELECTORATES`](crate::interface::ELECTORATES).
    pub electorate: &'static str,
    /// Which roles are on it; empty means all.
    pub eligible: Vec<String>,
    /// How votes are cast; from [`interface::METHODS`](crate::interface::METHODS).
    pub method: &'static str,
    /// What share of the roll has to take part.
    pub quorum: Ratio,
    /// What share of the votes has to agree; consent has none.
    pub threshold: Option<Threshold>,
    /// How long it is open, in milliseconds.
    pub duration_ms: i64,
    /// How long an accepted proposal waits before it is carried out, in milliseconds.
    pub timelock_ms: i64,
    /// How many sponsors it needs before it opens.
    pub sponsors: i64,
    /// Whether votes are final, so that it may close early.
    pub votes_final: bool,
    /// Whether accepting carries the effect of its kind out; else it is advice.
    pub executes: bool,
}

/// How a test is to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TestEnd {
    /// By itself.
    Passes,
    /// With a refusal whose reason contains this.
    Refuses(String),
    /// With this fault.
    Faults(FaultCode),
}

/// A test of the contract.
#[derive(Clone, Debug)]
pub struct Test {
    /// What it shows.
    pub name: String,
    /// How it is to end.
    pub end: TestEnd,
    /// What it does.
    pub function: FunctionId,
    /// Where it stands.
    pub span: Span,
}

/// A function.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// How many of the locals are parameters; they come first.
    pub params: usize,
    /// The types of its locals.
    pub locals: Vec<Type>,
    /// The type of its result.
    pub result: Type,
    /// What it computes.
    pub body: Body,
    /// Where its name stands.
    pub span: Span,
}

/// Code that is run through in one go each time: the body of a function, or what a loop does in a turn.
#[derive(Clone, Debug)]
pub struct Body {
    /// What it computes.
    pub expr: Expr,
    /// Units of work that one pass costs.
    pub units: usize,
}

/// An expression and its type.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What it computes.
    pub kind: ExprKind,
    /// Of which type.
    pub ty: Type,
    /// Where it stands.
    pub span: Span,
}

impl Expr {
    /// The expressions that it consists of.
    pub(crate) fn parts(&self) -> Vec<&Self> {
        let mut parts: Vec<&Self> = Vec::new();
        match &self.kind {
            ExprKind::Const(_) | ExprKind::Local(_) | ExprKind::Fail(_) => {}
            ExprKind::Block(statements, tail) => {
                for statement in statements {
                    match statement {
                        Statement::Set(_, value) | Statement::Do(value) => parts.push(value),
                        Statement::ForList(_, over, body) | Statement::ForMap(_, _, over, body) => {
                            parts.extend([over, &body.expr])
                        }
                        Statement::ForRange(_, from, to, body) => parts.extend([from, to, &body.expr]),
                    }
                }
                parts.push(tail);
            }
            ExprKind::If(condition, then, otherwise) => parts.extend([&**condition, &**then, &**otherwise]),
            ExprKind::Match(value, _, arms) => {
                parts.push(value);
                parts.extend(arms.iter().map(|(_, body)| body));
            }
            ExprKind::Call(_, args)
            | ExprKind::Op(_, args)
            | ExprKind::Record(args)
            | ExprKind::Variant(_, args)
            | ExprKind::List(args)
            | ExprKind::Join(args) => parts.extend(args),
            ExprKind::Some(of) | ExprKind::Field(of, _) | ExprKind::Return(of) | ExprKind::Refuse(of) => {
                parts.push(of)
            }
            ExprKind::Collect(_, over, condition, value) => {
                parts.push(over);
                parts.extend(condition.as_deref());
                parts.push(&value.expr);
            }
        }
        parts
    }
}

/// What an expression computes.
#[derive(Clone, Debug)]
pub enum ExprKind {
    /// A value that is known.
    Const(Value),
    /// A local.
    Local(LocalId),
    /// The statements, then the value.
    Block(Vec<Statement>, Box<Expr>),
    /// One of two.
    If(Box<Expr>, Box<Expr>, Box<Expr>),
    /// The body of the first arm whose pattern fits. The arms cover every value.
    Match(Box<Expr>, LocalId, Vec<(Pattern, Expr)>),
    /// The result of a function.
    Call(FunctionId, Vec<Expr>),
    /// The result of a built-in.
    Op(Op, Vec<Expr>),
    /// `Some`.
    Some(Box<Expr>),
    /// A record.
    Record(Vec<Expr>),
    /// A field of a record.
    Field(Box<Expr>, usize),
    /// A variant of an enum.
    Variant(u32, Vec<Expr>),
    /// A list.
    List(Vec<Expr>),
    /// What is collected from a list: element, list, condition, value.
    Collect(LocalId, Box<Expr>, Option<Box<Expr>>, Box<Body>),
    /// The texts one after the other.
    Join(Vec<Expr>),
    /// Ends the function.
    Return(Box<Expr>),
    /// Ends the call with a reason.
    Refuse(Box<Expr>),
    /// Ends the call with a fault.
    Fail(FaultCode),
}

/// A statement.
#[derive(Clone, Debug)]
pub enum Statement {
    /// Gives a local its value.
    Set(LocalId, Expr),
    /// Does something for its effect.
    Do(Expr),
    /// For each element of a list.
    ForList(LocalId, Expr, Body),
    /// For each key and value of a map.
    ForMap(LocalId, LocalId, Expr, Body),
    /// For each number from the first to before the second.
    ForRange(LocalId, Expr, Expr, Body),
}

/// A shape of values, with the locals that take parts of it.
#[derive(Clone, Debug)]
pub enum Pattern {
    /// Anything.
    Any,
    /// Anything, and this local takes it.
    Bind(LocalId),
    /// This value, of this type.
    Value(Value, Type),
    /// `None`.
    None,
    /// `Some` of this; with the type of the value.
    Some(Box<Pattern>, Type),
    /// This variant; patterns with the types of the values. Whether the enum has no values at all.
    Variant(u32, Vec<(Pattern, Type)>, bool),
    /// A record; patterns with the types of the fields.
    Record(Vec<(Pattern, Type)>),
}

/// Comparisons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
}

/// What is built in. The types of the operands, which the checker has made sure of, say more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Sum of numbers.
    Add,
    /// Difference of numbers; below zero is a fault where the result is a natural.
    Subtract,
    /// Product of numbers; the same.
    Multiply,
    /// Negative of a number.
    Negate,
    /// Quotient of numbers as a Ratio.
    Divide,
    /// Quotient rounded down.
    Quotient,
    /// What that leaves.
    Remainder,
    /// Without its sign.
    Abs,
    /// Difference, or zero if that is larger.
    MinusOrZero,
    /// Number times Ratio, rounded.
    Scale(Rounding),
    /// An Int as a Ratio.
    ToRatio,
    /// Sum of Ratios.
    RatioAdd,
    /// Difference of Ratios.
    RatioSubtract,
    /// Product of Ratios.
    RatioMultiply,
    /// Quotient of Ratios.
    RatioDivide,
    /// Negative of a Ratio.
    RatioNegate,
    /// Ratio as an Int.
    ToInt(Rounding),
    /// Above the line.
    Numerator,
    /// Below the line.
    Denominator,
    /// Equality of two values of one type.
    Equal,
    /// Order of two values of one type.
    Compare(Comparison),
    /// Not.
    Not,
    /// Bytes of a text.
    TextLength,
    /// Whether a text contains another.
    TextContains,
    /// Whether a text begins with another.
    TextStartsWith,
    /// A value as text.
    ToText,
    /// Elements of a list, entries of a map.
    Length,
    /// Element at an index, or a fault.
    ListIndex,
    /// Element at an index, or None.
    ListGet,
    /// Whether a list contains a value.
    ListContains,
    /// The list with one more element.
    ListPush,
    /// One list after the other.
    ListConcat,
    /// Sum of a list of numbers.
    ListSum,
    /// Value of a key, or a fault.
    MapIndex,
    /// Value of a key, or None.
    MapGet,
    /// Whether a map has a key.
    MapHas,
    /// The map with this value under this key.
    MapInsert,
    /// The map without this key.
    MapRemove,
    /// The keys in order.
    MapKeys,
    /// The values in the order of the keys.
    MapValues,
    /// Whether there is a value.
    IsSome,
    /// The value, or another.
    OptionOr,
}
