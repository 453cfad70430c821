//! The block store, over memory and over fjall: nothing wrong goes in, nothing damaged comes out.
#![allow(clippy::unwrap_used, reason = "a test says no more by expecting")]

use cid::Cid;
use icn_store::{
    Batch, Block, BlockError, BlockUsage, Blocks, Durability, MAX_BLOCK_BYTES, MemoryBackend, Reader,
    ScanRange, Store, StoreConfig, StoreError, Table,
};

const RAW: u64 = 0x55;
const DAG_CBOR: u64 = 0x71;

fn memory() -> (Store, Blocks) {
    let store = Store::inline(MemoryBackend::new(), StoreConfig::default());
    (store.clone(), Blocks::new(store))
}

fn put(blocks: &Blocks, codec: u64, bytes: &[u8]) -> Cid {
    let cid = Blocks::cid_of(codec, bytes);
    blocks.put(&cid, bytes, Durability::Sync).unwrap().wait().unwrap();
    cid
}

/// Changes one byte of the stored block behind the block store's back.
fn damage(store: &Store, block: &[u8]) {
    let page = store.scan(Table::Blocks, &ScanRange::all(), 1000).unwrap();
    let (key, mut value) = page
        .entries
        .into_iter()
        .find(|(_, value)| value == block)
        .expect("it is there");
    value[0] ^= 1;
    let mut batch = Batch::new();
    batch.put(Table::Blocks, key, value).unwrap();
    store.commit(batch, Durability::Sync).wait().unwrap();
}

#[test]
fn a_known_block_has_its_known_cid() {
    let cid = Blocks::cid_of(RAW, b"hello world");
    assert_eq!(
        cid.to_string(),
        "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"
    );
}

#[test]
fn blocks_go_in_and_come_out() {
    let (_, blocks) = memory();
    let cid = put(&blocks, RAW, b"bytes");
    let empty = put(&blocks, DAG_CBOR, b"");
    let large = put(&blocks, RAW, &vec![3; MAX_BLOCK_BYTES]);
    assert_eq!(blocks.get(&cid).unwrap().as_deref(), Some(&b"bytes"[..]));
    assert_eq!(blocks.get(&empty).unwrap().as_deref(), Some(&b""[..]));
    assert_eq!(blocks.get(&large).unwrap().unwrap().len(), MAX_BLOCK_BYTES);
    let absent = Blocks::cid_of(RAW, b"absent");
    assert_eq!(blocks.get(&absent).unwrap(), None);
    assert!(blocks.has(&cid).unwrap() && !blocks.has(&absent).unwrap());
    put(&blocks, RAW, b"bytes");
    let usage = BlockUsage {
        blocks: 3,
        size_bytes: 5 + MAX_BLOCK_BYTES as u64,
    };
    assert_eq!(blocks.usage().unwrap(), usage, "a block counts once");
    blocks.delete(&large, Durability::Sync).unwrap().wait().unwrap();
    blocks.delete(&absent, Durability::Sync).unwrap().wait().unwrap();
    assert!(!blocks.has(&large).unwrap());
    assert_eq!(
        blocks.usage().unwrap(),
        BlockUsage {
            blocks: 2,
            size_bytes: 5
        }
    );
}

#[test]
fn a_block_that_was_named_from_its_bytes_goes_in_as_it_is() {
    let (store, blocks) = memory();
    let block = Block::new(RAW, b"hello world");
    let cid = *block.cid();
    assert_eq!(cid, Blocks::cid_of(RAW, b"hello world"));
    assert_eq!(block, Block::named(&cid, b"hello world").unwrap());
    blocks.put_block(block, Durability::Sync).unwrap().wait().unwrap();
    assert_eq!(blocks.get(&cid).unwrap().as_deref(), Some(&b"hello world"[..]));
    let refused = Block::named(&cid, b"hello there");
    assert!(matches!(refused, Err(BlockError::Mismatch { .. })));
    let large = Block::new(RAW, vec![0; MAX_BLOCK_BYTES + 1]);
    let refused = blocks.put_block(large, Durability::Sync);
    assert!(matches!(refused, Err(BlockError::TooLarge { .. })));
    assert_eq!(blocks.usage().unwrap().blocks, 1);
    let (mut batch, other) = (Batch::new(), Block::new(RAW, b"another"));
    let cid = *other.cid();
    other.put_in(&mut batch).unwrap();
    store.try_commit(batch, Durability::Sync).unwrap().wait().unwrap();
    assert!(blocks.has(&cid).unwrap());
}

#[test]
fn who_must_not_wait_gets_its_block_back_while_others_are_removed() {
    let (store, blocks) = memory();
    let cid = put(&blocks, RAW, b"goes");
    blocks.mark(&[cid], 1).unwrap();
    let mut batch = Batch::new();
    Block::new(RAW, b"comes").put_in(&mut batch).unwrap();
    let mut given_back = None;
    let mut of_other_tables = Batch::new();
    of_other_tables.put(Table::Meta, "key", "value").unwrap();
    let removed = blocks.remove_marked(&[cid], 2, || {
        given_back = store.try_commit(batch.clone(), Durability::Sync).err();
        store.try_commit(of_other_tables, Durability::Sync).is_ok()
    });
    assert_eq!(removed.unwrap().unwrap().blocks, 1);
    assert_eq!(given_back.as_ref(), Some(&batch));
    assert!(store.try_commit(batch, Durability::Sync).is_ok());
    assert_eq!(blocks.usage().unwrap().size_bytes, 5);
}

#[test]
fn what_is_wrong_is_refused() {
    let (_, blocks) = memory();
    let cid = Blocks::cid_of(RAW, b"right");
    let refused = blocks.put(&cid, b"wrong", Durability::Sync);
    assert!(matches!(refused, Err(BlockError::Mismatch { .. })));
    let too_large = vec![0; MAX_BLOCK_BYTES + 1];
    let refused = blocks.put(&Blocks::cid_of(RAW, &too_large), too_large, Durability::Sync);
    assert!(matches!(refused, Err(BlockError::TooLarge { .. })));
    let v0 = Cid::new_v0(*cid.hash()).unwrap();
    let sha1 = Cid::new_v1(RAW, cid::multihash::Multihash::wrap(0x11, &[0; 20]).unwrap());
    let short = Cid::new_v1(RAW, cid::multihash::Multihash::wrap(0x12, &[0; 31]).unwrap());
    for unsupported in [v0, sha1, short] {
        let is_refused = |error| matches!(error, BlockError::Unsupported { .. });
        assert!(
            blocks
                .put(&unsupported, b"right", Durability::Sync)
                .is_err_and(is_refused)
        );
        assert!(blocks.get(&unsupported).is_err_and(is_refused));
        assert!(blocks.has(&unsupported).is_err_and(is_refused));
        assert!(
            blocks
                .delete(&unsupported, Durability::Sync)
                .is_err_and(is_refused)
        );
        assert!(blocks.heal(&unsupported, b"right").is_err_and(is_refused));
    }
    assert_eq!(
        blocks.usage().unwrap(),
        BlockUsage::default(),
        "nothing was stored"
    );
}

#[test]
fn a_block_shares_the_fate_of_the_batch_it_is_in() {
    let (store, blocks) = memory();
    let cid = Blocks::cid_of(RAW, b"referred to");
    let mut batch = Batch::new();
    batch.put(Table::State, "refers", cid.to_bytes()).unwrap();
    Blocks::put_in(&mut batch, &cid, b"referred to").unwrap();
    assert!(!blocks.has(&cid).unwrap());
    store.commit(batch, Durability::Sync).wait().unwrap();
    assert!(blocks.has(&cid).unwrap());
    let mut batch = Batch::new();
    batch.delete(Table::State, "refers").unwrap();
    Blocks::delete_in(&mut batch, &cid).unwrap();
    store.commit(batch, Durability::Sync).wait().unwrap();
    assert_eq!(blocks.get(&cid).unwrap(), None);
}

#[test]
fn a_full_batch_takes_no_part_of_a_block() {
    let mut batch = Batch::new();
    let refused = (0..100u8)
        .map(|n| vec![n; MAX_BLOCK_BYTES])
        .find_map(|block| {
            let before = batch.len();
            let outcome = Blocks::put_in(&mut batch, &Blocks::cid_of(RAW, &block), block);
            outcome.err().map(|error| (error, before))
        })
        .expect("a batch has a limit");
    assert!(matches!(
        refused.0,
        BlockError::Store(StoreError::BatchSize { .. })
    ));
    assert_eq!(batch.len(), refused.1);
}

#[test]
fn a_damaged_block_is_never_handed_out_and_can_be_healed() {
    let (store, blocks) = memory();
    let cid = put(&blocks, RAW, b"precious");
    damage(&store, b"precious");
    assert!(matches!(blocks.get(&cid), Err(BlockError::Corrupt { cid: named }) if named == cid));
    let snapshot = store.snapshot().unwrap();
    assert!(matches!(
        Blocks::get_from(&snapshot, &cid),
        Err(BlockError::Corrupt { .. })
    ));
    assert!(matches!(
        blocks.heal(&cid, b"forged"),
        Err(BlockError::Mismatch { .. })
    ));
    assert!(
        matches!(blocks.get(&cid), Err(BlockError::Corrupt { .. })),
        "a forgery heals nothing"
    );
    blocks
        .heal(&cid, b"precious")
        .unwrap()
        .expect("there was something to heal")
        .wait()
        .unwrap();
    assert_eq!(blocks.get(&cid).unwrap().as_deref(), Some(&b"precious"[..]));
    assert!(
        blocks.heal(&cid, b"precious").unwrap().is_none(),
        "a sound block is left alone"
    );
    let absent = Blocks::cid_of(RAW, b"absent");
    blocks
        .heal(&absent, b"absent")
        .unwrap()
        .expect("it was not here")
        .wait()
        .unwrap();
    assert!(blocks.has(&absent).unwrap());
}

#[test]
fn a_listed_block_without_bytes_is_damaged_not_absent() {
    let (store, blocks) = memory();
    let cid = put(&blocks, RAW, b"lost");
    let page = store.scan(Table::Blocks, &ScanRange::all(), 10).unwrap();
    let (key, _) = page
        .entries
        .into_iter()
        .find(|(_, value)| value == b"lost")
        .unwrap();
    let mut batch = Batch::new();
    batch.delete(Table::Blocks, key).unwrap();
    store.commit(batch, Durability::Sync).wait().unwrap();
    assert!(matches!(blocks.get(&cid), Err(BlockError::Corrupt { .. })));
}

#[test]
fn pages_list_every_block_once() {
    let (_, blocks) = memory();
    let mut expected: Vec<Cid> = (0..25u8).map(|n| put(&blocks, RAW, &[n])).collect();
    expected.extend((0..5u8).map(|n| put(&blocks, DAG_CBOR, &[n])));
    expected.sort_by_key(Cid::to_bytes);
    for limit in [1, 4, 30, 100] {
        let mut listed = Vec::new();
        let mut after = None;
        loop {
            let page = blocks.list(after.as_ref(), limit).unwrap();
            assert!(page.entries.len() <= limit);
            assert!(page.entries.iter().all(|entry| entry.size_bytes == 1));
            listed.extend(page.entries.into_iter().map(|entry| entry.cid));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(listed, expected, "pages of {limit}");
    }
}

/// Blocks in fjall's table files, one byte of which is flipped: every block comes out right or is
/// said to be damaged, and a healed one comes out right.
#[cfg(feature = "fjall")]
#[test]
fn a_flipped_byte_on_disk_is_found_and_healed() {
    use std::fs;
    use std::path::{Path, PathBuf};

    fn files(dir: &Path, found: &mut Vec<(u64, PathBuf)>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => files(&path, found),
                false => found.push((fs::metadata(&path).unwrap().len(), path)),
            }
        }
    }
    fn largest_table(dir: &Path) -> (u64, PathBuf) {
        let mut found = Vec::new();
        files(&dir.join("db/keyspaces"), &mut found);
        found.into_iter().max().expect("a database has files")
    }
    let dir = tempfile::tempdir().unwrap();
    let open = || {
        let backend = icn_store::FjallBackend::open(dir.path()).unwrap();
        Blocks::new(Store::threaded(backend, StoreConfig::default()).unwrap())
    };
    let block = |n: u8| vec![n; MAX_BLOCK_BYTES];
    let blocks = open();
    let cids: Vec<Cid> = (0..40).map(|n| put(&blocks, RAW, &block(n))).collect();
    // Memtables of 16 MiB are written out in the background.
    while largest_table(dir.path()).0 < 10 * MAX_BLOCK_BYTES as u64 {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    drop(blocks);
    let (len, table) = largest_table(dir.path());
    let mut bytes = fs::read(&table).unwrap();
    bytes[usize::try_from(len / 2).unwrap()] ^= 1;
    fs::write(&table, bytes).unwrap();

    let blocks = open();
    let mut damaged = 0;
    for (n, cid) in (0..).zip(&cids) {
        match blocks.get(cid) {
            Ok(Some(bytes)) => assert!(bytes == block(n), "block {n}"),
            Ok(None) => panic!("block {n} is said to be absent"),
            Err(BlockError::Corrupt { .. }) => {
                damaged += 1;
                blocks
                    .heal(cid, block(n))
                    .unwrap()
                    .expect("it is damaged")
                    .wait()
                    .unwrap();
                assert!(blocks.get(cid).unwrap() == Some(block(n)));
            }
            Err(error) => panic!("block {n}: {error}"),
        }
    }
    assert_eq!(damaged, 1);
}
