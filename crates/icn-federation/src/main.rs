//! `icn-federation`: reads its configuration and serves, or does what else the command line says.
use clap::{Args, CommandFactory as _, Parser, Subcommand};
use icn_federation::{
    config::{Config, Layered, OWN},
    offline,
};
use icn_serve::log::Log;
use serde::Serialize;
use std::{
    io::Write as _,
    net::IpAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// The Federation Service: a catalog of projects, their heartbeats, and which of them are alive.
///
/// Without any option it keeps what it knows in ./icn_federation_data and listens on 127.0.0.1:8001. Options win over
/// environment variables, those over the configuration file; `config show --origin` tells them all.
#[derive(Parser)]
#[command(
    version,
    arg_required_else_help = false,
    args_conflicts_with_subcommands = true
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    options: Options,
}

#[derive(Subcommand)]
enum Command {
    /// Bring the tables of the database to this version
    Migrate {
        /// Change nothing; exit 1 if something is missing
        #[arg(long)]
        check: bool,
        #[command(flatten)]
        options: Options,
    },
    /// Make, list, rotate and revoke keys; a service that runs follows at once
    #[command(subcommand)]
    Key(KeyCommand),
    /// Check a catalog's file
    #[command(subcommand)]
    Catalog(CatalogCommand),
    /// Check and show the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Say what an error of the interface means
    Explain {
        /// Its number or name
        code: String,
    },
    /// Write the manual pages to a directory
    Man {
        /// Where they go
        #[arg(value_name = "DIR")]
        directory: PathBuf,
    },
}

#[derive(Subcommand)]
enum KeyCommand {
    /// Make a key and print its secret, once
    Add {
        /// What it is to be called
        name: String,
        /// What it is to be good for: read, project, admin
        #[arg(long, default_value = "admin")]
        scope: String,
        /// The one project that it is for, with --scope project
        #[arg(long)]
        slug: Option<String>,
        /// Until when it is to count, as 2027-01-01T00:00:00Z
        #[arg(long, value_name = "DATE")]
        expires: Option<String>,
        #[command(flatten)]
        options: Options,
    },
    /// List the keys
    Ls {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        options: Options,
    },
    /// Give a key another secret and print it, once
    Rotate {
        /// Which one
        name: String,
        /// How long the former secret still counts [default: a day]
        #[arg(long, value_name = "SECONDS")]
        overlap: Option<u64>,
        #[command(flatten)]
        options: Options,
    },
    /// Take a key away
    Revoke {
        /// Which one
        name: String,
        #[command(flatten)]
        options: Options,
    },
}

#[derive(Subcommand)]
enum CatalogCommand {
    /// Say all that is wrong with a file, each with its line
    Check {
        /// The file
        file: PathBuf,
    },
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Say whether a configuration file can be used, with the environment as it is; starts nothing
    Check {
        /// The file
        file: PathBuf,
    },
    /// Show every value that a service started with the same options would have
    Show {
        /// Say which layer each value comes from
        #[arg(long)]
        origin: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        options: Options,
    },
}

#[derive(Args)]
struct Options {
    /// Configuration file (TOML); unknown keys are refused
    #[arg(long, value_name = "FILE", env = "FEDERATION_CONFIG")]
    config: Option<PathBuf>,
    /// Address to listen on [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    host: Option<IpAddr>,
    /// Port to listen on [default: 8001]
    #[arg(long)]
    port: Option<u16>,
    /// Directory of the embedded database [default: ./icn_federation_data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Database: postgresql://USER@HOST/DATABASE, or sqlite://PATH [default: federation.db in the data directory]
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// NATS servers, separated by commas [default: none, heartbeats over HTTP only]
    #[arg(long, value_name = "URL")]
    nats_url: Option<String>,
    /// The catalog's file [default: config/projects.yaml, if there is one]
    #[arg(long, value_name = "FILE")]
    catalog: Option<PathBuf>,
}

/// The command line as a layer of the configuration: only what was said.
#[derive(Serialize)]
struct Layer {
    server: ServerLayer,
    database: UrlLayer,
    nats: UrlLayer,
    catalog: CatalogLayer,
}

#[derive(Serialize)]
struct ServerLayer {
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_dir: Option<PathBuf>,
}

#[derive(Serialize)]
struct UrlLayer {
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

#[derive(Serialize)]
struct CatalogLayer {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
}

impl Options {
    fn read(self) -> anyhow::Result<Layered> {
        let layer = Layer {
            server: ServerLayer {
                host: self.host,
                port: self.port,
                data_dir: self.data_dir,
            },
            database: UrlLayer {
                url: self.database_url,
            },
            nats: UrlLayer { url: self.nats_url },
            catalog: CatalogLayer { file: self.catalog },
        };
        Ok(Layered::read(self.config.as_deref(), &layer)?)
    }

    fn config(self) -> anyhow::Result<Config> {
        Ok(self.read()?.config)
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(run(cli)),
        Err(error) => Err(error.into()),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout();
    match cli.command {
        None => {
            let config = cli.options.config()?;
            let log = Log::start(&config.logging, OWN)?;
            let ran = icn_federation::run(config).await;
            log.finish();
            ran?;
        }
        Some(Command::Migrate { check, options }) => return migrate(&options.config()?, check).await,
        Some(Command::Key(command)) => key(command).await?,
        Some(Command::Catalog(CatalogCommand::Check { file })) => {
            let entries = offline::check_catalog(&file)?;
            writeln!(out, "{} can be used: {entries} entries", file.display())?;
        }
        Some(Command::Config(ConfigCommand::Check { file })) => check_config(&file)?,
        Some(Command::Config(ConfigCommand::Show {
            origin,
            json,
            options,
        })) => {
            show_config(options, origin, json)?;
        }
        Some(Command::Explain { code }) => match offline::explain(&code) {
            Some(text) => writeln!(out, "{text}")?,
            None => {
                anyhow::bail!("there is no error {code}; those of all interfaces are in `icn-cli explain`")
            }
        },
        Some(Command::Man { directory }) => {
            std::fs::create_dir_all(&directory)?;
            clap_mangen::generate_to(Cli::command(), directory)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn migrate(config: &Config, check: bool) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout();
    let missing = if check {
        offline::missing_migrations(config).await?
    } else {
        offline::migrate(config).await?
    };
    for name in &missing {
        writeln!(out, "{} {name}", if check { "missing" } else { "applied" })?;
    }
    if missing.is_empty() {
        writeln!(out, "the database is of this version")?;
    }
    Ok(if check && !missing.is_empty() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

async fn key(command: KeyCommand) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    match command {
        KeyCommand::Add {
            name,
            scope,
            slug,
            expires,
            options,
        } => {
            let config = options.config()?;
            let secret =
                offline::add_key(&config, &name, &scope, slug.as_deref(), expires.as_deref()).await?;
            writeln!(out, "{secret}")?;
        }
        KeyCommand::Ls { json, options } => {
            let keys = offline::keys(&options.config()?).await?;
            if json {
                writeln!(out, "{}", serde_json::to_string_pretty(&keys)?)?;
                return Ok(());
            }
            for key in keys {
                let slug = key.slug.map(|slug| format!(" {slug}")).unwrap_or_default();
                let expires = key.expires.map(|expires| format!(", until {}", expires.text()));
                writeln!(
                    out,
                    "{} {}{slug}{}",
                    key.name,
                    key.scope,
                    expires.unwrap_or_default()
                )?;
            }
        }
        KeyCommand::Rotate {
            name,
            overlap,
            options,
        } => {
            let secret = offline::rotate_key(&options.config()?, &name, overlap).await?;
            writeln!(out, "{secret}")?;
        }
        KeyCommand::Revoke { name, options } => {
            offline::revoke_key(&options.config()?, &name).await?;
            writeln!(out, "revoked {name}")?;
        }
    }
    Ok(())
}

fn check_config(file: &Path) -> anyhow::Result<()> {
    Layered::read(Some(file), &std::collections::BTreeMap::<String, String>::new())?;
    writeln!(std::io::stdout(), "{} can be used", file.display())?;
    Ok(())
}

fn show_config(options: Options, origin: bool, json: bool) -> anyhow::Result<()> {
    let settings = options.read()?.settings()?;
    let mut out = std::io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut out, &settings)?;
        writeln!(out)?;
        return Ok(());
    }
    for setting in &settings {
        let value = if setting.value.is_empty() {
            "(not set)"
        } else {
            &setting.value
        };
        if origin {
            writeln!(out, "{} = {value}  # {}", setting.key, setting.origin)?;
        } else {
            writeln!(out, "{} = {value}", setting.key)?;
        }
    }
    Ok(())
}
