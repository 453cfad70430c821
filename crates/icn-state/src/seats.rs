//! What time does to seats: applications lapse, epochs turn, those long gone are forgotten.
use crate::{
    membership::APPLICATION_SPAN,
    state::State,
    step::{MAX_DUE_PER_BLOCK, Step},
};
use alloc::{collections::BTreeMap, vec::Vec};
use icn_model::{
    Did, EpochNumber, EpochRecord, Event, GovernanceEvent, Millis, PlannedUpgrade, PublicKey, SeatEntry,
    SeatKind, SeatPhase, SeatRecord, SequenceRecord, Share, limits,
};

/// Blocks between fixing the next epoch's seats and its beginning, for hand-over.
const FIXED_BEFORE_END: u64 = 16;
/// Earlier epochs whose seats are kept.
const EPOCHS_KEPT: u64 = 8;
/// How long the account of a cooperative that left rests before it is burned.
const LEFT_RETENTION: Millis = Millis::from_secs(30 * 24 * 3_600);
/// How long that is put off while the account is still part of a job.
const LEFT_RETRY: Millis = Millis::from_secs(24 * 3_600);
/// Members of a forgotten cooperative that one block forgets.
const MAX_FORGOTTEN_MEMBERS_PER_BLOCK: usize = 1_024;

/// The seats of the next epoch, if they were fixed now: all that have one and do not leave, and all that
/// are ready. Sorted by key.
pub(crate) fn next_seats(state: &State) -> Vec<SeatEntry> {
    let stays = |seat: &SeatRecord| matches!(seat.phase, SeatPhase::Seated {} | SeatPhase::Ready {});
    let seats = state.tables.seats.iter().filter(|(_, seat)| stays(seat));
    let mut entries: Vec<_> = seats
        .map(|(did, seat)| SeatEntry {
            did: *did,
            key: seat.succession.next_seat.unwrap_or(seat.keys.seat),
            kind: seat.kind,
        })
        .collect();
    entries.sort_unstable_by_key(|entry| entry.key);
    entries
}

impl Step<'_> {
    /// At the end of a block: fixes the next seats, or turns the epoch. Says whether seats were fixed.
    pub(crate) fn turn_epoch(&mut self) -> bool {
        let epoch = self.state.epoch_of(self.context.height);
        let blocks_left =
            (epoch.get() + 1) * self.state.parameters().epoch_blocks - 1 - self.context.height.get();
        match blocks_left {
            FIXED_BEFORE_END => {
                let seats = next_seats(self.state);
                self.events.push(Event::SeatsFixed {
                    epoch: epoch.next(),
                    seats: seats.iter().map(|entry| entry.did).collect(),
                });
                self.fix_upgrade(epoch.next(), &seats);
                self.state.tables.epochs.set(epoch.next(), EpochRecord { seats });
                true
            }
            0 => {
                self.change_seats(epoch.next());
                false
            }
            _ => false,
        }
    }

    fn change_seats(&mut self, next: EpochNumber) {
        let fixed: BTreeMap<Did, PublicKey> = match self.state.seats(next) {
            Some(seats) => seats.iter().map(|entry| (entry.did, entry.key)).collect(),
            None => return,
        };
        let waiting: Vec<Did> = self.state.tables.seats.index().waiting.iter().copied().collect();
        for did in waiting {
            let Some(seat) = self.state.tables.seats.get(&did) else {
                continue;
            };
            match (seat.phase, fixed.get(&did)) {
                (SeatPhase::Seated {} | SeatPhase::Leaving {}, Some(key)) => {
                    self.change_seat_key(did, *key, next);
                }
                (SeatPhase::Ready {}, Some(_)) => {
                    let kind = seat.kind;
                    self.set_phase(did, SeatPhase::Seated {});
                    self.events.push(Event::Seated {
                        seat: did,
                        epoch: next,
                    });
                    if kind == SeatKind::Cooperative {
                        self.open_account(did);
                    }
                }
                (SeatPhase::Leaving {}, None) => {
                    let suspended = seat.suspended;
                    self.rest(did);
                    match suspended {
                        Some(until) => self.set_phase(did, SeatPhase::Suspended { until }),
                        None => self.events.push(Event::Left {
                            seat: did,
                            epoch: next,
                        }),
                    }
                }
                // Ready or leaving since the seats were fixed: it waits for the epoch after.
                _ => {}
            }
        }
        self.follow_upgrade();
        let oldest = EpochNumber::new(next.get().saturating_sub(EPOCHS_KEPT));
        let old: Vec<_> = self
            .state
            .tables
            .epochs
            .range(..oldest)
            .map(|(epoch, _)| *epoch)
            .collect();
        old.iter()
            .for_each(|epoch| self.state.tables.epochs.remove(epoch));
    }

    /// Fixes whether the version that was decided on begins with the next epoch: if over two thirds of its seats
    /// can follow it. Else it waits for the epoch after.
    fn fix_upgrade(&mut self, next: EpochNumber, seats: &[SeatEntry]) {
        let Some(planned) = self
            .state
            .federation
            .decided
            .upgrade
            .filter(|planned| planned.epoch <= next)
        else {
            return;
        };
        let follows = |entry: &&SeatEntry| {
            let seat = self.state.tables.seats.get(&entry.did);
            seat.is_some_and(|seat| seat.protocol >= planned.version)
        };
        let following = seats.iter().filter(follows).count() as u64;
        if Share::TWO_THIRDS.compare(following, seats.len() as u64).is_gt() {
            let fixed = PlannedUpgrade {
                epoch: next,
                fixed: true,
                ..planned
            };
            self.state.federation.decided.upgrade = Some(fixed);
            self.tell(GovernanceEvent::UpgradeFixed {
                version: planned.version,
                epoch: next,
            });
        }
    }

    /// With the last block of an epoch: the version that was fixed for the next one is followed from now on.
    fn follow_upgrade(&mut self) {
        let decided = &mut self.state.federation.decided;
        if let Some(planned) = decided.upgrade.filter(|planned| planned.fixed) {
            decided.protocol = planned.version;
            decided.upgrade = None;
        }
    }

    /// A suspension is over: the cooperative gets its seat again once its node says that it is ready.
    fn readmit(&mut self, did: Did) {
        let until = self.context.time.after(APPLICATION_SPAN);
        self.set_phase(did, SeatPhase::Admitted { until });
        self.events.push(Event::SuspensionEnded { seat: did });
    }

    /// The seat is given up; the account rests until it comes back or is forgotten.
    pub(crate) fn rest(&mut self, did: Did) {
        let until = self.context.time.after(LEFT_RETENTION);
        self.set_phase(did, SeatPhase::Left { until });
        // A witness has no account to put to rest.
        let _ = self.with_account(did, |account| {
            account.regenerates = false;
            Ok(())
        });
    }

    /// What falls due by itself: applications, admissions, those long gone, used invitations, idle keys.
    pub(crate) fn expire_membership(&mut self) {
        let now = self.now();
        for did in self.state.tables.seats.index().due.before(now, MAX_DUE_PER_BLOCK) {
            let phase = self.state.tables.seats.get(&did).map(|seat| seat.phase);
            match phase {
                Some(SeatPhase::Left { .. }) => self.forget(did),
                Some(SeatPhase::Suspended { .. }) => self.readmit(did),
                Some(_) => self.lapse(did),
                None => {}
            }
        }
        for id in self
            .state
            .tables
            .invitations
            .index()
            .before(now, MAX_DUE_PER_BLOCK)
        {
            self.state.tables.invitations.remove(&id);
        }
        for key in self.state.tables.sequences.index().before(now, MAX_DUE_PER_BLOCK) {
            self.forget_key(key);
        }
    }

    /// Ends an application or admission. Who came back after leaving is where it was before.
    pub(crate) fn lapse(&mut self, applicant: Did) {
        if self.state.tables.accounts.contains(&applicant) {
            self.rest(applicant);
        } else {
            self.remove_seat(applicant);
        }
        self.events.push(Event::ApplicationLapsed { applicant });
    }

    /// Forgets a cooperative that left, with its members, and burns what they had. Large ones take several
    /// blocks: the record stays due until the last member is gone.
    fn forget(&mut self, did: Did) {
        let account = self.state.account(&did, self.context.time).unwrap_or_default();
        let busy = account
            .held
            .saturating_add(account.maturing)
            .saturating_add(account.staked);
        if busy.milli() > 0 || self.state.open_jobs(&did).next().is_some() {
            let until = self.context.time.after(LEFT_RETRY);
            self.set_phase(did, SeatPhase::Left { until });
            return;
        }
        for member in self.members_of(did, MAX_FORGOTTEN_MEMBERS_PER_BLOCK) {
            let had = self.with_account(member, |account| Ok(core::mem::take(&mut account.available)));
            self.burn(had.unwrap_or_default());
            self.state.tables.accounts.remove(&member);
            self.remember_departed(member);
            self.forget_voter(member);
            if let Some(record) = self.state.tables.members.get(&member).copied() {
                self.state.tables.members.remove(&member);
                self.retire_key(record.key);
            }
        }
        if self.state.members(&did).next().is_some() {
            return;
        }
        // A witness has no account, and so leaves nothing.
        let had = self.with_account(did, |account| Ok(core::mem::take(&mut account.available)));
        let burned = had.unwrap_or_default();
        self.burn(burned);
        self.state.tables.accounts.remove(&did);
        self.forget_standing(did);
        self.forget_voter(did);
        self.end_agreements_of(did);
        self.state.tables.activities.remove(&did);
        self.state.tables.own_rates.remove(&did);
        self.remove_seat(did);
        self.events.push(Event::Forgotten { seat: did, burned });
    }

    fn remove_seat(&mut self, did: Did) {
        self.retire_role_keys(did);
        self.state.tables.seats.remove(&did);
    }

    /// The keys of a seat's record, which is about to go or to be replaced.
    pub(crate) fn retire_role_keys(&mut self, did: Did) {
        let Some(seat) = self.state.tables.seats.get(&did) else {
            return;
        };
        let keys = seat.keys.clone();
        let others = [keys.seat, keys.line, keys.recovery, did.first_key()];
        let keys = keys.officers.keys.into_iter().chain(others);
        keys.for_each(|key| self.retire_key(key));
    }

    /// Forgets the numbers of a key an hour after it lost its last role: by then every operation that it
    /// may have signed has expired, so none can be done twice.
    pub(crate) fn retire_key(&mut self, key: PublicKey) {
        if let Some(window) = self.state.tables.sequences.get(&key) {
            let retires = Some(self.context.time.after(limits::MAX_EXPIRY));
            let window = SequenceRecord { retires, ..*window };
            self.state.tables.sequences.set(key, window);
        }
    }

    fn forget_key(&mut self, key: PublicKey) {
        let tables = &mut self.state.tables;
        let acts = tables.seats.index().acting.of(&key) > 0 || tables.members.index().acting.of(&key) > 0;
        match tables.sequences.get(&key) {
            Some(window) if acts => {
                let window = SequenceRecord {
                    retires: None,
                    ..*window
                };
                tables.sequences.set(key, window);
            }
            _ => tables.sequences.remove(&key),
        }
    }
}
