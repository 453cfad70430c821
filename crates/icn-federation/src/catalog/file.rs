//! The catalog's file: YAML, checked as a whole, every fault with its line.
use super::entry::{Draft, Entry, shortened};
use serde_json::Value;
use serde_saphyr::Spanned;
use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    path::{Path, PathBuf},
};

/// Largest file: ten thousand entries with room to spare.
pub(super) const MAX_FILE_BYTES: u64 = 32 << 20;
/// Faults that are told; one fault early on may make many.
const MAX_FAULTS: usize = 100;

/// Everything that is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// It cannot be read.
    #[error("cannot read the catalog {}: {source}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is too large.
    #[error("the catalog {} is larger than {MAX_FILE_BYTES} bytes", path.display())]
    TooLarge {
        /// Which file.
        path: PathBuf,
    },
    /// What it says cannot be.
    #[error("the catalog cannot be used:\n{}", Lines(.0))]
    Faults(Vec<Fault>),
}

/// One fault.
#[derive(Debug)]
pub(crate) struct Fault {
    place: String,
    text: String,
}

struct Lines<'a>(&'a [Fault]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, Fault { place, text }) in self.0.iter().take(MAX_FAULTS).enumerate() {
            let separator = if at == 0 { "" } else { "\n" };
            write!(f, "{separator}  {place}: {text}")?;
        }
        match self.0.len().checked_sub(MAX_FAULTS) {
            None | Some(0) => Ok(()),
            Some(more) => write!(f, "\n  and {more} more"),
        }
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    projects: Option<Vec<Spanned<Fields>>>,
}

/// An entry as it is written: every field with its place.
type Fields = BTreeMap<String, Spanned<Value>>;

/// Reads a catalog.
///
/// # Errors
/// Names every fault, each with its line.
pub(crate) fn read(path: &Path) -> Result<Vec<Entry>, FileError> {
    let read = |source| FileError::Read {
        path: path.to_owned(),
        source,
    };
    if std::fs::metadata(path).map_err(read)?.len() > MAX_FILE_BYTES {
        return Err(FileError::TooLarge {
            path: path.to_owned(),
        });
    }
    let text = std::fs::read_to_string(path).map_err(read)?;
    parse(&path.display().to_string(), &text).map_err(FileError::Faults)
}

/// The entries of a catalog, or every fault in it. `name` stands before the lines of the faults.
fn parse(name: &str, text: &str) -> Result<Vec<Entry>, Vec<Fault>> {
    let document: Option<Document> = serde_saphyr::from_str(text).map_err(|error| {
        let place = match error.location() {
            Some(location) => format!("{name}:{}:{}", location.line(), location.column()),
            None => name.to_owned(),
        };
        let text = error.without_snippet().to_string();
        vec![Fault { place, text }]
    })?;
    let mut faults = Vec::new();
    let mut entries = Vec::new();
    let mut lines = HashMap::new();
    for item in document
        .and_then(|document| document.projects)
        .unwrap_or_default()
    {
        let line = item.defined.line();
        match entry(item.value) {
            Ok(entry) => {
                if let Some(first) = lines.insert(entry.slug.clone(), line) {
                    faults.push(Fault {
                        place: format!("{name}:{line}"),
                        text: format!("project_slug: {} is in line {first} already", entry.slug),
                    });
                }
                entries.push(entry);
            }
            Err(found) => faults.extend(found.into_iter().map(|(at, text)| Fault {
                place: format!("{name}:{}", at.unwrap_or(line)),
                text,
            })),
        }
    }
    if faults.is_empty() {
        Ok(entries)
    } else {
        Err(faults)
    }
}

type LineAndText = (Option<u64>, String);

/// An entry from its fields, or what is wrong with them, with the line where it is known.
fn entry(fields: Fields) -> Result<Entry, Vec<LineAndText>> {
    let mut faults = Vec::new();
    let mut draft = Draft::default();
    let mut lines = HashMap::new();
    for (name, Spanned { value, defined, .. }) in fields {
        let line = defined.line();
        let taken = match name.as_str() {
            "project_slug" | "slug" if lines.contains_key("project_slug") => {
                Err("slug and project_slug mean the same: give one of them".into())
            }
            "project_slug" | "slug" => text(value).map(|text| draft.project_slug = text),
            "name" => text(value).map(|text| draft.name = text),
            "hub_url" => text(value).map(|text| draft.hub_url = text),
            "mesh_namespace" => text(value).map(|text| draft.mesh_namespace = Some(text)),
            "public_key" => text(value).map(|text| draft.public_key = Some(text)),
            "tags" => texts(value).map(|texts| draft.tags = texts),
            "allow_fanout" => texts(value).map(|texts| draft.allow_fanout = texts),
            _ => Err(
                "there is no such key; there are project_slug, name, hub_url, mesh_namespace, tags, \
                      allow_fanout, public_key"
                    .into(),
            ),
        };
        let canonical = if name == "slug" {
            "project_slug".to_owned()
        } else {
            name.clone()
        };
        lines.insert(canonical, line);
        if let Err(reason) = taken {
            faults.push((Some(line), format!("{}: {reason}", shortened(&name))));
        }
    }
    let is_faulty: Vec<_> = faults.iter().map(|(line, _)| *line).collect();
    match draft.check() {
        Ok(entry) if faults.is_empty() => return Ok(entry),
        Ok(_) => {}
        Err(flaws) => {
            for flaw in flaws {
                match lines.get(flaw.field) {
                    // Its type was wrong already.
                    Some(line) if is_faulty.contains(&Some(*line)) => {}
                    Some(line) => faults.push((Some(*line), format!("{}: {}", flaw.field, flaw.reason))),
                    None => faults.push((None, format!("{} is missing: {}", flaw.field, flaw.reason))),
                }
            }
        }
    }
    Err(faults)
}

fn text(value: Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text),
        // A slug or a name may look like one.
        Value::Number(number) => Ok(number.to_string()),
        other => Err(format!("text is needed, not {}", kind(&other))),
    }
}

fn texts(value: Value) -> Result<Vec<String>, String> {
    match value {
        Value::Array(items) => items.into_iter().map(text).collect(),
        other => Err(format!("a list is needed, not {}", kind(&other))),
    }
}

const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    const SEED: &str = "\
projects:
  - project_slug: commandcenter
    name: Main CommandCenter
    hub_url: http://localhost:9001
    mesh_namespace: hub.commandcenter
    tags: [primary, production]
    allow_fanout: [hub.projecta, hub.projectb]

  - project_slug: projecta
    name: Project A CommandCenter
    hub_url: http://localhost:9002
    mesh_namespace: hub.projecta
    tags: [client, staging]
    allow_fanout: []
";

    fn faults(text: &str) -> String {
        match parse("p.yaml", text) {
            Ok(entries) => format!("{} entries", entries.len()),
            Err(faults) => Lines(&faults).to_string(),
        }
    }

    #[test]
    fn the_example_of_the_deployment_guide_is_a_catalog() {
        let entries = parse("p.yaml", SEED).unwrap();
        assert_eq!(entries.len(), 2);
        assert_eq!(entries[0].slug.as_str(), "commandcenter");
        assert_eq!(entries[0].tags, ["primary", "production"]);
        assert_eq!(entries[0].allow_fanout, ["hub.projecta", "hub.projectb"]);
        assert_eq!(entries[1].hub_url, "http://localhost:9002");
    }

    #[test]
    fn an_empty_file_has_no_entries() {
        for empty in ["", "# nothing\n", "projects:\n", "projects: []\n", "---\n"] {
            assert_eq!(faults(empty), "0 entries", "{empty:?}");
        }
    }

    #[test]
    fn all_faults_are_told_with_their_lines() {
        let text = SEED
            .replace("project_slug: projecta", "project_slug: Project A")
            .replace("http://localhost:9001", "javascript:alert(1)")
            .replace("tags: [client, staging]", "tags: client")
            .replace("    allow_fanout: []\n", "    colour: green\n");
        let told = faults(&text);
        for expected in [
            "p.yaml:4: hub_url: a URL that begins with http",
            "p.yaml:9: project_slug: a slug has",
            "p.yaml:13: tags: a list is needed, not text",
            "p.yaml:14: colour: there is no such key",
        ] {
            assert!(told.contains(expected), "{expected} in {told}");
        }
        assert_eq!(told.lines().count(), 4, "{told}");
    }

    #[test]
    fn what_is_missing_or_there_twice_is_told_with_the_line_of_its_entry() {
        assert!(faults("projects:\n  - name: A\n").contains("p.yaml:2: project_slug is missing"));
        let twice = SEED.replace("project_slug: projecta", "slug: commandcenter");
        assert!(faults(&twice).contains("p.yaml:9: project_slug: commandcenter is in line 2 already"));
        let both = SEED.replace(
            "project_slug: projecta",
            "project_slug: projecta\n    slug: projecta",
        );
        assert!(faults(&both).contains("mean the same"), "{}", faults(&both));
    }

    #[test]
    fn what_is_no_catalog_is_told_with_its_place() {
        for text in [
            "projects: 7\n",
            "project:\n  - a\n",
            "projects:\n  - [1]\n",
            "projects:\n  - {a: [\n",
        ] {
            let told = faults(text);
            assert!(told.trim_start().starts_with("p.yaml:"), "{text:?}: {told}");
        }
        let deep = format!("projects: {}", "[".repeat(10_000));
        assert!(faults(&deep).contains("p.yaml"));
        let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nprojects: [*b,*b,*b]\n";
        assert!(faults(bomb).contains("p.yaml"));
    }

    #[test]
    fn ten_thousand_entries_are_read() {
        let mut text = String::from("projects:\n");
        for number in 0..10_000 {
            let _ = write!(
                text,
                "  - project_slug: project-{number}\n    name: Project {number}\n    hub_url: http://hub-{number}.example.org\n    tags: [a, b]\n"
            );
        }
        assert_eq!(faults(&text), "10000 entries");
    }
}
