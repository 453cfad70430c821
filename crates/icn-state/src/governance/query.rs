//! What readers ask about governance. Nothing here changes the state.
use crate::{state::State, step::Step};
use alloc::{
    format,
    string::{String, ToString as _},
    vec::Vec,
};
use icn_model::{
    BallotRecord, Cid, ContractRecord, DecidedRecord, Did, Digest, Effect, PolicyRecord, PolicySlot,
    ProposalId, ProposalKind, ProposalRecord, Refusal, SeatPhase, Tally, Time,
};

/// Something that an effect changes, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedChange {
    /// What.
    pub what: String,
    /// What it is now.
    pub before: String,
    /// What it becomes.
    pub after: String,
}

impl State {
    /// A proposal.
    pub fn proposal(&self, id: &ProposalId) -> Option<&ProposalRecord> {
        self.tables.proposals.get(id)
    }

    /// Every proposal that is kept, the newest first.
    pub fn proposals(&self) -> impl Iterator<Item = (&ProposalId, &ProposalRecord)> {
        let newest = self.tables.proposals.index().by_time.iter().rev();
        newest.filter_map(|(_, id)| self.tables.proposals.get(id).map(|proposal| (id, proposal)))
    }

    /// The vote of somebody on a proposal.
    pub fn ballot(&self, id: &ProposalId, voter: &Did) -> Option<&BallotRecord> {
        self.tables.ballots.get(&(*id, *voter))
    }

    /// The votes on a proposal by voters after `after`, in the order of the voters.
    pub fn ballots_after(
        &self,
        id: &ProposalId,
        after: Option<Did>,
    ) -> impl Iterator<Item = (&Did, &BallotRecord)> {
        self.tables.ballots.of_after(id, after)
    }

    /// Whether the federation has decided what proposals of a kind go through.
    pub fn has_own_process(&self, kind: ProposalKind) -> bool {
        self.tables.processes.contains(&kind)
    }

    /// How many have voted on a proposal.
    pub fn turnout(&self, id: &ProposalId) -> u64 {
        let running = |side| self.tables.ballots.index().running(*id, side).voters;
        running(true) + running(false)
    }

    /// How the vote stands: the tally of one that was counted, else what counting it now would give, without
    /// those for whom others vote. None before it opens.
    pub fn standing_of_vote(&self, id: &ProposalId) -> Option<Tally> {
        let proposal = self.tables.proposals.get(id)?;
        match &proposal.tally {
            Some(tally) => Some(tally.clone()),
            None => self.count(id, proposal),
        }
    }

    /// What was decided for all of the federation, beside its parameters.
    pub fn decided(&self) -> &DecidedRecord {
        &self.federation.decided
    }

    /// The contracts that decide slots.
    pub fn policies(&self) -> impl Iterator<Item = (PolicySlot, &PolicyRecord)> {
        self.tables.policies.iter().map(|(slot, policy)| (*slot, policy))
    }

    /// The contracts that the log knows.
    pub fn contracts(&self) -> impl Iterator<Item = (&Cid, &ContractRecord)> {
        self.tables.contracts.iter()
    }

    /// A contract.
    pub fn contract(&self, cid: &Cid) -> Option<&ContractRecord> {
        self.tables.contracts.get(cid)
    }

    /// What an effect would change in the next block, if that were made at `now`. Changes nothing.
    ///
    /// # Errors
    /// Why it could not be carried out.
    pub fn plan(&mut self, effect: &Effect, now: Time) -> Result<Vec<PlannedChange>, Refusal> {
        let context = self.next_context(now);
        let before = self.describe(effect);
        let mark = self.mark();
        let mut step = Step {
            state: &mut *self,
            context,
            events: Vec::new(),
        };
        let carried_out = step.carry_out(ProposalId::new(Digest::ZERO), effect);
        let after = self.describe(effect);
        self.undo_to(mark);
        carried_out?;
        let changes = before
            .into_iter()
            .zip(after)
            .filter(|(before, after)| before.1 != after.1);
        let changes = changes.map(|((what, before), (_, after))| PlannedChange { what, before, after });
        Ok(changes.collect())
    }

    /// What there is in the state that an effect is about, by name.
    fn describe(&self, effect: &Effect) -> Vec<(String, String)> {
        let seat = |did: &Did| {
            let seat = self.tables.seats.get(did);
            let phase = seat.map_or("unknown", |seat| seat.phase.name());
            let until = seat.and_then(|seat| match seat.phase {
                SeatPhase::Leaving {} => seat.suspended,
                _ => None,
            });
            let suspended = until.map_or_else(String::new, |until| format!(", suspended until {until}"));
            (format!("seat of {did}"), format!("{phase}{suspended}"))
        };
        let policy = |slot: &PolicySlot| {
            let contract = self
                .tables
                .policies
                .get(slot)
                .map(|policy| policy.contract.to_string());
            let rates = || self.cooperatives().map(|(did, _)| self.describe_rate(did));
            let mut lines = alloc::vec![(
                format!("policy for {slot}"),
                contract.unwrap_or_else(|| "none".into()),
            )];
            if matches!(slot, PolicySlot::ManaRate | PolicySlot::ManaCapacity) {
                lines.extend(rates());
            }
            lines
        };
        match effect {
            Effect::Text {} => Vec::new(),
            Effect::ChangeParameter { name, .. } => {
                alloc::vec![(name.to_string(), self.parameters().get(*name).to_string())]
            }
            Effect::SetProcess { kind, .. } => {
                alloc::vec![(
                    format!("process for {kind}"),
                    describe_process(&self.process(*kind))
                )]
            }
            Effect::Admit { applicant: did } | Effect::AdmitWitness { applicant: did } => {
                alloc::vec![seat(did)]
            }
            Effect::Suspend { cooperative: did, .. } | Effect::Remove { seat: did } => alloc::vec![seat(did)],
            Effect::InstallPolicy { slot, .. }
            | Effect::ReplacePolicy { slot, .. }
            | Effect::RemovePolicy { slot } => policy(slot),
            Effect::Budget { to, .. } => {
                let available = self
                    .tables
                    .accounts
                    .get(to)
                    .map_or_else(Default::default, |one| one.available);
                alloc::vec![
                    (format!("mana of {to}"), available.to_string()),
                    ("mana granted".into(), self.meta.supply.granted.to_string()),
                ]
            }
            Effect::ClearingSchedule { .. } => {
                let every = self.federation.decided.clearing_every_ms;
                let every = every.map_or_else(|| "never".into(), |every| format!("every {every}"));
                let windows = self.federation.decided.clearing_windows;
                alloc::vec![
                    ("clearing".into(), every),
                    ("time to join a round".into(), windows.join_ms.to_string()),
                    ("time to object to its plan".into(), windows.object_ms.to_string()),
                ]
            }
            Effect::OpenClearing {} => {
                let open = self.open_round();
                let open = open.map_or_else(|| "none".into(), |(round, _)| round.to_string());
                alloc::vec![("round of clearing under way".into(), open)]
            }
            Effect::Upgrade { .. } => {
                let planned = self.federation.decided.upgrade;
                let planned = planned.map_or_else(
                    || "none".into(),
                    |planned| format!("version {} from epoch {} on", planned.version, planned.epoch),
                );
                alloc::vec![("planned version of the protocol".into(), planned)]
            }
            Effect::Veto { proposal } => {
                let phase = self.tables.proposals.get(proposal).map(|one| one.phase.status());
                alloc::vec![(
                    format!("proposal {proposal}"),
                    phase.map_or("unknown", |status| status.name()).into(),
                )]
            }
        }
    }

    fn describe_rate(&self, did: &Did) -> (String, String) {
        let parameters = self.parameters();
        let (rate, capacity) = match self.own_rate(did) {
            Some(own) => (own.rate_per_hour, own.capacity),
            None => (parameters.mana_rate_per_hour, parameters.mana_capacity),
        };
        (
            format!("regeneration of {did}"),
            format!("{rate} an hour up to {capacity}"),
        )
    }
}

/// A process in a line of words.
fn describe_process(process: &icn_model::Process) -> String {
    let rejection = process.rejection_quorum;
    let rule = match rejection {
        Some(share) => format!("passes unless {share} of the roll say no"),
        None => format!("quorum {}, {}", process.quorum, process.threshold),
    };
    format!(
        "{} by {}, {rule}, open for {}, timelock {}, {} sponsors, votes {}",
        process.electorate,
        process.method,
        process.duration_ms,
        process.timelock_ms,
        process.sponsors,
        if process.votes_final {
            "final"
        } else {
            "can be changed"
        },
    )
}
