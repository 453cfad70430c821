//! The keys of the interface: the configured one, and named ones that are made, rotated and revoked while the node
//! runs.
//!
//! Of a named key the node keeps the SHA-256 of its secret, in `api_keys.json` in the data directory. A slow hash
//! as for passwords would gain nothing: a secret is 256 random bits, which nobody can try out, however fast.
use super::{
    key_file::{self, FILE, Secret, Stored},
    now,
};
use anyhow::Context as _;
use icn_api::{
    Scope,
    keys::{DEFAULT_OVERLAP, KeyName, KeyView, MAX_KEYS, MAX_OVERLAP, MadeKey, NewKey},
    node::KeyEnd,
};
use icn_model::{Digest, Millis, Time};
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};
use tokio::sync::watch;

/// Secrets of one key that count at once: rotating more often ends the oldest early.
const MAX_SECRETS: usize = 4;
/// What secrets begin with, so that people and scanners know what they found.
const PREFIX: &str = "icn_";

/// A key as requests meet it.
#[derive(Debug)]
pub(crate) struct Holder {
    /// What it is called in the audit log; brackets, which no name has, for those that are configured.
    pub(crate) name: String,
    /// What it is good for.
    pub(crate) scope: Scope,
    /// Whether it is the operator's own.
    pub(crate) configured: bool,
    /// When it was last used, in milliseconds; 0 for never.
    last_used: AtomicU64,
}

impl Holder {
    fn new(name: impl Into<String>, scope: Scope, configured: bool) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            scope,
            configured,
            last_used: AtomicU64::new(0),
        })
    }
}

/// Why a key is not made or changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    /// There is one.
    #[error("there is a key called {0} already")]
    Taken(KeyName),
    /// There is none.
    #[error("there is no key called {0}")]
    Unknown(KeyName),
    /// There are [`MAX_KEYS`].
    #[error("there are {MAX_KEYS} keys already")]
    TooMany,
    /// What is asked for makes no sense.
    #[error("{field}: {reason}")]
    Senseless {
        /// Which part of it.
        field: &'static str,
        /// Why.
        reason: String,
    },
    /// The file cannot be written, or there is no randomness.
    #[error("{0:#}")]
    Failed(anyhow::Error),
}

#[derive(Clone)]
struct Entry {
    stored: Stored,
    holder: Arc<Holder>,
}

impl Entry {
    fn new(stored: Stored) -> Self {
        let holder = Holder::new(stored.name.as_str(), stored.scope, false);
        Self { stored, holder }
    }

    fn view(&self, at: Time) -> KeyView {
        let Stored {
            name,
            scope,
            created,
            created_by,
            expires,
            secrets,
        } = &self.stored;
        let last_used = self.holder.last_used.load(Ordering::Relaxed);
        let overlap = secrets
            .iter()
            .filter_map(|secret| secret.until)
            .filter(|until| *until > at);
        KeyView {
            name: name.clone(),
            scope: *scope,
            created: *created,
            created_by: created_by.clone(),
            expires: *expires,
            expired: self.stored.is_expired(at),
            rotated: secrets.last().map_or(*created, |secret| secret.created),
            overlap_until: overlap.max(),
            last_used: (last_used > 0).then(|| Time::new(last_used)),
        }
    }
}

/// The keys that count.
pub(crate) struct Keys {
    configured: Vec<(Digest, Arc<Holder>)>,
    path: PathBuf,
    named: RwLock<Vec<Entry>>,
    /// Held while the file is written, so that changes come one after the other.
    writing: Mutex<()>,
    /// Tells of each change.
    changes: watch::Sender<()>,
}

impl Keys {
    /// The configured key, the configured token, and what is kept in `data_dir`.
    ///
    /// # Errors
    /// If the file cannot be read, or is damaged.
    pub(crate) fn open(data_dir: &Path, api_key: &str, token: Option<&str>) -> anyhow::Result<Self> {
        let admin = |name, secret: &str| {
            let holder = Holder::new(name, Scope::Admin, true);
            (Digest::of(secret.as_bytes()), holder)
        };
        let token = token.map(|token| admin("(configured token)", token));
        let path = data_dir.join(FILE);
        let named = key_file::read(&path).with_context(|| {
            let path = path.display();
            format!("cannot use the keys in {path}: mend it, or move it away and make the keys anew")
        })?;
        Ok(Self {
            configured: [admin("(configured key)", api_key)]
                .into_iter()
                .chain(token)
                .collect(),
            path,
            named: RwLock::new(named.into_iter().map(Entry::new).collect()),
            writing: Mutex::new(()),
            changes: watch::Sender::new(()),
        })
    }

    /// The key whose secret this is, if it counts.
    ///
    /// Every hash is compared, in constant time and to the end: how long it takes tells nothing about any of them.
    pub(crate) fn find(&self, secret: Digest) -> Option<Arc<Holder>> {
        let at = now();
        let holder = self.holder(secret, at)?;
        holder.last_used.store(at.get(), Ordering::Relaxed);
        Some(holder)
    }

    /// Whether a secret still counts, and for at least `scope`.
    pub(crate) fn still_good(&self, secret: Digest, scope: Scope) -> bool {
        self.holder(secret, now())
            .is_some_and(|holder| holder.scope >= scope)
    }

    /// Tells of each change of the named keys.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    fn holder(&self, hash: Digest, at: Time) -> Option<Arc<Holder>> {
        let is = |secret: &Digest| secret.as_bytes().ct_eq(hash.as_bytes());
        let named = self.read();
        let (mut place, mut found) = (0_u64, Choice::from(0));
        let mut candidates = Vec::with_capacity(self.configured.len() + named.len());
        let mut compare = |same: Choice, holder| {
            place.conditional_assign(&(candidates.len() as u64), same);
            found |= same;
            candidates.push(holder);
        };
        for (secret, holder) in &self.configured {
            compare(is(secret), holder);
        }
        for Entry { stored, holder } in named.iter().filter(|entry| !entry.stored.is_expired(at)) {
            let counts = |secret: &&Secret| secret.until.is_none_or(|until| until > at);
            let secrets = stored.secrets.iter().filter(counts);
            let same = secrets.fold(Choice::from(0), |same, secret| same | is(&secret.sha256));
            compare(same, holder);
        }
        let holder = bool::from(found).then(|| candidates.get(usize::try_from(place).ok()?))??;
        Some(Arc::clone(holder))
    }

    /// The named keys, by name.
    pub(crate) fn list(&self) -> Vec<KeyView> {
        let at = now();
        self.read().iter().map(|entry| entry.view(at)).collect()
    }

    /// How many count at `at`, and which end within `soon` or have ended.
    pub(crate) fn ending(&self, at: Time, soon: Millis) -> (u64, Vec<KeyEnd>) {
        let named = self.read();
        let ending = named.iter().filter_map(|Entry { stored, .. }| {
            let expires = stored.expires.filter(|expires| *expires <= at.after(soon))?;
            Some(KeyEnd {
                name: stored.name.clone(),
                expires,
            })
        });
        let counting = named.iter().filter(|entry| !entry.stored.is_expired(at)).count();
        (counting as u64, ending.collect())
    }

    /// Makes a key; `by` is the name of the key that asks for it.
    pub(crate) fn make(&self, new: NewKey, by: &str) -> Result<MadeKey, KeyError> {
        let at = now();
        if new.scope == Scope::Open {
            return Err(senseless(
                "scope",
                "open needs no key: one of read, submit, operate, admin",
            ));
        }
        if new.expires.is_some_and(|expires| expires <= at) {
            return Err(senseless("expires", "that moment is past"));
        }
        self.change(|named| {
            if named.iter().any(|entry| entry.stored.name == new.name) {
                return Err(KeyError::Taken(new.name));
            }
            if named.len() >= MAX_KEYS {
                return Err(KeyError::TooMany);
            }
            let (secret, kept) = generate(at)?;
            let entry = Entry::new(Stored {
                name: new.name,
                scope: new.scope,
                created: at,
                created_by: by.to_owned(),
                expires: new.expires,
                secrets: vec![kept],
            });
            let key = entry.view(at);
            named.push(entry);
            named.sort_by(|a, b| a.stored.name.cmp(&b.stored.name));
            Ok(MadeKey { key, secret })
        })
    }

    /// Gives a key a new secret; the present one counts for `overlap` longer.
    pub(crate) fn rotate(&self, name: KeyName, overlap: Option<Millis>) -> Result<MadeKey, KeyError> {
        let overlap = overlap.unwrap_or(DEFAULT_OVERLAP);
        if overlap > MAX_OVERLAP {
            return Err(senseless("overlap_ms", "at most 90 days"));
        }
        let at = now();
        self.change(|named| {
            let entry = named.iter_mut().find(|entry| entry.stored.name == name);
            let entry = entry.ok_or(KeyError::Unknown(name))?;
            if entry.stored.is_expired(at) {
                return Err(senseless(
                    "name",
                    "the key has expired: revoke it and make a new one",
                ));
            }
            let (secret, kept) = generate(at)?;
            let secrets = &mut entry.stored.secrets;
            let end = at.after(overlap);
            for old in secrets.iter_mut() {
                old.until = Some(old.until.map_or(end, |until| until.min(end)));
            }
            secrets.retain(|old| old.until.is_some_and(|until| until > at));
            if secrets.len() >= MAX_SECRETS {
                secrets.drain(..=secrets.len() - MAX_SECRETS);
            }
            secrets.push(kept);
            Ok(MadeKey {
                key: entry.view(at),
                secret,
            })
        })
    }

    /// Takes a key away.
    pub(crate) fn revoke(&self, name: KeyName) -> Result<KeyView, KeyError> {
        self.change(|named| {
            let place = named.iter().position(|entry| entry.stored.name == name);
            let place = place.ok_or(KeyError::Unknown(name))?;
            Ok(named.remove(place).view(now()))
        })
    }

    /// Changes the keys: on disk first, then for requests. Blocks for as long as the disk takes.
    fn change<T>(&self, change: impl FnOnce(&mut Vec<Entry>) -> Result<T, KeyError>) -> Result<T, KeyError> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut named = self.read().clone();
        let done = change(&mut named)?;
        let stored = named.iter().map(|entry| entry.stored.clone()).collect();
        key_file::write(&self.path, stored)
            .with_context(|| format!("cannot write {}", self.path.display()))
            .map_err(KeyError::Failed)?;
        *self.named.write().unwrap_or_else(PoisonError::into_inner) = named;
        self.changes.send_replace(());
        Ok(done)
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Vec<Entry>> {
        // The list is replaced as a whole, so whoever panicked left a good one.
        self.named.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn senseless(field: &'static str, reason: &str) -> KeyError {
    KeyError::Senseless {
        field,
        reason: reason.into(),
    }
}

/// A secret of 256 random bits, and what is kept of it.
fn generate(at: Time) -> Result<(String, Secret), KeyError> {
    let mut bytes = [0; Digest::LEN];
    getrandom::fill(&mut bytes)
        .map_err(|error| KeyError::Failed(anyhow::anyhow!("no randomness: {error}")))?;
    let secret = format!("{PREFIX}{}", Digest::new(bytes));
    let kept = Secret {
        sha256: Digest::of(secret.as_bytes()),
        created: at,
        until: None,
    };
    Ok((secret, kept))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn new(name: &str, scope: Scope) -> NewKey {
        NewKey {
            name: name.parse().unwrap(),
            scope,
            expires: None,
        }
    }

    fn who(keys: &Keys, secret: &str) -> Option<(String, Scope)> {
        keys.find(Digest::of(secret.as_bytes()))
            .map(|holder| (holder.name.clone(), holder.scope))
    }

    #[test]
    fn only_a_secret_opens_and_only_its_hash_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let keys = Keys::open(dir.path(), "dev-key-123", Some("a-bearer-token")).unwrap();
        assert_eq!(
            who(&keys, "dev-key-123"),
            Some(("(configured key)".into(), Scope::Admin))
        );
        assert_eq!(
            who(&keys, "a-bearer-token"),
            Some(("(configured token)".into(), Scope::Admin))
        );
        for other in ["", "dev-key-12", "dev-key-1234", "DEV-KEY-123"] {
            assert_eq!(who(&keys, other), None);
        }
        let made = keys.make(new("ci", Scope::Submit), "me").unwrap();
        assert!(made.secret.starts_with(PREFIX) && made.secret.len() == PREFIX.len() + 64);
        let file = fs::read_to_string(dir.path().join(FILE)).unwrap();
        assert!(!file.contains(&made.secret[PREFIX.len()..]));
        for keys in [&keys, &Keys::open(dir.path(), "another-key", None).unwrap()] {
            assert_eq!(who(keys, &made.secret), Some(("ci".into(), Scope::Submit)));
            assert!(keys.list()[0].last_used.is_some());
        }
        assert!(matches!(
            keys.make(new("ci", Scope::Read), "me"),
            Err(KeyError::Taken(_))
        ));
        keys.revoke("ci".parse().unwrap()).unwrap();
        assert_eq!(who(&keys, &made.secret), None);
        assert!(matches!(
            keys.revoke("ci".parse().unwrap()),
            Err(KeyError::Unknown(_))
        ));
        assert!(
            Keys::open(dir.path(), "another-key", None)
                .unwrap()
                .list()
                .is_empty()
        );
    }

    #[test]
    fn a_rotated_key_has_two_secrets_while_they_overlap() {
        let dir = tempfile::tempdir().unwrap();
        let keys = Keys::open(dir.path(), "dev-key-123", None).unwrap();
        let first = keys.make(new("ci", Scope::Read), "me").unwrap().secret;
        let name = || "ci".parse::<KeyName>().unwrap();
        let rotated = keys.rotate(name(), None).unwrap();
        assert!(rotated.key.overlap_until.is_some());
        assert!(who(&keys, &first).is_some() && who(&keys, &rotated.secret).is_some());
        let third = keys.rotate(name(), Some(Millis::ZERO)).unwrap();
        assert_eq!(third.key.overlap_until, None);
        assert!(who(&keys, &first).is_none() && who(&keys, &rotated.secret).is_none());
        assert!(who(&keys, &third.secret).is_some());
        for _ in 0..2 * MAX_SECRETS {
            keys.rotate(name(), None).unwrap();
        }
        assert_eq!(keys.read()[0].stored.secrets.len(), MAX_SECRETS);
        assert!(
            keys.rotate(name(), Some(Millis::new(MAX_OVERLAP.get() + 1)))
                .is_err()
        );
        assert!(matches!(
            keys.rotate("cd".parse().unwrap(), None),
            Err(KeyError::Unknown(_))
        ));
    }

    #[test]
    fn a_key_counts_until_it_expires() {
        let dir = tempfile::tempdir().unwrap();
        let keys = Keys::open(dir.path(), "dev-key-123", None).unwrap();
        let day = Millis::from_secs(86_400);
        let expires = |expires| NewKey {
            expires: Some(expires),
            ..new("guest", Scope::Read)
        };
        assert!(keys.make(expires(now()), "me").is_err());
        let made = keys.make(expires(now().after(day)), "me").unwrap();
        assert!(who(&keys, &made.secret).is_some());
        assert_eq!(keys.ending(now(), Millis::ZERO), (1, vec![]));
        assert_eq!(keys.ending(now(), day).1.len(), 1);
        keys.named.write().unwrap()[0].stored.expires = Some(now());
        assert!(who(&keys, &made.secret).is_none() && keys.list()[0].expired);
        assert!(matches!(
            keys.rotate("guest".parse().unwrap(), None),
            Err(KeyError::Senseless { .. })
        ));
        assert_eq!(keys.ending(now(), day).0, 0);
        assert!(keys.make(new("nobody", Scope::Open), "me").is_err());
    }

    #[test]
    fn a_damaged_file_is_named_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        for text in [
            "",
            "{",
            r#"{"version":2,"keys":[]}"#,
            r#"{"version":1,"keys":[{"name":"A"}]}"#,
        ] {
            fs::write(&path, text).unwrap();
            let error = format!("{:#}", Keys::open(dir.path(), "dev-key-123", None).err().unwrap());
            assert!(error.contains(FILE), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }
}
