//! Everything that is scraped: what the service counts, and how things stand when it is asked.
//!
//! Statuses are a closed list. Projects are named only where the operator asks for it, and then up to a bound.
//! docs/reference/federation-metrics.md lists every metric: `UPDATE=1 cargo test -p icn-federation --lib scrape` writes it anew.
#[cfg(test)]
mod reference;

use crate::{
    core::Core,
    liveness::{Hearing, Status},
};
use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{
        family::Family,
        gauge::{ConstGauge, Gauge},
    },
    registry::Registry,
};
use std::fmt;

/// Projects that are named in metrics where the operator asks for it.
const MAX_NAMED: usize = 1_000;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByStatus {
    status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByProject {
    project: String,
}

/// Everything that is scraped, in the text format of OpenMetrics.
///
/// # Errors
/// The encoder's, which has none when it writes to memory.
pub(crate) fn encode(core: &Core, per_project: bool) -> Result<String, fmt::Error> {
    let mut scraped = Registry::default();
    core.metrics.register(&mut scraped);
    standing(&mut scraped, core);
    by_status(&mut scraped, core);
    if per_project {
        by_project(&mut scraped, core);
    }
    let mut written = String::new();
    text::encode(&mut written, &scraped)?;
    Ok(written)
}

fn standing(to: &mut Registry, core: &Core) {
    let own = to.sub_registry_with_prefix("federation");
    let (waiting, since) = core.waiting();
    own.register(
        "ingest_queue",
        "Projects whose last heartbeat is not written yet",
        ConstGauge::new(waiting as u64),
    );
    own.register(
        "ingest_queue_age_seconds",
        "How long the oldest of them has waited",
        ConstGauge::new(since.map_or(0.0, |since| since.elapsed().as_secs_f64())),
    );
    let flag = |is: bool| ConstGauge::new(u64::from(is));
    own.register(
        "database_up",
        "Whether the database answers",
        flag(core.ears.database()),
    );
    own.register(
        "nats_up",
        "Whether NATS is connected; 1 where it is not used",
        flag(core.ears.nats().unwrap_or(true)),
    );
    own.register(
        "hearing",
        "Whether the service can hear, so that silence means something",
        flag(core.ears.hearing() != Hearing::Deaf),
    );
    own.register("keeper", "Whether this replica judges", flag(core.is_keeper()));
}

fn by_status(to: &mut Registry, core: &Core) {
    let counts = core.counted();
    let family = Family::<ByStatus, Gauge>::default();
    for status in Status::ALL
        .into_iter()
        .filter(|status| status.counted() == *status)
    {
        let count = counts.get(&status).copied().unwrap_or(0);
        let gauge = family.get_or_create(&ByStatus {
            status: status.name(),
        });
        gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
    }
    to.register(
        "catalog_projects_by_status",
        "Projects by status; those that are late count as online",
        family,
    );
    let late = core
        .statuses()
        .filter(|(_, status)| *status == Status::Late)
        .count();
    to.register(
        "federation_projects_late",
        "Projects whose heartbeat is overdue, of those online",
        ConstGauge::new(late as u64),
    );
}

fn by_project(to: &mut Registry, core: &Core) {
    let family = Family::<ByProject, Gauge>::default();
    for (project, status) in core.statuses().take(MAX_NAMED) {
        family
            .get_or_create(&ByProject {
                project: project.slug().into(),
            })
            .set(i64::from(status.is_alive()));
    }
    to.register(
        "federation_project_up",
        "Whether a project is alive; the first thousand by slug",
        family,
    );
}
