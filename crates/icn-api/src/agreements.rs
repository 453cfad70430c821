//! Agreements between cooperatives, as the log has them.
use icn_model::{
    AgreementEntry, AgreementId, AgreementKind, AgreementRecord, AgreementState, Did, Digest, Ending, Height,
    Name, Party, Time,
};
use serde::{Deserialize, Serialize};

/// Query of [`crate::paths::AGREEMENTS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct AgreementsQuery {
    /// Only those in which it takes part, as a witness or otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub party: Option<Did>,
    /// Only those in this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<AgreementState>,
    /// Only those of this kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<AgreementKind>,
    /// Those after this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<AgreementId>,
    /// At most so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// Answer of [`crate::paths::AGREEMENTS`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AgreementPage {
    /// As of this height.
    pub height: Height,
    /// In the order of their ids.
    pub items: Vec<AgreementBrief>,
    /// What to pass as `after` for more; none if these are the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<AgreementId>,
}

/// An agreement in a line: by the terms in force, or else by those that are offered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AgreementBrief {
    /// Its id.
    pub id: AgreementId,
    /// Where it stands.
    pub state: AgreementState,
    /// Since when.
    pub since: Time,
    /// What it is about.
    pub kind: AgreementKind,
    /// What it is called.
    pub title: Name,
    /// Who takes part.
    pub parties: Vec<Party>,
    /// When it expires, as far as that is known.
    pub expires: Option<Time>,
    /// Number of the last revision.
    pub revision: u32,
    /// Who has still to sign what is offered.
    pub unsigned: Vec<Did>,
    /// How it has ended.
    pub ending: Option<Ending>,
}

impl AgreementBrief {
    /// From the record; none of one that has neither terms nor an offer, which there is not.
    pub fn new(id: AgreementId, record: &AgreementRecord) -> Option<Self> {
        let terms = record.terms()?;
        let held = record.in_force.as_ref();
        let unsigned = record.offer.iter().flat_map(|offer| {
            let open = offer.needed.iter().filter(|did| !offer.signed.contains(did));
            open.copied()
        });
        Some(Self {
            id,
            state: record.state,
            since: record.since,
            kind: terms.kind,
            title: terms.title.clone(),
            parties: terms.parties.clone(),
            expires: held.map_or(terms.expires, |held| held.expires),
            revision: record.revisions,
            unsigned: unsigned.collect(),
            ending: record.ending,
        })
    }
}

/// Answer of [`crate::paths::AGREEMENT`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AgreementView {
    /// As of this height.
    pub height: Height,
    /// That block's time.
    pub time: Time,
    /// Its id.
    pub id: AgreementId,
    /// What the log knows of it.
    pub record: AgreementRecord,
    /// What a signature to the offered revision is for.
    pub offered: Option<Digest>,
    /// When something happens to it by itself.
    pub due: Option<Time>,
}

/// Query of [`crate::paths::AGREEMENT_HISTORY`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct HistoryQuery {
    /// Entries after this number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// At most so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// Answer of [`crate::paths::AGREEMENT_HISTORY`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct HistoryPage {
    /// As of this height.
    pub height: Height,
    /// The oldest first.
    pub items: Vec<AgreementEntry>,
    /// What to pass as `after` for more; none if these are the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// Why a history is not the one of its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    /// An entry is missing, or one is too many.
    #[error("entry {found} stands where {expected} should")]
    Gap {
        /// Which number should be there.
        expected: u64,
        /// Which is.
        found: u64,
    },
    /// An entry was changed, or another one put in.
    #[error("entry {number} does not follow the one before: one of the two was changed")]
    Broken {
        /// Its number.
        number: u64,
    },
    /// The last entry is not the one that the record names.
    #[error("the history does not end as the agreement's record says: it was changed, or goes on")]
    End,
}

/// Checks that `entries` are the whole history that `record` names the end of.
///
/// # Errors
/// [`HistoryError`] names the first entry that does not fit.
pub fn check_history(record: &AgreementRecord, entries: &[AgreementEntry]) -> Result<(), HistoryError> {
    let (mut head, mut number) = (Digest::ZERO, 0);
    for entry in entries {
        if entry.number != number + 1 {
            return Err(HistoryError::Gap {
                expected: number + 1,
                found: entry.number,
            });
        }
        number = entry.number;
        if entry.previous != head {
            return Err(HistoryError::Broken { number });
        }
        head = entry.digest();
    }
    if (number, head) != (record.entries, record.head) {
        return Err(HistoryError::End);
    }
    Ok(())
}
