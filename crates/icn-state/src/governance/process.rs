//! What proposals of each kind go through: what was decided, or else what holds from the beginning.
use crate::{state::State, step::Step};
use alloc::{format, string::ToString as _};
use icn_model::{Effect, Electorate, MethodKind, Millis, Process, ProposalKind, Refusal, Share, Threshold};

const MAJORITY: Threshold = Threshold::MoreThan(Share::HALF);

impl State {
    /// What proposals of a kind go through now.
    pub fn process(&self, kind: ProposalKind) -> Process {
        match self.tables.processes.get(&kind) {
            Some(process) if !kind.is_built_in() => *process,
            _ => self.first_process(kind),
        }
    }

    /// What holds for a kind unless it was decided otherwise.
    fn first_process(&self, kind: ProposalKind) -> Process {
        let parameters = self.parameters();
        let ordinary = Process {
            electorate: Electorate::Cooperatives,
            method: MethodKind::YesNo,
            quorum: Share::HALF,
            threshold: MAJORITY,
            rejection_quorum: None,
            duration_ms: parameters.voting_period_ms,
            timelock_ms: parameters.timelock_ms,
            sponsors: 0,
            votes_final: false,
        };
        match kind {
            ProposalKind::Text => Process {
                quorum: Share::THIRD,
                timelock_ms: Millis::ZERO,
                ..ordinary
            },
            // Who waits at the door is let in as soon as it is clear that it will be.
            ProposalKind::Admit | ProposalKind::AdmitWitness => Process {
                quorum: Share::TWO_THIRDS,
                timelock_ms: Millis::ZERO,
                votes_final: true,
                ..ordinary
            },
            // A veto has the time of a timelock only.
            ProposalKind::Veto => Process {
                quorum: Share::THIRD,
                timelock_ms: Millis::ZERO,
                votes_final: true,
                ..ordinary
            },
            ProposalKind::Suspend | ProposalKind::Remove | ProposalKind::Upgrade => Process {
                quorum: Share::TWO_THIRDS,
                threshold: Threshold::AtLeast(Share::TWO_THIRDS),
                ..ordinary
            },
            ProposalKind::Parameter
            | ProposalKind::InstallPolicy
            | ProposalKind::ReplacePolicy
            | ProposalKind::RemovePolicy
            | ProposalKind::Budget
            | ProposalKind::ClearingSchedule
            | ProposalKind::OpenClearing => ordinary,
        }
    }

    /// What a proposal with this effect goes through. Whoever changes a process needs what the old one and
    /// the new one ask for, whichever is more: else a lower threshold could be had by the lower threshold.
    pub fn process_for(&self, effect: &Effect) -> Process {
        let process = self.process(effect.kind());
        let Effect::SetProcess { kind, process: new } = effect else {
            return process;
        };
        let old = self.process(*kind);
        Process {
            quorum: process.quorum.max(old.quorum).max(new.quorum),
            threshold: process.threshold.harder(old.threshold).harder(new.threshold),
            // Both sides where either process asks for members.
            electorate: match (process.electorate, old.electorate) {
                (one, other) if one == other => one,
                _ => Electorate::Both,
            },
            rejection_quorum: None,
            sponsors: process.sponsors.max(old.sponsors),
            ..process
        }
    }
}

impl Step<'_> {
    /// Whether proposals of `kind` can go through `process` from now on.
    pub(crate) fn check_new_process(&self, kind: ProposalKind, process: &Process) -> Result<(), Refusal> {
        check_process(kind, process)?;
        if self.state.process(kind) == *process {
            return Err(Refusal::NothingChanges {
                detail: format!("{kind} goes through this process already"),
            });
        }
        Ok(())
    }
}

/// Whether proposals of `kind` can go through `process`.
fn check_process(kind: ProposalKind, process: &Process) -> Result<(), Refusal> {
    if kind.is_built_in() {
        return Err(Refusal::BuiltInProcess { kind });
    }
    let bad = |detail: &str| Refusal::BadProcess {
        detail: detail.into(),
    };
    process.check().map_err(|error| bad(&error.to_string()))?;
    let decides = matches!(process.method, MethodKind::YesNo | MethodKind::Consent);
    if kind.binds() && !decides {
        return Err(bad(
            "what binds is decided by yes-no or consent; other methods choose among words",
        ));
    }
    Ok(())
}
