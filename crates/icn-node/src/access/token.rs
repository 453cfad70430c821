//! The token with which metrics are read, from a file that can be written anew while the node runs.
use anyhow::Context as _;
use icn_model::Digest;
use icn_serve::config::text_of;
use std::{
    path::{Path, PathBuf},
    sync::{PoisonError, RwLock},
};
use subtle::ConstantTimeEq as _;

/// A token, of which only the hash is kept.
pub(crate) struct Token {
    path: PathBuf,
    hash: RwLock<Digest>,
}

impl Token {
    /// Reads the file.
    ///
    /// # Errors
    /// If it cannot be read, or holds nothing.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            hash: RwLock::new(read(path)?),
        })
    }

    /// Whether `sent` is this token; compared in constant time.
    pub(crate) fn is(&self, sent: &[u8]) -> bool {
        let hash = *self.hash.read().unwrap_or_else(PoisonError::into_inner);
        hash.as_bytes().ct_eq(Digest::of(sent).as_bytes()).into()
    }

    /// Reads the file anew.
    pub(super) fn reload(&self) -> anyhow::Result<String> {
        let hash = read(&self.path)?;
        *self.hash.write().unwrap_or_else(PoisonError::into_inner) = hash;
        Ok(format!("read {}", self.path.display()))
    }
}

fn read(path: &Path) -> anyhow::Result<Digest> {
    let text = text_of(path)
        .with_context(|| format!("cannot read monitoring.metrics_token_file = {}", path.display()))?;
    anyhow::ensure!(
        !text.is_empty(),
        "monitoring.metrics_token_file = {} is empty: write a token into it (openssl rand -hex 32)",
        path.display()
    );
    Ok(Digest::of(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_token_is_read_and_read_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        assert!(Token::open(&path).is_err());
        fs::write(&path, "\n").unwrap();
        assert!(format!("{:#}", Token::open(&path).err().unwrap()).contains("is empty"));
        fs::write(&path, "first\n").unwrap();
        let token = Token::open(&path).unwrap();
        assert!(token.is(b"first") && !token.is(b"first\n") && !token.is(b""));
        fs::write(&path, "").unwrap();
        assert!(token.reload().is_err() && token.is(b"first"));
        fs::write(&path, "second").unwrap();
        token.reload().unwrap();
        assert!(token.is(b"second") && !token.is(b"first"));
    }
}
