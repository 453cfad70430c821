//! Founding a federation: from founders and rules on the command line to a genesis file. Pure but for the file.
use crate::{failure::Usage, output::Output, parse};
use anyhow::Context as _;
use clap::{Args, ValueEnum};
use icn_model::{
    Did, Founder, Genesis, Mana, Name, Officers, PROTOCOL_VERSION, Parameters, PublicKey, RoleKeys, Time,
};
use serde_json::Value;
use std::{
    fs::OpenOptions,
    io::Write as _,
    path::{Path, PathBuf},
    time::SystemTime,
};

/// Parameters whose unit is mana: said in mana on the command line, kept in thousandths.
const OF_MANA: [&str; 5] = [
    "mana_rate_per_hour",
    "mana_capacity",
    "mana_start",
    "challenge_stake",
    "standing_cap_per_payer",
];

/// `federation create`
#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// What the federation is called
    name: Name,
    /// A founder: NAME=DID, and where its keys differ from the one that the identity begins with, also
    /// ,seat=KEY ,officer=KEY (several times) ,threshold=N ,line=KEY ,recovery=KEY
    #[arg(long = "founder", value_name = "NAME=DID[,…]", required = true, value_parser = founder)]
    founders: Vec<Founder>,
    /// The rules to begin with
    #[arg(long, value_enum, default_value_t = Rules::Production)]
    parameters: Rules,
    /// Change a rule: amounts in mana, times with a unit (500ms, 10s), such as mana_start=50000
    #[arg(long = "set", value_name = "RULE=VALUE", value_parser = parse::pair)]
    settings: Vec<(String, String)>,
    /// The file to write; it must not exist yet
    #[arg(long, short, value_name = "FILE", default_value = "genesis.json")]
    output: PathBuf,
}

/// Sets of rules to begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Rules {
    /// Short epochs and windows, for trying things out
    Devnet,
    /// For federations in earnest
    Production,
}

impl Rules {
    pub(crate) fn parameters(self) -> Parameters {
        match self {
            Self::Devnet => Parameters::devnet(),
            Self::Production => Parameters::production(),
        }
    }
}

pub(crate) fn create(output: &Output, args: CreateArgs) -> anyhow::Result<()> {
    let parameters = with_settings(args.parameters.parameters(), &args.settings)?;
    let genesis = genesis(args.name, args.founders, parameters)?;
    write_new_json(&args.output, &genesis)?;
    output.say(format!(
        "wrote {}: give it to every founder, who checks the id and starts icn-node --genesis {}",
        args.output.display(),
        args.output.display(),
    ));
    if matches!(genesis.founders.len(), 2 | 3) {
        output.say("note: with two or three seats every one must be online to order operations; four survive the loss of one");
    }
    output.data(
        &serde_json::json!({ "id": genesis.id(), "genesis": genesis }),
        |output| Ok(output.line(genesis.id().to_string())?),
    )
}

/// A genesis that begins now.
pub(crate) fn genesis(
    name: Name,
    mut founders: Vec<Founder>,
    parameters: Parameters,
) -> anyhow::Result<Genesis> {
    founders.sort_by_key(|founder| founder.did);
    let genesis = Genesis {
        name,
        created: now()?,
        protocol: PROTOCOL_VERSION,
        parameters,
        founders,
        predecessor: None,
    };
    genesis.check().map_err(|error| Usage::new(error.to_string()))?;
    Ok(genesis)
}

/// This machine's clock.
pub(crate) fn now() -> anyhow::Result<Time> {
    let since = SystemTime::UNIX_EPOCH
        .elapsed()
        .context("this machine's clock is before 1970: set it")?;
    Ok(Time::new(u64::try_from(since.as_millis())?))
}

/// Writes JSON to a file that was not there, and to the disk.
pub(crate) fn write_new_json(path: &Path, value: &impl serde::Serialize) -> anyhow::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    let mut file = file.with_context(|| format!("cannot write the new file {}", path.display()))?;
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Reads `NAME=DID[,ROLE=KEY…]`.
fn founder(text: &str) -> Result<Founder, String> {
    let (name, rest) = parse::pair(text)?;
    let mut parts = rest.split(',');
    let did: Did = parts
        .next()
        .unwrap_or_default()
        .parse()
        .map_err(|error| format!("{name}: {error}"))?;
    let name: Name = name.parse().map_err(|error| format!("{text:?}: {error}"))?;
    let mut keys = RoleKeys::single(did.first_key());
    let mut officers = Vec::new();
    let mut threshold = None;
    for part in parts {
        // A key alone is the seat's, the one that differs most often.
        let (role, value) = part.split_once('=').unwrap_or(("seat", part));
        let key = || {
            value
                .parse::<PublicKey>()
                .map_err(|error| format!("{name}: {role}: {error}"))
        };
        match role {
            "seat" => keys.seat = key()?,
            "officer" => officers.push(key()?),
            "line" => keys.line = key()?,
            "recovery" => keys.recovery = key()?,
            "threshold" => {
                threshold = Some(
                    value
                        .parse()
                        .map_err(|_| format!("{name}: threshold: {value:?} is not a number"))?,
                );
            }
            _ => {
                return Err(format!(
                    "{name}: no role is called {role:?}: seat, officer, threshold, line, recovery"
                ));
            }
        }
    }
    if !officers.is_empty() {
        keys.officers = Officers {
            threshold: 1,
            keys: officers,
        };
    }
    keys.officers.threshold = threshold.unwrap_or(keys.officers.threshold);
    if keys.is_usable() {
        Ok(Founder { did, name, keys })
    } else {
        Err(format!("{name}: these keys cannot act"))
    }
}

/// The rules with some of them changed.
fn with_settings(parameters: Parameters, settings: &[(String, String)]) -> anyhow::Result<Parameters> {
    let mut rules = serde_json::to_value(parameters)?;
    let Value::Object(fields) = &mut rules else {
        anyhow::bail!("the rules are no object");
    };
    for (name, value) in settings {
        let bad = |error: &dyn std::fmt::Display| Usage::new(format!("--set {name}={value}: {error}"));
        let known = fields.keys().cloned().collect::<Vec<_>>().join(", ");
        let field = fields
            .get_mut(name)
            .ok_or_else(|| bad(&format!("there is no such rule; there are {known}")))?;
        *field = match name.as_str() {
            name if OF_MANA.contains(&name) => {
                value.parse::<Mana>().map_err(|error| bad(&error))?.milli().into()
            }
            name if name.ends_with("_ms") && value.parse::<u64>().is_err() => {
                parse::span(value).map_err(|error| bad(&error))?.get().into()
            }
            _ => value.parse::<u64>().map_err(|error| bad(&error))?.into(),
        };
    }
    let parameters: Parameters =
        serde_json::from_value(rules).map_err(|error| Usage::new(error.to_string()))?;
    parameters
        .check()
        .map_err(|error| Usage::new(error.to_string()))?;
    Ok(parameters)
}

#[cfg(test)]
mod tests {
    use super::*;
    use icn_model::{Millis, SecretKey};

    fn key(seed: u8) -> PublicKey {
        SecretKey::from_seed(&[seed; 32]).public()
    }

    #[test]
    fn founders_have_one_key_or_several() {
        let did = Did::new(key(1));
        let plain = founder(&format!("bakery={did}")).unwrap();
        assert_eq!(plain.keys, RoleKeys::single(key(1)));
        let rich = format!(
            "mill={did},{},officer={},officer={},threshold=2,recovery={}",
            key(2),
            key(3),
            key(4),
            key(5)
        );
        let rich = founder(&rich).unwrap();
        assert_eq!(
            (rich.name.as_str(), rich.keys.seat, rich.keys.line),
            ("mill", key(2), key(1))
        );
        assert_eq!(
            rich.keys.officers,
            Officers {
                threshold: 2,
                keys: vec![key(3), key(4)]
            }
        );
        assert_eq!(rich.keys.recovery, key(5));
    }

    #[test]
    fn bad_founders_are_named() {
        let did = Did::new(key(1));
        for (text, part) in [
            ("bakery".to_owned(), "NAME=VALUE"),
            ("bakery=did:web:x".to_owned(), "did:key"),
            (format!("bakery={did},cook={}", key(2)), "cook"),
            (format!("bakery={did},threshold=2"), "cannot act"),
            (format!("bakery={did},seat=z1"), "seat"),
            (format!(" bakery={did}"), "name"),
        ] {
            let error = founder(&text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn rules_are_set_in_their_units() {
        let set = |name: &str, value: &str| {
            with_settings(Parameters::devnet(), &[(name.to_owned(), value.to_owned())])
        };
        assert_eq!(
            set("mana_start", "12.5").unwrap().mana_start,
            Mana::from_milli(12_500)
        );
        assert_eq!(
            set("heartbeat_ms", "2s").unwrap().heartbeat_ms,
            Millis::from_secs(2)
        );
        assert_eq!(
            set("heartbeat_ms", "1500").unwrap().heartbeat_ms,
            Millis::new(1_500)
        );
        assert_eq!(set("challenge_jury", "5").unwrap().challenge_jury, 5);
        for (name, value, part) in [
            ("mana_statr", "1", "mana_start"),
            ("mana_start", "many", "mana"),
            ("epoch_blocks", "1", "epoch_blocks"),
            ("challenge_jury", "999", "u8"),
        ] {
            let error = set(name, value).unwrap_err();
            assert!(error.is::<Usage>() && error.to_string().contains(part), "{error}");
        }
    }

    #[test]
    fn founders_are_sorted_and_checked() {
        let founder = |seed| Founder {
            did: Did::new(key(seed)),
            name: format!("c{seed}").parse().unwrap(),
            keys: RoleKeys::single(key(seed)),
        };
        let name: Name = "valley".parse().unwrap();
        let made = genesis(name.clone(), (1..=4).map(founder).collect(), Parameters::devnet()).unwrap();
        assert!(made.check().is_ok());
        assert!(
            genesis(name, vec![founder(1), founder(1)], Parameters::devnet())
                .unwrap_err()
                .is::<Usage>()
        );
    }

    #[test]
    fn every_rule_of_mana_exists() {
        let rules = serde_json::to_value(Parameters::devnet()).unwrap();
        assert!(OF_MANA.iter().all(|name| rules.get(name).is_some()));
    }
}
