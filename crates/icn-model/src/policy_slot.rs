//! The questions of the state machine that contracts can answer.
use crate::macros::names;

names! {
    /// A question of the state machine that a contract can answer.
    PolicySlot, PolicySlotError, "a slot for a policy";
    /// How much mana a cooperative regenerates in an hour.
    ManaRate "mana-rate";
    /// Up to what balance a cooperative's mana regenerates.
    ManaCapacity "mana-capacity";
    /// How much a debtor may owe on a credit line.
    CreditLimit "credit-limit";
    /// Whether a cooperative may bid for a job.
    BidEligibility "bid-eligibility";
    /// How much a job may cost at the most.
    PriceCeiling "price-ceiling";
    /// Whether somebody on the roll may vote.
    VoteEligibility "vote-eligibility";
    /// How many votes somebody has.
    VoteWeight "vote-weight";
    /// Whether a cooperative that applied may be admitted.
    Admission "admission";
}
