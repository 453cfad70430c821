//! CAR files, version 1: blocks in a row behind a header that names the roots, as other tools of content-addressed
//! storage read and write them (<https://ipld.io/specs/transport/car/carv1/>). Also which blocks a block leads to.
//!
//! Reading is bounded whatever the file says, and a block that is not what it is called ends it. Where blocks come
//! from and go to is the caller's.
use icn_model::{
    Cid,
    canonical::{self, DecodeError},
    limits::MAX_DAG_BLOCK_BYTES,
};
use ipld_core::ipld::Ipld;
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, Write};

/// Bytes of the header: room for over a thousand roots.
const MAX_HEADER_BYTES: u64 = 64 << 10;
/// Bytes of the binary form of a CID that nodes keep.
const CID_BYTES: usize = 36;
const VERSION: u64 = 1;

/// Why a CAR file is not read to its end.
#[derive(Debug, thiserror::Error)]
pub enum CarError {
    /// The file cannot be read.
    #[error("cannot read the CAR file")]
    Io(#[from] io::Error),
    /// It ends before its time.
    #[error("the CAR file is cut off after {blocks} blocks: get it anew")]
    CutOff {
        /// Whole blocks before that.
        blocks: u64,
    },
    /// It does not begin as a CAR file does.
    #[error("this is not a CAR file")]
    Header(#[source] DecodeError),
    /// It does not begin as a CAR file does.
    #[error("this is not a CAR file: its header cannot have {len} bytes")]
    HeaderLength {
        /// What it says.
        len: u64,
    },
    /// It is of a version that this program does not read.
    #[error("a CAR file of version {version}, and only version 1 can be read: export it as version 1")]
    Version {
        /// What it says.
        version: u64,
    },
    /// A block is longer than one can be, or shorter than its name.
    #[error(
        "block {number} of the CAR file cannot have {len} bytes: a block has at most {MAX_DAG_BLOCK_BYTES}"
    )]
    BlockLength {
        /// Which, from 1.
        number: u64,
        /// What the file says, the block's name included.
        len: u64,
    },
    /// A block is of a kind that nodes do not keep.
    #[error(
        "block {number} of the CAR file is of a kind that no node keeps: there are raw and dag-cbor, version 1, \
         sha2-256"
    )]
    Kind {
        /// Which, from 1.
        number: u64,
    },
    /// The bytes of a block are not what it is called.
    #[error("the bytes of {cid} in the CAR file are not what it names: get the file anew")]
    Corrupt {
        /// The block.
        cid: Cid,
    },
}

#[derive(Serialize, Deserialize)]
struct Header {
    #[serde(default)]
    roots: Vec<Cid>,
    version: u64,
}

/// Reads a CAR file block by block.
#[derive(Debug)]
pub struct CarReader<R> {
    from: R,
    roots: Vec<Cid>,
    blocks: u64,
}

impl<R: BufRead> CarReader<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// [`CarError`] if it is none.
    pub fn new(mut from: R) -> Result<Self, CarError> {
        let len = length(&mut from, 0)?.ok_or(CarError::CutOff { blocks: 0 })?;
        if len == 0 || len > MAX_HEADER_BYTES {
            return Err(CarError::HeaderLength { len });
        }
        let bytes = exactly(&mut from, len, 0)?;
        let max = bytes.len();
        // Of another version more than the number may differ.
        #[derive(Deserialize)]
        struct AnyVersion {
            version: u64,
        }
        let AnyVersion { version } = canonical::from_own_bytes(&bytes, max).map_err(CarError::Header)?;
        if version != VERSION {
            return Err(CarError::Version { version });
        }
        let header: Header = canonical::from_own_bytes(&bytes, max).map_err(CarError::Header)?;
        Ok(Self {
            from,
            roots: header.roots,
            blocks: 0,
        })
    }

    /// What the file is about.
    pub fn roots(&self) -> &[Cid] {
        &self.roots
    }

    /// The next block, checked; none at the end.
    ///
    /// # Errors
    /// [`CarError`]; there is nothing to be read after that.
    pub fn next_block(&mut self) -> Result<Option<(Cid, Vec<u8>)>, CarError> {
        let Some(len) = length(&mut self.from, self.blocks)? else {
            return Ok(None);
        };
        let number = self.blocks + 1;
        if len < CID_BYTES as u64 || len > (CID_BYTES + MAX_DAG_BLOCK_BYTES) as u64 {
            return Err(CarError::BlockLength { number, len });
        }
        let name = exactly(&mut self.from, CID_BYTES as u64, self.blocks)?;
        let cid = Cid::try_from(&name[..]).map_err(|_| CarError::Kind { number })?;
        let bytes = exactly(&mut self.from, len - CID_BYTES as u64, self.blocks)?;
        if !cid.names(&bytes) {
            return Err(CarError::Corrupt { cid });
        }
        self.blocks = number;
        Ok(Some((cid, bytes)))
    }
}

/// A length; none at the end of the file.
fn length(from: &mut impl BufRead, blocks: u64) -> Result<Option<u64>, CarError> {
    if from.fill_buf()?.is_empty() {
        return Ok(None);
    }
    match unsigned_varint::io::read_u64(from) {
        Ok(len) => Ok(Some(len)),
        Err(unsigned_varint::io::ReadError::Io(error)) => Err(cut_off(error, blocks)),
        // No length of anything that can be read.
        Err(_) if blocks == 0 => Err(CarError::HeaderLength { len: u64::MAX }),
        Err(_) => Err(CarError::BlockLength {
            number: blocks + 1,
            len: u64::MAX,
        }),
    }
}

fn exactly(from: &mut impl BufRead, len: u64, blocks: u64) -> Result<Vec<u8>, CarError> {
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
    from.read_exact(&mut bytes)
        .map_err(|error| cut_off(error, blocks))?;
    Ok(bytes)
}

fn cut_off(error: io::Error, blocks: u64) -> CarError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => CarError::CutOff { blocks },
        _ => error.into(),
    }
}

/// Writes the beginning of a CAR file.
///
/// # Errors
/// If it cannot be written.
pub fn write_header(to: &mut impl Write, roots: &[Cid]) -> io::Result<()> {
    let header = canonical::to_bytes(&Header {
        roots: roots.to_vec(),
        version: VERSION,
    });
    write_length(to, header.len())?;
    to.write_all(&header)
}

/// Writes a block behind those that were written before.
///
/// # Errors
/// If it cannot be written.
pub fn write_block(to: &mut impl Write, cid: &Cid, bytes: &[u8]) -> io::Result<()> {
    let name = cid.to_bytes();
    write_length(to, name.len() + bytes.len())?;
    to.write_all(&name)?;
    to.write_all(bytes)
}

fn write_length(to: &mut impl Write, len: usize) -> io::Result<()> {
    let mut buffer = unsigned_varint::encode::usize_buffer();
    to.write_all(unsigned_varint::encode::usize(len, &mut buffer))
}

/// The links in at most `max_bytes` of DAG-CBOR, in their order. Links of kinds that no node keeps are left out:
/// they lead to nothing here.
///
/// # Errors
/// [`DecodeError`] if the bytes are no DAG-CBOR, or more.
pub fn links(bytes: &[u8], max_bytes: usize) -> Result<Vec<Cid>, DecodeError> {
    let value: Ipld = canonical::from_own_bytes(bytes, max_bytes)?;
    let mut all = Vec::new();
    value.references(&mut all);
    Ok(all.iter().filter_map(|cid| Cid::try_from(cid).ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use icn_model::file::FileIndex;

    type Read = Result<(Vec<Cid>, Vec<(Cid, Vec<u8>)>), CarError>;

    fn read(bytes: &[u8]) -> Read {
        let mut reader = CarReader::new(bytes)?;
        let mut blocks = Vec::new();
        while let Some(block) = reader.next_block()? {
            blocks.push(block);
        }
        Ok((reader.roots().to_vec(), blocks))
    }

    fn file(contents: &[&[u8]]) -> (Vec<u8>, Vec<(Cid, Vec<u8>)>) {
        let blocks: Vec<_> = contents
            .iter()
            .map(|bytes| (Cid::of_raw(bytes), bytes.to_vec()))
            .collect();
        let mut file = Vec::new();
        write_header(&mut file, &[blocks[0].0]).unwrap();
        for (cid, bytes) in &blocks {
            write_block(&mut file, cid, bytes).unwrap();
        }
        (file, blocks)
    }

    #[test]
    fn what_is_written_is_read() {
        let large = vec![7; MAX_DAG_BLOCK_BYTES];
        let (file, blocks) = file(&[b"", b"small", &large]);
        let (roots, read) = read(&file).unwrap();
        assert_eq!(roots, [blocks[0].0]);
        assert!(read == blocks);
    }

    #[test]
    fn the_header_is_the_one_of_the_specification() {
        let mut file = Vec::new();
        write_header(&mut file, &[]).unwrap();
        // 17 bytes: a map of two, "roots" with an empty list, "version" with 1.
        assert_eq!(file, b"\x11\xa2\x65roots\x80\x67version\x01");
    }

    #[test]
    fn a_file_that_is_cut_off_anywhere_but_between_blocks_is_no_whole_one() {
        let (file, blocks) = file(&[b"first", b"second"]);
        let mut starts = vec![file.len()];
        for (_, bytes) in blocks.iter().rev() {
            starts.push(starts[starts.len() - 1] - CID_BYTES - bytes.len() - 1);
        }
        for len in 0..file.len() {
            assert_eq!(read(&file[..len]).is_ok(), starts.contains(&len), "{len}");
        }
    }

    #[test]
    fn a_flipped_byte_is_found() {
        let (file, blocks) = file(&[b"only one"]);
        let first = file.len() - 1 - CID_BYTES - blocks[0].1.len();
        for at in first..file.len() {
            let mut flipped = file.clone();
            flipped[at] ^= 1;
            assert!(read(&flipped).is_err(), "{at}");
        }
    }

    #[test]
    fn no_length_makes_the_reader_take_memory() {
        let long = b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f";
        assert!(matches!(read(long), Err(CarError::HeaderLength { .. })));
        assert!(matches!(read(&[0xff; 20]), Err(CarError::HeaderLength { .. })));
        let (mut file, _) = file(&[b"x"]);
        file.extend_from_slice(long);
        assert!(matches!(
            read(&file),
            Err(CarError::BlockLength { number: 2, .. })
        ));
        // The header of version 2.
        let two = b"\x0a\xa1\x67version\x02";
        assert!(matches!(read(two), Err(CarError::Version { version: 2 })));
        assert!(matches!(read(b"\x01\xff"), Err(CarError::Header(_))));
    }

    #[test]
    fn a_file_leads_to_its_chunks() {
        let chunks = vec![Cid::of_raw(b"a"), Cid::of_raw(b"b")];
        let index = FileIndex {
            size: 2,
            chunks: chunks.clone(),
        };
        assert_eq!(links(&canonical::to_bytes(&index), 1_000), Ok(chunks));
        assert_eq!(links(&canonical::to_bytes("none"), 1_000), Ok(vec![]));
        assert!(links(b"\xff", 1_000).is_err());
    }
}
