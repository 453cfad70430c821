//! What configurations say that are for something in particular, for [`RuntimeConfigBuilder::apply_template`].
//!
//! [`RuntimeConfigBuilder::apply_template`]: crate::RuntimeConfigBuilder::apply_template
use crate::{
    builder::Template,
    config::{Config, Environment, LogFormat},
};
use icn_store::BackendKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Every template.
pub const ALL: [Template; 5] = [
    development,
    isolated_testing,
    single_node,
    federation_node,
    production_server,
];

/// Where distributions keep the data of services.
const DATA_DIR: &str = "/var/lib/icn";
/// Where an operator puts the certificate and its key.
const TLS_CERTIFICATE: &str = "/etc/icn/tls/cert.pem";
const TLS_KEY: &str = "/etc/icn/tls/key.pem";
/// The variable with the passphrase of the node's key.
const PASSPHRASE: &str = "ICN_KEY_PASSPHRASE";

const fn everywhere(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port)
}

/// To build on: in memory, on loopback, with the well-known key, talkative.
pub fn development(config: &mut Config) {
    config.runtime.environment = Environment::Development;
    config.runtime.test_mode = true;
    config.logging.level = "debug".into();
}

/// A node that touches neither disk nor network, for tests.
pub fn isolated_testing(config: &mut Config) {
    config.runtime.environment = Environment::Testing;
    config.runtime.test_mode = true;
    config.network.p2p_enabled = false;
    config.storage.backend = Some(BackendKind::Memory);
    config.monitoring.metrics_enabled = false;
}

/// One node on one machine, on loopback, that keeps what it is told.
pub fn single_node(config: &mut Config) {
    config.storage.backend = Some(BackendKind::Fjall);
    config.storage.data_dir = "./icn_data".into();
    config.audit.enabled = true;
}

/// A node of a federation, reached by the others, whose interface stays on its machine.
pub fn federation_node(config: &mut Config) {
    config.runtime.environment = Environment::Production;
    config.network.p2p_listen_addr = Some("/ip4/0.0.0.0/tcp/7000".into());
    config.storage.backend = Some(BackendKind::Fjall);
    config.storage.data_dir = DATA_DIR.into();
    config.identity.key_passphrase_env = Some(PASSPHRASE.into());
    config.audit.enabled = true;
    config.logging.format = LogFormat::Json;
}

/// The same with an interface that others on the network may use, over TLS.
pub fn production_server(config: &mut Config) {
    federation_node(config);
    config.network.http_listen_addr = Some(everywhere(7_845));
    config.api.tls_cert_path = Some(TLS_CERTIFICATE.into());
    config.api.tls_key_path = Some(TLS_KEY.into());
    config.api.require_auth = Some(true);
    // Nothing but /health and /ready without a key.
    config.security.open_rate_limit = 0;
}
