//! The node's key: made at the first start, the same one ever after.
use icn_api::keyfile::{self, KeyFileError};
use icn_model::SecretKey;
use std::path::Path;

/// The key in `path`, or a new one that is kept there.
///
/// # Errors
/// [`KeyFileError`] if the file is there and is no key, or cannot be written.
pub fn load_or_create(path: &Path) -> Result<SecretKey, KeyFileError> {
    if path.exists() {
        return keyfile::read(path);
    }
    let key = keyfile::generate()?;
    keyfile::write_new(path, &key)?;
    tracing::info!(path = %path.display(), "made a key for this node");
    Ok(key)
}
