//! What a source file says, as the parser understood it: names are not looked up, types not checked.
use crate::source::Span;

/// A name and where it stands.
#[derive(Clone, Debug)]
pub struct Name {
    /// The name.
    pub text: String,
    /// Where.
    pub span: Span,
}

/// A source file.
#[derive(Clone, Debug)]
pub struct File {
    /// Its first declaration, if it could be read.
    pub header: Option<Header>,
    /// What it imports.
    pub imports: Vec<Import>,
    /// What it declares.
    pub items: Vec<Item>,
}

/// `contract "name" version 1 language 1 scope federation;`
#[derive(Clone, Debug)]
pub struct Header {
    /// `module` instead of `contract`.
    pub is_module: bool,
    /// What it is called.
    pub name: Name,
    /// Its own version.
    pub version: u32,
    /// For whom it holds; modules have none.
    pub scope: Option<Name>,
    /// All of it.
    pub span: Span,
}

/// `import "bafk…" as name;`
#[derive(Clone, Debug)]
pub struct Import {
    /// The content id.
    pub cid: Name,
    /// The name in this file.
    pub alias: Name,
}

/// A declaration.
#[derive(Clone, Debug)]
pub enum Item {
    /// `unit eur decimals 2;`
    Unit(UnitItem),
    /// `const NAME: Type = value;`
    Const(ConstItem),
    /// `record Name { field: Type, … }`
    Record(RecordItem),
    /// `enum Name { Variant(Type, …), … }`
    Enum(EnumItem),
    /// `fn name(parameter: Type, …) -> Type { … }`
    Fn(FnItem),
    /// `policy slot(input) { … }`
    Policy(PolicyItem),
    /// `role name { … }`
    Role(RoleItem),
    /// `process name { … }`
    Process(ProcessItem),
    /// `test "name" { … }`
    Test(TestItem),
}

/// A unit of amounts.
#[derive(Clone, Debug)]
pub struct UnitItem {
    /// Its name.
    pub name: Name,
    /// How many decimals its minor units are.
    pub decimals: u32,
}

/// A constant.
#[derive(Clone, Debug)]
pub struct ConstItem {
    /// Its name.
    pub name: Name,
    /// Its type.
    pub ty: TypeExpr,
    /// Its value.
    pub value: Expr,
}

/// A name with its type.
#[derive(Clone, Debug)]
pub struct Typed {
    /// The name.
    pub name: Name,
    /// The type.
    pub ty: TypeExpr,
}

/// A record.
#[derive(Clone, Debug)]
pub struct RecordItem {
    /// Its name.
    pub name: Name,
    /// Its fields in order.
    pub fields: Vec<Typed>,
}

/// An enum.
#[derive(Clone, Debug)]
pub struct EnumItem {
    /// Its name.
    pub name: Name,
    /// Its variants in order, each with the types of its values.
    pub variants: Vec<(Name, Vec<TypeExpr>)>,
}

/// A function.
#[derive(Clone, Debug)]
pub struct FnItem {
    /// Its name.
    pub name: Name,
    /// Its parameters.
    pub params: Vec<Typed>,
    /// Its result.
    pub result: TypeExpr,
    /// Its body.
    pub body: Block,
}

/// The rule for a slot.
#[derive(Clone, Debug)]
pub struct PolicyItem {
    /// The slot.
    pub slot: Name,
    /// The name of its input.
    pub param: Name,
    /// Its body.
    pub body: Block,
}

/// A role.
#[derive(Clone, Debug)]
pub struct RoleItem {
    /// Its name.
    pub name: Name,
    /// What it may do.
    pub may: Vec<Name>,
    /// What is asked of whoever wants to have it: the name of the input, and the rule.
    pub requires: Option<(Name, Block)>,
}

/// How proposals of a kind are decided.
#[derive(Clone, Debug)]
pub struct ProcessItem {
    /// Its name.
    pub name: Name,
    /// Its properties.
    pub fields: Vec<(Name, ProcessValue)>,
}

/// The value of a property of a process.
#[derive(Clone, Debug)]
pub enum ProcessValue {
    /// A value, or a word that looks like one.
    Value(Expr),
    /// Several words.
    Words(Vec<Name>),
    /// `more than value`, with the span of all.
    MoreThan(Expr, Span),
    /// `at least value`, with the span of all.
    AtLeast(Expr, Span),
}

/// How a test is to end.
#[derive(Clone, Debug)]
pub enum TestEnd {
    /// By itself.
    Passes,
    /// With a refusal whose reason contains this.
    Refuses(Name),
    /// With this fault.
    Faults(Name),
}

/// A test.
#[derive(Clone, Debug)]
pub struct TestItem {
    /// What it shows.
    pub name: Name,
    /// How it is to end.
    pub end: TestEnd,
    /// What it does.
    pub body: Block,
}

/// A type as it is written.
#[derive(Clone, Debug)]
pub struct TypeExpr {
    /// The alias of the module that declares it.
    pub module: Option<Name>,
    /// Its name.
    pub name: Name,
    /// Its arguments.
    pub args: Vec<TypeExpr>,
    /// All of it.
    pub span: Span,
}

/// Statements, and perhaps a last value.
#[derive(Clone, Debug)]
pub struct Block {
    /// In order.
    pub statements: Vec<Statement>,
    /// The value of the block.
    pub tail: Option<Box<Expr>>,
    /// With its braces.
    pub span: Span,
}

/// A statement.
#[derive(Clone, Debug)]
pub enum Statement {
    /// `let name = value;` or `var name = value;`
    Let {
        /// The new name.
        name: Name,
        /// Whether it can be assigned later.
        mutable: bool,
        /// Its type, where it is written.
        ty: Option<TypeExpr>,
        /// Its value.
        value: Expr,
    },
    /// `name = value;`
    Assign {
        /// What changes.
        name: Name,
        /// Its new value.
        value: Expr,
    },
    /// `for name in list { … }`
    For {
        /// The element, or the key of an entry.
        first: Name,
        /// The value of an entry.
        second: Option<Name>,
        /// What is gone through.
        over: Expr,
        /// What is done each time.
        body: Block,
    },
    /// An expression that is there for what it does.
    Expr(Expr),
    /// What could not be read; it has been reported.
    Error,
}

/// An expression.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it is.
    pub span: Span,
}

/// A part of a text.
#[derive(Clone, Debug)]
pub enum TextPart {
    /// As it is.
    Literal(String),
    /// The text of a value.
    Value(Expr),
}

/// A value given to a function, record or variant.
#[derive(Clone, Debug)]
pub struct Argument {
    /// The field, for records.
    pub name: Option<Name>,
    /// The value.
    pub value: Expr,
}

/// Signs before a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOp {
    /// `-`
    Negate,
    /// `not`
    Not,
}

/// Signs between two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOp {
    /// `or`
    Or,
    /// `and`
    And,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
}

impl BinaryOp {
    /// As it is written.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Or => "or",
            Self::And => "and",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
        }
    }
}

/// What an expression is.
#[derive(Clone, Debug)]
pub enum ExprKind {
    /// `12`, `-3`
    Int(i64),
    /// `7 days`, `1.5 mana`, `12.50 eur`: the digits as a whole number, how many of them are decimals, and
    /// the unit.
    Quantity(i64, u32, Name),
    /// `true`, `false`
    Bool(bool),
    /// `None`
    None,
    /// `Some(value)`
    Some(Box<Expr>),
    /// `"text {value}"`
    Text(Vec<TextPart>),
    /// A name.
    Name(Name),
    /// `base.name`
    Field(Box<Expr>, Name),
    /// `callee(arguments)`
    Call(Box<Expr>, Vec<Argument>),
    /// `base[index]`
    Index(Box<Expr>, Box<Expr>),
    /// `-value`, `not value`
    Unary(UnaryOp, Box<Expr>),
    /// `a + b`
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// `[a, b]`
    List(Vec<Expr>),
    /// `map { key: value }`
    Map(Vec<(Expr, Expr)>),
    /// `[value for name in list if condition]`
    Collect {
        /// What each element becomes.
        value: Box<Expr>,
        /// The element.
        name: Name,
        /// The list.
        over: Box<Expr>,
        /// Which elements count.
        condition: Option<Box<Expr>>,
    },
    /// `base with (field: value)`
    With(Box<Expr>, Vec<Argument>),
    /// `if condition { … } else { … }`
    If(Box<Expr>, Block, Option<Box<Expr>>),
    /// `match value { pattern => value, … }`
    Match(Box<Expr>, Vec<Arm>),
    /// `{ … }`
    Block(Block),
    /// `return value`
    Return(Box<Expr>),
}

/// `pattern => value`
#[derive(Clone, Debug)]
pub struct Arm {
    /// When.
    pub pattern: Pattern,
    /// Then.
    pub body: Expr,
}

/// A shape of values.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// Which.
    pub kind: PatternKind,
    /// Where.
    pub span: Span,
}

/// What a pattern is.
#[derive(Clone, Debug)]
pub enum PatternKind {
    /// `_`
    Any,
    /// A new name for the value.
    Bind(Name),
    /// A literal: a number, a quantity, a text or a truth value.
    Literal(Expr),
    /// `None`
    None,
    /// `Some(pattern)`
    Some(Box<Pattern>),
    /// `Enum.Variant(pattern, …)`, perhaps with a module before it.
    Variant(Option<Name>, Name, Name, Vec<Pattern>),
    /// `Record(field: pattern, …)`, perhaps with a module before it; fields left out can be anything.
    Record(Option<Name>, Name, Vec<(Name, Pattern)>),
}
