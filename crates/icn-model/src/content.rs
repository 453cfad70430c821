//! Content ids: CIDv1 over SHA-256, of raw bytes or of DAG-CBOR. No other kind exists here.
use alloc::{string::ToString as _, vec::Vec};
use core::{fmt, str::FromStr};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha2::{Digest as _, Sha256};

/// Multihash code of SHA-256.
const SHA2_256: u64 = 0x12;

/// A SHA-256 hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; Digest::LEN]);

impl Digest {
    /// Length in bytes.
    pub const LEN: usize = 32;
    /// All zero: the parent of a first block, the root before one.
    pub const ZERO: Self = Self([0; Self::LEN]);

    /// Takes 32 bytes as a hash.
    pub const fn new(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// Hashes `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Hashes the concatenation of `parts`. The caller sees to it that parts cannot run into each other.
    pub fn of_parts(parts: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    fn wire(&self) -> &[u8] {
        &self.0
    }

    fn from_wire(bytes: &[u8]) -> Result<Self, CidError> {
        Self::try_from(bytes)
    }
}

impl TryFrom<&[u8]> for Digest {
    type Error = CidError;
    fn try_from(bytes: &[u8]) -> Result<Self, CidError> {
        bytes.try_into().map(Self).map_err(|_| CidError::Length)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = CidError;
    fn from_str(text: &str) -> Result<Self, CidError> {
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let mut bytes = [0; Self::LEN];
        if pairs.len() != Self::LEN || !rest.is_empty() {
            return Err(CidError::Length);
        }
        for (byte, pair) in bytes.iter_mut().zip(pairs) {
            let digits = core::str::from_utf8(pair).map_err(|_| CidError::Text)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| CidError::Text)?;
        }
        Ok(Self(bytes))
    }
}

crate::macros::serde_bytes_or_text!(Digest, "a SHA-256 hash in 64 hexadecimal digits");

/// What the bytes behind a [`Cid`] are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// Bytes without structure (`0x55`).
    Raw,
    /// Canonical DAG-CBOR (`0x71`).
    DagCbor,
}

impl Codec {
    /// The multicodec number.
    pub const fn number(self) -> u64 {
        match self {
            Self::Raw => 0x55,
            Self::DagCbor => 0x71,
        }
    }
}

/// Names a block of bytes by its hash: CIDv1, SHA-256, [`Codec::Raw`] or [`Codec::DagCbor`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cid {
    codec: Codec,
    digest: Digest,
}

impl Cid {
    /// The id of the block that hashes to `digest`.
    pub const fn new(codec: Codec, digest: Digest) -> Self {
        Self { codec, digest }
    }

    /// The id of a block of raw bytes.
    pub fn of_raw(bytes: &[u8]) -> Self {
        Self::new(Codec::Raw, Digest::of(bytes))
    }

    /// The id of a block of canonical DAG-CBOR.
    pub fn of_dag_cbor(bytes: &[u8]) -> Self {
        Self::new(Codec::DagCbor, Digest::of(bytes))
    }

    /// What the bytes are.
    pub const fn codec(&self) -> Codec {
        self.codec
    }

    /// The hash of the bytes.
    pub const fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Whether `bytes` are what this id names.
    pub fn names(&self, bytes: &[u8]) -> bool {
        Digest::of(bytes) == self.digest
    }

    /// The binary form, 36 bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.generic().to_bytes()
    }

    /// The same id as the `cid` crate's type, for libraries that speak it.
    pub fn generic(&self) -> cid::Cid {
        let hash = cid::multihash::Multihash::wrap(SHA2_256, self.digest.as_bytes())
            .expect("32 bytes fit into the 64 of a multihash");
        cid::Cid::new_v1(self.codec.number(), hash)
    }
}

impl TryFrom<&cid::Cid> for Cid {
    type Error = CidError;
    fn try_from(cid: &cid::Cid) -> Result<Self, CidError> {
        let codec = match cid.codec() {
            number if number == Codec::Raw.number() => Codec::Raw,
            number if number == Codec::DagCbor.number() => Codec::DagCbor,
            _ => return Err(CidError::Codec),
        };
        if cid.version() != cid::Version::V1 || cid.hash().code() != SHA2_256 {
            return Err(CidError::Kind);
        }
        Ok(Self {
            codec,
            digest: Digest::try_from(cid.hash().digest())?,
        })
    }
}

impl TryFrom<&[u8]> for Cid {
    type Error = CidError;
    fn try_from(bytes: &[u8]) -> Result<Self, CidError> {
        let cid = cid::Cid::try_from(bytes).map_err(|_| CidError::Text)?;
        // What follows a whole one is not read, and would make two names of one.
        if cid.encoded_len() != bytes.len() {
            return Err(CidError::Text);
        }
        Self::try_from(&cid)
    }
}

impl fmt::Display for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.generic().fmt(f)
    }
}

impl fmt::Debug for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cid({self})")
    }
}

impl FromStr for Cid {
    type Err = CidError;
    fn from_str(text: &str) -> Result<Self, CidError> {
        let cid = cid::Cid::try_from(text).map_err(|_| CidError::Text)?;
        let cid = Self::try_from(&cid)?;
        // One id has one text: others (another base, upper case) would make caches and logs disagree.
        if cid.to_string() == text {
            Ok(cid)
        } else {
            Err(CidError::Base)
        }
    }
}

impl Serialize for Cid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            // Tag 42, a link, in DAG-CBOR.
            self.generic().serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Cid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = alloc::string::String::deserialize(deserializer)?;
            text.parse().map_err(D::Error::custom)
        } else {
            let cid = cid::Cid::deserialize(deserializer)?;
            Self::try_from(&cid).map_err(D::Error::custom)
        }
    }
}

#[cfg(feature = "schema")]
impl utoipa::PartialSchema for Cid {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .description(Some("a content id: CIDv1, SHA-256, raw or DAG-CBOR, in base32"))
            .into()
    }
}

#[cfg(feature = "schema")]
impl utoipa::ToSchema for Cid {}

/// Why something is not a content id or hash that a federation uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CidError {
    /// Not a CID in any known base.
    #[error("not a content id: expected text like bafy… or bafk…")]
    Text,
    /// A CID in another base or case.
    #[error("content id is not in lower-case base32")]
    Base,
    /// A CID of another version or hash.
    #[error("content id is not a CIDv1 over SHA-256")]
    Kind,
    /// A CID of another codec than the place asks for.
    #[error("content id has the wrong codec: raw (bafk…) and dag-cbor (bafy…) are the two in use")]
    Codec,
    /// A hash that has not 32 bytes.
    #[error("hash has not 32 bytes")]
    Length,
}
