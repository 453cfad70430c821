//! Small files of the node's own: after a crash there is the old one or the new one, whole.
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

/// Who may read a file.
#[derive(Clone, Copy)]
pub(crate) enum Readers {
    /// The node's own user: it holds secrets, or could.
    Owner,
    /// Whoever the user's mask lets.
    Masked,
}

/// Writes a file that is not there, and brings it to the disk.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] if it is there, or why it cannot be written.
pub(crate) fn create(path: &Path, bytes: &[u8], readers: Readers) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(match readers {
            Readers::Owner => 0o600,
            Readers::Masked => 0o666,
        })
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// The same beside a file, in place of what an attempt that was cut short has left there.
///
/// # Errors
/// If it cannot be written.
pub(crate) fn create_beside(beside: &Path, bytes: &[u8], readers: Readers) -> io::Result<()> {
    match fs::remove_file(beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => create(beside, bytes, readers),
    }
}

/// Moves a file over another one in the same directory, for good.
///
/// # Errors
/// If it cannot be moved, or that cannot be brought to the disk.
pub(crate) fn take_place(beside: &Path, path: &Path) -> io::Result<()> {
    fs::rename(beside, path)?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

/// Writes a file, in place of one that may be there.
///
/// # Errors
/// If it cannot be written; the old one is there then.
pub(crate) fn replace(path: &Path, bytes: &[u8], readers: Readers) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = Path::new(&beside);
    create_beside(beside, bytes, readers)?;
    take_place(beside, path)
}

/// What is free on the disk of `path`, if it tells.
pub(crate) fn free_bytes(path: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(path).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_file_is_replaced_as_a_whole_whatever_an_attempt_has_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys.json");
        replace(&path, b"first", Readers::Owner).unwrap();
        fs::write(dir.path().join("keys.json.new"), "half of").unwrap();
        replace(&path, b"second", Readers::Owner).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        let there = create(&path, b"third", Readers::Owner).unwrap_err();
        assert_eq!(there.kind(), io::ErrorKind::AlreadyExists);
        assert!(replace(&dir.path().join("none/file"), b"", Readers::Masked).is_err());
    }
}
