//! The two chains of a book in memory.
use alloc::collections::BTreeMap;
use icn_model::{Acceptance, CoSigned, Digest, Head, Release, Signed, Standing, Transfer, limits};

/// A transfer with its hash, which takes encoding it to know.
#[derive(Clone)]
pub(super) struct Hashed {
    pub(super) signed: Signed<Transfer>,
    pub(super) hash: Digest,
}

impl Hashed {
    pub(super) fn of(signed: Signed<Transfer>) -> Self {
        let hash = signed.content.hash();
        Self { signed, hash }
    }

    /// Of a transfer that both have signed, as was verified before: the countersignature names the hash.
    pub(super) fn countersigned(signed: Signed<Transfer>, acceptance: &Signed<Acceptance>) -> Self {
        let hash = acceptance.content.transfer;
        Self { signed, hash }
    }

    pub(super) fn number(&self) -> u64 {
        self.signed.content.number
    }

    /// Where the chain stands after it.
    pub(super) fn head(&self) -> Head {
        Head {
            number: self.number(),
            hash: self.hash,
            owed: self.signed.content.owed,
        }
    }
}

/// What is remembered of a transfer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trace {
    pub(super) hash: Digest,
    pub(super) reference: Digest,
    pub(super) amount: u64,
    pub(super) is_void: bool,
}

/// The last transfers of a chain, by number; a bounded number of them.
#[derive(Default)]
pub(super) struct Recent {
    by_number: BTreeMap<u64, Trace>,
    by_reference: BTreeMap<Digest, u64>,
}

impl Recent {
    pub(super) fn add(&mut self, transfer: &Hashed) {
        let (number, content) = (transfer.number(), &transfer.signed.content);
        let trace = Trace {
            hash: transfer.hash,
            reference: content.reference,
            amount: content.amount,
            is_void: false,
        };
        self.by_number.insert(number, trace);
        self.by_reference.insert(trace.reference, number);
        while self.by_number.len() > limits::MAX_RECENT_TRANSFERS {
            let Some((number, trace)) = self.by_number.pop_first() else {
                return;
            };
            // A later transfer of the other end may have the reference, too.
            if self.by_reference.get(&trace.reference) == Some(&number) {
                self.by_reference.remove(&trace.reference);
            }
        }
    }

    pub(super) fn get(&self, number: u64) -> Option<&Trace> {
        self.by_number.get(&number)
    }

    pub(super) fn named(&self, reference: &Digest) -> Option<(u64, &Trace)> {
        let number = *self.by_reference.get(reference)?;
        Some((number, self.by_number.get(&number)?))
    }

    pub(super) fn number_of(&self, hash: &Digest) -> Option<(u64, &Trace)> {
        // Answers are mostly about the newest.
        let mut newest = self.by_number.iter().rev();
        newest
            .find(|(_, trace)| trace.hash == *hash)
            .map(|(number, trace)| (*number, trace))
    }

    pub(super) fn void(&mut self, after: u64, through: u64) {
        if after >= through {
            return;
        }
        for (_, trace) in self.by_number.range_mut(after + 1..=through) {
            trace.is_void = true;
        }
    }
}

/// What this end owes.
pub(super) struct Own {
    /// The last that both have signed.
    pub(super) head: Head,
    /// That one, unless only the log has shown it.
    pub(super) shown: Option<CoSigned>,
    /// The highest number that was ever signed.
    pub(super) last: u64,
    /// What waits for the other end, each on the one before.
    pub(super) pending: BTreeMap<u64, Hashed>,
    pub(super) recent: Recent,
}

impl Own {
    pub(super) fn new(head: Head) -> Self {
        Self {
            head,
            shown: None,
            last: head.number,
            pending: BTreeMap::new(),
            recent: Recent::default(),
        }
    }

    /// Where the chain stands with what is pending.
    pub(super) fn tip(&self) -> Head {
        let last = self.pending.values().next_back();
        last.map_or(self.head, Hashed::head)
    }

    pub(super) fn standing(&self, number: u64) -> Option<Standing> {
        let trace = self.recent.get(number)?;
        Some(if trace.is_void {
            Standing::Void
        } else if self.pending.contains_key(&number) {
            Standing::Pending
        } else {
            Standing::Confirmed
        })
    }

    /// Makes a transfer the last that both have signed.
    pub(super) fn show(&mut self, transfer: Hashed, acceptance: Signed<Acceptance>) {
        self.recent.add(&transfer);
        let head = transfer.head();
        let transfer = transfer.signed;
        self.confirm(head, Some(CoSigned { transfer, acceptance }));
    }

    /// Makes `head` the last that both have signed; what is pending up to it is signed by both, too.
    pub(super) fn confirm(&mut self, head: Head, shown: Option<CoSigned>) {
        self.pending = match head.number.checked_add(1) {
            Some(next) => self.pending.split_off(&next),
            None => BTreeMap::new(),
        };
        self.last = self.last.max(head.number);
        self.head = head;
        self.shown = shown;
    }

    /// Makes everything above the head void.
    pub(super) fn void_all(&mut self) {
        self.pending.clear();
        self.recent.void(self.head.number, self.last);
    }
}

/// What the other end owes.
pub(super) struct Other {
    pub(super) head: Head,
    pub(super) shown: Option<CoSigned>,
    /// What the last transfer named as seen.
    pub(super) seen: Head,
    /// Transfers that came before what they build on; not stored.
    pub(super) waiting: BTreeMap<u64, Hashed>,
    /// What this end will never countersign, by hash.
    pub(super) released: BTreeMap<Digest, (u64, Signed<Release>)>,
    pub(super) recent: Recent,
}

impl Other {
    pub(super) fn new(head: Head, seen: Head) -> Self {
        Self {
            head,
            shown: None,
            seen,
            waiting: BTreeMap::new(),
            released: BTreeMap::new(),
            recent: Recent::default(),
        }
    }

    /// The highest number of a transfer that is known to have been signed.
    pub(super) fn heard(&self) -> u64 {
        let waiting = self.waiting.keys().next_back().copied();
        let recent = self.recent.by_number.keys().next_back().copied();
        let all = [waiting, recent].into_iter().flatten();
        all.fold(self.head.number.max(self.released_through()), u64::max)
    }

    /// The highest number above the head of a transfer that was released; 0 if none was.
    pub(super) fn released_through(&self) -> u64 {
        let released = self.released.values().map(|(number, _)| *number);
        released.max().unwrap_or(0)
    }

    /// Makes a transfer the last that counts; who does so countersigns it, or one after it.
    pub(super) fn take(&mut self, transfer: &Hashed) {
        self.recent.add(transfer);
        self.seen = transfer.signed.content.seen;
        self.move_to(transfer.head());
    }

    /// Makes a transfer the last that both have signed.
    pub(super) fn show(&mut self, transfer: Hashed, acceptance: Signed<Acceptance>) {
        self.take(&transfer);
        let transfer = transfer.signed;
        self.shown = Some(CoSigned { transfer, acceptance });
    }

    /// What has no higher number is no longer of use.
    pub(super) fn move_to(&mut self, head: Head) {
        self.head = head;
        self.shown = None;
        self.waiting.retain(|number, _| *number > head.number);
        self.released.retain(|_, (number, _)| *number > head.number);
    }
}
