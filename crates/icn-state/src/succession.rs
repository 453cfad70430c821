//! How a federation goes on after seats were lost for good: its log cannot, since no quorum will ever be there again, so
//! a new log begins with what the old one had brought about.
//!
//! The federation's id stays, and with it everything that was signed for it: members, mana, agreements, lines of credit
//! and what is open in votes. Heights and epochs begin anew. The new log's first root continues the chain of the old
//! one's, so it commits to all that came before.
use crate::{
    changes::Changes,
    state::State,
    step::{BlockContext, Step},
};
use alloc::{collections::BTreeSet, vec::Vec};
use icn_model::{
    Cid, Did, Digest, Endorsement, EpochNumber, EpochRecord, Event, Founder, Genesis, GenesisError, Height,
    Name, PlannedUpgrade, Predecessor, PublicKey, SeatEntry, SeatKind, SeatPhase, Signed,
};

/// Why a log does not continue another one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SuccessionError {
    /// No log can begin so.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// It begins from nothing.
    #[error("this genesis continues no log: it was not made by `icn-cli federation recover draft`")]
    NoPredecessor,
    /// It continues another one.
    #[error("it continues the log {theirs}, and this node follows {ours}")]
    OtherLog {
        /// What it names.
        theirs: Cid,
        /// What this is.
        ours: Cid,
    },
    /// It continues it from somewhere else.
    #[error(
        "it continues the log from height {theirs}, and this node is at {ours}: nodes that are behind fetch what is \
         missing while one that has it runs; if this one is ahead, make the draft on it"
    )]
    OtherHeight {
        /// What it names.
        theirs: Height,
        /// Where this is.
        ours: Height,
    },
    /// At this height something else came out.
    #[error(
        "it names the root {theirs} for the last height, and this node has {ours}: one of them has diverged"
    )]
    OtherRoot {
        /// What it names.
        theirs: Digest,
        /// What this has.
        ours: Digest,
    },
    /// What it says of the federation is not what the log says.
    #[error("it names other rules, a version of the protocol, time or name than the federation has")]
    OtherRules,
    /// A survivor has no seat, or other keys.
    #[error("{name} has no seat in the log that is continued, or other keys than it names")]
    NotSeated {
        /// Who.
        name: Name,
    },
    /// Nobody could speak for the federation.
    #[error("no cooperative is among the survivors: witnesses alone are no federation")]
    NoCooperative,
    /// Too few officers have signed.
    #[error("{name} has not endorsed it: {have} of {need} of its officers' signatures are there")]
    NotEndorsed {
        /// Who.
        name: Name,
        /// Signatures by officers of it.
        have: usize,
        /// How many it takes.
        need: usize,
    },
    /// A signature does not hold.
    #[error("the signature of {key} is not of this genesis, or does not hold")]
    BadEndorsement {
        /// By whom it claims to be.
        key: PublicKey,
    },
}

impl State {
    /// The genesis of a log that continues this one without the seats of `lost`.
    ///
    /// # Errors
    /// [`SuccessionError`] if nobody is left who could.
    pub fn successor(&self, lost: &BTreeSet<Did>) -> Result<Genesis, SuccessionError> {
        let survives =
            |did: &Did, phase: SeatPhase| matches!(phase, SeatPhase::Seated {}) && !lost.contains(did);
        let seats = self.tables.seats.iter();
        let founders: Vec<Founder> = seats
            .filter(|(did, seat)| survives(did, seat.phase))
            .map(|(did, seat)| Founder {
                did: *did,
                name: seat.name.clone(),
                keys: seat.keys.clone(),
            })
            .collect();
        let genesis = Genesis {
            name: self.federation.name.clone(),
            // Not the clock: so two survivors draft the same bytes, and the time without a log counts as a pause.
            created: self.meta.time,
            protocol: self.federation.decided.protocol,
            parameters: self.federation.parameters,
            founders,
            predecessor: Some(Predecessor {
                federation: self.federation.id,
                log: self.federation.log,
                height: self.meta.height,
                root: self.head.root,
                state: self.merkle_root(),
            }),
        };
        self.check_successor(&genesis)?;
        Ok(genesis)
    }

    /// Whether `genesis` continues this log from where it is.
    ///
    /// # Errors
    /// [`SuccessionError`] says what does not fit.
    pub fn check_successor(&self, genesis: &Genesis) -> Result<(), SuccessionError> {
        let predecessor = genesis
            .predecessor
            .as_ref()
            .ok_or(SuccessionError::NoPredecessor)?;
        genesis.check()?;
        let (theirs, ours) = (predecessor.log, self.federation.log);
        if theirs != ours || predecessor.federation != self.federation.id {
            return Err(SuccessionError::OtherLog { theirs, ours });
        }
        let (theirs, ours) = (predecessor.height, self.meta.height);
        if theirs != ours {
            return Err(SuccessionError::OtherHeight { theirs, ours });
        }
        let pairs = [
            (predecessor.root, self.head.root),
            (predecessor.state, self.merkle_root()),
        ];
        if let Some((theirs, ours)) = pairs.into_iter().find(|(theirs, ours)| theirs != ours) {
            return Err(SuccessionError::OtherRoot { theirs, ours });
        }
        let is_same = genesis.created == self.meta.time
            && genesis.name == self.federation.name
            && genesis.parameters == self.federation.parameters
            && genesis.protocol == self.federation.decided.protocol;
        if !is_same {
            return Err(SuccessionError::OtherRules);
        }
        let mut cooperatives = 0;
        for founder in &genesis.founders {
            let seat = self.tables.seats.get(&founder.did).filter(|seat| {
                matches!(seat.phase, SeatPhase::Seated {})
                    && seat.keys == founder.keys
                    && seat.name == founder.name
            });
            match seat {
                Some(seat) => cooperatives += usize::from(seat.kind == SeatKind::Cooperative),
                None => {
                    return Err(SuccessionError::NotSeated {
                        name: founder.name.clone(),
                    });
                }
            }
        }
        if cooperatives == 0 {
            return Err(SuccessionError::NoCooperative);
        }
        Ok(())
    }

    /// The state with which the log of `genesis` begins, what changes with it, and what happened. Contracts run on as
    /// before.
    ///
    /// Who had a seat and is no survivor gives it up: its account rests, and it can come back by invitation.
    /// Applications lapse. A decided version of the protocol has to be announced anew.
    ///
    /// # Errors
    /// [`SuccessionError`] if it does not continue this one.
    pub fn succeed(mut self, genesis: &Genesis) -> Result<(Self, Changes, Vec<Event>), SuccessionError> {
        self.check_successor(genesis)?;
        let context = BlockContext {
            height: Height::ZERO,
            time: self.meta.time,
            parent_time: self.meta.time,
            parent: Digest::ZERO,
        };
        let survivors: BTreeSet<Did> = genesis.founders.iter().map(|founder| founder.did).collect();
        let others = self.tables.seats.iter();
        let others: Vec<(Did, SeatPhase)> = others
            .filter(|(did, _)| !survivors.contains(did))
            .map(|(did, seat)| (*did, seat.phase))
            .collect();
        let orders = |phase: SeatPhase| matches!(phase, SeatPhase::Seated {} | SeatPhase::Leaving {});
        let gone = others
            .iter()
            .filter(|(_, phase)| orders(*phase))
            .map(|(did, _)| *did);
        let (log, height) = (self.federation.log, self.meta.height);
        let mut step = Step {
            state: &mut self,
            context,
            events: Vec::from([Event::LogContinued {
                predecessor: log,
                height,
                gone: gone.collect(),
            }]),
        };
        for (did, phase) in others {
            match phase {
                phase if orders(phase) => step.rest(did),
                SeatPhase::Applied { .. } | SeatPhase::Admitted { .. } | SeatPhase::Ready {} => {
                    step.lapse(did)
                }
                _ => {}
            }
        }
        let events = step.events;
        let epochs: Vec<EpochNumber> = self.tables.epochs.iter().map(|(epoch, _)| *epoch).collect();
        epochs.iter().for_each(|epoch| self.tables.epochs.remove(epoch));
        let seats = self.seats_of(&survivors);
        self.tables.epochs.set(EpochNumber::ZERO, EpochRecord { seats });
        self.tables.keep();
        self.federation.log = genesis.log();
        self.federation.decided.upgrade = self.federation.decided.upgrade.map(|planned| PlannedUpgrade {
            epoch: EpochNumber::ZERO,
            fixed: false,
            ..planned
        });
        self.meta.height = Height::ZERO;
        self.head.checkpoint = None;
        let changes = self.seal(true);
        Ok((self, changes, events))
    }

    /// The seats of `who` with the keys that they have now: one that waits for its turn has it at the next epoch.
    fn seats_of(&self, who: &BTreeSet<Did>) -> Vec<SeatEntry> {
        let seats = self.tables.seats.iter().filter(|(did, _)| who.contains(did));
        let mut entries: Vec<_> = seats
            .map(|(did, seat)| SeatEntry {
                did: *did,
                key: seat.keys.seat,
                kind: seat.kind,
            })
            .collect();
        entries.sort_unstable_by_key(|entry| entry.key);
        entries
    }
}

/// Whether as many officers of every survivor as it takes have signed that the log of `genesis` is to be followed.
///
/// # Errors
/// [`SuccessionError`] names who has not, or the signature that does not hold.
pub fn check_endorsed(
    genesis: &Genesis,
    endorsements: &[Signed<Endorsement>],
) -> Result<(), SuccessionError> {
    let log = genesis.log();
    for signed in endorsements {
        let key = signed.content.key;
        if signed.content.log != log || signed.verify().is_err() {
            return Err(SuccessionError::BadEndorsement { key });
        }
    }
    for founder in &genesis.founders {
        let officers = &founder.keys.officers;
        let signed = |key: &&PublicKey| {
            let is_its = |signed: &Signed<Endorsement>| {
                signed.content.did == founder.did && signed.content.key == **key
            };
            endorsements.iter().any(is_its)
        };
        let (have, need) = (
            officers.keys.iter().filter(signed).count(),
            usize::from(officers.threshold),
        );
        if have < need {
            let name = founder.name.clone();
            return Err(SuccessionError::NotEndorsed { name, have, need });
        }
    }
    Ok(())
}
