//! The transition table of agreements, in one place.
use icn_model::{AgreementAct, AgreementState, Ending};

/// What moves an agreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// A party offers other terms.
    Offer,
    /// All have signed one revision, and its date is reached.
    TakeEffect,
    /// What is offered comes to nothing.
    Drop,
    /// A party lets it rest.
    Suspend,
    /// Nobody lets it rest any more.
    Resume,
    /// Its time goes on.
    Renew,
    /// It ends in one of the ways in which what is in force ends.
    End,
}

impl Move {
    /// Every one.
    pub const ALL: [Self; 7] = [
        Self::Offer,
        Self::TakeEffect,
        Self::Drop,
        Self::Suspend,
        Self::Resume,
        Self::Renew,
        Self::End,
    ];

    /// The move that an ending is.
    pub(super) const fn of(ending: Ending) -> Self {
        match ending {
            Ending::Withdrawn | Ending::Rejected | Ending::Lapsed => Self::Drop,
            Ending::Expired | Ending::Notice | Ending::Consent | Ending::Breach | Ending::PartyGone => {
                Self::End
            }
        }
    }
}

/// Where a move leads to from a state; none if there is no such move.
pub const fn next(state: AgreementState, how: Move) -> Option<AgreementState> {
    use AgreementState::{Active, Negotiating, Proposed, Suspended, Terminated};
    Some(match (state, how) {
        // Nothing is agreed yet.
        (Proposed | Negotiating, Move::Offer) => Negotiating,
        (Proposed | Negotiating, Move::TakeEffect) => Active,
        (Proposed | Negotiating, Move::Drop | Move::End) => Terminated,
        // An amendment leaves in force what is, until all have signed it.
        (Active, Move::Offer | Move::TakeEffect | Move::Drop | Move::Renew) => Active,
        // Each party can let it rest by itself; it goes on when none does.
        (Active | Suspended, Move::Suspend) => Suspended,
        (Suspended, Move::Resume) => Active,
        // An end beats everything.
        (Active | Suspended, Move::End) => Terminated,
        _ => return None,
    })
}

/// Whether an agreement in a state listens to an act at all.
pub const fn hears(state: AgreementState, act: &AgreementAct) -> bool {
    use AgreementState::{Active, Negotiating, Proposed, Suspended};
    match act {
        AgreementAct::Offer { .. }
        | AgreementAct::Sign { .. }
        | AgreementAct::Withdraw { .. }
        | AgreementAct::Reject { .. } => matches!(state, Proposed | Negotiating | Active),
        AgreementAct::Resume {} => matches!(state, Suspended),
        AgreementAct::Suspend { .. }
        | AgreementAct::GiveNotice { .. }
        | AgreementAct::ConsentToEnd {}
        | AgreementAct::ClaimBreach { .. }
        | AgreementAct::ContestBreach { .. }
        | AgreementAct::Rule { .. } => matches!(state, Active | Suspended),
    }
}
