//! Keys and certificates by the command line, against the real node. `cargo xtask test` builds the node's binary
//! beside this one first.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests: a panic is how a test fails"
)]
use rcgen::{CertificateParams, KeyPair};
use serde_json::Value;
use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Read as _},
    path::Path,
    process::{Child, ChildStdout, Command, Output, Stdio},
};
use tempfile::TempDir;

const CLI: &str = env!("CARGO_BIN_EXE_icn-cli");

/// A node that ends with the test, and a directory in which it left its profile.
struct Node {
    child: Child,
    /// Kept open: the node may still have something to say.
    _stdout: BufReader<ChildStdout>,
    url: String,
    home: TempDir,
}

impl Node {
    fn start(home: TempDir, arguments: &[&str]) -> Self {
        let node = Path::new(CLI).with_file_name("icn-node");
        assert!(
            node.exists(),
            "{} is not built: cargo build -p icn-node",
            node.display()
        );
        let mut child = Command::new(node)
            .args(["--storage-backend", "memory", "--http-listen-addr", "127.0.0.1:0"])
            .args([
                "--p2p-listen-addr",
                "/ip4/127.0.0.1/tcp/0",
                "--metrics-enabled",
                "false",
            ])
            .args(arguments)
            .current_dir(home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(home.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut lines = stdout.by_ref().lines().map_while(Result::ok);
        let url = lines.find_map(|line| Some(line.strip_prefix("http ")?.trim().to_owned()));
        let Some(url) = url else {
            let _ = child.wait();
            panic!(
                "the node did not start: {}",
                fs::read_to_string(home.path().join("log")).unwrap()
            );
        };
        // The profile is there when the last line is.
        assert!(lines.any(|line| line.starts_with("try ")));
        drop(lines);
        Self {
            child,
            _stdout: stdout,
            url,
            home,
        }
    }

    fn cli(&self, arguments: &[&str]) -> Output {
        Command::new(CLI)
            .args(arguments)
            .current_dir(self.home.path())
            .env_clear()
            .env("HOME", self.home.path())
            .output()
            .unwrap()
    }

    fn done(&self, arguments: &[&str]) -> String {
        let output = self.cli(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    fn failed(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.cli(arguments);
        (output.status.code(), text(&output.stderr))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn keys_come_and_go_by_the_command_line() {
    let node = Node::start(tempfile::tempdir().unwrap(), &[]);
    let secret = node.done(&["api-key", "new", "ci", "--scope", "read", "--expires", "90d"]);
    let secret = secret.trim();
    assert!(secret.starts_with("icn_") && !secret.contains('\n'), "{secret}");
    node.done(&["--api-key", secret, "info"]);
    let (code, said) = node.failed(&["--api-key", secret, "api-key", "ls"]);
    assert!(code == Some(1) && said.contains("902 forbidden"), "{said}");
    let table = node.done(&["api-key", "ls"]);
    assert!(
        table.contains("ci") && table.contains("read") && !table.contains(secret),
        "{table}"
    );
    let rotated: Value = serde_json::from_str(&node.done(&["--json", "api-key", "rotate", "ci"])).unwrap();
    assert!(rotated["key"]["overlap_until"].is_u64());
    let newer = rotated["secret"].as_str().unwrap();
    node.done(&["--api-key", secret, "info"]);
    node.done(&["--api-key", newer, "info"]);
    node.done(&["api-key", "rotate", "ci", "--overlap", "0s"]);
    let (_, said) = node.failed(&["--api-key", newer, "info"]);
    assert!(said.contains("901 unauthorised"), "{said}");
    node.done(&["api-key", "revoke", "ci"]);
    assert!(!node.done(&["api-key", "ls"]).contains("ci "));
    let (code, said) = node.failed(&["api-key", "revoke", "ci"]);
    assert!(code == Some(1) && said.contains("no key ci"), "{said}");
    for wrong in [
        &["api-key", "new", "CI", "--scope", "read"][..],
        &["api-key", "new", "ci", "--scope", "root"],
        &["api-key", "new", "ci"],
        &["api-key", "new", "ci", "--scope", "read", "--expires", "soon"],
    ] {
        assert_eq!(node.failed(wrong).0, Some(2), "{wrong:?}");
    }
    let (_, said) = node.failed(&[
        "api-key",
        "new",
        "ci",
        "--scope",
        "read",
        "--expires",
        "1999-01-01",
    ]);
    assert!(said.contains("that moment is past"), "{said}");
    let checks = node.cli(&["doctor"]);
    let checks = text(&checks.stdout);
    assert!(
        checks.contains("api-keys") && checks.contains("none is needed on this machine"),
        "{checks}"
    );
}

#[test]
fn the_checklist_for_production_is_walked_point_by_point() {
    let node = Node::start(tempfile::tempdir().unwrap(), &[]);
    let walk = || {
        let output = node.cli(&["--json", "doctor", "--production"]);
        let points: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code(), points)
    };
    let verdict = |points: &[Value], name: &str| {
        let point = points.iter().find(|point| point["name"] == name).unwrap();
        point["verdict"].as_str().unwrap().to_owned()
    };
    let (code, points) = walk();
    assert_eq!(
        (code, points.len()),
        (Some(1), 17),
        "the seed's checklist has 17 points"
    );
    for point in &points {
        let is_well = point["verdict"] == "pass";
        assert!(
            is_well || point["mend"].as_str().is_some_and(|mend| !mend.is_empty()),
            "{point}"
        );
    }
    for (name, expected) in [
        ("security audit completed", "cannot-vouch"),
        ("key management procedures", "fail"),
        ("authentication configured", "pass"),
        ("backup procedures tested", "fail"),
        ("database optimized", "fail"),
        ("health checks working", "pass"),
        ("configuration management", "fail"),
    ] {
        assert_eq!(verdict(&points, name), expected, "{name}");
    }
    node.done(&["dag", "backup", "--path", "backups"]);
    node.done(&["dag", "verify", "--deep"]);
    assert_eq!(verdict(&walk().1, "backup procedures tested"), "cannot-vouch");
    assert!(node.done(&["status"]).contains("full "), "the backup's age");
    let secret = node.done(&["api-key", "new", "ci", "--scope", "read"]);
    let output = node.cli(&["--api-key", secret.trim(), "--json", "doctor", "--production"]);
    let points: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(verdict(&points, "configuration management"), "unknown");
    let text = text(&node.cli(&["doctor", "--production"]).stdout);
    assert!(
        text.contains("yours to say") && text.contains("icn-cli key export"),
        "{text}"
    );
}

#[test]
fn https_is_spoken_with_whoever_the_profile_believes() {
    let home = tempfile::tempdir().unwrap();
    let authority = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&authority).unwrap();
    fs::write(home.path().join("ca.pem"), certificate.pem()).unwrap();
    let issuer = rcgen::Issuer::new(params, authority);
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "node");
    let signed = params.signed_by(&key, &issuer).unwrap();
    fs::write(home.path().join("cert.pem"), signed.pem()).unwrap();
    fs::write(home.path().join("key.pem"), key.serialize_pem()).unwrap();
    let node = Node::start(
        home,
        &["--tls-cert-path", "cert.pem", "--tls-key-path", "key.pem"],
    );
    assert!(node.url.starts_with("https://localhost:"), "{}", node.url);
    let status = node.done(&["--ca-cert", "ca.pem", "status"]);
    assert!(
        status.contains("certificate") && status.contains("localhost, until "),
        "{status}"
    );
    let checks: Value =
        serde_json::from_slice(&node.cli(&["--ca-cert", "ca.pem", "--json", "doctor"]).stdout).unwrap();
    let check = checks
        .as_array()
        .unwrap()
        .iter()
        .find(|check| check["name"] == "certificate")
        .unwrap();
    assert_eq!(check["verdict"], "pass", "{check}");
    // The file has no authority in it, so the profile cannot name one.
    let (code, said) = node.failed(&["status"]);
    assert!(code == Some(1) && said.contains("--ca-cert"), "{said}");
    let (code, said) = node.failed(&["--ca-cert", "key.pem", "status"]);
    assert!(code == Some(2) && said.contains("key.pem"), "{said}");
    let (code, said) = node.failed(&["--ca-cert", "none.pem", "status"]);
    assert!(code == Some(1) && said.contains("none.pem"), "{said}");
    let http = node.url.replace("https://", "http://");
    let (code, said) = node.failed(&["--api-url", &http, "--api-key", "any-key-at-all", "status"]);
    assert!(
        code == Some(1) && said.contains("this server speaks HTTPS"),
        "{said}"
    );
}
