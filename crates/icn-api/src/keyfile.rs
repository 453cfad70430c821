//! Key files: an Ed25519 key as PKCS#8 in PEM (RFC 8410), unencrypted, readable by its owner only.
//!
//! The node's seat key and the keys of members and officers are all kept like this, and `openssl pkey` reads
//! them. Encrypted key files are refused by name, not guessed at.
use ed25519_dalek::pkcs8::{
    DecodePrivateKey as _, EncodePrivateKey as _, KeypairBytes, spki::der::pem::LineEnding,
};
use icn_model::SecretKey;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// The largest key file that is read; a key takes about 120 bytes.
const MAX_BYTES: u64 = 16 << 10;

/// Why a key cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file is not there or cannot be read.
    #[error("cannot read the key file {path}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write the key file {path}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is a file already, and keys are never overwritten.
    #[error("{path} exists already: choose another file, or move it away first", path = path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The key is encrypted.
    #[error(
        "the key in {origin} is encrypted: decrypt it first, for example with `openssl pkey -in FILE -out PLAIN`"
    )]
    Encrypted {
        /// Where the text came from.
        origin: String,
    },
    /// The text is not such a key.
    #[error("{origin} holds no Ed25519 key in PKCS#8 PEM (-----BEGIN PRIVATE KEY-----)")]
    Format {
        /// Where the text came from.
        origin: String,
    },
    /// The operating system gave no randomness.
    #[error("the operating system gives no randomness for a new key: {0}")]
    Randomness(getrandom::Error),
}

/// Makes a new key.
///
/// # Errors
/// [`KeyFileError::Randomness`].
pub fn generate() -> Result<SecretKey, KeyFileError> {
    let mut seed = Zeroizing::new([0; SecretKey::LEN]);
    getrandom::fill(seed.as_mut_slice()).map_err(KeyFileError::Randomness)?;
    Ok(SecretKey::from_seed(&seed))
}

/// The key as PEM text, with a newline at its end.
pub fn to_pem(key: &SecretKey) -> Zeroizing<String> {
    // Version 1, without the public half: every tool reads that.
    let mut pair = KeypairBytes {
        secret_key: key.seed(),
        public_key: None,
    };
    let pem = pair
        .to_pkcs8_pem(LineEnding::LF)
        .expect("32 bytes are always encoded");
    zeroize::Zeroize::zeroize(&mut pair.secret_key);
    pem
}

/// Reads a key from PEM text; `origin` says in errors where it came from.
///
/// # Errors
/// [`KeyFileError::Encrypted`] or [`KeyFileError::Format`].
pub fn from_pem(pem: &str, origin: &str) -> Result<SecretKey, KeyFileError> {
    if pem.contains("BEGIN ENCRYPTED PRIVATE KEY") {
        return Err(KeyFileError::Encrypted {
            origin: origin.to_owned(),
        });
    }
    let mut pair = KeypairBytes::from_pkcs8_pem(pem.trim()).map_err(|_| KeyFileError::Format {
        origin: origin.to_owned(),
    })?;
    let key = SecretKey::from_seed(&pair.secret_key);
    zeroize::Zeroize::zeroize(&mut pair.secret_key);
    match pair.public_key {
        Some(public) if public.to_bytes() != *key.public().as_bytes() => Err(KeyFileError::Format {
            origin: origin.to_owned(),
        }),
        _ => Ok(key),
    }
}

/// Reads a key file.
///
/// # Errors
/// [`KeyFileError`] says what is wrong with it.
pub fn read(path: &Path) -> Result<SecretKey, KeyFileError> {
    let failed = |source| KeyFileError::Read {
        path: path.to_owned(),
        source,
    };
    let mut text = Zeroizing::new(String::new());
    let file = File::open(path).map_err(failed)?;
    match file.take(MAX_BYTES).read_to_string(&mut text) {
        Ok(_) => from_pem(&text, &path.display().to_string()),
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
    file.write_all(to_pem(key).as_bytes())
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

    /// RFC 8410, section 10.3: the private key without, and with its public half.
    const RFC_V1: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
-----END PRIVATE KEY-----
";
    const RFC_V2: &str = "-----BEGIN PRIVATE KEY-----
MHICAQEwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
oB8wHQYKKoZIhvcNAQkJFDEPDA1DdXJkbGUgQ2hhaXJzgSEAGb9ECWmEzf6FQbrB
Z9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PRIVATE KEY-----
";

    #[test]
    fn the_examples_of_rfc_8410_are_read() {
        let plain = from_pem(RFC_V1, "rfc").unwrap();
        assert_eq!(*to_pem(&plain), RFC_V1);
        let public = plain
            .public()
            .as_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>();
        assert_eq!(
            public,
            "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1"
        );
        match from_pem(RFC_V2, "rfc") {
            Ok(key) => assert_eq!(key.public(), plain.public()),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn what_is_no_key_is_named() {
        let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        assert!(matches!(
            from_pem(encrypted, "k"),
            Err(KeyFileError::Encrypted { .. })
        ));
        for text in [
            "",
            "hello",
            RFC_V1.trim_end_matches("KEY-----\n"),
            &RFC_V1.replace("BQYDK2Vw", "BQYDK2Vx"),
        ] {
            assert!(
                matches!(from_pem(text, "k"), Err(KeyFileError::Format { .. })),
                "{text}"
            );
        }
    }

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
