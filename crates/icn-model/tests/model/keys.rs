//! Keys, identities, content ids and signatures, against published vectors where there are any.
use crate::samples::{
    acceptance, actions, bid, co_signed, invitation, key, operation, receipt, release, transfer,
};
use icn_model::{
    Bid, Cid, CidError, Codec, Did, DidError, Digest, Domain, Invitation, JobId, Possession, PublicKey,
    Receipt, SecretKey, Signable, Signature, Signed, SignedOperation, canonical,
};

fn hex(text: &str) -> [u8; 32] {
    *text.parse::<Digest>().unwrap().as_bytes()
}

fn seed(last: u8) -> SecretKey {
    let mut seed = [0; 32];
    seed[31] = last;
    SecretKey::from_seed(&seed)
}

/// From the test vectors of the did:key method, for keys of these seeds.
#[test]
fn identities_are_as_the_did_key_method_has_them() {
    let vectors = [
        (0, "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp"),
        (1, "did:key:z6MkjchhfUsD6mmvni8mCdXHw216Xrm9bQe2mBH1P5RDjVJG"),
        (2, "did:key:z6MknGc3ocHs3zdPiJbnaaqDi58NGb4pk1Sp9WxWufuXSdxf"),
    ];
    for (last, text) in vectors {
        let did = Did::new(seed(last).public());
        assert_eq!(did.to_string(), text);
        assert_eq!(text.parse::<Did>(), Ok(did));
    }
    // RFC 8032, section 7.1, test 1.
    let secret = SecretKey::from_seed(&hex(
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
    ));
    let public = hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    assert_eq!(secret.public(), PublicKey::new(public));
}

#[test]
fn what_is_no_did_key_is_refused_by_name() {
    let good = Did::new(key(1).public()).to_string();
    let refused = [
        ("", DidError::Method),
        (
            "z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp",
            DidError::Method,
        ),
        ("did:web:example.org", DidError::Method),
        ("did:key:", DidError::Encoding),
        (
            "did:key:6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp",
            DidError::Encoding,
        ),
        ("did:key:z0OIl", DidError::Encoding),
        // An X25519 and a P-256 key.
        (
            "did:key:z6LSeu9HkTHSfLLeUs2nnzUSNedgDUevfNQgQjQC23ZCit6F",
            DidError::KeyKind,
        ),
        (
            "did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169",
            DidError::KeyKind,
        ),
        ("did:key:z", DidError::KeyKind),
    ];
    for (text, error) in refused {
        assert_eq!(text.parse::<Did>(), Err(error), "{text}");
    }
    assert_eq!(format!("{good}1").parse::<Did>().err(), Some(DidError::KeyKind));
    assert_eq!(
        format!("did:key:z{}", "1".repeat(100_000)).parse::<Did>(),
        Err(DidError::Encoding)
    );
    assert_eq!(good.parse::<Did>().unwrap().short().chars().count(), 9);
}

#[test]
fn keys_that_prove_nothing_are_not_usable() {
    // Points of small order, and bytes that are no point.
    let identity = {
        let mut bytes = [0; 32];
        bytes[0] = 1;
        bytes
    };
    let order_8 = hex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05");
    let mut no_point = [0; 32];
    no_point[0] = 2;
    for bytes in [identity, order_8, [0; 32], no_point] {
        let weak = PublicKey::new(bytes);
        assert!(!weak.is_usable(), "{weak}");
        let anything = Signature::new([0; 64]);
        assert!(weak.verify(Domain::Operation, b"message", &anything).is_err());
    }
    assert!(key(1).public().is_usable());
}

const DOMAINS: [Domain; 10] = [
    Domain::Operation,
    Domain::Bid,
    Domain::Receipt,
    Domain::Invitation,
    Domain::Possession,
    Domain::Audit,
    Domain::Transfer,
    Domain::Acceptance,
    Domain::Release,
    Domain::Succession,
];

#[test]
fn a_signature_holds_for_one_key_domain_and_message() {
    for domain in DOMAINS {
        let signature = key(1).sign(domain, b"message");
        for other in DOMAINS {
            let holds = key(1).public().verify(other, b"message", &signature).is_ok();
            assert_eq!(holds, domain == other, "{domain:?} as {other:?}");
        }
        assert!(key(1).public().verify(domain, b"massage", &signature).is_err());
        assert!(key(2).public().verify(domain, b"message", &signature).is_err());
        for at in 0..64 {
            let mut bytes = *signature.as_bytes();
            bytes[at] ^= 1;
            let altered = Signature::new(bytes);
            assert!(
                key(1).public().verify(domain, b"message", &altered).is_err(),
                "byte {at}"
            );
        }
    }
}

#[test]
fn domains_cannot_run_into_messages() {
    let prefixes: Vec<Vec<u8>> = DOMAINS.iter().map(|domain| domain.separate(b"")).collect();
    for (at, prefix) in prefixes.iter().enumerate() {
        assert_eq!(usize::from(prefix[0]), prefix.len() - 1, "the length comes first");
        assert!(prefix.len() < 128);
        let others = prefixes.iter().enumerate().filter(|(other, _)| *other != at);
        assert!(others.into_iter().all(|(_, other)| !other.starts_with(prefix)));
    }
    assert_eq!(Domain::Operation.separate(b"m"), b"\x0ficn/operation/1m");
    assert_eq!(Domain::Bid.separate(b"m"), b"\x09icn/bid/1m");
    assert_eq!(Domain::Receipt.separate(b"m"), b"\x0dicn/receipt/1m");
    assert_eq!(Domain::Invitation.separate(b"m"), b"\x10icn/invitation/1m");
    assert_eq!(Domain::Possession.separate(b"m"), b"\x10icn/possession/1m");
    assert_eq!(Domain::Audit.separate(b"m"), b"\x0bicn/audit/1m");
    assert_eq!(Domain::Transfer.separate(b"m"), b"\x0eicn/transfer/1m");
    assert_eq!(Domain::Acceptance.separate(b"m"), b"\x10icn/acceptance/1m");
    assert_eq!(Domain::Release.separate(b"m"), b"\x0dicn/release/1m");
    assert_eq!(<Bid as Signable>::DOMAIN, Domain::Bid);
    assert_eq!(<Receipt as Signable>::DOMAIN, Domain::Receipt);
    assert_eq!(<Invitation as Signable>::DOMAIN, Domain::Invitation);
    assert_eq!(<Possession as Signable>::DOMAIN, Domain::Possession);
}

#[test]
fn signed_content_cannot_be_altered() {
    let signed = Signed::new(bid(), &key(2));
    assert!(signed.verify().is_ok());
    let mut altered = signed.clone();
    altered.content.attempt += 1;
    assert!(altered.verify().is_err());
    let mut resigned = signed;
    resigned.content.key = key(3).public();
    assert!(resigned.verify().is_err());
    assert!(Signed::new(receipt(), &key(2)).verify().is_ok());
    assert!(
        Signed::new(receipt(), &key(3)).verify().is_err(),
        "by another key than it names"
    );
    assert!(Signed::new(invitation(), &key(1)).verify().is_ok());
}

#[test]
fn an_operations_id_does_not_depend_on_its_signature() {
    for action in actions() {
        let signed = SignedOperation::sign(operation(action), &key(1));
        assert!(signed.verify().is_ok());
        let other = SignedOperation::decode(signed.bytes().to_vec(), Signature::new([7; 64])).unwrap();
        assert_eq!(other.id(), signed.id());
        assert!(other.verify().is_err());
        assert_eq!(JobId::from(signed.id()).digest(), &Digest::of(signed.bytes()));
        assert!(signed.encoded_len() >= canonical::to_bytes(&signed).len());
        let json = serde_json::to_string(&signed).unwrap();
        let read: SignedOperation = serde_json::from_str(&json).unwrap();
        assert_eq!(read, signed);
    }
}

#[test]
fn content_ids_have_one_text_and_two_codecs() {
    // `ipfs add --cid-version=1 --raw-leaves` of "hello world".
    let text = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e";
    let hello = Cid::of_raw(b"hello world");
    assert_eq!(hello.to_string(), text);
    assert_eq!(text.parse::<Cid>(), Ok(hello));
    assert!(hello.names(b"hello world") && !hello.names(b"hello"));
    assert_eq!(Cid::try_from(hello.to_bytes().as_slice()), Ok(hello));
    assert_eq!(hello.to_bytes().len(), 36);
    // An empty map in DAG-CBOR.
    let empty = Cid::of_dag_cbor(&[0xa0]);
    assert_eq!(
        empty.to_string(),
        "bafyreigbtj4x7ip5legnfznufuopl4sg4knzc2cof6duas4b3q2fy6swua"
    );
    assert_eq!((hello.codec(), empty.codec()), (Codec::Raw, Codec::DagCbor));
    let refused = [
        ("", CidError::Text),
        ("hello", CidError::Text),
        // Version 0; the same id in base58; in upper case; DAG-PB.
        ("QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n", CidError::Codec),
        (
            "zb2rhj7crUKTQYRGCRATFaQ6YFLTde2YzdqbbhAASkL9uRDXn",
            CidError::Base,
        ),
        (
            "BAFKREIFZJUT3TE2NHYEKKLSS27NH3K72YSCO7Y32KOAO5EEI66WOF36N5E",
            CidError::Base,
        ),
        (
            "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi",
            CidError::Codec,
        ),
    ];
    for (text, error) in refused {
        assert_eq!(text.parse::<Cid>(), Err(error), "{text}");
    }
    let raw = hello.to_string().parse::<JobId>();
    assert_eq!(raw, Err(CidError::Codec), "a job is a DAG-CBOR block");
}

#[test]
fn a_transfer_counts_with_both_signatures_over_it() {
    use icn_model::{CoSignedError, TransferError, limits};
    assert_eq!(co_signed().verify(), Ok(()));
    let with = |change: &dyn Fn(&mut icn_model::CoSigned)| {
        let mut shown = co_signed();
        change(&mut shown);
        shown.verify()
    };
    let again = |change: &dyn Fn(&mut icn_model::Transfer)| {
        with(&|shown| {
            let mut content = transfer();
            change(&mut content);
            shown.acceptance.content.transfer = content.hash();
            shown.transfer = Signed::new(content, &key(1));
            shown.acceptance = Signed::new(shown.acceptance.content, &key(2));
        })
    };
    assert_eq!(again(&|_| {}), Ok(()));
    let wrong = |error| Err(CoSignedError::Transfer(error));
    assert_eq!(again(&|one| one.number = 0), wrong(TransferError::Number));
    assert_eq!(again(&|one| one.amount = 0), wrong(TransferError::Nothing));
    assert_eq!(again(&|one| one.owed = 49), wrong(TransferError::Sum));
    let over = limits::MAX_CREDIT + 1;
    for change in [
        (|one, over| one.amount = over) as fn(&mut icn_model::Transfer, u64),
        |one, over| one.owed = over,
        |one, over| one.seen.owed = over,
    ] {
        assert_eq!(again(&|one| change(one, over)), wrong(TransferError::TooMuch));
    }
    // One key for both sides, a signature of the other side's domain, another transfer.
    let debtor = with(&|shown| shown.transfer = Signed::new(transfer(), &key(2)));
    assert_eq!(debtor, Err(CoSignedError::Debtor));
    let creditor = with(&|shown| shown.acceptance = Signed::new(acceptance(), &key(1)));
    assert_eq!(creditor, Err(CoSignedError::Creditor));
    let released = with(&|shown| shown.acceptance.signature = Signed::new(release(), &key(2)).signature);
    assert_eq!(released, Err(CoSignedError::Creditor));
    let other = with(&|shown| shown.acceptance.content.transfer = Digest::of(b"other"));
    assert_eq!(other, Err(CoSignedError::Other));
    let altered = with(&|shown| shown.transfer.content.memo = None);
    assert_eq!(altered, Err(CoSignedError::Other));
    assert_eq!(transfer().head().owed, 750);
}
