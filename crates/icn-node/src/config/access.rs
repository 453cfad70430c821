//! Who may use the HTTP interface, as the configuration says it: `[api]`, `[security]`, `[audit]`,
//! `[monitoring]`.
//!
//! `[security]` says some of what `[api]` says, under the same names: either may be used. Where both are set, the
//! later layer wins; where one layer says two things, that is an error.
use super::{Config, ConfigError};
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
    /// Requests a minute that each address may make without a key; 0 for none but `/health` and
    /// `/ready`. Default: 600.
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

    pub(super) fn certificate_path(&self) -> Option<&PathBuf> {
        self.api
            .tls_cert_path
            .as_ref()
            .or(self.security.tls_cert_path.as_ref())
    }

    pub(super) fn tls_key_path(&self) -> Option<&PathBuf> {
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
