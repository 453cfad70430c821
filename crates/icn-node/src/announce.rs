//! What a node says of itself at its start: on stdout for people, in a profile for `icn-cli`.
use crate::{
    access,
    config::Config,
    files::{self, Readers},
};
use anyhow::{Context as _, ensure};
use icn_api::{Profile, TEST_MODE_KEY};
use icn_model::{Did, Genesis};
use std::{
    io::{self, Write},
    net::SocketAddr,
    path::Path,
};

/// Writes the profile for `icn-cli`, readable by the owner alone: it holds a key.
pub(crate) fn write_profile(path: &Path, profile: &Profile) -> anyhow::Result<()> {
    files::replace(path, toml::to_string(profile)?.as_bytes(), Readers::Owner)
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Tells on stdout that the node waits, and how to give it an invitation.
pub(crate) fn announce_waiting(
    did: Did,
    url: &str,
    metrics: Option<SocketAddr>,
    data_dir: &Path,
) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "federation  none yet: waiting for an invitation (icn-cli federation invite)"
    )?;
    writeln!(out, "identity    {did}")?;
    writeln!(out, "http        {url}")?;
    write_metrics(&mut out, metrics)?;
    write_try(&mut out, data_dir, "federation join INVITATION")?;
    out.flush()?;
    Ok(())
}

/// Tells on stdout that the node waits for its store, and where it says why.
pub(crate) fn announce_away(url: &str, metrics: Option<SocketAddr>, data_dir: &Path) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "storage     cannot be reached: the node starts when it can")?;
    writeln!(out, "http        {url}")?;
    write_metrics(&mut out, metrics)?;
    write_try(&mut out, data_dir, "status")?;
    out.flush()?;
    Ok(())
}

fn write_metrics(out: &mut impl Write, address: Option<SocketAddr>) -> io::Result<()> {
    match address {
        Some(address) => writeln!(out, "metrics     http://{}/metrics", access::from_here(address)),
        None => Ok(()),
    }
}

fn write_try(out: &mut impl Write, data_dir: &Path, command: &str) -> io::Result<()> {
    let profile = data_dir.join("cli.toml");
    writeln!(
        out,
        "try         icn-cli --config {} {command}",
        profile.display()
    )
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
    write_metrics(&mut out, metrics)?;
    write_try(&mut out, data_dir, "status")?;
    if config.runtime.test_mode {
        writeln!(
            out,
            "            curl -H 'x-api-key: {TEST_MODE_KEY}' {url}/status"
        )?;
    }
    out.flush()?;
    Ok(())
}
