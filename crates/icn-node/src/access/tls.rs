//! The interface's certificate: read with its private key, checked, and read anew when the files change. Connections
//! that stand keep what they began with.
use super::{now, rfc3339};
use crate::config::TlsFiles;
use icn_model::Time;
use std::{
    fs,
    io::Read as _,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::{Duration, SystemTime},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, ServerConfig,
        crypto::ring,
        pki_types::{
            CertificateDer, PrivateKeyDer,
            pem::{Error as PemError, PemObject as _, SectionKind},
        },
        server::{ClientHello, ResolvesServerCert},
        sign::CertifiedKey,
    },
};
use x509_cert::{
    der::Decode as _,
    ext::pkix::{SubjectAltName, name::GeneralName},
};

/// More than any chain of certificates has.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// The one protocol that is spoken inside.
const ALPN: &[u8] = b"http/1.1";

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
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
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
struct Loaded {
    key: Arc<CertifiedKey>,
    certificate: Certificate,
    /// Whether the file also says who signed it, so that clients can start from it.
    is_own_authority: bool,
}

/// Gives each new connection what is in use then.
#[derive(Debug)]
struct Current(RwLock<Arc<Loaded>>);

impl Current {
    fn get(&self) -> Arc<Loaded> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.get().key.clone())
    }
}

/// When the files were changed, as far as the file system tells.
type Stamp = [Option<(SystemTime, u64)>; 2];

/// The interface's certificate.
pub(crate) struct Tls {
    files: TlsFiles,
    current: Arc<Current>,
    server: Arc<ServerConfig>,
    /// The files that were read last, and why they are not in use, if so.
    read: Mutex<(Stamp, Option<String>)>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError`] names the file and what is wrong with it.
    pub(crate) fn open(files: TlsFiles) -> Result<Self, TlsError> {
        let stamp = stamp(&files);
        let current = Arc::new(Current(RwLock::new(Arc::new(load(&files)?))));
        let provider = Arc::new(ring::default_provider());
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring has suites for every version of TLS")
            .with_no_client_auth()
            .with_cert_resolver(current.clone());
        server.alpn_protocols = vec![ALPN.into()];
        if let Some(mode) = icn_api::keyfile::exposed_mode(&files.key) {
            let path = files.key.display();
            tracing::warn!(%path, "others can read the certificate's private key (mode {mode:o}): chmod 600 {path}");
        }
        Ok(Self {
            files,
            current,
            server: Arc::new(server),
            read: Mutex::new((stamp, None)),
        })
    }

    /// What begins a connection.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.server.clone())
    }

    /// The certificate in use.
    pub(crate) fn certificate(&self) -> Certificate {
        self.current.get().certificate.clone()
    }

    /// Why what is in the files now is not in use, if so.
    pub(crate) fn reload_failed(&self) -> Option<String> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    /// Reads the files anew; what was in use stays so if they cannot be used.
    pub(crate) fn reload(&self) -> Result<String, TlsError> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.0 = stamp(&self.files);
        match load(&self.files) {
            Ok(loaded) => {
                read.1 = None;
                let until = rfc3339(loaded.certificate.not_after);
                let same = loaded.key.cert == self.current.get().key.cert;
                *self.current.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(loaded);
                let what = if same {
                    "the same certificate"
                } else {
                    "another certificate"
                };
                Ok(format!("{what}, valid until {until}"))
            }
            Err(error) => {
                read.1 = Some(error.to_string());
                Err(error)
            }
        }
    }

    /// Looks at the files now and then, for as long as it is run.
    pub(crate) async fn watch(&self) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let last = self.read.lock().unwrap_or_else(PoisonError::into_inner).0;
            if stamp(&self.files) == last {
                continue;
            }
            match self.reload() {
                Ok(done) => tracing::info!("the files of the certificate have changed: {done}"),
                Err(error) => {
                    tracing::warn!(%error, "the files of the certificate have changed, and the old one stays in use")
                }
            }
        }
    }

    /// The name under which clients on this machine reach an interface at `address`: one that the certificate is
    /// for, if there is any.
    pub(crate) fn host(&self, address: SocketAddr) -> String {
        let names = self.certificate().names;
        let local = ["localhost", "127.0.0.1", "::1"];
        let is_plain = |name: &&String| !name.contains('*');
        let own = address.ip().to_string();
        let name = names
            .iter()
            .find(|name| local.contains(&name.as_str()) || **name == own)
            .or_else(|| names.iter().find(is_plain))
            .unwrap_or(&own);
        if name.parse::<IpAddr>().is_ok_and(|address| address.is_ipv6()) {
            format!("[{name}]")
        } else {
            name.clone()
        }
    }

    /// The file from which clients on this machine can tell that the certificate is good, if it says that itself.
    pub(crate) fn authority(&self) -> Option<PathBuf> {
        let path = self
            .current
            .get()
            .is_own_authority
            .then_some(&self.files.certificate)?;
        std::path::absolute(path).ok()
    }
}

fn stamp(files: &TlsFiles) -> Stamp {
    [&files.certificate, &files.key].map(|path| {
        let data = fs::metadata(path).ok()?;
        Some((data.modified().ok()?, data.len()))
    })
}

fn load(files: &TlsFiles) -> Result<Loaded, TlsError> {
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
        .map_err(|source| TlsError::Read {
            path: path.to_owned(),
            source,
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
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    struct Pair {
        certificate: String,
        key: String,
    }

    fn pair(names: &[&str], until: i32) -> Pair {
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

    struct Place(tempfile::TempDir);

    impl Place {
        fn files(&self, certificate: &str, key: &str) -> TlsFiles {
            let files = TlsFiles {
                certificate: self.0.path().join("cert.pem"),
                key: self.0.path().join("key.pem"),
            };
            fs::write(&files.certificate, certificate).unwrap();
            fs::write(&files.key, key).unwrap();
            files
        }

        fn refused(&self, certificate: &str, key: &str) -> String {
            let error = Tls::open(self.files(certificate, key)).err().unwrap();
            let error = error.to_string();
            assert!(error.contains(self.0.path().to_str().unwrap()), "{error}");
            error
        }
    }

    #[test]
    fn a_good_certificate_tells_what_it_is_for() {
        let place = Place(tempfile::tempdir().unwrap());
        let good = pair(&["node.example", "localhost", "127.0.0.1"], 4000);
        let tls = Tls::open(place.files(&good.certificate, &good.key)).unwrap();
        assert_eq!(
            tls.certificate().names,
            ["node.example", "localhost", "127.0.0.1"]
        );
        assert_eq!(rfc3339(tls.certificate().not_after), "4000-01-01T00:00:00.000Z");
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        assert_eq!(tls.host(address("127.0.0.1:1")), "localhost");
        assert!(tls.authority().is_some_and(|path| path.ends_with("cert.pem")));
        let other = pair(&["*.example", "node.example"], 4000);
        let tls = Tls::open(place.files(&other.certificate, &other.key)).unwrap();
        assert_eq!(tls.host(address("127.0.0.1:1")), "node.example");
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
        assert!(Tls::open(missing).err().unwrap().to_string().contains("none.pem"));
    }

    #[test]
    fn a_reload_takes_what_is_good_and_keeps_what_was_otherwise() {
        let place = Place(tempfile::tempdir().unwrap());
        let (first, second) = (pair(&["first"], 4000), pair(&["second"], 4000));
        let tls = Tls::open(place.files(&first.certificate, &first.key)).unwrap();
        place.files(&second.certificate, &first.key);
        assert!(tls.reload().is_err() && tls.reload_failed().is_some());
        assert_eq!(tls.certificate().names, ["first"]);
        place.files(&second.certificate, &second.key);
        assert!(tls.reload().unwrap().contains("another certificate"));
        assert_eq!(
            (tls.certificate().names, tls.reload_failed()),
            (vec!["second".into()], None)
        );
    }
}
