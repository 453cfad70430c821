//! What is measured of this node's lines of credit.
use super::{Sample, counters, gauges};
use icn_model::{ClearedUnit, CreditUnit};
use icn_protocol::credit::CreditCounts;
use icn_state::Exposure;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};
use std::{collections::BTreeMap, sync::atomic::AtomicU64};

/// Units that have a label of their own: those with the most at stake.
const MAX_UNITS: usize = 16;

/// The node's lines at one moment.
#[derive(Default)]
pub(crate) struct CreditSample {
    /// What happened on them.
    pub(crate) counts: CreditCounts,
    /// What its cooperative owes and is owed.
    pub(crate) exposure: BTreeMap<CreditUnit, Exposure>,
    /// What the last round of clearing that was applied came to, by unit.
    pub(crate) cleared: BTreeMap<CreditUnit, ClearedUnit>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Use {
    unit: String,
    direction: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Cleared {
    unit: String,
}

pub(super) fn register(registry: &mut Registry, sample: &Sample) {
    let CreditSample {
        counts,
        exposure,
        cleared,
    } = &sample.credit;
    gauges(
        registry,
        [
            (
                "icn_credit_lines",
                "Lines of credit that this node keeps",
                counts.lines,
            ),
            (
                "icn_credit_pending",
                "Own transfers that wait for the other end's signature",
                counts.pending,
            ),
        ],
    );
    let transfers = [
        ("signed", counts.signed),
        ("confirmed", counts.confirmed),
        ("accepted", counts.accepted),
        ("voided", counts.voided),
        ("released", counts.released.values().sum()),
    ];
    let help = "Transfers: own ones signed, confirmed by the other end or void; others' accepted or released";
    counters(registry, ("icn_credit_transfers", help), "outcome", transfers);
    let refused = counts.refused.iter().map(|(reason, count)| (*reason, *count));
    let help = "What other ends of lines said and was not listened to, by the reason: signatures that do not hold, for one";
    counters(registry, ("icn_credit_refused", help), "reason", refused);
    let family = Family::<Use, Gauge<f64, AtomicU64>>::default();
    let mut units: Vec<_> = exposure.iter().collect();
    units.sort_by_key(|(_, sum)| std::cmp::Reverse(sum.may_owe.max(sum.may_be_owed)));
    for (unit, sum) in units.into_iter().take(MAX_UNITS) {
        for (direction, used, limit) in [
            ("owes", sum.owes, sum.may_owe),
            ("is-owed", sum.owed, sum.may_be_owed),
        ] {
            let unit = unit.to_string();
            family
                .get_or_create(&Use { unit, direction })
                .set(share(used, limit));
        }
    }
    let help = "Share of the limits of this cooperative's lines that is in use, by what is anchored and after clearing";
    registry.register("icn_credit_limit_use_ratio", help, family);
    let family = Family::<Cleared, Gauge<f64, AtomicU64>>::default();
    let mut units: Vec<_> = cleared.iter().collect();
    units.sort_by_key(|(_, figures)| std::cmp::Reverse(figures.gross));
    for (unit, figures) in units.into_iter().take(MAX_UNITS) {
        let label = Cleared {
            unit: unit.to_string(),
        };
        let cleared = share(figures.cleared.into(), figures.gross.into());
        family.get_or_create(&label).set(cleared);
    }
    let help = "Share of what was owed on the lines of the last applied round of clearing that it cleared";
    registry.register("icn_clearing_cleared_ratio", help, family);
}

/// A share, for people.
#[expect(
    clippy::cast_precision_loss,
    reason = "metrics are floating-point numbers by their format"
)]
fn share(used: u128, limit: u128) -> f64 {
    match limit {
        0 if used == 0 => 0.0,
        // Owed beyond what may be owed: lines that have closed.
        0 => 1.0,
        limit => used as f64 / limit as f64,
    }
}
