//! What parses bytes from outside, as functions of bytes: each reads them as the programs do, and panics where what
//! must hold of any bytes does not.
//!
//! `fuzz_targets/` hands these to libFuzzer (`cargo xtask fuzz`), and a test of icn-node runs the same functions over
//! the corpus and mutations of it, without instrumentation. So this file is compiled twice, and names only what both
//! have.
use icn_api::{
    InvitationFile,
    backups::BackupRequest,
    car::{CarReader, links},
    config::ConfigChange,
    dag::PinRequest,
    keyfile,
    keys::{NewKey, RotateKey},
    operations::Submit,
};
use icn_model::{
    Block, Cid, Genesis, Invitation, JobSpec, Operation, Receipt, Signed,
    canonical::{self, DecodeError},
    file::FileIndex,
    limits::MAX_DAG_BLOCK_BYTES,
};
use serde::{Serialize, de::DeserializeOwned};
use std::{collections::BTreeMap, io::Write as _};

/// A target: its name, which is that of its corpus, and its function.
pub(crate) type Target = (&'static str, fn(&[u8]));

/// Every target.
pub(crate) const TARGETS: [Target; 7] = [
    ("archive", archive),
    ("car", car),
    ("cbor", cbor),
    ("cid", cid),
    ("config", config),
    ("http_body", http_body),
    ("key_file", key_file),
];

/// A configuration file: it is read, or refused with something to say.
pub(crate) fn config(bytes: &[u8]) {
    let directory = tempfile::tempdir().expect("a directory for temporary files");
    let file = directory.path().join("node.toml");
    std::fs::write(&file, bytes).expect("a temporary file");
    match icn_runtime::config::Layered::read(Some(&file), &BTreeMap::<String, String>::new()) {
        Ok(layered) => {
            let settings = layered.settings().expect("what could be read can be shown");
            assert!(settings.iter().all(|setting| !setting.key.is_empty()));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A backup: what is in the gzip as it is, and the bytes themselves.
pub(crate) fn archive(bytes: &[u8]) {
    let mut gzip = flate2::GzBuilder::new()
        .operating_system(255)
        .write(Vec::new(), flate2::Compression::new(1));
    gzip.write_all(bytes).expect("memory takes everything");
    let packed = gzip.finish().expect("memory takes everything");
    for bytes in [bytes, &packed] {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(bytes).expect("a temporary file takes everything");
        if let Err(error) = icn_runtime::backup::check_archive(file.path()) {
            assert!(!error.to_string().is_empty());
        }
    }
}

/// A CAR file: blocks that come out are what they are called.
pub(crate) fn car(bytes: &[u8]) {
    let Ok(mut reader) = CarReader::new(bytes) else {
        return;
    };
    let mut read = reader.roots().len();
    while let Ok(Some((cid, block))) = reader.next_block() {
        assert!(cid.names(&block));
        read += block.len();
        // Every block takes more than its content in the file, and every root more than 36 bytes.
        assert!(read <= bytes.len());
    }
}

/// Canonical bytes of everything that comes from outside: what is taken is encoded to the same bytes.
pub(crate) fn cbor(bytes: &[u8]) {
    fn canonical<T: Serialize + DeserializeOwned>(bytes: &[u8]) {
        if let Ok(value) = canonical::from_bytes::<T>(bytes, MAX_DAG_BLOCK_BYTES) {
            assert!(canonical::to_bytes(&value) == bytes);
        }
    }
    canonical::<Operation>(bytes);
    canonical::<JobSpec>(bytes);
    canonical::<Genesis>(bytes);
    canonical::<Signed<Receipt>>(bytes);
    canonical::<Signed<Invitation>>(bytes);
    if let Ok(index) = FileIndex::from_bytes(bytes) {
        assert!(canonical::to_bytes(&index) == bytes);
    }
    if let Ok(block) = Block::from_bytes(bytes) {
        assert!(block.to_bytes() == bytes);
    }
    match links(bytes, MAX_DAG_BLOCK_BYTES) {
        Ok(links) => assert!(links.len() <= bytes.len()),
        Err(DecodeError::NotCanonical) => panic!("links are read from any encoding"),
        Err(_) => {}
    }
}

/// A CID, in binary and as text: what is taken is written as it was.
pub(crate) fn cid(bytes: &[u8]) {
    if let Ok(cid) = Cid::try_from(bytes) {
        assert_eq!(cid.to_bytes(), bytes);
        assert_eq!(cid.to_string().parse(), Ok(cid));
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(cid) = text.parse::<Cid>()
    {
        assert_eq!(Cid::try_from(&cid.to_bytes()[..]), Ok(cid));
    }
}

/// A key file: none is taken that would take more than the memory and time that are allowed, and none is shown.
pub(crate) fn key_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match keyfile::parse(text, "a file") {
        Ok(stored) => {
            let _ = stored.is_encrypted();
            if let Ok(key) = stored.plain() {
                let again = keyfile::parse(&keyfile::to_pem(&key), "the same");
                assert!(
                    again
                        .and_then(|stored| stored.plain())
                        .is_ok_and(|again| again.public() == key.public())
                );
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Bodies of requests: what is taken is written and read as the same.
pub(crate) fn http_body(bytes: &[u8]) {
    fn json<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Option<T> {
        let value: T = serde_json::from_slice(bytes).ok()?;
        let text = serde_json::to_string(&value).expect("what was read can be written");
        serde_json::from_str(&text)
            .map(Some)
            .expect("what was written can be read")
    }
    json::<BackupRequest>(bytes);
    json::<ConfigChange>(bytes);
    json::<NewKey>(bytes);
    json::<PinRequest>(bytes);
    json::<RotateKey>(bytes);
    if let Some(file) = json::<InvitationFile>(bytes) {
        let _ = file.check();
    }
    for operation in json::<Submit>(bytes)
        .into_iter()
        .flat_map(Submit::into_operations)
    {
        let _ = operation.verify();
        let decoded: Result<Operation, _> = canonical::from_bytes(operation.bytes(), MAX_DAG_BLOCK_BYTES);
        assert!(decoded.is_ok_and(|decoded| decoded == *operation.operation()));
    }
}
