//! Functions of a program: expressions and statements, one for one.
use super::{
    builder::Builder,
    collections::element,
    key::{Collections, Key, Memory, Texts},
    low::{Code, Cond, Do, Low, Var, add, choose, eq, load, lt, ne, not, set, store, sub, when},
    memory::{WORK, fault},
    operations::equality,
};
use crate::{
    fault::FaultCode,
    ir::{Body, Expr, ExprKind, FunctionId, Pattern, Statement},
    limits::{MAX_ELEMENTS, MAX_RANGE},
    source::Span,
};

/// A function that is being translated.
pub(super) struct Frame<'b, 'p> {
    pub(super) builder: &'b mut Builder<'p>,
    locals: u32,
    blocks: u32,
}

fn place(id: usize) -> u32 {
    u32::try_from(id).expect("functions are bounded")
}

pub(super) fn site(span: Span) -> Low {
    Low::Int(span.pack())
}

pub(super) fn function(builder: &mut Builder<'_>, id: FunctionId) -> Code {
    let function = &builder.program.functions[id];
    let mut frame = Frame {
        builder,
        locals: place(function.locals.len()),
        blocks: 0,
    };
    let mut body = frame.work(function.body.units, function.span);
    let value = frame.value(&function.body.expr);
    body.push(Do::Return(value));
    Code::new(place(function.params), frame.locals, body)
}

impl Frame<'_, '_> {
    pub(super) fn temporary(&mut self) -> Var {
        self.locals += 1;
        Var(self.locals - 1)
    }

    /// Units of work. In place, because every turn of a loop pays for it.
    fn work(&mut self, units: usize, span: Span) -> Vec<Do> {
        let units = i64::try_from(units).expect("source files are bounded");
        let spent = fault(self.builder, FaultCode::Work, site(span));
        vec![Do::SetGlobal(WORK, sub(WORK, units)), when(lt(WORK, 0), spent)]
    }

    fn allocate(&mut self, bytes: usize, span: Span) -> Low {
        let bytes = i64::try_from(bytes).expect("source files are bounded");
        self.builder.call(Memory::Allocate, [Low::Int(bytes), site(span)])
    }

    /// What does not come back, where a value is expected.
    fn never(body: Vec<Do>) -> Low {
        Low::Seq(body, Box::new(Low::Int(0)))
    }

    pub(super) fn values(&mut self, exprs: &[Expr]) -> Vec<Low> {
        exprs.iter().map(|expr| self.value(expr)).collect()
    }

    fn condition(&mut self, expr: &Expr) -> Cond {
        match self.value(expr) {
            Low::Truth(condition) => *condition,
            value => Cond::True(value),
        }
    }

    pub(super) fn truth(condition: Cond) -> Low {
        Low::Truth(Box::new(condition))
    }

    fn value(&mut self, expr: &Expr) -> Low {
        let span = expr.span;
        match &expr.kind {
            ExprKind::Const(value) => Low::Int(self.builder.constant(&expr.ty, value)),
            ExprKind::Local(id) => Low::Get(Var(place(*id))),
            ExprKind::Block(statements, tail) => {
                let mut body = Vec::new();
                statements
                    .iter()
                    .for_each(|statement| self.statement(statement, &mut body));
                let tail = self.value(tail);
                if body.is_empty() {
                    tail
                } else {
                    Low::Seq(body, Box::new(tail))
                }
            }
            ExprKind::If(condition, then, otherwise) => {
                let condition = self.condition(condition);
                let (then, otherwise) = (self.value(then), self.value(otherwise));
                choose(condition, then, otherwise)
            }
            ExprKind::Match(value, id, arms) => self.match_expr(value, Var(place(*id)), arms, span),
            ExprKind::Call(id, args) => {
                let args = self.values(args);
                Low::Call(self.builder.index(Key::User(*id)), args)
            }
            ExprKind::Op(op, args) => self.op(*op, args, &expr.ty, span),
            ExprKind::Some(value) => {
                let value = self.value(value);
                self.builder.call(Collections::Some, [value, site(span)])
            }
            ExprKind::Record(fields) => {
                let fields = self.values(fields);
                let new = self.allocate(8 * fields.len(), span);
                self.filled(new, 0, None, fields)
            }
            ExprKind::Field(base, at) => load(self.value(base), 8 * place(*at)),
            ExprKind::Variant(which, values) => {
                let which = Low::Int((*which).into());
                if self.builder.types().is_scalar(&expr.ty) {
                    return which;
                }
                let values = self.values(values);
                let new = self.allocate(8 + 8 * values.len(), span);
                self.filled(new, 8, Some(which), values)
            }
            ExprKind::List(items) => {
                let items = self.values(items);
                let length = i64::try_from(items.len()).expect("source files are bounded");
                let new = if items.len() > MAX_ELEMENTS {
                    Self::never(fault(self.builder, FaultCode::Size, site(span)))
                } else {
                    self.builder
                        .call(Collections::ListNew, [Low::Int(length), site(span)])
                };
                self.filled(new, 8, None, items)
            }
            ExprKind::Collect(id, over, condition, value) => {
                self.collect(Var(place(*id)), over, condition.as_deref(), value, span)
            }
            ExprKind::Join(parts) => self.join(parts, span),
            ExprKind::Return(value) => {
                let value = self.value(value);
                Self::never(vec![Do::Return(value)])
            }
            ExprKind::Refuse(reason) => {
                let reason = self.value(reason);
                let call = self.builder.call(Memory::Refuse, [reason, site(span)]);
                Self::never(vec![Do::Forget(call), Do::Trap])
            }
            ExprKind::Fail(code) => Self::never(fault(self.builder, *code, site(span))),
        }
    }

    /// Memory with these values in it. They are computed first: computing them may take memory, too.
    fn filled(&mut self, new: Low, offset: u32, head: Option<Low>, values: Vec<Low>) -> Low {
        let mut body = Vec::new();
        let mut stores = Vec::new();
        let address = self.temporary();
        for (number, value) in (0u32..).zip(values) {
            let value = if matches!(value, Low::Int(_)) {
                value
            } else {
                let kept = self.temporary();
                body.push(set(kept, value));
                kept.into()
            };
            stores.push(store(address, offset + 8 * number, value));
        }
        body.push(set(address, new));
        body.extend(head.map(|head| store(address, 0, head)));
        body.extend(stores);
        Low::Seq(body, Box::new(address.into()))
    }

    fn statement(&mut self, statement: &Statement, body: &mut Vec<Do>) {
        match statement {
            Statement::Set(id, value) => {
                let value = self.value(value);
                body.push(set(Var(place(*id)), value));
            }
            Statement::Do(expr) => {
                let value = self.value(expr);
                body.push(Do::Forget(value));
            }
            Statement::ForList(id, over, inner) => {
                let (list, at) = (self.temporary(), self.temporary());
                let all = self.value(over);
                let turn = [set(Var(place(*id)), load(element(list, at), 8))];
                body.extend([set(list, all), set(at, 0)]);
                let turn = self.turn(turn, inner, at, over.span);
                body.push(Do::While(lt(at, load(list, 0)), turn));
            }
            Statement::ForMap(key, value, over, inner) => {
                let (map, at) = (self.temporary(), self.temporary());
                let all = self.value(over);
                let entry = || add(map, super::low::mul(at, 16));
                let turn = [
                    set(Var(place(*key)), load(entry(), 8)),
                    set(Var(place(*value)), load(entry(), 16)),
                ];
                body.extend([set(map, all), set(at, 0)]);
                let turn = self.turn(turn, inner, at, over.span);
                body.push(Do::While(lt(at, load(map, 0)), turn));
            }
            Statement::ForRange(id, from, to, inner) => {
                let (at, end) = (self.temporary(), self.temporary());
                let (from, last) = (self.value(from), self.value(to));
                body.extend([set(at, from), set(end, last)]);
                // The difference of two numbers in order is right without its sign.
                let far = super::low::gt_unsigned(sub(end, at), MAX_RANGE);
                let too_far = fault(self.builder, FaultCode::Size, site(to.span));
                body.push(when(super::low::and(lt(at, end), far), too_far));
                let turn = self.turn([set(Var(place(*id)), at)], inner, at, to.span);
                body.push(Do::While(lt(at, end), turn));
            }
        }
    }

    /// One turn of a loop, which ends with the next place.
    fn turn<const N: usize>(&mut self, first: [Do; N], inner: &Body, at: Var, span: Span) -> Vec<Do> {
        let mut turn = self.work(inner.units, span);
        turn.extend(first);
        let inner = self.value(&inner.expr);
        turn.push(Do::Forget(inner));
        turn.push(set(at, add(at, 1)));
        turn
    }

    fn collect(&mut self, id: Var, over: &Expr, condition: Option<&Expr>, body: &Body, span: Span) -> Low {
        let (list, at, kept, count) = (
            self.temporary(),
            self.temporary(),
            self.temporary(),
            self.temporary(),
        );
        let all = self.value(over);
        let room = self
            .builder
            .call(Collections::ListNew, [load(list, 0), site(span)]);
        let value = self.value(&body.expr);
        let held = self.temporary();
        let keep = vec![
            set(held, value),
            store(element(kept, count), 8, held),
            set(count, add(count, 1)),
        ];
        let keep = match condition {
            Some(condition) => vec![when(self.condition(condition), keep)],
            None => keep,
        };
        let mut turn = self.work(body.units, over.span);
        turn.push(set(id, load(element(list, at), 8)));
        turn.extend(keep);
        turn.push(set(at, add(at, 1)));
        let steps = vec![
            set(list, all),
            set(kept, room),
            set(at, 0),
            set(count, 0),
            Do::While(lt(at, load(list, 0)), turn),
            store(kept, 0, count),
        ];
        Low::Seq(steps, Box::new(kept.into()))
    }

    fn join(&mut self, parts: &[Expr], span: Span) -> Low {
        let mut values = self.values(parts);
        if values.len() == 1 {
            return values.remove(0);
        }
        let (text, at, length) = (self.temporary(), self.temporary(), self.temporary());
        let mut body = vec![set(length, 0)];
        let mut appended = Vec::new();
        for value in values {
            let part = self.temporary();
            body.push(set(part, value));
            appended.push(set(
                at,
                self.builder.call(Texts::Append, [at.into(), part.into()]),
            ));
            body.push(set(length, add(length, load(part, 0))));
        }
        let new = self.builder.call(Texts::New, [length.into(), site(span)]);
        body.extend([set(text, new), set(at, add(text, 8))]);
        body.extend(appended);
        Low::Seq(body, Box::new(text.into()))
    }

    fn match_expr(&mut self, value: &Expr, local: Var, arms: &[(Pattern, Expr)], span: Span) -> Low {
        let result = self.temporary();
        let whole = self.block();
        let mut inside = Vec::new();
        for (pattern, body) in arms {
            let next = self.block();
            let mut arm = Vec::new();
            self.pattern(pattern, local.into(), next, span, &mut arm);
            let value = self.value(body);
            arm.extend([set(result, value), Do::Leave(whole)]);
            inside.push(Do::Block(next, arm));
        }
        // The arms cover every value.
        inside.push(Do::Trap);
        let body = vec![set(local, self.value(value)), Do::Block(whole, inside)];
        Low::Seq(body, Box::new(result.into()))
    }

    fn block(&mut self) -> u32 {
        self.blocks += 1;
        self.blocks
    }

    /// Leaves block `next` unless the value fits; gives the locals of the pattern their values.
    fn pattern(&mut self, pattern: &Pattern, value: Low, next: u32, span: Span, body: &mut Vec<Do>) {
        let leave = || vec![Do::Leave(next)];
        match pattern {
            Pattern::Any => {}
            Pattern::Bind(id) => body.push(set(Var(place(*id)), value)),
            Pattern::Value(known, ty) => {
                let known = Low::Int(self.builder.constant(ty, known));
                let equal = equality(self.builder, ty, known, value, site(span));
                body.push(when(not(equal), leave()));
            }
            Pattern::None => body.push(when(ne(value, 0), leave())),
            Pattern::Some(inner, _) => {
                let kept = self.keep(value, body);
                body.push(when(eq(kept, 0), leave()));
                self.pattern(inner, load(kept, 0), next, span, body);
            }
            Pattern::Variant(which, inner, plain) => {
                let kept = self.keep(value, body);
                let found = if *plain { kept.into() } else { load(kept, 0) };
                body.push(when(ne(found, i64::from(*which)), leave()));
                for (offset, (pattern, _)) in (8u32..).step_by(8).zip(inner) {
                    self.pattern(pattern, load(kept, offset), next, span, body);
                }
            }
            Pattern::Record(inner) => {
                let kept = self.keep(value, body);
                for (offset, (pattern, _)) in (0u32..).step_by(8).zip(inner) {
                    self.pattern(pattern, load(kept, offset), next, span, body);
                }
            }
        }
    }

    fn keep(&mut self, value: Low, body: &mut Vec<Do>) -> Var {
        let kept = self.temporary();
        body.push(set(kept, value));
        kept
    }
}
