//! What was: the changes of a project, how much of the time it was alive, and how often it was heard.
use super::{App, error};
use crate::{
    liveness::{Cause, Status},
    moment::Moment,
    store::Item,
};
use axum::{
    Json,
    extract::{Path, State},
};
use icn_model::{Millis, Time};
use icn_serve::http::{Failure, Query};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Windows by their names.
const WINDOWS: [(&str, Millis); 4] = [
    ("1h", Millis::from_secs(3_600)),
    ("24h", Millis::from_secs(86_400)),
    ("7d", Millis::from_secs(7 * 86_400)),
    ("30d", Millis::from_secs(30 * 86_400)),
];
/// The window if nobody says.
const USUAL: &str = "24h";
/// Changes that are told at most, the last ones.
const MAX_CHANGES: i64 = 10_000;
/// Above this, heartbeats are told by the hour.
const MINUTES_UP_TO: Millis = Millis::from_secs(86_400);
const MINUTE_MS: u64 = 60_000;

/// How far back.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "schema", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub(super) struct HistoryQuery {
    /// `1h`, `24h`, `7d` or `30d`; `24h` if absent.
    window: Option<String>,
}

/// What was of a project in a window.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub(super) struct History {
    /// Whose.
    slug: String,
    /// Where the window begins.
    from: Moment,
    /// Where it ends.
    to: Moment,
    /// By window, the share of the time for which the service knows how the project was, in which it was alive; absent
    /// where it knows of no time.
    uptime: BTreeMap<&'static str, f64>,
    /// The changes in the window, and the last one before it; the oldest first.
    transitions: Vec<Transition>,
    /// How often it was heard, the oldest first; without those in which it was not.
    heartbeats: Vec<Heartbeats>,
}

/// A change of a project.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub(super) struct Transition {
    /// Its number; those of later changes are higher.
    id: i64,
    /// When.
    at: Moment,
    /// What it was before; absent for one that was registered.
    #[serde(skip_serializing_if = "Option::is_none")]
    was: Option<Status>,
    /// What it was from then on; absent for one that was removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    /// Why.
    cause: Cause,
}

/// Heartbeats of a minute, or of an hour in windows of more than a day.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub(super) struct Heartbeats {
    /// Where it begins.
    from: Moment,
    /// How many.
    count: u64,
}

/// Answers the history of a project.
#[cfg_attr(
    feature = "schema",
    utoipa::path(
        get, path = "/api/fed/projects/{slug}/history", tag = "catalog",
        params(("slug" = String, Path, description = "What the project is called", pattern = "^[a-z0-9](-?[a-z0-9]+)*$", max_length = 50), HistoryQuery),
        responses(
            (status = 200, description = "What was in the window", body = History),
            (status = 400, description = "904: a parameter or the body is not what the route takes", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 401, description = "1301: no key that counts was sent", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 404, description = "1303: there is no such project", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 503, description = "1310: the database does not answer", body = icn_api::Problem, content_type = "application/problem+json"),
        ),
        security(("api_key" = []), ("bearer" = [])),
    )
)]
pub(super) async fn history(
    State(app): State<App>,
    Path(slug): Path<String>,
    Query(HistoryQuery { window }): Query<HistoryQuery>,
) -> Result<Json<History>, Failure> {
    app.is_loaded()?;
    let window = window.as_deref().unwrap_or(USUAL);
    let (_, span) = *WINDOWS
        .iter()
        .find(|(name, _)| *name == window)
        .ok_or_else(|| Failure::bad("window", "one of 1h, 24h, 7d, 30d"))?;
    let project = app
        .core
        .registry
        .get(&slug)
        .ok_or_else(|| error::no_project(&slug))?;
    let now = app.core.clock.now();
    let (from, longest) = (now.before(span), now.before(WINDOWS[WINDOWS.len() - 1].1));
    let read = async {
        let items = app.store.news_of(project.id, longest, MAX_CHANGES).await?;
        let counts = app.store.minutes_of(project.id, from).await?;
        Ok((items, counts))
    };
    let (items, counts) = read.await.map_err(|error| error::database(&error))?;
    let uptime = WINDOWS
        .iter()
        .filter_map(|(name, span)| Some((*name, uptime(&items, now.before(*span), now)?)))
        .collect();
    let grain = if span > MINUTES_UP_TO { 60 } else { 1 };
    let mut grains = BTreeMap::<u64, u64>::new();
    for (minute, count) in counts {
        *grains.entry(minute / grain * grain).or_default() += count;
    }
    let before = items.iter().rposition(|item| item.at < from).unwrap_or(0);
    Ok(Json(History {
        slug,
        from: from.into(),
        to: now.into(),
        uptime,
        transitions: items.iter().skip(before).map(transition).collect(),
        heartbeats: grains
            .into_iter()
            .map(|(minute, count)| Heartbeats {
                from: Time::new(minute * MINUTE_MS).into(),
                count,
            })
            .collect(),
    }))
}

fn transition(item: &Item) -> Transition {
    Transition {
        id: item.id,
        at: item.at.into(),
        was: item.was,
        status: item.status,
        cause: item.cause,
    }
}

/// The spans of a window with what a project was in them, from its changes in order.
pub(super) fn spans(items: &[Item], from: Time, to: Time) -> Vec<(Time, Time, Status)> {
    let mut spans = Vec::new();
    for (place, item) in items.iter().enumerate() {
        let end = items.get(place + 1).map_or(to, |next| next.at).min(to);
        let start = item.at.max(from);
        if let Some(status) = item.status.filter(|_| start < end) {
            spans.push((start, end, status));
        }
    }
    spans
}

/// Of the time in a window for which it is known how a project was, the share in which it was alive.
pub(super) fn uptime(items: &[Item], from: Time, to: Time) -> Option<f64> {
    let (mut alive, mut known) = (0, 0);
    for (start, end, status) in spans(items, from, to) {
        let length = end.since(start).get();
        if status.is_alive() {
            alive += length;
        }
        if status.is_alive() || status == Status::Offline {
            known += length;
        }
    }
    // Of a window of a month in milliseconds nothing is lost.
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    (known > 0).then(|| alive as f64 / known as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(at: u64, status: Status) -> Item {
        Item {
            id: 1,
            project: 1,
            slug: "a".into(),
            at: Time::new(at),
            was: None,
            status: Some(status),
            cause: Cause::Heartbeat,
        }
    }

    #[test]
    fn uptime_is_of_the_time_that_is_known() {
        let items = [
            item(0, Status::New),
            item(100, Status::Online),
            item(200, Status::Offline),
            item(300, Status::Unknown),
            item(400, Status::Late),
        ];
        let up = |from, to| uptime(&items, Time::new(from), Time::new(to));
        assert_eq!(up(0, 100), None);
        assert_eq!(up(0, 200), Some(1.0));
        assert_eq!(up(0, 300), Some(0.5));
        // What is unknown counts neither way.
        assert_eq!(up(0, 400), Some(0.5));
        assert_eq!(up(0, 500), Some(200.0 / 300.0));
        assert_eq!(up(150, 250), Some(0.5));
        assert_eq!(uptime(&[], Time::new(0), Time::new(9)), None);
    }
}
