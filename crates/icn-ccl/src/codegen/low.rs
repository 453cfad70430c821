//! A small structured language between checked programs and WebAssembly: every value is an `i64`, memory is
//! addressed with one, and control flow is `if`, `while` and named blocks. Runtime helpers and translated
//! functions are both written in it; [`emit`] turns it into instructions.
use wasm_encoder::{BlockType, Function, InstructionSink, MemArg, ValType};

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

/// The function in instructions. A body that runs off its end gives 0.
pub(super) fn emit(code: &Code) -> Function {
    let mut function = Function::new([(code.locals - code.params, ValType::I64)]);
    let mut emitter = Emitter {
        out: function.instructions(),
        calling: code.calling,
        labels: Vec::new(),
    };
    if code.calling == Calling::Outer {
        emitter.out.local_get(0).i64_extend_i32_u().local_set(1);
    }
    emitter.all(&code.body);
    match code.calling {
        Calling::Inner => emitter.out.i64_const(0),
        Calling::Outer => emitter.out.i32_const(0),
    };
    emitter.out.end();
    function
}

fn memory(width: Width, offset: u32) -> MemArg {
    MemArg {
        offset: offset.into(),
        // A hint; everything but what is read from outside is aligned.
        align: match width {
            Width::Byte => 0,
            Width::Word => 2,
            Width::Long => 3,
        },
        memory_index: 0,
    }
}

struct Emitter<'a> {
    out: InstructionSink<'a>,
    calling: Calling,
    /// The blocks around this place, those with numbers by their number.
    labels: Vec<Option<u32>>,
}

impl Emitter<'_> {
    fn all(&mut self, body: &[Do]) {
        body.iter().for_each(|what| self.perform(what));
    }

    fn perform(&mut self, what: &Do) {
        match what {
            Do::Set(var, value) => {
                self.value(value);
                self.out.local_set(var.0);
            }
            Do::SetGlobal(global, value) => {
                self.value(value);
                self.out.global_set(global.0);
            }
            Do::Store(width, address, offset, value) => {
                self.address(address);
                self.value(value);
                let place = memory(*width, *offset);
                match width {
                    Width::Byte => self.out.i64_store8(place),
                    Width::Word => self.out.i64_store32(place),
                    Width::Long => self.out.i64_store(place),
                };
            }
            Do::Copy { to, from, bytes } => {
                self.address(to);
                self.address(from);
                self.address(bytes);
                self.out.memory_copy(0, 0);
            }
            Do::If(condition, then, otherwise) => {
                self.condition(condition);
                self.out.if_(BlockType::Empty);
                self.labels.push(None);
                self.all(then);
                if !otherwise.is_empty() {
                    self.out.else_();
                    self.all(otherwise);
                }
                self.end();
            }
            Do::While(condition, body) => {
                self.out.block(BlockType::Empty);
                self.out.loop_(BlockType::Empty);
                self.labels.extend([None, None]);
                self.condition(condition);
                self.out.i32_eqz().br_if(1);
                self.all(body);
                self.out.br(0);
                self.end();
                self.end();
            }
            Do::Block(number, body) => {
                self.out.block(BlockType::Empty);
                self.labels.push(Some(*number));
                self.all(body);
                self.end();
            }
            Do::Leave(number) => {
                let found = self.labels.iter().rev().position(|label| *label == Some(*number));
                let depth = found.expect("blocks are left from within");
                self.out.br(u32::try_from(depth).expect("nesting is bounded"));
            }
            Do::Forget(value) => {
                self.value(value);
                self.out.drop();
            }
            Do::Return(value) => {
                self.value(value);
                if self.calling == Calling::Outer {
                    self.out.i32_wrap_i64();
                }
                self.out.return_();
            }
            Do::Trap => {
                self.out.unreachable();
            }
        }
    }

    fn end(&mut self) {
        self.labels.pop();
        self.out.end();
    }

    fn address(&mut self, value: &Low) {
        self.value(value);
        self.out.i32_wrap_i64();
    }

    fn value(&mut self, value: &Low) {
        match value {
            Low::Int(number) => {
                self.out.i64_const(*number);
            }
            Low::Get(var) => {
                self.out.local_get(var.0);
            }
            Low::Global(global) => {
                self.out.global_get(global.0);
            }
            Low::Math(op, a, b) => {
                self.value(a);
                self.value(b);
                self.math(*op);
            }
            Low::Load(width, address, offset) => {
                self.address(address);
                let place = memory(*width, *offset);
                match width {
                    Width::Byte => self.out.i64_load8_u(place),
                    Width::Word => self.out.i64_load32_u(place),
                    Width::Long => self.out.i64_load(place),
                };
            }
            Low::Call(index, args) => {
                args.iter().for_each(|arg| self.value(arg));
                self.out.call(*index);
            }
            Low::Truth(condition) => {
                self.condition(condition);
                self.out.i64_extend_i32_u();
            }
            Low::If(condition, then, otherwise) => {
                self.condition(condition);
                self.out.if_(BlockType::Result(ValType::I64));
                self.labels.push(None);
                self.value(then);
                self.out.else_();
                self.value(otherwise);
                self.end();
            }
            Low::Seq(first, then) => {
                self.all(first);
                self.value(then);
            }
            Low::MemoryPages => {
                self.out.memory_size(0).i64_extend_i32_u();
            }
            Low::GrowMemory(pages) => {
                self.address(pages);
                self.out.memory_grow(0).i64_extend_i32_s();
            }
        }
    }

    fn math(&mut self, op: Math) {
        match op {
            Math::Add => self.out.i64_add(),
            Math::Sub => self.out.i64_sub(),
            Math::Mul => self.out.i64_mul(),
            Math::DivS => self.out.i64_div_s(),
            Math::DivU => self.out.i64_div_u(),
            Math::RemS => self.out.i64_rem_s(),
            Math::RemU => self.out.i64_rem_u(),
            Math::And => self.out.i64_and(),
            Math::Or => self.out.i64_or(),
            Math::Xor => self.out.i64_xor(),
            Math::Shl => self.out.i64_shl(),
            Math::ShrU => self.out.i64_shr_u(),
        };
    }

    /// Leaves an `i32`.
    fn condition(&mut self, condition: &Cond) {
        match condition {
            Cond::Is(Test::Eq, value, Low::Int(0)) => {
                self.value(value);
                self.out.i64_eqz();
            }
            Cond::Is(test, a, b) => {
                self.value(a);
                self.value(b);
                match test {
                    Test::Eq => self.out.i64_eq(),
                    Test::Ne => self.out.i64_ne(),
                    Test::LtS => self.out.i64_lt_s(),
                    Test::LeS => self.out.i64_le_s(),
                    Test::GtS => self.out.i64_gt_s(),
                    Test::GeS => self.out.i64_ge_s(),
                    Test::GtU => self.out.i64_gt_u(),
                };
            }
            Cond::True(Low::Truth(inner)) => self.condition(inner),
            Cond::True(value) => {
                self.value(value);
                self.out.i64_const(0).i64_ne();
            }
            Cond::Not(inner) => {
                self.condition(inner);
                self.out.i32_eqz();
            }
            Cond::And(a, b) => self.both(
                a,
                |emitter| emitter.condition(b),
                |emitter| {
                    emitter.out.i32_const(0);
                },
            ),
            Cond::Or(a, b) => self.both(
                a,
                |emitter| {
                    emitter.out.i32_const(1);
                },
                |emitter| emitter.condition(b),
            ),
        }
    }

    fn both(&mut self, first: &Cond, then: impl FnOnce(&mut Self), otherwise: impl FnOnce(&mut Self)) {
        self.condition(first);
        self.out.if_(BlockType::Result(ValType::I32));
        self.labels.push(None);
        then(self);
        self.out.else_();
        otherwise(self);
        self.end();
    }
}
