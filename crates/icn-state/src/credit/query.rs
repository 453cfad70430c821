//! What can be asked of lines.
use super::LineKey;
use crate::{
    line::{Side, View},
    state::State,
    table::Key as _,
};
use alloc::{collections::BTreeMap, vec::Vec};
use icn_model::{AgreementId, CreditUnit, Did, Digest, LineId, LineRecord, PublicKey};

/// What somebody owes and is owed in a unit, over all its lines, minor units, after clearing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exposure {
    /// What it owes on the lines on which it owes.
    pub owes: u128,
    /// What it is owed on the others.
    pub owed: u128,
    /// The most that it may owe now, over all its lines.
    pub may_owe: u128,
    /// The most that it may be owed now.
    pub may_be_owed: u128,
}

impl State {
    /// A line.
    pub fn line(&self, id: &LineId) -> Option<&LineRecord> {
        self.tables.lines.get(&(id.agreement, id.unit.clone()))
    }

    /// Every line, in the order of agreements and units.
    pub fn lines(&self) -> impl DoubleEndedIterator<Item = (LineId, &LineRecord)> {
        self.tables.lines.iter().map(|(key, line)| (line_id(key), line))
    }

    /// The lines of an agreement, in the order of units.
    pub fn lines_of_agreement(&self, id: &AgreementId) -> impl Iterator<Item = (&CreditUnit, &LineRecord)> {
        self.tables.lines.of(id)
    }

    /// The lines of one of their ends, in the order of agreements and units.
    pub fn lines_of(&self, end: &Did) -> impl Iterator<Item = (LineId, &LineRecord)> {
        let end = *end;
        let from = (end, AgreementId::new(Digest::ZERO), CreditUnit::least());
        let of = self.tables.lines.index().by_end.range(from..);
        of.take_while(move |(did, ..)| *did == end)
            .filter_map(|(_, agreement, unit)| {
                let key = (*agreement, unit.clone());
                Some((line_id(&key), self.tables.lines.get(&key)?))
            })
    }

    /// What `of` owes on a line after clearing, minor units, as far as it is anchored; below zero, what it is owed.
    /// None if it is no end of the line.
    pub fn position(&self, id: &LineId, of: &Did) -> Option<i128> {
        let line = self.line(id)?;
        Some(line.debt(line.end(of)?))
    }

    /// What somebody owes and is owed, by unit.
    pub fn exposure(&self, of: &Did) -> BTreeMap<CreditUnit, Exposure> {
        let mut units: BTreeMap<CreditUnit, Exposure> = BTreeMap::new();
        for (id, line) in self.lines_of(of) {
            let Some(end) = line.end(of) else { continue };
            let sum = units.entry(id.unit).or_default();
            let (debt, limits) = (line.debt(end), line.in_force());
            sum.owes += u128::try_from(debt).unwrap_or(0);
            sum.owed += u128::try_from(-debt).unwrap_or(0);
            sum.may_owe += u128::from(limits.of(end));
            sum.may_be_owed += u128::from(limits.of(1 - end));
        }
        units
    }

    /// What the log says of a line to one of its ends: what its book goes by.
    pub fn line_view(&self, id: &LineId, me: &Did) -> Option<View> {
        let line = self.line(id)?;
        let end = line.end(me)?;
        let key = (id.agreement, id.unit.clone());
        let (round, bases) = self.round_of(&key, line);
        let side = |end: usize| {
            let did = line.ends[end];
            let seat = self.tables.seats.get(&did);
            let keys: Vec<PublicKey> = seat.map_or_else(Vec::new, |seat| {
                let former = seat.succession.former_lines.iter();
                let former = former.filter(|one| one.until >= self.meta.time);
                core::iter::once(seat.keys.line)
                    .chain(former.map(|one| one.key))
                    .collect()
            });
            Side {
                did,
                keys,
                limit: line.in_force().of(end),
                chain: line.chains[end],
                base: bases[end],
            }
        };
        let cleared = match end {
            0 => line.settled,
            _ => -line.settled,
        };
        Some(View {
            federation: self.federation.id,
            line: id.clone(),
            mine: side(end),
            theirs: side(1 - end),
            cleared,
            round,
        })
    }
}

fn line_id(key: &LineKey) -> LineId {
    LineId {
        agreement: key.0,
        unit: key.1.clone(),
    }
}
