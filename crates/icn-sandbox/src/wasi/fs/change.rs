//! Making, removing and moving nodes.

use std::collections::BTreeMap;

use super::{Content, DEPTH_MAX, FileSystem, Inode, NODES_MAX, Place};
use crate::wasi::abi::FileType;
use crate::wasi::errno::{Call, Errno};
use crate::wasi::quota::Quota;

impl FileSystem {
    /// Makes an empty file or directory.
    pub(crate) fn create(&mut self, place: &Place<'_>, file_type: FileType) -> Call<Inode> {
        let name = place.name.ok_or(Errno::Exist)?;
        if self.child(place.directory, name).is_some() {
            return Err(Errno::Exist.into());
        }
        let content = match file_type {
            FileType::Directory => {
                if self.depth(place.directory) >= DEPTH_MAX {
                    return Err(Errno::Nametoolong.into());
                }
                Content::Directory {
                    parent: place.directory,
                    entries: BTreeMap::new(),
                }
            }
            FileType::Regular if place.must_be_directory => return Err(Errno::Isdir.into()),
            FileType::Regular | FileType::Unknown => Content::File(Vec::new()),
        };
        if self.nodes.len() >= NODES_MAX {
            return Err(Errno::Nospc.into());
        }
        let inode = self.insert(content, false);
        self.link(place.directory, name, inode);
        Ok(inode)
    }

    /// Takes a file or an empty directory out of the tree.
    pub(crate) fn remove(&mut self, place: &Place<'_>, file_type: FileType, quota: &mut Quota) -> Call {
        let inode = self.at(place)?;
        match (file_type, self.is_directory(inode)) {
            (FileType::Directory, false) => return Err(Errno::Notdir.into()),
            (FileType::Directory, true) | (_, false) => {}
            (_, true) => return Err(Errno::Isdir.into()),
        }
        // `.` names a directory that its parent would have to remove.
        let name = place.name.ok_or(Errno::Inval)?;
        if self.is_pinned(inode) {
            return Err(Errno::Rofs.into());
        }
        if self.is_directory(inode) && !self.entries(inode)?.is_empty() {
            return Err(Errno::Notempty.into());
        }
        self.unlink(place.directory, name);
        self.node_mut(inode)?.linked = false;
        self.collect(inode, quota);
        Ok(())
    }

    /// Moves a file or directory, over an existing file or empty directory where there is one.
    pub(crate) fn rename(&mut self, from: &Place<'_>, to: &Place<'_>, quota: &mut Quota) -> Call {
        let inode = self.at(from)?;
        let (from_name, to_name) = (from.name.ok_or(Errno::Inval)?, to.name.ok_or(Errno::Inval)?);
        if self.is_pinned(inode) {
            return Err(Errno::Rofs.into());
        }
        let is_directory = self.is_directory(inode);
        if to.must_be_directory && !is_directory {
            return Err(Errno::Notdir.into());
        }
        if is_directory {
            if self.is_within(to.directory, inode) {
                return Err(Errno::Inval.into());
            }
            if self.depth(to.directory) + self.height(inode) > DEPTH_MAX {
                return Err(Errno::Nametoolong.into());
            }
        }
        if let Some(replaced) = self.child(to.directory, to_name) {
            if replaced == inode {
                return Ok(());
            }
            let file_type = if is_directory {
                FileType::Directory
            } else {
                FileType::Regular
            };
            let place = Place {
                directory: to.directory,
                name: Some(to_name),
                must_be_directory: false,
            };
            self.remove(&place, file_type, quota)?;
        }
        self.unlink(from.directory, from_name);
        self.link(to.directory, to_name, inode);
        Ok(())
    }
}
