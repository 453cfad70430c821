//! Faults of a node's machine: a disk that is slow or full, a clock that is wrong.
//!
//! Slow disks and wrong clocks are made by a library that the node is started with (scripts/chaos/faults.c); it reads from a
//! small file what to do, so that a fault can begin and end while the node runs. A full disk is a small file system in
//! memory, filled.
use anyhow::Context as _;
use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// Variable of the library: its file.
const FILE_VARIABLE: &str = "CHAOS_FAULTS";
/// Room on a disk that is to be filled.
const SMALL_DISK: &str = "384m";
/// What fills it.
const BALLAST: &str = "ballast";
const CHUNK: usize = 1 << 20;

/// What a node's library of faults does.
#[derive(Debug)]
pub(super) struct Faults {
    path: PathBuf,
    file: File,
}

impl Faults {
    /// No faults at first. `directory` is the node's.
    pub(super) fn new(directory: &Path) -> anyhow::Result<Self> {
        let path = directory.join("faults");
        let named = || format!("cannot write {}", path.display());
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)
            .with_context(named)?;
        let faults = Self {
            path: path.clone(),
            file,
        };
        faults.set(Duration::ZERO, 0)?;
        Ok(faults)
    }

    /// Variables that a node is started with.
    pub(super) fn env(&self, library: &Path) -> Vec<(String, OsString)> {
        vec![
            ("LD_PRELOAD".to_owned(), library.into()),
            (FILE_VARIABLE.to_owned(), self.path.clone().into()),
        ]
    }

    /// From now on, so long for each sync, and a clock that is so many milliseconds off.
    pub(super) fn set(&self, sync_delay: Duration, clock_off_ms: i64) -> anyhow::Result<()> {
        let delay_ms = i64::try_from(sync_delay.as_millis()).context("nobody waits so long for a disk")?;
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&delay_ms.to_ne_bytes());
        bytes[8..].copy_from_slice(&clock_off_ms.to_ne_bytes());
        // In place: the library has it mapped.
        self.file
            .write_all_at(&bytes, 0)
            .with_context(|| format!("cannot write {}", self.path.display()))
    }
}

/// Gives a directory a small disk of its own, in this run's mount namespace.
pub(super) fn small_disk(directory: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
    let output = Command::new("mount")
        .args([
            "-t",
            "tmpfs",
            "-o",
            &format!("size={SMALL_DISK},mode=700"),
            "tmpfs",
        ])
        .arg(directory)
        .output()
        .context("mount is missing: install mount")?;
    anyhow::ensure!(
        output.status.success(),
        "cannot mount a small disk on {}: {}",
        directory.display(),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

/// Fills the disk of a directory to the last byte.
pub(super) fn fill(directory: &Path) -> anyhow::Result<()> {
    let path = directory.join(BALLAST);
    let mut file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    let mut chunk = vec![0x2a; CHUNK];
    while !chunk.is_empty() {
        match file.write_all(&chunk) {
            Ok(()) => {}
            // Smaller and smaller, until nothing fits.
            Err(error) if error.kind() == io::ErrorKind::StorageFull => chunk.truncate(chunk.len() / 2),
            Err(error) => return Err(error).with_context(|| format!("cannot write {}", path.display())),
        }
    }
    Ok(())
}

/// Makes room again.
pub(super) fn empty(directory: &Path) -> anyhow::Result<()> {
    let path = directory.join(BALLAST);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot delete {}", path.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_two_numbers() {
        let directory = tempfile::tempdir().unwrap();
        let faults = Faults::new(directory.path()).unwrap();
        let read = || fs::read(directory.path().join("faults")).unwrap();
        assert_eq!(read(), [0; 16]);
        faults.set(Duration::from_millis(500), -60_000).unwrap();
        let bytes = read();
        assert_eq!(bytes.len(), 16);
        assert_eq!(i64::from_ne_bytes(bytes[..8].try_into().unwrap()), 500);
        assert_eq!(i64::from_ne_bytes(bytes[8..].try_into().unwrap()), -60_000);
        let env = faults.env(Path::new("/lib/faults.so"));
        assert_eq!(env[0], ("LD_PRELOAD".to_owned(), "/lib/faults.so".into()));
    }

    #[test]
    fn what_is_not_filled_is_emptied_all_the_same() {
        let directory = tempfile::tempdir().unwrap();
        empty(directory.path()).unwrap();
        fs::write(directory.path().join(BALLAST), "x").unwrap();
        empty(directory.path()).unwrap();
        assert!(!directory.path().join(BALLAST).exists());
    }
}
