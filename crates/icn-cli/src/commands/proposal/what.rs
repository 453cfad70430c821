//! What can be proposed: a subcommand for each effect.
use super::{find, process::ProcessArgs, rules::value};
use crate::{
    commands::{contract, source},
    failure::Usage,
    parse,
    session::Session,
};
use anyhow::Context as _;
use clap::{Args, Subcommand};
use icn_api::{
    client::Client,
    governance::{ParameterUnit, Plan},
};
use icn_model::{
    Cid, Effect, Electorate, EpochNumber, Mana, Method, MethodKind, Millis, Name, ParameterName, PolicySlot,
};
use std::path::Path;

/// What to propose.
#[derive(Debug, Subcommand)]
pub(super) enum What {
    /// Say something together, or choose between options
    Text(TextArgs),
    /// Give a parameter another value
    Parameter {
        /// Which; `icn-cli proposal rules` lists them
        #[arg(value_parser = parse::one_of::<ParameterName>(ParameterName::ALL.iter().map(|name| name.name())))]
        name: ParameterName,
        /// An amount of mana like 12.5, a span like 5s or 3d, or a count, as the parameter is
        value: String,
    },
    /// Let proposals of a kind go through another process; what no option names stays as it is
    Process(Box<ProcessArgs>),
    /// Admit a cooperative that has applied
    Admit {
        /// Who, by name or identity
        applicant: String,
    },
    /// Admit a witness that has applied
    AdmitWitness {
        /// Who, by name or identity
        applicant: String,
    },
    /// Take a cooperative's seat, vote and regeneration for a while
    Suspend {
        /// Whose, by name or identity
        cooperative: String,
        /// For how long, from when it is carried out
        #[arg(long = "for", value_name = "SPAN", value_parser = parse::span)]
        span: Millis,
    },
    /// Take the seat of a cooperative or witness for good
    Remove {
        /// Whose, by name or identity
        seat: String,
    },
    /// Let a contract decide a slot that is free
    InstallPolicy(PolicyArgs),
    /// Let another contract decide a slot
    ReplacePolicy(PolicyArgs),
    /// Take the contract out of a slot
    RemovePolicy {
        /// Which slot
        #[arg(value_parser = parse::one_of::<PolicySlot>(PolicySlot::ALL.iter().map(|slot| slot.name())))]
        slot: PolicySlot,
    },
    /// Give mana to a cooperative; it comes into being
    Budget {
        /// To whom, by name or identity
        to: String,
        /// How much, in mana
        amount: Mana,
    },
    /// Set how often debts are cleared
    Clearing {
        /// every SPAN, or never
        #[arg(value_name = "every SPAN|never", required = true, num_args = 1..=2)]
        schedule: Vec<String>,
        /// How long lines can join a round
        #[arg(long, value_name = "SPAN", default_value = "1d", value_parser = parse::span)]
        join: Millis,
        /// How long those whom its plan touches can object after that
        #[arg(long, value_name = "SPAN", default_value = "1d", value_parser = parse::span)]
        object: Millis,
    },
    /// Open a round of clearing
    OpenClearing,
    /// Let all nodes follow another version of the protocol
    Upgrade {
        /// Which version
        #[arg(id = "protocol", value_name = "VERSION")]
        version: u32,
        /// The first epoch in which it can be followed
        epoch: u64,
    },
    /// Stop a proposal that is accepted and not carried out yet
    Veto {
        /// Which: its id, or the beginning or end of it
        proposal: String,
    },
}

/// `proposal create text`
#[derive(Debug, Args)]
pub(super) struct TextArgs {
    /// How votes are cast and counted
    #[arg(long, value_name = "METHOD", default_value = "yes-no", value_parser = parse::one_of::<MethodKind>(MethodKind::ALL.iter().map(|one| one.name())))]
    method: MethodKind,
    /// An option to choose from; at least two, for approval, ranked and score
    #[arg(long = "option", value_name = "NAME")]
    options: Vec<Name>,
    /// The most points that a voter can give an option, for score
    #[arg(long, value_name = "POINTS")]
    max: Option<u8>,
    /// Who votes; as the process for texts says if it is left out
    #[arg(long, value_name = "ELECTORATE", value_parser = parse::one_of::<Electorate>(Electorate::ALL.iter().map(|one| one.name())))]
    electorate: Option<Electorate>,
}

/// A slot and what decides it.
#[derive(Debug, Args)]
pub(super) struct PolicyArgs {
    /// Which slot
    #[arg(value_parser = parse::one_of::<PolicySlot>(PolicySlot::ALL.iter().map(|slot| slot.name())))]
    slot: PolicySlot,
    /// The contract: its source, which is published first if the log does not have it, or its content id
    #[arg(value_name = "FILE|CID")]
    contract: String,
}

/// Points where nobody says how many.
const MAX_POINTS: u8 = 10;

impl What {
    /// The effect. Names are looked up; a contract is published if `publish` says so.
    pub(super) fn effect(&self, session: &Session, client: &Client, publish: bool) -> anyhow::Result<Effect> {
        let did = |text: &str| session.resolve(client, text);
        let contract = |args: &PolicyArgs| args.cid(session, client, publish);
        Ok(match self {
            Self::Text(_) => Effect::Text {},
            Self::Parameter { name, value } => Effect::ChangeParameter {
                name: *name,
                value: parameter(*name, value)?,
            },
            Self::Process(args) => args.effect(session, &client.rules()?)?,
            Self::Admit { applicant } => Effect::Admit {
                applicant: did(applicant)?,
            },
            Self::AdmitWitness { applicant } => Effect::AdmitWitness {
                applicant: did(applicant)?,
            },
            Self::Suspend { cooperative, span } => Effect::Suspend {
                cooperative: did(cooperative)?,
                span_ms: *span,
            },
            Self::Remove { seat } => Effect::Remove { seat: did(seat)? },
            Self::InstallPolicy(args) => Effect::InstallPolicy {
                slot: args.slot,
                contract: contract(args)?,
            },
            Self::ReplacePolicy(args) => Effect::ReplacePolicy {
                slot: args.slot,
                contract: contract(args)?,
            },
            Self::RemovePolicy { slot } => Effect::RemovePolicy { slot: *slot },
            Self::Budget { to, amount } => Effect::Budget {
                to: did(to)?,
                amount: *amount,
            },
            Self::Clearing {
                schedule,
                join,
                object,
            } => Effect::ClearingSchedule {
                every_ms: parse::schedule(schedule).map_err(Usage::new)?,
                join_ms: *join,
                object_ms: *object,
            },
            Self::OpenClearing => Effect::OpenClearing {},
            Self::Upgrade { version, epoch } => Effect::Upgrade {
                version: *version,
                epoch: EpochNumber::new(*epoch),
            },
            Self::Veto { proposal } => Effect::Veto {
                proposal: find(client, proposal)?,
            },
        })
    }

    /// Who votes on it, and how: as its process says, or of a text, as the author likes.
    pub(super) fn terms(&self, plan: &Plan) -> anyhow::Result<(Electorate, Method)> {
        match self {
            Self::Text(args) => Ok((args.electorate.unwrap_or(plan.process.electorate), args.method()?)),
            _ => match plan.process.method {
                MethodKind::YesNo => Ok((plan.process.electorate, Method::YesNo {})),
                MethodKind::Consent => Ok((plan.process.electorate, Method::Consent {})),
                other => anyhow::bail!("{} goes by {other}, which this program cannot propose", plan.kind),
            },
        }
    }

    /// Whether it is nothing without words.
    pub(super) const fn needs_words(&self) -> bool {
        matches!(self, Self::Text(_))
    }
}

impl TextArgs {
    fn method(&self) -> anyhow::Result<Method> {
        let options = self.options.clone();
        let chooses = matches!(
            self.method,
            MethodKind::Approval | MethodKind::Ranked | MethodKind::Score
        );
        let wrong = |message: String| -> anyhow::Result<Method> { Err(Usage::new(message).into()) };
        if chooses && options.len() < 2 {
            return wrong(format!(
                "{} needs options to choose from: name two or more with --option",
                self.method
            ));
        }
        if !chooses && !options.is_empty() {
            return wrong(format!(
                "{} takes no options: say --method approval, ranked or score",
                self.method
            ));
        }
        if self.max.is_some() && self.method != MethodKind::Score {
            return wrong(format!(
                "{} gives no points: --max goes with --method score",
                self.method
            ));
        }
        Ok(match self.method {
            MethodKind::YesNo => Method::YesNo {},
            MethodKind::Consent => Method::Consent {},
            MethodKind::Approval => Method::Approval { options },
            MethodKind::Ranked => Method::Ranked { options },
            MethodKind::Score => Method::Score {
                options,
                max: self.max.unwrap_or(MAX_POINTS),
            },
        })
    }
}

impl PolicyArgs {
    fn cid(&self, session: &Session, client: &Client, publish: bool) -> anyhow::Result<Cid> {
        if let Ok(cid) = self.contract.parse() {
            return Ok(cid);
        }
        let path = Path::new(&self.contract);
        if publish {
            return contract::put(session, client, path);
        }
        let text = source::read(path).context("neither a content id nor a source")?;
        Ok(Cid::of_raw(text.as_bytes()))
    }
}

/// A value of a parameter, as people write it.
fn parameter(name: ParameterName, text: &str) -> anyhow::Result<u64> {
    let unit = ParameterUnit::of(name);
    let read = match unit {
        ParameterUnit::Millimana => text
            .parse()
            .map(Mana::milli)
            .map_err(|error: icn_model::ManaError| error.to_string()),
        ParameterUnit::Milliseconds => parse::span(text).map(Millis::get),
        ParameterUnit::Count => text.parse().map_err(|_| format!("{text:?} is not a count")),
    };
    let (min, max) = name.range();
    read.map_err(|error| {
        Usage::new(format!(
            "{name}: {error}; it is from {} to {}",
            value(unit, min),
            value(unit, max)
        ))
        .into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_written_in_their_units() {
        let read = |name, text| parameter(name, text).map_err(|error| error.to_string());
        assert_eq!(read(ParameterName::ProposalCost, "12.5"), Ok(12_500));
        assert_eq!(read(ParameterName::VotingPeriodMs, "3d"), Ok(259_200_000));
        assert_eq!(read(ParameterName::MaxHolds, "7"), Ok(7));
        let error = read(ParameterName::VotingPeriodMs, "5").unwrap_err();
        assert!(
            error.contains("no unit of time") && error.contains("90 d"),
            "{error}"
        );
        assert!(read(ParameterName::MaxHolds, "7 mana").is_err());
    }

    #[test]
    fn options_go_with_their_methods() {
        let text = |method, options: &[&str], max| TextArgs {
            method,
            options: options.iter().map(|name| name.parse().unwrap()).collect(),
            max,
            electorate: None,
        };
        assert!(text(MethodKind::Ranked, &["a"], None).method().is_err());
        assert!(text(MethodKind::YesNo, &["a", "b"], None).method().is_err());
        assert!(text(MethodKind::Approval, &["a", "b"], Some(3)).method().is_err());
        let Ok(Method::Score { max, .. }) = text(MethodKind::Score, &["a", "b"], None).method() else {
            panic!("a score")
        };
        assert_eq!(max, MAX_POINTS);
    }
}
