//! HTTPS: a node with a certificate, its renewal while connections stand, and certificates that cannot be used.
use crate::{
    harness::{KEY, Node},
    start::Start,
};
use icn_api::{
    client::{Client, ClientConfig},
    node::Status,
    paths,
};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::Arc,
};
use tokio_rustls::rustls::{
    ClientConfig as TlsClient, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject as _},
};

struct Pair {
    certificate: String,
    key: String,
}

fn pair(name: &str, until: i32) -> Pair {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned(), "127.0.0.1".into()]).unwrap();
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    Pair {
        certificate: params.self_signed(&key).unwrap().pem(),
        key: key.serialize_pem(),
    }
}

const CONFIG: &str = "[api]\ntls_cert_path = \"cert.pem\"\ntls_key_path = \"key.pem\"\n";

fn start(pair: &Pair) -> Start {
    Start::config(CONFIG)
        .file("cert.pem", &pair.certificate)
        .file("key.pem", &pair.key)
}

/// A connection that believes `certificate` and no other.
fn connect(node: &Node, certificate: &str) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap())
        .unwrap();
    let config = TlsClient::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connection = ClientConnection::new(Arc::new(config), "127.0.0.1".try_into().unwrap()).unwrap();
    StreamOwned::new(connection, node.connect())
}

/// Asks for /status on a connection that stands, and gives the names of the certificate in use by then.
fn names(stream: &mut StreamOwned<ClientConnection, TcpStream>) -> std::io::Result<Vec<String>> {
    let request = format!(
        "GET {} HTTP/1.1\r\nhost: node\r\nx-api-key: {KEY}\r\n\r\n",
        paths::STATUS
    );
    stream.write_all(request.as_bytes())?;
    let (mut answer, mut piece) = (Vec::new(), [0; 16_384]);
    loop {
        let len = stream.read(&mut piece)?;
        answer.extend_from_slice(&piece[..len]);
        let text = String::from_utf8_lossy(&answer);
        if let Some((_, body)) = text.split_once("\r\n\r\n")
            && let Ok(status) = serde_json::from_str::<Status>(body)
        {
            return Ok(status.access.unwrap().certificate.unwrap().names);
        }
        assert!(len > 0, "{text}");
    }
}

#[test]
fn a_certificate_is_renewed_while_connections_stand() {
    let (first, second) = (pair("first.example", 4000), pair("second.example", 4000));
    let node = start(&first).run();
    assert!(node.url.starts_with("https://127.0.0.1:"), "{}", node.url);
    // The profile that the node wrote says whom to believe.
    let certificate = node.client.status().unwrap().access.unwrap().certificate.unwrap();
    assert_eq!(certificate.names, ["first.example", "127.0.0.1"]);
    let stranger = Client::new(ClientConfig::new(&node.url)).unwrap();
    assert!(stranger.health().unwrap_err().is_distrusted());

    let mut standing = connect(&node, &first.certificate);
    assert_eq!(names(&mut standing).unwrap()[0], "first.example");
    let path = |name: &str| node.directory().join(name);
    // Half of the new pair is no pair: the old one stays.
    fs::write(path("cert.pem"), &second.certificate).unwrap();
    node.hang_up();
    node.wait_for_log("cannot reload the certificate");
    assert_eq!(names(&mut standing).unwrap()[0], "first.example");
    assert_eq!(
        names(&mut connect(&node, &first.certificate)).unwrap()[0],
        "first.example"
    );
    fs::write(path("key.pem"), &second.key).unwrap();
    node.hang_up();
    node.wait_for_log("another certificate");
    assert_eq!(
        names(&mut standing).unwrap()[0],
        "second.example",
        "the connection stands"
    );
    assert_eq!(
        names(&mut connect(&node, &second.certificate)).unwrap()[0],
        "second.example"
    );
    assert!(names(&mut connect(&node, &first.certificate)).is_err());
    // Nobody has to tell the node.
    let third = pair("third.example", 4000);
    fs::write(path("cert.pem"), &third.certificate).unwrap();
    fs::write(path("key.pem"), &third.key).unwrap();
    node.wait_for_log("files of the certificate have changed: another certificate");
    assert_eq!(
        names(&mut connect(&node, &third.certificate)).unwrap()[0],
        "third.example"
    );
    drop(standing);
    node.stop();
}

#[test]
fn plain_http_is_told_to_speak_https() {
    let node = start(&pair("a.example", 4000)).run();
    let told = node.raw(b"GET /health HTTP/1.1\r\nhost: node\r\n\r\n");
    assert!(told.starts_with("HTTP/1.1 400 "), "{told}");
    // Whoever says nothing holds up nobody.
    let _silent: Vec<_> = (0..20).map(|_| node.connect()).collect();
    assert!(node.client.health().unwrap().alive);
}

#[test]
fn a_certificate_that_cannot_be_used_is_refused_at_the_start() {
    let (good, other) = (pair("a.example", 4000), pair("b.example", 4000));
    let with = |certificate: &str, key: &str| {
        let pair = Pair {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
        };
        start(&pair).refused()
    };
    let half = &good.certificate[..good.certificate.len() / 2];
    for (said, part) in [
        (
            with(&pair("a.example", 2021).certificate, &good.key),
            "expired at 2021-01-01",
        ),
        (with(&good.certificate, &other.key), "belong together"),
        (with(half, &good.key), "not whole"),
        (with(&good.key, &good.key), "no certificate"),
        (with(&good.certificate, &good.certificate), "no private key"),
        (Start::config(CONFIG).refused(), "cert.pem"),
        (
            Start::config("[api]\ntls_cert_path = \"cert.pem\"\n").refused(),
            "api.tls_key_path",
        ),
    ] {
        assert!(said.contains(part), "{part}: {said}");
        assert!(!said.contains("PRIVATE KEY-----"), "{said}");
    }
}
