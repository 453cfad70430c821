//! Counting votes: a function of ballots, roll and process, for the state and for whoever verifies a bundle.
//!
//! # Ties
//!
//! A tie of yes and no is not more than half. Approval and score with several options first alike decide
//! nothing. An instant run-off eliminates the option with the fewest votes; of several, the one that had fewer
//! in the latest earlier round in which they differ; of several that never differ, the one listed last.
use super::roll::{cooperatives_vote, members_vote};
use alloc::{collections::BTreeMap, vec, vec::Vec};
use icn_model::{
    BallotRecord, Choice, Counts, Decision, Did, Electorate, Method, Process, ProposalSpec, Roll, Round,
    Share, SideTally, Tally, Threshold,
};

/// One vote, as it is counted.
#[derive(Clone, Copy, Debug)]
pub struct Cast<'a> {
    /// What the voter says.
    pub choice: &'a Choice,
    /// For how many votes it counts.
    pub weight: u64,
    /// Whether it is a cooperative's; else a member's.
    pub by_cooperative: bool,
    /// Whether somebody else voted for the voter.
    pub delegated: bool,
}

impl<'a> Cast<'a> {
    /// The vote of `voter`, as its ballot has it.
    pub fn of(voter: &Did, ballot: &'a BallotRecord) -> Self {
        Self {
            choice: &ballot.choice,
            weight: ballot.weight,
            by_cooperative: ballot.cooperative == *voter,
            delegated: !ballot.through.is_empty(),
        }
    }
}

/// Counts the votes on a proposal, one for each voter. Votes that the method does not know count as
/// abstentions; the state takes none.
pub fn tally<'a>(
    spec: &ProposalSpec,
    process: &Process,
    roll: &Roll,
    votes: impl Iterator<Item = Cast<'a>>,
) -> Tally {
    let (mut cooperatives, mut members) = (Side::default(), Side::default());
    for vote in votes {
        let side = if vote.by_cooperative {
            &mut cooperatives
        } else {
            &mut members
        };
        side.add(vote);
    }
    let kind = spec.effect.kind();
    let cooperatives = cooperatives_vote(spec.electorate, kind)
        .then(|| cooperatives.count(&spec.method, roll.cooperatives.len() as u64));
    let members = members_vote(spec.electorate).then(|| members.count(&spec.method, roll.members));
    let decision = match (&cooperatives, &members) {
        (Some(cooperatives), Some(members)) if spec.electorate == Electorate::Members => {
            match decide(members, process) {
                positive if positive.is_positive() => majority_of_cooperatives(cooperatives, positive),
                negative => negative,
            }
        }
        (Some(cooperatives), Some(members)) => {
            match (decide(cooperatives, process), decide(members, process)) {
                (one, other) if one == other => one,
                (one, other) if one.is_positive() && other.is_positive() => Decision::Disagreed {},
                (one, other) => {
                    if one.is_positive() {
                        other
                    } else {
                        one
                    }
                }
            }
        }
        (Some(side), None) | (None, Some(side)) => decide(side, process),
        // An electorate has a side.
        (None, None) => Decision::Disagreed {},
    };
    Tally {
        cooperatives,
        members,
        decision,
    }
}

/// What members decided, if more than half of all cooperatives on the roll are for it.
fn majority_of_cooperatives(cooperatives: &SideTally, decision: Decision) -> Decision {
    let threshold = Threshold::MoreThan(Share::HALF);
    let of = cooperatives.on_roll;
    let votes = match &cooperatives.counts {
        Counts::YesNo { yes, .. } => *yes,
        Counts::Consent { objections, .. } if *objections > 0 => {
            return Decision::Objected {
                objections: *objections,
            };
        }
        Counts::Consent { consents, .. } => *consents,
        // What binds is decided by yes-no or consent.
        _ => return Decision::Disagreed {},
    };
    if threshold.is_met(votes, of) {
        decision
    } else {
        Decision::BelowThreshold { votes, of, threshold }
    }
}

/// The votes of one side, alike ones together: a hundred thousand rankings of a few options are few.
#[derive(Default)]
struct Side<'a> {
    turnout: u64,
    delegated: u64,
    weights: BTreeMap<&'a Choice, u64>,
}

impl<'a> Side<'a> {
    fn add(&mut self, vote: Cast<'a>) {
        self.turnout += 1;
        self.delegated += u64::from(vote.delegated);
        // An objection's words make no difference to the count; one entry each would.
        *self.weights.entry(vote.choice).or_insert(0) += vote.weight;
    }

    fn sum(&self, is: impl Fn(&Choice) -> bool) -> u64 {
        let weights = self.weights.iter().filter(|(choice, _)| is(choice));
        weights.fold(0, |sum, (_, weight)| sum.saturating_add(*weight))
    }

    fn count(self, method: &Method, on_roll: u64) -> SideTally {
        let counts = match method {
            Method::YesNo {} => Counts::YesNo {
                yes: self.sum(|choice| matches!(choice, Choice::Yes {})),
                no: self.sum(|choice| matches!(choice, Choice::No {})),
            },
            Method::Consent {} => Counts::Consent {
                consents: self.sum(|choice| matches!(choice, Choice::Yes {})),
                objections: self.sum(|choice| matches!(choice, Choice::Object { .. })),
            },
            Method::Approval { options } => self.count_approvals(options.len()),
            Method::Score { options, .. } => self.count_points(options.len()),
            Method::Ranked { options } => Counts::Ranked {
                rounds: run_off(&self.rankings(), options.len()),
            },
        };
        SideTally {
            on_roll,
            turnout: self.turnout,
            delegated: self.delegated,
            abstained: self.sum(|choice| matches!(choice, Choice::Abstain {})),
            counts,
        }
    }

    fn count_approvals(&self, options: usize) -> Counts {
        let mut approvals = vec![0_u64; options];
        let mut votes = 0_u64;
        for (choice, weight) in &self.weights {
            if let Choice::Approve { options } = choice {
                votes = votes.saturating_add(*weight);
                for option in options {
                    if let Some(sum) = approvals.get_mut(usize::from(*option)) {
                        *sum = sum.saturating_add(*weight);
                    }
                }
            }
        }
        Counts::Approval { votes, approvals }
    }

    fn count_points(&self, options: usize) -> Counts {
        let mut sums = vec![0_u64; options];
        let mut votes = 0_u64;
        for (choice, weight) in &self.weights {
            if let Choice::Score { points } = choice {
                votes = votes.saturating_add(*weight);
                for (sum, points) in sums.iter_mut().zip(points) {
                    *sum = sum.saturating_add(weight.saturating_mul(u64::from(*points)));
                }
            }
        }
        Counts::Score { votes, points: sums }
    }

    fn rankings(&self) -> Vec<(&'a [u8], u64)> {
        let ranked = self.weights.iter().filter_map(|(choice, weight)| match choice {
            Choice::Rank { options } => Some((options.as_slice(), *weight)),
            _ => None,
        });
        ranked.collect()
    }
}

/// The rounds of an instant run-off over rankings with their weights.
fn run_off(rankings: &[(&[u8], u64)], options: usize) -> Vec<Round> {
    let mut left = vec![true; options];
    let mut rounds: Vec<Round> = Vec::new();
    loop {
        let mut votes = vec![0_u64; options];
        let mut exhausted = 0_u64;
        for (ranking, weight) in rankings {
            let is_left = |option: &&u8| left.get(usize::from(**option)).copied().unwrap_or(false);
            match ranking.iter().find(is_left) {
                Some(first) => {
                    let sum = &mut votes[usize::from(*first)];
                    *sum = sum.saturating_add(*weight);
                }
                None => exhausted = exhausted.saturating_add(*weight),
            }
        }
        let total: u64 = votes.iter().fold(0, |sum, one| sum.saturating_add(*one));
        let decided = votes.iter().any(|one| Share::HALF.compare(*one, total).is_gt())
            || left.iter().filter(|is_left| **is_left).count() <= 1
            || total == 0;
        let votes: Vec<Option<u64>> = votes
            .into_iter()
            .zip(&left)
            .map(|(one, left)| left.then_some(one))
            .collect();
        let last = (!decided).then(|| last_of(&votes, &rounds)).flatten();
        rounds.push(Round {
            votes,
            exhausted,
            eliminated: last.and_then(|option| u8::try_from(option).ok()),
        });
        match last {
            Some(option) => left[option] = false,
            None => return rounds,
        }
    }
}

/// The option to eliminate.
fn last_of(votes: &[Option<u64>], earlier: &[Round]) -> Option<usize> {
    let fewest = votes.iter().flatten().min()?;
    let mut last: Vec<usize> = (0..votes.len())
        .filter(|option| votes[*option] == Some(*fewest))
        .collect();
    for round in earlier.iter().rev() {
        let fewest = last.iter().filter_map(|option| round.votes[*option]).min();
        last.retain(|option| round.votes[*option] == fewest);
    }
    last.pop()
}

/// What one side comes to.
fn decide(side: &SideTally, process: &Process) -> Decision {
    let (turnout, on_roll) = (side.turnout, side.on_roll);
    if let (Counts::YesNo { no, .. }, Some(rejection_quorum)) = (&side.counts, process.rejection_quorum) {
        return if rejection_quorum.compare(*no, on_roll).is_ge() {
            Decision::TurnedDown {
                votes: *no,
                on_roll,
                rejection_quorum,
            }
        } else {
            Decision::Passed {}
        };
    }
    // An objection blocks however few take part.
    if let Counts::Consent { objections, .. } = side.counts
        && objections > 0
    {
        return Decision::Objected { objections };
    }
    if on_roll == 0 || process.quorum.compare(turnout, on_roll).is_lt() {
        return Decision::NoQuorum {
            turnout,
            on_roll,
            quorum: process.quorum,
        };
    }
    match &side.counts {
        Counts::YesNo { yes, no } => {
            enough(*yes, yes.saturating_add(*no), process.threshold).unwrap_or(Decision::Passed {})
        }
        Counts::Consent { .. } => Decision::Passed {},
        Counts::Approval { votes, approvals } => choose(approvals, *votes, process.threshold),
        Counts::Score { points, .. } => match first(points) {
            Ok(option) => Decision::Chosen { option },
            Err(undecided) => undecided,
        },
        Counts::Ranked { rounds } => {
            let last = rounds.last().map_or(&[][..], |round| &round.votes);
            let votes: Vec<u64> = last.iter().map(|one| one.unwrap_or(0)).collect();
            let total = votes.iter().fold(0_u64, |sum, one| sum.saturating_add(*one));
            choose(&votes, total, process.threshold)
        }
    }
}

fn enough(votes: u64, of: u64, threshold: Threshold) -> Option<Decision> {
    (!threshold.is_met(votes, of)).then_some(Decision::BelowThreshold { votes, of, threshold })
}

/// The option with the most, if it is one and has enough.
fn choose(sums: &[u64], of: u64, threshold: Threshold) -> Decision {
    match first(sums) {
        Ok(option) => {
            let votes = sums[usize::from(option)];
            enough(votes, of, threshold).unwrap_or(Decision::Chosen { option })
        }
        Err(undecided) => undecided,
    }
}

/// The one option with the most.
fn first(sums: &[u64]) -> Result<u8, Decision> {
    let most = sums.iter().copied().max().unwrap_or(0);
    let first: Vec<u8> = (0_u8..)
        .zip(sums)
        .filter(|(_, sum)| **sum == most)
        .map(|(option, _)| option)
        .collect();
    match first.as_slice() {
        [option] if most > 0 => Ok(*option),
        _ => Err(Decision::Tied { options: first }),
    }
}
