//! Who wins a job: eligibility by rules, then one integer score that every node computes alike.
//!
//! `score = 4 × price + 3 × reputation + 2 × load + 1 × locality`, each from 0 to 1,000. No score depends on
//! another bid, so a bidder that exaggerates can lift itself, but cannot push another down. Free memory,
//! load and locality are the bidder's own word; price and reputation, which are not, weigh seven tenths.
//! Ties go to the lower price, then by a hash of job, attempt and bidder, so that no identity is favoured.
use crate::{standing::faults, state::State};
use alloc::{string::ToString as _, vec::Vec};
use icn_model::{
    Bid, BidQuestion, Did, Digest, Exclusion, Ineligible, JobId, JobRecord, JobSpec, Millis, PolicyAnswer,
    PolicyQuestion, PolicySlot, RankedBid, Ranking, Time,
};

/// How much each score counts, in tenths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weights {
    /// Of the price.
    pub price: u32,
    /// Of the reputation.
    pub reputation: u32,
    /// Of the load.
    pub load: u32,
    /// Of locality.
    pub locality: u32,
}

impl Weights {
    /// The weights in use.
    pub const CURRENT: Self = Self {
        price: 4,
        reputation: 3,
        load: 2,
        locality: 1,
    };
}

const FULL: u32 = 1_000;
/// Bits of the number of local bytes from which on more does not count: 1 GiB.
const LOCALITY_BITS: u32 = 30;

fn price_score(price: u64, max: u64) -> u32 {
    let saved = u128::from(max.saturating_sub(price)) * u128::from(FULL);
    // A job that offers nothing asks nothing of the price.
    let score = saved.checked_div(u128::from(max)).unwrap_or(u128::from(FULL));
    u32::try_from(score).unwrap_or(0)
}

fn locality_score(bytes: u64) -> u32 {
    let bits = (u64::BITS - bytes.leading_zeros()).min(LOCALITY_BITS);
    bits * FULL / LOCALITY_BITS
}

impl State {
    /// How a job's bids rank at a time, the best first, with the scores and the rule that excludes each of
    /// the ineligible. The best are marked as chosen if there are enough for the job's replicas.
    ///
    /// The bids are taken to be valid (see [`State::check_bid`]). None if there is no such job.
    pub fn select(&self, job: &JobId, bids: &[&Bid], at: Time) -> Option<Ranking> {
        let (record, spec) = (self.tables.jobs.get(job)?, self.tables.specs.get(job)?);
        let mut ranked: Vec<_> = bids
            .iter()
            .map(|bid| {
                let bid = self.rank(record, spec, bid, at);
                let lot = Digest::of_parts(&[
                    job.digest().as_bytes(),
                    &record.attempt.to_be_bytes(),
                    bid.executor.first_key().as_bytes(),
                ]);
                (bid, lot)
            })
            .collect();
        ranked.sort_by(|(a, lot_a), (b, lot_b)| {
            let order =
                |bid: &RankedBid| (bid.ineligible.is_some(), core::cmp::Reverse(bid.score), bid.price);
            order(a).cmp(&order(b)).then(lot_a.cmp(lot_b))
        });
        let mut bids: Vec<RankedBid> = ranked.into_iter().map(|(bid, _)| bid).collect();
        let eligible = bids.iter().filter(|bid| bid.ineligible.is_none()).count();
        let replicas = usize::from(spec.replicas);
        if eligible >= replicas {
            bids.iter_mut().take(replicas).for_each(|bid| bid.chosen = true);
        }
        Some(Ranking {
            attempt: record.attempt,
            bids,
            excluded: Vec::<Exclusion>::new(),
        })
    }

    fn rank(&self, job: &JobRecord, spec: &JobSpec, bid: &Bid, at: Time) -> RankedBid {
        let reputation = self.reputation(&bid.executor, at);
        let price_score = price_score(bid.price.milli(), spec.max_mana.milli());
        let locality_score = locality_score(bid.local_bytes);
        let load_score = FULL.saturating_sub(u32::from(bid.load_per_mille));
        let weights = Weights::CURRENT;
        let score = weights.price * price_score
            + weights.reputation * reputation
            + weights.load * load_score
            + weights.locality * locality_score;
        RankedBid {
            executor: bid.executor,
            price: bid.price,
            price_score,
            reputation,
            locality_score,
            load_score,
            score,
            ineligible: self
                .ineligible(job, spec, bid, reputation)
                .or_else(|| self.ineligible_by_policy(job, spec, bid, at)),
            chosen: false,
        }
    }

    fn ineligible(&self, job: &JobRecord, spec: &JobSpec, bid: &Bid, reputation: u32) -> Option<Ineligible> {
        let required = spec.require.min_reputation;
        let memory = spec.limits.memory_bytes;
        self.barred(spec, &job.cooperative, &job.tried, &bid.executor)
            .or({
                if bid.price > spec.max_mana {
                    Some(Ineligible::TooExpensive { max: spec.max_mana })
                } else if reputation < required {
                    Some(Ineligible::Reputation { required })
                } else if bid.free_memory_bytes < memory {
                    Some(Ineligible::Memory { required: memory })
                } else {
                    None
                }
            })
    }

    /// What the policy for bids says against one, if there is such a policy.
    fn ineligible_by_policy(
        &self,
        job: &JobRecord,
        spec: &JobSpec,
        bid: &Bid,
        at: Time,
    ) -> Option<Ineligible> {
        if !self.asks(PolicySlot::BidEligibility) {
            return None;
        }
        let standing = self.standing(&bid.executor);
        let seat = self.tables.seats.get(&bid.executor);
        let question = BidQuestion {
            bidder: bid.executor,
            submitter: job.cooperative,
            now: at,
            price: bid.price,
            max_price: spec.max_mana,
            jobs_executed: standing.completed,
            jobs_failed: standing.failed,
            fault_points: faults(&standing, at),
            bidder_member_for: seat.map_or(Millis::ZERO, |seat| at.since(seat.since)),
        };
        let reason = match self.ask(&PolicyQuestion::BidEligibility(question)) {
            Ok(Some(PolicyAnswer::Is(false))) => "it may not bid".into(),
            Ok(_) => return None,
            Err(refusal) => refusal.to_string(),
        };
        Some(Ineligible::Policy { reason })
    }

    /// The rule by which a cooperative cannot run a job, whatever it bids.
    fn barred(&self, spec: &JobSpec, submitter: &Did, tried: &[Did], executor: &Did) -> Option<Ineligible> {
        let named = &spec.require.cooperatives;
        let is_named = named.contains(executor);
        let voters = &self.tables.seats.index().voters;
        let is_alone = || voters.iter().all(|voter| voter == executor);
        if !named.is_empty() && !is_named {
            Some(Ineligible::NotNamed {})
        } else if executor == submitter && !is_named && !is_alone() {
            Some(Ineligible::OwnJob {})
        } else if tried.contains(executor) {
            Some(Ineligible::TriedBefore {})
        } else {
            None
        }
    }

    /// Cooperatives that could bid for a job: seated, not leaving, not barred.
    pub(crate) fn candidates(
        &self,
        spec: &JobSpec,
        submitter: &Did,
        tried: &[Did],
    ) -> impl Iterator<Item = &Did> {
        let voters = self.tables.seats.index().voters.iter();
        voters.filter(move |voter| self.barred(spec, submitter, tried, voter).is_none())
    }

    /// How long one attempt may take: the job's wall clock, and grace for inputs and receipt.
    pub(crate) fn run_span(&self, spec: &JobSpec) -> Millis {
        let grace = self.parameters().receipt_grace_ms;
        Millis::new(spec.limits.wall_ms.saturating_add(grace.get()))
    }
}
