//! Tests of the text of keys: files that OpenSSL made, files that it must read, and bad ones.
use super::*;
use std::process::Command;

/// RFC 8410, section 10.3: the private key without, and with its public half.
const RFC_V1: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
-----END PRIVATE KEY-----
";
const RFC_V2: &str = "-----BEGIN PRIVATE KEY-----
MHICAQEwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
oB8wHQYKKoZIhvcNAQkJFDEPDA1DdXJkbGUgQ2hhaXJzgSEAGb9ECWmEzf6FQbrB
Z9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PRIVATE KEY-----
";

/// What `openssl genpkey -algorithm ed25519` made, and `openssl pkcs8 -topk8` by the passphrase below.
const PLAIN_KEY: &str = include_str!("../../tests/keys/openssl-plain.pem");
const PBKDF2: &str = include_str!("../../tests/keys/openssl-pbkdf2.pem");
const SCRYPT: &str = include_str!("../../tests/keys/openssl-scrypt.pem");
const ED448: &str = include_str!("../../tests/keys/openssl-ed448-scrypt.pem");
const PASSPHRASE: &str = "correct horse";
/// `openssl pkey -pubout`.
const PUBLIC: &str = "e0ddec2374f41722a3d25daec8b26ca6df746f54204aca52474cd39937827a18";

/// The same key by PBES1 (`-v1 PBE-SHA1-3DES`) and with SHA-1 (`-v2prf hmacWithSHA1`), an ECDSA key, and one with
/// 20,000,001 iterations.
const PBES1: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----
MFgwHAYKKoZIhvcNAQwBAzAOBAiAqlE16j8vQgICCAAEOE2F2NHRrFiRUKM3sMYJ
L6LLkhRp1WlGarzX6/701vSLz3gP83us83uv+8mTbs4luHDqVjCj/JY/
-----END ENCRYPTED PRIVATE KEY-----
";
const SHA1: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----
MIGNMEkGCSqGSIb3DQEFDTA8MBsGCSqGSIb3DQEFDDAOBAjnu+lp+475ugICCAAw
HQYJYIZIAWUDBAEqBBBBjTb8KUo9/6t0tSShfx6FBECj49MjGLgwvJLfVxQzGFJ4
JIsYViCvTZkhIRwpXxmmhZ3u+m1Ec+oaiDeyqRGcpZm+8iIED1Fnthbi8NthsEvy
-----END ENCRYPTED PRIVATE KEY-----
";
const ECDSA: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgdtolC/3N53v0UPkf
94GPT3YWHkdprdtG7aJUcOgrA7GhRANCAARTXA10PoCr/1V3DB5n/4lROo1nAzPh
DKMl+7GLKhvp8+ITRbpHDSb8iWhCOofRBRVCHC6Gb25rWx1r648IpvrB
-----END PRIVATE KEY-----
";
const SLOW: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----
MIGdMFkGCSqGSIb3DQEFDTBMMCsGCSqGSIb3DQEFDDAeBAgDqdWioCTXOQIEATEt
ATAMBggqhkiG9w0CCQUAMB0GCWCGSAFlAwQBKgQQ1WB5ldQaIyYUtjyAr6WjIgRA
yxu7TnB6OPFyotqpMCGu64b8poqR5KgRsUf9xN1YSwsEP4UUbbQLPJwO0Ais5+Ge
vqOliocINL7g9ox/CZi5BQ==
-----END ENCRYPTED PRIVATE KEY-----
";

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(text.to_owned(), "test").unwrap()
}

fn hex(key: &SecretKey) -> String {
    let bytes = *key.public().as_bytes();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Opens a key by the right passphrase.
fn open(text: &str) -> Result<SecretKey, KeyFileError> {
    parse(text, "k")?.open_with(Some(&passphrase(PASSPHRASE)), "P")
}

/// An encrypted key that asks for the given costs of scrypt, and could never be opened.
fn scrypt_file(n: u64, r: u16, p: u16) -> String {
    let info = EncryptedPrivateKeyInfoOwned {
        encryption_algorithm: EncryptionScheme::Pbes2(pbes2::Parameters {
            kdf: Kdf::Scrypt(ScryptParams {
                salt: Salt::new([1; 16]).unwrap(),
                cost_parameter: n,
                block_size: r,
                parallelization: p,
                key_length: None,
            }),
            encryption: pbes2::EncryptionScheme::Aes256Cbc { iv: [2; 16] },
        }),
        encrypted_data: OctetString::new([3; 64]).unwrap(),
    };
    let document = SecretDocument::encode_msg(&info).unwrap();
    document.to_pem(ENCRYPTED, LineEnding::LF).unwrap().to_string()
}

#[test]
fn the_examples_of_rfc_8410_are_read() {
    let plain = parse(RFC_V1, "rfc").unwrap().plain().unwrap();
    assert_eq!(*to_pem(&plain), RFC_V1);
    assert_eq!(
        hex(&plain),
        "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1"
    );
    let full = parse(RFC_V2, "rfc").unwrap().plain().unwrap();
    assert_eq!(full.public(), plain.public());
}

#[test]
fn what_openssl_writes_is_read() {
    let wrapped = format!("Bag Attributes\n    friendlyName: node\n{SCRYPT}\nmore\n");
    let windows = PBKDF2.replace('\n', "\r\n");
    for text in [PLAIN_KEY, PBKDF2, SCRYPT, &wrapped, &windows] {
        assert_eq!(hex(&open(text).unwrap()), PUBLIC, "{text}");
    }
}

#[test]
fn what_is_written_is_read_back_and_by_openssl() {
    let key = SecretKey::from_seed(&[7; 32]);
    let word = passphrase("zwölf Boxkämpfer");
    let pem = to_encrypted_pem(&key, &word).unwrap();
    assert_ne!(pem, to_encrypted_pem(&key, &word).unwrap(), "salts are fresh");
    let back = parse(&pem, "k").unwrap().open_with(Some(&word), "P").unwrap();
    assert_eq!(back.public(), key.public());

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key.pem");
    std::fs::write(&path, pem.as_bytes()).unwrap();
    let openssl = |word: &str| {
        let mut command = Command::new("openssl");
        command.args(["pkey", "-passin", "env:WORD", "-in"]).arg(&path);
        command.env("WORD", word).output()
    };
    // Where there is no openssl, the files above and the constants speak for it.
    let Ok(output) = openssl("zwölf Boxkämpfer") else {
        return;
    };
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), *to_pem(&key));
    assert!(!openssl("elf Boxkämpfer").unwrap().status.success());
}

#[test]
fn only_the_right_passphrase_opens() {
    let error = |text: &str, word: Option<&str>| {
        let word = word.map(passphrase);
        let opened = parse(text, "k").unwrap().open_with(word.as_ref(), "WORD");
        opened.unwrap_err().to_string()
    };
    let none = error(SCRYPT, None);
    assert!(none.contains("WORD,") && none.contains("WORD_FILE"), "{none}");
    // Enough of them that some give the right padding by chance.
    for at in 0..600 {
        let text = PBKDF2.replace(
            "MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAjYf8ulMG7DowICTiAw",
            FAST_HEAD,
        );
        let told = error(&text, Some(&format!("wrong {at}")));
        assert!(told.contains("passphrase does not open"), "{told}");
    }
}

/// The first line of [`PBKDF2`] with 1 iteration (as two bytes) in place of 20,000.
const FAST_HEAD: &str = "MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAjYf8ulMG7DowICAQAw";

#[test]
fn what_is_no_key_is_named() {
    let truncated = &SCRYPT[..SCRYPT.len() / 2];
    let spoilt = SCRYPT.replace("MIGT", "M!GT");
    let shorter = SCRYPT.replace("ZKM/ck87\n", "");
    let other_public = RFC_V2.replace("Z9w7lshQ", "Z9w7lshR");
    let ciphertext = SCRYPT.replace("ZKM/ck87", "ZKM/ck88");
    let encoding = RFC_V1.replace("MC4CAQAw", "MC4CBQAw");
    let ssh = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n";
    let public = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
    let ed448 = RFC_V1.replace("BQYDK2Vw", "BQYDK2Vx");
    let huge = scrypt_file(1 << 40, 8, 1);
    let wide = scrypt_file(1 << 14, u16::MAX, 1);
    let often = scrypt_file(1 << 14, 8, u16::MAX);
    let (zero, odd) = (scrypt_file(0, 8, 1), scrypt_file(12_345, 8, 1));
    for (text, told) in [
        ("", "holds no Ed25519 key"),
        ("hello", "holds no Ed25519 key"),
        ("-----BEGIN ", "holds no Ed25519 key"),
        ("-----BEGIN PRIVATE KEY-----", "damaged, its last line is missing"),
        (truncated, "damaged, its last line is missing"),
        (&spoilt, "damaged, its lines"),
        (&shorter, "damaged"),
        (&encoding, "damaged, its content is not PKCS#8"),
        (&other_public, "damaged, its public half"),
        (&ciphertext, "passphrase does not open"),
        (ssh, "BEGIN OPENSSH PRIVATE KEY"),
        (public, "BEGIN PUBLIC KEY"),
        (ECDSA, "an elliptic curve (ECDSA) key"),
        (&ed448, "an Ed448 key"),
        (ED448, "an Ed448 key"),
        (PBES1, "older than PBES2"),
        (SHA1, "PBKDF2 with SHA-1"),
        (SLOW, "20000001 iterations of PBKDF2"),
        (&huge, "scrypt with N = 1099511627776, r = 8, p = 1"),
        (&wide, "asks for scrypt"),
        (&often, "asks for scrypt"),
        (&zero, "scrypt parameters are impossible"),
        (&odd, "scrypt parameters are impossible"),
    ] {
        let error = open(text).unwrap_err().to_string();
        assert!(error.contains(told) && error.contains('k'), "{text}: {error}");
    }
}

#[test]
fn no_byte_can_be_lost_unseen() {
    for cut in 0..SCRYPT.trim_end().len() {
        assert!(parse(&SCRYPT[..cut], "k").is_err(), "{cut}");
    }
}
