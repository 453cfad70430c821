//! Key files: an Ed25519 key as PKCS#8 in PEM, readable by its owner only, plain or encrypted by a passphrase.
//!
//! The node's seat key and the keys of members and officers are all kept like this, and `openssl pkey` reads
//! them. Nothing here asks anybody for a passphrase.
mod error;
mod passphrase;
mod pem;
pub mod succession;

pub use self::{
    error::KeyFileError,
    passphrase::{FILE_SUFFIX, MAX_PASSPHRASE_BYTES, PASSPHRASE_VARIABLE, Passphrase, PassphraseError},
    pem::{Sealed, Stored, parse, to_encrypted_pem, to_pem},
};
use icn_model::SecretKey;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::Path,
};
use zeroize::Zeroizing;

/// The largest key file that is read, in bytes; a key takes about 120, encrypted about 300.
pub const MAX_KEY_FILE_BYTES: u64 = 16 << 10;

/// Makes a new key.
///
/// # Errors
/// [`KeyFileError::Randomness`].
pub fn generate() -> Result<SecretKey, KeyFileError> {
    let mut seed = Zeroizing::new([0; SecretKey::LEN]);
    getrandom::fill(seed.as_mut_slice()).map_err(KeyFileError::Randomness)?;
    Ok(SecretKey::from_seed(&seed))
}

/// Reads a plain key file.
///
/// # Errors
/// [`KeyFileError`] says what is wrong with it; that it is encrypted, too.
pub fn read(path: &Path) -> Result<SecretKey, KeyFileError> {
    load(path)?.plain()
}

/// Reads a key file, which may be encrypted.
///
/// # Errors
/// [`KeyFileError`] says what is wrong with it.
pub fn load(path: &Path) -> Result<Stored, KeyFileError> {
    let failed = |source| KeyFileError::Read {
        path: path.to_owned(),
        source,
    };
    let mut text = Zeroizing::new(String::new());
    let file = File::open(path).map_err(failed)?;
    match file.take(MAX_KEY_FILE_BYTES).read_to_string(&mut text) {
        Ok(_) => parse(&text, &path.display().to_string()),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(KeyFileError::Format {
            origin: path.display().to_string(),
        }),
        Err(error) => Err(failed(error)),
    }
}

/// Writes a key to a new file, readable by its owner only, and to the disk before it returns. Missing
/// directories are made.
///
/// # Errors
/// [`KeyFileError::Exists`] rather than overwriting anything, or [`KeyFileError::Write`].
pub fn write_new(path: &Path, key: &SecretKey) -> Result<(), KeyFileError> {
    write_text(path, &to_pem(key))
}

/// The same, encrypted.
///
/// # Errors
/// The same, or [`KeyFileError::Randomness`].
pub fn write_new_encrypted(
    path: &Path,
    key: &SecretKey,
    passphrase: &Passphrase,
) -> Result<(), KeyFileError> {
    write_text(path, &to_encrypted_pem(key, passphrase)?)
}

fn write_text(path: &Path, text: &str) -> Result<(), KeyFileError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AlreadyExists => KeyFileError::Exists {
            path: path.to_owned(),
        },
        _ => KeyFileError::Write {
            path: path.to_owned(),
            source,
        },
    };
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(failed)?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| {
            File::open(parent.unwrap_or(Path::new("."))).and_then(|directory| directory.sync_all())
        })
        .map_err(failed)
}

/// The permission bits of a file that others than its owner can read or change; none if only the owner can,
/// if there is no such file, or where files have no such bits.
pub fn exposed_mode(path: &Path) -> Option<u32> {
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path).ok()?.permissions()) & 0o777;
        (mode & 0o077 != 0).then_some(mode)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_is_private_and_never_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sub/officer.pem");
        let key = generate().unwrap();
        write_new(&path, &key).unwrap();
        assert_eq!(read(&path).unwrap().public(), key.public());
        assert_eq!(exposed_mode(&path), None);
        assert!(matches!(
            write_new(&path, &generate().unwrap()),
            Err(KeyFileError::Exists { .. })
        ));
        assert_eq!(read(&path).unwrap().public(), key.public());
    }

    #[test]
    fn an_encrypted_file_is_private_and_takes_its_passphrase() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("node.key");
        let (key, passphrase) = (
            generate().unwrap(),
            Passphrase::new("word".to_owned(), "test").unwrap(),
        );
        write_new_encrypted(&path, &key, &passphrase).unwrap();
        assert_eq!(exposed_mode(&path), None);
        let opened = load(&path).unwrap().open_with(Some(&passphrase), "P").unwrap();
        assert_eq!(opened.public(), key.public());
        let error = read(&path).unwrap_err().to_string();
        assert!(
            error.contains("node.key") && error.contains("ICN_KEY_PASSPHRASE_FILE"),
            "{error}"
        );
        assert!(matches!(
            write_new_encrypted(&path, &key, &passphrase),
            Err(KeyFileError::Exists { .. })
        ));
    }

    #[cfg(unix)]
    #[test]
    fn a_readable_key_is_seen() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key.pem");
        write_new(&path, &generate().unwrap()).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(exposed_mode(&path), Some(0o644));
    }

    #[test]
    fn a_missing_or_binary_file_is_an_error_with_its_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("none.pem");
        assert!(read(&path).unwrap_err().to_string().contains("none.pem"));
        fs::write(&path, [0xff, 0xfe, 0]).unwrap();
        assert!(matches!(read(&path), Err(KeyFileError::Format { .. })));
    }
}
