//! One cooperative that hands in jobs and follows them, as its members' programs would: what is not in the log yet is
//! handed in again, whatever becomes of the node meanwhile.
use super::kinds::{Content, Kind, Mix};
use crate::session::Signer;
use icn_api::{
    client::Client,
    mesh::JobsQuery,
    operations::{OperationState, OperationStatus},
};
use icn_model::{Action, Height, JobId, JobSpec, JobStatus, OperationId, Refusal, Sequence, SignedOperation};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// How long one request waits until what it hands in is final.
const WAIT: Duration = Duration::from_secs(1);
/// How often jobs are looked at, and a node that does not answer is tried again.
const POLL: Duration = Duration::from_millis(80);
const PAUSE: Duration = Duration::from_millis(500);
/// How often what is not in the log is handed in again.
const AGAIN: Duration = Duration::from_secs(3);
/// Operations in one request at most.
const BATCH: usize = 32;
/// The longest page of jobs that is asked for.
const MAX_PAGE: usize = 500;

/// What all workers share.
#[derive(Debug)]
pub(super) struct Board {
    pub(super) mix: Mix,
    /// How many jobs there are to be; no end if not said.
    pub(super) jobs: Option<usize>,
    /// The next job's number.
    pub(super) next: AtomicUsize,
    /// Jobs that are in the log, and of those, that are over.
    pub(super) taken: AtomicUsize,
    pub(super) over: AtomicUsize,
    /// No more jobs are to be handed in; those that were are followed to their end.
    pub(super) closing: AtomicBool,
    /// What is open stays so.
    pub(super) giving_up: AtomicBool,
}

impl Board {
    pub(super) fn new(mix: Mix, jobs: Option<usize>) -> Self {
        Self {
            mix,
            jobs,
            next: AtomicUsize::new(0),
            taken: AtomicUsize::new(0),
            over: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
            giving_up: AtomicBool::new(false),
        }
    }

    /// The number of a new job, if there is to be one.
    fn ticket(&self) -> Option<usize> {
        if self.closing.load(Ordering::Relaxed) {
            return None;
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.jobs.is_none_or(|jobs| number < jobs).then_some(number)
    }
}

/// A job that is in the log.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    pub(super) id: OperationId,
    pub(super) kind: Kind,
    /// The block that has it.
    pub(super) height: Height,
    handed_in: Instant,
    /// How it ended, and how long after it was handed in that was seen.
    pub(super) over: Option<(JobStatus, Duration)>,
}

/// One that may not be.
struct Waiting {
    operation: SignedOperation,
    kind: Kind,
    handed_in: Instant,
}

/// A job that has to be signed, perhaps anew.
struct Unsigned {
    spec: Box<JobSpec>,
    kind: Kind,
    handed_in: Instant,
}

/// What a worker has done.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) taken: Vec<Taken>,
    /// Jobs that the log did not take, by why.
    pub(super) refused: BTreeMap<String, usize>,
    /// Jobs of which nobody said what became of them.
    pub(super) unknown: usize,
    /// Requests that were not answered.
    pub(super) unanswered: usize,
}

/// A cooperative's side of a load.
pub(super) struct Worker {
    pub(super) client: Client,
    pub(super) signer: Signer,
    /// How many jobs it has open at once.
    pub(super) share: usize,
    pub(super) board: Arc<Board>,
    content: Option<Content>,
    waiting: Vec<Waiting>,
    /// Jobs whose numbers somebody else took first, for the node signs with the same key, or that waited for too long while
    /// their node was cut off.
    overtaken: Vec<Unsigned>,
    handed_in: Instant,
    /// Places in `done.taken` of jobs that are not over.
    open: BTreeMap<OperationId, usize>,
    done: Done,
}

impl Worker {
    pub(super) fn new(client: Client, signer: Signer, share: usize, board: Arc<Board>) -> Self {
        Self {
            client,
            signer,
            share,
            board,
            content: None,
            waiting: Vec::new(),
            overtaken: Vec::new(),
            handed_in: Instant::now(),
            open: BTreeMap::new(),
            done: Done::default(),
        }
    }

    /// Works until there is nothing more to do.
    pub(super) fn run(mut self) -> Done {
        loop {
            let began = Instant::now();
            // A node that is killed, cut off or full does not answer, and is asked again.
            let pause = match self.turn() {
                Ok(()) => POLL.saturating_sub(began.elapsed()),
                Err(_) => {
                    self.done.unanswered += 1;
                    PAUSE
                }
            };
            let idle = self.waiting.is_empty() && self.overtaken.is_empty() && self.open.is_empty();
            let closing = self.board.closing.load(Ordering::Relaxed);
            if (idle && closing) || self.board.giving_up.load(Ordering::Relaxed) {
                self.done.unknown = self.waiting.len() + self.overtaken.len();
                return self.done;
            }
            thread::sleep(pause);
        }
    }

    fn turn(&mut self) -> anyhow::Result<()> {
        // What is known of older jobs counts even if new ones cannot be handed in.
        let followed = self.follow();
        let fresh = self.prepare()?;
        let again = !self.waiting.is_empty() && self.handed_in.elapsed() >= AGAIN;
        if fresh || again {
            self.hand_in()?;
        }
        followed
    }

    /// Signs what is to be signed anew, and as many new jobs as there is room for; says whether there are any.
    fn prepare(&mut self) -> anyhow::Result<bool> {
        let busy = self.waiting.len() + self.overtaken.len() + self.open.len();
        let closing = self.board.closing.load(Ordering::Relaxed);
        let room = if closing {
            0
        } else {
            self.share.saturating_sub(busy)
        };
        if room == 0 && self.overtaken.is_empty() {
            return Ok(false);
        }
        let content = match &self.content {
            Some(content) => content,
            None => self.content.insert(Content::put(&self.client)?),
        };
        let mut next = self.client.next_operation(self.signer.key.public())?;
        let mut jobs = std::mem::take(&mut self.overtaken);
        for _ in 0..room.min(BATCH) {
            let Some(number) = self.board.ticket() else { break };
            let kind = self.board.mix.kind(number);
            let spec = content.spec(&self.client, kind, number, next.time)?;
            jobs.push(Unsigned {
                spec: Box::new(spec),
                kind,
                handed_in: Instant::now(),
            });
        }
        let any = !jobs.is_empty();
        for job in jobs {
            let operation = self.signer.sign(&next, Action::SubmitJob { spec: job.spec });
            next.sequence = Sequence::new(next.sequence.get() + 1);
            self.waiting.push(Waiting {
                operation,
                kind: job.kind,
                handed_in: job.handed_in,
            });
        }
        Ok(any)
    }

    /// Hands in what is not in the log yet, some of it for the second time: that is the same as once.
    fn hand_in(&mut self) -> anyhow::Result<()> {
        self.handed_in = Instant::now();
        let operations: Vec<_> = self.waiting.iter().map(|one| one.operation.clone()).collect();
        for batch in operations.chunks(BATCH) {
            let submitted = self.client.submit(batch, WAIT)?;
            submitted
                .operations
                .into_iter()
                .for_each(|status| self.note(status));
        }
        Ok(())
    }

    fn note(&mut self, status: OperationStatus) {
        let Some(at) = self
            .waiting
            .iter()
            .position(|one| one.operation.id() == status.id)
        else {
            return;
        };
        match status.state {
            OperationState::Waiting {} => {}
            OperationState::Done { height, .. } => {
                let waiting = self.waiting.swap_remove(at);
                self.open.insert(status.id, self.done.taken.len());
                self.done.taken.push(Taken {
                    id: status.id,
                    kind: waiting.kind,
                    height,
                    handed_in: waiting.handed_in,
                    over: None,
                });
                self.board.taken.fetch_add(1, Ordering::Relaxed);
            }
            OperationState::Refused { refusal, .. } => {
                let waiting = self.waiting.swap_remove(at);
                let is_late = matches!(
                    refusal.reason,
                    Refusal::Expired { .. }
                        | Refusal::SequenceUsed { .. }
                        | Refusal::SequenceOutOfWindow { .. }
                );
                if let Action::SubmitJob { spec } = &waiting.operation.operation().action
                    && is_late
                {
                    self.overtaken.push(Unsigned {
                        spec: spec.clone(),
                        kind: waiting.kind,
                        handed_in: waiting.handed_in,
                    });
                    return;
                }
                *self.done.refused.entry(refusal.name).or_default() += 1;
            }
        }
    }

    /// Looks at the open jobs: the young ones in one list, and what is not in it one by one.
    fn follow(&mut self) -> anyhow::Result<()> {
        if self.open.is_empty() {
            return Ok(());
        }
        let page = self.client.jobs(&JobsQuery {
            payer: Some(self.signer.did),
            limit: Some((2 * self.open.len() + BATCH).min(MAX_PAGE)),
            ..JobsQuery::default()
        })?;
        let states: BTreeMap<JobId, JobStatus> = page.items.iter().map(|job| (job.id, job.state)).collect();
        let open: Vec<_> = self.open.keys().copied().collect();
        for id in open {
            let job = JobId::from(id);
            let state = match states.get(&job) {
                Some(state) => *state,
                None => self.client.job(&job)?.state,
            };
            if !state.is_open()
                && let Some(at) = self.open.remove(&id)
            {
                let taken = &mut self.done.taken[at];
                taken.over = Some((state, taken.handed_in.elapsed()));
                self.board.over.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tickets_end_with_the_jobs_or_the_load() {
        let board = Board::new(Mix::parse("short").unwrap(), Some(2));
        assert_eq!(
            [board.ticket(), board.ticket(), board.ticket()],
            [Some(0), Some(1), None]
        );
        let endless = Board::new(Mix::parse("short").unwrap(), None);
        assert_eq!(endless.ticket(), Some(0));
        endless.closing.store(true, Ordering::Relaxed);
        assert_eq!(endless.ticket(), None);
    }
}
