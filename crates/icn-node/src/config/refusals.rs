//! What of the settings about access makes no sense together, and what a node in production refuses.
use super::{Config, ConfigError, Environment, is_variable};
use std::net::SocketAddr;

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

impl Config {
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

pub(super) fn refuse(key: &'static str, value: &str, reason: &str) -> Result<(), ConfigError> {
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
}
