//! Who may use the HTTP interface, as the configuration says it: `[api]`, `[security]`, `[audit]`,
//! `[monitoring]`; and what a node in production refuses.
//!
//! `[security]` says some of what `[api]` says, under the same names: either may be used. Where both are set, the
//! later layer wins; where one layer says two things, that is an error.
use super::{Config, ConfigError, Environment, is_variable};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::{
    cmp::Ordering,
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
};

/// Where metrics are served, beside the interface, if nothing says.
pub const DEFAULT_METRICS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9_090);
/// The shortest key for the interface.
const MIN_KEY_BYTES: usize = 8;
/// Keys that stand in documents, and which everybody may try therefore.
const WELL_KNOWN_KEYS: [&str; 8] = [
    "dev-key-123",
    "your-api-key",
    "your-api-key-here",
    "changeme",
    "change-me",
    "api-key-a",
    "api-key-b",
    "secure_password",
];

/// `[api]`
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Api {
    /// Key for the HTTP interface, with the scope admin. Default: made at the first start, kept in `cli.toml` in
    /// `data_dir`.
    pub api_key: Option<String>,
    /// The variable with that key, or with `_FILE` at its end the name of a file that holds it. Default:
    /// `ICN_API_KEY`.
    pub api_key_env: Option<String>,
    /// Whether callers need a key. Without, everything is open but keys and configuration. Default: true.
    pub require_auth: Option<bool>,
    /// Certificate and those that signed it, PEM; with `tls_key_path`, HTTP becomes HTTPS. Default: none.
    pub tls_cert_path: Option<PathBuf>,
    /// The certificate's private key, PEM. Default: none.
    pub tls_key_path: Option<PathBuf>,
    /// Whether a proxy stands before the interface, which ends TLS and says in `X-Forwarded-For` who calls.
    /// Default: false.
    pub behind_proxy: bool,
    /// Addresses and networks of proxies that are believed. Default: this machine's own.
    pub trusted_proxies: Vec<String>,
    /// Requests a minute that each named key may make; 0 for any number. The configured key is not limited.
    /// Default: 60000.
    pub rate_limit: u32,
}

impl Default for Api {
    fn default() -> Self {
        Self {
            api_key: None,
            api_key_env: None,
            require_auth: None,
            tls_cert_path: None,
            tls_key_path: None,
            behind_proxy: false,
            trusted_proxies: Vec::new(),
            rate_limit: 60_000,
        }
    }
}

/// Without the key.
impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api")
            .field("api_key", &self.api_key.as_ref().map(|_| "…"))
            .field("require_auth", &self.require_auth)
            .field("tls_cert_path", &self.tls_cert_path)
            .finish_non_exhaustive()
    }
}

/// `[security]`
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Security {
    /// As in `[api]`.
    pub api_key_env: Option<String>,
    /// A second key with the scope admin, for what calls itself a bearer token. Default: none.
    pub auth_token: Option<String>,
    /// The variable with that token, or with `_FILE` at its end the name of a file that holds it. Default:
    /// `ICN_AUTH_TOKEN`.
    pub auth_token_env: Option<String>,
    /// As in `[api]`.
    pub tls_cert_path: Option<PathBuf>,
    /// As in `[api]`.
    pub tls_key_path: Option<PathBuf>,
    /// As in `[api]`.
    pub require_auth: Option<bool>,
    /// Requests a minute that each address may make without a key; 0 for none but `/health`. Default: 600.
    pub open_rate_limit: u32,
}

impl Default for Security {
    fn default() -> Self {
        Self {
            api_key_env: None,
            auth_token: None,
            auth_token_env: None,
            tls_cert_path: None,
            tls_key_path: None,
            require_auth: None,
            open_rate_limit: 600,
        }
    }
}

/// Without the token.
impl fmt::Debug for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Security")
            .field("auth_token", &self.auth_token.as_ref().map(|_| "…"))
            .field("require_auth", &self.require_auth)
            .field("open_rate_limit", &self.open_rate_limit)
            .finish_non_exhaustive()
    }
}

/// `[audit]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Audit {
    /// Write a line for every request that changes something, asks for the administrator's, or is denied. Default:
    /// false.
    pub enabled: bool,
    /// The file. Default: `audit.log` in `data_dir`.
    pub log_path: Option<PathBuf>,
}

/// `[monitoring]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Monitoring {
    /// Serve `/metrics`. Default: true.
    pub metrics_enabled: bool,
    /// Where to serve it without a key, beside the interface. Default: 127.0.0.1:9090, or the next free port.
    pub metrics_bind_addr: Option<SocketAddr>,
    /// A file with the bearer token that scrapers send there. Default: none, anybody who reaches it may read.
    pub metrics_token_file: Option<PathBuf>,
    /// How often the node looks at the checks of `/ready` itself and tells the log of changes, in seconds, at least 1.
    /// Default: 30.
    pub health_check_interval: u64,
}

impl Default for Monitoring {
    fn default() -> Self {
        Self {
            metrics_enabled: true,
            metrics_bind_addr: None,
            metrics_token_file: None,
            health_check_interval: 30,
        }
    }
}

/// The files of the interface's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, with those that signed it.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

impl Config {
    /// Whether callers need a key.
    pub fn requires_auth(&self) -> bool {
        self.api
            .require_auth
            .or(self.security.require_auth)
            .unwrap_or(true)
    }

    /// The files of the interface's certificate; none where it speaks plain HTTP.
    pub fn tls_files(&self) -> Option<TlsFiles> {
        Some(TlsFiles {
            certificate: self.certificate_path()?.clone(),
            key: self.tls_key_path()?.clone(),
        })
    }

    fn certificate_path(&self) -> Option<&PathBuf> {
        self.api
            .tls_cert_path
            .as_ref()
            .or(self.security.tls_cert_path.as_ref())
    }

    fn tls_key_path(&self) -> Option<&PathBuf> {
        self.api
            .tls_key_path
            .as_ref()
            .or(self.security.tls_key_path.as_ref())
    }

    /// The proxies that are believed.
    ///
    /// # Errors
    /// Names the first that is neither an address nor a network.
    pub fn trusted_proxies(&self) -> Result<Vec<IpNet>, ConfigError> {
        let network = |text: &String| {
            let address = || text.parse::<IpAddr>().map(IpNet::from);
            text.parse()
                .or_else(|_| address())
                .map_err(|_| ConfigError::Value {
                    key: "api.trusted_proxies",
                    value: text.clone(),
                    reason: "expected an address or a network, like 10.0.0.7 or 10.0.0.0/24".into(),
                })
        };
        self.api.trusted_proxies.iter().map(network).collect()
    }

    /// Makes one of what `[api]` and `[security]` both say. `rank` gives the place of a key's layer in their order.
    pub(super) fn unite_sections(&mut self, rank: impl Fn(&str) -> usize) -> Result<(), ConfigError> {
        let Self { api, security, .. } = self;
        unite(
            "api_key_env",
            &mut api.api_key_env,
            &mut security.api_key_env,
            &rank,
        )?;
        unite(
            "require_auth",
            &mut api.require_auth,
            &mut security.require_auth,
            &rank,
        )?;
        unite(
            "tls_cert_path",
            &mut api.tls_cert_path,
            &mut security.tls_cert_path,
            &rank,
        )?;
        unite(
            "tls_key_path",
            &mut api.tls_key_path,
            &mut security.tls_key_path,
            &rank,
        )
    }

    pub(super) fn check_access(&self) -> Result<(), ConfigError> {
        for (key, secret) in self.secrets() {
            if secret.len() < MIN_KEY_BYTES {
                return refuse(key, "…", "a key has at least 8 characters");
            }
            if !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
                return refuse(
                    key,
                    "…",
                    "a key is sent in a header: printable ASCII characters without spaces",
                );
            }
        }
        let variables = [
            ("api.api_key_env", &self.api.api_key_env),
            ("security.api_key_env", &self.security.api_key_env),
            ("security.auth_token_env", &self.security.auth_token_env),
        ];
        for (key, name) in variables {
            if name.as_deref().is_some_and(|name| !is_variable(name)) {
                // Who misunderstands the key may have put the secret itself here.
                return refuse(
                    key,
                    "…",
                    "the name of a variable: letters, digits and underscores, no digit first",
                );
            }
        }
        if self.monitoring.health_check_interval == 0 {
            return refuse("monitoring.health_check_interval", "0", "at least 1 second");
        }
        if !self.requires_auth() && self.security.open_rate_limit == 0 {
            return refuse(
                "security.open_rate_limit",
                "0",
                "nothing without a key, while require_auth = false lets callers in without one: change one of them",
            );
        }
        match (self.certificate_path(), self.tls_key_path()) {
            (Some(path), None) => refuse_path(
                "api.tls_cert_path",
                path,
                "a certificate needs api.tls_key_path, its private key",
            ),
            (None, Some(path)) => refuse_path(
                "api.tls_key_path",
                path,
                "a private key needs api.tls_cert_path, its certificate",
            ),
            _ => Ok(()),
        }?;
        if !self.api.behind_proxy && !self.api.trusted_proxies.is_empty() {
            return refuse(
                "api.trusted_proxies",
                &self.api.trusted_proxies.join(", "),
                "counts only with api.behind_proxy = true",
            );
        }
        self.trusted_proxies()?;
        if self.runtime.environment == Environment::Production {
            self.check_production()?;
        }
        Ok(())
    }

    /// Refuses a key, set as `key`, that everybody knows where that matters.
    ///
    /// # Errors
    /// If the node is in production and the key stands in documents.
    pub fn check_key(&self, key: &'static str, secret: &str) -> Result<(), ConfigError> {
        if self.runtime.environment == Environment::Production && WELL_KNOWN_KEYS.contains(&secret) {
            return unsafe_in_production(
                key,
                "…",
                "this key stands in documents: make one with `openssl rand -hex 32`",
            );
        }
        Ok(())
    }

    fn secrets(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let both = [
            ("api.api_key", self.api.api_key.as_deref()),
            ("security.auth_token", self.security.auth_token.as_deref()),
        ];
        both.into_iter().filter_map(|(key, secret)| Some((key, secret?)))
    }

    /// What is unsafe where it matters. That the node's key is encrypted is seen when it is read.
    fn check_production(&self) -> Result<(), ConfigError> {
        if self.runtime.test_mode {
            return unsafe_in_production(
                "runtime.test_mode",
                "true",
                "it keeps nothing and has a well-known key: leave it out",
            );
        }
        if !self.requires_auth() {
            return unsafe_in_production(
                "api.require_auth",
                "false",
                "anybody could use the node: leave it out",
            );
        }
        for (key, secret) in self.secrets() {
            self.check_key(key, secret)?;
        }
        let public = |address: &&SocketAddr| !address.ip().is_loopback();
        if let Some(address) = self.network.http_listen_addr.as_ref().filter(public)
            && self.tls_files().is_none()
            && !self.api.behind_proxy
        {
            return unsafe_in_production(
                "network.http_listen_addr",
                &address.to_string(),
                "keys would travel in the clear: set api.tls_cert_path and api.tls_key_path, listen on 127.0.0.1, or \
                 set api.behind_proxy = true where a proxy ends TLS",
            );
        }
        if let Some(address) = self.monitoring.metrics_bind_addr.as_ref().filter(public)
            && self.monitoring.metrics_enabled
            && self.monitoring.metrics_token_file.is_none()
        {
            return unsafe_in_production(
                "monitoring.metrics_bind_addr",
                &address.to_string(),
                "anybody could read the metrics: set monitoring.metrics_token_file, or listen on 127.0.0.1",
            );
        }
        Ok(())
    }
}

fn refuse(key: &'static str, value: &str, reason: &str) -> Result<(), ConfigError> {
    Err(ConfigError::Value {
        key,
        value: value.into(),
        reason: reason.into(),
    })
}

fn unsafe_in_production(key: &'static str, value: &str, way_out: &str) -> Result<(), ConfigError> {
    let reason = format!("unsafe in production: {way_out}, or set runtime.environment = \"development\"");
    refuse(key, value, &reason)
}

fn refuse_path(key: &'static str, path: &std::path::Path, reason: &str) -> Result<(), ConfigError> {
    refuse(key, &path.display().to_string(), reason)
}

/// Leaves one of two values that mean the same.
fn unite<T: PartialEq>(
    name: &'static str,
    api: &mut Option<T>,
    security: &mut Option<T>,
    rank: impl Fn(&str) -> usize,
) -> Result<(), ConfigError> {
    if api.is_none() || security.is_none() || api == security {
        return Ok(());
    }
    let (one, other) = (format!("api.{name}"), format!("security.{name}"));
    match rank(&one).cmp(&rank(&other)) {
        Ordering::Greater => *security = None,
        Ordering::Less => *api = None,
        Ordering::Equal => return Err(ConfigError::Contradiction { one, other }),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl FnOnce(&mut Config)) -> String {
        let mut config = Config::default();
        change(&mut config);
        config
            .check_access()
            .map_or_else(|error| error.to_string(), |()| "well".into())
    }

    fn production(change: impl FnOnce(&mut Config)) -> String {
        check(|config| {
            config.runtime.environment = Environment::Production;
            change(config);
        })
    }

    #[test]
    fn production_refuses_what_is_unsafe() {
        let public = |config: &mut Config| config.network.http_listen_addr = "0.0.0.0:7845".parse().ok();
        assert_eq!(production(|_| {}), "well");
        for (said, key) in [
            (
                production(|config| config.api.require_auth = Some(false)),
                "api.require_auth",
            ),
            (
                production(|config| config.runtime.test_mode = true),
                "runtime.test_mode",
            ),
            (production(public), "network.http_listen_addr"),
            (
                production(|config| config.api.api_key = Some("dev-key-123".into())),
                "api.api_key",
            ),
            (
                production(|config| config.security.auth_token = Some("your-api-key".into())),
                "security.auth_token",
            ),
            (
                production(|config| config.monitoring.metrics_bind_addr = "10.1.1.1:9090".parse().ok()),
                "monitoring.metrics_bind_addr",
            ),
        ] {
            assert!(
                said.starts_with(key) && said.contains("unsafe in production"),
                "{said}"
            );
            assert!(!said.contains("dev-key") && !said.contains("your-api"), "{said}");
        }
        let with_proxy = production(|config| {
            public(config);
            config.api.behind_proxy = true;
        });
        let with_tls = production(|config| {
            public(config);
            config.api.tls_cert_path = Some("cert.pem".into());
            config.security.tls_key_path = Some("key.pem".into());
        });
        let with_token = production(|config| {
            config.monitoring.metrics_bind_addr = "10.1.1.1:9090".parse().ok();
            config.monitoring.metrics_token_file = Some("token".into());
        });
        assert_eq!([with_proxy, with_tls, with_token], ["well"; 3]);
        assert_eq!(
            check(|config| config.api.api_key = Some("dev-key-123".into())),
            "well"
        );
    }

    #[test]
    fn what_makes_no_sense_together_is_refused() {
        for (said, part) in [
            (
                check(|config| config.api.tls_cert_path = Some("c".into())),
                "api.tls_key_path",
            ),
            (
                check(|config| config.security.tls_key_path = Some("k".into())),
                "api.tls_cert_path",
            ),
            (
                check(|config| config.api.trusted_proxies = vec!["10.0.0.1".into()]),
                "behind_proxy",
            ),
            (
                check(|config| {
                    config.api.behind_proxy = true;
                    config.api.trusted_proxies = vec!["10.0.0.1/99".into()];
                }),
                "10.0.0.0/24",
            ),
            (
                check(|config| {
                    config.api.require_auth = Some(false);
                    config.security.open_rate_limit = 0;
                }),
                "require_auth",
            ),
            (
                check(|config| config.api.api_key = Some("two words".into())),
                "header",
            ),
        ] {
            assert!(said.contains(part), "{said}");
        }
    }

    #[test]
    fn of_two_sections_the_later_layer_wins() {
        let mut config = Config::default();
        let set = |config: &mut Config| {
            config.api.tls_cert_path = Some("a".into());
            config.security.tls_cert_path = Some("s".into());
        };
        set(&mut config);
        let error = config.unite_sections(|_| 1).unwrap_err().to_string();
        assert!(
            error.contains("api.tls_cert_path") && error.contains("security.tls_cert_path"),
            "{error}"
        );
        config
            .unite_sections(|key| usize::from(key.starts_with("security")))
            .unwrap();
        assert_eq!(config.certificate_path(), Some(&"s".into()));
        set(&mut config);
        config
            .unite_sections(|key| usize::from(key.starts_with("api")))
            .unwrap();
        assert_eq!(config.certificate_path(), Some(&"a".into()));
    }

    #[test]
    fn secrets_are_not_shown_by_accident() {
        let mut config = Config::default();
        config.api.api_key = Some("the key itself".into());
        config.security.auth_token = Some("the key itself".into());
        assert!(!format!("{config:?}").contains("the key itself"));
    }
}
