//! The configuration of a running node.
use crate::{format, session::Session, table::Table};
use anyhow::Context as _;
use clap::{Args, Subcommand};
use icn_api::config::{Changes, ConfigChange, ConfigChanged, Setting};
use serde_json::Value;

/// `config`
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Show every value, where it comes from and who set it
    Show,
    /// Print the value of one key
    Get(KeyArgs),
    /// Set a key for this and later starts
    Set(SetArgs),
    /// Leave a key to the configuration file and the other layers again
    Unset(KeyArgs),
}

/// Which key.
#[derive(Debug, Args)]
pub(crate) struct KeyArgs {
    /// Such as logging.level
    #[arg(value_name = "SECTION.KEY")]
    key: String,
}

/// Which key, and what it is to be.
#[derive(Debug, Args)]
pub(crate) struct SetArgs {
    #[command(flatten)]
    key: KeyArgs,
    /// A number, true, false, a list as in JSON, or text
    value: String,
}

pub(crate) fn run(session: &Session, command: ConfigCommand) -> anyhow::Result<()> {
    match command {
        ConfigCommand::Show => show(session),
        ConfigCommand::Get(args) => get(session, &args.key),
        ConfigCommand::Set(args) => {
            // What is no JSON is text that was written without quotes.
            let value = serde_json::from_str(&args.value).unwrap_or(Value::String(args.value));
            change(session, &ConfigChange::setting(args.key.key, value))
        }
        ConfigCommand::Unset(args) => change(session, &ConfigChange::unsetting(args.key)),
    }
}

fn show(session: &Session) -> anyhow::Result<()> {
    let configuration = session.client()?.config()?;
    session.output.data(&configuration, |output| {
        let mut table = Table::new(["KEY", "VALUE", "FROM", "CHANGES", "SET BY"]);
        for setting in &configuration.settings {
            let set_by = setting.set.as_ref();
            let set_by = set_by.map(|set| format!("{} {}", set.key, format::time(set.at)));
            table.row([
                setting.key.clone(),
                value(setting),
                setting.origin.clone(),
                match setting.changes {
                    Changes::AtOnce => "at once".to_owned(),
                    Changes::AtStart => "at the next start".to_owned(),
                    Changes::ByFile => "in the file only".to_owned(),
                },
                set_by.unwrap_or_else(|| "-".to_owned()),
            ]);
        }
        Ok(output.table(&table)?)
    })
}

/// The value, with the one that the node still runs with.
fn value(setting: &Setting) -> String {
    let value = |text: &str| if text.is_empty() { "-" } else { text }.to_owned();
    match &setting.running {
        Some(running) => format!(
            "{} (until the next start {})",
            value(&setting.value),
            value(running)
        ),
        None => value(&setting.value),
    }
}

fn get(session: &Session, key: &str) -> anyhow::Result<()> {
    let configuration = session.client()?.config()?;
    let setting = configuration
        .settings
        .into_iter()
        .find(|setting| setting.key == key);
    let setting =
        setting.with_context(|| format!("there is no key {key}; `icn-cli config show` lists them"))?;
    session
        .output
        .data(&setting, |output| Ok(output.line(&setting.value)?))
}

fn change(session: &Session, change: &ConfigChange) -> anyhow::Result<()> {
    let changed: ConfigChanged = session.client()?.change_config(change)?;
    session.output.data(&changed, |_| {
        for key in &changed.at_once {
            session.output.say(format!("{key} holds now"));
        }
        for key in &changed.at_start {
            session
                .output
                .say(format!("{key} holds from the node's next start on"));
        }
        if changed.at_once.is_empty() && changed.at_start.is_empty() {
            session.output.say("nothing has changed");
        }
        Ok(())
    })
}
