//! The tables of a store and their stable numbers. It says nothing about what keys look like inside
//! a table: whoever writes a table owns its layout.

use std::fmt;

/// A named set of ordered keys.
///
/// The number of a table is part of the stored format (backends without named tables put it before
/// each key), so a number is never changed and never used again. Number 0 belongs to the backends'
/// own records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Table {
    /// One-off facts about this node's copy: the applied height and its hash, schema versions.
    Meta = 1,
    /// What the log's operations have made so far.
    State = 2,
    /// Content-addressed blocks, see [`crate::Blocks`].
    Blocks = 3,
    /// Which blocks are to be kept, and for whom.
    Pins = 4,
    /// The log's blocks by height.
    Log = 5,
    /// Where each operation stands, by its id.
    Operations = 6,
    /// Events, append-only.
    Events = 7,
    /// Work in progress on jobs that this node runs or has submitted.
    Jobs = 8,
    /// What this node has signed and countersigned on its lines of credit, beside the log.
    Credit = 9,
    /// The events that are kept, by their kinds.
    EventKinds = 10,
}

impl Table {
    /// Every table, in the order of the numbers.
    pub const ALL: [Self; 10] = [
        Self::Meta,
        Self::State,
        Self::Blocks,
        Self::Pins,
        Self::Log,
        Self::Operations,
        Self::Events,
        Self::Jobs,
        Self::Credit,
        Self::EventKinds,
    ];

    /// The stable number, 1 to 10.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The table with this number, if there is one.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.number() == number)
    }

    /// The stable name, for backends with named tables, for backups and for messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::State => "state",
            Self::Blocks => "blocks",
            Self::Pins => "pins",
            Self::Log => "log",
            Self::Operations => "operations",
            Self::Events => "events",
            Self::Jobs => "jobs",
            Self::Credit => "credit",
            Self::EventKinds => "event_kinds",
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn numbers_and_names_are_the_stored_format() {
        let stored: Vec<(u8, &str)> = Table::ALL.iter().map(|t| (t.number(), t.name())).collect();
        assert_eq!(
            stored,
            [
                (1, "meta"),
                (2, "state"),
                (3, "blocks"),
                (4, "pins"),
                (5, "log"),
                (6, "operations"),
                (7, "events"),
                (8, "jobs"),
                (9, "credit"),
                (10, "event_kinds"),
            ]
        );
    }

    #[test]
    fn a_number_leads_back_to_its_table() {
        for table in Table::ALL {
            assert_eq!(Table::from_number(table.number()), Some(table));
        }
        assert_eq!(Table::from_number(0), None);
        assert_eq!(Table::from_number(11), None);
    }
}
