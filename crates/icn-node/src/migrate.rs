//! Moving a store to another backend: the `storage migrate` of the command line.
use anyhow::{Context as _, bail};
use icn_model::Digest;
use icn_store::{BackendKind, Contents, Location, Step};
use std::{
    io::{IsTerminal as _, Write as _},
    ops::ControlFlow,
    str::FromStr as _,
    time::{Duration, Instant},
};

/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_millis(200);

/// A place as people write it: `BACKEND:DIRECTORY`, a database's URL, or a directory of the default backend.
///
/// # Errors
/// If backend and place do not go together.
pub fn location(text: &str) -> anyhow::Result<Location> {
    let named = text
        .split_once(':')
        .and_then(|(kind, place)| Some((BackendKind::from_str(kind).ok()?, place)));
    let (kind, place) = match named {
        // The name before a URL's slashes is its scheme.
        Some((BackendKind::Postgresql, place)) if place.starts_with("//") => (None, text),
        Some((kind, place)) if place.starts_with("//") => {
            bail!("{text} is no place: {kind} keeps its store in a directory, as in {kind}:./icn_data/store")
        }
        Some((kind, place)) => (Some(kind), place),
        None => (None, text),
    };
    Location::new(kind, place).with_context(
        || "a place is BACKEND:DIRECTORY, as in sled:./icn_data/node.sled, or a postgresql:// URL",
    )
}

/// Moves the store at `from` to the empty place `to`, and tells on stderr how far it is.
///
/// # Errors
/// Whatever keeps the target from holding what the source holds. The source is not changed.
pub fn run(from: &Location, to: &Location) -> anyhow::Result<Contents> {
    let shows = std::io::stderr().is_terminal();
    let mut told = Instant::now();
    let moved = icn_store::migrate(from, to, &mut |progress| {
        if shows && told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            let step = match progress.step {
                Step::Clear => "cleared",
                Step::Copy => "copied",
                Step::Verify => "verified",
            };
            // A terminal that is gone is no reason to stop half-way.
            let _ = write!(
                std::io::stderr(),
                "\r{step} {} entries, {} bytes   ",
                progress.entries,
                progress.bytes
            );
        }
        ControlFlow::Continue(())
    });
    if shows {
        let _ = writeln!(std::io::stderr());
    }
    Ok(moved?)
}

/// What was moved, as one line of JSON or of text.
pub fn report(moved: &Contents, json: bool) -> String {
    let digest = Digest::new(moved.digest).to_string();
    if json {
        serde_json::json!({ "entries": moved.entries, "bytes": moved.bytes, "sha256": digest }).to_string()
    } else {
        format!(
            "moved {} entries, {} bytes, sha256 {digest}",
            moved.entries, moved.bytes
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_people_write_them() {
        let read = |text: &str| {
            let location = location(text).unwrap();
            (location.kind(), location.to_string())
        };
        assert_eq!(
            read("sled:./a/node.sled"),
            (BackendKind::Sled, "./a/node.sled".into())
        );
        assert_eq!(
            read("./icn_data/store"),
            (BackendKind::Fjall, "./icn_data/store".into())
        );
        assert_eq!(read("postgres://user:secret@db/icn").0, BackendKind::Postgresql);
        assert_eq!(read("C:/store"), (BackendKind::Fjall, "C:/store".into()));
        for wrong in ["sled:", "postgresql:./store", "redb://there"] {
            assert!(location(wrong).is_err(), "{wrong}");
        }
    }
}
