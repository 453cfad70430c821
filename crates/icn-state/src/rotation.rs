//! Which keys act: how they are replaced.
//!
//! A thief of the online seat key gets nothing but the seat by it, officers replace everything but the recovery key,
//! and the recovery key replaces all. A new seat key votes from the epoch on whose seats are fixed next: until then
//! the old one does, and the node holds both.
use crate::{membership::is_enough, step::Step};
use icn_model::{
    Did, Digest, EpochNumber, Event, FormerKey, KeyWish, MemberRecord, Operation, Possession, PublicKey,
    Refusal, Role, RoleKeys, SeatRecord, Signed, canonical, limits,
};

impl Step<'_> {
    pub(crate) fn rotate_keys(
        &mut self,
        operation: &Operation,
        keys: &RoleKeys,
        possession: Option<&Signed<Possession>>,
    ) -> Result<(), Refusal> {
        let did = operation.author;
        let seat = self.seat_acting(operation, &[Role::Officer, Role::Recovery, Role::Seat])?;
        if !seat.phase.is_seated() {
            return Err(Refusal::NotSeated {});
        }
        if !keys.is_usable() {
            return Err(Refusal::BadKeys {});
        }
        let next_seat = self.new_seat_key(did, seat, keys.seat, possession)?;
        let others = RoleKeys {
            seat: seat.keys.seat,
            ..keys.clone()
        };
        if next_seat.is_none() && others == seat.keys {
            return Err(Refusal::KeysUnchanged {});
        }
        let mut seat = seat.clone();
        let is_own_seat = operation.key == seat.keys.seat && others == seat.keys;
        if operation.key != seat.keys.recovery && !is_own_seat {
            let not_by = |needs| Err(Refusal::NotAuthorised { author: did, needs });
            if !seat.keys.officers.keys.contains(&operation.key) {
                return not_by(Role::Officer);
            }
            if keys.recovery != seat.keys.recovery {
                return not_by(Role::Recovery);
            }
            if !wish(&mut seat, operation.key, Digest::of(&canonical::to_bytes(keys))) {
                self.state.tables.seats.set(did, seat);
                return Ok(());
            }
        }
        // What was said under the old keys about leaving or rotating does not outlive them.
        seat.leave.clear();
        seat.succession.wishes.clear();
        seat.succession.next_seat = next_seat.or(seat.succession.next_seat);
        let next_seat = seat.succession.next_seat;
        self.retire_line_key(&mut seat, others.line);
        self.retire_role_keys(did);
        seat.keys = others;
        self.state.tables.seats.set(did, seat);
        self.events.push(Event::KeysRotated { seat: did, next_seat });
        Ok(())
    }

    /// What a line key has signed can be anchored for a while after another one took its place.
    fn retire_line_key(&self, seat: &mut SeatRecord, next: PublicKey) {
        let (key, now) = (seat.keys.line, self.now());
        let former = &mut seat.succession.former_lines;
        former.retain(|one| one.until >= now && one.key != key && one.key != next);
        if key == next {
            return;
        }
        let until = self.context.time.after(limits::LINE_GRACE);
        former.push(FormerKey { key, until });
        if former.len() > limits::MAX_FORMER_KEYS {
            former.remove(0);
        }
    }

    /// The seat key that is to follow, if `key` is neither the present one nor the one that follows already.
    fn new_seat_key(
        &self,
        did: Did,
        seat: &SeatRecord,
        key: PublicKey,
        possession: Option<&Signed<Possession>>,
    ) -> Result<Option<PublicKey>, Refusal> {
        if key == seat.keys.seat || seat.succession.next_seat == Some(key) {
            return Ok(None);
        }
        if let Some(other) = self.state.tables.seats.index().by_key.get(&key) {
            return Err(Refusal::KeyInUse { did: *other });
        }
        match possession {
            Some(signed) if signed.content.key == key => self.check_possession(did, signed)?,
            _ => return Err(Refusal::NotPossessed { key }),
        }
        Ok(Some(key))
    }

    fn check_possession(&self, did: Did, signed: &Signed<Possession>) -> Result<(), Refusal> {
        let said = &signed.content;
        let is_here = said.federation == self.state.federation.id && said.did == did;
        if is_here && signed.verify().is_ok() {
            Ok(())
        } else {
            Err(Refusal::NotPossessed { key: said.key })
        }
    }

    pub(crate) fn rotate_member_key(
        &mut self,
        operation: &Operation,
        possession: &Signed<Possession>,
    ) -> Result<(), Refusal> {
        let (member, key) = (possession.content.did, possession.content.key);
        let unknown = Refusal::UnknownMember { member };
        let Some(record) = self.state.tables.members.get(&member).copied() else {
            return Err(unknown);
        };
        if operation.author != member {
            let seat = self.cooperative_acting(operation, &[Role::Officer])?;
            if !seat.phase.is_seated() {
                return Err(Refusal::NotSeated {});
            }
            if record.cooperative != operation.author {
                return Err(unknown);
            }
        }
        if !key.is_usable() {
            return Err(Refusal::BadKeys {});
        }
        if key == record.key {
            return Err(Refusal::KeysUnchanged {});
        }
        self.check_possession(member, possession)?;
        self.retire_key(record.key);
        self.state
            .tables
            .members
            .set(member, MemberRecord { key, ..record });
        self.events.push(Event::MemberKeyRotated { member, key });
        Ok(())
    }

    /// The seat has the key with which the epoch that begins was fixed.
    pub(crate) fn change_seat_key(&mut self, did: Did, key: PublicKey, epoch: EpochNumber) {
        let Some(seat) = self.state.tables.seats.get(&did) else {
            return;
        };
        if seat.keys.seat == key {
            return;
        }
        let mut seat = seat.clone();
        let former = core::mem::replace(&mut seat.keys.seat, key);
        let succession = &mut seat.succession;
        succession.former_seats.push(former);
        if succession.former_seats.len() > limits::MAX_FORMER_KEYS {
            succession.former_seats.remove(0);
        }
        // Unless yet another one is to follow.
        if succession.next_seat == Some(key) {
            succession.next_seat = None;
        }
        self.retire_key(former);
        self.state.tables.seats.set(did, seat);
        self.events.push(Event::SeatKeyChanged {
            seat: did,
            key,
            epoch,
        });
    }
}

/// Notes what an officer wants, instead of what it wanted before, and says whether enough officers want it.
fn wish(seat: &mut SeatRecord, officer: PublicKey, keys: Digest) -> bool {
    let wishes = &mut seat.succession.wishes;
    wishes.retain(|wish| wish.officer != officer);
    wishes.push(KeyWish { officer, keys });
    let agree = wishes.iter().filter(|wish| wish.keys == keys);
    let agree: alloc::vec::Vec<_> = agree.map(|wish| wish.officer).collect();
    is_enough(seat, &agree)
}
