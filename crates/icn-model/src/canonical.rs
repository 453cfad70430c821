//! Canonical DAG-CBOR: the one encoding of whatever is signed, hashed or stored.
//!
//! Decoding re-encodes and compares, so that no second encoding of a value is ever accepted (map keys
//! out of order, integers in long form, unknown or repeated fields).
use alloc::{string::String, string::ToString as _, vec::Vec};
use core::convert::Infallible;
use serde::{Serialize, de::DeserializeOwned};

/// Why bytes are not a value of the expected type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Longer than the place allows.
    #[error("{len} bytes, at most {max} are allowed here")]
    TooLong {
        /// Bytes received.
        len: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// Not DAG-CBOR, or of another shape.
    #[error("not a valid encoding: {0}")]
    Malformed(String),
    /// Decodes, but is not the encoding that this value has.
    #[error("not the canonical encoding of its value")]
    NotCanonical,
}

/// The canonical bytes of `value`.
///
/// # Panics
/// Never for the types of this crate: encoding to memory fails only for maps of unknown length and
/// floats that are not finite, and the model has neither.
pub fn to_bytes<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    match serde_ipld_dagcbor::to_vec(value) {
        Ok(bytes) => bytes,
        Err(error) => unreachable_encoding(&error),
    }
}

fn unreachable_encoding(error: &serde_ipld_dagcbor::EncodeError<alloc::collections::TryReserveError>) -> ! {
    panic!("a value of the model has no canonical encoding: {error}")
}

/// Decodes at most `max` bytes that must be the canonical encoding of a `T`.
///
/// # Errors
/// [`DecodeError`] says which of length, shape and canonicity does not hold.
pub fn from_bytes<T: Serialize + DeserializeOwned>(bytes: &[u8], max: usize) -> Result<T, DecodeError> {
    let value = from_own_bytes(bytes, max)?;
    if to_bytes(&value) == bytes {
        Ok(value)
    } else {
        Err(DecodeError::NotCanonical)
    }
}

/// Decodes bytes that this program encoded itself and has kept under a hash or a transaction.
///
/// # Errors
/// As [`from_bytes`], without the comparison.
pub fn from_own_bytes<T: DeserializeOwned>(bytes: &[u8], max: usize) -> Result<T, DecodeError> {
    if bytes.len() > max {
        return Err(DecodeError::TooLong {
            len: bytes.len(),
            max,
        });
    }
    serde_ipld_dagcbor::from_slice(bytes).map_err(|error: serde_ipld_dagcbor::DecodeError<Infallible>| {
        DecodeError::Malformed(error.to_string())
    })
}
