//! Checks a vote by its bundle alone, and names the first thing that does not hold.
//!
//! What is checked: the proposal is what its author signed; the members are those of the list that the roll names;
//! each ballot is on the roll, there once, and what its voter signed, or follows from delegations that were signed;
//! counting the ballots again gives the recorded tally; the node signed these records. What a bundle cannot show is
//! in docs/operating/governance.md.
use icn_api::audit::{AUDIT_FORMAT, AuditBundle, AuditRecords, AuditedBallot, RollCooperative, RollMember};
use icn_model::{
    Action, Choice, Cid, Did, Digest, Effect, Invitation, LogEntry, PublicKey, Roll, SeatKind,
    SignedOperation, Tally, limits,
};
use icn_state::{Cast, cooperatives_vote, roll_bytes, tally};
use std::collections::{BTreeMap, BTreeSet};

/// What does not hold.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Flaw(String);

/// What the verifier knows beforehand.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Expected {
    /// The federation.
    pub(super) federation: Option<Cid>,
    /// The digest.
    pub(super) digest: Option<Digest>,
    /// Whether keys that act no more count.
    pub(super) accept_former_keys: bool,
}

/// A bundle that holds.
#[derive(Debug)]
pub(super) struct Verified {
    /// The votes, counted again.
    pub(super) tally: Tally,
    /// What rests on the node's word.
    pub(super) notes: Vec<String>,
}

type Checked<T = ()> = Result<T, Flaw>;

fn flaw<T>(text: impl Into<String>) -> Checked<T> {
    Err(Flaw(text.into()))
}

fn ensure(holds: bool, text: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { flaw(text()) }
}

/// Checks a bundle.
///
/// # Errors
/// The first thing that does not hold.
pub(super) fn verify(bundle: &AuditBundle, expected: &Expected) -> Checked<Verified> {
    let records = &bundle.records;
    ensure(bundle.format == AUDIT_FORMAT, || {
        format!(
            "its form is {}, this program knows form {AUDIT_FORMAT}",
            bundle.format
        )
    })?;
    check_federation(records, expected)?;
    check_proposal(records)?;
    let roll = check_roll(records)?;
    let mut checker = Checker {
        records,
        cooperatives: records.cooperatives.iter().map(|one| (one.did, one)).collect(),
        members: records.members.iter().map(|one| (one.did, one)).collect(),
        ballots: BTreeMap::new(),
        accept_former_keys: expected.accept_former_keys,
        notes: Vec::new(),
    };
    checker.check_ballots()?;
    let tally = recount(records, roll)?;
    check_attestation(bundle)?;
    if let Some(digest) = expected.digest {
        let found = bundle.digest();
        ensure(found == digest, || format!("its digest is {found}, not {digest}"))?;
    }
    Ok(Verified {
        tally,
        notes: checker.notes,
    })
}

fn check_federation(records: &AuditRecords, expected: &Expected) -> Checked {
    let id = records.genesis.id();
    ensure(id == records.federation, || {
        format!(
            "its genesis is that of {id}, not of the federation {} that it names",
            records.federation
        )
    })?;
    match expected.federation {
        Some(federation) => ensure(federation == id, || {
            format!("it is of the federation {id}, not of {federation}")
        }),
        None => Ok(()),
    }
}

/// An operation that its key signed, for this federation.
fn check_signed(records: &AuditRecords, signed: &SignedOperation, what: &str) -> Checked {
    ensure(signed.operation().federation == records.federation, || {
        format!(
            "{what} is for another federation, {}",
            signed.operation().federation
        )
    })?;
    ensure(signed.verify().is_ok(), || {
        format!(
            "{what} does not have the signature of its key {}",
            signed.operation().key
        )
    })
}

/// The proposal is what its author signed.
fn check_proposal(records: &AuditRecords) -> Checked {
    let (signed, record) = (&records.proposed, &records.record);
    let id = signed.id();
    ensure(id.digest() == records.proposal.digest(), || {
        format!(
            "the operation that made the proposal is {id}, not {}",
            records.proposal
        )
    })?;
    check_signed(records, signed, "the operation that made the proposal")?;
    let author = signed.operation().author;
    let fits = match &signed.operation().action {
        Action::Propose { proposal } => **proposal == record.spec && author == record.proposer,
        Action::Join { invitation, .. } => {
            is_admission(&invitation.content, author, &record.spec.effect)
                && invitation.content.inviter == record.proposer
        }
        other => {
            return flaw(format!(
                "the proposal was made by an operation {}, which makes none",
                other.name()
            ));
        }
    };
    ensure(fits, || "the proposal is not what its author signed".into())?;
    let goes_so = record.process.electorate == record.spec.electorate
        && record.process.method == record.spec.method.kind();
    ensure(goes_so, || {
        "the proposal's process asks for other voters or another method than it".into()
    })
}

/// Whether an application is a proposal with this effect.
fn is_admission(invitation: &Invitation, author: Did, effect: &Effect) -> bool {
    match effect {
        Effect::Admit { applicant } => *applicant == author && invitation.kind == SeatKind::Cooperative,
        Effect::AdmitWitness { applicant } => *applicant == author && invitation.kind == SeatKind::Witness,
        _ => false,
    }
}

/// The roll's members are those of the list that the record names.
fn check_roll(records: &AuditRecords) -> Checked<&Roll> {
    let Some(roll) = &records.record.roll else {
        return flaw("the record has no roll: votes could not be cast yet");
    };
    ensure(roll.cooperatives.is_sorted_by(|a, b| a < b), || {
        "the roll does not list its cooperatives in order, each once".into()
    })?;
    let listed = records.cooperatives.iter().map(|one| one.did);
    ensure(listed.eq(roll.cooperatives.iter().copied()), || {
        "the cooperatives are not those of the recorded roll".into()
    })?;
    ensure(records.members.is_sorted_by(|a, b| a.did < b.did), || {
        "the roll does not list its members in order, each once".into()
    })?;
    let members: Vec<_> = records
        .members
        .iter()
        .map(|one| (one.did, one.cooperative))
        .collect();
    ensure(members.len() as u64 == roll.members, || {
        format!(
            "the roll has {} members, the list {}",
            roll.members,
            members.len()
        )
    })?;
    let list = Cid::of_raw(&roll_bytes(&members));
    ensure(list == roll.list, || {
        format!(
            "the members' list is {list}, the recorded roll names {}",
            roll.list
        )
    })?;
    for (did, cooperative) in &members {
        ensure(roll.cooperatives.binary_search(cooperative).is_ok(), || {
            format!("the member {did} is of {cooperative}, which is not on the roll")
        })?;
    }
    Ok(roll)
}

struct Checker<'a> {
    records: &'a AuditRecords,
    cooperatives: BTreeMap<Did, &'a RollCooperative>,
    members: BTreeMap<Did, &'a RollMember>,
    ballots: BTreeMap<Did, &'a AuditedBallot>,
    accept_former_keys: bool,
    notes: Vec<String>,
}

impl<'a> Checker<'a> {
    fn check_ballots(&mut self) -> Checked {
        for ballot in &self.records.ballots {
            let voter = ballot.voter;
            ensure(self.ballots.insert(voter, ballot).is_none(), || {
                format!("{voter} has voted twice")
            })?;
        }
        ensure(
            self.records.ballots.is_sorted_by(|a, b| a.voter < b.voter),
            || "the ballots are not in the order of their voters".into(),
        )?;
        let (cast, through): (Vec<_>, Vec<_>) = self
            .records
            .ballots
            .iter()
            .partition(|ballot| ballot.record.through.is_empty());
        for ballot in cast {
            self.check_voter(ballot)?;
            self.check_vote(ballot)?;
        }
        for ballot in through {
            self.check_voter(ballot)?;
            self.check_chain(ballot)?;
        }
        Ok(())
    }

    /// The voter is on the roll, with the cooperative that the ballot says.
    fn check_voter(&mut self, ballot: &AuditedBallot) -> Checked {
        let (voter, record) = (ballot.voter, &ballot.record);
        let spec = &self.records.record.spec;
        let home = match self.members.get(&voter) {
            Some(member) => member.cooperative,
            None if cooperatives_vote(spec.electorate, spec.effect.kind())
                && self.cooperatives.contains_key(&voter) =>
            {
                voter
            }
            None => return flaw(format!("{voter} has voted and is not on the roll")),
        };
        ensure(record.cooperative == home, || {
            format!(
                "the ballot of {voter} is counted for {}, the roll says {home}",
                record.cooperative
            )
        })?;
        ensure(record.weight <= limits::MAX_VOTE_WEIGHT, || {
            format!("the ballot of {voter} counts for {} votes", record.weight)
        })?;
        if record.weight != 1 {
            self.notes.push(format!(
                "that the ballot of {voter} counts for {} votes is a policy's word, by the node",
                record.weight
            ));
        }
        Ok(())
    }

    /// The ballot is what its voter signed.
    fn check_vote(&mut self, ballot: &'a AuditedBallot) -> Checked {
        let (voter, record) = (ballot.voter, &ballot.record);
        let method = &self.records.record.spec.method;
        if let Err(error) = record.choice.check(method) {
            return flaw(format!("the ballot of {voter} is none: {error}"));
        }
        for signed in self.operations(voter, &record.by, &ballot.operations, "vote")? {
            let Action::Vote { proposal, choice } = &signed.operation().action else {
                let name = signed.operation().action.name();
                return flaw(format!(
                    "the ballot of {voter} rests on an operation {name}, which is no vote"
                ));
            };
            ensure(*proposal == self.records.proposal, || {
                format!("the ballot of {voter} was cast on another proposal, {proposal}")
            })?;
            ensure(*choice == record.choice, || {
                let (counted, signed) = (word(&record.choice), word(choice));
                format!("the ballot of {voter} says {counted}, its operation {signed}")
            })?;
        }
        Ok(())
    }

    /// The operations that a record names, which `author` signed, as many as it takes.
    fn operations(
        &mut self,
        author: Did,
        by: &[LogEntry],
        operations: &'a [SignedOperation],
        what: &str,
    ) -> Checked<&'a [SignedOperation]> {
        let named = by.iter().map(|entry| entry.operation);
        ensure(
            !by.is_empty() && named.eq(operations.iter().map(SignedOperation::id)),
            || format!("the operations of the {what} of {author} are not those that its record names"),
        )?;
        let mut keys = BTreeSet::new();
        for signed in operations {
            check_signed(self.records, signed, &format!("the {what} of {author}"))?;
            ensure(signed.operation().author == author, || {
                format!(
                    "the {what} of {author} is an operation of {}",
                    signed.operation().author
                )
            })?;
            ensure(keys.insert(signed.operation().key), || {
                format!("the {what} of {author} has two operations by one key")
            })?;
        }
        self.check_keys(author, &keys, what)?;
        Ok(operations)
    }

    /// The keys act for `author`, and there are enough of them.
    fn check_keys(&mut self, author: Did, keys: &BTreeSet<PublicKey>, what: &str) -> Checked {
        let (acting, enough) = match (self.cooperatives.get(&author), self.members.get(&author)) {
            (Some(cooperative), _) => {
                let officers = cooperative.officers.as_ref();
                let acts = |key: &PublicKey| officers.is_some_and(|officers| officers.keys.contains(key));
                let needed = officers.map_or(0, |officers| usize::from(officers.threshold));
                (keys.iter().copied().filter(acts).collect(), keys.len() >= needed)
            }
            (None, Some(member)) => {
                ensure(keys.len() == 1, || {
                    format!("the {what} of {author} is more than one operation")
                })?;
                (
                    keys.iter()
                        .copied()
                        .filter(|key| member.key == Some(*key))
                        .collect(),
                    true,
                )
            }
            // Who passes a vote on need not be on the roll; its first key is all that is known of it.
            (None, None) => (
                keys.iter()
                    .copied()
                    .filter(|key| *key == author.first_key())
                    .collect::<BTreeSet<_>>(),
                true,
            ),
        };
        if let Some(former) = keys.difference(&acting).next() {
            self.doubt(format!(
                "the {what} of {author} is signed by {former}, which does not act for it now"
            ))?;
        }
        if !enough {
            self.doubt(format!(
                "the {what} of {author} is signed by fewer officers than must agree now"
            ))?;
        }
        Ok(())
    }

    /// What only the node's log knows: an error, or a note if the verifier takes its word.
    fn doubt(&mut self, text: String) -> Checked {
        if !self.accept_former_keys {
            return flaw(format!(
                "{text}: the bundle cannot show whether it was so then (--accept-former-keys takes the node's word)"
            ));
        }
        self.notes.push(text);
        Ok(())
    }

    /// A vote through others follows from delegations that were signed, and is what the last of them said.
    fn check_chain(&mut self, ballot: &'a AuditedBallot) -> Checked {
        let (voter, record) = (ballot.voter, &ballot.record);
        let chain = &record.through;
        let in_chain: BTreeSet<_> = chain.iter().collect();
        let is_chain = chain.len() <= limits::MAX_DELEGATION_CHAIN
            && in_chain.len() == chain.len()
            && !in_chain.contains(&voter);
        ensure(is_chain, || {
            format!("{voter} counts through somebody twice, or through too many")
        })?;
        let last = chain.last().and_then(|last| self.ballots.get(last));
        let Some(last) = last.filter(|last| last.record.through.is_empty()) else {
            return flaw(format!("{voter} counts through somebody who did not vote"));
        };
        ensure(last.record.choice == record.choice, || {
            let (counted, said) = (word(&record.choice), word(&last.record.choice));
            format!(
                "the ballot of {voter} says {counted}, who voted for it, {}, says {said}",
                last.voter
            )
        })?;
        self.check_link(voter, chain.first().copied(), &record.by, &ballot.operations)?;
        for pair in chain.windows(2) {
            self.check_next(voter, pair[0], pair[1])?;
        }
        Ok(())
    }

    /// `from`, in the middle of a chain of `voter`, lets `to` vote.
    fn check_next(&mut self, voter: Did, from: Did, to: Did) -> Checked {
        if let Some(ballot) = self.ballots.get(&from) {
            // Its own chain is checked with its own ballot.
            return ensure(ballot.record.through.first() == Some(&to), || {
                format!("{voter} counts through {from} and {to}, but {from} did not let {to} vote")
            });
        }
        let links = &self.records.links;
        let Some(link) = links.iter().find(|link| link.from == from) else {
            return flaw(format!(
                "{voter} counts through {from}, of whose delegation the bundle has nothing"
            ));
        };
        ensure(link.to == to, || {
            format!(
                "{voter} counts through {from} and {to}, but {from} lets {} vote",
                link.to
            )
        })?;
        self.check_link(from, Some(to), &link.by, &link.operations)
    }

    /// `from` has signed that `to` votes for it on the proposal's topic.
    fn check_link(
        &mut self,
        from: Did,
        to: Option<Did>,
        by: &[LogEntry],
        operations: &'a [SignedOperation],
    ) -> Checked {
        let topic_here = &self.records.record.spec.topic;
        let opened = self.records.record.roll.as_ref().map(|roll| roll.opened);
        for signed in self.operations(from, by, operations, "delegation")? {
            let Action::Delegate {
                to: named,
                topic,
                until,
            } = &signed.operation().action
            else {
                let name = signed.operation().action.name();
                return flaw(format!(
                    "the delegation of {from} rests on an operation {name}, which is none"
                ));
            };
            ensure(Some(*named) == to, || {
                format!("{from} lets {named} vote, not who is said to have voted")
            })?;
            ensure(topic.as_ref().is_none_or(|topic| topic == topic_here), || {
                format!("the delegation of {from} is not on the topic {topic_here}")
            })?;
            ensure(
                until.is_none_or(|until| opened.is_none_or(|opened| until >= opened)),
                || format!("the delegation of {from} ended before the vote began"),
            )?;
        }
        Ok(())
    }
}

/// Counts the ballots again, and compares.
fn recount(records: &AuditRecords, roll: &Roll) -> Checked<Tally> {
    let record = &records.record;
    let ballots = records.ballots.iter();
    let votes = ballots.map(|ballot| Cast::of(&ballot.voter, &ballot.record));
    let counted = tally(&record.spec, &record.process, roll, votes);
    let Some(recorded) = &record.tally else {
        return Ok(counted);
    };
    ensure(counted == *recorded, || {
        let took_part = |tally: &Tally| {
            let sides = [&tally.cooperatives, &tally.members];
            sides.into_iter().flatten().map(|side| side.turnout).sum::<u64>()
        };
        format!(
            "counted again, {} took part and it comes to: {}; the record says that {} did and: {}",
            took_part(&counted),
            counted.decision,
            took_part(recorded),
            recorded.decision
        )
    })?;
    use icn_model::ProposalStatus::{Accepted, Executed, Expired, Failed, Rejected, Vetoed};
    let status = record.phase.status();
    let follows = if counted.decision.is_positive() {
        matches!(status, Accepted | Executed | Failed | Vetoed | Expired)
    } else {
        status == Rejected
    };
    ensure(follows, || {
        format!(
            "the proposal is {status}, though the vote came to: {}",
            counted.decision
        )
    })?;
    Ok(counted)
}

/// The node signed these records.
fn check_attestation(bundle: &AuditBundle) -> Checked {
    let (word, records) = (&bundle.attestation.content, &bundle.records);
    let is_about = word.federation == records.federation && word.proposal == records.proposal;
    ensure(is_about, || "the node's word is about another proposal".into())?;
    let digest = bundle.digest();
    ensure(word.digest == digest, || {
        format!(
            "the records are not those that the node signed: their digest is {digest}, it signed {}",
            word.digest
        )
    })?;
    ensure(bundle.attestation.verify().is_ok(), || {
        format!(
            "the node's word does not have the signature of its key {}",
            word.key
        )
    })
}

/// A choice in a few words.
fn word(choice: &Choice) -> String {
    match choice {
        Choice::Yes {} => "yes".into(),
        Choice::No {} => "no".into(),
        Choice::Abstain {} => "abstain".into(),
        Choice::Object { reason } => format!("object ({reason})"),
        Choice::Approve { options } => format!("approve {options:?}"),
        Choice::Rank { options } => format!("rank {options:?}"),
        Choice::Score { points } => format!("score {points:?}"),
    }
}
