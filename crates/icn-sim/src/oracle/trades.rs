//! What users ordered on lines of credit and were told, against what both ends have signed.
use super::{Invariant, Violation};
use icn_model::{Did, Digest, LineId, Standing};
use icn_protocol::{credit::LineStatus, node::Node};
use std::collections::BTreeMap;

/// One order.
#[derive(Clone, Copy)]
struct Ordered {
    amount: u64,
    /// The last that the user was told.
    told: Option<Standing>,
}

/// The orders of each line and debtor, by reference.
#[derive(Default)]
pub struct Trades(BTreeMap<(LineId, Did), BTreeMap<Digest, Ordered>>);

impl Trades {
    /// One of the orders so far.
    pub fn ordered(&self, line: &LineId, debtor: &Did, pick: u64) -> Option<(Digest, u64)> {
        let orders = self.0.get(&(line.clone(), *debtor))?;
        let at = usize::try_from(pick).unwrap_or(0) % orders.len();
        orders
            .iter()
            .nth(at)
            .map(|(reference, order)| (*reference, order.amount))
    }

    /// A user orders something, perhaps again.
    pub fn order(&mut self, line: &LineId, debtor: &Did, reference: Digest, amount: u64) {
        let orders = self.0.entry((line.clone(), *debtor)).or_default();
        orders.entry(reference).or_insert(Ordered { amount, told: None });
    }

    /// A user is told how an order stands.
    pub fn told(&mut self, line: &LineId, debtor: &Did, reference: Digest, standing: Standing) {
        let orders = self.0.get_mut(&(line.clone(), *debtor));
        if let Some(order) = orders.and_then(|orders| orders.get_mut(&reference)) {
            order.told = order.told.max(Some(standing));
        }
    }

    /// How many orders there were, and of how many of them users were told that both ends had signed.
    pub fn counts(&self) -> (u64, u64) {
        let all = || self.0.values().flat_map(BTreeMap::values);
        let confirmed = all().filter(|order| order.told == Some(Standing::Confirmed));
        (all().count() as u64, confirmed.count() as u64)
    }

    /// Checks that both ends of each line say the same, and that what users were told to be signed by both is in it once.
    /// Gives the first line on which something is still on its way.
    ///
    /// # Errors
    /// Names what does not hold.
    pub fn check(&self, nodes: &BTreeMap<Did, Node>) -> Result<Option<String>, Violation> {
        let mut late = None;
        for ((line, debtor), orders) in &self.0 {
            let Some(own) = nodes.get(debtor).and_then(|node| node.credit().status(line)) else {
                continue;
            };
            let other = nodes.iter().find_map(|(did, node)| {
                let is_end = |record: &icn_model::LineRecord| did != debtor && record.end(did).is_some();
                let is_other = node.ledger().read(|state| state.line(line).is_some_and(is_end));
                is_other.then(|| node.credit().status(line)).flatten()
            });
            let Some(other) = other else { continue };
            if own.has_quarrel || other.has_quarrel {
                let detail = format!("{line}: an honest end is taken for a liar");
                return Err(Violation::new(Invariant::Credited, detail));
            }
            if let Some(on_its_way) = apart(&own, &other) {
                late.get_or_insert(format!("{line}, {}: {on_its_way}", debtor.short()));
                continue;
            }
            self.check_sum(line, orders, &own)?;
        }
        Ok(late)
    }

    fn check_sum(
        &self,
        line: &LineId,
        orders: &BTreeMap<Digest, Ordered>,
        own: &LineStatus,
    ) -> Result<(), Violation> {
        let sum = |counts: fn(Option<Standing>) -> bool| -> u64 {
            let counted = orders.values().filter(|order| counts(order.told));
            counted.map(|order| order.amount).sum()
        };
        // Who waited in vain was told that it is pending, or nothing: it may have come about since.
        let least = sum(|told| told == Some(Standing::Confirmed));
        let most = sum(|told| told != Some(Standing::Void));
        if (least..=most).contains(&own.own.owed) {
            return Ok(());
        }
        let detail = format!(
            "{line}: {} is owed, and what was ordered and told adds up to {least} to {most}",
            own.own.owed
        );
        Err(Violation::new(Invariant::Credited, detail))
    }
}

/// What one end knows and the other does not.
fn apart(own: &LineStatus, other: &LineStatus) -> Option<String> {
    let (debtors, creditors) = (own.own, other.other);
    if debtors != creditors {
        return Some(format!(
            "the debtor stands at {} and the creditor at {}",
            debtors.number, creditors.number
        ));
    }
    (own.debt != -other.debt).then(|| format!("one end says {} and the other {}", own.debt, other.debt))
}
