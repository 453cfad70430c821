//! What the service answers when it does not do what was asked: numbers from 1301 on, beside those of every interface of
//! the project.
use crate::{
    catalog::{Flaw, Owner},
    dropped::Dropped,
    store::StoreError,
};
use icn_api::{ApiError, Problem};
use icn_model::Code;
use icn_serve::http::Failure;
use std::fmt::Display;

macro_rules! codes {
    ($( $name:ident $number:literal $text:literal $meaning:literal $remedy:literal; )*) => {
        $( #[doc = $meaning] pub(super) const $name: Code =
            Code { number: $number, name: $text, meaning: $meaning, remedy: $remedy }; )*

        /// Every code of the service's own.
        pub(crate) const CODES: &[Code] = &[$( $name, )*];
    };
}

codes! {
    KEY_NEEDED 1301 "key-needed" "The route needs a key, and none that counts was sent."
        "Send a key as X-API-Key or Authorization: Bearer. The operator makes keys with `icn-federation key add NAME`.";
    NOT_ALLOWED 1302 "not-allowed" "The key is known, but was not made for this."
        "Use a key of the scope, and for the project, that the detail names.";
    NO_PROJECT 1303 "no-project" "There is no project of that slug."
        "GET /api/fed/projects lists all; register it with POST /api/fed/projects.";
    TAKEN 1304 "slug-taken" "Somebody else has registered the slug."
        "Choose another slug, or have the entry changed by whoever it belongs to.";
    OF_FILE 1305 "entry-of-file" "The entry belongs to the catalog's file."
        "Change it in the file: it is read anew when it changes.";
    INVALID_PROJECT 1306 "invalid-project" "The entry breaks rules of the catalog. Nothing was changed."
        "Correct all that the detail names.";
    HEARTBEAT_REFUSED 1307 "heartbeat-refused" "The heartbeat does not count."
        "Correct what the detail names. The form is in GET /openapi.json.";
    HEARTBEAT_REPLAYED 1308 "heartbeat-replayed" "The heartbeat was there before, or a later one was."
        "Number heartbeats from 1 with a new boot_id after each start.";
    HEARTBEAT_UNSIGNED 1309 "heartbeat-unsigned" "The project has a key, and the heartbeat is not signed with it."
        "Sign as docs/operating/federation-service.md shows, or take the key out of the entry.";
    AWAY 1310 "database-away" "The database does not answer. Nothing was changed."
        "Try again; GET /readyz says when it is back. Heartbeats over NATS are kept meanwhile.";
    KEY_TAKEN 1311 "key-name-taken" "There is a key of that name."
        "Choose another name, or give the key a new secret with POST /api/fed/keys/{name}/rotate.";
    NO_KEY 1312 "no-key" "There is no key of that name."
        "GET /api/fed/keys lists all.";
    NO_WEBHOOK 1313 "no-webhook" "There is no webhook of that number."
        "GET /api/fed/webhooks lists all.";
    TOO_MANY_STREAMS 1314 "too-many-streams" "As many streams are open as the service keeps."
        "Close streams that nobody reads, or read GET /api/fed/projects now and then instead.";
    SLOW 1315 "database-slow" "The database did not confirm in time. What was sent may count already, or soon."
        "Look with GET /api/fed/projects, or send it again: an entry that is there already stays as it is.";
}

/// A failure of the service's own list.
pub(super) fn failure(code: Code, status: u16, detail: impl Display) -> Failure {
    Problem::new(code, status, detail).into()
}

pub(super) fn no_project(slug: &str) -> Failure {
    let slug = crate::catalog::shortened(slug);
    failure(NO_PROJECT, 404, format_args!("there is no project {slug:?}"))
}

pub(super) fn not_yours(owner: Owner, slug: &str) -> Failure {
    match owner {
        Owner::File => failure(
            OF_FILE,
            409,
            format_args!("{slug} is an entry of the catalog's file"),
        ),
        Owner::Api => failure(TAKEN, 409, format_args!("{slug} was registered by somebody else")),
    }
}

pub(super) fn invalid(flaws: &[Flaw]) -> Failure {
    let lines: Vec<_> = flaws
        .iter()
        .map(|flaw| format!("{}: {}", flaw.field, flaw.reason))
        .collect();
    failure(INVALID_PROJECT, 422, lines.join("; "))
}

pub(super) fn dropped(reason: Dropped) -> Failure {
    match reason {
        Dropped::Unknown => failure(NO_PROJECT, 404, reason),
        Dropped::TooLarge => ApiError::BodyTooLarge {
            max_bytes: icn_api::presence::MAX_HEARTBEAT_BYTES as u64,
        }
        .into(),
        Dropped::Replayed => failure(HEARTBEAT_REPLAYED, 409, reason),
        Dropped::Unsigned => failure(HEARTBEAT_UNSIGNED, 403, reason),
        Dropped::Malformed | Dropped::Mismatch | Dropped::Subject => failure(HEARTBEAT_REFUSED, 422, reason),
    }
}

/// What the database says is for the log: it may hold statements, and names of the operator's own.
pub(super) fn database(error: &StoreError) -> Failure {
    tracing::error!(%error, "the database does not answer a request");
    away()
}

pub(super) fn away() -> Failure {
    failure(AWAY, 503, "the database does not answer")
}

pub(super) fn slow() -> Failure {
    failure(SLOW, 503, "the database is slow")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_numbered_and_named_once() {
        for (place, code) in CODES.iter().enumerate() {
            assert_eq!(usize::from(code.number), 1_301 + place);
            assert!(CODES.iter().filter(|other| other.name == code.name).count() == 1);
        }
    }
}
