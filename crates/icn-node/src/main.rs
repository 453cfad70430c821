//! `icn-node`: reads its configuration, starts the service, waits for a signal, drains.
use clap::{Args, CommandFactory as _, Parser, Subcommand};
use icn_api::config::Setting;
use icn_model::Did;
use icn_runtime::{
    RuntimeContext, backup,
    config::{self, Layered, Live, Sources},
    memory, migrate,
    service::Founding,
    succession,
};
use icn_serve::log::Log;
use icn_store::BackendKind;
use serde::Serialize;
use std::{
    collections::BTreeMap,
    io::Write as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// The node of a cooperative: keeps the federation's log with the others, runs jobs, stores blocks.
///
/// Without any option it founds a federation of one in ./icn_data and listens on loopback. Options win over
/// environment variables (ICN_<SECTION>_<KEY>), those over the configuration file.
#[derive(Parser)]
#[command(
    version,
    arg_required_else_help = false,
    args_conflicts_with_subcommands = true
)]
struct Cli {
    #[command(subcommand)]
    command: Option<NodeCommand>,
    #[command(flatten)]
    options: Options,
}

/// What the program does instead of running the node.
#[derive(Subcommand)]
enum NodeCommand {
    /// Check and show the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Look after the store of a node that is stopped
    #[command(subcommand)]
    Storage(StorageCommand),
    /// Make this machine's node the one of a cooperative that has its seat already, by the key that is here
    ///
    /// For a seat whose key was lost and that was given this one (`icn-cli key assign --seat`), and for one that was given
    /// another key before its data directory was lost. Until the log that the node fetches says that the key has the seat,
    /// the node follows without a vote.
    Claim {
        /// The cooperative, by its identity
        #[arg(value_name = "DID")]
        did: Did,
        #[command(flatten)]
        options: Box<Options>,
    },
    /// Write the manual pages to a directory
    Man {
        /// Where they go
        #[arg(value_name = "DIR")]
        directory: PathBuf,
    },
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Say whether a configuration file can be used, with the environment as it is; starts nothing
    Check {
        /// The file
        file: PathBuf,
    },
    /// Show every value that a node started with the same options would have
    Show {
        /// Say which layer each value comes from
        #[arg(long)]
        origin: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        options: Box<Options>,
    },
}

#[derive(Subcommand)]
enum StorageCommand {
    /// Move the store to another backend; the old one stays as it is
    Migrate {
        /// Where the store is: BACKEND:DIRECTORY or a postgresql:// URL
        #[arg(long, value_name = "PLACE")]
        from: String,
        /// Where it goes, an empty place: BACKEND:DIRECTORY or a postgresql:// URL
        #[arg(long, value_name = "PLACE")]
        to: String,
        /// Print the result as JSON
        #[arg(long)]
        json: bool,
    },
    /// Restore the store from backups, as the one that the options name
    Restore {
        /// A backup, or a directory of them; several for a chain of incremental ones
        #[arg(long, value_name = "FILE|DIR", required = true, num_args = 1..)]
        input: Vec<PathBuf>,
        /// Set a store and a key that are there aside
        #[arg(long)]
        force: bool,
        /// Print the result as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        options: Box<Options>,
    },
}

#[derive(Args)]
struct Options {
    /// Configuration file (TOML); unknown keys are refused
    #[arg(long, value_name = "FILE", env = "ICN_CONFIG")]
    config: Option<PathBuf>,
    /// In memory, on loopback, with the API key dev-key-123: to try things out
    #[arg(long)]
    test_mode: bool,
    /// What keeps state, blocks and events: memory, fjall, redb, sled, sqlite, postgresql, rocksdb [default: fjall]
    #[arg(long, value_name = "BACKEND")]
    storage_backend: Option<BackendKind>,
    /// Directory of the storage backend, or the URL of a PostgreSQL database
    #[arg(long, value_name = "DIR|URL")]
    storage_path: Option<String>,
    /// URL of a PostgreSQL database
    #[arg(long, value_name = "URL")]
    db_url: Option<String>,
    /// Directory of keys, journals and everything else that is no backend's
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Where to serve HTTP [default: 127.0.0.1:7845 or the next free port]
    #[arg(long, value_name = "ADDRESS:PORT")]
    http_listen_addr: Option<SocketAddr>,
    /// Where to listen for other nodes [default: /ip4/127.0.0.1/tcp/7000 or the next free port]
    #[arg(long, value_name = "MULTIADDR")]
    p2p_listen_addr: Option<String>,
    /// Nodes to start from, separated by commas
    #[arg(long, value_name = "MULTIADDR", value_delimiter = ',')]
    bootstrap_peers: Option<Vec<String>>,
    /// Key for the HTTP interface [default: made at the first start, kept in cli.toml in the data directory]
    #[arg(long, value_name = "KEY")]
    api_key: Option<String>,
    /// Certificate for HTTPS with those that signed it, PEM; with --tls-key-path
    #[arg(long, value_name = "FILE")]
    tls_cert_path: Option<PathBuf>,
    /// The certificate's private key, PEM
    #[arg(long, value_name = "FILE")]
    tls_key_path: Option<PathBuf>,
    /// Serve Prometheus metrics at /metrics
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    metrics_enabled: Option<bool>,
    /// Where to serve metrics without a key [default: 127.0.0.1:9090 or the next free port]
    #[arg(long, value_name = "ADDRESS:PORT")]
    metrics_bind_addr: Option<SocketAddr>,
    /// Genesis of a federation that this node founds with others (`icn-cli federation create`)
    #[arg(long, value_name = "FILE", conflicts_with = "invitation")]
    genesis: Option<PathBuf>,
    /// Invitation to join a federation (`icn-cli federation invite`)
    #[arg(long, value_name = "FILE")]
    invitation: Option<PathBuf>,
    /// Let the log go on without seats that are lost for good, as the survivors have signed (`icn-cli federation recover`)
    #[arg(long, value_name = "FILE")]
    recovery: Option<PathBuf>,
    /// The state that such a log went on from, for a newcomer: predecessor.state of a survivor
    #[arg(long, value_name = "FILE")]
    predecessor_state: Option<PathBuf>,
}

/// The command line as a layer of the configuration: only what was said.
#[derive(Serialize)]
struct Layer {
    runtime: RuntimeLayer,
    network: NetworkLayer,
    storage: StorageLayer,
    api: ApiLayer,
    monitoring: MonitoringLayer,
}

#[derive(Serialize)]
struct RuntimeLayer {
    #[serde(skip_serializing_if = "Option::is_none")]
    test_mode: Option<bool>,
}

#[derive(Serialize)]
struct NetworkLayer {
    #[serde(skip_serializing_if = "Option::is_none")]
    http_listen_addr: Option<SocketAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p2p_listen_addr: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bootstrap_peers: Option<Vec<String>>,
}

#[derive(Serialize)]
struct StorageLayer {
    #[serde(skip_serializing_if = "Option::is_none")]
    backend: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection_string: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_dir: Option<PathBuf>,
}

#[derive(Serialize)]
struct ApiLayer {
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_cert_path: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_key_path: Option<PathBuf>,
}

#[derive(Serialize)]
struct MonitoringLayer {
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics_enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics_bind_addr: Option<SocketAddr>,
}

impl Options {
    fn split(self) -> (Option<PathBuf>, Layer, Founding) {
        let layer = Layer {
            runtime: RuntimeLayer {
                test_mode: self.test_mode.then_some(true),
            },
            network: NetworkLayer {
                http_listen_addr: self.http_listen_addr,
                p2p_listen_addr: self.p2p_listen_addr,
                bootstrap_peers: self.bootstrap_peers,
            },
            storage: StorageLayer {
                backend: self.storage_backend.map(BackendKind::name),
                path: self.storage_path,
                connection_string: self.db_url,
                data_dir: self.data_dir,
            },
            api: ApiLayer {
                api_key: self.api_key,
                tls_cert_path: self.tls_cert_path,
                tls_key_path: self.tls_key_path,
            },
            monitoring: MonitoringLayer {
                metrics_enabled: self.metrics_enabled,
                metrics_bind_addr: self.metrics_bind_addr,
            },
        };
        (
            self.config,
            layer,
            Founding {
                genesis: self.genesis,
                invitation: self.invitation,
                recovery: self.recovery,
                predecessor_state: self.predecessor_state,
            },
        )
    }
}

pub(crate) fn main() -> ExitCode {
    memory::share_heap();
    let cli = Cli::parse();
    let done = match cli.command {
        Some(NodeCommand::Storage(StorageCommand::Migrate { from, to, json })) => migrate(&from, &to, json),
        Some(NodeCommand::Storage(StorageCommand::Restore {
            input,
            force,
            json,
            options,
        })) => restore(*options, &input, force, json),
        Some(NodeCommand::Config(ConfigCommand::Check { file })) => check_config(&file),
        Some(NodeCommand::Config(ConfigCommand::Show {
            origin,
            json,
            options,
        })) => show_config(*options, origin, json),
        Some(NodeCommand::Claim { did, options }) => claim(*options, did),
        Some(NodeCommand::Man { directory }) => manual(&directory),
        None => {
            let (file, layer, founding) = cli.options.split();
            run(file, &layer, founding)
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn claim(options: Options, did: Did) -> anyhow::Result<()> {
    let (file, layer, _) = options.split();
    let config = Layered::read(file.as_deref(), &layer)?.config;
    let key = succession::claim(&config, did)?;
    writeln!(
        std::io::stdout(),
        "this is the node of {did} now, with the key {key}"
    )?;
    Ok(())
}

fn manual(directory: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(directory)?;
    Ok(clap_mangen::generate_to(Cli::command(), directory)?)
}

fn check_config(file: &Path) -> anyhow::Result<()> {
    Layered::read(Some(file), &BTreeMap::<String, String>::new())?;
    writeln!(std::io::stdout(), "{} can be used", file.display())?;
    Ok(())
}

fn show_config(options: Options, origin: bool, json: bool) -> anyhow::Result<()> {
    let (file, layer, _) = options.split();
    let settings = Layered::read(file.as_deref(), &layer)?.settings()?;
    let mut out = std::io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut out, &settings)?;
        writeln!(out)?;
        return Ok(());
    }
    for Setting {
        key,
        value,
        origin: from,
        ..
    } in &settings
    {
        let value = if value.is_empty() { "(not set)" } else { value };
        if origin {
            writeln!(out, "{key} = {value}  # {from}")?;
        } else {
            writeln!(out, "{key} = {value}")?;
        }
    }
    Ok(())
}

fn migrate(from: &str, to: &str, json: bool) -> anyhow::Result<()> {
    let moved = migrate::run(&migrate::location(from)?, &migrate::location(to)?)?;
    writeln!(std::io::stdout(), "{}", migrate::report(&moved, json))?;
    Ok(())
}

fn restore(options: Options, inputs: &[PathBuf], force: bool, json: bool) -> anyhow::Result<()> {
    let (file, layer, _) = options.split();
    let config = Layered::read(file.as_deref(), &layer)?.config;
    let restored = backup::restore(&config, inputs, force)?;
    let mut out = std::io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string(&restored)?)?;
        return Ok(());
    }
    writeln!(
        out,
        "restored height {}, root {}, {} blocks from {} archives to {}",
        restored.height, restored.root, restored.blocks, restored.archives, restored.place
    )?;
    if let Some(old) = &restored.set_aside {
        eprintln!(
            "the earlier store is in {}: remove it when you no longer need it",
            old.display()
        );
    }
    if restored.identity {
        eprintln!("the node's key came along: see that the node that it is from never runs again");
    } else {
        eprintln!(
            "the backup held no key: a node with another one can read this state, and has no seat of its own"
        );
    }
    Ok(())
}

fn run(file: Option<PathBuf>, layer: &Layer, founding: Founding) -> anyhow::Result<()> {
    let live = Live::read(Sources::new(file, layer)?)?;
    let log = Log::start(&live.config().logging, config::LOG)?;
    let ran = RuntimeContext::prepare(live, founding, log.clone())?.run();
    log.finish();
    ran
}
