//! The `path_*` calls.
//!
//! A path starts from a directory descriptor and cannot leave it. There are no links: making one is
//! not supported, and reading one finds none.

use super::Wasi;
use super::abi::{FDFLAGS_ALL, FileType, oflags, rights};
use super::errno::{Call, Errno};
use super::fds::{Descriptor, Target};
use super::fs::{Inode, PATH_MAX_BYTES};
use super::memory::Memory;

/// What `path_open` asks for, but for the path.
struct Opening {
    oflags: u32,
    rights: u64,
    inheriting: u64,
}

impl Wasi {
    /// The path at `address`, paid for.
    fn path(&mut self, memory: &Memory<'_>, address: u32, len: u32) -> Call<String> {
        if len as usize > PATH_MAX_BYTES {
            memory.slice(address, len)?;
            return Err(Errno::Nametoolong.into());
        }
        self.meter.spend(u64::from(len))?;
        let path = std::str::from_utf8(memory.slice(address, len)?).map_err(|_| Errno::Ilseq)?;
        if path.contains('\0') {
            return Err(Errno::Inval.into());
        }
        Ok(path.to_owned())
    }

    /// The node that a path leads to.
    fn existing(&mut self, memory: &Memory<'_>, fd: u32, right: u64, path: u32, len: u32) -> Call<Inode> {
        let base = self.directory(fd, right)?;
        let path = self.path(memory, path, len)?;
        self.fs.at(&self.fs.place(base, &path)?)
    }

    pub(crate) fn path_create_directory(
        &mut self,
        memory: &mut Memory<'_>,
        fd: u32,
        path: u32,
        len: u32,
    ) -> Call {
        let base = self.directory(fd, rights::PATH_CREATE_DIRECTORY)?;
        let path = self.path(memory, path, len)?;
        let place = self.fs.place(base, &path)?;
        self.fs.create(&place, FileType::Directory).map(drop)
    }

    pub(crate) fn path_filestat_get(
        &mut self,
        memory: &mut Memory<'_>,
        fd: u32,
        _lookup: u32,
        path: u32,
        len: u32,
        stat: u32,
    ) -> Call {
        let inode = self.existing(memory, fd, rights::PATH_FILESTAT_GET, path, len)?;
        self.fs.stat(inode)?.write(memory, stat)
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the parameters of the call in preview 1"
    )]
    pub(crate) fn path_filestat_set_times(
        &mut self,
        memory: &mut Memory<'_>,
        fd: u32,
        _lookup: u32,
        path: u32,
        len: u32,
        accessed: u64,
        modified: u64,
        flags: u32,
    ) -> Call {
        let inode = self.existing(memory, fd, rights::PATH_FILESTAT_SET_TIMES, path, len)?;
        self.set_times(inode, accessed, modified, flags)
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the parameters of the call in preview 1"
    )]
    pub(crate) fn path_link(
        &mut self,
        _: &mut Memory<'_>,
        _old_fd: u32,
        _lookup: u32,
        _old_path: u32,
        _old_len: u32,
        _new_fd: u32,
        _new_path: u32,
        _new_len: u32,
    ) -> Call {
        Err(Errno::Notsup.into())
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the parameters of the call in preview 1"
    )]
    pub(crate) fn path_open(
        &mut self,
        memory: &mut Memory<'_>,
        fd: u32,
        _lookup: u32,
        path: u32,
        len: u32,
        oflags: u32,
        rights: u64,
        inheriting: u64,
        fdflags: u32,
        opened: u32,
    ) -> Call {
        let fdflags = u16::try_from(fdflags)
            .ok()
            .filter(|flags| flags & !FDFLAGS_ALL == 0);
        let fdflags = fdflags.ok_or(Errno::Inval)?;
        let allowed = self.fds.get(fd, rights::PATH_OPEN)?.inheriting;
        let path = self.path(memory, path, len)?;
        // Everything that can be refused is refused before anything is created.
        memory.slice(opened, 4)?;
        self.fds.check_room()?;
        let opening = Opening {
            oflags,
            rights: rights & allowed,
            inheriting: inheriting & allowed,
        };
        let (inode, rights) = self.open_node(fd, &path, &opening)?;
        let inheriting = if self.fs.is_directory(inode) {
            opening.inheriting
        } else {
            0
        };
        let new = self
            .fds
            .open(Descriptor::new(Target::Node(inode), rights, inheriting, fdflags))?;
        self.fs.opened(inode);
        memory.write_u32(opened, new)
    }

    /// Finds, makes or empties what is opened, and says which rights it is opened with.
    fn open_node(&mut self, fd: u32, path: &str, opening: &Opening) -> Call<(Inode, u64)> {
        let has = |flag| opening.oflags & flag != 0;
        if opening.oflags & !oflags::ALL != 0 || (has(oflags::CREAT) && has(oflags::DIRECTORY)) {
            return Err(Errno::Inval.into());
        }
        let place = self.fs.place(self.directory(fd, rights::PATH_OPEN)?, path)?;
        let found = match self.fs.at(&place) {
            Err(fault) if fault == Errno::Noent.into() && has(oflags::CREAT) => None,
            other => Some(other?),
        };
        let Some(inode) = found else {
            self.directory(fd, rights::PATH_CREATE_FILE)?;
            let inode = self.fs.create(&place, FileType::Regular)?;
            return Ok((inode, opening.rights & rights::FILE));
        };
        if has(oflags::CREAT) && has(oflags::EXCL) {
            return Err(Errno::Exist.into());
        }
        let writes = opening.rights & rights::FILE_WRITE != 0 || has(oflags::TRUNC);
        if self.fs.is_directory(inode) {
            // Some libraries ask for every right there is when they open a directory as one.
            if (writes && !has(oflags::DIRECTORY)) || has(oflags::CREAT) || has(oflags::TRUNC) {
                return Err(Errno::Isdir.into());
            }
            return Ok((inode, opening.rights & rights::DIRECTORY));
        }
        if has(oflags::DIRECTORY) {
            return Err(Errno::Notdir.into());
        }
        if writes && self.fs.is_pinned(inode) {
            return Err(Errno::Rofs.into());
        }
        if has(oflags::TRUNC) {
            self.directory(fd, rights::PATH_FILESTAT_SET_SIZE)?;
            self.fs.resize(inode, 0, &mut self.quota)?;
        }
        Ok((inode, opening.rights & rights::FILE))
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the parameters of the call in preview 1"
    )]
    pub(crate) fn path_readlink(
        &mut self,
        memory: &mut Memory<'_>,
        fd: u32,
        path: u32,
        len: u32,
        _buffer: u32,
        _buffer_len: u32,
        _used: u32,
    ) -> Call {
        self.existing(memory, fd, rights::PATH_READLINK, path, len)?;
        Err(Errno::Inval.into())
    }

    pub(crate) fn path_remove_directory(
        &mut self,
        memory: &mut Memory<'_>,
        fd: u32,
        path: u32,
        len: u32,
    ) -> Call {
        self.remove(
            memory,
            fd,
            rights::PATH_REMOVE_DIRECTORY,
            path,
            len,
            FileType::Directory,
        )
    }

    pub(crate) fn path_unlink_file(&mut self, memory: &mut Memory<'_>, fd: u32, path: u32, len: u32) -> Call {
        self.remove(memory, fd, rights::PATH_UNLINK_FILE, path, len, FileType::Regular)
    }

    fn remove(
        &mut self,
        memory: &Memory<'_>,
        fd: u32,
        right: u64,
        path: u32,
        len: u32,
        file_type: FileType,
    ) -> Call {
        let base = self.directory(fd, right)?;
        let path = self.path(memory, path, len)?;
        let place = self.fs.place(base, &path)?;
        self.fs.remove(&place, file_type, &mut self.quota)
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the parameters of the call in preview 1"
    )]
    pub(crate) fn path_rename(
        &mut self,
        memory: &mut Memory<'_>,
        fd: u32,
        old: u32,
        old_len: u32,
        new_fd: u32,
        new: u32,
        new_len: u32,
    ) -> Call {
        let from_base = self.directory(fd, rights::PATH_RENAME_SOURCE)?;
        let to_base = self.directory(new_fd, rights::PATH_RENAME_TARGET)?;
        let (old, new) = (self.path(memory, old, old_len)?, self.path(memory, new, new_len)?);
        let (from, to) = (self.fs.place(from_base, &old)?, self.fs.place(to_base, &new)?);
        self.fs.rename(&from, &to, &mut self.quota)
    }

    pub(crate) fn path_symlink(
        &mut self,
        _: &mut Memory<'_>,
        _old: u32,
        _old_len: u32,
        _fd: u32,
        _new: u32,
        _new_len: u32,
    ) -> Call {
        Err(Errno::Notsup.into())
    }
}
