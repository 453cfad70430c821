//! How nodes come and go: apply, ready, leave. The epoch's turn is in `seats`.
//!
//! An application is a proposal; the vote on it admits. Nobody votes on leaving, which needs as many officers of
//! the cooperative as its threshold says; a vote can make a cooperative leave.
use crate::step::Step;
use alloc::vec::Vec;
use icn_model::{
    Did, Event, GovernanceEvent, Invitation, InvitationRecord, Millis, Name, Operation, PublicKey, Refusal,
    Role, RoleKeys, SeatKind, SeatPhase, SeatRecord, Signed, SignedOperation, Succession, limits,
};

/// How long an application outlives its invitation, and an admission waits for the node to be ready.
pub(crate) const APPLICATION_SPAN: Millis = Millis::from_secs(7 * 24 * 3_600);

fn invalid(detail: &str) -> Refusal {
    Refusal::InvitationInvalid {
        detail: detail.into(),
    }
}

/// How many of the officers' votes count: keys that are officers' still.
fn officers_among(seat: &SeatRecord, votes: &[PublicKey]) -> usize {
    let officers = &seat.keys.officers.keys;
    votes.iter().filter(|key| officers.contains(key)).count()
}

pub(crate) fn is_enough(seat: &SeatRecord, votes: &[PublicKey]) -> bool {
    officers_among(seat, votes) >= usize::from(seat.keys.officers.threshold)
}

impl Step<'_> {
    pub(crate) fn join(
        &mut self,
        application: &SignedOperation,
        signed: &Signed<Invitation>,
        name: &Name,
        keys: &RoleKeys,
    ) -> Result<(), Refusal> {
        let operation = application.operation();
        let applicant = operation.author;
        let invitation = &signed.content;
        if operation.key != applicant.first_key() || !keys.is_usable() {
            return Err(Refusal::BadKeys {});
        }
        self.check_invitation(signed)?;
        self.check_room(applicant, invitation.inviter, keys)?;
        let until = invitation.expires.after(APPLICATION_SPAN);
        let used = InvitationRecord {
            by: applicant,
            expires: invitation.expires,
        };
        self.state.tables.invitations.set(invitation.id(), used);
        self.retire_role_keys(applicant);
        let seat = SeatRecord {
            kind: invitation.kind,
            name: name.clone(),
            keys: keys.clone(),
            inviter: Some(invitation.inviter),
            phase: SeatPhase::Applied { until },
            since: self.context.time,
            leave: Vec::new(),
            suspended: None,
            // Its node announces what else it can follow.
            protocol: self.state.federation.decided.protocol,
            succession: Succession::default(),
        };
        self.state.tables.seats.set(applicant, seat);
        self.events.push(Event::Applied {
            applicant,
            kind: invitation.kind,
            inviter: invitation.inviter,
        });
        self.propose_admission(application, invitation.inviter, invitation.kind)
    }

    fn check_invitation(&self, signed: &Signed<Invitation>) -> Result<(), Refusal> {
        let (invitation, now) = (&signed.content, self.now());
        let federation = &self.state.federation;
        if (invitation.federation, invitation.log) != (federation.id, federation.log) {
            return Err(invalid(
                "it is for another federation, or for a log that it follows no more",
            ));
        }
        if invitation.addresses.len() > limits::MAX_ADDRESSES {
            return Err(invalid("it lists too many addresses"));
        }
        if invitation.expires < now {
            let expires = invitation.expires;
            return Err(Refusal::InvitationExpired { expires, now });
        }
        if invitation.expires > self.context.time.after(limits::MAX_INVITATION_SPAN) {
            return Err(invalid("it is for longer than 30 days"));
        }
        let inviter = self.state.tables.seats.get(&invitation.inviter);
        let speaks = inviter.is_some_and(|seat| {
            seat.kind == SeatKind::Cooperative
                && seat.phase == (SeatPhase::Seated {})
                && seat.keys.officers.keys.contains(&invitation.key)
        });
        if !speaks {
            return Err(invalid("it is not by an officer of a seated cooperative"));
        }
        if signed.verify().is_err() {
            return Err(invalid("its signature does not hold"));
        }
        if self.state.tables.invitations.contains(&invitation.id()) {
            return Err(Refusal::InvitationUsed {});
        }
        Ok(())
    }

    fn check_room(&self, applicant: Did, inviter: Did, keys: &RoleKeys) -> Result<(), Refusal> {
        let seats = &self.state.tables.seats;
        let is_back = |seat: &SeatRecord| matches!(seat.phase, SeatPhase::Left { .. });
        let known = seats.get(&applicant).is_some_and(|seat| !is_back(seat));
        if known || self.state.tables.members.contains(&applicant) {
            return Err(Refusal::AlreadyKnown { did: applicant });
        }
        if let Some(other) = seats.index().by_key.get(&keys.seat) {
            return Err(Refusal::KeyInUse { did: *other });
        }
        if seats.index().applications.of(&inviter) >= limits::MAX_APPLICATIONS_PER_INVITER {
            let max = limits::MAX_APPLICATIONS_PER_INVITER as u64;
            return Err(Refusal::TooManyApplications { inviter, max });
        }
        if seats.index().occupied >= limits::MAX_SEATS {
            let max = limits::MAX_SEATS as u64;
            return Err(Refusal::TooManySeats { max });
        }
        Ok(())
    }

    /// Lets in an applicant that was voted in.
    pub(crate) fn admit(&mut self, applicant: Did) {
        let until = self.context.time.after(APPLICATION_SPAN);
        self.set_phase(applicant, SeatPhase::Admitted { until });
        self.events.push(Event::Admitted { applicant });
    }

    /// Moves a seat on; words said about the phase that is over are dropped.
    pub(crate) fn set_phase(&mut self, did: Did, phase: SeatPhase) {
        if let Some(seat) = self.state.tables.seats.get(&did) {
            let seat = SeatRecord {
                phase,
                since: self.context.time,
                leave: Vec::new(),
                suspended: None,
                ..seat.clone()
            };
            self.state.tables.seats.set(did, seat);
        }
    }

    pub(crate) fn ready(&mut self, operation: &Operation) -> Result<(), Refusal> {
        let seat = self.seat_acting(operation, &[Role::Seat])?;
        match seat.phase {
            SeatPhase::Admitted { until } if until >= self.now() => {}
            _ => return Err(Refusal::NotAdmitted {}),
        }
        self.set_phase(operation.author, SeatPhase::Ready {});
        self.events.push(Event::SeatReady {
            seat: operation.author,
        });
        Ok(())
    }

    pub(crate) fn leave(&mut self, operation: &Operation) -> Result<(), Refusal> {
        let did = operation.author;
        let seat = self.seat_acting(operation, &[Role::Officer])?;
        if seat.phase != (SeatPhase::Seated {}) {
            return Err(Refusal::NotSeated {});
        }
        let voters = &self.state.tables.seats.index().voters;
        if voters.iter().all(|voter| *voter == did) {
            return Err(Refusal::LastCooperative {});
        }
        if seat.leave.contains(&operation.key) {
            return Err(Refusal::AlreadyApproved { applicant: did });
        }
        let mut seat = seat.clone();
        seat.leave.push(operation.key);
        if !is_enough(&seat, &seat.leave) {
            self.state.tables.seats.set(did, seat);
            return Ok(());
        }
        self.make_leave(did);
        Ok(())
    }

    /// Makes a cooperative or witness give up its seat at the end of the epoch: for a while if its record says
    /// so, else for good.
    pub(crate) fn make_leave(&mut self, did: Did) {
        let suspended = self.state.tables.seats.get(&did).and_then(|seat| seat.suspended);
        self.set_phase(did, SeatPhase::Leaving {});
        if let (Some(seat), Some(_)) = (self.state.tables.seats.get(&did), suspended) {
            let seat = SeatRecord {
                suspended,
                ..seat.clone()
            };
            self.state.tables.seats.set(did, seat);
        }
        self.events.push(Event::Leaving { seat: did });
        self.roll_back_open_jobs(did);
    }

    /// The author's node can follow the protocol up to a version.
    pub(crate) fn announce(&mut self, operation: &Operation, protocol: u32) -> Result<(), Refusal> {
        let seat = self.seat_acting(operation, &[Role::Seat])?;
        if seat.protocol >= protocol {
            return Err(Refusal::AlreadySaid {});
        }
        let seat = SeatRecord {
            protocol,
            ..seat.clone()
        };
        self.state.tables.seats.set(operation.author, seat);
        self.tell(GovernanceEvent::Announced {
            seat: operation.author,
            protocol,
        });
        Ok(())
    }
}
