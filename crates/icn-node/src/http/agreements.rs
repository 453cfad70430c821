//! Agreements between cooperatives, as the log has them.
use super::{app::App, failure::Failure, page};
use axum::{Json, extract::State};
use icn_api::{
    ApiError,
    agreements::{AgreementBrief, AgreementPage, AgreementView, AgreementsQuery, HistoryPage, HistoryQuery},
};
use icn_model::{AgreementId, AgreementRecord};
use icn_serve::http::{Path, Query};
use icn_state::State as LogState;

/// `GET /v1/agreements`
pub(super) async fn list(
    State(app): State<App>,
    Query(query): Query<AgreementsQuery>,
) -> Json<AgreementPage> {
    let size = page::size(query.limit);
    Json(app.ledger().read(|state| {
        let mut items: Vec<_> = matching(state, &query).take(size + 1).collect();
        let next = page::cut(&mut items, size, |brief: &AgreementBrief| brief.id);
        let height = state.height();
        AgreementPage { height, items, next }
    }))
}

fn matching<'a>(
    state: &'a LogState,
    query: &'a AgreementsQuery,
) -> Box<dyn Iterator<Item = AgreementBrief> + 'a> {
    let wanted = move |(id, record): &(&AgreementId, &AgreementRecord)| {
        query.after.is_none_or(|after| **id > after)
            && query.state.is_none_or(|at| record.state == at)
            && query
                .kind
                .is_none_or(|kind| record.terms().is_some_and(|terms| terms.kind == kind))
    };
    let brief = |(id, record): (&AgreementId, &AgreementRecord)| AgreementBrief::new(*id, record);
    match &query.party {
        Some(party) => Box::new(state.agreements_of(party).filter(wanted).filter_map(brief)),
        None => Box::new(state.agreements().filter(wanted).filter_map(brief)),
    }
}

fn no_agreement(id: AgreementId) -> Failure {
    ApiError::NotFound {
        what: "agreement",
        id: id.to_string(),
    }
    .into()
}

/// `GET /v1/agreements/{id}`
pub(super) async fn agreement(
    State(app): State<App>,
    Path(id): Path<AgreementId>,
) -> Result<Json<AgreementView>, Failure> {
    let view = app.ledger().read(|state| {
        let record = state.agreement(&id)?.clone();
        Some(AgreementView {
            height: state.height(),
            time: state.time(),
            id,
            offered: record.offer.as_ref().map(|offer| offer.terms.digest()),
            due: state.agreement_due(&id),
            record,
        })
    });
    Ok(Json(view.ok_or_else(|| no_agreement(id))?))
}

/// `GET /v1/agreements/{id}/history`
pub(super) async fn history(
    State(app): State<App>,
    Path(id): Path<AgreementId>,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<HistoryPage>, Failure> {
    let size = page::size(query.limit);
    let found = app.ledger().read(|state| {
        state.agreement(&id)?;
        let entries = state.agreement_history(&id, query.after.unwrap_or(0));
        let mut items: Vec<_> = entries.take(size + 1).cloned().collect();
        let next = page::cut(&mut items, size, |entry| entry.number);
        let height = state.height();
        Some(HistoryPage { height, items, next })
    });
    Ok(Json(found.ok_or_else(|| no_agreement(id))?))
}
