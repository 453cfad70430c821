//! Backups of a node that works, restored on an empty one with another backend; and archives that are not what they
//! should be.
use crate::harness::{KEY, Node};
use icn_api::{
    GZIP, OCTETS,
    backups::{BackupRequest, VerifyQuery, VerifyReport},
    dag::PinRequest,
    mana::ManaQuery,
    node::BackupsStatus,
    paths,
};
use icn_model::{Action, Cid, Codec, Did, Height, SecretKey};
use icn_store::{
    BackendKind, Batch, Durability, Location, Reader as _, ScanRange, Store, StoreConfig, Table, open,
};
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

/// Makes a backup into `path`.
pub(crate) fn back_up(node: &Node, path: &Path, request: &BackupRequest) {
    let mut file = File::create(path).unwrap();
    let size = node.client.backup(request, &mut file, |_| {}).unwrap();
    assert_eq!(file.metadata().unwrap().len(), size);
}

fn incremental() -> BackupRequest {
    BackupRequest {
        incremental: true,
        ..BackupRequest::default()
    }
}

/// Restores into the data directory of a node that is stopped.
pub(crate) fn restore(data_dir: &Path, inputs: &[&Path], more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_icn-node"))
        .args(["storage", "restore", "--json", "--input"])
        .args(inputs)
        .arg("--data-dir")
        .arg(data_dir)
        .args(more)
        .output()
        .unwrap()
}

pub(crate) fn restored(output: &Output) -> Value {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Why nothing was restored.
fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr.clone()).unwrap()
}

pub(crate) fn check(node: &Node, deep: bool) -> VerifyReport {
    let query = VerifyQuery {
        deep,
        wait_ms: Some(60_000),
    };
    let status = node.client.verify(&query).unwrap();
    assert!(!status.running && status.failure.is_none(), "{status:?}");
    status.last.unwrap()
}

fn add_member(node: &Node, number: u64) {
    let mut seed = [9; 32];
    seed[..8].copy_from_slice(&number.to_le_bytes());
    let member = Did::new(SecretKey::from_seed(&seed).public());
    node.done(&node.own(Action::AddMember { member }));
}

/// The entries of a store, in order.
pub(crate) fn entries(location: &Location, table: Table) -> Vec<(Vec<u8>, Vec<u8>)> {
    let store = Store::threaded(open(location).unwrap(), StoreConfig::default()).unwrap();
    store.scan(table, &ScanRange::all(), 10_000).unwrap().entries
}

pub(crate) fn put(location: &Location, table: Table, changes: &[(&[u8], &[u8])]) {
    let store = Store::threaded(open(location).unwrap(), StoreConfig::default()).unwrap();
    let mut batch = Batch::new();
    for (key, value) in changes {
        batch.put(table, *key, *value).unwrap();
    }
    store.commit(batch, Durability::Sync).wait().unwrap();
}

/// Another backend than the default one, if this program has one.
fn other_backend() -> BackendKind {
    let kinds = [BackendKind::Sqlite, BackendKind::Redb];
    let built_in = kinds.into_iter().find(|kind| kind.is_built_in());
    built_in.unwrap_or(BackendKind::Fjall)
}

#[test]
fn a_disaster_costs_nothing_that_was_backed_up() {
    let directory = tempfile::tempdir().unwrap();
    let (first, second) = (directory.path().join("first"), directory.path().join("second"));
    let archives = directory.path().join("archives");
    for directory in [&first, &second, &archives] {
        fs::create_dir(directory).unwrap();
    }
    let node = Node::on_disk(&first);
    let busy = AtomicBool::new(true);
    let put_blocks = |from: u32| {
        for number in from.. {
            node.client
                .put_block(Codec::Raw, &number.to_le_bytes().repeat(500))
                .unwrap();
            if !busy.load(Ordering::Relaxed) && number > from + 20 {
                return number;
            }
        }
        from
    };
    let kept = node.client.put_block(Codec::Raw, b"kept").unwrap();
    let pin = PinRequest {
        cid: kept,
        owner: None,
        reason: "a drill".into(),
        expires: None,
    };
    node.client.pin(&pin).unwrap();
    let (federation, accounts, blocks) = thread::scope(|scope| {
        let load = scope.spawn(|| put_blocks(0));
        add_member(&node, 1);
        back_up(&node, &archives.join("full.tar.gz"), &BackupRequest::default());
        add_member(&node, 2);
        back_up(&node, &archives.join("one.tar.gz"), &incremental());
        add_member(&node, 3);
        busy.store(false, Ordering::Relaxed);
        let blocks = load.join().unwrap();
        // Until no block of the log came while it was made, so that it is of a known height.
        loop {
            let before = node.client.federation().unwrap();
            let accounts = node.client.accounts(&ManaQuery::default()).unwrap();
            back_up(&node, &archives.join("two.tar.gz"), &incremental());
            if node.client.federation().unwrap().height == before.height {
                break (before, accounts, blocks);
            }
        }
    });
    assert!(federation.height >= Height::new(3));
    let checked = check(&node, true);
    assert_eq!(
        (checked.faults, checked.log_absent),
        (0, 0),
        "{:?}",
        checked.findings
    );
    assert!(checked.log_executed >= federation.height.get());
    node.stop();

    let kind = other_backend();
    let place = second.join("store-of-another-kind");
    let backend = [
        "--storage-backend",
        kind.name(),
        "--storage-path",
        place.to_str().unwrap(),
    ];
    let data_dir = second.join("data");
    let outcome = restored(&restore(&data_dir, &[&archives], &backend));
    assert_eq!(outcome["archives"], 3);
    assert_eq!(outcome["height"], json!(federation.height));
    assert_eq!(outcome["root"], json!(federation.root));
    assert_eq!(outcome["identity"], false);
    let again = refused(&restore(&data_dir, &[&archives], &backend));
    assert!(again.contains("--force"), "{again}");

    let node = Node::on_disk_with(&second, &backend);
    let now = node.client.federation().unwrap();
    assert_eq!(
        (now.height, now.root, now.id),
        (federation.height, federation.root, federation.id)
    );
    let balances = node.client.accounts(&ManaQuery::default()).unwrap();
    assert_eq!((balances.items, balances.root), (accounts.items, accounts.root));
    for number in 0..=blocks {
        let bytes = number.to_le_bytes().repeat(500);
        assert!(node.client.get_block(&Cid::of_raw(&bytes), true).unwrap() == bytes);
    }
    assert_eq!(node.client.pins(&Default::default()).unwrap().items[0].cid, kept);
    let checked = check(&node, true);
    assert_eq!(checked.faults, 0, "{:?}", checked.findings);
    assert_eq!(checked.height, federation.height);
    node.stop();

    goes_on_with_its_key(
        &directory.path().join("third"),
        &first,
        &archives,
        federation.height,
    );
    one_changed_byte_is_found(&second, &backend, &Location::directory(kind, &place).unwrap());
    changed_state_is_found(&first);
}

/// A federation of one, on a machine that has nothing but its key: its log goes on where the backup ends.
fn goes_on_with_its_key(directory: &Path, first: &Path, archives: &Path, height: Height) {
    let data_dir = directory.join("data");
    fs::create_dir_all(&data_dir).unwrap();
    fs::copy(first.join("data/node.key"), data_dir.join("node.key")).unwrap();
    restored(&restore(&data_dir, &[archives], &[]));
    for (start, member) in [(0, 4), (1, 5)] {
        let node = Node::on_disk(directory);
        add_member(&node, member);
        let now = node.client.federation().unwrap().height;
        assert!(now > height && now.get() > height.get() + start);
        let checked = check(&node, true);
        assert_eq!(checked.faults, 0, "{:?}", checked.findings);
        node.stop();
    }
}

/// Of a block, and of events and what they are found by.
fn one_changed_byte_is_found(directory: &Path, backend: &[&str], location: &Location) {
    let blocks = entries(location, Table::Blocks);
    let (key, value) = blocks.iter().find(|(_, value)| value.len() == 2_000).unwrap();
    let mut flipped = value.clone();
    flipped[1_000] ^= 1;
    put(location, Table::Blocks, &[(key, &flipped)]);
    let node = Node::on_disk_with(directory, backend);
    let found = check(&node, true);
    assert!(found.faults == 1 && found.findings[0].cid.is_some(), "{found:?}");
    node.stop();
    put(location, Table::Blocks, &[(key, value)]);
    let events = entries(location, Table::Events);
    let kinds = entries(location, Table::EventKinds);
    assert_eq!(events.len(), kinds.len());
    for (key, value) in [&events[0], &events[events.len() - 1]] {
        let mut flipped = value.clone();
        let last = flipped.len() - 1;
        flipped[last] ^= 1;
        let found = finding_of(directory, backend, location, (Table::Events, key), Some(&flipped));
        assert!(found.ends_with("changed"), "{found}");
    }
    // Where the first one is looked for by its kind, and where no kind has it.
    let (key, _) = kinds.iter().find(|(key, _)| key[1..] == events[0].0).unwrap();
    let missing = finding_of(directory, backend, location, (Table::EventKinds, key), None);
    assert_eq!(missing, "event 1 is not among those of its kind");
    let wrong = [&[u8::MAX], events[0].0.as_slice()].concat();
    let extra = finding_of(
        directory,
        backend,
        location,
        (Table::EventKinds, &wrong),
        Some(&[]),
    );
    assert!(extra.contains("events are listed by their kinds"), "{extra}");
    let (last, _) = &events[events.len() - 1];
    let missing = finding_of(directory, backend, location, (Table::Events, last), None);
    assert!(missing.contains("missing"), "{missing}");
}

/// The one thing that a node finds wrong with its store after this record was made another, or taken away. The record is
/// as before then.
fn finding_of(
    directory: &Path,
    backend: &[&str],
    location: &Location,
    (table, key): (Table, &[u8]),
    value: Option<&[u8]>,
) -> String {
    let set = |value: Option<Vec<u8>>| {
        let store = Store::threaded(open(location).unwrap(), StoreConfig::default()).unwrap();
        let was = store.get(table, key).unwrap();
        let mut batch = Batch::new();
        match value {
            Some(value) => batch.put(table, key, value).unwrap(),
            None => batch.delete(table, key).unwrap(),
        }
        store.commit(batch, Durability::Sync).wait().unwrap();
        was
    };
    let was = set(value.map(<[u8]>::to_vec));
    let node = Node::on_disk_with(directory, backend);
    let mut found = check(&node, false);
    node.stop();
    set(was);
    assert_eq!(found.findings.len(), 1, "{found:?}");
    found.findings.remove(0).text
}

/// Records that are records of a state, and not what the log says.
fn changed_state_is_found(directory: &Path) {
    let location = Location::directory(BackendKind::Fjall, directory.join("data/store")).unwrap();
    let members = entries(&location, Table::State);
    // Accounts of members, table 0x20: two that differ, one in the place of the other.
    let mut accounts = members.iter().filter(|(key, _)| key[0] == 0x20);
    let first = accounts.next().unwrap();
    let other = accounts.find(|(_, value)| *value != first.1).unwrap();
    put(&location, Table::State, &[(&first.0, &other.1)]);
    let node = Node::on_disk(directory);
    let found = check(&node, true);
    assert_eq!(found.faults, 1, "{found:?}");
    assert!(
        found.findings[0].text.contains("not what the log gives"),
        "{found:?}"
    );
}

#[test]
fn a_node_that_runs_takes_blocks_and_keeps_its_state() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::on_disk(directory.path());
    let cid = node.client.put_block(Codec::Raw, b"comes back").unwrap();
    let archive = directory.path().join("backup.tar.gz");
    back_up(&node, &archive, &BackupRequest::default());
    let listed = node.client.backups().unwrap().items;
    assert_eq!(listed.len(), 1);
    node.stop();
    let location = Location::directory(BackendKind::Fjall, directory.path().join("data/store")).unwrap();
    let key = entries(&location, Table::Blocks)
        .into_iter()
        .find(|(_, value)| value == b"comes back")
        .unwrap()
        .0;
    put(&location, Table::Blocks, &[(&key, b"came wrong")]);
    let mut node = Node::on_disk(directory.path());
    node.expects_errors = true;
    assert!(node.client.get_block(&cid, true).is_err());
    add_member(&node, 1);
    let height = node.client.federation().unwrap().height;
    let merged = node.client.restore(&File::open(&archive).unwrap()).unwrap();
    assert_eq!((merged.blocks_put, merged.id), (1, listed[0].id.clone()));
    assert_eq!(node.client.get_block(&cid, true).unwrap(), b"comes back");
    assert!(node.client.federation().unwrap().height >= height);
    // Other nodes' backups are not for this one.
    let other = Node::start();
    let bytes = fs::read(&archive).unwrap();
    let problem = other.post(paths::RESTORE, OCTETS, &bytes).problem(422, 935);
    assert!(
        problem.detail.contains("another data directory"),
        "{}",
        problem.detail
    );
    let mut cut = bytes.clone();
    cut.truncate(bytes.len() - 1);
    node.post(paths::RESTORE, OCTETS, &cut).problem(422, 935);
    node.post(paths::RESTORE, OCTETS, b"no archive").problem(422, 935);
    node.stop();
}

#[test]
fn when_a_node_was_backed_up_outlasts_it() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::on_disk(directory.path());
    let last = |node: &Node| node.client.status().unwrap().backups.unwrap();
    assert_eq!(last(&node), BackupsStatus::default());
    let archive = directory.path().join("archive");
    // One that nothing was made before is a full one, whatever was asked for.
    back_up(&node, &archive, &incremental());
    let full = last(&node);
    assert!(
        full.last_full.is_some() && full.last_incremental.is_none(),
        "{full:?}"
    );
    back_up(&node, &archive, &incremental());
    let both = last(&node);
    assert!(both.last_full == full.last_full && both.last_incremental >= full.last_full);
    node.stop();
    let node = Node::on_disk(directory.path());
    assert_eq!(last(&node), both);
    let text = String::from_utf8(node.get(paths::METRICS).body).unwrap();
    let seconds = both.last_full.unwrap().get() / 1_000;
    let line = format!("icn_backup_last_timestamp_seconds{{kind=\"full\"}} {seconds}\n");
    assert!(text.contains(&line), "{text}");
}

#[test]
fn secrets_do_not_go_along_and_keys_only_encrypted() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::on_disk(directory.path());
    let with_key = json!({ "include_identity": true });
    let refused = node.post_json(paths::BACKUPS, &with_key).problem(400, 904);
    assert!(refused.detail.contains("not encrypted"), "{}", refused.detail);
    node.post_json(paths::BACKUPS, &json!({ "since": 1 }))
        .problem(400, 904);
    node.post_json(paths::BACKUPS, &json!({ "full": true }))
        .problem(400, 904);
    let answer = node.post_json(paths::BACKUPS, &json!({}));
    assert_eq!((answer.status, answer.header("content-type")), (200, GZIP));
    let config = entry(&answer.body, "config.json");
    let text = String::from_utf8(config).unwrap();
    assert!(text.contains("\"data_dir\"") && !text.contains(KEY), "{text}");
    node.stop();
}

/// An entry of an archive, by the tar of the operating system.
fn entry(archive: &[u8], name: &str) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("archive.tar.gz");
    fs::write(&path, archive).unwrap();
    let output = Command::new("tar")
        .arg("-xzOf")
        .arg(&path)
        .arg(name)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

/// What is in a gzip, if that is whole.
fn unpacked(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    let read = flate2::read::GzDecoder::new(bytes).read_to_end(&mut content);
    read.is_ok().then_some(content)
}

#[test]
fn archives_that_are_not_what_they_should_be_change_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::on_disk(directory.path());
    node.client.put_block(Codec::Raw, b"content").unwrap();
    let archive = directory.path().join("full.tar.gz");
    back_up(&node, &archive, &BackupRequest::default());
    node.client.put_block(Codec::Raw, b"more").unwrap();
    let more = directory.path().join("more.tar.gz");
    back_up(&node, &more, &incremental());
    node.stop();
    let data_dir = directory.path().join("restored");
    let bytes = fs::read(&archive).unwrap();
    let bad = directory.path().join("bad.tar.gz");
    let try_with = |bytes: &[u8]| {
        fs::write(&bad, bytes).unwrap();
        let said = refused(&restore(&data_dir, &[&bad], &[]));
        assert!(
            !data_dir.join("store").exists() && !data_dir.join("genesis.json").exists(),
            "{said}"
        );
        said
    };
    // Anywhere: the header of gzip, its content, its checksum.
    let step = bytes.len() / 16;
    for at in (0..10)
        .chain((10..bytes.len()).step_by(step))
        .chain(bytes.len() - 8..bytes.len())
    {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x10;
        // The last byte before the checksum may have bits that mean nothing to anybody.
        if at < 10 || unpacked(&flipped) != unpacked(&bytes) {
            try_with(&flipped);
        }
    }
    for len in (0..bytes.len()).step_by(step) {
        try_with(&bytes[..len]);
    }
    try_with(&[bytes.as_slice(), b"x"].concat());
    try_with(&[bytes.as_slice(), bytes.as_slice()].concat());
    // A link of the chain that is missing is named.
    let said = refused(&restore(&data_dir, &[&more], &[]));
    assert!(
        said.contains("more.tar.gz continues the backup") && said.contains("give that one"),
        "{said}"
    );
    for (made, expected) in hostile(directory.path(), &archive) {
        let said = refused(&restore(&data_dir, &[&made], &[]));
        assert!(said.contains(expected), "{}: {said}", made.display());
        assert!(!data_dir.join("store").exists(), "{}", made.display());
    }
    let outcome = restored(&restore(&data_dir, &[&archive, &more], &[]));
    assert_eq!(outcome["archives"], 2);
    // Another federation's node stays what it is.
    let other = directory.path().join("other");
    fs::create_dir(&other).unwrap();
    Node::on_disk(&other).stop();
    let said = refused(&restore(&other.join("data"), &[&archive], &["--force"]));
    assert!(said.contains("this node belongs to"), "{said}");
    // A running node's store is not touched.
    let node = Node::on_disk(directory.path());
    let said = refused(&restore(
        &directory.path().join("data"),
        &[&archive],
        &["--force"],
    ));
    assert!(said.contains("in use"), "{said}");
    node.stop();
    let outcome = restored(&restore(
        &directory.path().join("data"),
        &[&archive],
        &["--force"],
    ));
    assert!(Path::new(outcome["set_aside"].as_str().unwrap()).exists());
    Node::on_disk(directory.path()).stop();
}

/// Archives that a node never makes, packed by the tar of the operating system, with what is said of them.
fn hostile(directory: &Path, archive: &Path) -> Vec<(PathBuf, &'static str)> {
    let script = r#"
        set -eu
        mkdir "$0" && cd "$0" && tar -xzf "$1"
        names=$(tar -tzf "$1")
        pack() { out=$1; shift; tar --format=ustar -P -cf - "$@" | gzip -n > "../$out.tar.gz"; }
        cp head.json keep
        sed 's/"format": 1/"format": 2/' keep > head.json; pack newer $names
        mv keep head.json
        echo x > ../escaped; pack parent ../escaped $names
        rm ../escaped
        ln -s /etc/passwd link; pack link link $names
        cp config.json keep; rm config.json; ln -s /etc/passwd config.json; pack linked $names
        rm config.json; cp keep config.json; printf ' ' >> config.json; pack changed $names
        cp keep config.json; pack unordered genesis.json $names
        head -c 40000000 /dev/zero > blocks/000000.cbor; pack bomb $names
    "#;
    let output = Command::new("sh")
        .args(["-c", script])
        .arg(directory.join("unpacked"))
        .arg(archive)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let made = [
        ("newer", "use a newer icn-node"),
        ("parent", "has no place there"),
        ("link", "has no place there"),
        ("linked", "has no place there"),
        ("changed", "manifest.json in the archive is damaged"),
        ("unordered", "has no place there"),
        ("bomb", "more than a node writes"),
    ];
    let sealed = made.map(|(name, expected)| {
        let path = directory.join(format!("{name}.tar.gz"));
        // The header as nodes write it, so that the rest is looked at.
        let mut bytes = fs::read(&path).unwrap();
        bytes[9] = 255;
        fs::write(&path, bytes).unwrap();
        (path, expected)
    });
    sealed.into()
}
