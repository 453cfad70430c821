//! Proposals and the votes on them, the rules by which they go, delegations, contracts.
//!
//! How a vote can be checked without a node is in [`crate::audit`].
use crate::operations::RefusalReport;
use icn_model::{
    BallotRecord, Cid, ContractRecord, DecidedRecord, Decision, DelegationRecord, Did, Effect, Electorate,
    Height, Mana, MethodKind, Name, ParameterName, PolicyRecord, PolicySlot, Process, ProposalId,
    ProposalKind, ProposalRecord, ProposalStatus, Tally, Time,
};
use serde::{Deserialize, Serialize};

/// Query of [`crate::paths::PROPOSALS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct ProposalsQuery {
    /// Only proposals in this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<ProposalStatus>,
    /// Only proposals of this kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ProposalKind>,
    /// Proposals older than this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<ProposalId>,
    /// At most so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// Answer of [`crate::paths::PROPOSALS`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ProposalPage {
    /// As of this height.
    pub height: Height,
    /// The newest first.
    pub items: Vec<ProposalBrief>,
    /// What to pass as `after` for more; none if these are the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<ProposalId>,
}

/// A proposal in a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ProposalBrief {
    /// Its id.
    pub id: ProposalId,
    /// What it is about.
    pub kind: ProposalKind,
    /// Where it is.
    pub status: ProposalStatus,
    /// Who proposed it.
    pub proposer: Did,
    /// The cooperative that it is, or belongs to.
    pub cooperative: Did,
    /// What it is about, for delegations.
    pub topic: Name,
    /// The block with title and reasons.
    pub text: Option<Cid>,
    /// What it does.
    pub effect: Effect,
    /// When it was made.
    pub made: Time,
    /// When something happens to it by itself.
    pub due: Option<Time>,
    /// Who votes.
    pub electorate: Electorate,
    /// How.
    pub method: MethodKind,
    /// How many have voted, or had somebody vote for them.
    pub turnout: u64,
    /// Of how many.
    pub on_roll: u64,
    /// What the vote came to, once it is counted.
    pub decision: Option<Decision>,
}

impl ProposalBrief {
    /// From the record.
    pub fn new(id: ProposalId, record: &ProposalRecord, turnout: u64) -> Self {
        let roll = record.roll.as_ref();
        let cooperatives = if record.spec.electorate == Electorate::Members && !record.kind().binds() {
            0
        } else {
            roll.map_or(0, |roll| roll.cooperatives.len() as u64)
        };
        Self {
            id,
            kind: record.kind(),
            status: record.phase.status(),
            proposer: record.proposer,
            cooperative: record.cooperative,
            topic: record.spec.topic.clone(),
            text: record.spec.text,
            effect: record.spec.effect,
            made: record.made,
            due: record.due(),
            electorate: record.spec.electorate,
            method: record.spec.method.kind(),
            turnout,
            on_roll: cooperatives + roll.map_or(0, |roll| roll.members),
            decision: record.tally.as_ref().map(|tally| tally.decision.clone()),
        }
    }
}

/// Answer of [`crate::paths::PROPOSAL`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ProposalView {
    /// As of this height.
    pub height: Height,
    /// That block's time.
    pub time: Time,
    /// Its id.
    pub id: ProposalId,
    /// Where it is.
    pub status: ProposalStatus,
    /// What the log knows of it.
    pub record: ProposalRecord,
    /// How the vote stands: as it was counted, or else what counting it now would give, without those for whom
    /// others vote. None before it opens.
    pub standing: Option<Tally>,
    /// The proposals to veto it.
    pub vetoes: Vec<ProposalId>,
    /// What carrying it out now would do; none once nothing happens to it any more.
    pub plan: Option<Planned>,
}

/// What carrying something out now would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Planned {
    /// It would change this.
    Changes {
        /// One by one; nothing for words.
        changes: Vec<PlannedChange>,
    },
    /// It would not be possible.
    Refused {
        /// Why.
        refusal: RefusalReport,
    },
}

/// Something that would change, in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PlannedChange {
    /// What.
    pub what: String,
    /// What it is now.
    pub before: String,
    /// What it becomes.
    pub after: String,
}

/// Query of [`crate::paths::PROPOSAL_BALLOTS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct BallotsQuery {
    /// Ballots of voters after this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Did>,
    /// At most so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// Answer of [`crate::paths::PROPOSAL_BALLOTS`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct BallotPage {
    /// As of this height.
    pub height: Height,
    /// In the order of the voters' DIDs.
    pub items: Vec<BallotView>,
    /// What to pass as `after` for more; none if these are the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Did>,
}

/// A vote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct BallotView {
    /// Whose.
    pub voter: Did,
    /// What the log knows of it.
    pub record: BallotRecord,
}

/// Answer of [`crate::paths::GOVERNANCE_PLAN`]: what a proposal with the effect that was sent would do now, and
/// how it would be decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Plan {
    /// As of this height.
    pub height: Height,
    /// The kind of a proposal with this effect.
    pub kind: ProposalKind,
    /// What it would change; nothing for words.
    pub changes: Vec<PlannedChange>,
    /// What a proposal with this effect goes through.
    pub process: Process,
    /// What making it costs.
    pub cost: Mana,
}

/// Where a process comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum RuleSource {
    /// It is part of the program: no vote changes it.
    BuiltIn,
    /// It holds from the beginning, and a vote can change it.
    Default,
    /// The federation decided it.
    Decided,
}

impl RuleSource {
    /// In words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BuiltIn => "built in",
            Self::Default => "default",
            Self::Decided => "decided",
        }
    }
}

/// What proposals of a kind go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct KindRule {
    /// Which kind.
    pub kind: ProposalKind,
    /// What they go through.
    pub process: Process,
    /// Where that comes from.
    pub source: RuleSource,
}

/// What decides a slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SlotRule {
    /// Which slot.
    pub slot: PolicySlot,
    /// The contract; none where the federation's own rule holds.
    pub policy: Option<PolicyRecord>,
    /// What the contract is called.
    pub name: Option<String>,
}

/// What a parameter is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ParameterUnit {
    /// Thousandths of mana.
    Millimana,
    /// Milliseconds.
    Milliseconds,
    /// A count.
    Count,
}

impl ParameterUnit {
    /// The unit of a parameter.
    pub const fn of(name: ParameterName) -> Self {
        match name {
            ParameterName::HeartbeatMs
            | ParameterName::BidWindowMs
            | ParameterName::AwardTimeoutMs
            | ParameterName::ReceiptGraceMs
            | ParameterName::ChallengeWindowMs
            | ParameterName::VotingPeriodMs
            | ParameterName::TimelockMs
            | ParameterName::PolicyPeriodMs => Self::Milliseconds,
            ParameterName::ManaRatePerHour
            | ParameterName::ManaCapacity
            | ParameterName::ManaStart
            | ParameterName::ChallengeStake
            | ParameterName::StandingCapPerPayer
            | ParameterName::ProposalCost => Self::Millimana,
            ParameterName::MaxHolds | ParameterName::JobRetryCount | ParameterName::ChallengeJury => {
                Self::Count
            }
        }
    }
}

/// A parameter that a vote can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ParameterRule {
    /// Which.
    pub name: ParameterName,
    /// What it is, in its unit.
    pub value: u64,
    /// The least that it can be.
    pub min: u64,
    /// The most that it can be.
    pub max: u64,
    /// Its unit.
    pub unit: ParameterUnit,
}

/// Answer of [`crate::paths::GOVERNANCE_RULES`]: what can be decided, how, and what was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Rules {
    /// As of this height.
    pub height: Height,
    /// What proposals of each kind go through.
    pub kinds: Vec<KindRule>,
    /// What decides each slot.
    pub slots: Vec<SlotRule>,
    /// Every parameter that a vote can change.
    pub parameters: Vec<ParameterRule>,
    /// What else was decided: when debts are cleared, which version of the protocol is followed.
    pub decided: DecidedRecord,
}

impl Rules {
    /// What proposals of `kind` go through.
    pub fn process(&self, kind: ProposalKind) -> Option<&KindRule> {
        self.kinds.iter().find(|rule| rule.kind == kind)
    }

    /// A parameter.
    pub fn parameter(&self, name: ParameterName) -> Option<&ParameterRule> {
        self.parameters.iter().find(|rule| rule.name == name)
    }
}

/// Query of [`crate::paths::DELEGATIONS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct DelegationsQuery {
    /// Whose.
    pub voter: Did,
}

/// Answer of [`crate::paths::DELEGATIONS`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Delegations {
    /// As of this height.
    pub height: Height,
    /// Whose.
    pub voter: Did,
    /// At most [`icn_model::limits::MAX_DELEGATIONS`], one for each topic.
    pub items: Vec<DelegationRecord>,
}

/// Query of [`crate::paths::CONTRACTS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct ContractsQuery {
    /// Contracts after this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Cid>,
    /// At most so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// Answer of [`crate::paths::CONTRACTS`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ContractPage {
    /// As of this height.
    pub height: Height,
    /// In the order of their CIDs.
    pub items: Vec<ContractBrief>,
    /// What to pass as `after` for more; none if these are the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Cid>,
}

/// A contract of the log without its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ContractBrief {
    /// Its text's CID.
    pub cid: Cid,
    /// What it is called.
    pub name: String,
    /// Who published it.
    pub author: Did,
    /// When.
    pub published: Time,
    /// When it is forgotten, if nothing uses it then.
    pub until: Time,
    /// Bytes of its text.
    pub size_bytes: u64,
    /// The slots that it has an answer for.
    pub slots: Vec<PolicySlot>,
    /// Those that it decides.
    pub decides: Vec<PolicySlot>,
}

/// Answer of [`crate::paths::CONTRACT`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ContractView {
    /// Its text's CID.
    pub cid: Cid,
    /// What the log knows of it, its text included.
    pub record: ContractRecord,
    /// The slots that it decides.
    pub decides: Vec<PolicySlot>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_those_of_the_names() {
        for name in ParameterName::ALL {
            let in_ms = ParameterUnit::of(*name) == ParameterUnit::Milliseconds;
            assert_eq!(in_ms, name.name().ends_with("_ms"), "{name}");
        }
    }
}
