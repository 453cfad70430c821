//! What is in the nodes: bytes, sizes, times and listings.

use super::{Content, FileSystem, Inode, Listed};
use crate::wasi::abi::{FileStat, FileType};
use crate::wasi::errno::{Call, Errno, Stop};
use crate::wasi::quota::Quota;

impl FileSystem {
    /// The bytes of a file.
    pub(crate) fn bytes(&self, inode: Inode) -> Call<&[u8]> {
        match &self.node(inode)?.content {
            Content::Input(bytes) => Ok(bytes),
            Content::File(bytes) => Ok(bytes),
            Content::Directory { .. } => Err(Errno::Isdir.into()),
        }
    }

    fn file_mut(&mut self, inode: Inode) -> Call<&mut Vec<u8>> {
        match &mut self.node_mut(inode)?.content {
            Content::File(bytes) => Ok(bytes),
            Content::Input(_) => Err(Errno::Rofs.into()),
            Content::Directory { .. } => Err(Errno::Isdir.into()),
        }
    }

    /// Cuts a file or fills it up with zeros.
    pub(crate) fn resize(&mut self, inode: Inode, size: u64, quota: &mut Quota) -> Call {
        let file = self.file_mut(inode)?;
        let old = file.len() as u64;
        if size <= old {
            // Smaller than the present length, which is a usize.
            file.truncate(usize::try_from(size).map_err(|_| Errno::Fbig)?);
            // Only now and then, so that cutting a byte at a time does not copy the file each time.
            if file.len() < file.capacity() / 4 {
                file.shrink_to_fit();
            }
            quota.give_back(old - size);
            return Ok(());
        }
        quota.take(size - old)?;
        let len = usize::try_from(size).map_err(|_| Errno::Fbig)?;
        file.try_reserve(len - file.len()).map_err(|_| Stop::HostMemory)?;
        file.resize(len, 0);
        Ok(())
    }

    /// Writes `bytes` at `offset`, with zeros between the end of the file and there.
    pub(crate) fn write(&mut self, inode: Inode, offset: u64, bytes: &[u8], quota: &mut Quota) -> Call {
        if bytes.is_empty() {
            return self.file_mut(inode).map(drop);
        }
        let end = offset.checked_add(bytes.len() as u64).ok_or(Errno::Fbig)?;
        if end > self.file_mut(inode)?.len() as u64 {
            self.resize(inode, end, quota)?;
        }
        let start = usize::try_from(offset).map_err(|_| Errno::Fbig)?;
        let file = self.file_mut(inode)?;
        file.get_mut(start..start + bytes.len())
            .ok_or(Errno::Fbig)?
            .copy_from_slice(bytes);
        Ok(())
    }

    /// What `stat` says.
    pub(crate) fn stat(&self, inode: Inode) -> Call<FileStat> {
        let node = self.node(inode)?;
        let (file_type, size) = match &node.content {
            Content::Directory { .. } => (FileType::Directory, 0),
            Content::Input(bytes) => (FileType::Regular, bytes.len() as u64),
            Content::File(bytes) => (FileType::Regular, bytes.len() as u64),
        };
        let (accessed_ns, modified_ns) = (node.accessed_ns, node.modified_ns);
        Ok(FileStat {
            inode,
            file_type,
            size,
            accessed_ns,
            modified_ns,
        })
    }

    /// Sets the times that are given.
    pub(crate) fn set_times(&mut self, inode: Inode, accessed: Option<u64>, modified: Option<u64>) -> Call {
        let node = self.node_mut(inode)?;
        if node.pinned {
            return Err(Errno::Rofs.into());
        }
        node.accessed_ns = accessed.unwrap_or(node.accessed_ns);
        node.modified_ns = modified.unwrap_or(node.modified_ns);
        Ok(())
    }

    /// The directory's entries in order of names, after `.` and `..`.
    pub(crate) fn list(&self, inode: Inode) -> Call<Vec<Listed>> {
        let dots = [(".", inode), ("..", self.parent(inode))];
        let entries = self.entries(inode)?;
        let named = entries.iter().map(|(name, inode)| (name.as_str(), *inode));
        let all = dots.into_iter().chain(named).map(|(name, inode)| {
            let file_type = if self.is_directory(inode) {
                FileType::Directory
            } else {
                FileType::Regular
            };
            Listed {
                name: name.to_owned(),
                inode,
                file_type,
            }
        });
        Ok(all.collect())
    }
}
