//! Jobs, who runs them, and how that is chosen.
use icn_model::{
    Cid, Did, ExitStatus, JobId, JobRecord, JobSpec, JobStatus, Mana, Name, Ranking, StandingRecord, Time,
};
use serde::{Deserialize, Serialize};

/// Query of [`crate::paths::JOBS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct JobsQuery {
    /// Only jobs in this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<JobStatus>,
    /// Only jobs that this account pays for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payer: Option<Did>,
    /// Only jobs that this cooperative executes, in their current or last attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executor: Option<Did>,
    /// Jobs after this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<JobId>,
    /// At most so many: 100 if not said, at most 1,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// Answer of [`crate::paths::JOBS`], the youngest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct JobPage {
    /// The jobs.
    pub items: Vec<JobBrief>,
    /// What to pass as `after` for more; none if these are the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<JobId>,
}

/// A job in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct JobBrief {
    /// Its id.
    pub id: JobId,
    /// Where it is on its way.
    pub state: JobStatus,
    /// Whose account pays.
    pub payer: Did,
    /// Who runs it, or ran it last.
    pub executors: Vec<Did>,
    /// What is run.
    pub module: Cid,
    /// When it was submitted, by block time.
    pub submitted: Time,
    /// When it got where it is, by block time.
    pub since: Time,
    /// The current attempt, from 0.
    pub attempt: u32,
    /// What the executors are paid, together; what is held while the job is open.
    pub mana: Mana,
    /// How the program ended, where an outcome is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<ExitStatus>,
}

impl JobBrief {
    /// The brief form of a job.
    pub fn new(id: JobId, record: &JobRecord, module: Cid) -> Self {
        let state = record.phase.status();
        let paid = record
            .paid()
            .fold(Mana::ZERO, |sum, paid| sum.saturating_add(paid.price));
        let exit = record.paid().find_map(|paid| match &paid.delivery {
            icn_model::Delivery::Delivered { exit, .. } => Some(exit.clone()),
            _ => None,
        });
        Self {
            id,
            state,
            payer: record.payer,
            executors: record
                .assignments
                .iter()
                .map(|assignment| assignment.executor)
                .collect(),
            module,
            submitted: record.submitted,
            since: record.phase.since(),
            attempt: record.attempt,
            mana: if state.is_open() { record.held } else { paid },
            exit,
        }
    }
}

/// Answer of [`crate::paths::JOB`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct JobView {
    /// Its id.
    pub id: JobId,
    /// Where it is on its way, without the times.
    pub state: JobStatus,
    /// What was asked.
    pub spec: JobSpec,
    /// What the log knows of it.
    pub record: JobRecord,
}

impl JobView {
    /// CIDs of the receipts of the current or last attempt, with who posted them.
    pub fn receipts(&self) -> impl Iterator<Item = (Did, Cid)> {
        self.record
            .assignments
            .iter()
            .filter_map(|assignment| match assignment.delivery {
                icn_model::Delivery::Delivered { receipt, .. } => Some((assignment.executor, receipt)),
                _ => None,
            })
    }
}

/// Answer of [`crate::paths::JOB_WHY`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct JobWhy {
    /// Its id.
    pub id: JobId,
    /// Where it is on its way.
    pub state: JobStatus,
    /// Who collects the bids.
    pub coordinator: Did,
    /// The choice that was made; none while no award is final.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ranking: Option<Ranking>,
}

/// Answer of [`crate::paths::EXECUTORS`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Executors {
    /// The cooperatives with a seat, the best reputation first.
    pub items: Vec<Executor>,
}

/// A cooperative that can run jobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Executor {
    /// Who it is.
    pub did: Did,
    /// What it is called.
    pub name: Name,
    /// From 0 to 1,000, by what the log knows of its work.
    pub reputation: u32,
    /// What the log knows of its work.
    pub standing: StandingRecord,
    /// Jobs that it works on.
    pub running: u64,
    /// Whether it is this node, or connected to it.
    pub online: bool,
    /// Until when this node gives it no jobs, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blacklisted_until: Option<Time>,
}

/// Answer of [`crate::paths::BLACKLIST`]: this node's own list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Blacklist {
    /// Failures in a row after which an executor gets no more jobs.
    pub after_failures: u32,
    /// For how long, in seconds.
    pub cooldown_secs: u64,
    /// Who is on it now, in the order of their DIDs.
    pub items: Vec<BlacklistEntry>,
}

/// An executor that this node gives no jobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct BlacklistEntry {
    /// Who.
    pub executor: Did,
    /// Its failures in a row.
    pub failures: u32,
    /// Why the last one failed.
    pub reason: String,
    /// Until when.
    pub until: Time,
}
