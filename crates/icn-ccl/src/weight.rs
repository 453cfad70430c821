//! How much work straight code is: what one pass through the body of a function, or one turn of a loop, costs.
//!
//! It is known from the text alone, so that both engines charge it once, at the beginning of the pass, by the
//! same number. Without it a loop over a long body would be cheap in units and endless in time.
use crate::{
    ir::{Body, Expr, ExprKind, Op, Pattern, Statement},
    limits::{OPERATIONS_PER_UNIT, RATIO_OPERATIONS, TEXT_OPERATIONS},
    types::Type,
};

impl Body {
    /// The straight code `expr`.
    pub(crate) fn new(expr: Expr) -> Self {
        let units = units(weight(&expr));
        Self { expr, units }
    }

    /// The straight code `expr`, which runs where `condition` holds; the condition is part of each turn.
    pub(crate) fn guarded(condition: Option<&Expr>, expr: Expr) -> Self {
        let units = units(condition.map_or(0, weight) + weight(&expr));
        Self { expr, units }
    }
}

const fn units(operations: usize) -> usize {
    1 + operations / OPERATIONS_PER_UNIT
}

/// Operations in `expr`, without the turns of the loops in it: these pay for themselves.
fn weight(expr: &Expr) -> usize {
    match &expr.kind {
        ExprKind::Block(statements, tail) => {
            statements.iter().map(of_statement).sum::<usize>() + weight(tail)
        }
        ExprKind::Collect(_, over, _, _) => 1 + weight(over),
        ExprKind::Match(value, _, arms) => {
            let arms = arms
                .iter()
                .map(|(pattern, body)| of_pattern(pattern) + weight(body));
            1 + weight(value) + arms.sum::<usize>()
        }
        ExprKind::Op(op, args) => of_op(*op, &args[0].ty) + args.iter().map(weight).sum::<usize>(),
        _ => 1 + expr.parts().into_iter().map(weight).sum::<usize>(),
    }
}

fn of_statement(statement: &Statement) -> usize {
    match statement {
        Statement::Set(_, value) | Statement::Do(value) => weight(value),
        Statement::ForList(_, over, _) | Statement::ForMap(_, _, over, _) => 1 + weight(over),
        Statement::ForRange(_, from, to, _) => 1 + weight(from) + weight(to),
    }
}

fn of_pattern(pattern: &Pattern) -> usize {
    let all =
        |patterns: &[(Pattern, Type)]| patterns.iter().map(|(inner, _)| of_pattern(inner)).sum::<usize>();
    match pattern {
        Pattern::Any | Pattern::Bind(_) | Pattern::Value(..) | Pattern::None => 1,
        Pattern::Some(inner, _) => 1 + of_pattern(inner),
        Pattern::Variant(_, patterns, _) | Pattern::Record(patterns) => 1 + all(patterns),
    }
}

/// What a built-in costs on top of what it counts by itself.
fn of_op(op: Op, of: &Type) -> usize {
    match op {
        // These look for common divisors, or compare by Euclid's algorithm: up to ninety steps.
        Op::Divide
        | Op::ToRatio
        | Op::RatioAdd
        | Op::RatioSubtract
        | Op::RatioMultiply
        | Op::RatioDivide
        | Op::Scale(_) => RATIO_OPERATIONS,
        Op::Compare(_) if *of == Type::Ratio => RATIO_OPERATIONS,
        Op::ToText if !of.is_textual() => TEXT_OPERATIONS,
        _ => 1,
    }
}
