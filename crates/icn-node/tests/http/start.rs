//! Nodes with a configuration of their own: what its file, its variables and the files beside it say.
use crate::harness::{KEY, Node};
use std::{
    fs,
    process::{Command, Output, Stdio},
};
use tempfile::TempDir;

/// A node before it runs: in memory, with the key of test mode, in a directory of its own.
pub(crate) struct Start {
    directory: TempDir,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
    key: Option<String>,
}

impl Start {
    /// With a configuration file.
    pub(crate) fn config(text: &str) -> Self {
        let addresses = ["--http-listen-addr", "127.0.0.1:0"];
        Self {
            directory: tempfile::tempdir().unwrap(),
            arguments: addresses.map(Into::into).into(),
            variables: Vec::new(),
            key: Some(KEY.into()),
        }
        .file("icn.toml", text)
    }

    /// With a file beside it.
    pub(crate) fn file(self, name: &str, text: &str) -> Self {
        fs::write(self.directory.path().join(name), text).unwrap();
        self
    }

    /// With a variable.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// With this key instead of test mode's.
    pub(crate) fn key(self, key: &str) -> Self {
        Self {
            key: Some(key.into()),
            ..self
        }
    }

    /// Without a key on the command line.
    pub(crate) fn without_key(self) -> Self {
        Self { key: None, ..self }
    }

    /// Without an address on the command line.
    pub(crate) fn without_address(self) -> Self {
        Self {
            arguments: Vec::new(),
            ..self
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_icn-node"));
        command
            .current_dir(self.directory.path())
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    /// Arguments that say the same to the node and to `config show`.
    fn options(&self) -> Vec<String> {
        let fixed = [
            "--config",
            "icn.toml",
            "--data-dir",
            "data",
            "--storage-backend",
            "memory",
        ];
        let fixed = fixed.into_iter().map(str::to_owned);
        let p2p = ["--p2p-listen-addr", "/ip4/127.0.0.1/tcp/0"].map(str::to_owned);
        let key = self
            .key
            .iter()
            .flat_map(|key| ["--api-key".to_owned(), key.clone()]);
        fixed
            .chain(p2p)
            .chain(key)
            .chain(self.arguments.iter().cloned())
            .collect()
    }

    /// The running node.
    pub(crate) fn run(self) -> Node {
        let mut command = self.command();
        command.args(self.options());
        let passphrase = self
            .variables
            .iter()
            .find(|(name, _)| name == "ICN_KEY_PASSPHRASE");
        let passphrase = passphrase.map(|(_, text)| text.clone());
        let mut node = Node::launch(command, self.directory.path(), passphrase.as_deref());
        node.keep(self.directory);
        node
    }

    fn output(&self, first: &[&str]) -> Output {
        self.command().args(first).args(self.options()).output().unwrap()
    }

    /// What a node that must not start says.
    pub(crate) fn refused(self) -> String {
        said(&self.output(&[]))
    }

    /// What `config show --origin` says.
    pub(crate) fn shown(self) -> String {
        let output = self.without_key().output(&["config", "show", "--origin"]);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

/// What a node with these arguments, which must not start, says.
pub(crate) fn refused(arguments: &[&str]) -> String {
    said(
        &Command::new(env!("CARGO_BIN_EXE_icn-node"))
            .args(arguments)
            .output()
            .unwrap(),
    )
}

fn said(output: &Output) -> String {
    assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}
