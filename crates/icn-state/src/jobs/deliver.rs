//! Receipts, and jobs handed back.
use crate::step::Step;
use icn_model::{
    Cid, Delivery, Event, JobId, JobPhase, JobRecord, JobSpec, Operation, Receipt, Refusal, Role, Signed,
    canonical, limits,
};

impl Step<'_> {
    pub(crate) fn post_receipt(
        &mut self,
        operation: &Operation,
        signed: &Signed<Receipt>,
    ) -> Result<(), Refusal> {
        let receipt = &signed.content;
        let id = receipt.job;
        let (mut job, at) = self.assignment(operation, id, receipt.attempt)?;
        let Some(spec) = self.state.tables.specs.get(&id) else {
            return Err(Refusal::UnknownJob { job: id });
        };
        if let Some(detail) = self.mismatch(operation, &job, spec, signed) {
            let detail = detail.into();
            return Err(Refusal::ReceiptMismatch { detail });
        }
        let outcome = receipt.outcome.digest();
        job.assignments[at].delivery = Delivery::Delivered {
            receipt: Cid::of_dag_cbor(&canonical::to_bytes(signed)),
            outcome,
            exit: receipt.outcome.exit.clone(),
            at: self.context.time,
        };
        self.events.push(Event::JobReceipt {
            job: id,
            executor: operation.author,
            outcome,
        });
        self.deliver(id, job);
        Ok(())
    }

    fn mismatch(
        &self,
        operation: &Operation,
        job: &JobRecord,
        spec: &JobSpec,
        signed: &Signed<Receipt>,
    ) -> Option<&'static str> {
        let receipt = &signed.content;
        if receipt.federation != self.state.federation.id {
            Some("it is for another federation")
        } else if receipt.executor != operation.author || receipt.key != operation.key {
            Some("it is by another executor or key than the operation")
        } else if receipt.module != spec.module || receipt.spec != job.spec {
            Some("it names another module or other arguments, inputs or limits")
        } else if !receipt.outcome.is_bounded() || receipt.engine.len() > limits::MAX_TEXT_BYTES {
            Some("a text or the number of files is over its bound")
        } else if signed.verify().is_err() {
            Some("its signature does not hold")
        } else {
            None
        }
    }

    pub(crate) fn return_job(
        &mut self,
        operation: &Operation,
        id: JobId,
        attempt: u32,
    ) -> Result<(), Refusal> {
        let (mut job, at) = self.assignment(operation, id, attempt)?;
        job.assignments[at].delivery = Delivery::Returned {};
        self.deliver(id, job);
        Ok(())
    }

    /// The running job that the author has been awarded and not delivered, and which assignment that is.
    fn assignment(
        &mut self,
        operation: &Operation,
        id: JobId,
        attempt: u32,
    ) -> Result<(JobRecord, usize), Refusal> {
        let seat = self.seat_acting(operation, &[Role::Seat])?;
        if !seat.phase.is_seated() {
            return Err(Refusal::NotSeated {});
        }
        let job = self.job(id)?;
        if !matches!(job.phase, JobPhase::Running { .. }) {
            return Self::wrong_state(id, &job);
        }
        if attempt != job.attempt {
            let current = job.attempt;
            return Err(Refusal::WrongAttempt {
                job: id,
                attempt,
                current,
            });
        }
        let mut assignments = job.assignments.iter();
        let own = assignments.position(|one| one.executor == operation.author && one.is_pending());
        own.map(|at| (job, at)).ok_or(Refusal::NotExecutor { job: id })
    }

    /// Keeps what came in; the last to be heard of ends the attempt.
    fn deliver(&mut self, id: JobId, job: JobRecord) {
        let complete = !job.assignments.iter().any(icn_model::Assignment::is_pending);
        self.state.tables.jobs.set(id, job);
        if complete {
            self.end_attempt(id);
        }
    }
}
