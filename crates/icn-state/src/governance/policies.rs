//! Contracts in the log: published as text, named by slots, asked by the state machine.
//!
//! How a contract runs is the engine's business ([`crate::Policies`]); the state keeps their texts, so that every node
//! compiles the same. What has no answer is a refusal, or an event where nobody asked: never a stopped log.
use crate::{
    engine::Texts,
    state::State,
    step::{MAX_DUE_PER_BLOCK, Step},
};
use icn_model::{
    Cid, ContractRecord, GovernanceEvent, PolicyAnswer, PolicyFailure, PolicyQuestion, PolicySlot,
    ProposalStatus, Refusal, SignedOperation, limits,
};

impl Texts for State {
    fn text(&self, cid: &Cid) -> Option<&str> {
        self.tables
            .contracts
            .get(cid)
            .map(|record| record.source.as_str())
    }
}

impl State {
    /// Whether a question for a slot needs to be asked: a contract decides it, or the engine watches it.
    pub(crate) fn asks(&self, slot: PolicySlot) -> bool {
        self.tables.policies.contains(&slot) || self.engine.watches(slot)
    }

    /// What the policy for a question's slot says, if there is one.
    ///
    /// # Errors
    /// [`Refusal::PolicyRefused`] or [`Refusal::PolicyFailed`], with the contract's reason.
    pub(crate) fn ask(&self, question: &PolicyQuestion) -> Result<Option<PolicyAnswer>, Refusal> {
        let slot = question.slot();
        if self.engine.watches(slot) {
            self.engine.watch(question);
        }
        let Some(policy) = self.tables.policies.get(&slot) else {
            return Ok(None);
        };
        match self.engine.ask(&policy.contract, self, question) {
            Ok(answer) => Ok(Some(answer)),
            Err(failure) => Err(self.policy_failed(slot, failure)),
        }
    }

    pub(crate) fn policy_failed(&self, slot: PolicySlot, failure: PolicyFailure) -> Refusal {
        let contract = self.tables.policies.get(&slot).map(|policy| policy.contract);
        let contract = contract.unwrap_or_else(|| Cid::of_raw(&[]));
        match failure {
            PolicyFailure::Refused { reason } => Refusal::PolicyRefused {
                slot,
                contract,
                reason,
            },
            PolicyFailure::Fault { detail } => Refusal::PolicyFailed {
                slot,
                contract,
                detail,
            },
        }
    }
}

impl Step<'_> {
    /// The refusal of a policy that answers no without a reason of its own.
    pub(crate) fn policy_says_no(&self, slot: PolicySlot, reason: &str) -> Refusal {
        let reason = reason.into();
        self.state.policy_failed(slot, PolicyFailure::Refused { reason })
    }

    pub(crate) fn publish_contract(&mut self, signed: &SignedOperation, source: &str) -> Result<(), Refusal> {
        let speaker = self.speaker(signed.operation())?;
        if source.len() > limits::MAX_CONTRACT_BYTES {
            return Err(Refusal::TooLarge {
                what: "bytes of the contract".into(),
                value: source.len() as u64,
                max: limits::MAX_CONTRACT_BYTES as u64,
            });
        }
        let contract = Cid::of_raw(source.as_bytes());
        if self.state.tables.contracts.contains(&contract) {
            return Err(Refusal::ContractKnown { contract });
        }
        if self.state.tables.contracts.len() >= limits::MAX_CONTRACTS {
            let max = limits::MAX_CONTRACTS as u64;
            return Err(Refusal::TooManyContracts { max });
        }
        let examined = self.state.engine.examine(source, &*self.state);
        let examined = examined.map_err(|detail| Refusal::BadContract { detail })?;
        let cost = self.pay_for_governance(speaker.did)?;
        let published = self.context.time;
        let record = ContractRecord {
            author: speaker.did,
            published,
            until: published.after(limits::UNUSED_RETENTION),
            name: examined.name,
            slots: examined.slots,
            imports: examined.imports,
            source: source.into(),
        };
        self.state.tables.contracts.set(contract, record);
        self.tell(GovernanceEvent::ContractPublished {
            contract,
            by: speaker.did,
            cost,
        });
        Ok(())
    }

    /// Forgets contracts that nothing uses.
    pub(crate) fn expire_contracts(&mut self) {
        let due = self
            .state
            .tables
            .contracts
            .index()
            .before(self.now(), MAX_DUE_PER_BLOCK);
        for contract in due {
            if self.is_used(&contract) {
                if let Some(record) = self.state.tables.contracts.get(&contract) {
                    let until = self.context.time.after(limits::UNUSED_RETENTION);
                    let record = ContractRecord {
                        until,
                        ..record.clone()
                    };
                    self.state.tables.contracts.set(contract, record);
                }
            } else {
                self.state.tables.contracts.remove(&contract);
                self.tell(GovernanceEvent::ContractForgotten { contract });
            }
        }
    }

    /// Whether a slot, a proposal that may still be carried out, or another contract has a contract.
    fn is_used(&self, contract: &Cid) -> bool {
        use icn_model::Effect;
        let tables = &self.state.tables;
        let in_slots = tables.policies.iter().map(|(_, policy)| policy.contract);
        let alive = tables.proposals.iter().filter(|(_, proposal)| {
            let status = proposal.phase.status();
            !status.is_ended() || status == ProposalStatus::Failed
        });
        let in_proposals = alive.filter_map(|(_, proposal)| match proposal.spec.effect {
            Effect::InstallPolicy { contract, .. } | Effect::ReplacePolicy { contract, .. } => Some(contract),
            _ => None,
        });
        // A contract that is known may still be proposed: what it imports stays with it.
        let mut others = tables.contracts.iter();
        in_slots.chain(in_proposals).any(|user| user == *contract)
            || others.any(|(_, other)| other.imports.contains(contract))
    }
}
