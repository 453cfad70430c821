//! From the small language of [`low`](super::low) to instructions.
use super::low::{Calling, Code, Cond, Do, Low, Math, Test, Width};
use wasm_encoder::{BlockType, Function, InstructionSink, MemArg, ValType};

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
