//! Submitting and cancelling jobs.
use crate::{account::spend, step::Step};
use alloc::{format, string::String, vec::Vec};
use icn_model::{
    Did, Digest, Event, JobId, JobPhase, JobRecord, JobSpec, Millis, Operation, PolicyAnswer, PolicyQuestion,
    PolicySlot, PriceQuestion, Refusal, Role, SeatPhase, Time, canonical, limits,
};

/// Why no job can be so, if it cannot: what needs nothing but the job to tell.
fn flaw(spec: &JobSpec) -> Option<String> {
    let within = |name: &str, value: u64, min: u64, max: u64| {
        let fits = (min..=max).contains(&value);
        (!fits).then(|| format!("{name} is {value}, allowed are {min} to {max}"))
    };
    let len = |name: &str, len: usize, max: usize| within(name, len as u64, 0, max as u64);
    let arguments: usize = spec.args.iter().map(String::len).sum();
    let variables: usize = spec
        .env
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    let path_len = spec.inputs.keys().map(String::len).max().unwrap_or(0);
    let limits = &spec.limits;
    let bad_variable = spec
        .env
        .iter()
        .any(|(name, value)| name.is_empty() || name.contains(['=', '\0']) || value.contains('\0'));
    let checks = [
        len("number of arguments", spec.args.len(), limits::MAX_ARGS),
        len("number of variables", spec.env.len(), limits::MAX_ENV),
        len(
            "bytes of arguments and variables",
            arguments + variables,
            limits::MAX_ARG_BYTES,
        ),
        len("number of inputs", spec.inputs.len(), limits::MAX_INPUTS),
        len("bytes of an input's path", path_len, limits::MAX_PATH_BYTES),
        within("limits.fuel", limits.fuel, 1, limits::MAX_FUEL),
        within(
            "limits.memory_bytes",
            limits.memory_bytes,
            1,
            limits::MAX_MEMORY_BYTES,
        ),
        within(
            "limits.output_bytes",
            limits.output_bytes,
            0,
            limits::MAX_OUTPUT_BYTES,
        ),
        within("limits.wall_ms", limits.wall_ms, 1, limits::MAX_WALL_MS),
        within(
            "replicas",
            u64::from(spec.replicas),
            1,
            u64::from(limits::MAX_REPLICAS),
        ),
        within(
            "require.min_reputation",
            u64::from(spec.require.min_reputation),
            0,
            1_000,
        ),
        len(
            "number of require.cooperatives",
            spec.require.cooperatives.len(),
            limits::MAX_REQUIRED_COOPERATIVES,
        ),
        bad_variable
            .then(|| "a variable has an empty name, a zero byte or an equals sign in its name".into()),
        spec.args
            .iter()
            .any(|arg| arg.contains('\0'))
            .then(|| "an argument has a zero byte".into()),
        spec.inputs
            .keys()
            .find(|path| !is_plain_path(path))
            .map(|path| format!("input path {path:?} is not relative, plain and below the job's root")),
    ];
    checks.into_iter().flatten().next()
}

/// Whether a path stays below the root that the job sees, in one spelling.
fn is_plain_path(path: &str) -> bool {
    !path.contains(['\0', '\\']) && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

impl Step<'_> {
    pub(crate) fn submit_job(
        &mut self,
        operation: &Operation,
        id: JobId,
        spec: &JobSpec,
    ) -> Result<(), Refusal> {
        let payer = operation.author;
        let cooperative = self.payer_acting(operation)?;
        let bad = |detail: String| Err(Refusal::BadJob { detail });
        if let Some(detail) = flaw(spec) {
            return bad(detail);
        }
        let coordinator = spec.coordinator.unwrap_or(cooperative);
        let seat = self.state.tables.seats.get(&coordinator);
        if seat.is_none_or(|seat| seat.phase != (SeatPhase::Seated {})) {
            return bad(format!("coordinator {coordinator} has no seat"));
        }
        let until = self.last_award(spec)?;
        let candidates = self.state.candidates(spec, &cooperative, &[]).count();
        if candidates < usize::from(spec.replicas) {
            return bad(format!(
                "{} replicas need as many cooperatives, {candidates} could bid",
                spec.replicas
            ));
        }
        let Some(held) = spec.max_mana.checked_mul(u64::from(spec.replicas)) else {
            return bad("max_mana is more than there can be".into());
        };
        self.check_price(spec, cooperative, payer)?;
        let max = self.state.parameters().max_holds;
        self.with_account(payer, |account| {
            if account.holds >= max {
                let open = account.holds;
                return Err(Refusal::TooManyHolds { open, max });
            }
            spend(account, held)?;
            account.held = account.held.saturating_add(held);
            account.holds = account.holds.saturating_add(1);
            Ok(())
        })?;
        let since = self.context.time;
        let job = JobRecord {
            payer,
            cooperative,
            coordinator,
            spec: Digest::of(&canonical::to_bytes(spec)),
            submitted: since,
            held,
            attempt: 0,
            tried: Vec::new(),
            assignments: Vec::new(),
            outcome: None,
            challenge: None,
            phase: JobPhase::Bidding { since, until },
        };
        self.state.tables.specs.set(id, spec.clone());
        self.state.tables.jobs.set(id, job);
        self.note_activity(cooperative, |activity| {
            activity.jobs_submitted = activity.jobs_submitted.saturating_add(1);
        });
        self.events.push(Event::JobSubmitted {
            job: id,
            submitter: payer,
            held,
        });
        Ok(())
    }

    /// What a job may cost is up to the policy for prices, if there is one.
    fn check_price(&self, spec: &JobSpec, submitter: Did, payer: Did) -> Result<(), Refusal> {
        if !self.state.asks(PolicySlot::PriceCeiling) {
            return Ok(());
        }
        let now = self.context.time;
        let question = PriceQuestion {
            submitter,
            now,
            cpu: Millis::new(spec.limits.wall_ms),
            memory_bytes: spec.limits.memory_bytes,
            output_bytes: spec.limits.output_bytes,
            replicas: spec.replicas,
            balance: self.state.account(&payer, now).unwrap_or_default().available,
            offered: spec.max_mana,
            average_price: self.state.average_price(),
        };
        match self.state.ask(&PolicyQuestion::PriceCeiling(question))? {
            Some(PolicyAnswer::Mana(ceiling)) if spec.max_mana > ceiling => {
                let reason = format!("{} is over the ceiling of {ceiling}", spec.max_mana);
                Err(self.policy_says_no(PolicySlot::PriceCeiling, &reason))
            }
            _ => Ok(()),
        }
    }

    /// The cooperative that stands behind a submitter: a member signs for itself, a cooperative by an
    /// officer or, since its node may run jobs of its own, its seat.
    fn payer_acting(&self, operation: &Operation) -> Result<Did, Refusal> {
        let author = operation.author;
        let cooperative = match self.state.tables.members.get(&author) {
            Some(member) => member.cooperative,
            None => {
                self.cooperative_acting(operation, &[Role::Officer, Role::Seat])?;
                author
            }
        };
        let seat = self.state.tables.seats.get(&cooperative);
        match seat {
            Some(seat) if seat.phase == (SeatPhase::Seated {}) => Ok(cooperative),
            _ => Err(Refusal::NotSeated {}),
        }
    }

    /// The last moment at which a job can be awarded and still end by its deadline.
    fn last_award(&self, spec: &JobSpec) -> Result<Time, Refusal> {
        let parameters = self.state.parameters();
        let run = self.state.run_span(spec);
        let earliest = self.context.time.after(parameters.bid_window_ms).after(run);
        let latest = self.context.time.after(limits::MAX_JOB_SPAN);
        let deadline = spec.deadline;
        if (earliest..=latest).contains(&deadline) {
            Ok(deadline.before(run))
        } else {
            Err(Refusal::BadDeadline {
                deadline,
                earliest,
                latest,
            })
        }
    }

    /// Before the first receipt only: after it, somebody has worked as promised.
    pub(crate) fn cancel_job(&mut self, operation: &Operation, id: JobId) -> Result<(), Refusal> {
        let mut job = self.job(id)?;
        if job.payer != operation.author {
            return Err(Refusal::NotSubmitter { job: id });
        }
        if !self.state.tables.members.contains(&operation.author) {
            self.cooperative_acting(operation, &[Role::Officer, Role::Seat])?;
        }
        let has_receipt = job.assignments.iter().any(|one| one.reproducible().is_some());
        if !job.phase.status().is_open() || has_receipt {
            return Self::wrong_state(id, &job);
        }
        let released = self.close_hold(&mut job, icn_model::Mana::ZERO);
        job.phase = JobPhase::Cancelled {
            at: self.context.time,
        };
        self.state.tables.jobs.set(id, job);
        self.events.push(Event::JobCancelled { job: id, released });
        Ok(())
    }
}
