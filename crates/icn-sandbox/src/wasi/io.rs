//! The calls that move bytes: `fd_read`, `fd_write` and their positioned forms.

use super::Wasi;
use super::abi::{FDFLAGS_APPEND, rights};
use super::errno::{Call, Errno};
use super::fds::Target;
use super::memory::Memory;
use super::quota::Meter;

impl Wasi {
    pub(crate) fn fd_pread(
        &mut self,
        memory: &mut Memory<'_>,
        fd: u32,
        vectors: u32,
        count: u32,
        offset: u64,
        read: u32,
    ) -> Call {
        let inode = self
            .fds
            .get(fd, rights::FD_READ | rights::FD_SEEK)?
            .node(Errno::Spipe)?;
        let len = self.read_at(memory, inode, offset, vectors, count)?;
        memory.write_u32(read, len)
    }

    pub(crate) fn fd_read(
        &mut self,
        memory: &mut Memory<'_>,
        fd: u32,
        vectors: u32,
        count: u32,
        read: u32,
    ) -> Call {
        let descriptor = self.fds.get(fd, rights::FD_READ)?;
        let len = match descriptor.target {
            Target::Stdout | Target::Stderr => return Err(Errno::Badf.into()),
            Target::Stdin => {
                let unread = self.stdin.get(self.stdin_position..).unwrap_or_default();
                let len = scatter(&mut self.meter, memory, unread, vectors, count)?;
                self.stdin_position += len as usize;
                len
            }
            Target::Node(inode) => {
                let position = descriptor.position;
                let len = self.read_at(memory, inode, position, vectors, count)?;
                self.fds.get_mut(fd, 0)?.position = position.saturating_add(u64::from(len));
                len
            }
        };
        memory.write_u32(read, len)
    }

    fn read_at(
        &mut self,
        memory: &mut Memory<'_>,
        inode: u64,
        offset: u64,
        vectors: u32,
        count: u32,
    ) -> Call<u32> {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let unread = self.fs.bytes(inode)?.get(offset..).unwrap_or_default();
        scatter(&mut self.meter, memory, unread, vectors, count)
    }

    pub(crate) fn fd_pwrite(
        &mut self,
        memory: &mut Memory<'_>,
        fd: u32,
        vectors: u32,
        count: u32,
        offset: u64,
        written: u32,
    ) -> Call {
        let inode = self
            .fds
            .get(fd, rights::FD_WRITE | rights::FD_SEEK)?
            .node(Errno::Spipe)?;
        let len = self.write_at(memory, inode, offset, vectors, count)?;
        memory.write_u32(written, len)
    }

    pub(crate) fn fd_write(
        &mut self,
        memory: &mut Memory<'_>,
        fd: u32,
        vectors: u32,
        count: u32,
        written: u32,
    ) -> Call {
        let descriptor = self.fds.get(fd, rights::FD_WRITE)?;
        let len = match descriptor.target {
            Target::Stdin => return Err(Errno::Badf.into()),
            Target::Stdout | Target::Stderr => {
                let target = descriptor.target;
                let mut total = 0;
                for (start, len) in memory.vectors(vectors, count)? {
                    self.meter.spend(u64::from(len))?;
                    self.write_stream(target, memory.slice(start, len)?)?;
                    total += len;
                }
                total
            }
            Target::Node(inode) => {
                let append = descriptor.flags & FDFLAGS_APPEND != 0;
                let position = if append {
                    self.fs.bytes(inode)?.len() as u64
                } else {
                    descriptor.position
                };
                let len = self.write_at(memory, inode, position, vectors, count)?;
                self.fds.get_mut(fd, 0)?.position = position.saturating_add(u64::from(len));
                len
            }
        };
        memory.write_u32(written, len)
    }

    fn write_at(
        &mut self,
        memory: &mut Memory<'_>,
        inode: u64,
        offset: u64,
        vectors: u32,
        count: u32,
    ) -> Call<u32> {
        let mut total = 0;
        for (start, len) in memory.vectors(vectors, count)? {
            self.meter.spend(u64::from(len))?;
            let offset = offset.checked_add(u64::from(total)).ok_or(Errno::Fbig)?;
            if len > 0 {
                self.grow_to(inode, offset)?;
            }
            self.fs
                .write(inode, offset, memory.slice(start, len)?, &mut self.quota)?;
            total += len;
        }
        Ok(total)
    }

    /// Makes the file at least `size` bytes long, and charges for the zeros.
    pub(super) fn grow_to(&mut self, inode: u64, size: u64) -> Call {
        let present = self.fs.bytes(inode)?.len() as u64;
        if size <= present {
            return Ok(());
        }
        // The quota first: a size that it refuses must not look like a lack of fuel.
        if size - present <= self.quota.left() {
            self.meter.spend(size - present)?;
        }
        self.fs.resize(inode, size, &mut self.quota)
    }
}

/// Copies from `source` into the program's buffers until either is used up, and says how much.
fn scatter(meter: &mut Meter, memory: &mut Memory<'_>, source: &[u8], vectors: u32, count: u32) -> Call<u32> {
    let mut rest = source;
    let mut total = 0;
    for (start, len) in memory.vectors(vectors, count)? {
        let part = u32::try_from(rest.len()).map_or(len, |left| left.min(len));
        meter.spend(u64::from(part))?;
        let (head, tail) = rest.split_at(part as usize);
        memory.write(start, head)?;
        rest = tail;
        total += part;
    }
    Ok(total)
}
