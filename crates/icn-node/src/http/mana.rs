//! Accounts and their conservation.
use super::{app::App, failure::Failure, federation::members_after, page};
use axum::{Json, extract::State};
use icn_api::{
    ApiError, MAX_PAGE,
    mana::{Account, AccountView, Accounts, ManaQuery},
};
use icn_model::{Did, Time};
use icn_serve::http::{Path, Query};
use icn_state::State as LogState;

/// `GET /v1/mana`
pub(super) async fn accounts(
    State(app): State<App>,
    Query(query): Query<ManaQuery>,
) -> Result<Json<Accounts>, Failure> {
    let size = page::size(query.limit.or(Some(MAX_PAGE)));
    let reading = app.clone();
    // The sums read the whole state, once for each height that is asked about.
    let read = tokio::task::spawn_blocking(move || {
        reading.ledger().read(|state| {
            let totals = reading.totals(state.root(), || state.audit())?;
            let mut owners = owners_after(state, query.after, size + 1);
            let next = page::cut(&mut owners, size, |did| *did);
            let items = owners.iter().filter_map(|did| account_of(state, did)).collect();
            Ok(Accounts {
                height: state.height(),
                root: state.root(),
                time: state.time(),
                totals,
                items,
                next,
            })
        })
    });
    let accounts = read
        .await?
        .map_err(|error: icn_state::AuditError| Failure::internal(error))?;
    Ok(Json(accounts))
}

/// At most `max` owners of accounts after `after`, in the order of their DIDs: cooperatives and members.
fn owners_after(state: &LogState, after: Option<Did>, max: usize) -> Vec<Did> {
    let seats = state
        .seat_records()
        .map(|(did, _)| *did)
        .filter(|did| after.is_none_or(|after| *did > after));
    // Applicants and witnesses have none.
    let mut owners: Vec<_> = seats
        .filter(|did| state.account(did, Time::ZERO).is_some())
        .collect();
    owners.extend(
        members_after(state, None, after, max)
            .into_iter()
            .map(|(did, _)| did),
    );
    owners.sort_unstable();
    owners.truncate(max);
    owners
}

/// An account, as the log has it and as it could be spent from now.
fn account_of(state: &LogState, did: &Did) -> Option<Account> {
    Some(Account {
        did: *did,
        name: state.seat_record(did).map(|seat| seat.name.clone()),
        cooperative: state.member(did).map(|member| member.cooperative),
        // Nothing regenerates up to the beginning of time.
        record: state.account(did, Time::ZERO)?,
        spendable: state.account(did, state.time())?.available,
    })
}

/// `GET /v1/mana/{did}`
pub(super) async fn account(
    State(app): State<App>,
    Path(did): Path<Did>,
) -> Result<Json<AccountView>, Failure> {
    let view = app.ledger().read(|state| {
        let parameters = state.parameters();
        // What a policy has given it, else the federation's.
        let (rate_per_hour, capacity) = state
            .own_rate(&did)
            .map_or((parameters.mana_rate_per_hour, parameters.mana_capacity), |own| {
                (own.rate_per_hour, own.capacity)
            });
        Some(AccountView {
            height: state.height(),
            time: state.time(),
            account: account_of(state, &did)?,
            rate_per_hour,
            capacity,
        })
    });
    let unknown = || ApiError::NotFound {
        what: "account",
        id: did.to_string(),
    };
    Ok(Json(view.ok_or_else(unknown)?))
}
