//! A certificate and its private key, read from their files and checked: that they are whole, of the right kind, belong
//! together and are valid now.
use crate::config::TlsFiles;
use icn_model::Time;
use icn_serve::clock::{now, rfc3339};
use std::{
    fs,
    io::Read as _,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio_rustls::rustls::{
    self,
    crypto::ring,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{Error as PemError, PemObject as _, SectionKind},
    },
    sign::CertifiedKey,
};
use x509_cert::{
    der::Decode as _,
    ext::pkix::{SubjectAltName, name::GeneralName},
};

/// More than any chain of certificates has.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// What is told of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Certificate {
    /// Host names and addresses that it is for.
    pub(crate) names: Vec<String>,
    /// From when it is valid.
    pub(crate) not_before: Time,
    /// Until when it is valid.
    pub(crate) not_after: Time,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("cannot read {}: {error}", path.display())]
    Read { path: PathBuf, error: std::io::Error },
    #[error("{} is larger than 1 MiB: is it a certificate or key at all?", path.display())]
    TooLarge { path: PathBuf },
    #[error("{} is not whole: {detail}; copy it again, from BEGIN to END", path.display())]
    Broken { path: PathBuf, detail: String },
    #[error("{} holds {found}, and no certificate: name the file with BEGIN CERTIFICATE as tls_cert_path", path.display())]
    NoCertificate { path: PathBuf, found: &'static str },
    #[error("{} holds {found}, and no private key: name the file with BEGIN PRIVATE KEY as tls_key_path", path.display())]
    NoKey { path: PathBuf, found: &'static str },
    #[error(
        "the private key in {} is encrypted: decrypt it (openssl pkey -in OLD -out NEW) and keep it readable by the \
         node alone", path.display()
    )]
    EncryptedKey { path: PathBuf },
    #[error("the certificate in {} cannot be read: {detail}", path.display())]
    BadCertificate { path: PathBuf, detail: String },
    #[error("the private key in {} cannot be used: {detail}; RSA, ECDSA P-256, P-384 and Ed25519 can", path.display())]
    BadKey { path: PathBuf, detail: String },
    #[error(
        "the private key in {} is not that of the certificate in {}: name two files that belong together",
        key.display(), certificate.display()
    )]
    Mismatch { certificate: PathBuf, key: PathBuf },
    #[error("the certificate in {} expired at {}: renew it", path.display(), rfc3339(*not_after))]
    Expired { path: PathBuf, not_after: Time },
    #[error(
        "the certificate in {} is valid from {} only: is this machine's clock right?",
        path.display(), rfc3339(*not_before)
    )]
    NotYet { path: PathBuf, not_before: Time },
}

/// A certificate with its key, in use.
#[derive(Debug)]
pub(super) struct Loaded {
    /// What connections begin with.
    pub(super) key: Arc<CertifiedKey>,
    /// What it says.
    pub(super) certificate: Certificate,
    /// Whether the file also says who signed it, so that clients can start from it.
    pub(super) is_own_authority: bool,
}

/// Reads and checks both files.
///
/// # Errors
/// [`TlsError`] names the file and what is wrong with it.
pub(super) fn load(files: &TlsFiles) -> Result<Loaded, TlsError> {
    let chain = certificates(&files.certificate)?;
    let (certificate, is_self_signed) = describe(&chain[0], &files.certificate)?;
    let path = || files.certificate.clone();
    let Certificate {
        not_before,
        not_after,
        ..
    } = certificate;
    let at = now();
    if not_after <= at {
        return Err(TlsError::Expired {
            path: path(),
            not_after,
        });
    }
    if not_before > at {
        return Err(TlsError::NotYet {
            path: path(),
            not_before,
        });
    }
    let is_own_authority = is_self_signed || chain.len() > 1;
    let key = ring::default_provider()
        .key_provider
        .load_private_key(private_key(&files.key)?)
        .map_err(|error| TlsError::BadKey {
            path: files.key.clone(),
            detail: error.to_string(),
        })?;
    let key = CertifiedKey::new(chain, key);
    match key.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {}
        Err(rustls::Error::InconsistentKeys(_)) => {
            return Err(TlsError::Mismatch {
                certificate: path(),
                key: files.key.clone(),
            });
        }
        Err(error) => {
            return Err(TlsError::BadCertificate {
                path: path(),
                detail: error.to_string(),
            });
        }
    }
    Ok(Loaded {
        key: Arc::new(key),
        certificate,
        is_own_authority,
    })
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| TlsError::Read {
            path: path.to_owned(),
            error,
        })?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(TlsError::TooLarge {
            path: path.to_owned(),
        });
    }
    Ok(bytes)
}

fn sections(path: &Path, bytes: &[u8]) -> Result<Vec<(SectionKind, Vec<u8>)>, TlsError> {
    let sections: Result<_, _> = <(SectionKind, Vec<u8>)>::pem_slice_iter(bytes).collect();
    sections.map_err(|error| TlsError::Broken {
        path: path.to_owned(),
        detail: match error {
            PemError::MissingSectionEnd { .. } => "a section has no END line".into(),
            PemError::Base64Decode(_) => "a section is not base64".into(),
            other => other.to_string(),
        },
    })
}

/// What stands in a file where something else should, in words that show nothing of it.
fn found(sections: &[(SectionKind, Vec<u8>)]) -> &'static str {
    match sections.first() {
        Some((SectionKind::Certificate, _)) => "a certificate",
        Some((SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey, _)) => {
            "a private key"
        }
        Some((SectionKind::Csr, _)) => "a request for a certificate",
        Some((SectionKind::PublicKey, _)) => "a public key",
        Some(_) => "something else in PEM",
        None => "nothing in PEM",
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let sections = sections(path, &read(path)?)?;
    let found = found(&sections);
    let chain: Vec<_> = sections
        .into_iter()
        .filter(|(kind, _)| *kind == SectionKind::Certificate)
        .map(|(_, der)| CertificateDer::from(der))
        .collect();
    if chain.is_empty() {
        return Err(TlsError::NoCertificate {
            path: path.to_owned(),
            found,
        });
    }
    Ok(chain)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let bytes = read(path)?;
    let sections = sections(path, &bytes)?;
    let found = found(&sections);
    let key = sections.into_iter().find_map(|(kind, der)| match kind {
        SectionKind::PrivateKey => Some(PrivateKeyDer::Pkcs8(der.into())),
        SectionKind::RsaPrivateKey => Some(PrivateKeyDer::Pkcs1(der.into())),
        SectionKind::EcPrivateKey => Some(PrivateKeyDer::Sec1(der.into())),
        _ => None,
    });
    let path = path.to_owned();
    key.ok_or_else(|| {
        if String::from_utf8_lossy(&bytes).contains("-----BEGIN ENCRYPTED PRIVATE KEY") {
            TlsError::EncryptedKey { path }
        } else {
            TlsError::NoKey { path, found }
        }
    })
}

/// What a certificate says, and whether it is signed by its own key.
fn describe(der: &CertificateDer<'_>, path: &Path) -> Result<(Certificate, bool), TlsError> {
    let bad = |error: x509_cert::der::Error| TlsError::BadCertificate {
        path: path.to_owned(),
        detail: error.to_string(),
    };
    let parsed = x509_cert::Certificate::from_der(der).map_err(bad)?;
    let parsed = parsed.tbs_certificate();
    let time = |time: x509_cert::time::Time| {
        Time::new(u64::try_from(time.to_unix_duration().as_millis()).unwrap_or(u64::MAX))
    };
    let names = parsed.get_extension::<SubjectAltName>().map_err(bad)?;
    let names = names.map(|(_, SubjectAltName(names))| names).unwrap_or_default();
    let certificate = Certificate {
        names: names.iter().filter_map(name).collect(),
        not_before: time(parsed.validity().not_before),
        not_after: time(parsed.validity().not_after),
    };
    Ok((certificate, parsed.issuer() == parsed.subject()))
}

fn name(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(name.to_string()),
        GeneralName::IpAddress(bytes) => {
            let bytes = bytes.as_bytes();
            let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
            let v6 = <[u8; 16]>::try_from(bytes).map(IpAddr::from);
            v4.or(v6).ok().map(|address| address.to_string())
        }
        _ => None,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    pub(crate) struct Pair {
        pub(crate) certificate: String,
        pub(crate) key: String,
    }

    pub(crate) fn pair(names: &[&str], until: i32) -> Pair {
        let key = KeyPair::generate().unwrap();
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        Pair {
            certificate: params.self_signed(&key).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }

    pub(crate) struct Place(pub(crate) tempfile::TempDir);

    impl Place {
        pub(crate) fn files(&self, certificate: &str, key: &str) -> TlsFiles {
            let files = TlsFiles {
                certificate: self.0.path().join("cert.pem"),
                key: self.0.path().join("key.pem"),
            };
            fs::write(&files.certificate, certificate).unwrap();
            fs::write(&files.key, key).unwrap();
            files
        }

        fn refused(&self, certificate: &str, key: &str) -> String {
            let error = load(&self.files(certificate, key)).err().unwrap();
            let error = error.to_string();
            assert!(error.contains(self.0.path().to_str().unwrap()), "{error}");
            error
        }
    }

    #[test]
    fn what_cannot_be_used_is_named_with_the_way_out() {
        let place = Place(tempfile::tempdir().unwrap());
        let (good, other) = (pair(&["a"], 4000), pair(&["a"], 4000));
        let (certificate, key) = (good.certificate.as_str(), good.key.as_str());
        let expired = place.refused(&pair(&["a"], 2021).certificate, key);
        assert!(expired.contains("expired at 2021-01-01"), "{expired}");
        let key_half = &key[..key.len() / 2];
        let other_curve = KeyPair::generate_for(&rcgen::PKCS_ED25519)
            .unwrap()
            .serialize_pem();
        for (said, part) in [
            (place.refused(certificate, &other.key), "belong together"),
            (place.refused(certificate, &other_curve), "belong together"),
            (place.refused(key, key), "a private key, and no certificate"),
            (
                place.refused(certificate, certificate),
                "a certificate, and no private key",
            ),
            (place.refused("", key), "nothing in PEM"),
            (
                place.refused(&certificate[..certificate.len() / 2], key),
                "no END line",
            ),
            (place.refused(certificate, key_half), "no END line"),
            (
                place.refused(&certificate.replacen("MII", "!!!", 1), key),
                "not base64",
            ),
            (
                place.refused(
                    "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                    key,
                ),
                "cannot be read",
            ),
            (
                place.refused(
                    certificate,
                    "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
                ),
                "cannot be used",
            ),
            (
                place.refused(
                    certificate,
                    "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
                ),
                "openssl pkey",
            ),
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        let missing = TlsFiles {
            certificate: place.0.path().join("none.pem"),
            key: place.0.path().join("none.pem"),
        };
        assert!(load(&missing).err().unwrap().to_string().contains("none.pem"));
    }
}
