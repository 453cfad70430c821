//! The descriptor table of a run.
//!
//! It checks numbers and rights; what a descriptor refers to is in the file system.

use std::collections::BTreeMap;

use super::abi::rights;
use super::errno::{Call, Errno};
use super::fs::{Inode, Listed, ROOT};

/// Most descriptors open at a time, the four that exist from the start included.
pub(crate) const DESCRIPTORS_MAX: usize = 128;

/// The descriptor of the preopened directory `/`.
pub(crate) const PREOPEN: u32 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Stdin,
    Stdout,
    Stderr,
    Node(Inode),
}

#[derive(Debug)]
pub(crate) struct Descriptor {
    pub(crate) target: Target,
    pub(crate) rights: u64,
    /// Rights of descriptors opened through this one.
    pub(crate) inheriting: u64,
    pub(crate) flags: u16,
    /// Offset of the next read or write, for files.
    pub(crate) position: u64,
    /// What a directory held when its listing began, so that a program can remove what it lists.
    pub(crate) listing: Option<Vec<Listed>>,
    pub(crate) preopen: bool,
}

impl Descriptor {
    pub(crate) fn new(target: Target, rights: u64, inheriting: u64, flags: u16) -> Self {
        Self {
            target,
            rights,
            inheriting,
            flags,
            position: 0,
            listing: None,
            preopen: false,
        }
    }

    /// The node that it refers to, for calls that streams do not support.
    pub(crate) fn node(&self, otherwise: Errno) -> Call<Inode> {
        match self.target {
            Target::Node(inode) => Ok(inode),
            Target::Stdin | Target::Stdout | Target::Stderr => Err(otherwise.into()),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Descriptors(BTreeMap<u32, Descriptor>);

impl Descriptors {
    /// Standard input, output and error, and the root directory as [`PREOPEN`].
    pub(crate) fn new() -> Self {
        let mut root = Descriptor::new(
            Target::Node(ROOT),
            rights::DIRECTORY,
            rights::DIRECTORY | rights::FILE,
            0,
        );
        root.preopen = true;
        Self(BTreeMap::from([
            (0, Descriptor::new(Target::Stdin, rights::STREAM_IN, 0, 0)),
            (1, Descriptor::new(Target::Stdout, rights::STREAM_OUT, 0, 0)),
            (2, Descriptor::new(Target::Stderr, rights::STREAM_OUT, 0, 0)),
            (PREOPEN, root),
        ]))
    }

    /// The descriptor, if it has all the `rights`.
    pub(crate) fn get(&self, fd: u32, rights: u64) -> Call<&Descriptor> {
        let descriptor = self.0.get(&fd).ok_or(Errno::Badf)?;
        check(descriptor, rights)?;
        Ok(descriptor)
    }

    /// The descriptor, if it has all the `rights`, to be changed.
    pub(crate) fn get_mut(&mut self, fd: u32, rights: u64) -> Call<&mut Descriptor> {
        let descriptor = self.0.get_mut(&fd).ok_or(Errno::Badf)?;
        check(descriptor, rights)?;
        Ok(descriptor)
    }

    /// Whether one more can be opened.
    pub(crate) fn check_room(&self) -> Call {
        if self.0.len() < DESCRIPTORS_MAX {
            Ok(())
        } else {
            Err(Errno::Mfile.into())
        }
    }

    /// Puts the descriptor at the lowest free number.
    pub(crate) fn open(&mut self, descriptor: Descriptor) -> Call<u32> {
        self.check_room()?;
        let fd = (0..).find(|fd| !self.0.contains_key(fd)).ok_or(Errno::Mfile)?;
        self.0.insert(fd, descriptor);
        Ok(fd)
    }

    /// Takes the descriptor out.
    pub(crate) fn close(&mut self, fd: u32) -> Call<Descriptor> {
        Ok(self.0.remove(&fd).ok_or(Errno::Badf)?)
    }

    /// Moves `from` to the number of `to`, and gives back what was there.
    pub(crate) fn renumber(&mut self, from: u32, to: u32) -> Call<Option<Descriptor>> {
        self.get(to, 0)?;
        self.get(from, 0)?;
        if from == to {
            return Ok(None);
        }
        let moved = self.close(from)?;
        Ok(self.0.insert(to, moved))
    }
}

fn check(descriptor: &Descriptor, rights: u64) -> Call {
    if descriptor.rights & rights == rights {
        Ok(())
    } else {
        Err(Errno::Notcapable.into())
    }
}
