//! The federation that a run works on: one that `devnet up` has started, or one of the run's own, which ends with it.
use super::{
    NetworkMode,
    fleet::Fleet,
    hosts,
    plan::{self, Plan},
    state::State,
};
use crate::{failure::Usage, output::Output};
use anyhow::Context as _;
use clap::Args;
use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// How long the nodes have to agree at first: several share two cores.
const START_TIMEOUT: Duration = Duration::from_secs(180);
/// Variable of a node that is built with test hooks.
pub(super) const ALTER: &str = "ICN_TEST_ALTER_LEDGER_AT";

/// Which federation.
#[derive(Clone, Debug, Args)]
pub(super) struct StageArgs {
    /// A devnet that runs already (devnet up); without it one is started, and ended, for this run
    #[arg(long = "dir", value_name = "DIR", conflicts_with_all = ["seats", "network_mode", "work", "alter_ledger"])]
    directory: Option<PathBuf>,
    /// How many nodes to start
    #[arg(long, value_name = "N", visible_aliases = ["nodes", "federation-size"], value_parser = clap::value_parser!(u16).range(1..=plan::MAX_SEATS as i64))]
    seats: Option<u16>,
    /// Whether they are all on loopback, or each on a host of its own, in namespaces that end with the run
    #[arg(long, value_name = "MODE", value_enum)]
    network_mode: Option<NetworkMode>,
    /// An empty or new directory for them, which is kept; a temporary one if not named, kept only if the run fails
    #[arg(long, value_name = "DIR")]
    work: Option<PathBuf>,
    /// The first port to try on loopback; the next free ones are taken
    #[arg(long, value_name = "PORT", default_value_t = 27_800, value_parser = clap::value_parser!(u16).range(1_024..=59_000))]
    base_port: u16,
    /// icn-node built with test hooks (cargo build -p icn-node --features test-hooks --bin icn-node-test-hooks)
    #[arg(long, value_name = "FILE")]
    pub(super) hooked_node: Option<PathBuf>,
    /// Check this check: let a node alter its ledger at a height. The run has to fail, and to name the node
    #[arg(long, value_name = "NODE@HEIGHT", value_parser = alteration, requires = "hooked_node")]
    alter_ledger: Option<(String, u64)>,
}

fn alteration(text: &str) -> Result<(String, u64), String> {
    let (name, height) = text
        .split_once('@')
        .ok_or(format!("{text:?} is not NODE@HEIGHT, like dairy@20"))?;
    let height = height.parse().map_err(|_| format!("{height:?} is no height"))?;
    Ok((name.to_owned(), height))
}

impl StageArgs {
    /// Whether a federation is started for the run.
    pub(super) const fn is_own(&self) -> bool {
        self.directory.is_none()
    }

    /// How the nodes of a federation of the run's own reach each other.
    pub(super) fn mode(&self, default: NetworkMode) -> NetworkMode {
        self.network_mode.unwrap_or(default)
    }

    /// Goes on in namespaces of its own, if nodes are to have hosts there.
    pub(super) fn enter(&self, default: NetworkMode) -> anyhow::Result<()> {
        if self.is_own() && self.mode(default) == NetworkMode::Distributed {
            hosts::go_inside()?;
        }
        Ok(())
    }

    /// How many nodes a federation of the run's own has.
    pub(super) fn seats(&self, default: usize) -> usize {
        self.seats.map_or(default, usize::from)
    }

    /// The program of nodes that can be told to go wrong.
    pub(super) fn hooked(&self) -> anyhow::Result<PathBuf> {
        let program = self.hooked_node.as_ref().context(
            "this needs a node that goes wrong when told to: cargo build -p icn-node --features test-hooks --bin \
             icn-node-test-hooks, and name it with --hooked-node",
        )?;
        anyhow::ensure!(
            program.is_file(),
            "{} is not there: cargo build -p icn-node --features test-hooks --bin icn-node-test-hooks",
            program.display()
        );
        Ok(std::path::absolute(program)?)
    }
}

/// A federation with what has to be cleared away after it.
pub(super) struct Stage {
    pub(super) fleet: Fleet,
    /// A directory that goes if the run passes.
    temporary: Option<PathBuf>,
    /// What is mounted in it.
    pub(super) mounts: Vec<PathBuf>,
}

impl Stage {
    /// Opens or starts it. `part` tells several federations of one run apart; `prepare` sees the nodes before they start.
    pub(super) fn open(
        output: &Output,
        args: &StageArgs,
        (default_mode, default_seats): (NetworkMode, usize),
        part: &str,
        prepare: impl FnOnce(&mut Fleet) -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        if let Some(directory) = &args.directory {
            return Self::running(output, directory);
        }
        let (directory, temporary) = match &args.work {
            Some(work) => (std::path::absolute(work)?.join(part), false),
            None => {
                let name = format!("icn-{part}-{}", std::process::id());
                (std::env::temp_dir().join(name), true)
            }
        };
        let seats = args.seats(default_seats);
        let plan = Plan {
            distributed: args.mode(default_mode) == NetworkMode::Distributed,
            ..Plan::new(seats, plan::free_base_port(seats, args.base_port)?)
        };
        let state = plan::prepare(&directory, &plan)?;
        let mut fleet = Fleet::new(directory.clone(), state)?;
        fleet.bind();
        if let Some((name, height)) = &args.alter_ledger {
            let at = place(&fleet, name)?;
            fleet.replace_program(at, Some(args.hooked()?));
            fleet.equip(at, vec![(ALTER.to_owned(), OsString::from(height.to_string()))]);
        }
        prepare(&mut fleet)?;
        output.say(format!("starting {seats} nodes in {}", directory.display()));
        fleet.start_all()?;
        fleet.wait_until_agreed(output, START_TIMEOUT)?;
        Ok(Self {
            fleet,
            temporary: temporary.then_some(directory),
            mounts: Vec::new(),
        })
    }

    fn running(output: &Output, directory: &Path) -> anyhow::Result<Self> {
        let directory = std::path::absolute(directory)?;
        let state = State::load(&directory)?;
        let mut fleet = Fleet::new(directory, state)?;
        fleet.leave_running();
        if (0..fleet.nodes().len()).any(|at| !fleet.runs(at)) {
            return Err(Usage::new("not all nodes of this devnet run: icn-cli devnet up").into());
        }
        fleet.wait_until_agreed(output, START_TIMEOUT)?;
        Ok(Self {
            fleet,
            temporary: None,
            mounts: Vec::new(),
        })
    }

    /// Stops what was started. What was written goes with it, if the run passed and nobody wants it.
    pub(super) fn close(mut self, output: &Output, passed: bool) -> anyhow::Result<()> {
        if !self.fleet.is_own() {
            return Ok(());
        }
        self.fleet.stop_all()?;
        self.fleet.remove_hosts()?;
        let directory = self.fleet.directory().to_owned();
        drop(self.fleet);
        match self.temporary {
            Some(temporary) if passed => {
                self.mounts.iter().try_for_each(|place| hosts::unmount(place))?;
                fs::remove_dir_all(&temporary)
                    .with_context(|| format!("cannot delete {}", temporary.display()))
            }
            _ => {
                output.say(format!("logs are in {}", directory.display()));
                Ok(())
            }
        }
    }
}

/// Which node is called so.
fn place(fleet: &Fleet, name: &str) -> anyhow::Result<usize> {
    let found = fleet.nodes().iter().position(|node| node.name == name);
    let missing = || {
        let names: Vec<_> = fleet.nodes().iter().map(|node| node.name.as_str()).collect();
        Usage::new(format!(
            "no node is called {name:?}: there are {}",
            names.join(", ")
        ))
    };
    Ok(found.ok_or_else(missing)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alterations_name_a_node_and_a_height() {
        assert_eq!(alteration("dairy@20"), Ok(("dairy".to_owned(), 20)));
        for text in ["dairy", "dairy@", "dairy@x"] {
            assert!(alteration(text).is_err(), "{text}");
        }
    }
}
