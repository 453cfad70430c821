//! What the node tells those around it on its machine: the service manager that started it, and a collector of traces.
use crate::{
    harness::{Node, WAIT},
    reporting::Service,
};
use std::{fs, os::unix::net::UnixDatagram, process::Command};

fn command(directory: &std::path::Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_icn-node"));
    command
        .args(["--http-listen-addr", "127.0.0.1:0", "--p2p-listen-addr"])
        .args(["/ip4/127.0.0.1/tcp/0", "--config", "icn.toml", "--test-mode"])
        .current_dir(directory);
    command
}

#[test]
fn the_service_manager_hears_of_start_life_and_end() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("icn.toml"), "").unwrap();
    let path = directory.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(WAIT)).unwrap();
    let mut command = command(directory.path());
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "200000");
    let node = Node::launch(command, directory.path(), None);
    let hear = |wanted: &str| {
        let mut bytes = [0; 256];
        loop {
            let len = socket.recv(&mut bytes).unwrap();
            if String::from_utf8_lossy(&bytes[..len]).contains(wanted) {
                return;
            }
        }
    };
    hear("READY=1");
    hear("WATCHDOG=1");
    hear("WATCHDOG=1");
    node.stop();
    hear("STOPPING=1");
}

#[test]
fn spans_reach_a_collector() {
    let collector = Service::start(|_| 200);
    let directory = tempfile::tempdir().unwrap();
    let section = format!(
        "[logging]\notlp_endpoint = \"http://{}/v1/traces\"\n",
        collector.address
    );
    fs::write(directory.path().join("icn.toml"), section).unwrap();
    let node = Node::launch(command(directory.path()), directory.path(), None);
    assert_eq!(node.get("/v1/federation").status, 200);
    // What has not been sent by then is sent as the node ends.
    node.stop();
    let told = collector.next();
    assert_eq!(told.path, "/v1/traces");
    let holds = |text: &str| told.body.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(holds("icn-node"), "the service is named");
    assert!(holds("/v1/federation"), "a request is a span");
}
