//! How officers of a cooperative speak together: what as many of them want as its threshold says is its word.
use super::Speaker;
use crate::{membership::is_enough, step::Step};
use alloc::vec::Vec;
use icn_model::{Digest, LogEntry, Refusal, SignedOperation, Wish, WishesRecord, limits};

impl Step<'_> {
    /// Takes `signed` as the word of its author that `matter` be `content`. Gives the operations that say so,
    /// once there are enough: at once of a member, from as many officers as its threshold says of a
    /// cooperative. Until then the wish is kept, and nothing else changes.
    ///
    /// # Errors
    /// [`Refusal::AlreadySaid`] if this officer wants that already.
    pub(crate) fn agree(
        &mut self,
        speaker: Speaker,
        signed: &SignedOperation,
        matter: Digest,
        content: Digest,
    ) -> Result<Option<Vec<LogEntry>>, Refusal> {
        let by = self.log_entry(signed);
        if !speaker.is_cooperative() {
            return Ok(Some(alloc::vec![by]));
        }
        let key = (speaker.did, matter);
        let officer = signed.operation().key;
        let kept = self.state.tables.wishes.get(&key);
        let mut wishes = kept.map_or_else(Vec::new, |kept| kept.wishes.clone());
        if wishes
            .iter()
            .any(|wish| wish.officer == officer && wish.content == content)
        {
            return Err(Refusal::AlreadySaid {});
        }
        let Some(seat) = self.state.tables.seats.get(&speaker.did) else {
            return Err(Refusal::NotSeated {});
        };
        wishes.retain(|wish| wish.officer != officer && seat.keys.officers.keys.contains(&wish.officer));
        wishes.push(Wish { officer, content, by });
        let agreeing = || wishes.iter().filter(|wish| wish.content == content);
        let officers: Vec<_> = agreeing().map(|wish| wish.officer).collect();
        if is_enough(seat, &officers) {
            let entries = agreeing().map(|wish| wish.by).collect();
            self.state.tables.wishes.remove(&key);
            return Ok(Some(entries));
        }
        let until = self.context.time.after(limits::UNUSED_RETENTION);
        self.state.tables.wishes.set(key, WishesRecord { wishes, until });
        Ok(None)
    }
}

/// Names a matter: what is asked (`kind`) about which thing.
pub(crate) fn matter(kind: &str, about: &[u8]) -> Digest {
    Digest::of_parts(&[kind.as_bytes(), &[0], about])
}
