//! The configuration while the node runs: read again, changed from outside, and told to whom it concerns.
//!
//! What is changed at run time is the last layer, a file of the node's own beside its data. The operator's file
//! is never written.
use super::{
    Config, ConfigError, Layered, Sources,
    run_time::{self, ChangeError},
};
use crate::files::{self, Readers};
use icn_api::config::{Changes, ConfigChange, ConfigChanged, SetBy, Setting};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
};

/// Is told of a configuration whose values that change at once have changed.
type Listener = dyn Fn(&Config) + Send + Sync;

/// Keeps a listener of [`Live::on_change`].
#[must_use = "the listener is forgotten with it"]
pub struct Listening(#[expect(dead_code, reason = "held, not used")] Arc<Listener>);

/// The configuration of a running node. Cheap to clone.
#[derive(Clone)]
pub struct Live(Arc<Inner>);

struct Inner {
    sources: Sources,
    /// The run-time file, where it is not in the node's data directory.
    kept_in: OnceLock<PathBuf>,
    current: Mutex<Current>,
    listeners: Mutex<Vec<Weak<Listener>>>,
}

struct Current {
    /// As it would be at a start now.
    layered: Layered,
    /// Values that the node runs with, by key.
    running: BTreeMap<String, String>,
}

impl Live {
    /// Of a node that starts with what `sources` say.
    ///
    /// # Errors
    /// [`ConfigError`] names the first key that cannot be.
    pub fn read(sources: Sources) -> Result<Self, ConfigError> {
        let layered = sources.read()?;
        let running = values(&layered)?;
        Ok(Self(Arc::new(Inner {
            sources,
            kept_in: OnceLock::new(),
            current: Mutex::new(Current { layered, running }),
            listeners: Mutex::default(),
        })))
    }

    /// As it would be at a start now.
    pub fn config(&self) -> Config {
        self.current().layered.config.clone()
    }

    /// Calls `listener` whenever a value that changes at once has changed, for as long as what this returns is kept.
    pub fn on_change(&self, listener: impl Fn(&Config) + Send + Sync + 'static) -> Listening {
        let listener: Arc<Listener> = Arc::new(listener);
        lock(&self.0.listeners).push(Arc::downgrade(&listener));
        Listening(listener)
    }

    /// Every value with where it comes from, in the order of the keys.
    ///
    /// # Errors
    /// Never for a configuration that could be read.
    pub fn settings(&self) -> Result<Vec<Setting>, ConfigError> {
        let current = self.current();
        let mut settings = current.layered.settings()?;
        for setting in &mut settings {
            let running = current.running.get(&setting.key);
            setting.running = running.filter(|running| **running != setting.value).cloned();
        }
        Ok(settings)
    }

    /// Reads all layers again.
    ///
    /// # Errors
    /// [`ConfigError`]; the configuration stays as it was.
    pub fn reload(&self) -> Result<ConfigChanged, ConfigError> {
        let mut current = self.current();
        let layered = self.read_again()?;
        self.take(&mut current, layered)
    }

    /// Sets and unsets keys at run time, for this and later starts.
    ///
    /// # Errors
    /// [`ChangeError`]; nothing is changed then.
    pub fn change(&self, change: &ConfigChange, set_by: &SetBy) -> Result<ConfigChanged, ChangeError> {
        run_time::check(change)?;
        let mut current = self.current();
        let usual = || run_time::file(&current.layered.config);
        let path = self.0.kept_in.get().cloned().unwrap_or_else(usual);
        let failed = |source| ChangeError::File {
            path: path.clone(),
            source,
        };
        let before = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            before => before.map_err(failed)?,
        };
        let text = run_time::changed(&path, &before, change, set_by)?;
        // First to a file beside, which is read as the layer that it is to be.
        let beside = path.with_extension("new");
        files::create_beside(&beside, text.as_bytes(), Readers::Owner).map_err(failed)?;
        if let Err(error) = self.0.sources.read_with(&beside) {
            let _ = std::fs::remove_file(&beside);
            return Err(error.into());
        }
        files::take_place(&beside, &path).map_err(failed)?;
        let layered = self.read_again()?;
        Ok(self.take(&mut current, layered)?)
    }

    /// Keeps what is changed at run time in `dir` instead of the data directory. To be said once, before anything is
    /// changed.
    pub(crate) fn keep_in(&self, dir: &Path) {
        let _ = self.0.kept_in.set(dir.join(run_time::FILE));
    }

    fn read_again(&self) -> Result<Layered, ConfigError> {
        match self.0.kept_in.get() {
            Some(path) => self.0.sources.read_with(path),
            None => self.0.sources.read(),
        }
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        lock(&self.0.current)
    }

    /// Makes `layered` the configuration, tells whom it concerns, and says what has changed.
    fn take(&self, current: &mut Current, layered: Layered) -> Result<ConfigChanged, ConfigError> {
        let (before, after) = (values(&current.layered)?, values(&layered)?);
        let mut changed = ConfigChanged::default();
        for (key, value) in after
            .iter()
            .filter(|(key, value)| before.get(*key) != Some(*value))
        {
            if run_time::changes(key) == Changes::AtOnce {
                changed.at_once.push(key.clone());
                current.running.insert(key.clone(), value.clone());
            } else {
                changed.at_start.push(key.clone());
            }
        }
        current.layered = layered;
        if !changed.at_once.is_empty() {
            let mut listeners = lock(&self.0.listeners);
            listeners.retain(|listener| {
                let listens = listener.upgrade();
                if let Some(listener) = &listens {
                    listener(&current.layered.config);
                }
                listens.is_some()
            });
        }
        Ok(changed)
    }
}

/// A panic leaves none of these halfway.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn values(layered: &Layered) -> Result<BTreeMap<String, String>, ConfigError> {
    let settings = layered.settings()?;
    Ok(settings
        .into_iter()
        .map(|setting| (setting.key, setting.value))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use icn_model::Time;
    use serde_json::json;

    fn by() -> SetBy {
        SetBy {
            key: "admin".into(),
            at: Time::new(7),
        }
    }

    fn live(dir: &Path) -> Live {
        let file = dir.join("icn.toml");
        let text = format!("[storage]\ndata_dir = {dir:?}\n[mesh]\nblacklist_after_failures = 7\n");
        std::fs::write(&file, text).unwrap();
        let sources = Sources::new(Some(file), &BTreeMap::<String, String>::new()).unwrap();
        Live::read(sources).unwrap()
    }

    fn setting(live: &Live, key: &str) -> Setting {
        let settings = live.settings().unwrap();
        settings.into_iter().find(|setting| setting.key == key).unwrap()
    }

    #[test]
    fn a_change_holds_at_once_or_from_the_next_start_and_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let live_one = live(dir.path());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hears = heard.clone();
        let _listening =
            live_one.on_change(move |config| lock(&hears).push(config.mesh.blacklist_after_failures));
        let change = ConfigChange {
            set: [
                ("mesh.blacklist_after_failures".to_owned(), json!(2)),
                ("network.max_peers".to_owned(), json!(9)),
            ]
            .into(),
            unset: Vec::new(),
        };
        let changed = live_one.change(&change, &by()).unwrap();
        assert_eq!(changed.at_once, ["mesh.blacklist_after_failures"]);
        assert_eq!(changed.at_start, ["network.max_peers"]);
        assert_eq!(*lock(&heard), [2]);
        let peers = setting(&live_one, "network.max_peers");
        assert_eq!(
            (peers.value.as_str(), peers.running.as_deref()),
            ("9", Some("128"))
        );
        assert_eq!(peers.set, Some(by()));
        assert!(peers.origin.ends_with("runtime.toml"), "{}", peers.origin);

        let again = live(dir.path());
        assert_eq!(again.config().network.max_peers, 9);
        assert_eq!(setting(&again, "network.max_peers").running, None);
        let unset = ConfigChange::unsetting("mesh.blacklist_after_failures");
        again.change(&unset, &by()).unwrap();
        let failures = setting(&again, "mesh.blacklist_after_failures");
        assert_eq!((failures.value.as_str(), failures.set), ("7", None));
    }

    #[test]
    fn what_cannot_be_is_refused_and_nothing_is_changed() {
        let dir = tempfile::tempdir().unwrap();
        let live = live(dir.path());
        for (key, value, said) in [
            ("storage.backend", json!("memory"), "configuration file"),
            ("api.api_key", json!("another-key"), "configuration file"),
            (
                "events.retention_days",
                json!({"refused": 1}),
                "configuration file",
            ),
            ("logging.levle", json!("debug"), "did you mean level?"),
            ("logging", json!("debug"), "section.name"),
            ("logging.level", json!(3), "logging.level"),
            ("logging.level", json!("icn_net=loud"), "logging.level"),
            ("network.max_peers", json!(-1), "network.max_peers"),
            ("network.max_peers", json!(null), "unset"),
            ("mesh.a.b", json!(1), "section.name"),
            ("changes.x", json!(1), "no such key"),
        ] {
            let error = live
                .change(&ConfigChange::setting(key, value.clone()), &by())
                .unwrap_err()
                .to_string();
            assert!(error.contains(said), "{key} = {value}: {error}");
        }
        assert!(!dir.path().join("runtime.toml").exists());
        assert!(!dir.path().join("runtime.new").exists());
    }

    #[test]
    fn a_file_that_changed_is_read_again_and_a_bad_one_is_not_taken() {
        let dir = tempfile::tempdir().unwrap();
        let live = live(dir.path());
        let file = dir.path().join("icn.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replace("= 7", "= 8")).unwrap();
        assert_eq!(live.reload().unwrap().at_once, ["mesh.blacklist_after_failures"]);
        std::fs::write(&file, text.replace("= 7", "= \"many\"")).unwrap();
        live.reload().unwrap_err();
        assert_eq!(live.config().mesh.blacklist_after_failures, 8);
    }
}
