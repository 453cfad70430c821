//! A Prometheus that scrapes a devnet's nodes, for as long as they run.
use super::{
    process::{self, Launch, Process},
    state::State,
};
use crate::machine;
use anyhow::Context as _;
use serde_json::json;
use std::{
    ffi::OsString,
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    time::Duration,
};

const PROGRAM: &str = "prometheus";
/// How often nodes are scraped and rules evaluated.
const INTERVAL: &str = "5s";
const ASK_TIMEOUT: Duration = Duration::from_secs(5);
/// More than the targets of a devnet take.
const MAX_ANSWER_BYTES: u64 = 4 << 20;

/// Prometheus' program.
///
/// # Errors
/// If it is not in the search path.
pub(super) fn program() -> anyhow::Result<PathBuf> {
    machine::in_path(PROGRAM).context(
        "prometheus is not in PATH, which watches the nodes: install prometheus, or leave monitoring out",
    )
}

/// Starts it. `rules` are files of rules, or directories of them.
pub(super) fn start(state: &State, directory: &Path, rules: &[PathBuf]) -> anyhow::Result<Process> {
    let prometheus = state
        .prometheus
        .as_ref()
        .context("this devnet was made without monitoring: make another one with it")?;
    let folder = directory.join(PROGRAM);
    let config = folder.join("prometheus.yml");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    // JSON is YAML.
    let text = serde_json::to_vec_pretty(&config_of(state, rules)?)?;
    fs::write(&config, text).with_context(|| format!("cannot write {}", config.display()))?;
    let flag = |name: &str, value: &Path| {
        let mut flag = OsString::from(format!("--{name}="));
        flag.push(value);
        flag
    };
    let args = [
        flag("config.file", &config),
        flag("storage.tsdb.path", &folder.join("data")),
        format!("--web.listen-address={}", prometheus.address).into(),
    ];
    let (_, process) = process::start(&Launch::default(), &program()?, &args, &folder, &log(directory))?;
    Ok(process)
}

fn config_of(state: &State, rules: &[PathBuf]) -> anyhow::Result<serde_json::Value> {
    let mut files = Vec::new();
    for place in rules {
        let place =
            fs::canonicalize(place).with_context(|| format!("there are no rules in {}", place.display()))?;
        files.push(if place.is_dir() {
            place.join("*.yml")
        } else {
            place
        });
    }
    let target = |node: &super::state::Node| {
        node.metrics_address
            .as_ref()
            .map(|address| json!({ "targets": [address], "labels": { "node": node.name } }))
    };
    let targets: Vec<_> = state.nodes.iter().filter_map(target).collect();
    Ok(json!({
        "global": { "scrape_interval": INTERVAL, "evaluation_interval": INTERVAL },
        "rule_files": files,
        "scrape_configs": [{ "job_name": "icn-node", "static_configs": targets }],
    }))
}

/// How many nodes the one at `address` has scraped.
///
/// # Errors
/// If it does not answer.
pub(super) fn scraped(address: &str) -> anyhow::Result<usize> {
    Ok(up(&get(address, "/api/v1/targets?state=active")?))
}

/// Where the one of a devnet writes what it does.
pub(super) fn log(directory: &Path) -> PathBuf {
    directory.join(PROGRAM).join("prometheus.log")
}

/// How many targets are up, by Prometheus' answer.
fn up(answer: &str) -> usize {
    answer.matches("\"health\":\"up\"").count()
}

/// The answer to a GET: no more than this one question needs.
fn get(address: &str, path: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(ASK_TIMEOUT))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(MAX_ANSWER_BYTES).read_to_string(&mut answer)?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devnet::plan::{self, Plan};

    #[test]
    fn every_node_is_a_target() {
        let directory = tempfile::tempdir().unwrap();
        let plan = Plan {
            monitored: true,
            ..Plan::new(3, plan::free_base_port(3, 23_000).unwrap())
        };
        let state = plan::prepare(directory.path(), &plan).unwrap();
        let config = config_of(&state, &[directory.path().to_owned()]).unwrap();
        let targets = config["scrape_configs"][0]["static_configs"].as_array().unwrap();
        assert_eq!(targets.len(), 3);
        assert_eq!(targets[2]["labels"]["node"], "mill");
        assert!(config["rule_files"][0].as_str().unwrap().ends_with("/*.yml"));
        let error = config_of(&state, &[directory.path().join("none")]).unwrap_err();
        assert!(error.to_string().contains("no rules"), "{error}");
    }

    #[test]
    fn targets_that_are_up_are_counted() {
        assert_eq!(up(r#"[{"health":"up"},{"health":"down"},{"health":"up"}]"#), 2);
    }
}
