//! A small structured language between checked programs and WebAssembly: every value is an `i64`, memory is
//! addressed with one, and control flow is `if`, `while` and named blocks. Runtime helpers and translated
//! functions are both written in it; [`emit`](super::emit) turns it into instructions.

/// A local of the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Var(pub(super) u32);

/// A global of the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Global(pub(super) u32);

/// Arithmetic of two numbers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Math {
    Add,
    Sub,
    Mul,
    DivS,
    DivU,
    RemS,
    RemU,
    And,
    Or,
    Xor,
    Shl,
    ShrU,
}

/// Comparison of two numbers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Test {
    Eq,
    Ne,
    LtS,
    LeS,
    GtS,
    GeS,
    GtU,
}

/// How much of memory a load or store touches.
#[derive(Clone, Copy, Debug)]
pub(super) enum Width {
    Byte,
    Word,
    Long,
}

/// Something that gives a number.
#[derive(Clone, Debug)]
pub(super) enum Low {
    Int(i64),
    Get(Var),
    Global(Global),
    Math(Math, Box<Low>, Box<Low>),
    Load(Width, Box<Low>, u32),
    Call(u32, Vec<Low>),
    /// 1 if it holds, else 0.
    Truth(Box<Cond>),
    If(Box<Cond>, Box<Low>, Box<Low>),
    Seq(Vec<Do>, Box<Low>),
    MemoryPages,
    /// Pages before, or -1.
    GrowMemory(Box<Low>),
}

/// Something that holds or does not.
#[derive(Clone, Debug)]
pub(super) enum Cond {
    Is(Test, Low, Low),
    /// Not zero.
    True(Low),
    Not(Box<Cond>),
    /// The second is looked at only if the first holds.
    And(Box<Cond>, Box<Cond>),
    /// The second is looked at only if the first does not hold.
    Or(Box<Cond>, Box<Cond>),
}

/// Something that is done.
#[derive(Clone, Debug)]
pub(super) enum Do {
    Set(Var, Low),
    SetGlobal(Global, Low),
    Store(Width, Low, u32, Low),
    Copy {
        to: Low,
        from: Low,
        bytes: Low,
    },
    If(Cond, Vec<Do>, Vec<Do>),
    While(Cond, Vec<Do>),
    /// A block that [`Do::Leave`] with the same number ends.
    Block(u32, Vec<Do>),
    Leave(u32),
    Forget(Low),
    Return(Low),
    Trap,
}

impl From<i64> for Low {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<Var> for Low {
    fn from(var: Var) -> Self {
        Self::Get(var)
    }
}

impl From<Global> for Low {
    fn from(global: Global) -> Self {
        Self::Global(global)
    }
}

macro_rules! math {
    ($($name:ident = $op:ident;)*) => {
        $(pub(super) fn $name(a: impl Into<Low>, b: impl Into<Low>) -> Low {
            Low::Math(Math::$op, Box::new(a.into()), Box::new(b.into()))
        })*
    };
}

math! {
    add = Add;
    sub = Sub;
    mul = Mul;
    div = DivS;
    div_unsigned = DivU;
    rem = RemS;
    rem_unsigned = RemU;
    bits_and = And;
    bits_or = Or;
    bits_xor = Xor;
    shift_left = Shl;
    shift_right = ShrU;
}

macro_rules! tests {
    ($($name:ident = $op:ident;)*) => {
        $(pub(super) fn $name(a: impl Into<Low>, b: impl Into<Low>) -> Cond {
            Cond::Is(Test::$op, a.into(), b.into())
        })*
    };
}

tests! {
    eq = Eq;
    ne = Ne;
    lt = LtS;
    le = LeS;
    gt = GtS;
    ge = GeS;
    gt_unsigned = GtU;
}

pub(super) fn and(a: Cond, b: Cond) -> Cond {
    Cond::And(Box::new(a), Box::new(b))
}

pub(super) fn or(a: Cond, b: Cond) -> Cond {
    Cond::Or(Box::new(a), Box::new(b))
}

pub(super) fn not(a: Cond) -> Cond {
    Cond::Not(Box::new(a))
}

pub(super) fn load(address: impl Into<Low>, offset: u32) -> Low {
    Low::Load(Width::Long, Box::new(address.into()), offset)
}

pub(super) fn load_byte(address: impl Into<Low>, offset: u32) -> Low {
    Low::Load(Width::Byte, Box::new(address.into()), offset)
}

pub(super) fn load_word(address: impl Into<Low>, offset: u32) -> Low {
    Low::Load(Width::Word, Box::new(address.into()), offset)
}

pub(super) fn store(address: impl Into<Low>, offset: u32, value: impl Into<Low>) -> Do {
    Do::Store(Width::Long, address.into(), offset, value.into())
}

pub(super) fn store_byte(address: impl Into<Low>, offset: u32, value: impl Into<Low>) -> Do {
    Do::Store(Width::Byte, address.into(), offset, value.into())
}

pub(super) fn store_word(address: impl Into<Low>, offset: u32, value: impl Into<Low>) -> Do {
    Do::Store(Width::Word, address.into(), offset, value.into())
}

pub(super) fn copy(to: impl Into<Low>, from: impl Into<Low>, bytes: impl Into<Low>) -> Do {
    Do::Copy {
        to: to.into(),
        from: from.into(),
        bytes: bytes.into(),
    }
}

pub(super) fn set(var: Var, value: impl Into<Low>) -> Do {
    Do::Set(var, value.into())
}

pub(super) fn choose(condition: Cond, then: impl Into<Low>, otherwise: impl Into<Low>) -> Low {
    Low::If(
        Box::new(condition),
        Box::new(then.into()),
        Box::new(otherwise.into()),
    )
}

pub(super) fn when(condition: Cond, then: Vec<Do>) -> Do {
    Do::If(condition, then, Vec::new())
}

pub(super) fn give(value: impl Into<Low>) -> Do {
    Do::Return(value.into())
}

/// Where the values of a function come from and go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Calling {
    /// Numbers in, a number out.
    Inner,
    /// Called from outside: one `i32` in, which the function finds in its local 1, and one out.
    Outer,
}

/// A function: how many of its locals are parameters, how many there are, what it does.
#[derive(Clone, Debug)]
pub(super) struct Code {
    pub(super) calling: Calling,
    pub(super) params: u32,
    pub(super) locals: u32,
    pub(super) body: Vec<Do>,
}

impl Code {
    /// A helper.
    pub(super) fn new(params: u32, locals: u32, body: Vec<Do>) -> Self {
        Self {
            calling: Calling::Inner,
            params,
            locals,
            body,
        }
    }
}
