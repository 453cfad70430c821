//! Events of lines of credit, in words.
use crate::format::{self, Names};
use icn_model::{CreditEvent, CreditStep, LineLimits};

/// One line about an event.
pub(super) fn described(event: &CreditEvent, names: &Names) -> String {
    let (agreement, unit) = (&event.agreement, &event.unit);
    let limits = |limits: &LineLimits| {
        format!(
            "its proposer may owe {}, the other {}",
            unit.write(limits.proposer),
            unit.write(limits.counterparty)
        )
    };
    let what = match &event.step {
        CreditStep::Opened { limits: now } => format!("opened: {}", limits(now)),
        CreditStep::Changed { phase, limits: now } => format!("is {}: {}", phase.name(), limits(now)),
        CreditStep::Anchored { debtor, head } => format!(
            "{} owes {} in all, by its transfer {}",
            names.of(debtor),
            unit.write(head.owed),
            head.number
        ),
        CreditStep::Equivocated { debtor, number, .. } => {
            format!(
                "{} signed two transfers with number {number}: frozen",
                names.of(debtor)
            )
        }
        CreditStep::VoidAsked {
            debtor,
            through,
            until,
        } => format!(
            "{} asks for its numbers up to {through} to be void, unless they are shown countersigned until {}",
            names.of(debtor),
            format::time(*until)
        ),
        CreditStep::Voided {
            debtor,
            after,
            through,
        } => format!(
            "the numbers of {} up to {through} are void, it goes on after {}",
            names.of(debtor),
            after.number
        ),
        CreditStep::VoidFell { debtor } => {
            format!("what {} wanted void was shown countersigned", names.of(debtor))
        }
        CreditStep::Disputed { by, reason } => format!("{} disputes it: {reason}", names.of(by)),
        CreditStep::DisputeEnded { by } => format!("{} disputes it no more", names.of(by)),
        CreditStep::Cleared {
            round,
            debtor,
            amount,
        } => format!(
            "{} of what {} owed is cleared by round {round}",
            unit.write(*amount),
            names.of(debtor)
        ),
        CreditStep::Forgotten {} => "is forgotten: nothing is owed on it".to_owned(),
    };
    format!("line in {unit} of {agreement}: {what}")
}
