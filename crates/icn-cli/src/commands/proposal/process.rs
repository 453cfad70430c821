//! A new process for a kind of proposals: flags laid over the present one, or what a contract declares.
use crate::{commands::source, failure::Usage, parse, session::Session};
use anyhow::Context as _;
use clap::Args;
use icn_api::governance::Rules;
use icn_ccl::{NoModules, Ratio, ir};
use icn_model::{Effect, Electorate, MethodKind, Millis, Process, ProposalKind, Share, Threshold};
use std::{path::PathBuf, str::FromStr};

/// `proposal create process`
#[derive(Debug, Args)]
pub(crate) struct ProcessArgs {
    /// The kind of proposals; of a contract's process, what that is for
    #[arg(value_parser = parse::one_of::<ProposalKind>(ProposalKind::ALL.iter().map(|one| one.name())), required_unless_present = "contract")]
    kind: Option<ProposalKind>,
    /// A contract that declares the process
    #[arg(
        long = "from-contract",
        id = "contract",
        value_name = "FILE",
        requires = "process_name"
    )]
    contract: Option<PathBuf>,
    /// Which of the contract's processes
    #[arg(
        long = "process",
        id = "process_name",
        value_name = "NAME",
        requires = "contract"
    )]
    process_name: Option<String>,
    /// What part of the roll must take part, like 1/3
    #[arg(long, value_name = "SHARE")]
    quorum: Option<Share>,
    /// What part of the votes must be for it: "more-than 1/2" or "at-least 2/3"
    #[arg(long, value_name = "THRESHOLD", value_parser = parse::threshold)]
    threshold: Option<Threshold>,
    /// Who votes
    #[arg(long, value_name = "ELECTORATE", value_parser = parse::one_of::<Electorate>(Electorate::ALL.iter().map(|one| one.name())))]
    electorate: Option<Electorate>,
    /// How votes are cast and counted
    #[arg(long, value_name = "METHOD", value_parser = parse::one_of::<MethodKind>(MethodKind::ALL.iter().map(|one| one.name())))]
    method: Option<MethodKind>,
    /// How long it is open
    #[arg(long, value_name = "SPAN", value_parser = parse::span)]
    duration: Option<Millis>,
    /// How long it waits once it is accepted
    #[arg(long, value_name = "SPAN", value_parser = parse::span)]
    timelock: Option<Millis>,
    /// How many other cooperatives must sponsor it
    #[arg(long, value_name = "N")]
    sponsors: Option<u8>,
    /// Votes cannot be changed
    #[arg(long = "final", conflicts_with = "changeable")]
    is_final: bool,
    /// Votes can be changed until the end
    #[arg(long)]
    changeable: bool,
    /// Passes unless this part of the roll says no; or none
    #[arg(long, value_name = "SHARE|none", value_parser = share_or_none)]
    rejection_quorum: Option<ShareOrNone>,
}

/// A share, or none.
#[derive(Clone, Copy, Debug)]
struct ShareOrNone(Option<Share>);

fn share_or_none(text: &str) -> Result<ShareOrNone, String> {
    if text == "none" {
        return Ok(ShareOrNone(None));
    }
    let share = text
        .parse()
        .map_err(|error| format!("{text:?}: {error}, or none"))?;
    Ok(ShareOrNone(Some(share)))
}

impl ProcessArgs {
    pub(super) fn effect(&self, session: &Session, rules: &Rules) -> anyhow::Result<Effect> {
        let (kind, mut process) = match (&self.contract, &self.process_name) {
            (Some(path), Some(name)) => {
                let program = source::program(&session.output, path, &NoModules)?;
                let found = program.processes.iter().find(|process| process.name == *name);
                let known: Vec<_> = program
                    .processes
                    .iter()
                    .map(|process| process.name.as_str())
                    .collect();
                let missing = || {
                    Usage::new(format!(
                        "{} has no process {name:?}, but {}",
                        path.display(),
                        if known.is_empty() {
                            "none at all".to_owned()
                        } else {
                            known.join(", ")
                        }
                    ))
                };
                declared(found.ok_or_else(missing)?, rules)?
            }
            _ => {
                let kind = self
                    .kind
                    .ok_or_else(|| Usage::new("name the kind of proposals"))?;
                (kind, present(rules, kind)?)
            }
        };
        if let Some(other) = self.kind.filter(|other| *other != kind) {
            return Err(Usage::new(format!("the contract's process is for {kind}, not for {other}")).into());
        }
        self.lay_over(&mut process);
        process.check().map_err(|error| Usage::new(error.to_string()))?;
        Ok(Effect::SetProcess { kind, process })
    }

    fn lay_over(&self, process: &mut Process) {
        fn set<T: Copy>(field: &mut T, given: Option<T>) {
            *field = given.unwrap_or(*field);
        }
        set(&mut process.quorum, self.quorum);
        set(&mut process.threshold, self.threshold);
        set(&mut process.electorate, self.electorate);
        set(&mut process.method, self.method);
        set(&mut process.duration_ms, self.duration);
        set(&mut process.timelock_ms, self.timelock);
        set(&mut process.sponsors, self.sponsors);
        process.votes_final = self.is_final || (process.votes_final && !self.changeable);
        set(
            &mut process.rejection_quorum,
            self.rejection_quorum.map(|ShareOrNone(share)| share),
        );
    }
}

fn present(rules: &Rules, kind: ProposalKind) -> anyhow::Result<Process> {
    let rule = rules
        .process(kind)
        .context("the node does not tell what this kind goes through")?;
    Ok(rule.process)
}

/// What a contract declares, as the federation's process of that kind.
fn declared(declared: &ir::Process, rules: &Rules) -> anyhow::Result<(ProposalKind, Process)> {
    let cannot = |why: String| Usage::new(format!("process {:?} of the contract: {why}", declared.name));
    // The language's names have underscores where the log's have hyphens.
    fn known<T: FromStr<Err: std::fmt::Display>>(name: &str) -> Result<T, String> {
        name.replace('_', "-")
            .parse()
            .map_err(|error| format!("{name}: {error}"))
    }
    if !declared.eligible.is_empty() {
        let roles = declared.eligible.join(", ");
        return Err(cannot(format!(
            "only {roles} would be eligible, but rolls of a federation know no roles: a policy for vote-eligibility can"
        ))
        .into());
    }
    let kind: ProposalKind = known(declared.kind.name).map_err(cannot)?;
    if kind.binds() && !declared.executes {
        return Err(cannot(format!(
            "it would carry nothing out, but a proposal for {kind} does what it says"
        ))
        .into());
    }
    let share = |ratio: &Ratio| -> Result<Share, String> {
        let parts = (
            u32::try_from(ratio.numerator()),
            u32::try_from(ratio.denominator()),
        );
        let share = match parts {
            (Ok(numerator), Ok(denominator)) => Share::new(numerator, denominator),
            _ => None,
        };
        share.ok_or_else(|| format!("{ratio} is not a share of the votes"))
    };
    let span = |ms: i64| {
        u64::try_from(ms)
            .map(Millis::new)
            .map_err(|_| "a time is negative".to_owned())
    };
    let before = present(rules, kind)?;
    let threshold = match &declared.threshold {
        Some(ir::Threshold::MoreThan(ratio)) => Threshold::MoreThan(share(ratio).map_err(cannot)?),
        Some(ir::Threshold::AtLeast(ratio)) => Threshold::AtLeast(share(ratio).map_err(cannot)?),
        // Consent asks for none; what the kind had stays, for when it goes otherwise again.
        None => before.threshold,
    };
    let process = Process {
        electorate: known(declared.electorate).map_err(cannot)?,
        method: known(declared.method).map_err(cannot)?,
        quorum: share(&declared.quorum).map_err(cannot)?,
        threshold,
        rejection_quorum: None,
        duration_ms: span(declared.duration_ms).map_err(cannot)?,
        timelock_ms: span(declared.timelock_ms).map_err(cannot)?,
        sponsors: u8::try_from(declared.sponsors).map_err(|_| cannot("too many sponsors".into()))?,
        votes_final: declared.votes_final,
    };
    Ok((kind, process))
}
