//! What proposals do and come to, in words.
use super::rules;
use crate::format::{self, Names};
use icn_api::governance::ParameterUnit;
use icn_model::{Choice, Counts, Decision, Effect, Method, Name, Process, ProposalPhase, SideTally};

/// What an effect does.
pub(super) fn effect(effect: &Effect, names: &Names) -> String {
    let of = |did| names.of(did);
    match effect {
        Effect::Text {} => "says something".to_owned(),
        Effect::ChangeParameter { name, value } => {
            format!(
                "sets {name} to {}",
                rules::value(ParameterUnit::of(*name), *value)
            )
        }
        Effect::SetProcess { kind, process } => {
            format!("lets {kind} go by {}", self::process(process))
        }
        Effect::Admit { applicant } => format!("admits {}", of(applicant)),
        Effect::AdmitWitness { applicant } => format!("admits {} as a witness", of(applicant)),
        Effect::Suspend { cooperative, span_ms } => {
            format!("suspends {} for {}", of(cooperative), format::span(*span_ms))
        }
        Effect::Remove { seat } => format!("removes {}", of(seat)),
        Effect::InstallPolicy { slot, contract } | Effect::ReplacePolicy { slot, contract } => {
            format!("lets {contract} decide {slot}")
        }
        Effect::RemovePolicy { slot } => format!("lets no contract decide {slot} any more"),
        Effect::Budget { to, amount } => format!("gives {} {amount}", of(to)),
        Effect::ClearingSchedule {
            every_ms,
            join_ms,
            object_ms,
        } => {
            let when = every_ms.map_or_else(
                || "by decision only".to_owned(),
                |every| format!("every {}", format::span(every)),
            );
            format!(
                "clears debts {when}, with {} to join and {} to object",
                format::span(*join_ms),
                format::span(*object_ms)
            )
        }
        Effect::OpenClearing {} => "opens a round of clearing".to_owned(),
        Effect::Upgrade { version, epoch } => {
            format!("activates version {version} of the protocol in epoch {epoch} or later")
        }
        Effect::Veto { proposal } => format!("stops {proposal}"),
    }
}

/// What proposals go through.
pub(super) fn process(process: &Process) -> String {
    let rule = match process.rejection_quorum {
        Some(share) => format!("passes unless {share} of the roll say no"),
        None => format!("quorum {}, {}", process.quorum, process.threshold),
    };
    format!(
        "{} by {}, {rule}, open for {}, timelock {}, {} sponsors, votes {}",
        process.electorate,
        process.method,
        format::span(process.duration_ms),
        format::span(process.timelock_ms),
        process.sponsors,
        if process.votes_final {
            "final"
        } else {
            "can be changed"
        },
    )
}

/// Where a proposal is, and what comes next.
pub(super) fn phase(phase: &ProposalPhase) -> String {
    match phase {
        ProposalPhase::Draft { until } => {
            format!("draft, expires {} unless it is sponsored", format::time(*until))
        }
        ProposalPhase::Open { until } => format!("open until {}", format::time(*until)),
        ProposalPhase::Accepted { until } => {
            format!(
                "accepted, carried out at {} unless it is vetoed",
                format::time(*until)
            )
        }
        ProposalPhase::Executed { at } => format!("executed at {}", format::time(*at)),
        ProposalPhase::Failed { at, reason } => format!(
            "failed at {}: {reason} ({}); it can be tried again",
            format::time(*at),
            reason.code().number
        ),
        ProposalPhase::Rejected { at } => format!("rejected at {}", format::time(*at)),
        ProposalPhase::Vetoed { at, by } => format!("vetoed at {} by {by}", format::time(*at)),
        ProposalPhase::Cancelled { at } => format!("withdrawn at {}", format::time(*at)),
        ProposalPhase::Expired { at } => format!("expired at {}", format::time(*at)),
    }
}

/// An option by its place.
fn option(options: &[Name], at: u8) -> String {
    let name = options.get(usize::from(at));
    name.map_or_else(|| format!("option {}", usize::from(at) + 1), ToString::to_string)
}

fn options(all: &[Name], some: &[u8], between: &str) -> String {
    let names: Vec<_> = some.iter().map(|at| option(all, *at)).collect();
    names.join(between)
}

/// What a vote comes to, with the options by name.
pub(super) fn decision(decision: &Decision, method: &Method) -> String {
    match decision {
        Decision::Chosen { option: at } => format!("chosen: {}", option(method.options(), *at)),
        Decision::Tied { options: first } => format!("a tie of {}", options(method.options(), first, ", ")),
        other => other.to_string(),
    }
}

/// What a voter says.
pub(super) fn choice(choice: &Choice, method: &Method) -> String {
    let all = method.options();
    match choice {
        Choice::Yes {} => "yes".to_owned(),
        Choice::No {} => "no".to_owned(),
        Choice::Abstain {} => "abstains".to_owned(),
        Choice::Object { reason } => format!("objects: {reason}"),
        Choice::Approve { options: some } => format!("approves {}", options(all, some, ", ")),
        Choice::Rank { options: some } => format!("ranks {}", options(all, some, " > ")),
        Choice::Score { points } => {
            let given: Vec<_> = (0_u8..)
                .zip(points)
                .map(|(at, points)| format!("{} {points}", option(all, at)))
                .collect();
            format!("gives {}", given.join(", "))
        }
    }
}

/// The counts of a side.
pub(super) fn counts(side: &SideTally, method: &Method) -> String {
    let all = method.options();
    let each = |sums: &[u64]| {
        let sums: Vec<_> = (0_u8..)
            .zip(sums)
            .map(|(at, sum)| format!("{} {sum}", option(all, at)))
            .collect();
        sums.join(", ")
    };
    match &side.counts {
        Counts::YesNo { yes, no } => format!("{yes} yes, {no} no"),
        Counts::Consent { consents, objections } => format!("{consents} consent, {objections} object"),
        Counts::Approval { approvals, .. } => each(approvals),
        Counts::Score { points, .. } => each(points),
        Counts::Ranked { rounds } => {
            let rounds: Vec<_> = rounds
                .iter()
                .map(|round| {
                    let left = (0_u8..)
                        .zip(&round.votes)
                        .filter_map(|(at, votes)| votes.map(|votes| format!("{} {votes}", option(all, at))));
                    let left: Vec<_> = left.collect();
                    let out = round
                        .eliminated
                        .map_or_else(String::new, |at| format!(", out: {}", option(all, at)));
                    format!("{}{out}", left.join(", "))
                })
                .collect();
            rounds.join(" | ")
        }
    }
}
