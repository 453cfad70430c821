//! What a load came to, by kinds of jobs.
use super::{
    kinds::Kind,
    worker::{Done, Taken},
};
use crate::{devnet::verdict, format, table::Table};
use clap::ValueEnum as _;
use icn_model::{Height, JobStatus, Millis, OperationId};
use serde::Serialize;
use std::{collections::BTreeMap, time::Duration};

/// What became of the jobs of a kind.
#[derive(Clone, Debug, Serialize)]
pub(in crate::devnet) struct KindReport {
    kind: Kind,
    /// In the log.
    submitted: usize,
    settled: usize,
    rolled_back: usize,
    /// Still open, or ended in a way that no load should bring about.
    other: usize,
    /// From handing in until its end was seen.
    p50_ms: Millis,
    p95_ms: Millis,
    p99_ms: Millis,
    /// Jobs that ended, a second.
    per_second: f64,
}

/// What a load came to.
#[derive(Clone, Debug, Default, Serialize)]
pub(in crate::devnet) struct LoadReport {
    pub(in crate::devnet) kinds: Vec<KindReport>,
    pub(in crate::devnet) submitted: usize,
    pub(in crate::devnet) settled: usize,
    pub(in crate::devnet) rolled_back: usize,
    pub(in crate::devnet) per_second: f64,
    /// While jobs were handed in, and until all were over.
    pub(in crate::devnet) handing_in_ms: Millis,
    pub(in crate::devnet) took_ms: Millis,
    /// Jobs that never came into the log, by the reason that it gave.
    pub(in crate::devnet) refused: BTreeMap<String, usize>,
    /// Requests that a node did not answer: expected of one that is killed or stopped, and of no other.
    pub(in crate::devnet) unanswered: usize,
    /// What should not be.
    #[serde(skip)]
    pub(in crate::devnet) failures: Vec<String>,
    /// Every job's operation with its block, as its submitter was told.
    #[serde(skip)]
    pub(in crate::devnet) acknowledged: Vec<(OperationId, Height)>,
}

impl LoadReport {
    pub(super) fn new(done: Vec<Done>, handing_in: Duration, took: Duration) -> Self {
        let mut report = Self {
            handing_in_ms: verdict::millis(handing_in),
            took_ms: verdict::millis(took),
            ..Self::default()
        };
        let mut taken = Vec::new();
        let mut unknown = 0;
        for one in done {
            taken.extend(one.taken);
            unknown += one.unknown;
            report.unanswered += one.unanswered;
            for (why, count) in one.refused {
                *report.refused.entry(why).or_default() += count;
            }
        }
        report.acknowledged = taken.iter().map(|job| (job.id, job.height)).collect();
        for kind in Kind::value_variants() {
            let jobs: Vec<_> = taken.iter().filter(|job| job.kind == *kind).collect();
            if !jobs.is_empty() {
                report.add(*kind, &jobs, took);
            }
        }
        if unknown > 0 {
            report.failures.push(format!(
                "{unknown} jobs were handed in, and nobody says what became of them"
            ));
        }
        for (why, count) in &report.refused {
            report
                .failures
                .push(format!("{count} jobs never came into the log: {why}"));
        }
        if report.settled == 0 && report.acknowledged.is_empty() {
            report.failures.push("no job came into the log".into());
        }
        report.per_second = rate(report.settled + report.rolled_back, took);
        report
    }

    fn add(&mut self, kind: Kind, jobs: &[&Taken], took: Duration) {
        let ended = |wanted: &[JobStatus]| {
            let is = |job: &&&Taken| job.over.is_some_and(|(state, _)| wanted.contains(&state));
            jobs.iter().filter(is).count()
        };
        let settled = ended(&[JobStatus::Settled, JobStatus::Completed]);
        let rolled_back = ended(&[JobStatus::RolledBack]);
        let other = jobs.len() - settled - rolled_back;
        let mut spans: Vec<_> = jobs
            .iter()
            .filter_map(|job| job.over.map(|(_, after)| after))
            .collect();
        spans.sort_unstable();
        for job in jobs {
            match job.over {
                None => self
                    .failures
                    .push(format!("job {} ({}) is not over", job.id, kind.name())),
                Some((JobStatus::Settled | JobStatus::Completed, _)) if !kind.can_settle() => {
                    self.failures.push(format!(
                        "job {} ({}) was settled, and never ends",
                        job.id,
                        kind.name()
                    ))
                }
                Some((JobStatus::Settled | JobStatus::Completed | JobStatus::RolledBack, _)) => {}
                Some((state, _)) => {
                    self.failures
                        .push(format!("job {} ({}) is {state}", job.id, kind.name()))
                }
            }
        }
        self.submitted += jobs.len();
        self.settled += settled;
        self.rolled_back += rolled_back;
        self.kinds.push(KindReport {
            kind,
            submitted: jobs.len(),
            settled,
            rolled_back,
            other,
            p50_ms: percentile(&spans, 50),
            p95_ms: percentile(&spans, 95),
            p99_ms: percentile(&spans, 99),
            per_second: rate(settled + rolled_back, took),
        });
    }

    /// The same for people.
    pub(in crate::devnet) fn table(&self) -> Table {
        let mut table = Table::new([
            "KIND",
            ">SUBMITTED",
            ">SETTLED",
            ">ROLLED BACK",
            ">OTHER",
            ">P50",
            ">P95",
            ">P99",
            ">JOBS/S",
        ]);
        for one in &self.kinds {
            table.row([
                one.kind.name().to_owned(),
                one.submitted.to_string(),
                one.settled.to_string(),
                one.rolled_back.to_string(),
                one.other.to_string(),
                format::span(one.p50_ms),
                format::span(one.p95_ms),
                format::span(one.p99_ms),
                format!("{:.1}", one.per_second),
            ]);
        }
        table.row([
            "all".to_owned(),
            self.submitted.to_string(),
            self.settled.to_string(),
            self.rolled_back.to_string(),
            (self.submitted - self.settled - self.rolled_back).to_string(),
            String::new(),
            String::new(),
            String::new(),
            format!("{:.1}", self.per_second),
        ]);
        table
    }
}

fn rate(count: usize, took: Duration) -> f64 {
    // Counts of jobs are far below what a float holds exactly.
    let rate = f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / took.as_secs_f64().max(0.001);
    (rate * 10.0).round() / 10.0
}

/// The span that so many of a hundred do not exceed, of sorted ones.
fn percentile(sorted: &[Duration], per_cent: usize) -> Millis {
    let at = (sorted.len() * per_cent).div_ceil(100).saturating_sub(1);
    verdict::millis(sorted.get(at).copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let spans: Vec<_> = (1..=200).map(Duration::from_millis).collect();
        let of = |per_cent| percentile(&spans, per_cent).get();
        assert_eq!([of(50), of(95), of(99), of(100)], [100, 190, 198, 200]);
        assert_eq!(percentile(&[], 50), Millis::new(0));
        assert_eq!(percentile(&spans[..1], 99), Millis::new(1));
    }

    #[test]
    fn a_load_without_a_job_has_failed() {
        let report = LoadReport::new(vec![Done::default()], Duration::ZERO, Duration::from_secs(1));
        assert_eq!(report.failures, ["no job came into the log"]);
        assert!(report.table().to_string().contains("all"));
    }

    #[test]
    fn a_job_that_the_log_refuses_is_a_failure() {
        let done = |count| Done {
            refused: BTreeMap::from([("too-many-holds".to_owned(), count)]),
            ..Done::default()
        };
        let report = LoadReport::new(vec![done(2), done(1)], Duration::ZERO, Duration::from_secs(1));
        let refused = "3 jobs never came into the log: too-many-holds";
        assert!(
            report.failures.iter().any(|failure| failure == refused),
            "{:?}",
            report.failures
        );
    }

    #[test]
    fn rates_are_rounded() {
        assert!((rate(10, Duration::from_secs(3)) - 3.3).abs() < 1e-9);
    }
}
