//! The `fd_*` calls that do not move bytes of files.
//!
//! Syncing has nothing to do, and advice none to follow; both only check their descriptor.

use super::Wasi;
use super::abi::{self, FDFLAGS_ALL, FileStat, FileType, fstflags, rights};
use super::clock::START_NS;
use super::errno::{Call, Errno};
use super::fds::Target;
use super::fs::Listed;
use super::memory::{Memory, at};

/// Name of the preopened directory.
const PREOPEN_NAME: &[u8] = b"/";

/// Bytes that each entry of a new listing is charged for.
const LISTED_FUEL: u64 = 64;

impl Wasi {
    pub(crate) fn fd_advise(&mut self, _: &mut Memory<'_>, fd: u32, _: u64, _: u64, advice: u32) -> Call {
        self.fds.get(fd, rights::FD_ADVISE)?.node(Errno::Spipe)?;
        if advice <= 5 {
            Ok(())
        } else {
            Err(Errno::Inval.into())
        }
    }

    pub(crate) fn fd_allocate(&mut self, _: &mut Memory<'_>, fd: u32, offset: u64, len: u64) -> Call {
        let inode = self.fds.get(fd, rights::FD_ALLOCATE)?.node(Errno::Spipe)?;
        if len == 0 {
            return Err(Errno::Inval.into());
        }
        let end = offset.checked_add(len).ok_or(Errno::Fbig)?;
        self.grow_to(inode, end)
    }

    pub(crate) fn fd_close(&mut self, _: &mut Memory<'_>, fd: u32) -> Call {
        let closed = self.fds.close(fd)?;
        self.release(closed.target);
        Ok(())
    }

    fn release(&mut self, target: Target) {
        if let Target::Node(inode) = target {
            self.fs.closed(inode, &mut self.quota);
        }
    }

    pub(crate) fn fd_datasync(&mut self, _: &mut Memory<'_>, fd: u32) -> Call {
        self.fds.get(fd, rights::FD_DATASYNC).map(drop)
    }

    pub(crate) fn fd_sync(&mut self, _: &mut Memory<'_>, fd: u32) -> Call {
        self.fds.get(fd, rights::FD_SYNC).map(drop)
    }

    pub(crate) fn fd_fdstat_get(&mut self, memory: &mut Memory<'_>, fd: u32, stat: u32) -> Call {
        let descriptor = self.fds.get(fd, 0)?;
        let file_type = match descriptor.target {
            Target::Node(inode) => self.fs.stat(inode)?.file_type,
            Target::Stdin | Target::Stdout | Target::Stderr => FileType::Unknown,
        };
        let mut bytes = [0; 24];
        bytes[0] = file_type as u8;
        bytes[2..4].copy_from_slice(&descriptor.flags.to_le_bytes());
        bytes[8..16].copy_from_slice(&descriptor.rights.to_le_bytes());
        bytes[16..24].copy_from_slice(&descriptor.inheriting.to_le_bytes());
        memory.write(stat, &bytes)
    }

    pub(crate) fn fd_fdstat_set_flags(&mut self, _: &mut Memory<'_>, fd: u32, flags: u32) -> Call {
        let descriptor = self.fds.get_mut(fd, rights::FD_FDSTAT_SET_FLAGS)?;
        let flags = u16::try_from(flags)
            .ok()
            .filter(|flags| flags & !FDFLAGS_ALL == 0);
        descriptor.flags = flags.ok_or(Errno::Inval)?;
        Ok(())
    }

    pub(crate) fn fd_fdstat_set_rights(
        &mut self,
        _: &mut Memory<'_>,
        fd: u32,
        rights: u64,
        inheriting: u64,
    ) -> Call {
        let descriptor = self.fds.get_mut(fd, 0)?;
        // Rights can be given up only.
        if rights & !descriptor.rights != 0 || inheriting & !descriptor.inheriting != 0 {
            return Err(Errno::Notcapable.into());
        }
        (descriptor.rights, descriptor.inheriting) = (rights, inheriting);
        Ok(())
    }

    pub(crate) fn fd_filestat_get(&mut self, memory: &mut Memory<'_>, fd: u32, stat: u32) -> Call {
        match self.fds.get(fd, rights::FD_FILESTAT_GET)?.target {
            Target::Node(inode) => self.fs.stat(inode)?.write(memory, stat),
            Target::Stdin | Target::Stdout | Target::Stderr => FileStat {
                inode: 0,
                file_type: FileType::Unknown,
                size: 0,
                accessed_ns: START_NS,
                modified_ns: START_NS,
            }
            .write(memory, stat),
        }
    }

    pub(crate) fn fd_filestat_set_size(&mut self, _: &mut Memory<'_>, fd: u32, size: u64) -> Call {
        let inode = self
            .fds
            .get(fd, rights::FD_FILESTAT_SET_SIZE)?
            .node(Errno::Inval)?;
        if size < self.fs.bytes(inode)?.len() as u64 {
            return self.fs.resize(inode, size, &mut self.quota);
        }
        self.grow_to(inode, size)
    }

    pub(crate) fn fd_filestat_set_times(
        &mut self,
        _: &mut Memory<'_>,
        fd: u32,
        accessed: u64,
        modified: u64,
        flags: u32,
    ) -> Call {
        let inode = self
            .fds
            .get(fd, rights::FD_FILESTAT_SET_TIMES)?
            .node(Errno::Inval)?;
        self.set_times(inode, accessed, modified, flags)
    }

    /// Sets the times that `flags` choose, to the values given or to the run's present.
    pub(super) fn set_times(&mut self, inode: u64, accessed: u64, modified: u64, flags: u32) -> Call {
        let choose = |given: u64, set: u32, set_now: u32| match (flags & set != 0, flags & set_now != 0) {
            (false, false) => Ok(None),
            (true, false) => Ok(Some(given)),
            (false, true) => Ok(Some(self.clock.now_ns())),
            (true, true) => Err(Errno::Inval),
        };
        if flags & !fstflags::ALL != 0 {
            return Err(Errno::Inval.into());
        }
        let accessed = choose(accessed, fstflags::ATIM, fstflags::ATIM_NOW)?;
        let modified = choose(modified, fstflags::MTIM, fstflags::MTIM_NOW)?;
        self.fs.set_times(inode, accessed, modified)
    }

    pub(crate) fn fd_prestat_get(&mut self, memory: &mut Memory<'_>, fd: u32, prestat: u32) -> Call {
        if !self.fds.get(fd, 0)?.preopen {
            return Err(Errno::Badf.into());
        }
        // A tag (0 is a directory) and the length of its name.
        memory.write_u32(prestat, 0)?;
        memory.write_u32(at(prestat, 4)?, 1)
    }

    pub(crate) fn fd_prestat_dir_name(
        &mut self,
        memory: &mut Memory<'_>,
        fd: u32,
        path: u32,
        len: u32,
    ) -> Call {
        if !self.fds.get(fd, 0)?.preopen {
            return Err(Errno::Badf.into());
        }
        if (len as usize) < PREOPEN_NAME.len() {
            return Err(Errno::Nametoolong.into());
        }
        memory.write(path, PREOPEN_NAME)
    }

    pub(crate) fn fd_readdir(
        &mut self,
        memory: &mut Memory<'_>,
        fd: u32,
        buffer: u32,
        len: u32,
        cookie: u64,
        used: u32,
    ) -> Call {
        let inode = self.fds.get(fd, rights::FD_READDIR)?.node(Errno::Notdir)?;
        memory.slice(buffer, len)?;
        if cookie == 0 || self.fds.get(fd, 0)?.listing.is_none() {
            let listing = self.fs.list(inode)?;
            self.meter.spend(LISTED_FUEL * listing.len() as u64)?;
            self.fds.get_mut(fd, 0)?.listing = Some(listing);
        }
        let listing = self.fds.get(fd, 0)?.listing.as_deref().unwrap_or_default();
        let start = usize::try_from(cookie).unwrap_or(usize::MAX);
        let entries: &[Listed] = listing.get(start..).unwrap_or_default();
        let mut filled = 0;
        // The entries first: after the last cookie of all there is no number.
        for (entry, next) in entries.iter().zip(cookie.saturating_add(1)..) {
            let record = abi::dirent(next, entry.inode, &entry.name, entry.file_type);
            let room = (len - filled) as usize;
            let part = record.get(..room).unwrap_or(&record);
            self.meter.spend(part.len() as u64)?;
            memory.write(at(buffer, filled)?, part)?;
            // At most 4 GiB are free, as `len` says.
            filled += u32::try_from(part.len()).map_err(|_| Errno::Overflow)?;
            if part.len() < record.len() {
                break;
            }
        }
        if filled < len {
            self.fds.get_mut(fd, 0)?.listing = None;
        }
        memory.write_u32(used, filled)
    }

    pub(crate) fn fd_renumber(&mut self, _: &mut Memory<'_>, from: u32, to: u32) -> Call {
        if let Some(replaced) = self.fds.renumber(from, to)? {
            self.release(replaced.target);
        }
        Ok(())
    }

    pub(crate) fn fd_seek(
        &mut self,
        memory: &mut Memory<'_>,
        fd: u32,
        offset: i64,
        whence: u32,
        position: u32,
    ) -> Call {
        const SET: u32 = 0;
        const CURRENT: u32 = 1;
        const END: u32 = 2;
        let right = if whence == CURRENT && offset == 0 {
            rights::FD_TELL
        } else {
            rights::FD_SEEK
        };
        let descriptor = self.fds.get(fd, 0)?;
        let inode = descriptor.node(Errno::Spipe)?;
        let from = match whence {
            SET => 0,
            CURRENT => descriptor.position,
            END => self.fs.bytes(inode)?.len() as u64,
            _ => return Err(Errno::Inval.into()),
        };
        let to = from
            .checked_add_signed(offset)
            .filter(|to| i64::try_from(*to).is_ok());
        let to = to.ok_or(Errno::Inval)?;
        self.fds.get_mut(fd, right)?.position = to;
        memory.write_u64(position, to)
    }

    pub(crate) fn fd_tell(&mut self, memory: &mut Memory<'_>, fd: u32, position: u32) -> Call {
        let descriptor = self.fds.get(fd, 0)?;
        descriptor.node(Errno::Spipe)?;
        let at = self.fds.get(fd, rights::FD_TELL)?.position;
        memory.write_u64(position, at)
    }
}
