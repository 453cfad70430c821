//! Events of governance in words.
use crate::format::{self, Names};
use icn_model::{GovernanceEvent, Name};

/// One line about an event.
pub(super) fn described(event: &GovernanceEvent, names: &Names) -> String {
    let of = |did| names.of(did);
    let on = |topic: &Option<Name>| {
        topic
            .as_ref()
            .map_or_else(String::new, |topic| format!(" on {topic}"))
    };
    match event {
        GovernanceEvent::Proposed {
            proposal,
            kind,
            by,
            cost,
        } => {
            format!("{} proposed {kind} {proposal}, for {cost}", of(by))
        }
        GovernanceEvent::Sponsored { proposal, by } => format!("{} sponsors {proposal}", of(by)),
        GovernanceEvent::Opened {
            proposal,
            until,
            cooperatives,
            members,
        } => format!(
            "{proposal} is open until {}, {cooperatives} cooperatives and {members} members on the roll",
            format::time(*until)
        ),
        GovernanceEvent::Voted { proposal, voter, .. } => format!("{} voted on {proposal}", of(voter)),
        GovernanceEvent::Accepted {
            proposal,
            decision,
            until,
        } => {
            format!(
                "{proposal} was accepted ({decision}), carried out at {}",
                format::time(*until)
            )
        }
        GovernanceEvent::Executed { proposal, kind } => format!("{kind} {proposal} was carried out"),
        GovernanceEvent::Failed { proposal, reason } => {
            format!(
                "{proposal} could not be carried out: {reason} [{}]",
                reason.code().number
            )
        }
        GovernanceEvent::Rejected { proposal, decision } => format!("{proposal} was rejected: {decision}"),
        GovernanceEvent::Vetoed { proposal, by } => format!("{proposal} was vetoed by {by}"),
        GovernanceEvent::Cancelled { proposal } => format!("{proposal} was withdrawn"),
        GovernanceEvent::Expired { proposal } => format!("{proposal} found no sponsors"),
        GovernanceEvent::Delegated { from, to, topic } => {
            format!("{} lets {} vote{}", of(from), of(to), on(topic))
        }
        GovernanceEvent::DelegationEnded { from, topic } => {
            format!("{} lets nobody vote any more{}", of(from), on(topic))
        }
        GovernanceEvent::ParameterChanged { name, before, now } => format!("{name} is {now}, was {before}"),
        GovernanceEvent::ProcessChanged { kind, process } => {
            format!(
                "proposals of kind {kind} need {} and a quorum of {}",
                process.threshold, process.quorum
            )
        }
        GovernanceEvent::ClearingScheduled {
            every_ms: Some(every),
            ..
        } => {
            format!("debts are cleared every {}", format::span(*every))
        }
        GovernanceEvent::ClearingScheduled { every_ms: None, .. } => {
            "debts are not cleared by themselves".into()
        }
        GovernanceEvent::Allocated { to, amount } => format!("{amount} allocated to {}", of(to)),
        GovernanceEvent::ContractPublished { contract, by, .. } => {
            format!("{} published contract {contract}", of(by))
        }
        GovernanceEvent::ContractForgotten { contract } => {
            format!("contract {contract} was forgotten: nothing uses it")
        }
        GovernanceEvent::PolicyInstalled { slot, contract, .. } => format!("{contract} decides {slot}"),
        GovernanceEvent::PolicyRemoved { slot, .. } => format!("no contract decides {slot} any more"),
        GovernanceEvent::PolicyFailed {
            slot,
            subject,
            failure,
        } => {
            format!(
                "the policy for {slot} has no answer about {}: {failure}",
                of(subject)
            )
        }
        GovernanceEvent::RegenerationSet {
            cooperative,
            rate_per_hour,
            capacity,
        } => format!(
            "{} regenerates {rate_per_hour} an hour up to {capacity}",
            of(cooperative)
        ),
        GovernanceEvent::UpgradePlanned { version, epoch } => {
            format!("version {version} of the protocol is planned for epoch {epoch}")
        }
        GovernanceEvent::UpgradeFixed { version, epoch } => {
            format!("version {version} of the protocol is followed from epoch {epoch} on")
        }
        GovernanceEvent::Announced { seat, protocol } => {
            format!(
                "the node of {} can follow version {protocol} of the protocol",
                of(seat)
            )
        }
    }
}
