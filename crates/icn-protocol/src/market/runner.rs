//! Running jobs that this node won, and replaying those that it was drawn for.
use super::{MarketConfig, MarketView};
use crate::{
    author::Author,
    environment::{Executor, Run, Runtime, Task},
    exchange::{Exchange, FetchError},
    ledger::Ledger,
    time::now,
};
use bytes::Bytes;
use commonware_utils::channel::mpsc;
use icn_model::{
    Action, Cid, Digest, ExitStatus, JobId, JobSpec, Outcome, Receipt, Signed, Time, Verdict, canonical,
    file,
    limits::{MAX_MEMORY_BYTES, MAX_OPERATION_BYTES},
};
use icn_store::{Batch, Blocks, Durability, Reader as _, Table};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// Largest module.
pub(super) const MAX_MODULE_BYTES: u64 = 16 << 20;
/// An own operation that is not final after this is made anew.
const AGAIN: icn_model::Millis = icn_model::Millis::from_secs(10);

/// Something to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Errand {
    /// An attempt of a job, for pay.
    Attempt(JobId, u32),
    /// A job in doubt, to say what comes of it.
    Replay(JobId),
}

/// What a finished errand has to say to the log.
pub(super) struct Finished {
    errand: Errand,
    says: Box<Action>,
}

enum Stage {
    Running {
        /// What it may take.
        memory_bytes: u64,
    },
    /// Has something to say, and said it last at this time.
    Says { action: Box<Action>, at: Option<Time> },
}

/// A part of what the owner gives to jobs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Used {
    pub(super) slots: usize,
    pub(super) memory_bytes: u64,
}

pub(super) struct Runner<E: Runtime, X: Executor> {
    runtime: E,
    ledger: Ledger,
    worker: Worker<X>,
    done: mpsc::Sender<Finished>,
    errands: HashMap<Errand, Stage>,
    view: MarketView,
}

#[derive(Clone)]
struct Worker<X> {
    ledger: Ledger,
    exchange: Exchange,
    author: Author,
    executor: X,
    view: MarketView,
}

impl<E: Runtime, X: Executor> Runner<E, X> {
    pub(super) fn new(
        runtime: E,
        ledger: Ledger,
        exchange: Exchange,
        author: Author,
        executor: X,
        done: mpsc::Sender<Finished>,
        view: MarketView,
    ) -> Self {
        let worker = Worker {
            ledger: ledger.clone(),
            exchange,
            author,
            executor,
            view: view.clone(),
        };
        Self {
            runtime,
            ledger,
            worker,
            done,
            errands: HashMap::new(),
            view,
        }
    }

    /// What the errands that run now have of the owner's offer.
    pub(super) fn used(&self) -> Used {
        let mut used = Used::default();
        for stage in self.errands.values() {
            if let Stage::Running { memory_bytes } = stage {
                used.slots += 1;
                used.memory_bytes += memory_bytes;
            }
        }
        used
    }

    /// Whether anything is under way.
    pub(super) fn is_busy(&self) -> bool {
        !self.errands.is_empty()
    }

    /// Bytes of a job's module and inputs that are here.
    pub(super) fn local_bytes(&self, spec: &JobSpec) -> u64 {
        let named = [&spec.module]
            .into_iter()
            .chain(&spec.stdin)
            .chain(spec.inputs.values());
        named.map(|cid| self.worker.exchange.local_bytes(cid)).sum()
    }

    /// Takes in the end of an errand.
    pub(super) fn ended(&mut self, finished: Finished) {
        let stage = Stage::Says {
            action: finished.says,
            at: None,
        };
        self.errands.insert(finished.errand, stage);
    }

    /// Starts what the state gives this node to do, says what is to be said, and forgets what is over.
    pub(super) fn step(&mut self, offer: &MarketConfig, now: Time) {
        let me = self.worker.author.did();
        let wanted: Vec<_> = self.ledger.read(|state| {
            let attempt = |id| Some((Errand::Attempt(id, state.job(&id)?.attempt), state.job_spec(&id)?));
            let replay = |id| Some((Errand::Replay(id), state.job_spec(&id)?));
            let attempts = state.awarded_to(&me).filter_map(attempt);
            let errands = attempts.chain(state.on_jury(&me).filter_map(replay));
            errands
                .map(|(errand, spec)| (errand, Arc::new(spec.clone())))
                .collect()
        });
        self.errands
            .retain(|errand, _| wanted.iter().any(|(other, _)| other == errand));
        let mut used = self.used();
        for (errand, spec) in wanted {
            match self.errands.get_mut(&errand) {
                Some(Stage::Says { action, at }) if at.is_none_or(|at| now.since(at) >= AGAIN) => {
                    *at = Some(now);
                    if let Err(refusal) = self.worker.author.act(action.as_ref().clone(), now) {
                        tracing::warn!(?errand, %refusal, "the log does not take what came of an errand");
                    }
                }
                Some(_) => {}
                // Drawn for it without being asked, or the owner gives less than when it was won.
                None if spec.limits.memory_bytes > offer.memory_bytes => self.decline(errand),
                None if used.slots < offer.max_concurrent_jobs
                    && spec.limits.memory_bytes <= offer.memory_bytes.saturating_sub(used.memory_bytes) =>
                {
                    used.slots += 1;
                    used.memory_bytes += spec.limits.memory_bytes;
                    self.start(errand, spec);
                }
                None => {}
            }
        }
        self.view.inner.lock().running = used.slots;
    }

    /// Says, at the next step, that this node cannot do it.
    fn decline(&mut self, errand: Errand) {
        tracing::warn!(?errand, "takes more memory than this node gives to jobs");
        let action = Box::new(match errand {
            Errand::Attempt(job, attempt) => Action::ReturnJob { job, attempt },
            Errand::Replay(job) => Action::PostVerdict {
                verdict: Verdict { job, outcome: None },
            },
        });
        self.errands.insert(errand, Stage::Says { action, at: None });
    }

    fn start(&mut self, errand: Errand, spec: Arc<JobSpec>) {
        let memory_bytes = spec.limits.memory_bytes;
        self.errands.insert(errand, Stage::Running { memory_bytes });
        let (worker, done) = (self.worker.clone(), self.done.clone());
        self.runtime.child("errand").spawn(move |runtime| async move {
            let says = match errand {
                Errand::Attempt(job, attempt) => worker.attempt(&runtime, job, attempt, spec).await,
                Errand::Replay(job) => worker.replay(job, spec).await,
            };
            let says = Box::new(says);
            let _ = done.send(Finished { errand, says }).await;
        });
    }
}

impl<X: Executor> Worker<X> {
    /// Runs an attempt and makes its receipt, or takes the receipt that was made before a restart.
    async fn attempt<E: Runtime>(&self, runtime: &E, job: JobId, attempt: u32, spec: Arc<JobSpec>) -> Action {
        let key = [job.digest().as_bytes().as_slice(), &attempt.to_be_bytes()].concat();
        let kept = self.ledger.store().get(Table::Jobs, &key).ok().flatten();
        let kept = kept
            .and_then(|bytes| canonical::from_own_bytes::<Signed<Receipt>>(&bytes, MAX_OPERATION_BYTES).ok());
        let receipt = match kept {
            Some(receipt) => receipt,
            None => match self.run(runtime, job, attempt, &spec, &key).await {
                Ok(receipt) => receipt,
                Err(error) => {
                    tracing::error!(%job, %error, "cannot keep what came of a job");
                    return Action::ReturnJob { job, attempt };
                }
            },
        };
        Action::PostReceipt {
            receipt: Box::new(receipt),
        }
    }

    async fn run<E: Runtime>(
        &self,
        runtime: &E,
        job: JobId,
        attempt: u32,
        spec: &Arc<JobSpec>,
        key: &[u8],
    ) -> Result<Signed<Receipt>, FetchError> {
        let started = now(runtime);
        tracing::debug!(%job, attempt, "runs");
        let run = self.execute(job, spec).await;
        let took = now(runtime).since(started);
        tracing::debug!(%job, attempt, exit = ?run.exit, took_ms = took.get(), "ran");
        self.view.count(ending(&run.exit));
        // What is not paid for is not delivered, or computing could be had for nothing.
        let run = if run.exit.is_deterministic() {
            run
        } else {
            failed(run.exit)
        };
        let mut batch = Batch::new();
        let outcome = self.outcome(&mut batch, &run)?;
        let content = Receipt {
            federation: self.ledger.read(icn_state::State::federation),
            job,
            attempt,
            executor: self.author.did(),
            key: self.author.key().public(),
            module: spec.module,
            spec: Digest::of(&canonical::to_bytes(spec.as_ref())),
            outcome,
            peak_memory_bytes: run.peak_memory_bytes,
            engine: self.executor.engine(),
            started,
            finished: now(runtime),
        };
        let receipt = Signed::new(content, self.author.key());
        let bytes = canonical::to_bytes(&receipt);
        Blocks::put_in(&mut batch, &Cid::of_dag_cbor(&bytes).generic(), bytes.clone())?;
        batch
            .put(Table::Jobs, key, bytes)
            .map_err(icn_store::BlockError::from)?;
        // A receipt is a promise: what it names must be there after a crash.
        self.ledger
            .store()
            .commit(batch, Durability::Sync)
            .await
            .map_err(icn_store::BlockError::from)?;
        Ok(receipt)
    }

    async fn replay(&self, job: JobId, spec: Arc<JobSpec>) -> Action {
        tracing::debug!(%job, "runs again, for a jury");
        let run = self.execute(job, &spec).await;
        let outcome = if run.exit.is_deterministic() {
            self.outcome(&mut Batch::new(), &run).ok()
        } else {
            None
        };
        Action::PostVerdict {
            verdict: Verdict {
                job,
                outcome: outcome.map(|outcome| outcome.digest()),
            },
        }
    }

    /// Fetches what the job names and runs it. What cannot be had is an outcome, too.
    async fn execute(&self, job: JobId, spec: &Arc<JobSpec>) -> Run {
        match self.gather(job, spec).await {
            Ok(task) => self.executor.run(task).await,
            Err((cid, error)) => {
                tracing::warn!(%job, %cid, %error, "cannot fetch what a job names");
                failed(ExitStatus::InputMissing(cid))
            }
        }
    }

    async fn gather(&self, job: JobId, spec: &Arc<JobSpec>) -> Result<Task, (Cid, FetchError)> {
        // The submitter's node has the blocks: it put them there before it submitted.
        let first = self.ledger.read(|state| {
            let submitter = state
                .job(&job)
                .and_then(|job| state.seat_record(&job.cooperative));
            submitter
                .map(|seat| seat.keys.seat)
                .into_iter()
                .collect::<Vec<_>>()
        });
        let get = async |cid: &Cid, max| {
            self.exchange
                .file(cid, max, &first)
                .await
                .map_err(|error| (*cid, error))
        };
        let module = get(&spec.module, MAX_MODULE_BYTES).await?;
        let stdin = match &spec.stdin {
            Some(cid) => get(cid, MAX_MEMORY_BYTES).await?,
            None => Bytes::new(),
        };
        let mut inputs = BTreeMap::new();
        for (path, cid) in &spec.inputs {
            inputs.insert(path.clone(), get(cid, MAX_MEMORY_BYTES).await?);
        }
        Ok(Task {
            spec: spec.clone(),
            module,
            stdin,
            inputs,
        })
    }

    /// Names what a run put out, and puts its blocks into `batch`.
    fn outcome(&self, batch: &mut Batch, run: &Run) -> Result<Outcome, FetchError> {
        let mut keep = |content: &Bytes| -> Result<Cid, FetchError> {
            let blocks = file::split(content).map_err(|error| FetchError::NotAFile {
                cid: Cid::of_raw(content),
                detail: error.to_string(),
            })?;
            let mut name = Cid::of_raw(&[]);
            for block in blocks {
                name = block.cid;
                Blocks::put_in(batch, &block.cid.generic(), block.bytes)?;
            }
            Ok(name)
        };
        let stdout = keep(&run.stdout)?;
        let stderr = keep(&run.stderr)?;
        let mut files = BTreeMap::new();
        for (path, content) in &run.files {
            files.insert(path.clone(), keep(content)?);
        }
        Ok(Outcome {
            exit: run.exit.clone(),
            stdout,
            stderr,
            files,
            fuel: run.fuel,
        })
    }
}

fn failed(exit: ExitStatus) -> Run {
    let (stdout, stderr) = (Bytes::new(), Bytes::new());
    Run {
        exit,
        stdout,
        stderr,
        files: BTreeMap::new(),
        fuel: 0,
        peak_memory_bytes: 0,
    }
}

/// A label for metrics.
const fn ending(exit: &ExitStatus) -> &'static str {
    match exit {
        ExitStatus::Code(0) => "succeeded",
        exit if exit.is_deterministic() => "failed",
        _ => "host-failure",
    }
}
