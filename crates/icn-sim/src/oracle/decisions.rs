//! What was proposed and decided, kept from events alone.
use icn_model::{GovernanceEvent, ProposalId};
use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Draft,
    Open,
    Accepted,
    Failed,
    Ended,
}

/// The proposals of the log.
#[derive(Debug, Default)]
pub struct Decisions {
    stages: BTreeMap<ProposalId, Stage>,
    executed: u64,
}

impl Decisions {
    /// Proposals in all.
    pub fn proposed(&self) -> u64 {
        self.stages.len() as u64
    }

    /// Proposals that were carried out.
    pub const fn executed(&self) -> u64 {
        self.executed
    }

    pub(super) fn invariant_decided_once(&mut self, event: &GovernanceEvent) -> Result<(), String> {
        use Stage::{Accepted, Draft, Ended, Failed, Open};
        let (proposal, from, to): (_, &[Stage], _) = match event {
            GovernanceEvent::Proposed { proposal, .. } => {
                return match self.stages.insert(*proposal, Draft) {
                    None => Ok(()),
                    Some(stage) => Err(format!("{proposal} was made twice, it is {stage:?}")),
                };
            }
            GovernanceEvent::Sponsored { proposal, .. } => (proposal, &[Draft], Draft),
            GovernanceEvent::Opened { proposal, .. } => (proposal, &[Draft], Open),
            GovernanceEvent::Voted { proposal, .. } => (proposal, &[Open], Open),
            GovernanceEvent::Accepted { proposal, .. } => (proposal, &[Open], Accepted),
            GovernanceEvent::Rejected { proposal, .. } => (proposal, &[Open], Ended),
            GovernanceEvent::Executed { proposal, .. } => {
                self.executed += 1;
                (proposal, &[Accepted, Failed], Ended)
            }
            GovernanceEvent::Failed { proposal, .. } => (proposal, &[Accepted], Failed),
            GovernanceEvent::Vetoed { proposal, .. } => (proposal, &[Accepted], Ended),
            GovernanceEvent::Cancelled { proposal } => (proposal, &[Draft, Open], Ended),
            GovernanceEvent::Expired { proposal } => (proposal, &[Draft], Ended),
            _ => return Ok(()),
        };
        let Some(stage) = self.stages.get_mut(proposal) else {
            return Err(format!("{proposal} was never made: {event:?}"));
        };
        if !from.contains(stage) {
            return Err(format!("{proposal} is {stage:?}: {event:?}"));
        }
        *stage = to;
        Ok(())
    }
}
