//! Where the node is and as whom to act: options and environment first, then a profile.
use crate::{failure::Usage, global::Global, keystore, machine};
use anyhow::Context as _;
use icn_api::Profile;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The profile that a node writes to its data directory.
const BESIDE_NODE: &str = "icn_data/cli.toml";
/// The user's own, under the configuration directory.
const OF_USER: &str = "icn/cli.toml";

/// What options, environment and profile say together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// The profile's file, if there is one.
    pub(crate) source: Option<PathBuf>,
    /// What holds. Paths are relative to the current directory.
    pub(crate) profile: Profile,
}

/// Reads the profile and lays the options over it.
pub(crate) fn settings(global: &Global) -> anyhow::Result<Settings> {
    let mut settings = match &global.profile {
        Some(path) => Settings {
            profile: read(path)?,
            source: Some(path.clone()),
        },
        None => first_of(&defaults())?,
    };
    let profile = &mut settings.profile;
    // The key of a profile, and whom it trusts, is for the profile's node, not for any other that an option names.
    if global.api_url.is_some() && global.api_url != profile.api_url {
        profile.api_key = None;
        profile.ca_cert = None;
    }
    profile.ca_cert = global.ca_cert.clone().or(profile.ca_cert.take());
    profile.api_url = global.api_url.clone().or(profile.api_url.take());
    profile.api_key = global.api_key.clone().or(profile.api_key.take());
    if let Some(key) = &global.key_path {
        // Another key is another identity's: that which it began, unless the keystore knows better.
        profile.did = None;
        profile.key_path = Some(match keystore::named(key)? {
            Some(entry) => {
                profile.did = entry.holder()?.map(|holder| holder.did);
                entry.path
            }
            None => key.clone(),
        });
    }
    profile.did = global.author.or(profile.did);
    Ok(settings)
}

fn defaults() -> Vec<PathBuf> {
    let mut paths = vec![PathBuf::from(BESIDE_NODE)];
    paths.extend(machine::configuration_directory().map(|config| config.join(OF_USER)));
    paths
}

fn first_of(paths: &[PathBuf]) -> anyhow::Result<Settings> {
    match paths.iter().find(|path| path.exists()) {
        Some(path) => Ok(Settings {
            profile: read(path)?,
            source: Some(path.clone()),
        }),
        None => Ok(Settings::default()),
    }
}

fn read(path: &Path) -> anyhow::Result<Profile> {
    let text = fs::read_to_string(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            anyhow::Error::new(Usage::new(format!("there is no profile {}", path.display())))
        }
        _ => anyhow::Error::new(error).context(format!("cannot read the profile {}", path.display())),
    })?;
    let mut profile: Profile =
        toml::from_str(&text).with_context(|| format!("the profile {} is not usable", path.display()))?;
    let directory = path.parent().unwrap_or(Path::new(""));
    profile.key_path = profile.key_path.map(|key| directory.join(key));
    profile.ca_cert = profile.ca_cert.map(|file| directory.join(file));
    Ok(profile)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn global(profile: &Path) -> Global {
        Global {
            profile: Some(profile.to_owned()),
            ..Global::default()
        }
    }

    #[test]
    fn options_win_over_the_profile() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cli.toml");
        fs::write(
            &path,
            "api_url = \"http://a\"\napi_key = \"k\"\nkey_path = \"node.key\"\n",
        )
        .unwrap();
        let from_file = settings(&global(&path)).unwrap().profile;
        assert_eq!(from_file.api_url.as_deref(), Some("http://a"));
        assert_eq!(from_file.key_path, Some(directory.path().join("node.key")));
        let elsewhere = Global {
            api_url: Some("http://b".into()),
            ..global(&path)
        };
        let profile = settings(&elsewhere).unwrap().profile;
        assert_eq!(profile.api_url.as_deref(), Some("http://b"));
        assert_eq!(profile.api_key, None, "a key is not sent to another node");
    }

    #[test]
    fn a_bad_profile_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cli.toml");
        let missing = settings(&global(&path)).unwrap_err();
        assert!(missing.is::<Usage>());
        fs::write(&path, "api_urll = \"http://a\"\n").unwrap();
        let error = format!("{:#}", settings(&global(&path)).unwrap_err());
        assert!(
            error.contains("cli.toml") && error.contains("api_urll"),
            "{error}"
        );
        assert!(
            first_of(&[directory.path().join("none")])
                .unwrap()
                .source
                .is_none()
        );
    }
}
