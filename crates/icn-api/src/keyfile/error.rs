//! Why a key cannot be read or written. Each text names the thing and the way out; none holds a secret.
use std::{io, path::PathBuf};

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
    /// The text is no key at all.
    #[error(
        "{origin} holds no Ed25519 key in PKCS#8 PEM (-----BEGIN PRIVATE KEY----- or -----BEGIN ENCRYPTED \
         PRIVATE KEY-----)"
    )]
    Format {
        /// Where the text came from.
        origin: String,
    },
    /// The text is something else, or a key of another kind.
    #[error("{origin} holds {found}, not an Ed25519 key in PKCS#8 PEM: make one with `icn-cli key new`")]
    OtherKind {
        /// Where the text came from.
        origin: String,
        /// What it is.
        found: String,
    },
    /// The text begins like a key and does not go on like one.
    #[error("the key in {origin} is damaged, {what}: take it from a backup")]
    Damaged {
        /// Where the text came from.
        origin: String,
        /// What is wrong.
        what: &'static str,
    },
    /// The key is encrypted, and no passphrase is given.
    #[error(
        "the key in {origin} is encrypted: give its passphrase in {variable}, or in {variable}_FILE the name of a \
         file that holds it"
    )]
    NeedsPassphrase {
        /// Where the text came from.
        origin: String,
        /// The variable to set.
        variable: String,
    },
    /// The passphrase does not open the key.
    #[error(
        "the passphrase does not open the key in {origin}: it is not the right one, or the key is damaged"
    )]
    WrongPassphrase {
        /// Where the text came from.
        origin: String,
    },
    /// The key is encrypted in a way that is too old or too rare.
    #[error(
        "the key in {origin} is encrypted by {what}, which is not read here: convert it with `openssl pkcs8 -topk8 \
         -v2 aes-256-cbc -v2prf hmacWithSHA256 -iter 600000 -in FILE -out NEW`"
    )]
    Unsupported {
        /// Where the text came from.
        origin: String,
        /// How.
        what: String,
    },
    /// To try a passphrase on the key would take more memory or time than a key is worth.
    #[error(
        "the key in {origin} asks for {what} to be opened, more than is given to a key: encrypt it anew with less, \
         for example with `openssl pkcs8 -topk8 -scrypt -in FILE -out NEW`"
    )]
    TooCostly {
        /// Where the text came from.
        origin: String,
        /// What it asks for.
        what: String,
    },
    /// The operating system gave no randomness.
    #[error("the operating system gives no randomness for a new key: {0}")]
    Randomness(getrandom::Error),
}
