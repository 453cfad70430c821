//! The indexes of each table: how rows are found without scanning.
use crate::table::{DueIndex, Index};
use alloc::collections::{BTreeMap, BTreeSet};
use icn_model::{
    Did, InvitationId, InvitationRecord, JobId, JobPhase, JobRecord, JobStatus, MemberRecord, Millis,
    PublicKey, SeatKind, SeatPhase, SeatRecord, SequenceRecord, Time, Vote,
};

/// How long a job that is over stays in the state for readers.
pub(crate) const JOB_RETENTION: Millis = Millis::from_secs(24 * 3_600);

/// Counts; an entry at zero is not there.
#[derive(PartialEq)]
pub(crate) struct Counts<K>(BTreeMap<K, usize>);

impl<K> Default for Counts<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord> Counts<K> {
    pub(crate) fn add(&mut self, key: K) {
        *self.0.entry(key).or_insert(0) += 1;
    }

    pub(crate) fn remove(&mut self, key: &K) {
        if let Some(count) = self.0.get_mut(key) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(key);
            }
        }
    }

    pub(crate) fn of(&self, key: &K) -> usize {
        self.0.get(key).copied().unwrap_or(0)
    }
}

/// When something happens to a seat by itself.
pub(crate) const fn seat_due(seat: &SeatRecord) -> Option<Time> {
    match seat.phase {
        SeatPhase::Applied { until }
        | SeatPhase::Admitted { until }
        | SeatPhase::Suspended { until }
        | SeatPhase::Left { until } => Some(until),
        SeatPhase::Ready {} | SeatPhase::Seated {} | SeatPhase::Leaving {} => None,
    }
}

#[derive(Default, PartialEq)]
pub(crate) struct SeatIndex {
    pub(crate) due: DueIndex<Did>,
    /// Seat keys of all that have not left: those that act, those that will, and those that did.
    pub(crate) by_key: BTreeMap<PublicKey, Did>,
    /// For how many seats a key acts in any role, those that left included.
    pub(crate) acting: Counts<PublicKey>,
    /// Cooperatives that are seated and not leaving: those whose word counts.
    pub(crate) voters: BTreeSet<Did>,
    /// Seats that change with the next epoch, or whose key does.
    pub(crate) waiting: BTreeSet<Did>,
    /// Open applications by inviter.
    pub(crate) applications: Counts<Did>,
    /// Seats and those on their way to one.
    pub(crate) occupied: usize,
}

fn role_keys(seat: &SeatRecord) -> impl Iterator<Item = PublicKey> {
    let keys = &seat.keys;
    keys.officers
        .keys
        .iter()
        .copied()
        .chain([keys.seat, keys.line, keys.recovery])
}

/// The keys of which none can be another seat's.
fn seat_keys(seat: &SeatRecord) -> impl Iterator<Item = PublicKey> {
    let succession = &seat.succession;
    let former = succession.former_seats.iter().copied();
    former.chain(succession.next_seat).chain([seat.keys.seat])
}

impl Index<Did, SeatRecord> for SeatIndex {
    fn add(&mut self, did: &Did, seat: &SeatRecord) {
        self.due.add(seat_due(seat), did);
        for key in role_keys(seat) {
            self.acting.add(key);
        }
        match seat.phase {
            SeatPhase::Left { .. } => return,
            SeatPhase::Applied { .. } | SeatPhase::Admitted { .. } => {
                if let Some(inviter) = seat.inviter {
                    self.applications.add(inviter);
                }
            }
            SeatPhase::Ready {} | SeatPhase::Leaving {} => {
                self.waiting.insert(*did);
            }
            SeatPhase::Suspended { .. } => {}
            SeatPhase::Seated {} => {
                if seat.succession.next_seat.is_some() {
                    self.waiting.insert(*did);
                }
                if seat.kind == SeatKind::Cooperative {
                    self.voters.insert(*did);
                }
            }
        }
        self.occupied += 1;
        for key in seat_keys(seat) {
            self.by_key.insert(key, *did);
        }
    }

    fn remove(&mut self, did: &Did, seat: &SeatRecord) {
        self.due.remove(seat_due(seat), did);
        for key in role_keys(seat) {
            self.acting.remove(&key);
        }
        match seat.phase {
            SeatPhase::Left { .. } => return,
            SeatPhase::Applied { .. } | SeatPhase::Admitted { .. } => {
                if let Some(inviter) = &seat.inviter {
                    self.applications.remove(inviter);
                }
            }
            SeatPhase::Ready {} | SeatPhase::Leaving {} => {
                self.waiting.remove(did);
            }
            SeatPhase::Suspended { .. } => {}
            SeatPhase::Seated {} => {
                self.waiting.remove(did);
                self.voters.remove(did);
            }
        }
        self.occupied -= 1;
        for key in seat_keys(seat) {
            self.by_key.remove(&key);
        }
    }
}

#[derive(Default, PartialEq)]
pub(crate) struct MemberIndex {
    /// (cooperative, member).
    pub(crate) of: BTreeSet<(Did, Did)>,
    pub(crate) count: Counts<Did>,
    /// For how many members a key acts.
    pub(crate) acting: Counts<PublicKey>,
}

impl Index<Did, MemberRecord> for MemberIndex {
    fn add(&mut self, did: &Did, member: &MemberRecord) {
        self.of.insert((member.cooperative, *did));
        self.count.add(member.cooperative);
        self.acting.add(member.key);
    }

    fn remove(&mut self, did: &Did, member: &MemberRecord) {
        self.of.remove(&(member.cooperative, *did));
        self.count.remove(&member.cooperative);
        self.acting.remove(&member.key);
    }
}

impl Index<InvitationId, InvitationRecord> for DueIndex<InvitationId> {
    fn add(&mut self, id: &InvitationId, invitation: &InvitationRecord) {
        DueIndex::add(self, Some(invitation.expires), id);
    }

    fn remove(&mut self, id: &InvitationId, invitation: &InvitationRecord) {
        DueIndex::remove(self, Some(invitation.expires), id);
    }
}

impl Index<PublicKey, SequenceRecord> for DueIndex<PublicKey> {
    fn add(&mut self, key: &PublicKey, window: &SequenceRecord) {
        DueIndex::add(self, window.retires, key);
    }

    fn remove(&mut self, key: &PublicKey, window: &SequenceRecord) {
        DueIndex::remove(self, window.retires, key);
    }
}

/// When something happens to a job by itself.
pub(crate) fn job_due(job: &JobRecord) -> Time {
    match &job.phase {
        JobPhase::Bidding { until, .. }
        | JobPhase::Running { until, .. }
        | JobPhase::Settled { until, .. }
        | JobPhase::Challenged { until, .. } => *until,
        JobPhase::Completed { at }
        | JobPhase::RolledBack { at, .. }
        | JobPhase::Cancelled { at }
        | JobPhase::Disproved { at } => at.after(JOB_RETENTION),
    }
}

#[derive(Default, PartialEq)]
pub(crate) struct JobIndex {
    pub(crate) due: DueIndex<JobId>,
    /// (status, since, job).
    pub(crate) by_status: BTreeSet<(JobStatus, Time, JobId)>,
    /// (submitted, job).
    pub(crate) by_time: BTreeSet<(Time, JobId)>,
    /// (payer, job) and (its cooperative, job) of jobs that hold mana.
    pub(crate) open_of: BTreeSet<(Did, JobId)>,
    /// (executor, job) of running jobs whose receipt is missing.
    pub(crate) awarded_to: BTreeSet<(Did, JobId)>,
    /// (seat, job) of challenged jobs that wait for that seat's verdict.
    pub(crate) on_jury: BTreeSet<(Did, JobId)>,
    /// (since, job) of jobs that are over.
    pub(crate) ended: BTreeSet<(Time, JobId)>,
}

fn each_owner(job: &JobRecord, mut change: impl FnMut(Did)) {
    change(job.payer);
    if job.cooperative != job.payer {
        change(job.cooperative);
    }
}

impl JobIndex {
    /// Applies `change` to every set that the job belongs in for somebody.
    fn each_party(
        job: &JobRecord,
        mut change: impl FnMut(fn(&mut Self) -> &mut BTreeSet<(Did, JobId)>, Did),
    ) {
        match job.phase.status() {
            JobStatus::Bidding => each_owner(job, |did| change(|index| &mut index.open_of, did)),
            JobStatus::Running => {
                each_owner(job, |did| change(|index| &mut index.open_of, did));
                let pending = job
                    .assignments
                    .iter()
                    .filter(|assignment| assignment.is_pending());
                pending.for_each(|assignment| change(|index| &mut index.awarded_to, assignment.executor));
            }
            JobStatus::Challenged => {
                let jury = job.challenge.iter().flat_map(|challenge| &challenge.jury);
                let silent = jury.filter(|juror| juror.vote == Vote::Pending {});
                silent.for_each(|juror| change(|index| &mut index.on_jury, juror.seat));
            }
            JobStatus::Settled
            | JobStatus::Completed
            | JobStatus::RolledBack
            | JobStatus::Cancelled
            | JobStatus::Disproved => {}
        }
    }
}

impl Index<JobId, JobRecord> for JobIndex {
    fn add(&mut self, id: &JobId, job: &JobRecord) {
        let (status, since) = (job.phase.status(), job.phase.since());
        self.due.add(Some(job_due(job)), id);
        self.by_status.insert((status, since, *id));
        self.by_time.insert((job.submitted, *id));
        if status.is_ended() {
            self.ended.insert((since, *id));
        }
        Self::each_party(job, |set, did| {
            set(self).insert((did, *id));
        });
    }

    fn remove(&mut self, id: &JobId, job: &JobRecord) {
        let (status, since) = (job.phase.status(), job.phase.since());
        self.due.remove(Some(job_due(job)), id);
        self.by_status.remove(&(status, since, *id));
        self.by_time.remove(&(job.submitted, *id));
        self.ended.remove(&(since, *id));
        Self::each_party(job, |set, did| {
            set(self).remove(&(did, *id));
        });
    }
}
