//! What a contract says, in plain words, for those who are to vote about it.
use crate::{
    interface::{self, ELECTORATES, METHODS, PERMISSIONS},
    interp::text_of,
    ir::{Expr, ExprKind, Function, FunctionId, Op, Process, Program, Role, Threshold},
    types::Type,
    value::Value,
};
use std::{collections::BTreeSet, fmt::Write as _};

/// The contract in plain words, a paragraph for each of its parts, and what it leaves open.
pub fn explain(program: &Program) -> String {
    let mut text = String::new();
    let holds = match program.scope {
        "cooperative" => "It holds in the cooperative that adopts it.",
        "federation" => "It holds for all cooperatives of the federation.",
        _ => "It is a module: it decides nothing itself.",
    };
    let _ = writeln!(text, "\"{}\", version {}. {holds}", program.name, program.version);
    section(
        &mut text,
        "Who may do what",
        program.roles.iter().map(|role| role_text(program, role)),
    );
    section(
        &mut text,
        "What decisions need",
        program.processes.iter().map(process_text),
    );
    let policies = program.policies.iter().map(|policy| {
        let slot = policy.slot;
        let rule = function_text(program, policy.function);
        format!(
            "{} ({}): it decides {}.\n{rule}",
            slot.name,
            program.types.show(&slot.result_type()),
            slot.doc
        )
    });
    section(&mut text, "What it decides", policies);
    section(&mut text, "What it leaves open", open(program).into_iter());
    text
}

fn section(text: &mut String, title: &str, parts: impl Iterator<Item = String>) {
    let parts: Vec<_> = parts.collect();
    if parts.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{title}");
    for part in parts {
        let mut lines = part.lines().filter(|line| !line.is_empty());
        let _ = writeln!(text, "- {}", lines.next().unwrap_or_default());
        lines.for_each(|line| {
            let _ = writeln!(text, "  {line}");
        });
    }
}

fn meaning(table: &[(&str, &'static str)], name: &str) -> &'static str {
    table
        .iter()
        .find(|(known, _)| *known == name)
        .map_or("", |(_, meaning)| meaning)
}

fn role_text(program: &Program, role: &Role) -> String {
    let may: Vec<_> = role.may.iter().map(|name| meaning(PERMISSIONS, name)).collect();
    let may = if may.is_empty() {
        format!("a {} has no permissions of its own.", role.name)
    } else {
        format!("a {} may {}.", role.name, may.join("; "))
    };
    let requires = match role.requires {
        Some(id) => format!("Who wants to be one:\n{}", function_text(program, id)),
        None => "Nothing is asked of those who want to be one.".to_owned(),
    };
    format!("{may}\n{requires}")
}

fn span_of_time(millis: i64) -> String {
    text_of(interface::types(), &Type::Duration, &Value::Number(millis))
}

fn process_text(process: &Process) -> String {
    let mut text = format!("{}: to {}.\n", process.name, process.kind.doc);
    let roll = meaning(ELECTORATES, process.electorate);
    let _ = writeln!(text, "On the roll: {roll}.");
    if !process.eligible.is_empty() {
        let _ = writeln!(text, "Only those who are: {}.", process.eligible.join(", "));
    }
    let _ = writeln!(text, "Votes: {}.", meaning(METHODS, process.method));
    let _ = writeln!(text, "At least {} of the roll has to take part.", process.quorum);
    match process.threshold {
        Some(Threshold::MoreThan(share)) => {
            let _ = writeln!(
                text,
                "More than {share} of the votes has to agree; {share} itself is not enough."
            );
        }
        Some(Threshold::AtLeast(share)) => {
            let _ = writeln!(
                text,
                "At least {share} of the votes has to agree; {share} itself is enough."
            );
        }
        None => {
            let _ = writeln!(text, "One paramount objection, with its reason, blocks.");
        }
    }
    let _ = writeln!(text, "It is open for {}.", span_of_time(process.duration_ms));
    if process.votes_final {
        let _ = writeln!(
            text,
            "Votes are final, and it may close early when nothing can change any more."
        );
    }
    if process.sponsors > 0 {
        let _ = writeln!(text, "It needs {} sponsors before it opens.", process.sponsors);
    }
    match (process.executes, process.timelock_ms) {
        (false, _) => text.push_str("It is advice: accepting it changes nothing."),
        (true, 0) => text.push_str("What was accepted is carried out at once."),
        (true, wait) => {
            let _ = write!(
                text,
                "What was accepted is carried out after {}.",
                span_of_time(wait)
            );
        }
    }
    text
}

/// What a function asks, refuses and looks at.
fn function_text(program: &Program, id: FunctionId) -> String {
    let mut found = Found::default();
    let mut seen = BTreeSet::new();
    look(program, id, &mut found, &mut seen);
    let mut text = String::new();
    if let Some(value) = plain_result(program, &program.functions[id]) {
        // A rule that ends with `true` says everything by what it refuses.
        let _ = match value.as_str() {
            "true" => writeln!(text, "Whatever it does not refuse, it allows."),
            _ => writeln!(text, "It is {value}."),
        };
    }
    for rule in &found.rules {
        let _ = writeln!(text, "{rule}");
    }
    if found.rules.is_empty() {
        text.push_str("It never refuses.\n");
    }
    if !found.constants.is_empty() {
        let constants = found.constants.into_iter().collect::<Vec<_>>();
        let _ = writeln!(text, "There, {}.", constants.join(", "));
    }
    if !found.fields.is_empty() {
        let _ = writeln!(
            text,
            "It looks at: {}.",
            found.fields.into_iter().collect::<Vec<_>>().join(", ")
        );
    }
    if !found.faults.is_empty() {
        let _ = writeln!(
            text,
            "It can fail, which counts as a refusal: {}.",
            found.faults.into_iter().collect::<Vec<_>>().join("; ")
        );
    }
    text
}

/// The value of a function in the words of its source, where that is short.
fn plain_result(program: &Program, function: &Function) -> Option<String> {
    let ExprKind::Block(_, tail) = &function.body.expr.kind else {
        return None;
    };
    let source = program.sources.text(tail.span);
    let words = source.split_whitespace().collect::<Vec<_>>().join(" ");
    (!words.is_empty() && words != "}" && words.len() <= 160).then_some(words)
}

#[derive(Default)]
struct Found {
    rules: Vec<String>,
    fields: BTreeSet<String>,
    constants: BTreeSet<String>,
    faults: BTreeSet<&'static str>,
}

fn look(program: &Program, id: FunctionId, found: &mut Found, seen: &mut BTreeSet<FunctionId>) {
    if seen.insert(id) {
        look_at(program, &program.functions[id].body.expr, found, seen);
    }
}

/// A condition that has to hold, and the reason if it does not: how the checker writes `require`.
fn requirement(expr: &Expr) -> Option<(&Expr, &Expr)> {
    match &expr.kind {
        ExprKind::If(condition, then, otherwise) => match (&then.kind, &otherwise.kind) {
            (ExprKind::Const(Value::Unit), ExprKind::Refuse(reason)) => Some((condition, reason)),
            _ => None,
        },
        _ => None,
    }
}

fn look_at(program: &Program, expr: &Expr, found: &mut Found, seen: &mut BTreeSet<FunctionId>) {
    let words = |expr: &Expr| {
        program
            .sources
            .text(expr.span)
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    };
    if let Some((condition, reason)) = requirement(expr) {
        found.rules.push(format!(
            "It refuses with {} unless {}.",
            words(reason),
            words(condition)
        ));
        look_at(program, condition, found, seen);
        return look_at(program, reason, found, seen);
    }
    match &expr.kind {
        ExprKind::Refuse(reason) => found.rules.push(format!("It may refuse with {}.", words(reason))),
        ExprKind::Const(value) => {
            // A name in the source stands for a constant of the contract.
            let name = words(expr);
            let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
                && name
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
            let is_keyword = matches!(value, Value::Bool(_) | Value::Option(_) | Value::Unit);
            if is_name && !is_keyword {
                let value = text_of(&program.types, &expr.ty, value);
                found.constants.insert(format!("{name} is {value}"));
            }
        }
        ExprKind::Call(id, _) => look(program, *id, found, seen),
        ExprKind::Field(base, at) => {
            if let Type::Record(id) = &base.ty
                && let Some(input) = interface::INPUTS.get(id.0 as usize)
            {
                found.fields.insert(input.fields[*at].doc.to_owned());
            }
        }
        ExprKind::Op(op, args) => found.faults.extend(fault_of(*op, args, &expr.ty)),
        _ => {}
    }
    for part in expr.parts() {
        look_at(program, part, found, seen);
    }
}

fn fault_of(op: Op, args: &[Expr], ty: &Type) -> Option<&'static str> {
    let constant = |at: usize| matches!(args.get(at).map(|arg| &arg.kind), Some(ExprKind::Const(_)));
    Some(match op {
        Op::Divide | Op::Quotient | Op::Remainder | Op::RatioDivide if !constant(1) => "a division by zero",
        Op::ListIndex => "an index outside of a list",
        Op::MapIndex => "a key that a map does not have",
        Op::Subtract if ty.is_natural() => "a difference below zero",
        _ => return None,
    })
}

/// What the contract could have decided and has not.
fn open(program: &Program) -> Vec<String> {
    let mut text = Vec::new();
    let decided = |name: &str| program.policies.iter().any(|policy| policy.slot.name == name);
    for slot in interface::SLOTS.iter().filter(|slot| !decided(slot.name)) {
        text.push(format!(
            "{}: without another contract, {}.",
            slot.doc, slot.without
        ));
    }
    let decides = |kind: &str| program.processes.iter().any(|process| process.kind.name == kind);
    let (built_in, others): (Vec<_>, Vec<_>) = interface::PROPOSAL_KINDS
        .iter()
        .filter(|kind| !decides(kind.name))
        .partition(|kind| kind.built_in);
    let names = |kinds: &[&interface::ProposalKind]| {
        kinds.iter().map(|kind| kind.name).collect::<Vec<_>>().join(", ")
    };
    if !others.is_empty() {
        text.push(format!(
            "how proposals of these kinds are decided: {}.",
            names(&others)
        ));
    }
    text.push(format!(
        "these follow built-in rules, whatever a contract says: {}.",
        names(&built_in)
    ));
    text
}
