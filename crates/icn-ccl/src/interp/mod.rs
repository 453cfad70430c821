//! Runs a checked program directly, as a walk over its tree. Work and memory are counted as in compiled
//! modules: a call ends here as it ends there, with the same fault at the same place.
mod cost;
mod ops;
mod text;

pub(crate) use text::SPANS;
pub use text::text_of;

use crate::{
    fault::{FaultCode, Stop},
    ir::{Body, Expr, ExprKind, Function, FunctionId, LocalId, Pattern, Program, Statement},
    limits::{MAX_ELEMENTS, MAX_INPUT_BYTES, MAX_RANGE, MAX_RESULT_BYTES, MAX_TEXT_BYTES},
    source::Span,
    types::{Type, Types},
    value::{Value, ValueError, encode},
};
use cost::Meter;
use std::sync::Arc;

/// The result of a policy or role requirement for `input`.
///
/// # Errors
/// How the call ended instead. An input that is not of the slot's type is a fault.
pub fn call(program: &Program, function: FunctionId, input: &Value) -> Result<Value, Stop> {
    let types = &program.types;
    let fault = |code, span| Stop::Fault { code, span };
    let called = &program.functions[function];
    if let Some(ty) = called.locals.first().filter(|_| called.params == 1) {
        encode(types, ty, input, MAX_INPUT_BYTES).map_err(|_| fault(FaultCode::Input, Span::default()))?;
    }
    let arguments = core::iter::repeat_n(input.clone(), called.params).collect();
    run(types, &program.functions, function, arguments, Meter::new())
}

/// The value of a constant, as a function without parameters.
pub(crate) fn constant(types: &Types, function: &Function) -> Result<Value, Stop> {
    run(
        types,
        core::slice::from_ref(function),
        0,
        Vec::new(),
        Meter::for_constants(),
    )
}

/// The result of a function for arguments of its types.
fn run(
    types: &Types,
    functions: &[Function],
    id: FunctionId,
    arguments: Vec<Value>,
    mut meter: Meter,
) -> Result<Value, Stop> {
    let called = &functions[id];
    for (value, ty) in arguments.iter().zip(&called.locals) {
        meter.allocate(cost::heap_bytes(types, ty, value), Span::default())?;
    }
    let mut machine = Machine {
        types,
        functions,
        meter,
        locals: Vec::new(),
    };
    let result = machine.call(id, arguments).map_err(|exit| match exit {
        Exit::Stop(stop) => stop,
        Exit::Return(_) => unreachable!("functions catch what they return"),
    })?;
    match encode(types, &called.result, &result, MAX_RESULT_BYTES) {
        Ok(_) => Ok(result),
        // The checker knows the type of the result, so that only its size can be wrong. Were it mistaken, the call
        // would end, and not the process.
        Err(error) => Err(Stop::Fault {
            code: if error == ValueError::Size {
                FaultCode::Size
            } else {
                FaultCode::Input
            },
            span: called.span,
        }),
    }
}

/// Why evaluating does not go on.
enum Exit {
    Stop(Stop),
    Return(Value),
}

impl From<Stop> for Exit {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

type Step<T> = Result<T, Exit>;

fn fault<T>(code: FaultCode, span: Span) -> Step<T> {
    Err(Exit::Stop(Stop::Fault { code, span }))
}

struct Machine<'a> {
    types: &'a Types,
    functions: &'a [Function],
    meter: Meter,
    /// Of the function that runs.
    locals: Vec<Value>,
}

impl Machine<'_> {
    fn call(&mut self, id: FunctionId, mut arguments: Vec<Value>) -> Step<Value> {
        let functions = self.functions;
        let function = &functions[id];
        self.meter.work(function.body.units, function.span)?;
        arguments.resize(function.locals.len(), Value::Unit);
        let outer = core::mem::replace(&mut self.locals, arguments);
        let result = match self.eval(&function.body.expr) {
            Err(Exit::Return(value)) => Ok(value),
            other => other,
        };
        self.locals = outer;
        result
    }

    fn eval_all(&mut self, exprs: &[Expr]) -> Step<Vec<Value>> {
        exprs.iter().map(|expr| self.eval(expr)).collect()
    }

    fn set(&mut self, id: LocalId, value: Value) {
        self.locals[id] = value;
    }

    fn eval(&mut self, expr: &Expr) -> Step<Value> {
        let span = expr.span;
        match &expr.kind {
            ExprKind::Const(value) => Ok(value.clone()),
            ExprKind::Local(id) => Ok(self.locals[*id].clone()),
            ExprKind::Block(statements, tail) => {
                statements
                    .iter()
                    .try_for_each(|statement| self.statement(statement))?;
                self.eval(tail)
            }
            ExprKind::If(condition, then, otherwise) => {
                let holds = self.eval(condition)? == Value::Bool(true);
                self.eval(if holds { then } else { otherwise })
            }
            ExprKind::Match(value, id, arms) => {
                let value = self.eval(value)?;
                self.set(*id, value.clone());
                for (pattern, body) in arms {
                    if self.fits(pattern, &value, span)? {
                        return self.eval(body);
                    }
                }
                unreachable!("the checker makes sure that the arms cover every value")
            }
            ExprKind::Call(id, args) => {
                let args = self.eval_all(args)?;
                self.call(*id, args)
            }
            ExprKind::Op(op, args) => {
                let values = self.eval_all(args)?;
                self.op(*op, &args[0].ty, &expr.ty, values, span)
            }
            ExprKind::Some(value) => {
                let value = self.eval(value)?;
                self.meter.allocate(8, span)?;
                Ok(Value::Option(Some(Arc::new(value))))
            }
            ExprKind::Record(fields) => {
                let fields = self.eval_all(fields)?;
                self.meter.allocate(cost::record(fields.len()), span)?;
                Ok(Value::record(fields))
            }
            ExprKind::Field(base, place) => match self.eval(base)? {
                Value::Record(fields) => Ok(fields[*place].clone()),
                _ => unreachable!("the checker knows that this is a record"),
            },
            ExprKind::Variant(place, values) => {
                let values = self.eval_all(values)?;
                if !self.types.is_scalar(&expr.ty) {
                    self.meter.allocate(cost::variant(values.len()), span)?;
                }
                Ok(Value::variant(*place, values))
            }
            ExprKind::List(items) => {
                let items = self.eval_all(items)?;
                self.list(items, span)
            }
            ExprKind::Collect(id, over, condition, value) => {
                self.collect(*id, over, condition.as_deref(), value, span)
            }
            ExprKind::Join(parts) => self.join(parts, span),
            ExprKind::Return(value) => Err(Exit::Return(self.eval(value)?)),
            ExprKind::Refuse(reason) => {
                let reason = text(&self.eval(reason)?).to_string();
                Err(Exit::Stop(Stop::Refusal { reason, span }))
            }
            ExprKind::Fail(code) => fault(*code, span),
        }
    }

    fn statement(&mut self, statement: &Statement) -> Step<()> {
        match statement {
            Statement::Set(id, value) => {
                let value = self.eval(value)?;
                self.set(*id, value);
            }
            Statement::Do(expr) => {
                self.eval(expr)?;
            }
            Statement::ForList(id, over, body) => {
                for value in elements(&self.eval(over)?).iter() {
                    self.meter.work(body.units, over.span)?;
                    self.set(*id, value.clone());
                    self.eval(&body.expr)?;
                }
            }
            Statement::ForMap(key, value, over, body) => {
                for entry in entries(&self.eval(over)?).iter() {
                    self.meter.work(body.units, over.span)?;
                    self.set(*key, entry.0.clone());
                    self.set(*value, entry.1.clone());
                    self.eval(&body.expr)?;
                }
            }
            Statement::ForRange(id, from, to, body) => {
                let (first, end) = (number(&self.eval(from)?), number(&self.eval(to)?));
                if first < end && end.checked_sub(first).is_none_or(|count| count > MAX_RANGE) {
                    return fault(FaultCode::Size, to.span);
                }
                for value in first..end {
                    self.meter.work(body.units, to.span)?;
                    self.set(*id, Value::Number(value));
                    self.eval(&body.expr)?;
                }
            }
        }
        Ok(())
    }

    fn list(&mut self, items: Vec<Value>, span: Span) -> Step<Value> {
        if items.len() > MAX_ELEMENTS {
            return fault(FaultCode::Size, span);
        }
        self.meter.allocate(cost::list(items.len()), span)?;
        Ok(Value::List(Arc::new(items)))
    }

    /// Room for all elements is taken before it is known how many stay.
    fn collect(
        &mut self,
        id: LocalId,
        over: &Expr,
        condition: Option<&Expr>,
        value: &Body,
        span: Span,
    ) -> Step<Value> {
        let all = elements(&self.eval(over)?);
        self.meter.allocate(cost::list(all.len()), span)?;
        let mut kept = Vec::new();
        for element in all.iter() {
            self.meter.work(value.units, over.span)?;
            self.set(id, element.clone());
            let holds = match condition {
                Some(condition) => self.eval(condition)? == Value::Bool(true),
                None => true,
            };
            if holds {
                kept.push(self.eval(&value.expr)?);
            }
        }
        Ok(Value::List(Arc::new(kept)))
    }

    /// One text is itself; several are a new one.
    fn join(&mut self, parts: &[Expr], span: Span) -> Step<Value> {
        let mut values = self.eval_all(parts)?;
        if values.len() == 1 {
            return Ok(values.remove(0));
        }
        let joined: String = values.iter().map(|value| text(value).to_string()).collect();
        self.text(&joined, span)
    }

    fn text(&mut self, new: &str, span: Span) -> Step<Value> {
        if new.len() > MAX_TEXT_BYTES {
            return fault(FaultCode::Size, span);
        }
        self.meter.allocate(cost::text(new.len()), span)?;
        Ok(Value::from(new))
    }

    /// Whether the value fits; gives the locals of the pattern their values as far as it does.
    fn fits(&mut self, pattern: &Pattern, value: &Value, span: Span) -> Step<bool> {
        match (pattern, value) {
            (Pattern::Any, _) => Ok(true),
            (Pattern::Bind(id), _) => {
                self.set(*id, value.clone());
                Ok(true)
            }
            (Pattern::Value(known, ty), _) => Ok(self.meter.equal(self.types, ty, known, value, span)?),
            (Pattern::None, Value::Option(found)) => Ok(found.is_none()),
            (Pattern::Some(inner, _), Value::Option(Some(found))) => self.fits(inner, found, span),
            (Pattern::Variant(place, patterns, _), Value::Variant(found, values)) if place == found => {
                self.all_fit(patterns, values, span)
            }
            (Pattern::Record(patterns), Value::Record(values)) => self.all_fit(patterns, values, span),
            _ => Ok(false),
        }
    }

    fn all_fit(&mut self, patterns: &[(Pattern, Type)], values: &[Value], span: Span) -> Step<bool> {
        for ((pattern, _), value) in patterns.iter().zip(values) {
            if !self.fits(pattern, value, span)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

// The checker knows the types; these take values apart accordingly.

fn number(value: &Value) -> i64 {
    match value {
        Value::Number(number) => *number,
        _ => unreachable!("the checker knows that this is a number"),
    }
}

fn text(value: &Value) -> Arc<str> {
    match value {
        Value::Text(text) => text.clone(),
        _ => unreachable!("the checker knows that this is text"),
    }
}

fn elements(value: &Value) -> Arc<Vec<Value>> {
    match value {
        Value::List(values) => values.clone(),
        _ => unreachable!("the checker knows that this is a list"),
    }
}

fn entries(value: &Value) -> Arc<Vec<(Value, Value)>> {
    match value {
        Value::Map(entries) => entries.clone(),
        _ => unreachable!("the checker knows that this is a map"),
    }
}
