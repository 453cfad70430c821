//! Aligned columns of text for people. It does not wrap, colour or draw lines.
use std::fmt;

/// Space between two columns.
const GAP: &str = "  ";

/// A table with a header; numbers go to the right.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    header: Vec<String>,
    right: Vec<bool>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Columns by name; a name that begins with `>` is for a column that is aligned to the right.
    pub(crate) fn new<const N: usize>(columns: [&str; N]) -> Self {
        Self {
            header: columns
                .iter()
                .map(|name| name.trim_start_matches('>').to_owned())
                .collect(),
            right: columns.iter().map(|name| name.starts_with('>')).collect(),
            rows: Vec::new(),
        }
    }

    /// Rows of a name and a value, without a header.
    pub(crate) fn pairs() -> Self {
        Self {
            header: Vec::new(),
            right: vec![false; 2],
            rows: Vec::new(),
        }
    }

    /// Adds a row; missing cells are empty, superfluous ones are not shown.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }

    /// Adds a row of a name and a value.
    pub(crate) fn pair(&mut self, name: &str, value: impl fmt::Display) {
        self.row([name.to_owned(), value.to_string()]);
    }

    fn widths(&self) -> Vec<usize> {
        let width = |column: usize| {
            let cells = self
                .rows
                .iter()
                .chain([&self.header])
                .filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        (0..self.right.len()).map(width).collect()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        let header = (!self.header.is_empty()).then_some(&self.header);
        for row in header.into_iter().chain(&self.rows) {
            let mut line = String::new();
            for ((cell, width), right) in row.iter().zip(&widths).zip(&self.right) {
                if !line.is_empty() {
                    line.push_str(GAP);
                }
                // Control characters could move the cursor: what is shown comes from other people, too.
                let cell: String = cell
                    .chars()
                    .map(|c| if c.is_control() { '\u{fffd}' } else { c })
                    .collect();
                line += &if *right {
                    format!("{cell:>width$}")
                } else {
                    format!("{cell:<width$}")
                };
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(["NAME", ">MANA"]);
        table.row(["bakery".into(), "7".into()]);
        table.row(["müller".into(), "1200".into()]);
        assert_eq!(table.to_string(), "NAME    MANA\nbakery     7\nmüller  1200\n");
    }

    #[test]
    fn pairs_have_no_header_and_strangers_no_cursor() {
        let mut table = Table::pairs();
        table.pair("id", "a\u{1b}[2Jb\n");
        table.pair("height", 12);
        assert_eq!(table.to_string(), "id      a\u{fffd}[2Jb\u{fffd}\nheight  12\n");
    }
}
