//! The in-memory file system of one run: a bounded tree of directories and files.
//!
//! It knows nodes, not descriptors or calls. There are no links, so the tree is a tree, and a path is
//! resolved by walking down and back up from a directory without ever leaving it. Iteration is in
//! order of names, inode numbers count up from 1, and times are what the program set or a constant:
//! nothing of the host shows.

mod change;
mod content;
mod path;

use std::collections::{BTreeMap, btree_map::Entry};

use bytes::Bytes;

use super::abi::FileType;
use super::clock::START_NS;
use super::errno::{Call, Errno};
use super::quota::Quota;
use crate::exit::InputError;

/// Most files and directories, inputs included.
pub(crate) const NODES_MAX: usize = 4_096;
/// Deepest nesting of directories.
pub(crate) const DEPTH_MAX: usize = 32;
/// Longest name, in bytes of UTF-8.
pub(crate) const NAME_MAX_BYTES: usize = 255;
/// Longest path, in bytes of UTF-8.
pub(crate) const PATH_MAX_BYTES: usize = 4_096;

/// Directories that exist in every run and cannot be removed or renamed.
const FIXED_DIRECTORIES: [&str; 3] = ["in", "out", "tmp"];

pub(crate) use self::path::Place;

pub(crate) type Inode = u64;

/// The root directory.
pub(crate) const ROOT: Inode = 1;

#[derive(Debug)]
struct Node {
    content: Content,
    /// Not to be removed, renamed or written to: an input, or a directory on the way to one.
    pinned: bool,
    /// Has a name in the tree.
    linked: bool,
    /// Open descriptors; a file that lost its name lives until they are closed.
    open: u32,
    accessed_ns: u64,
    modified_ns: u64,
}

#[derive(Debug)]
enum Content {
    Directory {
        parent: Inode,
        entries: BTreeMap<String, Inode>,
    },
    Input(Bytes),
    File(Vec<u8>),
}

/// An entry of a directory listing.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) name: String,
    pub(crate) inode: Inode,
    pub(crate) file_type: FileType,
}

/// A run's files.
#[derive(Debug)]
pub(crate) struct FileSystem {
    nodes: BTreeMap<Inode, Node>,
    next: Inode,
}

impl FileSystem {
    /// The fixed directories and nothing else.
    pub(crate) fn new() -> Self {
        let mut fs = Self {
            nodes: BTreeMap::new(),
            next: ROOT,
        };
        fs.insert(
            Content::Directory {
                parent: ROOT,
                entries: BTreeMap::new(),
            },
            true,
        );
        for name in FIXED_DIRECTORIES {
            let content = Content::Directory {
                parent: ROOT,
                entries: BTreeMap::new(),
            };
            let inode = fs.insert(content, true);
            fs.link(ROOT, name, inode);
        }
        fs
    }

    /// Places an input at `path`, counted from the root, with its directories.
    pub(crate) fn add_input(&mut self, path: &str, bytes: Bytes) -> Result<(), InputError> {
        let relative = path.strip_prefix('/').unwrap_or(path);
        if relative.len() > PATH_MAX_BYTES {
            return Err(InputError::TooLong);
        }
        let (parents, name) = relative.rsplit_once('/').unwrap_or(("", relative));
        let mut directory = ROOT;
        let mut depth = 1;
        for parent in parents.split('/').filter(|_| !parents.is_empty()) {
            check_input_name(parent)?;
            depth += 1;
            if depth > DEPTH_MAX {
                return Err(InputError::TooLong);
            }
            directory = match self.child(directory, parent) {
                Some(inode) if self.is_directory(inode) => inode,
                Some(_) => return Err(InputError::Conflict),
                None => {
                    let content = Content::Directory {
                        parent: directory,
                        entries: BTreeMap::new(),
                    };
                    self.add_pinned(directory, parent, content)?
                }
            };
        }
        check_input_name(name)?;
        if self.is_output(directory) {
            return Err(InputError::UnderOut);
        }
        if self.child(directory, name).is_some() {
            return Err(InputError::Conflict);
        }
        self.add_pinned(directory, name, Content::Input(bytes)).map(drop)
    }

    fn add_pinned(&mut self, directory: Inode, name: &str, content: Content) -> Result<Inode, InputError> {
        // Half of the nodes stay free for what the program makes itself.
        if self.nodes.len() >= NODES_MAX / 2 {
            return Err(InputError::TooMany);
        }
        let inode = self.insert(content, true);
        self.link(directory, name, inode);
        Ok(inode)
    }

    fn insert(&mut self, content: Content, pinned: bool) -> Inode {
        let inode = self.next;
        self.next += 1;
        let node = Node {
            content,
            pinned,
            linked: true,
            open: 0,
            accessed_ns: START_NS,
            modified_ns: START_NS,
        };
        self.nodes.insert(inode, node);
        inode
    }

    fn link(&mut self, directory: Inode, name: &str, inode: Inode) {
        if let Some(Node {
            content: Content::Directory { entries, .. },
            ..
        }) = self.nodes.get_mut(&directory)
        {
            entries.insert(name.to_owned(), inode);
        }
        if let Some(Node {
            content: Content::Directory { parent, .. },
            ..
        }) = self.nodes.get_mut(&inode)
        {
            *parent = directory;
        }
    }

    fn unlink(&mut self, directory: Inode, name: &str) {
        if let Some(Node {
            content: Content::Directory { entries, .. },
            ..
        }) = self.nodes.get_mut(&directory)
        {
            entries.remove(name);
        }
    }

    fn node(&self, inode: Inode) -> Call<&Node> {
        // A descriptor keeps its node alive, so a missing one is a descriptor that is none.
        Ok(self.nodes.get(&inode).ok_or(Errno::Badf)?)
    }

    fn node_mut(&mut self, inode: Inode) -> Call<&mut Node> {
        Ok(self.nodes.get_mut(&inode).ok_or(Errno::Badf)?)
    }

    fn entries(&self, inode: Inode) -> Call<&BTreeMap<String, Inode>> {
        let node = self.node(inode)?;
        match &node.content {
            // A directory that was removed while it is open holds nothing and takes nothing.
            Content::Directory { .. } if !node.linked => Err(Errno::Noent.into()),
            Content::Directory { entries, .. } => Ok(entries),
            Content::Input(_) | Content::File(_) => Err(Errno::Notdir.into()),
        }
    }

    /// The node of that name in the directory.
    pub(crate) fn child(&self, directory: Inode, name: &str) -> Option<Inode> {
        self.entries(directory).ok()?.get(name).copied()
    }

    pub(crate) fn is_directory(&self, inode: Inode) -> bool {
        matches!(
            self.nodes.get(&inode),
            Some(Node {
                content: Content::Directory { .. },
                ..
            })
        )
    }

    /// An input, or one of the directories that are there from the start.
    pub(crate) fn is_pinned(&self, inode: Inode) -> bool {
        self.nodes.get(&inode).is_some_and(|node| node.pinned)
    }

    fn parent(&self, inode: Inode) -> Inode {
        match self.nodes.get(&inode) {
            Some(Node {
                content: Content::Directory { parent, .. },
                ..
            }) => *parent,
            _ => ROOT,
        }
    }

    /// Directories from the root down to `inode`, itself included.
    fn depth(&self, inode: Inode) -> usize {
        let mut depth = 1;
        let mut at = inode;
        while at != ROOT {
            at = self.parent(at);
            depth += 1;
        }
        depth
    }

    fn is_within(&self, inode: Inode, ancestor: Inode) -> bool {
        let mut at = inode;
        while at != ancestor {
            if at == ROOT {
                return false;
            }
            at = self.parent(at);
        }
        true
    }

    fn is_output(&self, directory: Inode) -> bool {
        self.child(ROOT, "out")
            .is_some_and(|out| self.is_within(directory, out))
    }

    /// Levels of directories below and including `inode`; 0 for a file.
    fn height(&self, inode: Inode) -> usize {
        let mut height = 0;
        let mut level = vec![inode];
        loop {
            level.retain(|inode| self.is_directory(*inode));
            if level.is_empty() {
                return height;
            }
            height += 1;
            level = level
                .iter()
                .flat_map(|i| self.entries(*i).ok())
                .flat_map(|e| e.values().copied())
                .collect();
        }
    }

    /// Notes that a descriptor refers to the node.
    pub(crate) fn opened(&mut self, inode: Inode) {
        if let Some(node) = self.nodes.get_mut(&inode) {
            node.open += 1;
        }
    }

    /// Notes that a descriptor no longer refers to the node, and frees it if nothing does.
    pub(crate) fn closed(&mut self, inode: Inode, quota: &mut Quota) {
        if let Some(node) = self.nodes.get_mut(&inode) {
            node.open = node.open.saturating_sub(1);
        }
        self.collect(inode, quota);
    }

    fn collect(&mut self, inode: Inode, quota: &mut Quota) {
        if let Entry::Occupied(entry) = self.nodes.entry(inode)
            && !entry.get().linked
            && entry.get().open == 0
            && let Content::File(bytes) = entry.remove().content
        {
            quota.give_back(bytes.len() as u64);
        }
    }

    /// The files under `/out`, by their path below it.
    pub(crate) fn into_outputs(mut self) -> BTreeMap<String, Vec<u8>> {
        let mut outputs = BTreeMap::new();
        let mut pending: Vec<(String, Inode)> = self
            .child(ROOT, "out")
            .map(|out| (String::new(), out))
            .into_iter()
            .collect();
        while let Some((path, inode)) = pending.pop() {
            match self.nodes.remove(&inode).map(|node| node.content) {
                Some(Content::Directory { entries, .. }) => {
                    let prefix = if path.is_empty() { path } else { path + "/" };
                    pending.extend(
                        entries
                            .into_iter()
                            .map(|(name, inode)| (format!("{prefix}{name}"), inode)),
                    );
                }
                Some(Content::File(bytes)) => {
                    outputs.insert(path, bytes);
                }
                Some(Content::Input(_)) | None => {}
            }
        }
        outputs
    }
}

fn check_input_name(name: &str) -> Result<(), InputError> {
    match name {
        "" | "." | ".." => Err(InputError::Path),
        _ if name.contains('\0') => Err(InputError::Path),
        _ if name.len() > NAME_MAX_BYTES => Err(InputError::TooLong),
        _ => Ok(()),
    }
}
