//! Who votes for those who do not: delegations by topic, that expire, form chains, and give way to a vote of
//! one's own.
use super::{Speaker, wishes::matter};
use crate::{
    state::State,
    step::{MAX_DUE_PER_BLOCK, Step},
};
use alloc::{collections::BTreeSet, vec::Vec};
use icn_model::{
    BallotRecord, DelegationRecord, Did, Digest, GovernanceEvent, Name, ProposalId, ProposalRecord, Refusal,
    SignedOperation, Time, canonical, limits,
};

/// How a topic is named in keys; all zero for every topic.
pub(crate) fn topic_key(topic: Option<&Name>) -> Digest {
    topic.map_or(Digest::ZERO, |topic| Digest::of(topic.as_str().as_bytes()))
}

impl State {
    /// The delegations of a voter.
    pub fn delegations(&self, from: &Did) -> impl Iterator<Item = &DelegationRecord> {
        self.tables.delegations.of(from).map(|(_, record)| record)
    }

    /// By what `voter` lets another vote on a topic at a time: its delegation for that topic, else that for all.
    pub fn delegation(&self, voter: &Did, topic: Option<&Name>, at: Time) -> Option<&DelegationRecord> {
        let holds = |record: &&DelegationRecord| record.until.is_none_or(|until| until >= at);
        let of = |topic| {
            self.tables
                .delegations
                .get(&(*voter, topic_key(topic)))
                .filter(holds)
        };
        of(topic).or_else(|| of(None))
    }

    /// From a voter to the one who voted for it in the end: everybody after the voter. None if the chain ends
    /// with somebody who did not vote, comes back to somebody in it, or is too long.
    fn chain(&self, id: ProposalId, voter: Did, topic: &Name, at: Time) -> Option<Vec<Did>> {
        let mut chain = Vec::new();
        let mut last = voter;
        while chain.len() < limits::MAX_DELEGATION_CHAIN {
            let next = self.delegation(&last, Some(topic), at)?.to;
            if next == voter || chain.contains(&next) {
                return None;
            }
            chain.push(next);
            let voted = self.tables.ballots.get(&(id, next));
            if voted.is_some_and(|ballot| ballot.through.is_empty()) {
                return Some(chain);
            }
            last = next;
        }
        None
    }
}

impl Step<'_> {
    pub(crate) fn delegate(
        &mut self,
        signed: &SignedOperation,
        to: Did,
        topic: Option<&Name>,
        until: Option<Time>,
    ) -> Result<(), Refusal> {
        let speaker = self.speaker(signed.operation())?;
        self.check_delegate(speaker, to, topic)?;
        let now = self.now();
        if let Some(until) = until.filter(|until| *until <= now) {
            return Err(Refusal::DelegationEnded { until, now });
        }
        let key = (speaker.did, topic_key(topic));
        let before = self.state.tables.delegations.get(&key);
        if before.is_some_and(|before| before.to == to && before.until == until) {
            return Err(Refusal::AlreadySaid {});
        }
        if before.is_none() && self.state.delegations(&speaker.did).count() >= limits::MAX_DELEGATIONS {
            let max = limits::MAX_DELEGATIONS as u64;
            return Err(Refusal::TooManyDelegations { max });
        }
        let content = Digest::of(&canonical::to_bytes(&(to, until)));
        let Some(by) = self.agree(speaker, signed, matter("delegate", key.1.as_bytes()), content)? else {
            return Ok(());
        };
        let record = DelegationRecord {
            to,
            topic: topic.cloned(),
            until,
            since: self.context.time,
            by,
        };
        self.state.tables.delegations.set(key, record);
        self.tell(GovernanceEvent::Delegated {
            from: speaker.did,
            to,
            topic: topic.cloned(),
        });
        Ok(())
    }

    fn check_delegate(&self, speaker: Speaker, to: Did, topic: Option<&Name>) -> Result<(), Refusal> {
        if to == speaker.did {
            return Err(Refusal::SelfDelegation {});
        }
        let is_alike = if speaker.is_cooperative() {
            self.state.is_voter(&to)
        } else {
            self.state.tables.members.contains(&to)
        };
        if !is_alike {
            return Err(Refusal::NotDelegable { to });
        }
        // A cycle that needs delegations on other topics, too, is found when votes are counted.
        let (mut last, now) = (to, self.now());
        for _ in 0..limits::MAX_DELEGATION_CHAIN {
            match self.state.delegation(&last, topic, now) {
                None => return Ok(()),
                Some(next) if next.to == speaker.did => {
                    return Err(Refusal::DelegationCycle { through: last });
                }
                Some(next) => last = next.to,
            }
        }
        Err(Refusal::NotDelegable { to })
    }

    pub(crate) fn undelegate(
        &mut self,
        signed: &SignedOperation,
        topic: Option<&Name>,
    ) -> Result<(), Refusal> {
        let speaker = self.speaker(signed.operation())?;
        let key = (speaker.did, topic_key(topic));
        if !self.state.tables.delegations.contains(&key) {
            return Err(Refusal::UnknownDelegation {});
        }
        let subject = matter("delegate", key.1.as_bytes());
        if self.agree(speaker, signed, subject, Digest::ZERO)?.is_some() {
            self.end_delegation(key);
        }
        Ok(())
    }

    fn end_delegation(&mut self, key: (Did, Digest)) {
        if let Some(record) = self.state.tables.delegations.get(&key) {
            let topic = record.topic.clone();
            self.state.tables.delegations.remove(&key);
            self.tell(GovernanceEvent::DelegationEnded { from: key.0, topic });
        }
    }

    /// Ends what has expired, the earliest first.
    pub(crate) fn expire_delegations(&mut self) {
        let due = self
            .state
            .tables
            .delegations
            .index()
            .before(self.now(), MAX_DUE_PER_BLOCK);
        due.into_iter().for_each(|key| self.end_delegation(key));
    }

    /// Forgets what somebody who leaves has said.
    pub(crate) fn forget_voter(&mut self, voter: Did) {
        self.state.tables.delegations.remove_of(&voter);
    }

    /// Before votes are counted: enters a ballot for each voter on the roll that has not voted and has
    /// somebody who did.
    pub(crate) fn cast_for_delegators(&mut self, id: ProposalId, proposal: &ProposalRecord) {
        let (topic, at) = (&proposal.spec.topic, self.now());
        let froms: BTreeSet<Did> = self
            .state
            .tables
            .delegations
            .iter()
            .map(|(key, _)| key.0)
            .collect();
        for from in froms {
            let key = (id, from);
            if self.state.tables.ballots.contains(&key) || !self.state.is_on_roll(proposal, &from) {
                continue;
            }
            let Some(chain) = self.state.chain(id, from, topic, at) else {
                continue;
            };
            let Some(cooperative) = self.state.cooperative_of(&from) else {
                continue;
            };
            let speaker = Speaker {
                did: from,
                cooperative,
            };
            // Who may not vote has nobody vote for it either.
            let Ok(weight) = self.weight(proposal, speaker) else {
                continue;
            };
            let voted = chain.last().and_then(|voter| self.state.ballot(&id, voter));
            let said = self.state.delegation(&from, Some(topic), at);
            let (Some(voted), Some(said)) = (voted, said) else {
                continue;
            };
            let ballot = BallotRecord {
                choice: voted.choice.clone(),
                weight,
                cooperative,
                cast: self.context.time,
                by: said.by.clone(),
                through: chain,
            };
            self.state.tables.ballots.set(key, ballot);
        }
    }
}
