//! Breaks a federation and mends it, round after round, and measures how long it takes to agree again.
use super::{
    ChaosArgs,
    faults::{self, Faults},
    scenario::{self, Expect, Scenario, Side},
    watch::Watch,
};
use crate::{
    devnet::{
        fleet::Fleet,
        load::Load,
        stage::{ALTER, StageArgs},
        verdict,
    },
    output::Output,
};
use anyhow::Context as _;
use icn_model::{Height, Millis};
use serde::Serialize;
use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

/// The longest that a federation may take to agree once it is mended.
pub(super) const RECOVERY_LIMIT: Duration = Duration::from_secs(30);
/// How long is waited to see how long it really takes.
const RECOVERY_TIMEOUT: Duration = Duration::from_secs(180);
/// What was on its way when something broke may still arrive for so long.
const SETTLE: Duration = Duration::from_secs(3);
/// How long all is well between two rounds.
const CALM: Duration = Duration::from_secs(5);
/// How often nodes are looked at while something is broken, and once it is mended.
const POLL: Duration = Duration::from_millis(500);
const POLL_MENDED: Duration = Duration::from_millis(50);
/// How many blocks after its start a node alters its ledger.
const ALTER_AFTER: u64 = 5;

/// Something broken and mended.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Round {
    pub(super) scenario: Scenario,
    /// To whom.
    pub(super) broken: String,
    pub(super) broken_ms: Millis,
    /// Blocks that were ordered meanwhile, by those that go on.
    pub(super) blocks: u64,
    /// From the moment of mending until all nodes had a later block, and the same.
    pub(super) recovery_ms: Option<Millis>,
    pub(super) failures: Vec<String>,
}

/// One scenario with its federation.
pub(super) struct Runner<'a> {
    pub(super) output: &'a Output,
    pub(super) args: &'a ChaosArgs,
    pub(super) scenario: Scenario,
    pub(super) fleet: &'a mut Fleet,
    pub(super) load: &'a mut Load,
    pub(super) watch: Watch,
    pub(super) faults: &'a [Faults],
    pub(super) random: u64,
    /// Nodes that may end by themselves.
    pub(super) may_end: BTreeSet<usize>,
    pub(super) rounds: Vec<Round>,
}

/// Prepares nodes for a scenario, before they start; gives what their faults are set by.
pub(super) fn prepare(
    scenario: Scenario,
    args: &ChaosArgs,
    fleet: &mut Fleet,
) -> anyhow::Result<Vec<Faults>> {
    let seats = fleet.nodes().len();
    for place in small_disks(scenario, args, fleet) {
        faults::small_disk(&place)?;
    }
    if !scenario.needs_library() {
        return Ok(Vec::new());
    }
    let library = library(args)?;
    let mut all = Vec::new();
    for at in 0..seats {
        let faults = Faults::new(&fleet.nodes()[at].directory(fleet.directory()))?;
        fleet.equip(at, faults.env(&library));
        all.push(faults);
    }
    Ok(all)
}

/// The data directories that have a small disk of their own.
pub(super) fn small_disks(scenario: Scenario, args: &ChaosArgs, fleet: &Fleet) -> Vec<PathBuf> {
    if scenario != Scenario::FullDisk {
        return Vec::new();
    }
    let seats = fleet.nodes().len();
    let order = scenario::shuffled(seats, &mut args.seed.clone());
    let met = order.into_iter().take(scenario::share(seats, args.failure_rate));
    met.map(|at| fleet.nodes()[at].data_dir(fleet.directory()))
        .collect()
}

/// The library of faults.
pub(super) fn library(args: &ChaosArgs) -> anyhow::Result<PathBuf> {
    let library = args.faults_library.as_ref().context(
        "this needs the library of faults: scripts/chaos_test.sh builds it with a C compiler, or: cc -shared -fPIC -O2 -o \
         faults.so scripts/chaos/faults.c -ldl, and name it with --faults-library",
    )?;
    anyhow::ensure!(library.is_file(), "{} is not there", library.display());
    Ok(std::path::absolute(library)?)
}

impl Runner<'_> {
    /// Breaks and mends until the time is over, at least once.
    pub(super) fn run(&mut self, duration: Duration, outage: Duration) -> anyhow::Result<()> {
        let started = Instant::now();
        while self.rounds.is_empty() || started.elapsed() + outage <= duration {
            if !self.rounds.is_empty() {
                self.pass(CALM)?;
            }
            let round = self.round(outage);
            if round.is_err() {
                self.mend_all();
            }
            let round = round?;
            let failed = !round.failures.is_empty();
            self.rounds.push(round);
            // What does not recover is not broken further.
            if failed {
                break;
            }
        }
        Ok(())
    }

    fn round(&mut self, outage: Duration) -> anyhow::Result<Round> {
        let order = self.order();
        let sides = self.sides(&order);
        let broken = self.told(&sides);
        self.output.say(format!("{}: {broken}", self.scenario.name()));
        self.watch.look(self.fleet);
        let began = Instant::now();
        self.break_it(&sides)?;
        self.pass(SETTLE.min(outage))?;
        let before: Vec<_> = sides
            .iter()
            .map(|side| self.watch.highest(&side.members))
            .collect();
        self.pass(outage.saturating_sub(began.elapsed()))?;
        let broken_ms = verdict::since(began);
        let mut failures = self.check_sides(&sides, &before);
        let top = self.watch.top();
        let going = sides
            .iter()
            .zip(&before)
            .filter(|(side, _)| side.expect != Expect::StandStill);
        let blocks = going
            .map(|(side, before)| self.watch.highest(&side.members).get() - before.get())
            .max()
            .unwrap_or_default();

        let mended = Instant::now();
        self.mend(&sides)?;
        let recovery = self.recover(top, mended)?;
        match recovery {
            Some(took) if took > RECOVERY_LIMIT => failures.push(format!(
                "{}: all agreed only {:.1} s after mending, {} s are allowed",
                self.scenario.name(),
                took.as_secs_f64(),
                RECOVERY_LIMIT.as_secs()
            )),
            Some(_) => {}
            None => failures.push(format!(
                "{}: not all agree {} s after mending",
                self.scenario.name(),
                RECOVERY_TIMEOUT.as_secs()
            )),
        }
        failures.append(&mut self.watch.failures);
        self.watch.suspect([]);
        self.may_end.clear();
        let round = Round {
            scenario: self.scenario,
            broken,
            broken_ms,
            blocks,
            recovery_ms: recovery.map(verdict::millis),
            failures,
        };
        if let Some(took) = recovery {
            self.output.say(format!(
                "{}: {blocks} blocks meanwhile, all agree {:.1} s after mending",
                self.scenario.name(),
                took.as_secs_f64()
            ));
        }
        Ok(round)
    }

    /// Whom it meets, the last ones first.
    fn order(&mut self) -> Vec<usize> {
        let seats = self.fleet.nodes().len();
        if self.scenario == Scenario::FullDisk {
            // Those that have small disks.
            let mut order = scenario::shuffled(seats, &mut self.args.seed.clone());
            order.reverse();
            return order;
        }
        scenario::shuffled(seats, &mut self.random)
    }

    fn sides(&self, order: &[usize]) -> Vec<Side> {
        let seats = order.len();
        if self.scenario == Scenario::NetworkPartition {
            return scenario::sides(order, self.args.split.as_ref().map_or(&[][..], |split| &split.0));
        }
        if self.scenario == Scenario::PacketLoss {
            return vec![Side {
                members: order.to_vec(),
                expect: Expect::Anything,
            }];
        }
        let few = scenario::share(seats, self.args.failure_rate);
        let (well, ill) = order.split_at(seats - few);
        let expect = match self.scenario {
            _ if well.len() >= scenario::quorum(seats) => Expect::GoOn,
            Scenario::NodeFailure => Expect::StandStill,
            // A slow disk still writes, and a clock may be wrong in the same way as another one.
            _ => Expect::Anything,
        };
        let side = |members: &[usize], expect| Side {
            members: members.to_vec(),
            expect,
        };
        vec![side(well, expect), side(ill, Expect::Anything)]
    }

    fn names(&self, members: &[usize]) -> String {
        let names = members.iter().map(|at| self.fleet.nodes()[*at].name.as_str());
        names.collect::<Vec<_>>().join(", ")
    }

    fn told(&self, sides: &[Side]) -> String {
        match self.scenario {
            Scenario::NetworkPartition => {
                let sizes: Vec<_> = sides.iter().map(|side| side.members.len().to_string()).collect();
                let last = sides
                    .last()
                    .map(|side| self.names(&side.members))
                    .unwrap_or_default();
                format!("{} ({last} on the last side)", sizes.join("|"))
            }
            Scenario::PacketLoss => format!("{} % of packets to all", self.args.failure_rate),
            _ => sides
                .last()
                .map(|side| self.names(&side.members))
                .unwrap_or_default(),
        }
    }

    /// Nodes that something is done to.
    fn ill(sides: &[Side]) -> Vec<usize> {
        sides.last().map(|side| side.members.clone()).unwrap_or_default()
    }

    fn break_it(&mut self, sides: &[Side]) -> anyhow::Result<()> {
        let ill = Self::ill(sides);
        match self.scenario {
            Scenario::NetworkPartition => {
                let mut groups = vec![0; self.fleet.nodes().len()];
                for (number, side) in sides.iter().enumerate() {
                    side.members.iter().for_each(|at| groups[*at] = number);
                }
                self.hosts()?.group(&groups)
            }
            Scenario::PacketLoss => self.hosts()?.lose(self.args.failure_rate),
            Scenario::NodeFailure => ill.iter().try_for_each(|at| self.fleet.kill(*at)),
            Scenario::SlowDisk => {
                let delay = Duration::from_millis(self.args.sync_delay.get());
                ill.iter().try_for_each(|at| self.faults[*at].set(delay, 0))
            }
            Scenario::ClockSkew => {
                let off = i64::try_from(self.args.clock_off.get()).context("no clock is so wrong")?;
                // By turns ahead and behind.
                let sign = if self.rounds.len().is_multiple_of(2) {
                    1
                } else {
                    -1
                };
                let set = |at: &usize| self.faults[*at].set(Duration::ZERO, sign * off);
                ill.iter().try_for_each(set)
            }
            Scenario::FullDisk => {
                self.may_end = ill.iter().copied().collect();
                ill.iter().try_for_each(|at| faults::fill(&self.data_dir(*at)))
            }
            Scenario::Byzantine => self.corrupt(&ill),
            Scenario::All => Ok(()),
        }
    }

    /// Starts nodes anew so that they alter their ledgers soon.
    fn corrupt(&mut self, ill: &[usize]) -> anyhow::Result<()> {
        let program = self.args.stage.hooked()?;
        let height = self.watch.top().get() + ALTER_AFTER;
        self.watch.suspect(ill.iter().copied());
        self.may_end = ill.iter().copied().collect();
        for at in ill {
            self.fleet.kill(*at)?;
            self.fleet.replace_program(*at, Some(program.clone()));
            let value = OsString::from(height.to_string());
            self.fleet.equip(*at, vec![(ALTER.to_owned(), value)]);
            self.fleet.start(*at)?;
        }
        Ok(())
    }

    fn mend(&mut self, sides: &[Side]) -> anyhow::Result<()> {
        let ill = Self::ill(sides);
        match self.scenario {
            Scenario::NetworkPartition => {
                let together = vec![0; self.fleet.nodes().len()];
                self.hosts()?.group(&together)
            }
            Scenario::PacketLoss => self.hosts()?.lose(0),
            Scenario::NodeFailure => ill.iter().try_for_each(|at| self.fleet.start(*at)),
            Scenario::SlowDisk | Scenario::ClockSkew => {
                let set = |at: &usize| self.faults[*at].set(Duration::ZERO, 0);
                ill.iter().try_for_each(set)
            }
            Scenario::FullDisk => {
                for at in &ill {
                    faults::empty(&self.data_dir(*at))?;
                    // One that could not write has ended, or is about to; one that had nothing to write goes on.
                    self.fleet.note_end(*at)?;
                    self.fleet.start(*at)?;
                }
                Ok(())
            }
            Scenario::Byzantine => ill.iter().try_for_each(|at| self.replace_data(*at)),
            Scenario::All => Ok(()),
        }
    }

    /// Sets a diverged node's data aside, and lets it get the log from its peers.
    fn replace_data(&mut self, at: usize) -> anyhow::Result<()> {
        self.fleet.kill(at)?;
        self.fleet.replace_program(at, None);
        self.fleet.equip(at, Vec::new());
        let data = self.data_dir(at);
        let aside = data.with_extension(format!("diverged-{}", self.rounds.len()));
        fs::rename(&data, &aside)
            .with_context(|| format!("cannot move {} to {}", data.display(), aside.display()))?;
        self.watch.forget(at);
        self.fleet.start(at)
    }

    /// Mends whatever may be broken, for who goes on with these nodes.
    fn mend_all(&mut self) {
        if let Some(hosts) = self.fleet.hosts() {
            let together = vec![0; self.fleet.nodes().len()];
            let _ = hosts.group(&together);
            if self.scenario == Scenario::PacketLoss {
                let _ = hosts.lose(0);
            }
        }
        for at in 0..self.fleet.nodes().len() {
            let _ = self.fleet.note_end(at);
            let _ = self.fleet.start(at);
        }
    }

    fn hosts(&self) -> anyhow::Result<&crate::devnet::hosts::Hosts> {
        self.fleet
            .hosts()
            .context("this needs nodes on hosts of their own: --network-mode distributed")
    }

    fn data_dir(&self, at: usize) -> PathBuf {
        self.fleet.nodes()[at].data_dir(self.fleet.directory())
    }

    /// What was not as expected while it was broken.
    fn check_sides(&mut self, sides: &[Side], before: &[Height]) -> Vec<String> {
        self.watch.look(self.fleet);
        let mut failures = Vec::new();
        for (side, before) in sides.iter().zip(before) {
            let after = self.watch.highest(&side.members);
            let names = self.names(&side.members);
            match side.expect {
                Expect::GoOn if after <= *before => {
                    failures.push(format!(
                        "{names} were enough, and did not go on after block {before}"
                    ));
                }
                Expect::StandStill if after > *before => failures.push(format!(
                    "{names} were too few, and went on from block {before} to {after}"
                )),
                _ => {}
            }
        }
        if self.scenario == Scenario::Byzantine {
            for at in Self::ill(sides) {
                let name = &self.fleet.nodes()[at].name;
                match self.fleet.log_end(at) {
                    Some(why) if why.contains("its state has diverged") => {
                        self.output
                            .say(format!("{name} takes part in nothing any more: {why}"));
                    }
                    Some(why) => failures.push(format!(
                        "{name} takes part in nothing any more, and not because its state has diverged: {why}"
                    )),
                    None => failures.push(format!("{name} has altered its ledger, and goes on")),
                }
            }
        }
        failures
    }

    /// Lets time pass, with an eye on everything.
    fn pass(&mut self, span: Duration) -> anyhow::Result<()> {
        let until = Instant::now() + span;
        loop {
            self.fleet.check_interrupt()?;
            for at in self.may_end.clone() {
                if let Some(words) = self.fleet.note_end(at)?
                    && self.scenario != Scenario::Byzantine
                {
                    let name = &self.fleet.nodes()[at].name;
                    self.output.say(format!("{name} ended by itself: {words}"));
                }
            }
            self.fleet.check_alive()?;
            self.watch.look(self.fleet);
            self.load.tell(self.output);
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            thread::sleep(left.min(POLL));
        }
    }

    /// How long after `mended` all nodes have one block above `top`; none if that does not happen.
    fn recover(&mut self, top: Height, mended: Instant) -> anyhow::Result<Option<Duration>> {
        loop {
            self.fleet.check_interrupt()?;
            for at in self.may_end.clone() {
                // A node may end for want of room just after there is some.
                if self.fleet.note_end(at)?.is_some() {
                    self.fleet.start(at)?;
                }
            }
            self.fleet.check_alive()?;
            match self.fleet.agreed_height() {
                Ok(Some(height)) if height > top => return Ok(Some(mended.elapsed())),
                // That one does not answer yet is why this waits.
                _ => {}
            }
            if mended.elapsed() > RECOVERY_TIMEOUT {
                return Ok(None);
            }
            self.load.tell(self.output);
            thread::sleep(POLL_MENDED);
        }
    }
}

/// Whether a federation that is pointed at will do.
pub(super) fn check(scenario: Scenario, args: &ChaosArgs, stage: &StageArgs) -> anyhow::Result<()> {
    anyhow::ensure!(
        stage.is_own() || !scenario.needs_own_nodes(),
        "{} needs nodes that it starts itself: leave --dir out",
        scenario.name()
    );
    if scenario.needs_library() {
        library(args)?;
    }
    if scenario == Scenario::Byzantine {
        stage.hooked()?;
    }
    if scenario == Scenario::PacketLoss {
        crate::devnet::hosts::check_loss()?;
    }
    Ok(())
}
