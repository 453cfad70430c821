//! Macros for newtypes that are bytes in DAG-CBOR and text in JSON.

/// Implements serde for a type with `wire(&self) -> &[u8]`, `from_wire(&[u8]) -> Result<Self, E>`,
/// `Display` and `FromStr`: bytes in binary formats, text in human-readable ones.
macro_rules! serde_bytes_or_text {
    ($name:ty, $expecting:literal) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    serializer.serialize_bytes(self.wire())
                }
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl serde::de::Visitor<'_> for Visitor {
                    type Value = $name;
                    fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                        f.write_str($expecting)
                    }
                    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<$name, E> {
                        <$name>::from_wire(bytes).map_err(E::custom)
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$name, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                if deserializer.is_human_readable() {
                    deserializer.deserialize_str(Visitor)
                } else {
                    deserializer.deserialize_bytes(Visitor)
                }
            }
        }

        #[cfg(feature = "schema")]
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .description(Some($expecting))
                    .into()
            }
        }

        #[cfg(feature = "schema")]
        impl utoipa::ToSchema for $name {}
    };
}

/// A content hash with a meaning of its own, shown as the CID of what it names.
macro_rules! content_id {
    ($(#[$doc:meta])* $name:ident, $expecting:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name($crate::Digest);

        impl $name {
            /// The id of what hashes to `digest`.
            pub const fn new(digest: $crate::Digest) -> Self {
                Self(digest)
            }

            /// The hash.
            pub const fn digest(&self) -> &$crate::Digest {
                &self.0
            }

            /// The DAG-CBOR block that this id names.
            pub const fn cid(&self) -> $crate::Cid {
                $crate::Cid::new($crate::Codec::DagCbor, self.0)
            }

            fn wire(&self) -> &[u8] {
                self.0.as_bytes()
            }

            fn from_wire(bytes: &[u8]) -> Result<Self, $crate::CidError> {
                $crate::Digest::try_from(bytes).map(Self)
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                self.cid().fmt(f)
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl core::str::FromStr for $name {
            type Err = $crate::CidError;
            fn from_str(text: &str) -> Result<Self, $crate::CidError> {
                let cid: $crate::Cid = text.parse()?;
                match cid.codec() {
                    $crate::Codec::DagCbor => Ok(Self(*cid.digest())),
                    $crate::Codec::Raw => Err($crate::CidError::Codec),
                }
            }
        }

        $crate::macros::serde_bytes_or_text!($name, $expecting);
    };
}

/// A closed list whose members have a name each, the same in JSON, filters and on the command line.
macro_rules! names {
    ($(#[$doc:meta])* $type:ident, $error:ident, $what:literal; $($(#[$vdoc:meta])* $variant:ident $name:literal;)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
        #[serde(rename_all = "kebab-case")]
        pub enum $type {
            $($(#[$vdoc])* $variant,)*
        }

        impl $type {
            /// Every one, in order.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its name in JSON, filters and on the command line.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }

        impl core::fmt::Display for $type {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(self.name())
            }
        }

        #[doc = concat!("Text that is not ", $what, ".")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
        #[error("{}", concat!("not ", $what, ": expected one of", $(" ", $name,)*))]
        pub struct $error;

        impl core::str::FromStr for $type {
            type Err = $error;
            fn from_str(text: &str) -> Result<Self, $error> {
                Self::ALL.iter().find(|one| one.name() == text).copied().ok_or($error)
            }
        }
    };
}

pub(crate) use {content_id, names, serde_bytes_or_text};
