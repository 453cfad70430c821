//! Leads one run through calm and trouble to its end, and sees that what must hold does.
use crate::{
    cluster::{Cluster, Judge},
    config::{Config, millis},
    errors::Errors,
    executor::Manner,
    federation::Federation,
    oracle::{Invariant, Oracle, Violation},
    outcome::{self, Counts, Outcome},
    schedule::{Episode, Schedule, Step},
    trace::Trace,
    workload::Workload,
};
use commonware_runtime::{Clock as _, Spawner as _, Supervisor as _, deterministic::Context};
use commonware_utils::sync::Mutex;
use icn_model::{Height, Millis, RoundPhase, RoundRecord};
use icn_protocol::time::now;
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// After the last trouble the log goes on within this.
const HEALING: Millis = Millis::from_secs(30);
/// The driver looks whether something does not hold at least this often.
const GLANCE: Millis = Millis::new(250);
/// What a job may take beyond its deadline and the challenge window.
const JOB_END: Millis = Millis::from_secs(180);
/// How many times faster than it was missed a node has to learn what it has missed.
const CATCH_UP: u64 = 50;

/// Leads a run through its episodes.
pub(crate) struct Driver<'a> {
    context: Context,
    config: &'a Config,
    federation: Federation,
    cluster: Cluster,
    judge: Judge,
    schedule: Schedule,
    trace: Trace,
    errors: Errors,
    counts: Counts,
    /// Nodes that are meant to be off.
    off: BTreeSet<usize>,
}

impl<'a> Driver<'a> {
    /// Of a run that has not begun.
    pub(crate) async fn new(context: Context, config: &'a Config, trace: Trace, errors: Errors) -> Self {
        let federation = Federation::new(config);
        let judge: Judge = Arc::new(Mutex::new(Oracle::new(&federation.genesis, config.nodes)));
        let cluster = Cluster::new(context.child("cluster"), config.seed, &federation, judge.clone()).await;
        let (schedule, counts, off) = (Schedule::new(config), Counts::default(), BTreeSet::new());
        Self {
            context,
            config,
            federation,
            cluster,
            judge,
            schedule,
            trace,
            errors,
            counts,
            off,
        }
    }

    /// Goes through everything.
    pub(crate) async fn drive(mut self) -> Result<Outcome, Violation> {
        let end = now(&self.context).after(millis(self.config.span));
        self.say(format!(
            "{} nodes, faults: {}",
            self.config.nodes, self.config.faults
        ));
        for node in 0..self.config.nodes {
            self.cluster.start(node).await;
        }
        self.await_progress("founding").await?;
        let workload = Workload::new(
            self.context.child("workload"),
            &self.federation,
            self.config.seed,
            self.config.gap,
            self.cluster.roster().clone(),
            self.judge.clone(),
        );
        let users = self.context.child("users").spawn(move |_| workload.run());
        if let Some(away) = self.config.absence {
            self.miss_one(millis(away)).await?;
        }
        self.break_something().await?;
        while now(&self.context) < end {
            let calm = self.schedule.calm();
            self.pass(calm).await?;
            if now(&self.context) < end
                && let Some(episode) = self.schedule.next(&self.off)
            {
                self.endure(episode).await?;
            }
        }
        users.abort();
        self.finish().await
    }

    fn say(&self, text: impl std::fmt::Display) {
        self.trace.say(now(&self.context), text);
    }

    /// Lets time pass, as long as everything holds. Nodes whose seats have another key start again with it.
    async fn pass(&mut self, span: Millis) -> Result<(), Violation> {
        let until = now(&self.context).after(span);
        loop {
            self.judged()?;
            for node in self.cluster.turned() {
                self.cluster.stop(node).await;
                self.cluster.start(node).await;
                self.counts.rotations += 1;
                self.say(format!("node {node} starts again with its other key"));
            }
            let rest = until.since(now(&self.context)).min(GLANCE);
            if rest == Millis::ZERO {
                return Ok(());
            }
            self.context.sleep(Duration::from_millis(rest.get())).await;
        }
    }

    /// What does not hold, if something was found.
    fn judged(&self) -> Result<(), Violation> {
        if let Some(violation) = self.judge.lock().violation() {
            return Err(violation.clone());
        }
        match self.errors.first() {
            Some(error) => Err(Violation::new(
                Invariant::Alive,
                format!("an error was logged: {error}"),
            )),
            None => Ok(()),
        }
    }

    /// Goes through an episode, and mends everything.
    async fn endure(&mut self, episode: Episode) -> Result<(), Violation> {
        self.say(format!(
            "for {} s {}",
            episode.lasts_ms / 1_000,
            episode.what.join("; ")
        ));
        let begin = now(&self.context);
        for ((from, to), weather) in &episode.links {
            self.cluster.set_link(*from, *to, *weather);
        }
        for (node, manner) in &episode.manners {
            self.cluster.set_manner(*node, *manner);
        }
        if let Some(twins) = &episode.twins {
            let halves = self.cluster.halves(&twins.left, &twins.right, twins.loud);
            self.kill(twins.seat).await;
            self.pass(Millis::new(500)).await?;
            self.cluster.start_twins(twins.seat, &halves).await;
            self.counts.twins += 1;
        }
        self.counts.partitions += u64::from(episode.is_partition);
        for (at_ms, step) in &episode.steps {
            self.pass(begin.after(Millis::new(*at_ms)).since(now(&self.context)))
                .await?;
            match step {
                Step::Kill(node) if self.cluster.is_on(*node) => self.kill(*node).await,
                Step::Rotate(node) => {
                    let asked = self.cluster.rotate(*node);
                    let what = if asked { "asks" } else { "cannot ask" };
                    self.say(format!("node {node} {what} for another key"));
                }
                Step::Start(node) if !self.cluster.is_on(*node) => {
                    self.cluster.start(*node).await;
                    self.say(format!("node {node} starts"));
                }
                _ => {}
            }
        }
        self.pass(
            begin
                .after(Millis::new(episode.lasts_ms))
                .since(now(&self.context)),
        )
        .await?;
        self.mend(&episode).await
    }

    async fn kill(&mut self, node: usize) {
        let buffered = self.cluster.backend(node).buffered_commits();
        let kept = self.schedule.kept(buffered);
        self.cluster.kill(node, kept).await;
        self.counts.kills += 1;
        self.say(format!(
            "node {node} dies, {} buffered commits lost",
            buffered - kept
        ));
    }

    /// Ends the trouble of an episode, and sees that the federation goes on.
    async fn mend(&mut self, episode: &Episode) -> Result<(), Violation> {
        if let Some(twins) = &episode.twins {
            self.cluster.kill(twins.seat, 0).await;
            self.pass(Millis::new(500)).await?;
        }
        for (node, _) in &episode.manners {
            self.cluster.set_manner(*node, Manner::Honest);
        }
        self.cluster.clear_up();
        self.off = episode.stay_off.clone();
        for node in 0..self.config.nodes {
            if !self.off.contains(&node) {
                self.cluster.start(node).await;
            }
        }
        self.await_progress("healing").await?;
        self.check_promises();
        self.judged()
    }

    fn highest(&self) -> Height {
        let running = self.cluster.roster().running();
        running
            .iter()
            .map(|(_, node)| node.ledger().progress().height)
            .max()
            .unwrap_or(Height::ZERO)
    }

    /// Waits until every node that runs is above what any of them had. Who was shut out is let in again all
    /// the while: a seat that was run twice knows one half of its votes, and contradicts the other once more.
    async fn await_progress(&mut self, after: &str) -> Result<(), Violation> {
        self.await_progress_within(after, HEALING).await
    }

    async fn await_progress_within(&mut self, after: &str, within: Millis) -> Result<(), Violation> {
        let (begin, target) = (now(&self.context), self.highest());
        loop {
            let running = self.cluster.roster().running();
            let behind: Vec<_> = running
                .iter()
                .filter(|(_, node)| node.ledger().progress().height <= target)
                .map(|(at, node)| (*at, node.ledger().progress().height.get()))
                .collect();
            let took = now(&self.context).since(begin);
            if behind.is_empty() {
                let text = format!(
                    "{after}: all {} nodes are above {target} after {} ms",
                    running.len(),
                    took.get()
                );
                self.say(text);
                return Ok(());
            }
            if took > within {
                let detail = format!(
                    "{} s after {after} these are not above {target}: {behind:?}",
                    took.get() / 1_000
                );
                return Err(Violation::new(Invariant::Progress, detail));
            }
            self.cluster.reconcile().await?;
            self.pass(Millis::new(20)).await?;
        }
    }

    /// Has the last node away for some time, and sees that it learns what it has missed fast enough. That is virtual time:
    /// what waits, not what computes.
    async fn miss_one(&mut self, away: Millis) -> Result<(), Violation> {
        let node = self.config.nodes - 1;
        self.kill(node).await;
        let before = self.highest();
        self.pass(away).await?;
        self.cluster.start(node).await;
        self.say(format!(
            "node {node} comes back after {} s; it missed {} blocks",
            away.get() / 1_000,
            self.highest().get() - before.get()
        ));
        let within = HEALING.get() + away.get() / CATCH_UP;
        self.await_progress_within("absence", Millis::new(within)).await
    }

    fn check_promises(&self) {
        for (at, node) in self.cluster.roster().running() {
            self.judge.lock().check_promises(at, node.ledger());
        }
    }

    /// Lets all jobs end and all nodes catch up, and looks at everything once more.
    async fn finish(mut self) -> Result<Outcome, Violation> {
        self.say("the last trouble is over, what is open ends");
        for node in std::mem::take(&mut self.off) {
            self.cluster.start(node).await;
        }
        self.await_progress("the end").await?;
        let window = self.config.parameters.challenge_window_ms;
        let until = now(&self.context).after(window).after(JOB_END);
        loop {
            let unfinished = self.judge.lock().books().unfinished();
            if unfinished == 0 {
                break;
            }
            if now(&self.context) > until {
                let detail = format!("{unfinished} jobs did not end: {}", self.unfinished());
                return Err(Violation::new(Invariant::JobsEnd, detail));
            }
            self.pass(Millis::from_secs(1)).await?;
        }
        self.await_progress("the last job").await?;
        self.await_trades().await?;
        self.check_promises();
        self.judged()?;
        self.settle_accounts()
    }

    /// Waits until both ends of every line say the same of it.
    async fn await_trades(&mut self) -> Result<(), Violation> {
        let begin = now(&self.context);
        loop {
            let running = self.cluster.roster().running();
            let nodes = running
                .into_iter()
                .map(|(at, node)| (self.federation.cooperatives[at].did, node));
            let nodes = nodes.collect();
            let late = self.judge.lock().trades().check(&nodes)?;
            let Some(late) = late else {
                let (ordered, signed) = self.judge.lock().trades().counts();
                self.say(format!(
                    "both ends of every line agree: {signed} of {ordered} orders were signed by both at once"
                ));
                self.counts.transfers = signed;
                return Ok(());
            };
            if now(&self.context).since(begin) > HEALING {
                return Err(Violation::new(Invariant::Credited, late));
            }
            self.pass(Millis::new(500)).await?;
        }
    }

    fn unfinished(&self) -> String {
        let Some((_, node)) = self.cluster.roster().running().into_iter().next() else {
            return "no node runs".into();
        };
        let open = |state: &icn_state::State| {
            let open = state.jobs(None).filter(|(_, job)| !job.phase.status().is_ended());
            open.take(3)
                .map(|(id, job)| format!("{id}: {job:?}"))
                .collect::<Vec<_>>()
                .join("; ")
        };
        node.ledger().read(open)
    }

    /// The last audit, and what is reported.
    fn settle_accounts(self) -> Result<Outcome, Violation> {
        let running = self.cluster.roster().running();
        for (at, node) in &running {
            let audit = node.ledger().read(icn_state::State::audit);
            audit.map_err(|error| Violation::new(Invariant::Conservation, format!("node {at}: {error}")))?;
        }
        let judge = self.judge.lock();
        let height = judge.common_height();
        let is_applied = |round: &RoundRecord| matches!(round.phase, RoundPhase::Applied { .. });
        let cleared =
            |state: &icn_state::State| state.rounds().filter(|(_, round)| is_applied(round)).count();
        let counts = Counts {
            cleared: running.first().map_or(0, |(_, node)| node.ledger().read(cleared)) as u64,
            ..self.counts
        };
        let (_, first) = running
            .first()
            .ok_or_else(|| Violation::new(Invariant::Alive, "no node runs"))?;
        let alive = |error: &dyn std::fmt::Display| Violation::new(Invariant::Alive, error.to_string());
        let place = first
            .ledger()
            .place(Height::new(height))
            .map_err(|error| alive(&error))?;
        let place = place.ok_or_else(|| alive(&"the common block is not in the log"))?;
        let operations =
            outcome::operations(first.ledger().store(), height).map_err(|error| alive(&error))?;
        let outcome = Outcome::new(self.config, &judge, counts, (height, place.root, operations));
        drop(judge);
        self.say(format!("all jobs have ended, all nodes agree at height {height}"));
        Ok(Outcome {
            trace: self.trace.digest(),
            ..outcome
        })
    }

    /// Breaks what the configuration names, once something is there to be broken.
    async fn break_something(&mut self) -> Result<(), Violation> {
        use crate::{
            tamper::{self, Broken},
            weather::Weather,
        };
        let Some(broken) = self.config.broken else {
            return Ok(());
        };
        self.pass(Millis::from_secs(20)).await?;
        let victim = self.config.nodes - 1;
        self.say(format!("breaking {}", broken.name()));
        match broken {
            Broken::PaidOnce => self.judge.lock().replay_pay(),
            Broken::Progress => {
                // Trouble that nobody mends.
                for (from, to) in
                    (0..self.config.nodes).flat_map(|from| (0..self.config.nodes).map(move |to| (from, to)))
                {
                    if from % 2 != to % 2 {
                        self.cluster.set_link(from, to, Weather::CUT);
                    }
                }
                // What was on its way when the links were cut still arrives.
                self.pass(Millis::from_secs(2)).await?;
                self.await_progress("nothing").await?;
            }
            Broken::Agreement | Broken::Conservation | Broken::Acknowledged => {
                self.kill(victim).await;
                self.pass(Millis::from_secs(1)).await?;
                let last = self.judge.lock().last_acknowledged();
                let done = tamper::tamper(broken, self.cluster.backend(victim), last.as_ref());
                done.map_err(|error| Violation::new(Invariant::Alive, format!("cannot tamper: {error}")))?;
                self.cluster.start(victim).await;
                self.await_progress("tampering").await?;
                self.check_promises();
            }
        }
        self.judged()
    }
}
