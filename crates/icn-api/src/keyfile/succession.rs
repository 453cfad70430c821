//! How one key file follows another: the next key is made beside it, and takes its place when its turn has come. Every
//! step can be done again after it was cut short.
use super::{KeyFileError, Passphrase, generate, load, write_new, write_new_encrypted, write_text};
use icn_model::{PublicKey, SecretKey};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

/// Characters of a former key's text in the name of its file.
const NAME_CHARS: usize = 8;

/// Where the key is that is to follow the one in `path`.
pub fn next_path(path: &Path) -> PathBuf {
    beside(path, "next")
}

/// Where the key `former` of `path` is kept once another one has followed it.
pub fn former_path(path: &Path, former: &PublicKey) -> PathBuf {
    let text = former.to_string();
    beside(path, &format!("former-{}", &text[text.len() - NAME_CHARS..]))
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(end);
    name.into()
}

/// Makes the key that is to follow the one in `path`, encrypted if there is a passphrase.
///
/// # Errors
/// [`KeyFileError::Exists`] if there is one, or why it cannot be made.
pub fn make_next(path: &Path, passphrase: Option<&Passphrase>) -> Result<SecretKey, KeyFileError> {
    let (next, key) = (next_path(path), generate()?);
    match passphrase {
        Some(passphrase) => write_new_encrypted(&next, &key, passphrase)?,
        None => write_new(&next, &key)?,
    }
    Ok(key)
}

/// Puts the next key in the place of the one in `path`, which is `former`, and says where that is kept: it may still act
/// in other roles.
///
/// # Errors
/// [`KeyFileError`] if a file cannot be read, written or moved; the key in `path` is then what it was.
pub fn take_over(path: &Path, former: &PublicKey) -> Result<PathBuf, KeyFileError> {
    let kept = former_path(path, former);
    let read = fs::read_to_string(path).map_err(|source| KeyFileError::Read {
        path: path.to_owned(),
        source,
    });
    match write_text(&kept, &zeroize::Zeroizing::new(read?)) {
        // Kept by an attempt that went no further.
        Err(KeyFileError::Exists { .. }) if load(&kept).is_ok() => {}
        written => written?,
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    fs::rename(next_path(path), path)
        .and_then(|()| File::open(parent.unwrap_or(Path::new(".")))?.sync_all())
        .map_err(|source| KeyFileError::Write {
            path: path.to_owned(),
            source,
        })?;
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::{super::exposed_mode, *};

    #[test]
    fn the_next_key_takes_the_place_of_one_that_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("node.key");
        let old = generate().unwrap();
        write_new(&path, &old).unwrap();
        let next = make_next(&path, None).unwrap();
        assert!(matches!(make_next(&path, None), Err(KeyFileError::Exists { .. })));
        // As after an attempt that went half the way.
        fs::copy(&path, former_path(&path, &old.public())).unwrap();
        let kept = take_over(&path, &old.public()).unwrap();
        let read = |path: &Path| load(path).unwrap().plain().unwrap().public();
        assert_eq!((read(&path), read(&kept)), (next.public(), old.public()));
        assert_eq!((exposed_mode(&path), exposed_mode(&kept)), (None, None));
        assert!(!next_path(&path).exists());
        assert!(take_over(&path, &next.public()).is_err(), "nothing follows");
        assert_eq!(read(&path), next.public());
    }
}
