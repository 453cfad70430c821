//! What was read: for each unit a network with names.
use icn_clearing::Obligation;
use std::collections::HashMap;

/// All rows of the input, by unit.
#[derive(Default)]
pub(crate) struct Input {
    /// Whether there is a column for units.
    pub(crate) has_units: bool,
    pub(crate) networks: Vec<Network>,
    /// The network of each row, while there is more than one.
    network_of_row: Vec<u32>,
    by_unit: HashMap<String, u32>,
    rows: usize,
}

/// The rows of one unit.
#[derive(Default)]
pub(crate) struct Network {
    /// Empty without a column for units.
    pub(crate) unit: String,
    pub(crate) rows: Vec<Obligation>,
    names: Vec<Name>,
    by_number: HashMap<u32, u32>,
    by_text: HashMap<Box<str>, u32>,
}

/// A party as it was written.
enum Name {
    Number(u32),
    Text(Box<str>),
}

impl Input {
    /// How many rows there are in all units.
    pub(crate) const fn rows(&self) -> usize {
        self.rows
    }

    /// How many parties there are in all units, one that has debts in two counted twice.
    pub(crate) fn parties(&self) -> usize {
        self.networks.iter().map(|network| network.names.len()).sum()
    }

    /// The place of the network of a unit, made if it is new.
    pub(crate) fn network(&mut self, unit: &str) -> u32 {
        if let Some(last) = self.networks.last()
            && last.unit == unit
        {
            return small(self.networks.len() - 1);
        }
        if let Some(&at) = self.by_unit.get(unit) {
            return at;
        }
        let at = small(self.networks.len());
        self.networks.push(Network {
            unit: unit.to_owned(),
            ..Network::default()
        });
        self.by_unit.insert(unit.to_owned(), at);
        if at == 1 {
            self.network_of_row = vec![0; self.rows];
        }
        at
    }

    /// Takes a row in.
    pub(crate) fn push(&mut self, network: u32, debtor: &str, creditor: &str, amount: u64) {
        let into = &mut self.networks[network as usize];
        let (debtor, creditor) = (into.party(debtor), into.party(creditor));
        into.rows.push(Obligation {
            debtor,
            creditor,
            amount,
        });
        if self.networks.len() > 1 {
            self.network_of_row.push(network);
        }
        self.rows += 1;
    }

    /// Every row in the order of the input: the place of its network, and its place there.
    pub(crate) fn in_order(&self) -> impl Iterator<Item = (usize, usize)> {
        let mut next = vec![0; self.networks.len()];
        (0..self.rows).map(move |row| {
            let network = self
                .network_of_row
                .get(row)
                .map_or(0, |&network| network as usize);
            next[network] += 1;
            (network, next[network] - 1)
        })
    }

    /// The place in the input, from 1, of a row of a network.
    pub(crate) fn row_number(&self, network: usize, row: usize) -> usize {
        let found = self.in_order().position(|place| place == (network, row));
        found.map_or(0, |at| at + 1)
    }
}

impl Network {
    /// The number of parties.
    pub(crate) fn parties(&self) -> u32 {
        small(self.names.len())
    }

    /// A party as it was written.
    pub(crate) fn name(&self, party: u32) -> String {
        match &self.names[party as usize] {
            Name::Number(number) => number.to_string(),
            Name::Text(text) => text.to_string(),
        }
    }

    /// The party of this name, if there is one.
    pub(crate) fn find(&self, name: &str) -> Option<u32> {
        match plain_number(name) {
            Some(number) => self.by_number.get(&number).copied(),
            None => self.by_text.get(name).copied(),
        }
    }

    fn party(&mut self, name: &str) -> u32 {
        if let Some(party) = self.find(name) {
            return party;
        }
        let party = small(self.names.len());
        if let Some(number) = plain_number(name) {
            self.names.push(Name::Number(number));
            self.by_number.insert(number, party);
        } else {
            self.names.push(Name::Text(name.into()));
            self.by_text.insert(name.into(), party);
        }
        party
    }
}

/// The number that is written exactly like this.
fn plain_number(name: &str) -> Option<u32> {
    let plain = name.len() <= 10 && name.bytes().all(|byte| byte.is_ascii_digit());
    (plain && (!name.starts_with('0') || name == "0")).then(|| name.parse().ok())?
}

/// Counts of rows, units and parties, which [`super::read`] keeps below 2^30.
fn small(count: usize) -> u32 {
    u32::try_from(count).expect("reading stops at 2^30 rows")
}
