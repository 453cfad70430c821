//! What decisions do. Each effect is checked against the state when it is proposed and again when it is
//! carried out.
use crate::step::Step;
use alloc::format;
use icn_model::{
    AdmissionQuestion, Cid, ClearingWindows, Did, Effect, EpochNumber, Event, GovernanceEvent, Mana, Millis,
    ParameterName, PlannedUpgrade, PolicyAnswer, PolicyQuestion, PolicyRecord, PolicySlot, ProposalId,
    ProposalPhase, RateRecord, Refusal, SeatKind, SeatPhase, Time, limits,
};

fn cannot(detail: &str) -> Refusal {
    Refusal::CannotDo {
        detail: detail.into(),
    }
}

fn windows(join_ms: Millis, object_ms: Millis) -> ClearingWindows {
    ClearingWindows { join_ms, object_ms }
}

impl Step<'_> {
    /// Whether an effect could be carried out now.
    ///
    /// # Errors
    /// What stands in its way.
    pub(crate) fn check_effect(&self, effect: &Effect) -> Result<(), Refusal> {
        match effect {
            Effect::Text {} => Ok(()),
            Effect::ChangeParameter { name, value } => self.check_parameter(*name, *value),
            Effect::SetProcess { kind, process } => self.check_new_process(*kind, process),
            Effect::Admit { applicant } => self.check_admission(*applicant, SeatKind::Cooperative),
            Effect::AdmitWitness { applicant } => self.check_admission(*applicant, SeatKind::Witness),
            Effect::Suspend { cooperative, span_ms } => self.check_suspension(*cooperative, *span_ms),
            Effect::Remove { seat } => self.check_removal(seat),
            Effect::InstallPolicy { slot, contract } => match self.state.tables.policies.get(slot) {
                Some(taken) => Err(Refusal::SlotTaken {
                    slot: *slot,
                    contract: taken.contract,
                }),
                None => self.check_policy(*slot, *contract),
            },
            Effect::ReplacePolicy { slot, contract } => match self.state.tables.policies.get(slot) {
                None => Err(Refusal::SlotFree { slot: *slot }),
                Some(now) if now.contract == *contract => Err(Refusal::SlotTaken {
                    slot: *slot,
                    contract: *contract,
                }),
                Some(_) => self.check_policy(*slot, *contract),
            },
            Effect::RemovePolicy { slot } => match self.state.tables.policies.get(slot) {
                None => Err(Refusal::SlotFree { slot: *slot }),
                Some(_) => Ok(()),
            },
            Effect::Budget { to, amount } => self.check_budget(to, *amount),
            Effect::ClearingSchedule {
                every_ms,
                join_ms,
                object_ms,
            } => self.check_schedule(*every_ms, windows(*join_ms, *object_ms)),
            Effect::OpenClearing {} => match self.state.open_round() {
                Some((round, _)) => Err(Refusal::RoundUnderWay { round }),
                None => Ok(()),
            },
            Effect::Upgrade { version, epoch } => self.check_upgrade(*version, *epoch),
            Effect::Veto { proposal } => self.check_veto(*proposal),
        }
    }

    fn check_parameter(&self, name: ParameterName, value: u64) -> Result<(), Refusal> {
        let parameters = self.state.parameters();
        if parameters.get(name) == value {
            return Err(Refusal::NothingChanges {
                detail: format!("{name} is {value}"),
            });
        }
        match parameters.with(name, value) {
            Ok(_) => Ok(()),
            Err(error) => Err(Refusal::BadParameter {
                name: error.name.into(),
                value: error.value,
                min: error.min,
                max: error.max,
            }),
        }
    }

    fn check_admission(&self, applicant: Did, kind: SeatKind) -> Result<(), Refusal> {
        let unknown = Refusal::UnknownApplicant { applicant };
        let Some(seat) = self.state.tables.seats.get(&applicant) else {
            return Err(unknown);
        };
        match seat.phase {
            SeatPhase::Applied { until } if until >= self.now() && seat.kind == kind => {}
            SeatPhase::Admitted { .. } | SeatPhase::Ready {} | SeatPhase::Seated {} => {
                return Err(Refusal::AlreadyKnown { did: applicant });
            }
            _ => return Err(unknown),
        }
        let seats = &self.state.tables.seats;
        let witnesses = seats
            .iter()
            .filter(|(_, seat)| seat.kind == SeatKind::Witness && seat.phase.is_seated());
        let question = AdmissionQuestion {
            applicant,
            sponsors: seat.inviter.into_iter().collect(),
            now: self.context.time,
            applied_for: self.context.time.since(seat.since),
            seats: seats.index().voters.len() as u64,
            witnesses: witnesses.count() as u64,
            left_before: self.state.tables.accounts.contains(&applicant),
        };
        match self.state.ask(&PolicyQuestion::Admission(question))? {
            Some(PolicyAnswer::Is(false)) => {
                Err(self.policy_says_no(PolicySlot::Admission, "the applicant may not be admitted"))
            }
            _ => Ok(()),
        }
    }

    fn check_suspension(&self, cooperative: Did, span: Millis) -> Result<(), Refusal> {
        if span == Millis::ZERO || span > limits::MAX_SUSPENSION {
            return Err(cannot(
                "a suspension lasts for a year at the most, and not for nothing",
            ));
        }
        let seat = self.state.tables.seats.get(&cooperative);
        if seat.is_some_and(|seat| seat.kind == SeatKind::Witness) {
            return Err(Refusal::NotACooperative { author: cooperative });
        }
        self.check_removal(&cooperative)
    }

    fn check_removal(&self, did: &Did) -> Result<(), Refusal> {
        if !self.is_seated(did) {
            return Err(cannot("who is to go has no seat, or is on its way out already"));
        }
        let voters = &self.state.tables.seats.index().voters;
        if voters.iter().all(|voter| voter == did) {
            return Err(Refusal::LastCooperative {});
        }
        Ok(())
    }

    fn check_policy(&self, slot: PolicySlot, contract: Cid) -> Result<(), Refusal> {
        match self.state.tables.contracts.get(&contract) {
            None => Err(Refusal::UnknownContract { contract }),
            Some(record) if !record.slots.contains(&slot) => Err(Refusal::NoPolicy { contract, slot }),
            Some(_) if slot == PolicySlot::CreditLimit => Err(cannot(
                "the ends of a line go by the limits of their agreement, also where they cannot reach the log",
            )),
            Some(_) => Ok(()),
        }
    }

    fn check_budget(&self, to: &Did, amount: Mana) -> Result<(), Refusal> {
        if amount == Mana::ZERO {
            return Err(Refusal::ZeroAmount {});
        }
        if !self.state.is_voter(to) {
            return Err(cannot("mana is allocated to a cooperative that has a seat"));
        }
        if amount > self.state.supply_room() {
            return Err(cannot("there would be more mana than there can ever be"));
        }
        Ok(())
    }

    fn check_schedule(&self, every: Option<Millis>, windows: ClearingWindows) -> Result<(), Refusal> {
        let window = limits::MIN_CLEARING_WINDOW..=limits::MAX_CLEARING_WINDOW;
        if !window.contains(&windows.join_ms) || !window.contains(&windows.object_ms) {
            return Err(cannot(
                "joining a round of clearing and objecting to it each take 1 second to 30 days",
            ));
        }
        let least = Millis::new(windows.join_ms.get() + windows.object_ms.get());
        let span = limits::MIN_CLEARING_SPAN.max(least)..=limits::MAX_CLEARING_SPAN;
        if every.is_some_and(|every| !span.contains(&every)) {
            return Err(cannot(
                "debts are cleared every 10 seconds at the most, every 366 days at the least, and not before the round \
                 before is over",
            ));
        }
        let decided = &self.state.federation.decided;
        if (decided.clearing_every_ms, decided.clearing_windows) == (every, windows) {
            return Err(Refusal::NothingChanges {
                detail: "debts are cleared so already".into(),
            });
        }
        Ok(())
    }

    fn check_upgrade(&self, version: u32, epoch: EpochNumber) -> Result<(), Refusal> {
        let decided = &self.state.federation.decided;
        if version <= decided.protocol {
            return Err(cannot("the log follows this version or a later one already"));
        }
        if decided.upgrade.is_some_and(|planned| planned.fixed) {
            return Err(cannot("another version begins with the next epoch"));
        }
        if epoch <= self.state.epoch_of(self.context.height) {
            return Err(cannot("a version begins with an epoch that has not begun"));
        }
        Ok(())
    }

    fn check_veto(&self, id: ProposalId) -> Result<(), Refusal> {
        let Some(proposal) = self.state.tables.proposals.get(&id) else {
            return Err(Refusal::UnknownProposal { proposal: id });
        };
        match proposal.phase {
            ProposalPhase::Accepted { .. } => Ok(()),
            _ => Self::wrong_phase(id, proposal),
        }
    }

    /// Carries out what proposal `id` decided. If it refuses, the caller undoes what it did.
    pub(crate) fn carry_out(&mut self, id: ProposalId, effect: &Effect) -> Result<(), Refusal> {
        self.check_effect(effect)?;
        match *effect {
            Effect::Text {} => {}
            Effect::ChangeParameter { name, value } => self.change_parameter(name, value),
            Effect::SetProcess { kind, process } => {
                self.state.tables.processes.set(kind, process);
                self.tell(GovernanceEvent::ProcessChanged { kind, process });
            }
            Effect::Admit { applicant } | Effect::AdmitWitness { applicant } => self.admit(applicant),
            Effect::Suspend { cooperative, span_ms } => {
                self.suspend(cooperative, self.context.time.after(span_ms));
            }
            Effect::Remove { seat } => self.make_leave(seat),
            Effect::InstallPolicy { slot, contract } | Effect::ReplacePolicy { slot, contract } => {
                self.install_policy(slot, contract);
            }
            Effect::RemovePolicy { slot } => self.remove_policy(slot),
            Effect::Budget { to, amount } => self.allocate(to, amount)?,
            Effect::ClearingSchedule {
                every_ms,
                join_ms,
                object_ms,
            } => {
                let decided = &mut self.state.federation.decided;
                decided.clearing_every_ms = every_ms;
                decided.clearing_windows = windows(join_ms, object_ms);
                decided.clearing_since = self.context.time;
                self.tell(GovernanceEvent::ClearingScheduled {
                    every_ms,
                    join_ms,
                    object_ms,
                });
            }
            Effect::OpenClearing {} => self.announce_round(Some(id)),
            Effect::Upgrade { version, epoch } => {
                let upgrade = PlannedUpgrade {
                    version,
                    epoch,
                    fixed: false,
                };
                self.state.federation.decided.upgrade = Some(upgrade);
                self.tell(GovernanceEvent::UpgradePlanned { version, epoch });
            }
            Effect::Veto { proposal } => self.veto(id, proposal)?,
        }
        Ok(())
    }

    fn change_parameter(&mut self, name: ParameterName, value: u64) {
        let before = self.state.parameters().get(name);
        if let Ok(parameters) = self.state.parameters().with(name, value) {
            self.state.federation.parameters = parameters;
        }
        let is_of_mana = matches!(name, ParameterName::ManaRatePerHour | ParameterName::ManaCapacity);
        if is_of_mana {
            let parameters = *self.state.parameters();
            let rate = RateRecord {
                rate_per_hour: parameters.mana_rate_per_hour,
                capacity: parameters.mana_capacity,
            };
            self.state.tables.rates.set(self.context.time, rate);
        }
        self.tell(GovernanceEvent::ParameterChanged {
            name,
            before,
            now: value,
        });
        if is_of_mana {
            // Policies are told of the federation's own rate and capacity.
            self.set_regeneration();
        }
    }

    fn allocate(&mut self, to: Did, amount: Mana) -> Result<(), Refusal> {
        self.with_account(to, |account| {
            account.available = account.available.saturating_add(amount);
            Ok(())
        })?;
        let granted = &mut self.state.meta.supply.granted;
        *granted = granted.saturating_add(amount);
        self.tell(GovernanceEvent::Allocated { to, amount });
        Ok(())
    }

    fn install_policy(&mut self, slot: PolicySlot, contract: Cid) {
        let before = self
            .state
            .tables
            .policies
            .get(&slot)
            .map(|policy| policy.contract);
        let since = self.context.time;
        self.state
            .tables
            .policies
            .set(slot, PolicyRecord { contract, since });
        self.tell(GovernanceEvent::PolicyInstalled {
            slot,
            contract,
            before,
        });
        self.policy_changed(slot);
    }

    fn remove_policy(&mut self, slot: PolicySlot) {
        if let Some(before) = self
            .state
            .tables
            .policies
            .get(&slot)
            .map(|policy| policy.contract)
        {
            self.state.tables.policies.remove(&slot);
            self.tell(GovernanceEvent::PolicyRemoved { slot, before });
            self.policy_changed(slot);
        }
    }

    fn policy_changed(&mut self, slot: PolicySlot) {
        if matches!(slot, PolicySlot::ManaRate | PolicySlot::ManaCapacity) {
            self.set_regeneration();
        }
    }

    fn suspend(&mut self, cooperative: Did, until: Time) {
        if let Some(seat) = self.state.tables.seats.get(&cooperative) {
            let mut seat = seat.clone();
            seat.suspended = Some(until);
            self.state.tables.seats.set(cooperative, seat);
        }
        self.events.push(Event::Suspended {
            seat: cooperative,
            until,
        });
        self.make_leave(cooperative);
    }
}
