//! Who may use the node's interface, whatever the node has behind it: keys, clients and how much each may ask,
//! the certificate, and what is written down of it.
//!
//! Nothing here knows HTTP's routes; `http::gate` asks, and this answers.
mod audit;
mod certificate;
mod key_file;
mod keys;
mod limits;
mod tls;
mod token;

pub(crate) use audit::{About, Audit, AuditLine, Change, Outcome};
pub(crate) use certificate::Certificate;
pub(crate) use keys::{Holder, KeyError, Keys};
pub(crate) use limits::{Limited, Limits, Standing};
pub(crate) use tls::Tls;
pub(crate) use token::Token;

use crate::{
    config::Config,
    reload::{Reloaded, Reloads},
};
use icn_api::node::{AccessStatus, CertificateStatus, ENDS_SOON};
use icn_model::Time;
use icn_serve::{
    clock::{now, rfc3339},
    http::Proxies,
};
use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
    sync::Arc,
};

/// Everything that decides about a caller.
pub(crate) struct Access {
    /// Whether callers need a key.
    pub(crate) require_auth: bool,
    /// The keys that count.
    pub(crate) keys: Keys,
    /// How much each client may ask.
    pub(crate) limits: Limits,
    /// Who is believed about who calls.
    pub(crate) proxies: Proxies,
    /// The certificate; none where the interface speaks plain HTTP.
    pub(crate) tls: Option<Arc<Tls>>,
    /// With what metrics are read on their own address; none where anybody may.
    pub(crate) metrics_token: Option<Arc<Token>>,
    /// What is written down.
    pub(crate) audit: Audit,
}

impl Access {
    /// As the configuration says; `api_key` is the key that was configured or made.
    ///
    /// # Errors
    /// Names the file that cannot be used, or the value.
    pub(crate) fn open(config: &Config, data_dir: &Path, api_key: &str) -> anyhow::Result<Self> {
        let token = config.security.auth_token.as_deref();
        let tls = config.tls_files().map(Tls::open).transpose()?;
        let metrics_token = config
            .monitoring
            .metrics_token_file
            .as_deref()
            .map(Token::open)
            .transpose()?;
        let access = Self {
            require_auth: config.requires_auth(),
            keys: Keys::open(data_dir, api_key, token)?,
            limits: Limits::new(config.security.open_rate_limit, config.api.rate_limit),
            proxies: Proxies::new(config.api.behind_proxy, config.trusted_proxies()?),
            tls: tls.map(Arc::new),
            metrics_token: metrics_token.map(Arc::new),
            audit: Audit::open(&config.audit, data_dir)?,
        };
        access.say(config);
        Ok(access)
    }

    /// Where clients on this machine reach an interface at `address`.
    pub(crate) fn url(&self, address: SocketAddr) -> String {
        match &self.tls {
            Some(tls) => format!("https://{}:{}", tls.host(address), address.port()),
            None => format!("http://{}", from_here(address)),
        }
    }

    /// Reads the certificate anew on SIGHUP, and opens the audit log anew.
    pub(crate) fn add_reloads(self: &Arc<Self>, reloads: &Reloads) {
        let access = self.clone();
        reloads.add("the audit log", move || access.audit.reopen());
        if let Some(tls) = self.tls.clone() {
            reloads.add("the certificate", move || Ok(tls.reload()?));
        }
        if let Some(token) = self.metrics_token.clone() {
            reloads.add("the token of the metrics", move || token.reload());
        }
    }

    /// Writes to the audit log what was read anew.
    pub(crate) fn note_reload(&self, (name, result): &Reloaded) {
        let (outcome, to) = match result {
            Ok(now) => (Outcome::Done, now.clone()),
            Err(error) => (Outcome::Failed, format!("{error:#}")),
        };
        let change = Change {
            what: "reloaded",
            name: (*name).into(),
            to: Some(to),
        };
        self.audit.write(&AuditLine::of_change(&change, outcome));
    }

    /// Tells in the log what an operator may not expect.
    fn say(&self, config: &Config) {
        if !self.require_auth {
            tracing::warn!(
                "require_auth is false: whoever reaches the interface may use it without a key, all but keys and \
                 configuration"
            );
        }
        match config.security.open_rate_limit {
            0 => tracing::info!(
                "open_rate_limit is 0: nothing is answered without a key but /health and /ready"
            ),
            limit => tracing::info!(
                limit,
                "callers without a key may make this many requests a minute"
            ),
        }
        if let (Some(name), None) = (&config.security.auth_token_env, &config.security.auth_token) {
            tracing::warn!(
                "security.auth_token_env names {name}, and neither it nor {name}_FILE is set: no token counts"
            );
        }
        if let Some(tls) = &self.tls {
            let Certificate { names, not_after, .. } = tls.certificate();
            tracing::info!(names = names.join(", "), until = %rfc3339(not_after), "the interface speaks HTTPS");
        }
    }

    /// Until when the certificate is valid, if there is one.
    pub(crate) fn certificate_ends(&self) -> Option<Time> {
        self.tls.as_ref().map(|tls| tls.certificate().not_after)
    }

    /// What `/status` tells.
    pub(crate) fn status(&self) -> AccessStatus {
        let at = now();
        let (keys, keys_ending) = self.keys.ending(at, ENDS_SOON);
        AccessStatus {
            require_auth: self.require_auth,
            certificate: self.tls.as_ref().map(|tls| {
                let Certificate {
                    names,
                    not_before,
                    not_after,
                } = tls.certificate();
                CertificateStatus {
                    names,
                    not_before,
                    not_after,
                    reload_failed: tls.reload_failed(),
                }
            }),
            keys,
            keys_ending,
        }
    }

    /// Does what is to be done now and then, for as long as it is run: brings the audit log to the disk, looks for
    /// another certificate.
    pub(crate) async fn tend(self: Arc<Self>) {
        let sync = async {
            while self.audit.is_enabled() {
                tokio::time::sleep(audit::SYNC_EVERY).await;
                let access = self.clone();
                // It ends with the process at the latest.
                let _ = tokio::task::spawn_blocking(move || access.audit.sync()).await;
            }
        };
        let watch = async {
            if let Some(tls) = &self.tls {
                tls.watch().await;
            }
        };
        tokio::join!(sync, watch);
    }

    /// What an operator should look at, most urgent first.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let at = now();
        let mut warnings = Vec::new();
        if let Some(tls) = &self.tls {
            let until = tls.certificate().not_after;
            if until <= at {
                warnings.push(format!(
                    "the certificate is valid no more since {}",
                    rfc3339(until)
                ));
            } else if until.since(at) < ENDS_SOON {
                warnings.push(format!("the certificate is valid until {} only", rfc3339(until)));
            }
            warnings.extend(
                tls.reload_failed()
                    .map(|error| format!("the new certificate is not in use: {error}")),
            );
        }
        if self.audit.is_failing() {
            warnings.push("the audit log cannot be written: see the node's log".into());
        }
        if !self.require_auth {
            warnings.push("require_auth is false: callers need no key".into());
        }
        warnings
    }
}

/// Where a listener at `address` is reached from this machine: one that listens on every address does on loopback.
pub(crate) fn from_here(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_listens_everywhere_is_reached_on_loopback() {
        for (listens, reached) in [
            ("0.0.0.0:7845", "127.0.0.1:7845"),
            ("[::]:7845", "[::1]:7845"),
            ("10.0.0.7:7845", "10.0.0.7:7845"),
        ] {
            assert_eq!(from_here(listens.parse().unwrap()).to_string(), reached);
        }
    }
}
