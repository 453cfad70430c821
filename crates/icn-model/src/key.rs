//! Ed25519 keys, `did:key` identities and signatures over canonical bytes with a domain prefix.
//!
//! A domain keeps a signature for one purpose from being taken for another: what is signed is
//! `length of domain ‖ domain ‖ message`. [`PublicKey::verify`] is the strict rule (no small-order keys,
//! canonical points). The log verifies operations in batches by the ZIP 215 rule, under which every
//! signature that passes here passes too; see `icn-protocol`.
use crate::{canonical, macros::serde_bytes_or_text};
use alloc::{string::String, vec::Vec};
use core::{fmt, str::FromStr};
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

/// What a signature is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Domain {
    /// An operation of the log.
    Operation,
    /// An executor's bid for a job.
    Bid,
    /// An executor's receipt of a job.
    Receipt,
    /// An invitation to join a federation.
    Invitation,
    /// That a new key is held by the identity that it is to act for.
    Possession,
    /// A node's word on the records of a vote.
    Audit,
    /// A debtor's transfer on a line of credit.
    Transfer,
    /// The creditor's countersignature to a transfer.
    Acceptance,
    /// The creditor's word that a transfer is void.
    Release,
}

impl Domain {
    /// Prefix of the signed bytes; part of the format, never changed.
    pub const fn prefix(self) -> &'static [u8] {
        match self {
            Self::Operation => b"icn/operation/1",
            Self::Bid => b"icn/bid/1",
            Self::Receipt => b"icn/receipt/1",
            Self::Invitation => b"icn/invitation/1",
            Self::Possession => b"icn/possession/1",
            Self::Audit => b"icn/audit/1",
            Self::Transfer => b"icn/transfer/1",
            Self::Acceptance => b"icn/acceptance/1",
            Self::Release => b"icn/release/1",
        }
    }

    /// The bytes that are signed for `message`.
    pub fn separate(self, message: &[u8]) -> Vec<u8> {
        let prefix = self.prefix();
        let mut bytes = Vec::with_capacity(1 + prefix.len() + message.len());
        // Every prefix is shorter than 128 bytes, so this is its length as a varint, too.
        bytes.push(u8::try_from(prefix.len()).unwrap_or(u8::MAX));
        bytes.extend_from_slice(prefix);
        bytes.extend_from_slice(message);
        bytes
    }
}

/// An Ed25519 public key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; PublicKey::LEN]);

/// Multicodec prefix of an Ed25519 key in a `did:key`.
const ED25519_PUB: [u8; 2] = [0xed, 0x01];

impl PublicKey {
    /// Length in bytes.
    pub const LEN: usize = 32;

    /// Takes 32 bytes as a key. Whether they are a point of the curve shows at the first verification.
    pub const fn new(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// Whether the bytes are a point of the curve that is not of small order.
    pub fn is_usable(&self) -> bool {
        VerifyingKey::from_bytes(&self.0).is_ok_and(|key| !key.is_weak())
    }

    /// Checks a signature by the strict rule.
    ///
    /// # Errors
    /// [`SignatureError`] if it is not this key's for `message` in `domain`.
    pub fn verify(
        &self,
        domain: Domain,
        message: &[u8],
        signature: &Signature,
    ) -> Result<(), SignatureError> {
        let key = VerifyingKey::from_bytes(&self.0).map_err(|_| SignatureError)?;
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        key.verify_strict(&domain.separate(message), &signature)
            .map_err(|_| SignatureError)
    }

    /// Multibase text `z6Mk…`, the part of a `did:key` after the second colon.
    fn fmt_multibase(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0; 2 + Self::LEN];
        bytes[..2].copy_from_slice(&ED25519_PUB);
        bytes[2..].copy_from_slice(&self.0);
        write!(f, "z{}", bs58::encode(bytes).into_string())
    }

    fn from_multibase(text: &str) -> Result<Self, DidError> {
        let encoded = text.strip_prefix('z').ok_or(DidError::Encoding)?;
        if encoded.len() > 64 {
            return Err(DidError::Encoding);
        }
        let bytes = bs58::decode(encoded).into_vec().map_err(|_| DidError::Encoding)?;
        match bytes.strip_prefix(&ED25519_PUB) {
            Some(key) => Self::from_wire(key),
            None => Err(DidError::KeyKind),
        }
    }

    fn wire(&self) -> &[u8] {
        &self.0
    }

    fn from_wire(bytes: &[u8]) -> Result<Self, DidError> {
        bytes.try_into().map(Self).map_err(|_| DidError::KeyKind)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_multibase(f)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl FromStr for PublicKey {
    type Err = DidError;
    fn from_str(text: &str) -> Result<Self, DidError> {
        Self::from_multibase(text)
    }
}

serde_bytes_or_text!(PublicKey, "an Ed25519 public key in multibase (z6Mk…)");

/// Identity of a cooperative, witness or member: the `did:key` of its first key, for ever. Which keys act
/// for it now is the log's knowledge.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Did(PublicKey);

impl Did {
    /// The identity that begins with `key`.
    pub const fn new(key: PublicKey) -> Self {
        Self(key)
    }

    /// The key that the identity began with.
    pub const fn first_key(&self) -> PublicKey {
        self.0
    }

    fn wire(&self) -> &[u8] {
        self.0.wire()
    }

    fn from_wire(bytes: &[u8]) -> Result<Self, DidError> {
        PublicKey::from_wire(bytes).map(Self)
    }
}

impl fmt::Display for Did {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("did:key:")?;
        self.0.fmt_multibase(f)
    }
}

impl fmt::Debug for Did {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Did {
    type Err = DidError;
    fn from_str(text: &str) -> Result<Self, DidError> {
        let key = text.strip_prefix("did:key:").ok_or(DidError::Method)?;
        PublicKey::from_multibase(key).map(Self)
    }
}

serde_bytes_or_text!(Did, "an identity: the did:key of an Ed25519 key (did:key:z6Mk…)");

/// Why text is not an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DidError {
    /// Another DID method, or none.
    #[error("not a did:key: expected did:key:z6Mk…")]
    Method,
    /// Not base58 in multibase.
    #[error("not base58 in multibase: expected z6Mk…")]
    Encoding,
    /// Not an Ed25519 key.
    #[error("not an Ed25519 key of 32 bytes")]
    KeyKind,
}

/// An Ed25519 signature.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signature([u8; Signature::LEN]);

impl Signature {
    /// Length in bytes.
    pub const LEN: usize = 64;

    /// Takes 64 bytes as a signature.
    pub const fn new(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// The 64 bytes.
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    fn wire(&self) -> &[u8] {
        &self.0
    }

    fn from_wire(bytes: &[u8]) -> Result<Self, SignatureError> {
        bytes.try_into().map(Self).map_err(|_| SignatureError)
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "z{}", bs58::encode(self.0).into_string())
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({self})")
    }
}

impl FromStr for Signature {
    type Err = SignatureError;
    fn from_str(text: &str) -> Result<Self, SignatureError> {
        let encoded = text
            .strip_prefix('z')
            .filter(|text| text.len() <= 96)
            .ok_or(SignatureError)?;
        let bytes = bs58::decode(encoded).into_vec().map_err(|_| SignatureError)?;
        Self::from_wire(&bytes)
    }
}

serde_bytes_or_text!(Signature, "an Ed25519 signature in multibase base58 (z…)");

/// The signature is not by this key over these bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature is not by the named key over these bytes")]
pub struct SignatureError;

/// An Ed25519 secret key. Wiped when dropped; never printed.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// Length of the seed in bytes.
    pub const LEN: usize = 32;

    /// The key of a 32-byte seed.
    pub fn from_seed(seed: &[u8; Self::LEN]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The seed, to be kept as secret as the key.
    pub fn seed(&self) -> [u8; Self::LEN] {
        self.0.to_bytes()
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// Signs `message` in `domain`.
    pub fn sign(&self, domain: Domain, message: &[u8]) -> Signature {
        Signature(self.0.sign(&domain.separate(message)).to_bytes())
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(of {})", self.public())
    }
}

/// Content that one key signs.
pub trait Signable: Serialize {
    /// What the signature is for.
    const DOMAIN: Domain;

    /// The key that must have signed.
    fn signer(&self) -> PublicKey;
}

/// Content with the signature of the key that it names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Signed<T> {
    /// What is signed.
    pub content: T,
    /// Over the canonical bytes of `content` in its domain.
    pub signature: Signature,
}

impl<T: Signable> Signed<T> {
    /// Signs `content`. The key should be the one that `content` names, or nobody will accept it.
    pub fn new(content: T, key: &SecretKey) -> Self {
        let bytes = canonical::to_bytes(&content);
        Self::of_bytes(content, &bytes, key)
    }

    /// [`Self::new`], for who has the canonical bytes of `content` at hand.
    pub fn of_bytes(content: T, bytes: &[u8], key: &SecretKey) -> Self {
        let signature = key.sign(T::DOMAIN, bytes);
        Self { content, signature }
    }

    /// Checks the signature by the strict rule.
    ///
    /// # Errors
    /// [`SignatureError`] if the named key did not sign this content.
    pub fn verify(&self) -> Result<(), SignatureError> {
        self.verify_bytes(&canonical::to_bytes(&self.content))
    }

    /// [`Self::verify`], for who has the canonical bytes of the content at hand.
    ///
    /// # Errors
    /// [`SignatureError`] if the named key did not sign these bytes.
    pub fn verify_bytes(&self, bytes: &[u8]) -> Result<(), SignatureError> {
        self.content.signer().verify(T::DOMAIN, bytes, &self.signature)
    }
}

/// A short form of an identity for people: enough to tell a federation's members apart, not to trust.
impl Did {
    /// Like `z6Mk…Ab3d`.
    pub fn short(&self) -> String {
        let text = alloc::format!("{}", self.0);
        alloc::format!("{}…{}", &text[..4], &text[text.len() - 4..])
    }
}
