//! Making proposals, sponsoring and withdrawing them, and how they open.
use crate::{account::spend, step::Step};
use alloc::{format, string::ToString as _, vec::Vec};
use icn_model::{
    Did, Effect, GovernanceEvent, Mana, Method, MethodKind, Name, Operation, Process, ProposalId,
    ProposalPhase, ProposalRecord, ProposalSpec, Refusal, SeatKind, SignedOperation, limits,
};

fn bad(detail: &str) -> Refusal {
    Refusal::BadProposal {
        detail: detail.into(),
    }
}

/// Checks what needs nothing but the proposal to tell.
fn check_form(spec: &ProposalSpec) -> Result<(), Refusal> {
    let options = spec.method.options();
    let max_points = match &spec.method {
        Method::YesNo {} | Method::Consent {} => return Ok(()),
        Method::Score { max, .. } => *max,
        Method::Approval { .. } | Method::Ranked { .. } => 1,
    };
    if spec.effect.kind().binds() {
        return Err(bad(
            "options are for texts; what binds is decided by yes-no or consent",
        ));
    }
    if !(2..=limits::MAX_OPTIONS).contains(&options.len()) {
        return Err(bad("a choice has 2 to 32 options"));
    }
    if max_points == 0 {
        return Err(bad("the most points for an option is at least 1"));
    }
    let twice = |(at, option): (usize, &Name)| options[..at].contains(option);
    if options.iter().enumerate().any(twice) {
        return Err(bad("an option is listed twice"));
    }
    Ok(())
}

/// Checks that what binds is voted on as its process says.
fn check_terms(spec: &ProposalSpec, process: &Process) -> Result<(), Refusal> {
    if !spec.effect.kind().binds() {
        return Ok(());
    }
    let wrong = |detail| Err(Refusal::WrongTerms { detail });
    if spec.electorate != process.electorate {
        return wrong(format!("{} vote", process.electorate));
    }
    if spec.method.kind() != process.method {
        return wrong(format!("votes are cast and counted by {}", process.method));
    }
    Ok(())
}

impl Step<'_> {
    pub(crate) fn propose(&mut self, signed: &SignedOperation, spec: &ProposalSpec) -> Result<(), Refusal> {
        let speaker = self.speaker(signed.operation())?;
        check_form(spec)?;
        let process = self.state.process_for(&spec.effect);
        check_terms(spec, &process)?;
        self.check_closing(spec, &process)?;
        self.check_effect(&spec.effect)?;
        if let Effect::Veto { proposal } = &spec.effect {
            self.check_first_veto(*proposal, speaker.cooperative)?;
        }
        self.check_room_for_proposal(speaker.cooperative)?;
        let cost = self.pay_for_governance(speaker.did)?;
        let process = Process {
            electorate: spec.electorate,
            method: spec.method.kind(),
            votes_final: process.votes_final || spec.votes_final,
            ..process
        };
        let record = ProposalRecord {
            spec: spec.clone(),
            proposer: speaker.did,
            cooperative: speaker.cooperative,
            made: self.context.time,
            cost,
            process,
            phase: self.draft(),
            sponsors: Vec::new(),
            roll: None,
            tally: None,
        };
        self.begin(signed.id().into(), record);
        Ok(())
    }

    /// An application is a proposal to admit who applied, by the cooperative that invited it. It costs nothing.
    pub(crate) fn propose_admission(
        &mut self,
        signed: &SignedOperation,
        inviter: Did,
        kind: SeatKind,
    ) -> Result<(), Refusal> {
        let applicant = signed.operation().author;
        let effect = match kind {
            SeatKind::Cooperative => Effect::Admit { applicant },
            SeatKind::Witness => Effect::AdmitWitness { applicant },
        };
        if self.state.tables.proposals.index().under_way >= limits::MAX_OPEN_PROPOSALS {
            return Err(too_many(limits::MAX_OPEN_PROPOSALS, limits::MAX_OPEN_PROPOSALS));
        }
        self.check_effect(&effect)?;
        let process = self.state.process_for(&effect);
        let topic = Name::try_from(alloc::string::String::from(effect.kind().name()));
        let record = ProposalRecord {
            spec: ProposalSpec {
                text: None,
                effect,
                electorate: process.electorate,
                method: match process.method {
                    MethodKind::Consent => Method::Consent {},
                    _ => Method::YesNo {},
                },
                topic: topic.map_err(|error| bad(&error.to_string()))?,
                closes: None,
                votes_final: process.votes_final,
            },
            proposer: inviter,
            cooperative: inviter,
            made: self.context.time,
            cost: Mana::ZERO,
            process,
            phase: self.draft(),
            sponsors: Vec::new(),
            roll: None,
            tally: None,
        };
        self.begin(signed.id().into(), record);
        Ok(())
    }

    fn draft(&self) -> ProposalPhase {
        ProposalPhase::Draft {
            until: self.context.time.after(limits::UNUSED_RETENTION),
        }
    }

    /// Enters a proposal, and opens it if it needs no sponsors.
    fn begin(&mut self, id: ProposalId, record: ProposalRecord) {
        self.tell(GovernanceEvent::Proposed {
            proposal: id,
            kind: record.kind(),
            by: record.proposer,
            cost: record.cost,
        });
        let opens = record.process.sponsors == 0;
        self.state.tables.proposals.set(id, record);
        if opens {
            self.open(id);
        }
    }

    fn open(&mut self, id: ProposalId) {
        let Some(proposal) = self.state.tables.proposals.get(&id) else {
            return;
        };
        let mut proposal = proposal.clone();
        let earliest = self.context.time.after(proposal.process.duration_ms);
        let until = proposal
            .spec
            .closes
            .map_or(earliest, |closes| closes.max(earliest));
        let roll = self.roll(proposal.spec.electorate);
        self.tell(GovernanceEvent::Opened {
            proposal: id,
            until,
            cooperatives: roll.cooperatives.len() as u64,
            members: roll.members,
        });
        proposal.roll = Some(roll);
        proposal.phase = ProposalPhase::Open { until };
        self.state.tables.proposals.set(id, proposal);
    }

    fn check_closing(&self, spec: &ProposalSpec, process: &Process) -> Result<(), Refusal> {
        let earliest = self.context.time.after(process.duration_ms);
        let latest = self.context.time.after(limits::MAX_VOTING);
        match spec.closes {
            Some(closes) if closes < earliest || closes > latest => Err(Refusal::BadClosing {
                closes,
                earliest,
                latest,
            }),
            _ => Ok(()),
        }
    }

    fn check_room_for_proposal(&self, cooperative: Did) -> Result<(), Refusal> {
        let index = self.state.tables.proposals.index();
        let own = index.by_cooperative.of(&cooperative);
        if own >= limits::MAX_OPEN_PROPOSALS_PER_COOPERATIVE {
            return Err(too_many(own, limits::MAX_OPEN_PROPOSALS_PER_COOPERATIVE));
        }
        if index.under_way >= limits::MAX_OPEN_PROPOSALS {
            return Err(too_many(index.under_way, limits::MAX_OPEN_PROPOSALS));
        }
        Ok(())
    }

    /// One cooperative tries once to veto a proposal: each try puts its execution off.
    fn check_first_veto(&self, proposal: ProposalId, cooperative: Did) -> Result<(), Refusal> {
        let vetoes = self.state.vetoes(&proposal);
        let tried = vetoes
            .filter_map(|id| self.state.tables.proposals.get(&id))
            .any(|veto| veto.cooperative == cooperative);
        if tried {
            Err(Refusal::AlreadySaid {})
        } else {
            Ok(())
        }
    }

    /// Takes what governance costs from an account.
    pub(crate) fn pay_for_governance(&mut self, payer: Did) -> Result<Mana, Refusal> {
        let cost = self.state.parameters().proposal_cost;
        if cost > Mana::ZERO {
            self.with_account(payer, |account| spend(account, cost))?;
            self.burn(cost);
        }
        Ok(cost)
    }

    pub(crate) fn sponsor(&mut self, operation: &Operation, id: ProposalId) -> Result<(), Refusal> {
        let speaker = self.speaker(operation)?;
        let mut proposal = self.proposal(id)?;
        if !matches!(proposal.phase, ProposalPhase::Draft { .. }) {
            return Self::wrong_phase(id, &proposal);
        }
        let cannot = |detail: &str| {
            Err(Refusal::CannotSponsor {
                detail: detail.into(),
            })
        };
        if !speaker.is_cooperative() {
            return cannot("cooperatives sponsor, by their officers");
        }
        if proposal.cooperative == speaker.did {
            return cannot("it is the author's own");
        }
        if proposal.sponsors.contains(&speaker.did) {
            return cannot("it does already");
        }
        proposal.sponsors.push(speaker.did);
        let opens = proposal.sponsors.len() >= usize::from(proposal.process.sponsors);
        self.state.tables.proposals.set(id, proposal);
        self.tell(GovernanceEvent::Sponsored {
            proposal: id,
            by: speaker.did,
        });
        if opens {
            self.open(id);
        }
        Ok(())
    }

    pub(crate) fn cancel_proposal(&mut self, operation: &Operation, id: ProposalId) -> Result<(), Refusal> {
        let speaker = self.speaker(operation)?;
        let mut proposal = self.proposal(id)?;
        if proposal.proposer != speaker.did {
            return Err(Refusal::NotProposer { proposal: id });
        }
        if !matches!(
            proposal.phase,
            ProposalPhase::Draft { .. } | ProposalPhase::Open { .. }
        ) {
            return Self::wrong_phase(id, &proposal);
        }
        proposal.phase = ProposalPhase::Cancelled {
            at: self.context.time,
        };
        self.state.tables.proposals.set(id, proposal);
        self.tell(GovernanceEvent::Cancelled { proposal: id });
        Ok(())
    }

    pub(crate) fn retry_proposal(&mut self, operation: &Operation, id: ProposalId) -> Result<(), Refusal> {
        self.speaker(operation)?;
        let proposal = self.proposal(id)?;
        if !matches!(proposal.phase, ProposalPhase::Failed { .. }) {
            return Self::wrong_phase(id, &proposal);
        }
        // Who asks is told why it fails again; the proposal keeps the reason that it had.
        self.carry_out(id, &proposal.spec.effect)?;
        self.executed(id);
        Ok(())
    }
}

fn too_many(open: usize, max: usize) -> Refusal {
    Refusal::TooManyProposals {
        open: open as u64,
        max: max as u64,
    }
}
