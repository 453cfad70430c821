//! What the catalog says of one project, and the rules that it keeps, whether it comes from a file or over HTTP.
use icn_api::presence::{Slug, SlugError};
use icn_model::PublicKey;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, net::IpAddr};
use url::{Host, Url};

/// Characters of a name.
pub(super) const MAX_NAME_CHARS: usize = 200;
/// Bytes of a URL.
pub(super) const MAX_URL_BYTES: usize = 2_048;
/// Bytes of a mesh namespace.
pub(super) const MAX_NAMESPACE_BYTES: usize = 100;
/// Tags of one project.
pub(super) const MAX_TAGS: usize = 32;
/// Bytes of a tag.
pub(super) const MAX_TAG_BYTES: usize = 50;
/// Projects that one may fan out to.
pub(super) const MAX_FANOUT: usize = 1_000;
/// What the names of other projects may begin with in `allow_fanout`.
const HUB_PREFIX: &str = "hub.";

/// What somebody wants to say of a project. Nothing of it has been checked.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct Draft {
    /// What it is called in subjects, paths and metrics: `^[a-z0-9](-?[a-z0-9]+)*$`, at most 50 characters.
    #[serde(alias = "slug")]
    #[cfg_attr(
        feature = "schema",
        schema(pattern = "^[a-z0-9](-?[a-z0-9]+)*$", max_length = 50)
    )]
    pub project_slug: String,
    /// What it is called among people: 1 to 200 characters.
    #[cfg_attr(feature = "schema", schema(min_length = 1, max_length = 200))]
    pub name: String,
    /// Where it is reached: an http or https URL.
    #[cfg_attr(feature = "schema", schema(format = "uri", max_length = 2048))]
    pub hub_url: String,
    /// Its namespace in the mesh; `hub.` and the slug if absent.
    #[serde(default)]
    pub mesh_namespace: Option<String>,
    /// Words to find it by, at most 32.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The projects that it may fan out to, with or without `hub.` before the slug.
    #[serde(default)]
    pub allow_fanout: Vec<String>,
    /// The Ed25519 key that its heartbeats have to be signed with, as `z6Mk…`; none have to be if absent.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub public_key: Option<String>,
}

/// What the catalog says of a project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub(crate) struct Entry {
    /// What it is called in subjects, paths and metrics.
    pub slug: Slug,
    /// What it is called among people.
    pub name: String,
    /// Where it is reached.
    pub hub_url: String,
    /// Its namespace in the mesh.
    pub mesh_namespace: String,
    /// Words to find it by, each once, in order.
    pub tags: Vec<String>,
    /// The projects that it may fan out to, as they were written.
    pub allow_fanout: Vec<String>,
    /// The key that its heartbeats have to be signed with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub public_key: Option<PublicKey>,
}

/// Something in a draft that no entry can have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flaw {
    /// Which part.
    pub field: &'static str,
    /// What is wrong with it, and what would be right.
    pub reason: String,
}

impl Draft {
    /// The entry, or everything that is wrong with it.
    ///
    /// # Errors
    /// All flaws at once.
    pub(crate) fn check(self) -> Result<Entry, Vec<Flaw>> {
        let mut flaws = Flaws::default();
        let slug = flaws.take("project_slug", slug(&self.project_slug));
        flaws.take("name", name(&self.name));
        flaws.take("hub_url", hub_url(&self.hub_url));
        let mesh_namespace = self.mesh_namespace.or_else(|| slug.as_ref().map(Slug::namespace));
        if let Some(namespace) = &mesh_namespace {
            flaws.take("mesh_namespace", namespace_rule(namespace));
        }
        let tags = flaws.take("tags", tags(self.tags));
        let fanout = flaws.take("allow_fanout", fanout(&self.allow_fanout));
        let key = self.public_key.map(|text| text.parse::<PublicKey>());
        let public_key = flaws.take("public_key", key.transpose().map_err(|error| error.to_string()));
        match (slug, mesh_namespace, tags, fanout, public_key) {
            (Some(slug), Some(mesh_namespace), Some(tags), Some(()), Some(public_key))
                if flaws.0.is_empty() =>
            {
                Ok(Entry {
                    slug,
                    name: self.name,
                    hub_url: self.hub_url,
                    mesh_namespace,
                    tags,
                    allow_fanout: self.allow_fanout,
                    public_key,
                })
            }
            _ => Err(flaws.0),
        }
    }
}

impl Entry {
    /// The slugs that it may fan out to.
    pub(crate) fn fanout(&self) -> impl Iterator<Item = &str> {
        let without_prefix = |name: &'_ String| name.strip_prefix(HUB_PREFIX).map_or(0, |_| HUB_PREFIX.len());
        self.allow_fanout
            .iter()
            .map(move |name| &name[without_prefix(name)..])
    }

    /// Whether a word of a search is in it, without regard to case.
    pub(crate) fn mentions(&self, lower_case: &str) -> bool {
        [
            self.slug.as_str(),
            &self.name,
            &self.hub_url,
            &self.mesh_namespace,
        ]
        .into_iter()
        .chain(self.tags.iter().map(String::as_str))
        .any(|text| text.to_lowercase().contains(lower_case))
    }
}

#[derive(Default)]
struct Flaws(Vec<Flaw>);

impl Flaws {
    fn take<T>(&mut self, field: &'static str, found: Result<T, String>) -> Option<T> {
        found.map_err(|reason| self.0.push(Flaw { field, reason })).ok()
    }
}

fn slug(text: &str) -> Result<Slug, String> {
    text.parse().map_err(|error: SlugError| error.to_string())
}

/// Text that people read: something to see, and nothing that changes how the rest is shown.
fn name(text: &str) -> Result<(), String> {
    let length = text.chars().count();
    if text.trim().is_empty() || length > MAX_NAME_CHARS {
        return Err(format!("1 to {MAX_NAME_CHARS} characters, not only spaces"));
    }
    if text.chars().any(is_unfit) {
        return Err("no control characters, and none that turn the direction of text".into());
    }
    Ok(())
}

fn is_unfit(character: char) -> bool {
    let turns =
        matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    character.is_control() || turns
}

/// Where a hub is reached. People follow it and other hubs call it, so it names a place on a network, not a script,
/// and not the addresses under which machines find their own secrets.
pub(crate) fn hub_url(text: &str) -> Result<(), String> {
    if text.len() > MAX_URL_BYTES {
        return Err(format!("at most {MAX_URL_BYTES} bytes"));
    }
    if text
        .chars()
        .any(|character| character.is_control() || character.is_whitespace())
    {
        return Err("no spaces and no control characters".into());
    }
    let url = Url::parse(text).map_err(|error| format!("no URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("a URL that begins with http:// or https://".into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("no user and no password: everybody who reads the catalog would know them".into());
    }
    let address = match url.host() {
        None => return Err("a URL with a host".into()),
        Some(Host::Domain(_)) => return Ok(()),
        Some(Host::Ipv4(address)) => IpAddr::V4(address),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).to_canonical(),
    };
    let link_local = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    if link_local || address.is_unspecified() || address.is_multicast() {
        return Err("no link-local, multicast or unspecified address: others could not reach it".into());
    }
    Ok(())
}

fn namespace_rule(text: &str) -> Result<(), String> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    let fits = (1..=MAX_NAMESPACE_BYTES).contains(&text.len()) && text.bytes().all(is_plain);
    let token = |token: &str| !token.is_empty();
    if fits && text.split('.').all(token) {
        Ok(())
    } else {
        Err(format!(
            "1 to {MAX_NAMESPACE_BYTES} lower-case letters, digits, '_', '-', and single dots between them"
        ))
    }
}

fn tags(tags: Vec<String>) -> Result<Vec<String>, String> {
    if tags.len() > MAX_TAGS {
        return Err(format!("at most {MAX_TAGS}, and these are {}", tags.len()));
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/-".contains(&byte);
    let fits = |tag: &&String| (1..=MAX_TAG_BYTES).contains(&tag.len()) && tag.bytes().all(is_plain);
    if tags.iter().all(|tag| fits(&tag)) {
        let once: BTreeSet<String> = tags.into_iter().collect();
        Ok(once.into_iter().collect())
    } else {
        Err(format!(
            "each 1 to {MAX_TAG_BYTES} letters, digits, '.', '_', ':', '/', '-'"
        ))
    }
}

fn fanout(names: &[String]) -> Result<(), String> {
    if names.len() > MAX_FANOUT {
        return Err(format!("at most {MAX_FANOUT}, and these are {}", names.len()));
    }
    for name in names {
        let bare = name.strip_prefix(HUB_PREFIX).unwrap_or(name);
        slug(bare).map_err(|error| format!("{:?}: {error}", shortened(name)))?;
    }
    Ok(())
}

/// The beginning of what somebody sent, to be named in an answer.
pub(crate) fn shortened(text: &str) -> String {
    const MOST: usize = 60;
    let mut short: String = text.chars().take(MOST).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn draft() -> Draft {
        Draft {
            project_slug: "project-a".into(),
            name: "Project A".into(),
            hub_url: "http://localhost:9001".into(),
            ..Draft::default()
        }
    }

    fn flaws(change: impl FnOnce(&mut Draft)) -> Vec<&'static str> {
        let mut draft = draft();
        change(&mut draft);
        match draft.check() {
            Ok(_) => Vec::new(),
            Err(flaws) => flaws.into_iter().map(|flaw| flaw.field).collect(),
        }
    }

    #[test]
    fn an_entry_keeps_what_was_written_and_adds_what_was_not() {
        let mut draft = draft();
        draft.tags = vec!["b".into(), "a".into(), "b".into()];
        draft.allow_fanout = vec!["hub.projecta".into(), "projectb".into()];
        let entry = draft.check().unwrap();
        assert_eq!(entry.mesh_namespace, "hub.project-a");
        assert_eq!(entry.tags, ["a", "b"]);
        assert_eq!(entry.allow_fanout, ["hub.projecta", "projectb"]);
        assert_eq!(entry.fanout().collect::<Vec<_>>(), ["projecta", "projectb"]);
        assert!(entry.mentions("project a") && entry.mentions("9001") && !entry.mentions("project b"));
    }

    #[test]
    fn every_rule_is_kept_and_all_flaws_are_told_at_once() {
        assert_eq!(flaws(|_| ()), <[&str; 0]>::default());
        assert_eq!(flaws(|draft| draft.project_slug = "A b".into()), ["project_slug"]);
        assert_eq!(flaws(|draft| draft.name = " ".into()), ["name"]);
        assert_eq!(flaws(|draft| draft.name = "a\u{202e}b".into()), ["name"]);
        assert_eq!(flaws(|draft| draft.name = "a\0".into()), ["name"]);
        assert_eq!(flaws(|draft| draft.name = "x".repeat(201)), ["name"]);
        assert_eq!(
            flaws(|draft| draft.mesh_namespace = Some("hub..a".into())),
            ["mesh_namespace"]
        );
        assert_eq!(
            flaws(|draft| draft.mesh_namespace = Some("hub.*".into())),
            ["mesh_namespace"]
        );
        assert_eq!(flaws(|draft| draft.tags = vec!["a b".into()]), ["tags"]);
        assert_eq!(flaws(|draft| draft.tags = vec!["a".into(); 100_000]), ["tags"]);
        assert_eq!(
            flaws(|draft| draft.allow_fanout = vec!["hub.".into()]),
            ["allow_fanout"]
        );
        assert_eq!(
            flaws(|draft| draft.public_key = Some("z6Mk".into())),
            ["public_key"]
        );
        let all = flaws(|draft| {
            draft.project_slug.clear();
            draft.name.clear();
            draft.hub_url.clear();
            draft.tags = vec![String::new()];
        });
        assert_eq!(all, ["project_slug", "name", "hub_url", "tags"]);
    }

    #[test]
    fn urls_name_a_place_that_others_reach() {
        for good in [
            "http://localhost:9001",
            "https://hub.example.org/path?x=1",
            "http://[::1]:9001",
            "http://10.0.0.7",
        ] {
            assert_eq!(hub_url(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "localhost:9001",
            "javascript:alert(1)",
            "JavaScript://x/%0aalert(1)",
            "data:text/html,x",
            "ftp://example.org",
            "http://",
            "http://user:word@example.org",
            "http://169.254.169.254/latest/meta-data",
            "http://0xa9fea9fe/",
            "http://[fe80::1]/",
            "http://[::ffff:169.254.169.254]/",
            "http://0.0.0.0:1",
            "http://exa mple.org",
            "http://example.org/\n",
            &format!("http://example.org/{}", "x".repeat(MAX_URL_BYTES)),
        ] {
            assert!(hub_url(bad).is_err(), "{bad}");
        }
    }
}
