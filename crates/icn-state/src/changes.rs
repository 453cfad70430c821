//! What a block changed in the stored records, and the hashes made of that.
use alloc::vec::Vec;
use icn_model::{Digest, canonical};
use serde::Serialize;
use serde_bytes::Bytes;

/// One stored record, new, changed or gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The record's key: one byte for its table, then the key in it.
    pub key: Vec<u8>,
    /// Its canonical bytes; none if it is gone.
    pub value: Option<Vec<u8>>,
}

/// Every record that a block changed: sorted by key, each key once. Written to the store in one batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes(pub Vec<Change>);

impl Changes {
    /// The outcome root after these changes, `H(previous ‖ H(changes))`. The head record, which holds the
    /// root itself, must not be among them.
    pub(crate) fn root(&self, previous: &Digest) -> Digest {
        #[derive(Serialize)]
        struct Wire<'a>(&'a Bytes, Option<&'a Bytes>);
        let wire: Vec<Wire<'_>> = self
            .0
            .iter()
            .map(|change| Wire(Bytes::new(&change.key), change.value.as_deref().map(Bytes::new)))
            .collect();
        let changes = Digest::of(&canonical::to_bytes(&wire));
        Digest::of_parts(&[previous.as_bytes(), changes.as_bytes()])
    }
}
