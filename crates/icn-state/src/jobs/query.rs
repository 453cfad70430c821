//! What readers ask about jobs; each answer comes from an index.
use crate::state::State;
use alloc::collections::BTreeSet;
use icn_model::{Did, Digest, JobId, JobRecord, JobSpec, JobStatus, Ranking, Time};

const FIRST: JobId = JobId::new(Digest::ZERO);

fn of_party(set: &BTreeSet<(Did, JobId)>, did: Did) -> impl Iterator<Item = JobId> {
    let entries = set.range((did, FIRST)..).take_while(move |entry| entry.0 == did);
    entries.map(|entry| entry.1)
}

impl State {
    /// How a job stands. Jobs that are over are kept for a day, but no more than
    /// [`MAX_ENDED_JOBS`](icn_model::limits::MAX_ENDED_JOBS).
    pub fn job(&self, id: &JobId) -> Option<&JobRecord> {
        self.tables.jobs.get(id)
    }

    /// What was asked.
    pub fn job_spec(&self, id: &JobId) -> Option<&JobSpec> {
        self.tables.specs.get(id)
    }

    /// The choice among the bids of the job's last award.
    pub fn ranking(&self, id: &JobId) -> Option<&Ranking> {
        self.tables.rankings.get(id)
    }

    /// Jobs in the order of submission. To page, give the last seen as `after`.
    pub fn jobs(&self, after: Option<(Time, JobId)>) -> impl DoubleEndedIterator<Item = (JobId, &JobRecord)> {
        use core::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, Excluded);
        let entries = self.tables.jobs.index().by_time.range((from, Unbounded));
        entries.filter_map(|(_, id)| self.tables.jobs.get(id).map(|job| (*id, job)))
    }

    /// Jobs of one status, those that got there first to begin with.
    pub fn jobs_by_status(&self, status: JobStatus) -> impl Iterator<Item = (JobId, &JobRecord)> {
        let entries = self
            .tables
            .jobs
            .index()
            .by_status
            .range((status, Time::ZERO, FIRST)..);
        let entries = entries.take_while(move |entry| entry.0 == status);
        entries.filter_map(|(_, _, id)| self.tables.jobs.get(id).map(|job| (*id, job)))
    }

    /// Jobs that collect bids.
    pub fn jobs_awaiting_award(&self) -> impl Iterator<Item = (JobId, &JobRecord)> {
        self.jobs_by_status(JobStatus::Bidding)
    }

    /// Running jobs that wait for this executor's receipt.
    pub fn awarded_to(&self, executor: &Did) -> impl Iterator<Item = JobId> {
        of_party(&self.tables.jobs.index().awarded_to, *executor)
    }

    /// Challenged jobs that wait for this seat's verdict.
    pub fn on_jury(&self, seat: &Did) -> impl Iterator<Item = JobId> {
        of_party(&self.tables.jobs.index().on_jury, *seat)
    }

    /// Jobs that hold mana of this account; for a cooperative its members' included.
    pub fn open_jobs(&self, payer: &Did) -> impl Iterator<Item = JobId> {
        of_party(&self.tables.jobs.index().open_of, *payer)
    }
}
