//! Who may call: keys with a name and a scope, of which the service keeps hashes only.
//!
//! A key is found by the SHA-256 of what was sent, and that is compared in constant time: how long it takes tells nothing
//! of any key. A slow hash as for passwords would gain nothing, since a secret is 256 random bits.
use crate::{
    clock::Clock,
    store::{Store, StoreError, StoredKey},
};
use icn_api::presence::Slug;
use icn_model::{Digest, Millis, Time};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    fmt,
    str::FromStr,
    sync::{Arc, PoisonError, RwLock},
};
use subtle::ConstantTimeEq as _;

/// What secrets begin with, so that people and scanners know what they found.
const PREFIX: &str = "icnfed_";
/// How long the former secret of a rotated key counts if nobody says.
pub(crate) const DEFAULT_OVERLAP: Millis = Millis::from_secs(24 * 3_600);

/// What a key is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// To read the catalog.
    Read,
    /// To read, and to register and beat for one project.
    Project(Slug),
    /// Everything.
    Admin,
}

impl Scope {
    /// As on the wire.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Project(_) => "project",
            Self::Admin => "admin",
        }
    }

    /// From its parts.
    ///
    /// # Errors
    /// If they do not fit together.
    pub(crate) fn of(name: &str, slug: Option<Slug>) -> Result<Self, &'static str> {
        match (name, slug) {
            ("read", None) => Ok(Self::Read),
            ("admin", None) => Ok(Self::Admin),
            ("project", Some(slug)) => Ok(Self::Project(slug)),
            ("project", None) => Err("a key of scope project needs the slug that it is for"),
            ("read" | "admin", Some(_)) => Err("only a key of scope project is for one slug"),
            _ => Err("one of read, project, admin"),
        }
    }

    /// Whether it lets its holder speak for a project.
    pub(crate) fn covers(&self, slug: &str) -> bool {
        match self {
            Self::Read => false,
            Self::Project(own) => own.as_str() == slug,
            Self::Admin => true,
        }
    }

    /// The one project that it is for.
    pub(crate) const fn slug(&self) -> Option<&Slug> {
        match self {
            Self::Project(slug) => Some(slug),
            Self::Read | Self::Admin => None,
        }
    }
}

/// What a key is called: 1 to 64 lower-case letters, digits, `.`, `_` and `-`.
pub(crate) type KeyName = icn_api::keys::KeyName;

/// A key as requests meet it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    /// What it is called; brackets, which no name has, for those of the configuration.
    pub name: String,
    /// What it is good for.
    pub scope: Scope,
    /// Until when it counts.
    until: Option<Time>,
}

/// A secret with what is kept of it. It is told once.
pub(crate) struct Made {
    /// What the holder sends.
    pub secret: String,
    /// What is kept.
    pub(crate) stored: StoredKey,
}

/// Without the secret.
impl fmt::Debug for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Made")
            .field("name", &self.stored.name)
            .finish_non_exhaustive()
    }
}

/// What is wanted of a new key.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// What it is to be called.
    pub name: KeyName,
    /// What it is to be good for.
    pub scope: Scope,
    /// Until when it is to count.
    pub expires: Option<Time>,
}

/// There is no randomness.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the system gives no randomness")]
pub(crate) struct NoRandomness;

impl Made {
    /// A key with a new secret.
    ///
    /// # Errors
    /// If the system gives no randomness.
    pub(crate) fn new(wanted: &Wanted, at: Time, by: &str) -> Result<Self, NoRandomness> {
        let secret = generate()?;
        Ok(Self {
            stored: StoredKey {
                name: wanted.name.to_string(),
                scope: wanted.scope.name().into(),
                slug: wanted.scope.slug().map(ToString::to_string),
                hash: hash(&secret),
                former: None,
                former_until: None,
                created: at,
                created_by: by.into(),
                expires: wanted.expires,
            },
            secret,
        })
    }
}

/// A secret of 256 random bits.
///
/// # Errors
/// If the system gives no randomness.
pub(crate) fn generate() -> Result<String, NoRandomness> {
    let mut bytes = [0; Digest::LEN];
    getrandom::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(format!("{PREFIX}{}", Digest::new(bytes)))
}

/// What is kept of a secret.
pub(crate) fn hash(secret: &str) -> String {
    Digest::of(secret.as_bytes()).to_string()
}

/// The keys that count.
pub(crate) struct Keys {
    clock: Clock,
    configured: HashMap<Digest, Holder>,
    stored: RwLock<HashMap<Digest, Holder>>,
}

impl Keys {
    /// The keys of the configuration, which are the operator's own.
    pub(crate) fn new(clock: Clock, configured: &[String]) -> Arc<Self> {
        let holder = |(place, secret): (usize, &String)| {
            let holder = Holder {
                name: format!("(configured {})", place + 1),
                scope: Scope::Admin,
                until: None,
            };
            (Digest::of(secret.as_bytes()), holder)
        };
        Arc::new(Self {
            clock,
            configured: configured.iter().enumerate().map(holder).collect(),
            stored: RwLock::default(),
        })
    }

    /// Reads the keys of the database anew.
    pub(crate) async fn load(&self, store: &Store) -> Result<(), StoreError> {
        let mut stored = HashMap::new();
        for key in store.keys().await? {
            let slug = key.slug.as_deref().and_then(|slug| slug.parse().ok());
            let Ok(scope) = Scope::of(&key.scope, slug) else {
                return Err(StoreError::Strange(format!("the key {:?}", key.name)));
            };
            let holder = |until| Holder {
                name: key.name.clone(),
                scope: scope.clone(),
                until,
            };
            let earlier = |a: Option<Time>, b: Option<Time>| match (a, b) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (one, other) => one.or(other),
            };
            let former = key
                .former
                .as_deref()
                .map(|former| (former, earlier(key.former_until, key.expires)));
            for (hash, until) in former.into_iter().chain([(key.hash.as_str(), key.expires)]) {
                let hash = Digest::from_str(hash).map_err(|_| StoreError::Strange("a damaged key".into()))?;
                stored.insert(hash, holder(until));
            }
        }
        *self.stored.write().unwrap_or_else(PoisonError::into_inner) = stored;
        Ok(())
    }

    /// The key whose secret this is, if it counts.
    pub(crate) fn find(&self, secret: &[u8]) -> Option<Holder> {
        let sent = Digest::of(secret);
        let stored = self.stored.read().unwrap_or_else(PoisonError::into_inner);
        let (hash, holder) = self
            .configured
            .get_key_value(&sent)
            .or_else(|| stored.get_key_value(&sent))?;
        // The map has compared them, too, and what it compares with is no secret: this says so to whoever reads it.
        let same = bool::from(hash.as_bytes().ct_eq(sent.as_bytes()));
        let counts = holder.until.is_none_or(|until| until > self.clock.now());
        (same && counts).then(|| holder.clone())
    }

    /// Whether somebody can administer the service.
    pub(crate) fn has_admin(&self) -> bool {
        let stored = self.stored.read().unwrap_or_else(PoisonError::into_inner);
        !self.configured.is_empty() || stored.values().any(|holder| holder.scope == Scope::Admin)
    }
}

/// A key as it is listed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct KeyView {
    /// What it is called.
    pub name: String,
    /// What it is good for: read, project or admin.
    pub scope: String,
    /// The one project that it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    /// When it was made.
    pub created: crate::moment::Moment,
    /// With which key.
    pub created_by: String,
    /// Until when it counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<crate::moment::Moment>,
    /// Until when the secret before the last rotation counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former_until: Option<crate::moment::Moment>,
}

impl From<StoredKey> for KeyView {
    fn from(key: StoredKey) -> Self {
        Self {
            name: key.name,
            scope: key.scope,
            slug: key.slug,
            created: key.created.into(),
            created_by: key.created_by,
            expires: key.expires.map(Into::into),
            former_until: key.former_until.map(Into::into),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configured_keys_open_and_nothing_else_does() {
        let keys = Keys::new(Clock::default(), &["old-key".into(), "new-key".into()]);
        assert_eq!(keys.find(b"old-key").unwrap().scope, Scope::Admin);
        assert_eq!(keys.find(b"new-key").unwrap().name, "(configured 2)");
        for other in [&b""[..], b"old-ke", b"old-key ", b"OLD-KEY", b"\xff"] {
            assert!(keys.find(other).is_none());
        }
        assert!(keys.has_admin());
        assert!(!Keys::new(Clock::default(), &[]).has_admin());
    }

    #[test]
    fn a_scope_is_for_one_project_or_for_all() {
        let slug = || Some("a".parse().unwrap());
        let own = Scope::of("project", slug()).unwrap();
        assert!(own.covers("a") && !own.covers("b") && !Scope::Read.covers("a") && Scope::Admin.covers("a"));
        assert!(Scope::of("project", None).is_err());
        assert!(Scope::of("admin", slug()).is_err());
        assert!(Scope::of("root", None).is_err());
    }
}
