//! `[federation]`: to which Federation Service a node reports, if to any, and as what.
use super::{ConfigError, refusals::refuse};
use icn_api::presence::{MAX_HEARTBEAT_BYTES, Slug};
use icn_model::Name;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The longest interval: an hour.
const MAX_INTERVAL_SECS: u64 = 3_600;
/// The longest text in a heartbeat, of which there are two.
const MAX_TEXT_BYTES: usize = MAX_HEARTBEAT_BYTES / 4;

/// `[federation]`
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reporting {
    /// Whether to report. Default: false.
    pub enabled: bool,
    /// The Federation Service, such as `http://localhost:8001`. Default: none.
    pub url: Option<String>,
    /// Its key, sent as `X-API-Key`. Default: none.
    pub api_key: Option<String>,
    /// Its NATS servers, such as `nats://localhost:4223`, with commas between them. Default: none.
    pub nats_url: Option<String>,
    /// What the node is called there, in subjects and paths. Default: from `name`.
    pub slug: Option<Slug>,
    /// What it is called there for people. Default: the cooperative's name.
    pub name: Option<Name>,
    /// Where people reach it. Default: the address of its HTTP interface.
    pub hub_url: Option<String>,
    /// Its namespace in the mesh. Default: `hub.` and the slug.
    pub mesh_namespace: Option<String>,
    /// Seconds between heartbeats. Default: 30.
    pub interval: u64,
}

impl Default for Reporting {
    fn default() -> Self {
        Self {
            enabled: false,
            url: None,
            api_key: None,
            nats_url: None,
            slug: None,
            name: None,
            hub_url: None,
            mesh_namespace: None,
            interval: 30,
        }
    }
}

/// Without the key, and what addresses may hold.
impl fmt::Debug for Reporting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reporting")
            .field("enabled", &self.enabled)
            .field("slug", &self.slug)
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}

impl Reporting {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if !(1..=MAX_INTERVAL_SECS).contains(&self.interval) {
            return refuse(
                "federation.interval",
                &self.interval.to_string(),
                "1 to 3600 seconds",
            );
        }
        let texts = [
            ("federation.hub_url", &self.hub_url),
            ("federation.mesh_namespace", &self.mesh_namespace),
        ];
        for (key, text) in texts {
            if text
                .as_ref()
                .is_some_and(|text| text.is_empty() || text.len() > MAX_TEXT_BYTES)
            {
                return refuse(key, "…", "1 to 2048 bytes");
            }
        }
        if let Some(key) = &self.api_key
            && (key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()))
        {
            return refuse(
                "federation.api_key",
                "…",
                "a key is sent in a header: printable ASCII characters without spaces",
            );
        }
        if self.enabled { self.check_ways() } else { Ok(()) }
    }

    fn check_ways(&self) -> Result<(), ConfigError> {
        match (&self.url, &self.nats_url) {
            (None, None) => refuse(
                "federation.enabled",
                "true",
                "there is nobody to report to: set federation.url, federation.nats_url, or both",
            ),
            (None, Some(_)) if !cfg!(feature = "nats") => refuse(
                "federation.nats_url",
                "…",
                "this icn-node was built without NATS (cargo feature nats): set federation.url",
            ),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl FnOnce(&mut Reporting)) -> String {
        let mut reporting = Reporting {
            enabled: true,
            url: Some("http://localhost:8001".into()),
            ..Reporting::default()
        };
        change(&mut reporting);
        reporting
            .check()
            .map_or_else(|error| error.to_string(), |()| String::new())
    }

    #[test]
    fn what_cannot_be_is_refused() {
        assert_eq!(check(|_| ()), "");
        assert_eq!(check(|reporting| reporting.enabled = false), "");
        assert!(check(|reporting| reporting.url = None).contains("nobody to report to"));
        assert!(check(|reporting| reporting.interval = 0).contains("federation.interval"));
        assert!(check(|reporting| reporting.hub_url = Some(String::new())).contains("federation.hub_url"));
        let spoken = check(|reporting| reporting.api_key = Some("my secret".into()));
        assert!(spoken.contains("federation.api_key") && !spoken.contains("my secret"));
        let nats = check(|reporting| {
            reporting.url = None;
            reporting.nats_url = Some("nats://localhost".into());
        });
        assert_eq!(nats.contains("without NATS"), !cfg!(feature = "nats"));
    }

    #[test]
    fn secrets_are_not_shown_by_accident() {
        let reporting = Reporting {
            api_key: Some("the key itself".into()),
            nats_url: Some("nats://the-token-itself@localhost".into()),
            ..Reporting::default()
        };
        assert!(!format!("{reporting:?}").contains("itself"));
    }
}
