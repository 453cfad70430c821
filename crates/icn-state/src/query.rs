//! What readers ask of a state. Nothing here changes it, and nothing scans a whole table to find one row.
use crate::{sequence, state::State, table::Key as _};
use icn_model::{Did, MemberRecord, PublicKey, SeatKind, SeatPhase, SeatRecord, Sequence, Supply};

impl State {
    /// Cooperatives and witnesses on their way in, seated, leaving and lately left, in the order of DIDs.
    pub fn seat_records(&self) -> impl Iterator<Item = (&Did, &SeatRecord)> {
        self.tables.seats.iter()
    }

    /// A cooperative or witness.
    pub fn seat_record(&self, did: &Did) -> Option<&SeatRecord> {
        self.tables.seats.get(did)
    }

    /// Seated cooperatives, those that are leaving included.
    pub fn cooperatives(&self) -> impl Iterator<Item = (&Did, &SeatRecord)> {
        let seated = |seat: &SeatRecord| seat.kind == SeatKind::Cooperative && seat.phase.is_seated();
        self.tables.seats.iter().filter(move |(_, seat)| seated(seat))
    }

    /// Those that wait for approval or have it, and are not seated yet.
    pub fn applicants(&self) -> impl Iterator<Item = (&Did, &SeatRecord)> {
        let waits = |seat: &SeatRecord| {
            matches!(
                seat.phase,
                SeatPhase::Applied { .. } | SeatPhase::Admitted { .. } | SeatPhase::Ready {}
            )
        };
        self.tables.seats.iter().filter(move |(_, seat)| waits(seat))
    }

    /// Whose seat key `key` is, was lately, or will be.
    pub fn seat_of_key(&self, key: &PublicKey) -> Option<Did> {
        self.tables.seats.index().by_key.get(key).copied()
    }

    /// The members of a cooperative, in the order of DIDs.
    pub fn members(&self, cooperative: &Did) -> impl Iterator<Item = (Did, &MemberRecord)> {
        let from = (*cooperative, Did::least());
        let entries = self.tables.members.index().of.range(from..);
        let own = entries.take_while({
            let cooperative = *cooperative;
            move |(of, _)| *of == cooperative
        });
        own.filter_map(|(_, did)| self.tables.members.get(did).map(|member| (*did, member)))
    }

    /// A member.
    pub fn member(&self, did: &Did) -> Option<&MemberRecord> {
        self.tables.members.get(did)
    }

    /// The cooperative for which `author` acts: itself, or the one of which it is a member. None for
    /// witnesses and strangers.
    pub fn cooperative_of(&self, author: &Did) -> Option<Did> {
        match self.tables.members.get(author) {
            Some(member) => Some(member.cooperative),
            None => {
                let seat = self.tables.seats.get(author)?;
                (seat.kind == SeatKind::Cooperative).then_some(*author)
            }
        }
    }

    /// The number that `key` should use next: one above the highest that it has used.
    pub fn next_sequence(&self, key: &PublicKey) -> Sequence {
        let window = self.tables.sequences.get(key).unwrap_or(&sequence::UNUSED);
        Sequence::new(window.highest.saturating_add(1))
    }

    /// Whether `key` has used the number, or it has fallen out of the key's window.
    pub fn is_sequence_used(&self, key: &PublicKey, sequence: Sequence) -> bool {
        let window = self.tables.sequences.get(key).unwrap_or(&sequence::UNUSED);
        sequence::is_used(window, sequence)
    }

    /// Mana that came into being and went out of it.
    pub fn supply(&self) -> Supply {
        self.meta.supply
    }
}
