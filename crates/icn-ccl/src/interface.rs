//! What contracts and the state machine agree on: slots with their inputs and results, permissions, kinds of
//! proposals. One declarative table, from which the checker, the encoding, `explain` and the reference come.
//!
//! A change of a slot, a field or its meaning is a new [`INTERFACE_VERSION`]. Fields and variants are encoded
//! in the order in which they stand here.
use crate::types::{EnumDef, EnumId, RecordDef, RecordId, Type, Types, UnitDef, UnitId};
use std::sync::LazyLock;

/// Version of this table.
pub const INTERFACE_VERSION: u32 = 1;

/// The type of a field or result, as the table writes it.
#[derive(Clone, Copy, Debug)]
pub enum FieldType {
    /// `Bool`
    Bool,
    /// `Int`
    Int,
    /// `Text`
    Text,
    /// `Did`
    Did,
    /// `Time`
    Time,
    /// `Duration`
    Duration,
    /// `Mana`
    Mana,
    /// `Amount<line>`
    LineAmount,
    /// `ProposalKind`
    ProposalKind,
    /// `Option<…>`
    Option(&'static FieldType),
    /// `List<…>`
    List(&'static FieldType),
}

impl FieldType {
    /// The type that this stands for.
    pub fn ty(self) -> Type {
        match self {
            Self::Bool => Type::Bool,
            Self::Int => Type::Int,
            Self::Text => Type::Text,
            Self::Did => Type::Did,
            Self::Time => Type::Time,
            Self::Duration => Type::Duration,
            Self::Mana => Type::Mana,
            Self::LineAmount => Type::Amount(LINE_UNIT),
            Self::ProposalKind => Type::Enum(PROPOSAL_KIND),
            Self::Option(of) => Type::option(of.ty()),
            Self::List(of) => Type::list(of.ty()),
        }
    }
}

/// A field of an input.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub ty: FieldType,
    /// What it says, with its unit.
    pub doc: &'static str,
}

/// What a policy is told.
#[derive(Clone, Copy, Debug)]
pub struct Input {
    /// The name of the record.
    pub name: &'static str,
    /// Its fields.
    pub fields: &'static [Field],
}

/// A question of the state machine that a contract can answer.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    /// Its name, which is also that of the module's export.
    pub name: &'static str,
    /// What a policy for it is told: the place in [`INPUTS`].
    pub input: usize,
    /// What it answers.
    pub result: FieldType,
    /// The question.
    pub doc: &'static str,
    /// What holds without a policy.
    pub without: &'static str,
}

impl Slot {
    /// The slot with this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        SLOTS.iter().find(|slot| slot.name == name)
    }

    /// The type of its input.
    pub fn input_type(&self) -> Type {
        input_type(self.input)
    }

    /// The type of its result.
    pub fn result_type(&self) -> Type {
        self.result.ty()
    }
}

/// The unit of the line that a question is about: its minor units.
pub(crate) const LINE_UNIT: UnitId = UnitId(0);
const PROPOSAL_KIND: EnumId = EnumId(0);

macro_rules! fields {
    ($($name:ident: $ty:expr, $doc:literal;)*) => {
        &[$(Field { name: stringify!($name), ty: $ty, doc: $doc }),*]
    };
}

/// What policies are told.
pub const INPUTS: &[Input] = &[
    Input {
        name: "ManaInput",
        fields: fields! {
            cooperative: FieldType::Did, "whose mana it is";
            now: FieldType::Time, "time of the block";
            member_for: FieldType::Duration, "how long the cooperative has been in the federation";
            balance: FieldType::Mana, "what it has: available, held, maturing and its members' shares";
            base_rate: FieldType::Mana, "the federation's rate, per hour";
            base_capacity: FieldType::Mana, "the federation's capacity";
            period: FieldType::Duration, "how long the recent period is that the next fields count over";
            jobs_executed: FieldType::Int, "jobs that it was paid for in the period";
            jobs_submitted: FieldType::Int, "jobs that it submitted in the period";
            jobs_failed: FieldType::Int, "jobs that it failed, returned or lied about in the period";
            earned: FieldType::Mana, "what others paid it in the period: its contribution";
            spent: FieldType::Mana, "what it paid others in the period";
        },
    },
    Input {
        name: "CreditInput",
        fields: fields! {
            creditor: FieldType::Did, "who would give credit";
            debtor: FieldType::Did, "who would owe";
            now: FieldType::Time, "time of the block";
            owed: FieldType::LineAmount, "what the debtor owes on this line; below zero if it is owed to it";
            sold: FieldType::LineAmount, "what the debtor delivered to the creditor in the period, at the line's prices";
            bought: FieldType::LineAmount, "what the debtor received from the creditor in the period";
            period: FieldType::Duration, "how long the period is that the two count over";
            defaults: FieldType::Int, "how often the debtor has missed a settlement, with anybody, ever";
            debtor_member_for: FieldType::Duration, "how long the debtor has been in the federation";
            line_open_for: FieldType::Duration, "how long the line has been open; zero while it is being opened";
        },
    },
    Input {
        name: "BidInput",
        fields: fields! {
            bidder: FieldType::Did, "who wants to run the job";
            submitter: FieldType::Did, "whose job it is";
            now: FieldType::Time, "time of the block";
            price: FieldType::Mana, "what the bidder asks";
            max_price: FieldType::Mana, "what the submitter would pay at the most";
            jobs_executed: FieldType::Int, "jobs that the bidder was ever paid for";
            jobs_failed: FieldType::Int, "jobs that the bidder ever failed, returned or lied about";
            fault_points: FieldType::Int, "recent failures of the bidder, 0 to 1,000";
            bidder_member_for: FieldType::Duration, "how long the bidder has been in the federation";
        },
    },
    Input {
        name: "PriceInput",
        fields: fields! {
            submitter: FieldType::Did, "whose job it is";
            now: FieldType::Time, "time of the block";
            cpu_ms: FieldType::Duration, "computing time that the job asks for";
            memory_bytes: FieldType::Int, "memory that the job asks for";
            output_bytes: FieldType::Int, "output that the job asks for";
            replicas: FieldType::Int, "how many cooperatives are to run it";
            balance: FieldType::Mana, "what the submitter has available";
            average_price: FieldType::Option(&FieldType::Mana), "average price of the jobs of the last period, if there were any";
        },
    },
    Input {
        name: "VoteInput",
        fields: fields! {
            voter: FieldType::Did, "who wants to vote";
            cooperative: FieldType::Did, "for which cooperative, or a member of which";
            roles: FieldType::List(&FieldType::Text), "the names of the roles that the voter has";
            now: FieldType::Time, "time of the block";
            member_for: FieldType::Duration, "how long the voter has been a member, or the cooperative in the federation";
            members: FieldType::Int, "how many members the cooperative has";
            kind: FieldType::ProposalKind, "what is voted on";
            proposer: FieldType::Did, "who proposed it";
        },
    },
    Input {
        name: "AdmissionInput",
        fields: fields! {
            applicant: FieldType::Did, "who wants to join";
            sponsors: FieldType::List(&FieldType::Did), "the cooperatives that speak for it";
            now: FieldType::Time, "time of the block";
            applied_for: FieldType::Duration, "how long ago it applied";
            seats: FieldType::Int, "how many cooperatives have a seat";
            witnesses: FieldType::Int, "how many witnesses have a seat";
            left_before: FieldType::Bool, "whether it has been in the federation before";
        },
    },
    Input {
        name: "RoleInput",
        fields: fields! {
            subject: FieldType::Did, "who would have the role";
            cooperative: FieldType::Did, "in which cooperative";
            roles: FieldType::List(&FieldType::Text), "the names of the roles that they have";
            now: FieldType::Time, "time of the block";
            member_for: FieldType::Duration, "how long they have been a member";
            votes_cast: FieldType::Int, "votes that they have cast";
            votes_missed: FieldType::Int, "votes that they could have cast and have not";
        },
    },
];

/// What role requirements are told: the place in [`INPUTS`].
pub(crate) const ROLE_INPUT: usize = 6;

/// The type of the input at `place` in [`INPUTS`].
pub(crate) fn input_type(place: usize) -> Type {
    Type::Record(RecordId(u32::try_from(place).expect("the table is short")))
}

/// What contracts can decide.
pub const SLOTS: &[Slot] = &[
    Slot {
        name: "mana_rate",
        input: 0,
        result: FieldType::Mana,
        doc: "how much mana a cooperative regenerates in an hour",
        without: "the federation's rate",
    },
    Slot {
        name: "mana_capacity",
        input: 0,
        result: FieldType::Mana,
        doc: "up to what balance a cooperative's mana regenerates",
        without: "the federation's capacity",
    },
    Slot {
        name: "credit_limit",
        input: 1,
        result: FieldType::LineAmount,
        doc: "how much a debtor may owe on a credit line",
        without: "what the creditor signed",
    },
    Slot {
        name: "bid_eligibility",
        input: 2,
        result: FieldType::Bool,
        doc: "whether a cooperative may bid for a job",
        without: "every cooperative with a seat may",
    },
    Slot {
        name: "price_ceiling",
        input: 3,
        result: FieldType::Mana,
        doc: "how much a job may cost at the most",
        without: "what the submitter offers",
    },
    Slot {
        name: "vote_eligibility",
        input: 4,
        result: FieldType::Bool,
        doc: "whether somebody on the roll may vote",
        without: "everybody on the roll may",
    },
    Slot {
        name: "vote_weight",
        input: 4,
        result: FieldType::Int,
        doc: "how many votes somebody has; below zero counts as a fault",
        without: "one each",
    },
    Slot {
        name: "admission",
        input: 5,
        result: FieldType::Bool,
        doc: "whether a cooperative that applied may be admitted",
        without: "whoever the vote admits",
    },
];

/// What roles can be given, with what it means.
pub const PERMISSIONS: &[(&str, &str)] = &[
    ("propose", "make proposals"),
    ("sponsor", "speak for the proposals of others before they open"),
    ("vote", "vote"),
    ("delegate", "let somebody else vote for them"),
    ("veto", "stop an accepted proposal before it is carried out"),
    ("admit_members", "take in members"),
    ("remove_members", "take members out"),
    ("submit_jobs", "have jobs run for the cooperative's mana"),
    ("share_mana", "hand mana of the cooperative to members"),
    ("open_credit", "open credit lines"),
    ("transfer_credit", "pay on credit lines"),
];

/// A kind of proposals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProposalKind {
    /// Its name.
    pub name: &'static str,
    /// What it does when it is carried out; nothing for those that only say something.
    pub effect: Option<&'static str>,
    /// Whether the rules for it are built in and no contract changes them: no rule can block its own repeal.
    pub built_in: bool,
    /// What it is about.
    pub doc: &'static str,
}

const fn kind(
    name: &'static str,
    effect: Option<&'static str>,
    built_in: bool,
    doc: &'static str,
) -> ProposalKind {
    ProposalKind {
        name,
        effect,
        built_in,
        doc,
    }
}

/// The kinds of proposals; also the variants of the enum `ProposalKind`.
pub const PROPOSAL_KINDS: &[ProposalKind] = &[
    kind("text", None, false, "say something together"),
    kind(
        "parameter",
        Some("change_parameter"),
        false,
        "change a parameter of the federation",
    ),
    kind(
        "admit",
        Some("admit_cooperative"),
        false,
        "admit a cooperative, with its seat",
    ),
    kind(
        "suspend",
        Some("suspend_cooperative"),
        true,
        "suspend a cooperative",
    ),
    kind(
        "remove",
        Some("remove_cooperative"),
        true,
        "remove a cooperative, with its seat",
    ),
    kind("admit_witness", Some("admit_witness"), false, "admit a witness"),
    kind(
        "install_policy",
        Some("install_policy"),
        false,
        "let a contract decide a slot that is free",
    ),
    kind(
        "replace_policy",
        Some("replace_policy"),
        true,
        "let another contract decide a slot",
    ),
    kind(
        "remove_policy",
        Some("remove_policy"),
        true,
        "take a contract out of a slot",
    ),
    kind("budget", Some("allocate_budget"), false, "allocate mana"),
    kind(
        "clearing_schedule",
        Some("set_clearing_schedule"),
        false,
        "set when debts are cleared",
    ),
    kind(
        "upgrade",
        Some("activate_upgrade"),
        false,
        "activate a version of the software",
    ),
    kind("veto", Some("veto"), false, "stop an accepted proposal"),
    kind(
        "open_clearing",
        Some("open_clearing"),
        false,
        "open a round of clearing",
    ),
];

/// Who can be on the roll.
pub const ELECTORATES: &[(&str, &str)] = &[
    ("cooperatives", "the cooperatives, one vote each"),
    (
        "members",
        "the members, one vote each; what binds also needs the majority of the cooperatives",
    ),
    (
        "both",
        "the members and the cooperatives, each of which has to accept",
    ),
];

/// How votes are cast.
pub const METHODS: &[(&str, &str)] = &[
    ("yes_no", "yes, no or abstain"),
    ("approval", "each option that one can live with"),
    ("ranked", "the options in order; instant run-off"),
    ("score", "points for each option"),
    ("consent", "no objection that is paramount"),
];

/// The properties of a process, with what they say.
pub const PROCESS_FIELDS: &[(&str, &str)] = &[
    ("proposal", "the kind of proposal"),
    ("electorate", "who is on the roll"),
    (
        "eligible",
        "the roles that are on it, separated by commas; all, if it is left out",
    ),
    ("method", "how votes are cast"),
    (
        "quorum",
        "the share of the roll that has to take part, from 0 to 1",
    ),
    (
        "threshold",
        "`more than` or `at least` a share of the votes; consent has none",
    ),
    ("duration", "how long it is open: an hour to a year"),
    (
        "timelock",
        "how long an accepted proposal waits; nothing, if it is left out",
    ),
    (
        "sponsors",
        "how many sponsors it needs before it opens; none, if it is left out",
    ),
    (
        "votes",
        "`changeable` until it closes, or `final`, so that it may close early; changeable, if it is left out",
    ),
    ("executes", "the effect of its kind, or `nothing` for advice"),
];

static TYPES: LazyLock<Types> = LazyLock::new(|| Types {
    units: vec![UnitDef {
        name: "line".to_owned(),
        decimals: 0,
    }],
    records: INPUTS
        .iter()
        .map(|input| RecordDef {
            name: input.name.to_owned(),
            fields: input
                .fields
                .iter()
                .map(|field| (field.name.to_owned(), field.ty.ty()))
                .collect(),
            span: None,
        })
        .collect(),
    enums: vec![EnumDef {
        name: "ProposalKind".to_owned(),
        variants: PROPOSAL_KINDS
            .iter()
            .map(|kind| (kind.name.to_owned(), Vec::new()))
            .collect(),
        span: None,
    }],
});

/// The types of the interface alone: enough to encode inputs and to decode results without a contract.
pub fn types() -> &'static Types {
    &TYPES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_consistent() {
        assert_eq!(INPUTS[ROLE_INPUT].name, "RoleInput");
        for slot in SLOTS {
            let Type::Record(id) = slot.input_type() else {
                panic!("inputs are records");
            };
            assert_eq!(types().record(id).name, INPUTS[slot.input].name);
        }
        assert_eq!(
            types().show(&FieldType::LineAmount.ty()).to_string(),
            "Amount<line>"
        );
    }
}
