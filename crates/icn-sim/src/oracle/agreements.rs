//! The way of agreements, kept from events alone.
use icn_model::{AgreementEvent, AgreementId, AgreementState, AgreementStep, Did};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug)]
struct Bargain {
    entries: u64,
    state: AgreementState,
    offered: u32,
    signed: BTreeSet<Did>,
    suspended: BTreeSet<Did>,
}

/// The agreements of the log.
#[derive(Debug, Default)]
pub struct Agreements {
    all: BTreeMap<AgreementId, Bargain>,
    held: u64,
}

impl Agreements {
    /// How often terms took effect.
    pub const fn held(&self) -> u64 {
        self.held
    }

    /// Each step of an agreement follows the one before: its history has no gap, what holds was signed by two at the
    /// least, and after its end there is nothing.
    pub(super) fn invariant_agreed(&mut self, event: &AgreementEvent) -> Result<(), String> {
        use AgreementState::{Active, Negotiating, Proposed, Suspended, Terminated};
        let bargain = self.all.entry(event.agreement).or_insert(Bargain {
            entries: 0,
            state: Proposed,
            offered: 0,
            signed: BTreeSet::new(),
            suspended: BTreeSet::new(),
        });
        let wrong = |bargain: &Bargain| Err(format!("{event:?} after {bargain:?}"));
        if event.entry != bargain.entries + 1 || bargain.state == Terminated {
            return wrong(bargain);
        }
        let before = bargain.state;
        let mut expected = before;
        match (&event.step, event.party) {
            (AgreementStep::Offered { revision, .. }, Some(_)) if *revision == bargain.offered + 1 => {
                bargain.offered = *revision;
                bargain.signed.clear();
                if *revision > 1 && before == Proposed {
                    expected = Negotiating;
                }
            }
            (AgreementStep::Signed { revision, .. }, Some(party))
                if *revision == bargain.offered && bargain.signed.insert(party) => {}
            (AgreementStep::TookEffect { revision }, None)
                if *revision == bargain.offered && bargain.signed.len() > 1 =>
            {
                self.held += 1;
                expected = Active;
            }
            (AgreementStep::Suspended { .. }, Some(party)) if bargain.suspended.insert(party) => {
                expected = Suspended;
            }
            (AgreementStep::Resumed {}, Some(party)) if bargain.suspended.remove(&party) => {
                expected = if bargain.suspended.is_empty() {
                    Active
                } else {
                    Suspended
                };
            }
            (AgreementStep::Ended { .. }, _) => expected = Terminated,
            (
                AgreementStep::Offered { .. }
                | AgreementStep::Signed { .. }
                | AgreementStep::TookEffect { .. }
                | AgreementStep::Suspended { .. }
                | AgreementStep::Resumed {},
                _,
            ) => return wrong(bargain),
            _ => {}
        }
        if event.state != expected {
            return wrong(bargain);
        }
        (bargain.entries, bargain.state) = (event.entry, event.state);
        Ok(())
    }
}
