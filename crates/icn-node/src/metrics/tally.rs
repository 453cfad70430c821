//! What the log has brought about since the process started, counted from its events, and how soon its blocks were
//! durable here.
use icn_model::{AgreementStep, ClearingStep, CreditStep, Event, GovernanceEvent, ProposalKind};
use icn_protocol::ledger::{Ledger, LedgerError};
use icn_serve::clock::now;
use prometheus_client::{
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::Registry,
};
use std::{sync::Arc, time::Duration};

/// Records that are read at once.
const BATCH: usize = 1_000;
/// A block that is older when it comes was missed before.
const CAUGHT_UP: Duration = Duration::from_secs(60);

/// What becomes of proposals, in the end or, if they failed, so far.
const OUTCOMES: [&str; 6] = ["executed", "failed", "rejected", "vetoed", "cancelled", "expired"];

/// Which of [`OUTCOMES`] an event tells of.
const fn outcome(event: &GovernanceEvent) -> Option<&'static str> {
    match event {
        GovernanceEvent::Executed { .. } => Some("executed"),
        GovernanceEvent::Failed { .. } => Some("failed"),
        GovernanceEvent::Rejected { .. } => Some("rejected"),
        GovernanceEvent::Vetoed { .. } => Some("vetoed"),
        GovernanceEvent::Cancelled { .. } => Some("cancelled"),
        GovernanceEvent::Expired { .. } => Some("expired"),
        _ => None,
    }
}

/// A counter with one label that has few values.
type Labelled = Family<[(&'static str, &'static str); 1], Counter>;

/// The counts. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Tally(Arc<Counts>);

struct Counts {
    proposals: Labelled,
    votes: Labelled,
    decisions: Labelled,
    agreements: Labelled,
    credit: Labelled,
    clearing: Labelled,
    jobs_submitted: Counter,
    jobs_completed: Counter,
    jobs_failed: Labelled,
    jobs_retried: Counter,
    mana: Labelled,
    committed: Histogram,
}

impl Default for Tally {
    fn default() -> Self {
        let counts = Counts {
            proposals: Family::default(),
            votes: Family::default(),
            decisions: Family::default(),
            agreements: Family::default(),
            clearing: Family::default(),
            credit: Family::default(),
            jobs_submitted: Counter::default(),
            jobs_completed: Counter::default(),
            jobs_failed: Family::default(),
            jobs_retried: Counter::default(),
            mana: Family::default(),
            committed: super::durations(),
        };
        // What has not happened yet is 0 and not absent, so that an alert can ask for its increase.
        for kind in ProposalKind::ALL {
            let _ = counts.proposals.get_or_create(&[("kind", kind.name())]);
            let _ = counts.votes.get_or_create(&[("kind", kind.name())]);
        }
        for outcome in OUTCOMES {
            let _ = counts.decisions.get_or_create(&[("outcome", outcome)]);
        }
        for step in AgreementStep::NAMES {
            let _ = counts.agreements.get_or_create(&[("step", step)]);
        }
        for step in ClearingStep::NAMES {
            let _ = counts.clearing.get_or_create(&[("step", step)]);
        }
        for step in CreditStep::NAMES {
            let _ = counts.credit.get_or_create(&[("step", step)]);
        }
        for how in ["rolled-back", "cancelled", "disproved"] {
            let _ = counts.jobs_failed.get_or_create(&[("how", how)]);
        }
        for kind in ["grant", "share", "pay"] {
            let _ = counts.mana.get_or_create(&[("kind", kind)]);
        }
        Self(Arc::new(counts))
    }
}

impl Tally {
    /// Counts what `ledger` brings about from now on, for as long as it runs.
    pub(crate) async fn follow(self, ledger: Ledger) {
        let mut progress = ledger.watch();
        let mut at = progress.borrow_and_update().last_event;
        while progress.changed().await.is_ok() {
            let reached = *progress.borrow_and_update();
            let age = Duration::from_millis(now().since(reached.time).get());
            // Older blocks tell how long this node was away.
            if age < CAUGHT_UP {
                self.0.committed.observe(age.as_secs_f64());
            }
            while at < reached.last_event {
                let (tally, reader) = (self.clone(), ledger.clone());
                let read = tokio::task::spawn_blocking(move || tally.read(&reader, at)).await;
                match read {
                    Ok(Ok(last)) if last > at => at = last,
                    Ok(Ok(_)) => break,
                    Ok(Err(error)) => {
                        tracing::warn!(%error, "events are not counted");
                        break;
                    }
                    Err(error) => {
                        tracing::error!(%error, "events are not counted any more");
                        return;
                    }
                }
            }
        }
    }

    /// Counts the next events after `at`, and gives the number of the last one.
    fn read(&self, ledger: &Ledger, at: u64) -> Result<u64, LedgerError> {
        let read = ledger.events(None, at, BATCH)?;
        for record in &read.records {
            self.count(&record.event);
        }
        Ok(read.upto)
    }

    fn count(&self, event: &Event) {
        let Counts {
            proposals,
            votes,
            decisions,
            agreements,
            credit,
            clearing,
            jobs_failed,
            mana,
            ..
        } = &*self.0;
        let one = |family: &Labelled, label, value| {
            let _ = family.get_or_create(&[(label, value)]).inc();
        };
        match event {
            Event::Governance(GovernanceEvent::Proposed { kind, .. }) => one(proposals, "kind", kind.name()),
            Event::Governance(GovernanceEvent::Voted { kind, .. }) => one(votes, "kind", kind.name()),
            Event::Governance(event) => {
                if let Some(outcome) = outcome(event) {
                    one(decisions, "outcome", outcome);
                }
            }
            Event::Agreement(event) => one(agreements, "step", event.step.name()),
            Event::Credit(event) => one(credit, "step", event.step.name()),
            Event::Clearing(event) => one(clearing, "step", event.step.name()),
            Event::JobSubmitted { .. } => {
                self.0.jobs_submitted.inc();
            }
            Event::JobSettled { .. } => {
                self.0.jobs_completed.inc();
            }
            Event::JobRetried { .. } => {
                self.0.jobs_retried.inc();
            }
            Event::JobRolledBack { .. } => one(jobs_failed, "how", "rolled-back"),
            Event::JobCancelled { .. } => one(jobs_failed, "how", "cancelled"),
            Event::JobDisproved { .. } => one(jobs_failed, "how", "disproved"),
            Event::ManaGranted { .. } => one(mana, "kind", "grant"),
            Event::ManaShared { .. } => one(mana, "kind", "share"),
            Event::PayMatured { .. } => one(mana, "kind", "pay"),
            _ => {}
        }
    }

    /// Adds the counts to what is scraped.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let counts = &self.0;
        let families = [
            (
                "icn_governance_proposals",
                "Proposals that were made since the process started, applications included",
                &counts.proposals,
            ),
            (
                "icn_governance_votes",
                "Votes that were cast or changed since the process started",
                &counts.votes,
            ),
            (
                "icn_governance_decisions",
                "What became of proposals since the process started",
                &counts.decisions,
            ),
            (
                "icn_agreement_steps",
                "Steps that agreements between cooperatives went since the process started",
                &counts.agreements,
            ),
            (
                "icn_credit_steps",
                "What happened in the log on lines of credit since the process started",
                &counts.credit,
            ),
            (
                "icn_clearing_steps",
                "What happened in rounds of clearing since the process started: announced, frozen, applied, aborted and so on",
                &counts.clearing,
            ),
            (
                "icn_jobs_failed",
                "Jobs of the federation that came to nothing since the process started",
                &counts.jobs_failed,
            ),
            (
                "icn_mana_transactions",
                "Times that mana changed hands or was granted since the process started",
                &counts.mana,
            ),
        ];
        for (name, help, family) in families {
            registry.register(name, help, family.clone());
        }
        let counters = [
            (
                "icn_jobs_submitted",
                "Jobs of the federation that were submitted since the process started",
                &counts.jobs_submitted,
            ),
            (
                "icn_jobs_completed",
                "Jobs of the federation that were settled since the process started",
                &counts.jobs_completed,
            ),
            (
                "icn_jobs_retried",
                "Times that a job of the federation went to other executors since the process started",
                &counts.jobs_retried,
            ),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
        registry.register(
            "icn_log_commit_seconds",
            "From a block's time until it is final, executed and durable here",
            counts.committed.clone(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use icn_model::{Did, Digest, ProposalId, SecretKey};
    use prometheus_client::encoding::text;

    #[test]
    fn events_are_counted_by_what_they_are() {
        let tally = Tally::default();
        let did = Did::new(SecretKey::from_seed(&[1; 32]).public());
        tally.count(&Event::Governance(GovernanceEvent::Voted {
            proposal: ProposalId::new(Digest::ZERO),
            kind: ProposalKind::Admit,
            voter: did,
        }));
        tally.count(&Event::SeatReady { seat: did });
        let mut registry = Registry::default();
        tally.register(&mut registry);
        let mut text = String::new();
        text::encode(&mut text, &registry).unwrap();
        for line in [
            r#"icn_governance_votes_total{kind="admit"} 1"#,
            r#"icn_governance_proposals_total{kind="admit"} 0"#,
            r#"icn_jobs_failed_total{how="disproved"} 0"#,
            "icn_jobs_submitted_total 0",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
    }
}
