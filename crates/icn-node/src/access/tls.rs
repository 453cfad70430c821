//! The interface's certificate: read with its private key, checked, and read anew when the files change. Connections
//! that stand keep what they began with.
use super::{
    certificate::{Certificate, Loaded, TlsError, load},
    from_here,
};
use crate::config::TlsFiles;
use icn_serve::clock::rfc3339;
use std::{
    fs,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::{Duration, SystemTime},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        server::{ClientHello, ResolvesServerCert},
        sign::CertifiedKey,
    },
};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The one protocol that is spoken inside.
const ALPN: &[u8] = b"http/1.1";

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
        let own = from_here(address).ip().to_string();
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

#[cfg(test)]
mod tests {
    use super::{
        super::certificate::tests::{Place, pair},
        *,
    };

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
