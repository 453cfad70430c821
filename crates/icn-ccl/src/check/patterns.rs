//! Whether the arms of a `match` cover every value, and whether each covers some that those above do not.
//!
//! The method of L. Maranget, "Warnings for pattern matching" (Journal of Functional Programming 17(3),
//! 2007): a row is useful to a matrix of rows if some value fits it and none of them.
use crate::{
    diagnostic::{Code, Diagnostic},
    ir::Pattern,
    source::Span,
    types::{Type, Types},
    value::Value,
};

/// Steps after which a `match` counts as too complicated: the question is exponential at its worst.
const MAX_STEPS: usize = 20_000;

/// What a value begins with.
#[derive(Clone, Debug, PartialEq)]
enum Head {
    None,
    Some,
    Variant(u32),
    Record,
    Value(Value),
}

/// A pattern without names.
#[derive(Clone, Debug)]
enum Shape {
    Any,
    Of(Head, Vec<Shape>),
}

fn shape(pattern: &Pattern) -> Shape {
    match pattern {
        Pattern::Any | Pattern::Bind(_) => Shape::Any,
        Pattern::Value(value, _) => Shape::Of(Head::Value(value.clone()), Vec::new()),
        Pattern::None => Shape::Of(Head::None, Vec::new()),
        Pattern::Some(inner, _) => Shape::Of(Head::Some, vec![shape(inner)]),
        Pattern::Variant(place, values, _) => Shape::Of(
            Head::Variant(*place),
            values.iter().map(|(pattern, _)| shape(pattern)).collect(),
        ),
        Pattern::Record(fields) => Shape::Of(
            Head::Record,
            fields.iter().map(|(pattern, _)| shape(pattern)).collect(),
        ),
    }
}

/// What is wrong with the arms of a `match` over a value of type `ty`.
pub(super) fn check(
    types: &Types,
    ty: &Type,
    arms: &[Pattern],
    spans: &[Span],
    whole: Span,
) -> Vec<Diagnostic> {
    let mut search = Search { types, steps: 0 };
    let mut rows: Vec<Vec<Shape>> = Vec::new();
    let mut found = Vec::new();
    let column = core::slice::from_ref(ty);
    for (arm, span) in arms.iter().zip(spans) {
        let row = vec![shape(arm)];
        if search.witness(&rows, column, &row).is_none() && !search.exhausted() {
            let diagnostic = Diagnostic::new(Code::UnreachableArm, *span, "nothing reaches this arm");
            found.push(diagnostic.help("the arms above cover what it covers; take it out, or put it first"));
        }
        rows.push(row);
    }
    if let Some(missing) = search.witness(&rows, column, &[Shape::Any]) {
        let missing = missing
            .first()
            .map_or_else(|| "_".to_owned(), |shape| search.show(shape, ty));
        let message = format!("this match does not cover `{missing}`");
        let diagnostic = Diagnostic::new(Code::NotExhaustive, whole, message);
        found.push(diagnostic.help(format!("add `{missing} => …`, or `_ => …` for the rest")));
    }
    if search.exhausted() {
        let diagnostic = Diagnostic::new(
            Code::TooMany,
            whole,
            "this match is too complicated to be checked",
        );
        return vec![diagnostic.help("split it into several")];
    }
    found
}

struct Search<'a> {
    types: &'a Types,
    steps: usize,
}

impl Search<'_> {
    fn exhausted(&self) -> bool {
        self.steps > MAX_STEPS
    }

    /// A row of values that fits `query` and none of `rows`, if there is one.
    fn witness(&mut self, rows: &[Vec<Shape>], columns: &[Type], query: &[Shape]) -> Option<Vec<Shape>> {
        self.steps += 1 + rows.len();
        if self.exhausted() {
            return None;
        }
        let (Some(first), Some((ty, rest))) = (query.first(), columns.split_first()) else {
            return rows.is_empty().then(Vec::new);
        };
        if let Shape::Of(head, _) = first {
            return self.with_head(rows, ty, rest, query, head);
        }
        let mut used: Vec<Head> = Vec::new();
        for row in rows {
            if let Some(Shape::Of(head, _)) = row.first()
                && !used.contains(head)
            {
                used.push(head.clone());
            }
        }
        let all = self.heads(ty);
        let open = match &all {
            Some(all) => all.iter().find(|head| !used.contains(head)).cloned().map(Some),
            None => Some(None),
        };
        if let Some(head) = open {
            // Some values begin like no row: only rows that take anything count.
            let others: Vec<_> = rows
                .iter()
                .filter(|row| matches!(row.first(), Some(Shape::Any)))
                .map(|row| row[1..].to_vec())
                .collect();
            let mut found = self.witness(&others, rest, &query[1..])?;
            let example = match head {
                Some(head) if !used.is_empty() => {
                    let inner = self.inner(ty, &head).iter().map(|_| Shape::Any).collect();
                    Shape::Of(head, inner)
                }
                _ => Shape::Any,
            };
            found.insert(0, example);
            return Some(found);
        }
        let all = all.unwrap_or_default();
        all.iter()
            .find_map(|head| self.with_head(rows, ty, rest, query, head))
    }

    /// The same for values whose first begins with `head`.
    fn with_head(
        &mut self,
        rows: &[Vec<Shape>],
        ty: &Type,
        rest: &[Type],
        query: &[Shape],
        head: &Head,
    ) -> Option<Vec<Shape>> {
        let inner = self.inner(ty, head);
        let narrowed: Vec<_> = rows
            .iter()
            .filter_map(|row| specialise(row, head, inner.len()))
            .collect();
        let query = specialise(query, head, inner.len())?;
        let columns: Vec<_> = inner.iter().chain(rest).cloned().collect();
        let mut found = self.witness(&narrowed, &columns, &query)?;
        let tail = found.split_off(inner.len());
        let mut row = vec![Shape::Of(head.clone(), found)];
        row.extend(tail);
        Some(row)
    }

    /// What values of type `ty` can begin with, where that is a short list.
    fn heads(&self, ty: &Type) -> Option<Vec<Head>> {
        match ty {
            Type::Bool => Some(vec![
                Head::Value(Value::Bool(false)),
                Head::Value(Value::Bool(true)),
            ]),
            Type::Option(_) => Some(vec![Head::None, Head::Some]),
            Type::Record(_) => Some(vec![Head::Record]),
            Type::Enum(id) => {
                let count = self.types.enumeration(*id).variants.len();
                Some(
                    (0..u32::try_from(count).unwrap_or(0))
                        .map(Head::Variant)
                        .collect(),
                )
            }
            _ => None,
        }
    }

    /// The types of what stands within a value that begins with `head`.
    fn inner(&self, ty: &Type, head: &Head) -> Vec<Type> {
        match (ty, head) {
            (Type::Option(of), Head::Some) => vec![(**of).clone()],
            (Type::Record(id), Head::Record) => self
                .types
                .record(*id)
                .fields
                .iter()
                .map(|(_, ty)| ty.clone())
                .collect(),
            (Type::Enum(id), Head::Variant(place)) => {
                self.types.enumeration(*id).variants[*place as usize].1.clone()
            }
            _ => Vec::new(),
        }
    }

    /// The shape as a pattern in source text.
    fn show(&self, shape: &Shape, ty: &Type) -> String {
        let Shape::Of(head, parts) = shape else {
            return "_".to_owned();
        };
        let inner = self.inner(ty, head);
        let parts: Vec<_> = parts
            .iter()
            .zip(&inner)
            .map(|(part, ty)| self.show(part, ty))
            .collect();
        match (head, ty) {
            (Head::None, _) => "None".to_owned(),
            (Head::Some, _) => format!("Some({})", parts.join(", ")),
            (Head::Variant(place), Type::Enum(id)) => {
                let def = self.types.enumeration(*id);
                let name = &def.variants[*place as usize].0;
                if parts.is_empty() {
                    format!("{}.{name}", def.name)
                } else {
                    format!("{}.{name}({})", def.name, parts.join(", "))
                }
            }
            (Head::Record, Type::Record(id)) => {
                let record = self.types.record(*id);
                let named = record.fields.iter().zip(&parts).filter(|(_, part)| *part != "_");
                let named: Vec<_> = named.map(|((name, _), part)| format!("{name}: {part}")).collect();
                format!("{}({})", record.name, named.join(", "))
            }
            (Head::Value(Value::Bool(value)), _) => value.to_string(),
            _ => "_".to_owned(),
        }
    }
}

/// The row for values whose first begins with `head` and has `inner` values in it; none if it does not fit.
fn specialise(row: &[Shape], head: &Head, inner: usize) -> Option<Vec<Shape>> {
    let (first, rest) = row.split_first()?;
    let mut parts = match first {
        Shape::Any => vec![Shape::Any; inner],
        Shape::Of(own, parts) if own == head => parts.clone(),
        Shape::Of(..) => return None,
    };
    parts.extend_from_slice(rest);
    Some(parts)
}
