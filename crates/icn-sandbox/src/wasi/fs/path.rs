//! From paths to nodes. What a path says is not trusted: it is walked, name by name.

use super::{FileSystem, Inode, NAME_MAX_BYTES, PATH_MAX_BYTES};
use crate::wasi::errno::{Call, Errno};

/// Where a path leads: a directory, and the name in it unless the path is the directory itself.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    pub(crate) directory: Inode,
    pub(crate) name: Option<&'a str>,
    /// The path ends with a slash, so it can name a directory only.
    pub(crate) must_be_directory: bool,
}

impl FileSystem {
    /// Follows `path` from the directory `base`, all but its last name.
    ///
    /// # Errors
    /// [`Errno::Notcapable`] for an absolute path or one that leaves `base`, and what else POSIX says.
    pub(crate) fn place<'p>(&self, base: Inode, path: &'p str) -> Call<Place<'p>> {
        if path.is_empty() {
            return Err(Errno::Noent.into());
        }
        if path.len() > PATH_MAX_BYTES {
            return Err(Errno::Nametoolong.into());
        }
        if path.starts_with('/') {
            return Err(Errno::Notcapable.into());
        }
        self.entries(base)?;
        let trimmed = path.trim_end_matches('/');
        let must_be_directory = trimmed.len() < path.len();
        let mut walked = vec![base];
        let mut at = base;
        let mut names = trimmed.split('/').peekable();
        while let Some(name) = names.next() {
            if name.len() > NAME_MAX_BYTES {
                return Err(Errno::Nametoolong.into());
            }
            match name {
                "" | "." => {}
                ".." => {
                    walked.pop();
                    at = *walked.last().ok_or(Errno::Notcapable)?;
                }
                _ if names.peek().is_none() => {
                    return Ok(Place {
                        directory: at,
                        name: Some(name),
                        must_be_directory,
                    });
                }
                _ => {
                    at = self.entries(at)?.get(name).copied().ok_or(Errno::Noent)?;
                    self.entries(at)?;
                    walked.push(at);
                }
            }
        }
        Ok(Place {
            directory: at,
            name: None,
            must_be_directory: true,
        })
    }

    /// The node at a place.
    ///
    /// # Errors
    /// [`Errno::Noent`] if there is none, [`Errno::Notdir`] for a file where only a directory fits.
    pub(crate) fn at(&self, place: &Place<'_>) -> Call<Inode> {
        let Some(name) = place.name else {
            return Ok(place.directory);
        };
        let inode = self.child(place.directory, name).ok_or(Errno::Noent)?;
        if place.must_be_directory && !self.is_directory(inode) {
            return Err(Errno::Notdir.into());
        }
        Ok(inode)
    }
}
