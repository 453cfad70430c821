//! Keys of a node's HTTP interface: made, listed, rotated and revoked at the node, which knows their hashes only.
//! (`key` is about keys that sign.)
use crate::{format, output::Output, parse, session::Session, table::Table};
use anyhow::Context as _;
use clap::Subcommand;
use icn_api::{
    Scope,
    keys::{KeyName, KeyView, MadeKey, NewKey, RotateKey},
};
use icn_model::{Millis, Time};

/// `api-key`
#[derive(Debug, Subcommand)]
pub(crate) enum ApiKeyCommand {
    /// Make a key and print its secret, which is shown this once
    New {
        /// What to call it: lower-case letters, digits, '.', '_' and '-'
        name: KeyName,
        /// What it lets its holder do: read, submit, operate or admin; each includes those before it
        #[arg(long)]
        scope: Scope,
        /// When it ends: after a span like 90d, or on a day like 2027-03-01 (UTC); never, if not said
        #[arg(long, value_name = "WHEN", value_parser = parse::when)]
        expires: Option<parse::When>,
    },
    /// List the keys
    Ls,
    /// Take a key away; whoever sends it is refused from then on
    Revoke {
        /// What it is called
        name: KeyName,
    },
    /// Give a key a new secret and print it; the old one counts for a while longer
    Rotate {
        /// What it is called
        name: KeyName,
        /// How long the old secret still counts, at most 90d; 0s ends it at once
        #[arg(long, value_name = "SPAN", value_parser = parse::span, default_value = "24h")]
        overlap: Millis,
    },
}

pub(crate) fn run(session: &Session, command: ApiKeyCommand) -> anyhow::Result<()> {
    let client = session.client()?;
    let output = &session.output;
    match command {
        ApiKeyCommand::New { name, scope, expires } => {
            let expires = match expires {
                // The node's clock decides, so it is the one that counts.
                Some(when) => Some(when.from(client.status()?.clock)),
                None => None,
            };
            let made = client.make_key(&NewKey { name, scope, expires })?;
            output.say(format!(
                "made the key {} with the scope {}: this is its secret, which nobody can show again",
                made.key.name, made.key.scope
            ));
            show_secret(output, &made)
        }
        ApiKeyCommand::Ls => {
            let keys = client.keys().context("cannot list the keys")?;
            output.data(&keys, |output| {
                let mut table = Table::new(["NAME", "SCOPE", "MADE", "BY", "ENDS", "SECRET OF", "LAST USED"]);
                for key in &keys.items {
                    table.row(row(key));
                }
                output.say("the node's own key (cli.toml, or its configuration) has the scope admin and is not listed");
                Ok(output.table(&table)?)
            })
        }
        ApiKeyCommand::Revoke { name } => {
            let key = client.revoke_key(&name)?;
            output.data(&key, |output| {
                output.say(format!("revoked {}", key.name));
                Ok(())
            })
        }
        ApiKeyCommand::Rotate { name, overlap } => {
            let rotate = RotateKey {
                overlap_ms: Some(overlap),
            };
            let made = client.rotate_key(&name, &rotate)?;
            output.say(match made.key.overlap_until {
                Some(until) => format!(
                    "{name} has a new secret; the old one counts until {}",
                    format::time(until)
                ),
                None => format!("{name} has a new secret; the old one counts no more"),
            });
            show_secret(output, &made)
        }
    }
}

fn show_secret(output: &Output, made: &MadeKey) -> anyhow::Result<()> {
    output.data(made, |output| Ok(output.line(&made.secret)?))
}

fn row(key: &KeyView) -> [String; 7] {
    let never = |time: Option<Time>| time.map_or_else(|| "-".to_owned(), format::time);
    let ends = match (key.expires, key.expired) {
        (Some(expires), true) => format!("{} (over)", format::time(expires)),
        (expires, _) => never(expires),
    };
    let secret = match key.overlap_until {
        Some(until) => format!(
            "{}, the one before until {}",
            format::time(key.rotated),
            format::time(until)
        ),
        None => format::time(key.rotated),
    };
    [
        key.name.to_string(),
        key.scope.to_string(),
        format::time(key.created),
        key.created_by.clone(),
        ends,
        secret,
        never(key.last_used),
    ]
}
