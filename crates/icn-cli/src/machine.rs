//! What this program finds on the machine it runs on: other programs, and the user's configuration.
use anyhow::Context as _;
use std::{env, path::PathBuf};

/// The node's program.
const NODE: &str = "icn-node";

/// The node's program: beside this one, or in the search path.
pub(crate) fn node_program() -> anyhow::Result<PathBuf> {
    let beside = env::current_exe()
        .ok()
        .and_then(|exe| Some(exe.parent()?.join(NODE)));
    beside
        .filter(|program| program.is_file())
        .or_else(|| in_path(NODE))
        .context("icn-node is neither beside icn-cli nor in PATH: build it (cargo build --bin icn-node)")
}

/// The file of a program in the search path.
pub(crate) fn in_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let mut places = env::split_paths(&path).map(|directory| directory.join(program));
    places.find(|place| place.is_file())
}

/// Where the user keeps configuration.
pub(crate) fn configuration_directory() -> Option<PathBuf> {
    let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".config"));
    env::var_os("XDG_CONFIG_HOME")
        .filter(|dir| !dir.is_empty())
        .map(PathBuf::from)
        .or_else(home)
}
