//! The bounded queue before the writer thread, the thread itself, and the future of a commit.
//! It knows no async runtime and reads nothing.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::thread;

use futures_channel::oneshot;

use crate::batch::{Batch, Durability};
use crate::bounds::MAX_BATCH_BYTES;
use crate::core::Core;
use crate::error::{BackendError, ErrorKind, StoreError};
use crate::wait::block_on;

/// Most commits that wait in the queue for the writer thread whether or not somebody waits for them.
pub const MAX_QUEUED_COMMITS: usize = 4096;
/// Most bytes of batches that wait so: 256 MiB.
pub const MAX_QUEUED_BYTES: usize = 4 * MAX_BATCH_BYTES;
/// Most commits that become one commit of the backend.
pub const MAX_GROUP_COMMITS: usize = 1024;

type Outcome = Result<(), StoreError>;

struct Request {
    id: u64,
    batch: Batch,
    durability: Durability,
    reply: oneshot::Sender<Outcome>,
}

#[derive(Default)]
struct Waiting {
    requests: VecDeque<Request>,
    bytes: usize,
    next_id: u64,
    /// Set when no more requests are served; what it holds is the answer to those that come late.
    closed: Option<StoreError>,
}

/// Commits in the order in which they were asked for.
#[derive(Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

/// Requests that are committed as one.
struct Group {
    requests: VecDeque<Request>,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Each change under this lock leaves the queue sound, so a panic elsewhere spoils nothing.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a commit at the end of the queue. The order is that of the calls, not of the polls: a
    /// future that is held and not polled holds up nobody.
    pub(crate) fn submit(self: &Arc<Self>, batch: Batch, durability: Durability) -> Commit {
        let mut waiting = self.lock();
        if let Some(error) = &waiting.closed {
            return Commit::ready(Err(error.clone()));
        }
        let (reply, answer) = oneshot::channel();
        let id = waiting.next_id;
        waiting.next_id += 1;
        let has_room = waiting.requests.len() < MAX_QUEUED_COMMITS
            && waiting.bytes + batch.size_bytes() <= MAX_QUEUED_BYTES;
        waiting.bytes += batch.size_bytes();
        waiting.requests.push_back(Request {
            id,
            batch,
            durability,
            reply,
        });
        drop(waiting);
        self.arrived.notify_one();
        // Without room the batch belongs to its future still, and leaves the queue with it. So what
        // nobody waits for is bounded by the queue, and what somebody waits for by the waiting.
        let beyond = (!has_room).then(|| Place {
            queue: Arc::clone(self),
            id,
        });
        Commit {
            state: State::Queued { answer, beyond },
        }
    }

    fn withdraw(&self, id: u64) {
        let mut waiting = self.lock();
        if let Ok(index) = waiting.requests.binary_search_by_key(&id, |request| request.id)
            && let Some(request) = waiting.requests.remove(index)
        {
            waiting.bytes -= request.batch.size_bytes();
        }
    }

    /// Waits for requests; `None` when the queue is closed and empty.
    fn take_group(&self) -> Option<Group> {
        let mut waiting = self.lock();
        while waiting.requests.is_empty() {
            if waiting.closed.is_some() {
                return None;
            }
            waiting = self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        let mut requests = VecDeque::new();
        let mut bytes = 0;
        while let Some(next) = waiting.requests.front() {
            bytes += next.batch.size_bytes();
            if !requests.is_empty() && (bytes > MAX_BATCH_BYTES || requests.len() >= MAX_GROUP_COMMITS) {
                break;
            }
            waiting.bytes -= next.batch.size_bytes();
            requests.extend(waiting.requests.pop_front());
        }
        Some(Group { requests })
    }

    /// Lets the writer finish what waits; late requests get `answer`.
    pub(crate) fn close(&self, answer: StoreError) {
        self.lock().closed.get_or_insert(answer);
        self.arrived.notify_all();
    }

    /// Answers everything that waits, for a writer that cannot go on.
    fn fail(&self, answer: &StoreError) {
        let mut waiting = self.lock();
        waiting.closed.get_or_insert_with(|| answer.clone());
        let requests = std::mem::take(&mut waiting.requests);
        waiting.bytes = 0;
        drop(waiting);
        for request in requests {
            request.answer(Err(answer.clone()));
        }
    }
}

impl Request {
    fn answer(self, outcome: Outcome) {
        // A waiter that has gone needs no answer.
        let _ = self.reply.send(outcome);
    }
}

impl Group {
    fn commit(mut self, core: &Core) {
        let mut batch = Batch::new();
        let mut durability = Durability::Buffered;
        for request in &mut self.requests {
            batch.absorb(std::mem::take(&mut request.batch));
            durability = durability.max(request.durability);
        }
        let outcome = core.commit(&batch, durability, self.requests.len());
        for request in self.requests {
            request.answer(outcome.clone());
        }
    }
}

/// The body of the writer thread: serves the queue until it is closed and empty, then flushes.
pub(crate) fn write_until_closed(core: &Core, queue: &Queue) {
    let guard = FailOnPanic { core, queue };
    while let Some(group) = queue.take_group() {
        group.commit(core);
    }
    core.persist_at_end();
    drop(guard);
}

/// A backend that panics must not leave anybody waiting for ever.
struct FailOnPanic<'a> {
    core: &'a Core,
    queue: &'a Queue,
}

impl Drop for FailOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.queue.fail(&self.core.poison(writer_panicked()));
        }
    }
}

fn writer_panicked() -> BackendError {
    BackendError::new("the store", ErrorKind::Io, "commit", "the writer thread panicked")
}

/// The outcome of a commit, to be awaited on any executor or waited for with [`Commit::wait`].
///
/// Commits happen in the order of the calls to [`crate::Store::commit`]. Dropping the future does
/// not take back the commit, unless the queue was full when it was asked for: then it is taken back
/// if it is still waiting.
#[must_use = "a commit has happened only when its future says so"]
pub struct Commit {
    state: State,
}

enum State {
    Ready(Option<Outcome>),
    Queued {
        answer: oneshot::Receiver<Outcome>,
        beyond: Option<Place>,
    },
}

/// A request that found the queue full.
struct Place {
    queue: Arc<Queue>,
    id: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.queue.withdraw(self.id);
    }
}

impl Commit {
    pub(crate) fn ready(outcome: Outcome) -> Self {
        Self {
            state: State::Ready(Some(outcome)),
        }
    }

    /// Blocks the thread until the outcome is known; not for async code.
    ///
    /// # Errors
    ///
    /// The backend failed ([`StoreError::Backend`]), or had failed before
    /// ([`StoreError::Poisoned`]); in both cases it is open whether the batch is on disk.
    pub fn wait(self) -> Result<(), StoreError> {
        block_on(self)
    }
}

impl Future for Commit {
    type Output = Result<(), StoreError>;

    /// # Panics
    ///
    /// When polled again after it was ready.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.state {
            State::Ready(outcome) => Poll::Ready(
                outcome
                    .take()
                    .expect("a future is not polled again after it was ready"),
            ),
            State::Queued { answer, beyond } => Pin::new(answer).poll(context).map(|answer| {
                *beyond = None;
                answer.unwrap_or_else(|oneshot::Canceled| Err(writer_panicked().into()))
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{MAX_GROUP_COMMITS, MAX_QUEUED_COMMITS, Queue};
    use crate::batch::{Batch, Durability};
    use crate::bounds::MAX_VALUE_BYTES;
    use crate::table::Table;

    fn one(key: u32, value_bytes: usize) -> Batch {
        let mut batch = Batch::new();
        batch
            .put(Table::State, key.to_be_bytes(), vec![1; value_bytes])
            .unwrap();
        batch
    }

    #[test]
    fn a_group_is_bounded_in_number_and_bytes() {
        let queue = Arc::new(Queue::default());
        let _small: Vec<_> = (0..1500)
            .map(|n| queue.submit(one(n, 1), Durability::Sync))
            .collect();
        assert_eq!(queue.take_group().unwrap().requests.len(), MAX_GROUP_COMMITS);
        assert_eq!(
            queue.take_group().unwrap().requests.len(),
            1500 - MAX_GROUP_COMMITS
        );
        let _large: Vec<_> = (0..9)
            .map(|n| queue.submit(one(n, MAX_VALUE_BYTES), Durability::Sync))
            .collect();
        assert_eq!(queue.take_group().unwrap().requests.len(), 7);
        assert_eq!(queue.take_group().unwrap().requests.len(), 2);
        assert_eq!(queue.lock().bytes, 0);
    }

    #[test]
    fn a_dropped_future_takes_its_commit_back_only_from_beyond_the_queue() {
        let queue = Arc::new(Queue::default());
        for n in 0..MAX_QUEUED_COMMITS {
            drop(queue.submit(one(u32::try_from(n).unwrap(), 1), Durability::Buffered));
        }
        assert_eq!(
            queue.lock().requests.len(),
            MAX_QUEUED_COMMITS,
            "what was taken in stays"
        );
        let kept = queue.submit(one(9999, 1), Durability::Buffered);
        let dropped = queue.submit(one(10_000, 1), Durability::Buffered);
        assert_eq!(queue.lock().requests.len(), MAX_QUEUED_COMMITS + 2);
        drop(dropped);
        assert_eq!(queue.lock().requests.len(), MAX_QUEUED_COMMITS + 1);
        drop(kept);
        assert_eq!(queue.lock().requests.len(), MAX_QUEUED_COMMITS);
    }
}
