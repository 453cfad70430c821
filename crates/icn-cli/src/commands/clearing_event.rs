//! Events of rounds of clearing, in words.
use crate::format::{self, Names};
use icn_model::{ClearingEvent, ClearingStep};

/// One line about an event.
pub(super) fn described(event: &ClearingEvent, names: &Names) -> String {
    let what = match &event.step {
        ClearingStep::Announced { freeze_at, proposal } => {
            let why = proposal.map_or_else(|| "by the schedule".to_owned(), |id| format!("by proposal {id}"));
            format!(
                "announced {why}: what is anchored until {} counts",
                format::time(*freeze_at)
            )
        }
        ClearingStep::Joined { by, lines } => format!("{} joins with {lines} lines", names.of(by)),
        ClearingStep::Frozen { until, rows } => {
            format!(
                "has a plan for {rows} lines, to which can be objected until {}",
                format::time(*until)
            )
        }
        ClearingStep::Ended {} => "nothing can be cleared".to_owned(),
        ClearingStep::Objected { by, reason } => format!("{} objects: {reason}", names.of(by)),
        ClearingStep::Replanned { left, rows } => {
            format!("{left} lines have left, {rows} are in its new plan")
        }
        ClearingStep::Applied { rows } => format!("applied: debts on {rows} lines are cleared"),
        ClearingStep::Aborted { reason } => format!("aborted: {reason}"),
    };
    format!("round {}: {what}", event.round)
}
