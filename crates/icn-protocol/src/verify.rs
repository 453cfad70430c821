//! Signatures of operations, checked once and in batches.
//!
//! The rule is ZIP 215, as commonware implements it: a batch accepts exactly what single checks accept, so
//! no signature can be crafted that some seats take and others refuse.
use crate::keys;
use commonware_codec::{Copying, DecodeExt as _};
use commonware_cryptography::{BatchEntry, BatchVerifier as _, Verifier as _, ed25519};
use commonware_parallel::Sequential;
use commonware_utils::sync::Mutex;
use icn_model::{Digest, Domain, SignedOperation};
use rand_core::CryptoRng;
use std::collections::HashSet;

/// Verified operations remembered in each of two generations.
const REMEMBERED: usize = 65_536;

/// Remembers which operations were found to be signed well.
#[derive(Debug, Default)]
pub struct Verifier {
    seen: Mutex<Generations>,
}

#[derive(Debug, Default)]
struct Generations {
    young: HashSet<Digest>,
    old: HashSet<Digest>,
}

impl Generations {
    fn contains(&self, fingerprint: &Digest) -> bool {
        self.young.contains(fingerprint) || self.old.contains(fingerprint)
    }

    fn insert(&mut self, fingerprint: Digest) {
        if self.young.len() >= REMEMBERED {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(fingerprint);
    }
}

/// The id leaves the signature out, so it alone does not say that *this* signature was checked.
fn fingerprint(operation: &SignedOperation) -> Digest {
    Digest::of_parts(&[
        operation.id().digest().as_bytes(),
        operation.signature().as_bytes(),
    ])
}

struct Entry<'a> {
    message: &'a [u8],
    key: ed25519::PublicKey,
    signature: ed25519::Signature,
}

impl<'a> Entry<'a> {
    fn new(operation: &'a SignedOperation) -> Option<Self> {
        Some(Self {
            message: operation.bytes(),
            key: keys::public(&operation.operation().key)?,
            signature: ed25519::Signature::decode(Copying(operation.signature().as_bytes().as_slice()))
                .ok()?,
        })
    }

    fn is_valid(&self) -> bool {
        self.key
            .verify(Domain::Operation.prefix(), self.message, &self.signature)
    }
}

impl Verifier {
    /// Whether every operation is signed by the key that it names.
    pub fn all_valid(&self, rng: &mut impl CryptoRng, operations: &[SignedOperation]) -> bool {
        let (unseen, fingerprints) = self.unseen(operations);
        let Some(entries) = unseen
            .iter()
            .map(|operation| Entry::new(operation))
            .collect::<Option<Vec<_>>>()
        else {
            return false;
        };
        let valid = batch(rng, &entries);
        if valid {
            self.remember(fingerprints);
        }
        valid
    }

    /// The operations that are signed by the key that they name; the others are dropped.
    pub fn valid(&self, rng: &mut impl CryptoRng, operations: Vec<SignedOperation>) -> Vec<SignedOperation> {
        if self.all_valid(rng, &operations) {
            return operations;
        }
        // One bad signature spoils a batch: find it.
        let one = |operation: &SignedOperation| {
            self.seen.lock().contains(&fingerprint(operation))
                || Entry::new(operation).is_some_and(|entry| entry.is_valid())
        };
        let valid: Vec<_> = operations.into_iter().filter(one).collect();
        self.remember(valid.iter().map(fingerprint).collect());
        valid
    }

    fn unseen<'a>(&self, operations: &'a [SignedOperation]) -> (Vec<&'a SignedOperation>, Vec<Digest>) {
        let seen = self.seen.lock();
        operations
            .iter()
            .map(|operation| (operation, fingerprint(operation)))
            .filter(|(_, fingerprint)| !seen.contains(fingerprint))
            .unzip()
    }

    fn remember(&self, fingerprints: Vec<Digest>) {
        let mut seen = self.seen.lock();
        fingerprints
            .into_iter()
            .for_each(|fingerprint| seen.insert(fingerprint));
    }
}

fn batch(rng: &mut impl CryptoRng, entries: &[Entry<'_>]) -> bool {
    match entries {
        [] => true,
        [one] => one.is_valid(),
        many => ed25519::PublicKey::verify_batch(
            rng,
            many,
            |_, entry| BatchEntry {
                namespace: Domain::Operation.prefix(),
                message: entry.message,
                public_key: &entry.key,
                signature: &entry.signature,
            },
            &Sequential,
        ),
    }
}
