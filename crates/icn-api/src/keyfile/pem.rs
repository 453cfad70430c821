//! The text of a key: PKCS#8 in PEM, plain (RFC 8410) or encrypted by a passphrase (RFC 8018, PBES2 with scrypt or
//! PBKDF2 and AES in CBC mode). Older encryptions are refused by name.
use super::{KeyFileError, PASSPHRASE_VARIABLE, Passphrase};
use ed25519_dalek::pkcs8::{EncodePrivateKey as _, KeypairBytes};
use icn_model::SecretKey;
use pkcs8::{
    AlgorithmIdentifierRef, EncryptedPrivateKeyInfoOwned, LineEnding, ObjectIdentifier, PrivateKeyInfoRef,
    SecretDocument,
    der::{
        Decode as _, ErrorKind, Reader as _, SliceReader,
        asn1::{AnyRef, OctetString},
    },
    pkcs5::{
        EncryptionScheme, Error as Pkcs5Error,
        pbes2::{self, Kdf, Salt, ScryptParams},
    },
};
use zeroize::{Zeroize as _, Zeroizing};

const PLAIN: &str = "PRIVATE KEY";
const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";
const BEGIN: &str = "-----BEGIN ";
const DASHES: &str = "-----";

/// Ed25519, RFC 8410.
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// Kinds of keys that people have at hand.
const OTHER_KINDS: [(&str, &str); 4] = [
    ("1.2.840.113549.1.1.1", "an RSA key"),
    ("1.2.840.10045.2.1", "an elliptic curve (ECDSA) key"),
    ("1.3.101.110", "an X25519 key"),
    ("1.3.101.113", "an Ed448 key"),
];

/// scrypt's costs for what is written here: 16 MiB, which is as much as OpenSSL reads without being told, five
/// times over (the OWASP cheat sheet on password storage holds that equal to 128 MiB once).
const SCRYPT_N: u64 = 1 << 14;
const SCRYPT_R: u16 = 8;
const SCRYPT_P: u16 = 5;
const SALT_BYTES: usize = 16;
const IV_BYTES: usize = 16;

/// The most memory that scrypt gets for a file from outside, in bytes.
const MAX_SCRYPT_BYTES: u64 = 128 << 20;
/// The most memory times passes.
const MAX_SCRYPT_WORK_BYTES: u64 = 1 << 30;
/// The most iterations of PBKDF2, some seconds' worth.
const MAX_PBKDF2_ITERATIONS: u32 = 10_000_000;

/// A key as a file holds it.
#[derive(Debug)]
pub enum Stored {
    /// Anyone who reads the file has it.
    Plain(SecretKey),
    /// It takes a passphrase.
    Encrypted(Sealed),
}

/// A key that is not open yet.
#[derive(Debug)]
pub struct Sealed {
    info: EncryptedPrivateKeyInfoOwned,
    origin: String,
}

impl Stored {
    /// Whether it takes a passphrase.
    pub const fn is_encrypted(&self) -> bool {
        matches!(self, Self::Encrypted(_))
    }

    /// The key, if it is plain.
    ///
    /// # Errors
    /// [`KeyFileError::NeedsPassphrase`].
    pub fn plain(self) -> Result<SecretKey, KeyFileError> {
        self.open_with(None, PASSPHRASE_VARIABLE)
    }

    /// The key, by the passphrase if it takes one; `variable` says in errors where a passphrase is looked for.
    ///
    /// # Errors
    /// [`KeyFileError::NeedsPassphrase`], and what [`Sealed::open`] says.
    pub fn open_with(
        self,
        passphrase: Option<&Passphrase>,
        variable: &str,
    ) -> Result<SecretKey, KeyFileError> {
        match (self, passphrase) {
            (Self::Plain(key), _) => Ok(key),
            (Self::Encrypted(sealed), Some(passphrase)) => sealed.open(passphrase),
            (Self::Encrypted(sealed), None) => Err(sealed.needs_passphrase(variable)),
        }
    }
}

impl Sealed {
    /// Where the key came from.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// That the key stays closed without a passphrase, which could be in `variable`.
    pub fn needs_passphrase(&self, variable: &str) -> KeyFileError {
        KeyFileError::NeedsPassphrase {
            origin: self.origin.clone(),
            variable: variable.to_owned(),
        }
    }

    /// Opens the key. Takes a tenth of a second and 16 MiB as files are written here, at most some seconds and
    /// 128 MiB as others may write them.
    ///
    /// # Errors
    /// [`KeyFileError::WrongPassphrase`], or what else is wrong with the key.
    pub fn open(&self, passphrase: &Passphrase) -> Result<SecretKey, KeyFileError> {
        let wrong = || KeyFileError::WrongPassphrase {
            origin: self.origin.clone(),
        };
        let mut buffer = Zeroizing::new(self.info.encrypted_data.as_bytes().to_vec());
        let opened = self
            .info
            .encryption_algorithm
            .decrypt_in_place(passphrase.as_bytes(), &mut buffer);
        let der = match opened {
            Ok(der) => der,
            Err(Pkcs5Error::UnsupportedAlgorithm { oid }) => {
                return Err(unsupported(&self.origin, scheme_name(&oid)));
            }
            Err(_) => return Err(wrong()),
        };
        // By chance one in 256 wrong passphrases gives the right padding, and then anything.
        let info = PrivateKeyInfoRef::try_from(der).map_err(|_| wrong())?;
        from_info(info, &self.origin)
    }
}

/// The key as PEM text that anyone can read, with a newline at its end.
pub fn to_pem(key: &SecretKey) -> Zeroizing<String> {
    plain_der(key)
        .to_pem(PLAIN, LineEnding::LF)
        .expect("some 50 bytes and a label of letters are always encoded")
}

/// The key as PEM text that takes `passphrase` to be read, with a newline at its end.
///
/// # Errors
/// [`KeyFileError::Randomness`].
pub fn to_encrypted_pem(key: &SecretKey, passphrase: &Passphrase) -> Result<Zeroizing<String>, KeyFileError> {
    let mut salt = [0; SALT_BYTES];
    let mut iv = [0; IV_BYTES];
    getrandom::fill(&mut salt).map_err(KeyFileError::Randomness)?;
    getrandom::fill(&mut iv).map_err(KeyFileError::Randomness)?;
    let parameters = pbes2::Parameters {
        kdf: Kdf::Scrypt(ScryptParams {
            salt: Salt::new(salt).expect("16 bytes are less than the 32 that a salt may have"),
            cost_parameter: SCRYPT_N,
            block_size: SCRYPT_R,
            parallelization: SCRYPT_P,
            key_length: None,
        }),
        encryption: pbes2::EncryptionScheme::Aes256Cbc { iv },
    };
    let encrypted = parameters
        .encrypt(passphrase.as_bytes(), plain_der(key).as_bytes())
        .expect("scrypt takes these constants, and the key fits with its padding");
    let info = EncryptedPrivateKeyInfoOwned {
        encryption_algorithm: EncryptionScheme::Pbes2(parameters),
        encrypted_data: OctetString::new(encrypted).expect("some 60 bytes are an octet string"),
    };
    Ok(SecretDocument::encode_msg(&info)
        .and_then(|document| document.to_pem(ENCRYPTED, LineEnding::LF))
        .expect("some 150 bytes and a label of letters are always encoded"))
}

/// Reads a key from PEM text, with or without other text around it; `origin` says in errors where it came from.
///
/// # Errors
/// Says what the text is instead, or what is wrong with it.
pub fn parse(text: &str, origin: &str) -> Result<Stored, KeyFileError> {
    let (label, pem) = block(text, origin)?;
    let damaged = |what| KeyFileError::Damaged {
        origin: origin.to_owned(),
        what,
    };
    let (_, document) =
        SecretDocument::from_pem(pem).map_err(|_| damaged("its lines are not the Base64 of a key"))?;
    if label == PLAIN {
        let info = PrivateKeyInfoRef::try_from(document.as_bytes())
            .map_err(|_| damaged("its content is not PKCS#8"))?;
        return from_info(info, origin).map(Stored::Plain);
    }
    match scheme(document.as_bytes()) {
        Some(pbes2::PBES2_OID) => {}
        Some(oid) => return Err(unsupported(origin, format!("the scheme {oid}, older than PBES2"))),
        None => return Err(damaged("its content is not encrypted PKCS#8")),
    }
    let info = document
        .decode_msg::<EncryptedPrivateKeyInfoOwned>()
        .map_err(|error| match error.kind() {
            ErrorKind::OidUnknown { oid } => unsupported(origin, scheme_name(&oid)),
            _ => damaged("its content is not encrypted PKCS#8"),
        })?;
    affordable(&info.encryption_algorithm, origin)?;
    if info.encrypted_data.as_bytes().is_empty() {
        return Err(damaged("it is empty"));
    }
    Ok(Stored::Encrypted(Sealed {
        info,
        origin: origin.to_owned(),
    }))
}

/// The first block of PEM in `text`, from its first line to its last, and its label, which is one of the two.
fn block<'a>(text: &'a str, origin: &str) -> Result<(&'static str, &'a str), KeyFileError> {
    let format = || KeyFileError::Format {
        origin: origin.to_owned(),
    };
    let pem = &text[text.find(BEGIN).ok_or_else(format)?..];
    let (found, _) = pem[BEGIN.len()..].split_once(DASHES).ok_or_else(format)?;
    let Some(label) = [PLAIN, ENCRYPTED].into_iter().find(|label| *label == found) else {
        // A label is short; what is not may be anything, the secret included.
        let is_label = found.len() <= 40 && found.bytes().all(|b| b.is_ascii_uppercase() || b == b' ');
        return Err(if is_label {
            KeyFileError::OtherKind {
                origin: origin.to_owned(),
                found: format!("`{BEGIN}{found}{DASHES}`"),
            }
        } else {
            format()
        });
    };
    let last = format!("-----END {label}-----");
    let end = pem.find(&last).ok_or_else(|| KeyFileError::Damaged {
        origin: origin.to_owned(),
        what: "its last line is missing",
    })?;
    Ok((label, &pem[..end + last.len()]))
}

fn from_info(info: PrivateKeyInfoRef<'_>, origin: &str) -> Result<SecretKey, KeyFileError> {
    if info.algorithm.oid != ED25519 {
        let oid = info.algorithm.oid.to_string();
        let known = OTHER_KINDS.iter().find(|(known, _)| *known == oid);
        return Err(KeyFileError::OtherKind {
            origin: origin.to_owned(),
            found: known.map_or_else(|| format!("a key of kind {oid}"), |(_, name)| (*name).to_owned()),
        });
    }
    let damaged = |what| KeyFileError::Damaged {
        origin: origin.to_owned(),
        what,
    };
    let mut pair = KeypairBytes::try_from(info).map_err(|_| damaged("its content is not 32 bytes"))?;
    let key = SecretKey::from_seed(&pair.secret_key);
    pair.secret_key.zeroize();
    match pair.public_key {
        Some(public) if public.to_bytes() != *key.public().as_bytes() => {
            Err(damaged("its public half belongs to another key"))
        }
        _ => Ok(key),
    }
}

fn plain_der(key: &SecretKey) -> SecretDocument {
    // Version 1, without the public half: every tool reads that.
    let mut pair = KeypairBytes {
        secret_key: key.seed(),
        public_key: None,
    };
    let der = pair.to_pkcs8_der().expect("32 bytes are always encoded");
    pair.secret_key.zeroize();
    der
}

/// By what a key is encrypted, read or not.
fn scheme(der: &[u8]) -> Option<ObjectIdentifier> {
    let mut reader = SliceReader::new(der).ok()?;
    let scheme = reader.sequence(|reader| {
        let algorithm = AlgorithmIdentifierRef::decode(reader)?;
        AnyRef::decode(reader)?;
        Ok::<_, pkcs8::der::Error>(algorithm.oid)
    });
    scheme.ok()
}

/// Refuses what asks for too much, and what the libraries below take for impossible.
fn affordable(scheme: &EncryptionScheme, origin: &str) -> Result<(), KeyFileError> {
    let EncryptionScheme::Pbes2(parameters) = scheme else {
        return Err(unsupported(origin, "PBES1".to_owned()));
    };
    let too_costly = |what| KeyFileError::TooCostly {
        origin: origin.to_owned(),
        what,
    };
    match &parameters.kdf {
        Kdf::Scrypt(scrypt) => {
            let (n, r, p) = (scrypt.cost_parameter, scrypt.block_size, scrypt.parallelization);
            if n < 2 || !n.is_power_of_two() || r == 0 || p == 0 {
                return Err(KeyFileError::Damaged {
                    origin: origin.to_owned(),
                    what: "its scrypt parameters are impossible",
                });
            }
            let memory = n.saturating_mul(u64::from(r)).saturating_mul(128);
            if memory > MAX_SCRYPT_BYTES || memory.saturating_mul(u64::from(p)) > MAX_SCRYPT_WORK_BYTES {
                return Err(too_costly(format!("scrypt with N = {n}, r = {r}, p = {p}")));
            }
            Ok(())
        }
        Kdf::Pbkdf2(pbkdf2) if pbkdf2.iteration_count > MAX_PBKDF2_ITERATIONS => Err(too_costly(format!(
            "{} iterations of PBKDF2",
            pbkdf2.iteration_count
        ))),
        Kdf::Pbkdf2(pbkdf2) if pbkdf2.iteration_count == 0 => Err(KeyFileError::Damaged {
            origin: origin.to_owned(),
            what: "its iterations are none",
        }),
        Kdf::Pbkdf2(pbkdf2) if pbkdf2.prf == pbes2::Pbkdf2Prf::HmacWithSha1 => {
            Err(unsupported(origin, scheme_name(&pbkdf2.prf.oid())))
        }
        Kdf::Pbkdf2(_) => Ok(()),
        other => Err(unsupported(origin, scheme_name(&other.oid()))),
    }
}

fn unsupported(origin: &str, what: String) -> KeyFileError {
    KeyFileError::Unsupported {
        origin: origin.to_owned(),
        what,
    }
}

fn scheme_name(oid: &ObjectIdentifier) -> String {
    if *oid == pbes2::HMAC_WITH_SHA1_OID {
        "PBKDF2 with SHA-1".to_owned()
    } else {
        format!("the algorithm {oid}")
    }
}

#[cfg(test)]
#[path = "pem_tests.rs"]
mod tests;
