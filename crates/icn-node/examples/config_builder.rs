//! Writes configurations from templates and from parts of one's own, and says where.
//!
//! `cargo run -p icn-node --example config_builder -- DIRECTORY`
use icn_runtime::{
    RuntimeConfig, RuntimeConfigBuilder,
    config::{LogFormat, LogOutput},
    templates,
};
use std::path::PathBuf;

/// A part that several configurations share is a function.
fn quiet(config: &mut RuntimeConfig) {
    config.logging.level = "warn".into();
    config.logging.format = LogFormat::Json;
    config.logging.output = LogOutput::File("/var/log/icn/node.log".into());
}

fn main() -> anyhow::Result<()> {
    let directory = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| ".".into()));
    let write = |name: &str, config: RuntimeConfig| -> anyhow::Result<()> {
        let path = directory.join(name);
        config.to_file(&path)?;
        println!("{}", path.display());
        Ok(())
    };

    let production = RuntimeConfigBuilder::new()
        .apply_template(templates::production_server)
        .node_did("did:key:z6MkProdNode01")
        .build_unchecked();
    write("production.toml", production)?;

    let testing = RuntimeConfigBuilder::new()
        .apply_template(templates::isolated_testing)
        .build()?;
    write("testing.toml", testing)?;

    // Templates and parts are laid over each other; the later one wins.
    let worker = RuntimeConfigBuilder::new()
        .apply_template(templates::federation_node)
        .apply_template(quiet)
        .with(|config| {
            config.network.bootstrap_peers = vec!["/dns4/first.example/tcp/7000".into()];
            config.performance.max_concurrent_jobs = 16;
        })
        .build()?;
    write("worker.toml", worker)
}
