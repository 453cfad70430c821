//! Many rows in one statement, in both dialects.
//!
//! PostgreSQL takes an array a column, SQLite one JSON document; a list of parameters for each row would be planned
//! anew for each number of rows, and both have a bound on it.
use super::Dialect;
use serde_json::Value;
use sqlx::{Any, query::Query};
use std::fmt::Write as _;

/// What a column holds.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Int,
    Text,
}

/// Rows to be written.
pub(super) struct Bulk {
    kinds: &'static [Kind],
    rows: Vec<Vec<Value>>,
}

impl Bulk {
    pub(super) const fn new(kinds: &'static [Kind]) -> Self {
        Self {
            kinds,
            rows: Vec::new(),
        }
    }

    /// Adds a row: integers, texts and nulls, as the columns say.
    pub(super) fn push(&mut self, row: Vec<Value>) {
        self.rows.push(row);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(super) const fn len(&self) -> u64 {
        self.rows.len() as u64
    }

    /// The rows as a query, with columns called `c1`, `c2` and so on.
    pub(super) fn select(&self, dialect: Dialect) -> String {
        let columns = self.kinds.iter().enumerate();
        match dialect {
            Dialect::Postgresql => {
                let arrays: Vec<_> = columns
                    .map(|(at, kind)| match kind {
                        Kind::Int => format!("${}::text::bigint[]", at + 1),
                        Kind::Text => format!("${}::text::text[]", at + 1),
                    })
                    .collect();
                let names: Vec<_> = (1..=arrays.len()).map(|number| format!("c{number}")).collect();
                format!(
                    "SELECT * FROM unnest({}) AS v({})",
                    arrays.join(", "),
                    names.join(", ")
                )
            }
            Dialect::Sqlite => {
                let values: Vec<_> = columns
                    .map(|(at, _)| format!("value ->> {at} AS c{}", at + 1))
                    .collect();
                // Without a condition, what follows could be read as one of a join.
                format!("SELECT {} FROM json_each($1) WHERE true", values.join(", "))
            }
        }
    }

    /// Gives a statement over [`Self::select`] its values.
    pub(super) fn bind<'q>(
        &self,
        dialect: Dialect,
        statement: Query<'q, Any, sqlx::any::AnyArguments>,
    ) -> Query<'q, Any, sqlx::any::AnyArguments> {
        match dialect {
            Dialect::Postgresql => {
                (0..self.kinds.len()).fold(statement, |statement, at| statement.bind(self.array(at)))
            }
            Dialect::Sqlite => {
                let rows = self.rows.iter().map(|row| Value::Array(row.clone())).collect();
                statement.bind(Value::Array(rows).to_string())
            }
        }
    }

    /// A column as the text of an array.
    fn array(&self, column: usize) -> String {
        let mut text = String::from("{");
        for (at, row) in self.rows.iter().enumerate() {
            if at > 0 {
                text.push(',');
            }
            match &row[column] {
                Value::String(value) => {
                    text.push('"');
                    for character in value.chars() {
                        if matches!(character, '"' | '\\') {
                            text.push('\\');
                        }
                        text.push(character);
                    }
                    text.push('"');
                }
                Value::Null => text.push_str("NULL"),
                // Writing to a text never fails.
                other => drop(write!(text, "{other}")),
            }
        }
        text.push('}');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_hold_any_text() {
        let mut bulk = Bulk::new(&[Kind::Int, Kind::Text]);
        bulk.push(vec![1.into(), r#"a "b", \{c}"#.into()]);
        bulk.push(vec![Value::Null, Value::Null]);
        bulk.push(vec![(-3).into(), "".into()]);
        assert_eq!(bulk.array(0), "{1,NULL,-3}");
        assert_eq!(bulk.array(1), r#"{"a \"b\", \\{c}",NULL,""}"#);
        assert!(bulk.select(Dialect::Postgresql).contains("$2::text::text[]"));
        assert!(bulk.select(Dialect::Sqlite).contains("value ->> 1"));
    }
}
