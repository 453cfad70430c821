//! What a node says of itself at its start: on stdout for people, in a profile for `icn-cli`.
use crate::{
    access,
    config::Config,
    files::{self, Readers},
};
use anyhow::{Context as _, ensure};
use icn_api::{Profile, TEST_MODE_KEY};
use icn_model::{Did, Genesis};
use std::{io::Write as _, net::SocketAddr, path::Path};

/// Writes the profile for `icn-cli`, readable by the owner alone: it holds a key.
pub(crate) fn write_profile(path: &Path, profile: &Profile) -> anyhow::Result<()> {
    files::replace(path, toml::to_string(profile)?.as_bytes(), Readers::Owner)
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Tells on stdout that the node waits, and how to give it an invitation.
pub(crate) fn announce_waiting(did: Did, url: &str, data_dir: &Path) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "federation  none yet: waiting for an invitation (icn-cli federation invite)"
    )?;
    writeln!(out, "identity    {did}")?;
    writeln!(out, "http        {url}")?;
    let profile = data_dir.join("cli.toml");
    writeln!(
        out,
        "try         icn-cli --config {} federation join INVITATION",
        profile.display()
    )?;
    out.flush()?;
    Ok(())
}

/// Tells on stdout where the node is and what to try next.
pub(crate) fn announce(
    genesis: &Genesis,
    did: Did,
    url: &str,
    metrics: Option<SocketAddr>,
    p2p: &[icn_net::Address],
    data_dir: &Path,
    config: &Config,
) -> anyhow::Result<()> {
    ensure!(
        !p2p.is_empty() || !config.network.p2p_enabled,
        "the network listens nowhere"
    );
    let mut out = std::io::stdout().lock();
    writeln!(out, "federation  {} ({})", genesis.name, genesis.id())?;
    writeln!(out, "identity    {did}")?;
    writeln!(out, "http        {url}")?;
    for address in p2p {
        writeln!(out, "p2p         {address}")?;
    }
    if let Some(address) = metrics {
        writeln!(out, "metrics     http://{}/metrics", access::from_here(address))?;
    }
    let profile = data_dir.join("cli.toml");
    writeln!(out, "try         icn-cli --config {} status", profile.display())?;
    if config.runtime.test_mode {
        writeln!(
            out,
            "            curl -H 'x-api-key: {TEST_MODE_KEY}' {url}/status"
        )?;
    }
    out.flush()?;
    Ok(())
}
