//! Numbers and record layouts of WASI preview 1, as its witx definition gives them.
//!
//! Only layouts: no call is implemented here.

use super::errno::{Call, Errno};
use super::memory::{Memory, at};

/// Rights of a descriptor, one bit each.
pub(crate) mod rights {
    pub(crate) const FD_DATASYNC: u64 = 1;
    pub(crate) const FD_READ: u64 = 1 << 1;
    pub(crate) const FD_SEEK: u64 = 1 << 2;
    pub(crate) const FD_FDSTAT_SET_FLAGS: u64 = 1 << 3;
    pub(crate) const FD_SYNC: u64 = 1 << 4;
    pub(crate) const FD_TELL: u64 = 1 << 5;
    pub(crate) const FD_WRITE: u64 = 1 << 6;
    pub(crate) const FD_ADVISE: u64 = 1 << 7;
    pub(crate) const FD_ALLOCATE: u64 = 1 << 8;
    pub(crate) const PATH_CREATE_DIRECTORY: u64 = 1 << 9;
    pub(crate) const PATH_CREATE_FILE: u64 = 1 << 10;
    pub(crate) const PATH_OPEN: u64 = 1 << 13;
    pub(crate) const FD_READDIR: u64 = 1 << 14;
    pub(crate) const PATH_READLINK: u64 = 1 << 15;
    pub(crate) const PATH_RENAME_SOURCE: u64 = 1 << 16;
    pub(crate) const PATH_RENAME_TARGET: u64 = 1 << 17;
    pub(crate) const PATH_FILESTAT_GET: u64 = 1 << 18;
    pub(crate) const PATH_FILESTAT_SET_SIZE: u64 = 1 << 19;
    pub(crate) const PATH_FILESTAT_SET_TIMES: u64 = 1 << 20;
    pub(crate) const FD_FILESTAT_GET: u64 = 1 << 21;
    pub(crate) const FD_FILESTAT_SET_SIZE: u64 = 1 << 22;
    pub(crate) const FD_FILESTAT_SET_TIMES: u64 = 1 << 23;
    pub(crate) const PATH_REMOVE_DIRECTORY: u64 = 1 << 25;
    pub(crate) const PATH_UNLINK_FILE: u64 = 1 << 26;
    pub(crate) const POLL_FD_READWRITE: u64 = 1 << 27;

    /// What can be done with a directory.
    pub(crate) const DIRECTORY: u64 = FD_FDSTAT_SET_FLAGS
        | FD_SYNC
        | FD_DATASYNC
        | FD_ADVISE
        | PATH_CREATE_DIRECTORY
        | PATH_CREATE_FILE
        | PATH_OPEN
        | FD_READDIR
        | PATH_READLINK
        | PATH_RENAME_SOURCE
        | PATH_RENAME_TARGET
        | PATH_FILESTAT_GET
        | PATH_FILESTAT_SET_SIZE
        | PATH_FILESTAT_SET_TIMES
        | FD_FILESTAT_GET
        | FD_FILESTAT_SET_TIMES
        | PATH_REMOVE_DIRECTORY
        | PATH_UNLINK_FILE;

    /// What a regular file may be changed by.
    pub(crate) const FILE_WRITE: u64 = FD_WRITE | FD_ALLOCATE | FD_FILESTAT_SET_SIZE;

    /// What can be done with a regular file.
    pub(crate) const FILE: u64 = FD_DATASYNC
        | FD_READ
        | FD_SEEK
        | FD_FDSTAT_SET_FLAGS
        | FD_SYNC
        | FD_TELL
        | FD_ADVISE
        | FD_FILESTAT_GET
        | FD_FILESTAT_SET_TIMES
        | POLL_FD_READWRITE
        | FILE_WRITE;

    /// What can be done with standard input, and with standard output and error.
    pub(crate) const STREAM_IN: u64 = FD_READ | FD_FDSTAT_SET_FLAGS | FD_FILESTAT_GET | POLL_FD_READWRITE;
    pub(crate) const STREAM_OUT: u64 =
        FD_WRITE | FD_FDSTAT_SET_FLAGS | FD_FILESTAT_GET | FD_SYNC | FD_DATASYNC | POLL_FD_READWRITE;
}

/// `oflags` of `path_open`.
pub(super) mod oflags {
    pub(crate) const CREAT: u32 = 1;
    pub(crate) const DIRECTORY: u32 = 1 << 1;
    pub(crate) const EXCL: u32 = 1 << 2;
    pub(crate) const TRUNC: u32 = 1 << 3;
    pub(crate) const ALL: u32 = CREAT | DIRECTORY | EXCL | TRUNC;
}

/// `fdflags`: of these only `APPEND` changes anything here, where nothing blocks or waits for a disk.
pub(super) const FDFLAGS_APPEND: u16 = 1;
pub(super) const FDFLAGS_ALL: u16 = 0b1_1111;

/// `fstflags` of the calls that set times.
pub(super) mod fstflags {
    pub(crate) const ATIM: u32 = 1;
    pub(crate) const ATIM_NOW: u32 = 1 << 1;
    pub(crate) const MTIM: u32 = 1 << 2;
    pub(crate) const MTIM_NOW: u32 = 1 << 3;
    pub(crate) const ALL: u32 = ATIM | ATIM_NOW | MTIM | MTIM_NOW;
}

/// `filetype`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum FileType {
    /// A standard stream: neither a terminal nor a file.
    Unknown = 0,
    Directory = 3,
    Regular = 4,
}

/// `filestat`, 64 bytes.
pub(super) struct FileStat {
    pub(super) inode: u64,
    pub(super) file_type: FileType,
    pub(super) size: u64,
    pub(super) accessed_ns: u64,
    pub(super) modified_ns: u64,
}

impl FileStat {
    pub(super) fn write(&self, memory: &mut Memory<'_>, address: u32) -> Call {
        let mut bytes = [0; 64];
        bytes[8..16].copy_from_slice(&self.inode.to_le_bytes());
        bytes[16] = self.file_type as u8;
        bytes[24..32].copy_from_slice(&1_u64.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.size.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.accessed_ns.to_le_bytes());
        bytes[48..56].copy_from_slice(&self.modified_ns.to_le_bytes());
        bytes[56..64].copy_from_slice(&self.modified_ns.to_le_bytes());
        memory.write(address, &bytes)
    }
}

/// `dirent`, 24 bytes, followed by the name.
pub(super) fn dirent(next: u64, inode: u64, name: &str, file_type: FileType) -> Vec<u8> {
    let len = u32::try_from(name.len()).expect("names are at most 255 bytes long");
    let mut bytes = Vec::with_capacity(24 + name.len());
    bytes.extend_from_slice(&next.to_le_bytes());
    bytes.extend_from_slice(&inode.to_le_bytes());
    bytes.extend_from_slice(&len.to_le_bytes());
    bytes.extend_from_slice(&[file_type as u8, 0, 0, 0]);
    bytes.extend_from_slice(name.as_bytes());
    bytes
}

/// Bytes of a `subscription` and of an `event`.
pub(super) const SUBSCRIPTION_BYTES: u32 = 48;
pub(super) const EVENT_BYTES: u32 = 32;

/// What a `subscription` waits for.
pub(super) enum Wait {
    Clock { timeout_ns: u64, absolute: bool },
    Read { fd: u32 },
    Write { fd: u32 },
}

/// `subscription`.
pub(super) struct Subscription {
    pub(super) userdata: u64,
    pub(super) wait: Wait,
}

impl Subscription {
    pub(super) fn read(memory: &Memory<'_>, address: u32) -> Call<Self> {
        let userdata = u64::from_le_bytes(memory.array(address)?);
        let [tag] = memory.array(at(address, 8)?)?;
        let word = u32::from_le_bytes(memory.array(at(address, 16)?)?);
        let wait = match tag {
            0 => {
                super::clock::check_id(word)?;
                Wait::Clock {
                    timeout_ns: u64::from_le_bytes(memory.array(at(address, 24)?)?),
                    absolute: u16::from_le_bytes(memory.array(at(address, 40)?)?) & 1 != 0,
                }
            }
            1 => Wait::Read { fd: word },
            2 => Wait::Write { fd: word },
            _ => return Err(Errno::Inval.into()),
        };
        Ok(Self { userdata, wait })
    }
}

/// `event`.
pub(super) fn event(userdata: u64, error: Option<Errno>, tag: u8, nbytes: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&userdata.to_le_bytes());
    bytes[8] = error.map_or(0, |errno| errno as u8);
    bytes[10] = tag;
    bytes[16..24].copy_from_slice(&nbytes.to_le_bytes());
    bytes
}
