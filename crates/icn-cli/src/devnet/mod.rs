//! A federation of several real nodes on this machine: each a process of its own, with its own keys, ports and
//! directory, on loopback only.
mod chaos;
mod demo;
mod economy;
mod fleet;
mod hosts;
mod load;
mod monitor;
mod plan;
mod process;
mod stage;
mod state;
mod story;
mod teller;
mod verdict;
mod vote;

use crate::{
    failure::{Found, Usage},
    format,
    output::Output,
    parse,
    table::Table,
};
use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use fleet::{Fleet, View};
use icn_model::Millis;
use plan::Plan;
use state::State;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// What a new devnet is like where nothing says.
const SEATS: u16 = 4;
const BASE_PORT: u16 = 7_800;

/// `devnet`
#[derive(Debug, Subcommand)]
pub(crate) enum DevnetCommand {
    /// Start the nodes, and wait until they agree
    ///
    /// Nodes that were stopped by `devnet down` start again with the keys and data that they had. How many they are, and where,
    /// stays as it was when the devnet was made.
    Up(UpArgs),
    /// Stop the nodes; their data stays
    Down(DownArgs),
    /// Show the nodes: heights, roots, peers
    Status(DirectoryArgs),
    /// Show what a federation does, on four nodes that are there for this only
    ///
    /// Three jobs of three cooperatives run on others' machines, their receipts are replayed, a node is killed
    /// while jobs run and comes back, and the mana adds up on all four.
    Demo(DemoArgs),
    /// Hand in jobs of all kinds, many at once, and see whether the federation comes through them
    ///
    /// Ends with a table. Fails unless every job settled or was rolled back, the mana adds up on every node, all nodes agree
    /// on height and root, and each of them has every operation that was acknowledged.
    Load(Box<load::LoadArgs>),
    /// Break nodes, links, disks and clocks while jobs run, mend them, and see whether everything holds that was promised
    ///
    /// Ends with a table. Fails unless those that are enough go on and those that are too few order nothing, all agree within
    /// 30 s of mending, and everything holds at the end that `devnet load` asks for.
    Chaos(Box<chaos::ChaosArgs>),
}

/// `devnet up`
#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    /// How many nodes; four survive the loss of one [default: 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=16))]
    seats: Option<u16>,
    /// Whether all nodes are on loopback, or each on a host of its own: a network namespace with two links (needs root)
    /// [default: local]
    #[arg(long, value_name = "MODE", value_enum)]
    network_mode: Option<NetworkMode>,
    /// Whether nodes keep what they know on disk, or in memory until they end [default: disk]
    #[arg(long, value_name = "WHERE", value_enum)]
    store: Option<Keep>,
    /// Start a Prometheus (from PATH) that watches them
    #[arg(long)]
    monitoring: bool,
    /// A file or directory of rules for it; can be repeated
    #[arg(long, value_name = "PATH", requires = "monitoring")]
    rules: Vec<PathBuf>,
    #[command(flatten)]
    directory: DirectoryArgs,
    /// HTTP interfaces listen from this port on, nodes for each other from 100 above [default: 7800]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1_024..=65_000))]
    base_port: Option<u16>,
    /// How long to wait until the nodes agree
    #[arg(long, value_name = "SPAN", value_parser = parse::span, default_value = "60s")]
    timeout: Millis,
}

/// Where the nodes of a devnet are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum NetworkMode {
    /// All on loopback.
    Local,
    /// Each on a host of its own.
    Distributed,
}

/// Where nodes keep what they know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Keep {
    /// In a store on disk.
    Disk,
    /// In memory, until they end.
    Memory,
}

/// Where a devnet is.
#[derive(Debug, Args)]
pub(crate) struct DirectoryArgs {
    /// The devnet's directory
    #[arg(long = "dir", value_name = "DIR", default_value = "icn_devnet")]
    directory: PathBuf,
}

/// `devnet down`
#[derive(Debug, Args)]
pub(crate) struct DownArgs {
    #[command(flatten)]
    directory: DirectoryArgs,
    /// Delete the devnet's directory, too: keys, data and logs
    #[arg(long)]
    remove: bool,
}

/// `devnet demo`
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// An empty or new directory for the nodes and the results; a temporary one if not named
    #[arg(long = "dir", value_name = "DIR")]
    directory: Option<PathBuf>,
    /// The first port to try; the next free ones are taken
    #[arg(long, value_name = "PORT", default_value_t = 17_800, value_parser = clap::value_parser!(u16).range(1_024..=60_000))]
    base_port: u16,
}

pub(crate) fn run(output: &Output, command: DevnetCommand) -> anyhow::Result<()> {
    match command {
        DevnetCommand::Up(args) => up(output, &args),
        DevnetCommand::Down(args) => down(output, &args),
        DevnetCommand::Status(args) => status(output, &args),
        DevnetCommand::Demo(args) => demo::run(output, args.directory, args.base_port),
        DevnetCommand::Load(args) => load::run(output, &args),
        DevnetCommand::Chaos(args) => chaos::run(output, &args),
    }
}

fn up(output: &Output, args: &UpArgs) -> anyhow::Result<()> {
    let directory = std::path::absolute(&args.directory.directory)?;
    let state = match State::load_if_there(&directory)? {
        Some(state) => {
            check_as_made(args, &state, &directory)?;
            state
        }
        None => {
            if args.monitoring {
                monitor::program()?;
            }
            let seats = usize::from(args.seats.unwrap_or(SEATS));
            let plan = Plan {
                distributed: args.network_mode == Some(NetworkMode::Distributed),
                persistent: args.store != Some(Keep::Memory),
                monitored: args.monitoring,
                ..Plan::new(seats, args.base_port.unwrap_or(BASE_PORT))
            };
            plan::prepare(&directory, &plan)?
        }
    };
    let mut fleet = Fleet::new(directory, state)?;
    fleet.start_all()?;
    fleet.wait_until_agreed(output, Duration::from_millis(args.timeout.get()))?;
    if args.monitoring {
        fleet.watch(&args.rules)?;
        fleet.wait_until_watched()?;
    }
    let views = fleet.views();
    fleet.leave_running();
    print(output, &views)?;
    if let Some(prometheus) = fleet.prometheus() {
        output.say(format!("Prometheus: http://{}", prometheus.address));
    }
    let profile = fleet.directory().join(&views[0].name).join("data/cli.toml");
    output.say(format!(
        "use a node: icn-cli --profile {} status",
        profile.display()
    ));
    output.say(format!(
        "stop them: icn-cli devnet down --dir {}",
        fleet.directory().display()
    ));
    Ok(())
}

/// What a value is called on the command line.
fn named(value: &impl ValueEnum) -> String {
    let possible = value.to_possible_value();
    possible.map_or_else(String::new, |value| value.get_name().to_owned())
}

/// Refuses options that ask for another devnet than the one that is there.
fn check_as_made(args: &UpArgs, state: &State, directory: &Path) -> anyhow::Result<()> {
    let mut made = Vec::new();
    if args
        .seats
        .is_some_and(|seats| usize::from(seats) != state.nodes.len())
    {
        made.push(format!("--seats {}", state.nodes.len()));
    }
    let mode = if state.distributed {
        NetworkMode::Distributed
    } else {
        NetworkMode::Local
    };
    if args.network_mode.is_some_and(|wanted| wanted != mode) {
        made.push(format!("--network-mode {}", named(&mode)));
    }
    if let Some(wanted) = args.store {
        let store = if plan::is_persistent(state, directory)? {
            Keep::Disk
        } else {
            Keep::Memory
        };
        if wanted != store {
            made.push(format!("--store {}", named(&store)));
        }
    }
    if let (Some(wanted), Some(base_port)) = (args.base_port, plan::base_port(state))
        && wanted != base_port
    {
        made.push(format!("--base-port {base_port}"));
    }
    if made.is_empty() {
        return Ok(());
    }
    Err(Usage::new(format!(
        "the devnet in {} was made with {}, and stays so: say the same or nothing of it, name another directory with --dir, or \
         delete this one (icn-cli devnet down --remove)",
        directory.display(),
        made.join(" ")
    ))
    .into())
}

fn down(output: &Output, args: &DownArgs) -> anyhow::Result<()> {
    let directory = std::path::absolute(&args.directory.directory)?;
    let state = State::load(&directory)?;
    let mut fleet = Fleet::new(directory, state)?;
    for (name, end) in fleet.stop_all()? {
        output.say(format!("{name}: {end}"));
    }
    fleet.stop_watching()?;
    fleet.remove_hosts()?;
    if args.remove {
        let directory = fleet.directory();
        std::fs::remove_dir_all(directory)
            .with_context(|| format!("cannot delete {}", directory.display()))?;
        output.say(format!("deleted {}", directory.display()));
    }
    Ok(())
}

fn status(output: &Output, args: &DirectoryArgs) -> anyhow::Result<()> {
    let directory = std::path::absolute(&args.directory)?;
    let state = State::load(&directory)?;
    let fleet = Fleet::new(directory, state)?;
    let views = fleet.views();
    fleet.leave_running();
    print(output, &views)?;
    match views.iter().filter(|view| !view.running).count() {
        0 => Ok(()),
        count => Err(Found(format!(
            "{count} of {} nodes do not run: icn-cli devnet up",
            views.len()
        ))
        .into()),
    }
}

fn print(output: &Output, views: &[View]) -> anyhow::Result<()> {
    output.data(&views, |output| Ok(output.table(&table(views))?))
}

fn table(views: &[View]) -> Table {
    let mut table = Table::new([
        "NAME",
        "STATE",
        ">HEIGHT",
        "ROOT",
        ">PEERS",
        "API",
        "PEER ADDRESS",
        "IDENTITY",
    ]);
    for view in views {
        let dash = || "-".to_owned();
        table.row([
            view.name.clone(),
            if view.running { "running" } else { "stopped" }.to_owned(),
            view.height.map_or_else(dash, |height| height.to_string()),
            view.root
                .map_or_else(dash, |root| root.to_string()[..12].to_owned()),
            view.peers.map_or_else(dash, |peers| peers.to_string()),
            view.api_url.clone(),
            view.p2p_address.clone(),
            view.did.to_string(),
        ]);
    }
    table
}

/// A span of time since something, for people.
fn told(span: Duration) -> String {
    format::span(Millis::new(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_devnet_stays_as_it_was_made() {
        let directory = tempfile::tempdir().unwrap();
        let base = plan::free_base_port(2, 23_000).unwrap();
        let state = plan::prepare(directory.path(), &Plan::new(2, base)).unwrap();
        let mut args = UpArgs {
            seats: None,
            network_mode: None,
            store: None,
            monitoring: false,
            rules: Vec::new(),
            directory: DirectoryArgs {
                directory: directory.path().to_owned(),
            },
            base_port: None,
            timeout: Millis::from_secs(60),
        };
        check_as_made(&args, &state, directory.path()).unwrap();
        args.seats = Some(2);
        args.network_mode = Some(NetworkMode::Local);
        args.store = Some(Keep::Disk);
        args.base_port = Some(base);
        check_as_made(&args, &state, directory.path()).unwrap();
        args.seats = Some(4);
        args.network_mode = Some(NetworkMode::Distributed);
        args.store = Some(Keep::Memory);
        args.base_port = Some(base + 1);
        let error = check_as_made(&args, &state, directory.path()).unwrap_err();
        assert!(error.is::<Usage>(), "{error}");
        let made = format!("--seats 2 --network-mode local --store disk --base-port {base},");
        assert!(error.to_string().contains(&made), "{error}");
    }
}
