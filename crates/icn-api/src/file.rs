//! Content of any size as blocks, and back, without holding more than one block of it.
//!
//! Content of at most 1 MiB is its own raw block. Longer content is cut into raw blocks of 1 MiB (the last
//! may be shorter), listed by one block of DAG-CBOR: `{ size, chunks: [CID, …] }`, an
//! `icn_model::file::FileIndex`. The CID of that last block names the file, so one content has one name.
//! Where blocks go to and come from is the caller's.
use icn_model::{
    Cid, Codec,
    canonical::{self, DecodeError},
    file::{FileIndex, MAX_CHUNKS},
    limits::MAX_DAG_BLOCK_BYTES,
};
use std::io::{self, Read, Write};

/// What has become of content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// The name of the content.
    pub cid: Cid,
    /// Its bytes.
    pub size_bytes: u64,
    /// Blocks that it takes.
    pub blocks: u64,
}

/// Why content cannot be taken apart or put together; `E` is the error of where blocks go to or come from.
#[derive(Debug, thiserror::Error)]
pub enum FileError<E> {
    /// The content cannot be read, or what was put together not written.
    #[error("cannot read or write the content")]
    Io(#[from] io::Error),
    /// A block cannot be sent or got.
    #[error(transparent)]
    Blocks(E),
    /// There is more of it than one index lists.
    #[error("the content is larger than {max_bytes} bytes: split it")]
    TooLarge {
        /// The most bytes.
        max_bytes: u64,
    },
    /// The bytes of a block are not what it names.
    #[error("the bytes of {cid} are not what it names: get them from another node")]
    Corrupt {
        /// The block.
        cid: Cid,
    },
    /// The block of DAG-CBOR is no index.
    #[error("{cid} is a block, but not a file")]
    NotAFile {
        /// The block.
        cid: Cid,
        /// What is wrong with it as an index.
        source: DecodeError,
    },
    /// A block of the file has another length than the index says.
    #[error("the blocks of {cid} are not as long as its index says")]
    Length {
        /// The file.
        cid: Cid,
    },
}

/// Takes content apart: hands each block to `put`, the one that names the content last.
///
/// # Errors
/// [`FileError`]; blocks that were handed over before remain where they are, and do no harm.
pub fn split<E>(
    mut content: impl Read,
    mut put: impl FnMut(&Cid, &[u8]) -> Result<(), E>,
) -> Result<Written, FileError<E>> {
    let mut chunks = Vec::new();
    let mut size_bytes = 0;
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        content
            .by_ref()
            .take(MAX_DAG_BLOCK_BYTES as u64)
            .read_to_end(&mut buffer)?;
        if buffer.is_empty() && !chunks.is_empty() {
            break;
        }
        if chunks.len() == MAX_CHUNKS {
            return Err(FileError::TooLarge {
                max_bytes: (MAX_CHUNKS * MAX_DAG_BLOCK_BYTES) as u64,
            });
        }
        let cid = Cid::of_raw(&buffer);
        put(&cid, &buffer).map_err(FileError::Blocks)?;
        chunks.push(cid);
        size_bytes += buffer.len() as u64;
        if buffer.len() < MAX_DAG_BLOCK_BYTES {
            break;
        }
    }
    let blocks = chunks.len() as u64;
    if let [cid] = chunks[..] {
        return Ok(Written {
            cid,
            size_bytes,
            blocks,
        });
    }
    let index = canonical::to_bytes(&FileIndex {
        size: size_bytes,
        chunks,
    });
    let cid = Cid::of_dag_cbor(&index);
    put(&cid, &index).map_err(FileError::Blocks)?;
    Ok(Written {
        cid,
        size_bytes,
        blocks: blocks + 1,
    })
}

/// Puts content together: gets each block, checks it, and writes it to `to`.
///
/// # Errors
/// [`FileError`]; what was written before is a true beginning of the content.
pub fn join<E>(
    cid: &Cid,
    mut get: impl FnMut(&Cid) -> Result<Vec<u8>, E>,
    mut to: impl Write,
) -> Result<Written, FileError<E>> {
    let mut checked = |cid: &Cid| {
        let bytes = get(cid).map_err(FileError::Blocks)?;
        if cid.names(&bytes) {
            Ok(bytes)
        } else {
            Err(FileError::Corrupt { cid: *cid })
        }
    };
    let bytes = checked(cid)?;
    if cid.codec() == Codec::Raw {
        to.write_all(&bytes)?;
        return Ok(Written {
            cid: *cid,
            size_bytes: bytes.len() as u64,
            blocks: 1,
        });
    }
    let index = FileIndex::from_bytes(&bytes).map_err(|source| FileError::NotAFile { cid: *cid, source })?;
    let mut left = index.size;
    for chunk in &index.chunks {
        let expected = left.min(MAX_DAG_BLOCK_BYTES as u64);
        let bytes = checked(chunk)?;
        if chunk.codec() != Codec::Raw || bytes.len() as u64 != expected {
            return Err(FileError::Length { cid: *cid });
        }
        to.write_all(&bytes)?;
        left -= expected;
    }
    Ok(Written {
        cid: *cid,
        size_bytes: index.size,
        blocks: index.chunks.len() as u64 + 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeMap, convert::Infallible};

    type Store = BTreeMap<Cid, Vec<u8>>;

    fn stored(content: &[u8]) -> (Written, Store) {
        let mut store = Store::new();
        let written = split(content, |cid, bytes| {
            store.insert(*cid, bytes.to_vec());
            Ok::<_, Infallible>(())
        });
        (written.unwrap(), store)
    }

    fn joined(cid: &Cid, store: &Store) -> Result<Vec<u8>, FileError<&'static str>> {
        let mut content = Vec::new();
        join(cid, |cid| store.get(cid).cloned().ok_or("missing"), &mut content)?;
        Ok(content)
    }

    fn content(len: usize) -> Vec<u8> {
        (0..len).map(|at| u8::try_from(at * 7 % 251).unwrap()).collect()
    }

    #[test]
    fn any_length_comes_back_and_has_the_name_that_the_model_gives_it() {
        let mib = MAX_DAG_BLOCK_BYTES;
        for len in [0, 1, mib - 1, mib, mib + 1, 2 * mib, 3 * mib + 5] {
            let content = content(len);
            let (written, store) = stored(&content);
            let model = icn_model::file::split(&content).unwrap();
            assert_eq!(Some(written.cid), model.last().map(|block| block.cid), "{len}");
            assert_eq!(
                (written.size_bytes, written.blocks),
                (len as u64, model.len() as u64)
            );
            assert_eq!(joined(&written.cid, &store).unwrap(), content, "{len}");
        }
    }

    #[test]
    fn damage_is_found() {
        let (written, mut store) = stored(&content(2 * MAX_DAG_BLOCK_BYTES + 1));
        let index = FileIndex::from_bytes(&store[&written.cid]).unwrap();
        let good = store[&index.chunks[1]].clone();
        store.get_mut(&index.chunks[1]).unwrap()[0] ^= 1;
        assert!(
            matches!(joined(&written.cid, &store), Err(FileError::Corrupt { cid }) if cid == index.chunks[1])
        );
        store.insert(index.chunks[1], good);
        store.remove(&index.chunks[2]);
        assert!(matches!(
            joined(&written.cid, &store),
            Err(FileError::Blocks("missing"))
        ));
    }

    #[test]
    fn an_index_that_lies_is_refused() {
        let mut store = Store::new();
        let mut put = |bytes: &[u8]| {
            let cid = Cid::of_raw(bytes);
            store.insert(cid, bytes.to_vec());
            cid
        };
        let chunks = vec![put(b"short"), put(b"er")];
        let index = canonical::to_bytes(&FileIndex {
            size: MAX_DAG_BLOCK_BYTES as u64 + 2,
            chunks,
        });
        let cid = Cid::of_dag_cbor(&index);
        store.insert(cid, index);
        assert!(matches!(joined(&cid, &store), Err(FileError::Length { .. })));
        let other = canonical::to_bytes("not an index");
        let cid = Cid::of_dag_cbor(&other);
        store.insert(cid, other);
        assert!(matches!(joined(&cid, &store), Err(FileError::NotAFile { .. })));
    }
}
