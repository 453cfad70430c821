//! Decoding: what was encoded comes back, anything else is refused, nothing panics.
use crate::samples::{Sample, kinds, samples};
use icn_model::{
    Block, Cid, JobSpec, Name, SignedOperation,
    canonical::{self, DecodeError},
    limits,
};
use proptest::prelude::*;

#[test]
fn every_value_comes_back_from_its_bytes_and_from_json() {
    for Sample {
        name,
        bytes,
        recode,
        through_json,
        ..
    } in samples()
    {
        assert_eq!(recode(&bytes).as_ref(), Ok(&bytes), "{name}");
        assert_eq!(through_json(&bytes), bytes, "{name}");
    }
}

#[test]
fn bytes_cut_short_or_followed_by_more_are_refused() {
    for sample in samples() {
        let mut bytes = sample.bytes.clone();
        bytes.push(0);
        assert!((sample.recode)(&bytes).is_err(), "{}", sample.name);
        for len in [0, 1, sample.bytes.len() / 2, sample.bytes.len() - 1] {
            assert!((sample.recode)(&sample.bytes[..len]).is_err(), "{}", sample.name);
        }
    }
}

/// Hand-written encodings of a value that is a map, `{"a": 1, "b": 2}`, as far as the model has one.
#[test]
fn a_second_encoding_of_a_value_is_refused() {
    use std::collections::BTreeMap;
    type Map = BTreeMap<String, u64>;
    let decode = |bytes: &[u8]| canonical::from_bytes::<Map>(bytes, 100);
    let good = [0xa2, 0x61, b'a', 0x01, 0x61, b'b', 0x02];
    assert_eq!(decode(&good).unwrap().len(), 2);
    let others: [(&str, &[u8]); 6] = [
        ("keys out of order", &[0xa2, 0x61, b'b', 0x02, 0x61, b'a', 0x01]),
        ("a key twice", &[0xa2, 0x61, b'a', 0x01, 0x61, b'a', 0x01]),
        (
            "an integer in two bytes",
            &[0xa2, 0x61, b'a', 0x18, 0x01, 0x61, b'b', 0x02],
        ),
        (
            "a length in two bytes",
            &[0xb8, 0x02, 0x61, b'a', 0x01, 0x61, b'b', 0x02],
        ),
        (
            "an indefinite map",
            &[0xbf, 0x61, b'a', 0x01, 0x61, b'b', 0x02, 0xff],
        ),
        ("an indefinite text", &[0xa1, 0x7f, 0x61, b'a', 0xff, 0x01]),
    ];
    for (what, bytes) in others {
        assert!(decode(bytes).is_err(), "{what}");
    }
}

#[test]
fn unknown_fields_and_variants_are_refused() {
    for sample in samples() {
        // A map with one more field: the count is in the first byte while it is below 24.
        let first = sample.bytes[0];
        if (0xa0..0xb7).contains(&first) {
            let mut bytes = vec![first + 1];
            bytes.extend_from_slice(&sample.bytes[1..]);
            // Longer than any name of the model, so it sorts last.
            bytes.extend_from_slice(&[0x78, 40]);
            bytes.extend_from_slice(&[b'x'; 40]);
            bytes.push(0x00);
            assert!((sample.recode)(&bytes).is_err(), "{}", sample.name);
        }
    }
    let unknown = [0xa1, 0x64, b'm', b'i', b'n', b't', 0xa0];
    assert!(canonical::from_bytes::<icn_model::Action>(&unknown, 100).is_err());
}

#[test]
fn sizes_are_bounded_before_anything_is_decoded() {
    let spec = crate::samples::spec();
    let bytes = canonical::to_bytes(&spec);
    let too_long = DecodeError::TooLong {
        len: bytes.len(),
        max: bytes.len() - 1,
    };
    assert_eq!(
        canonical::from_bytes::<JobSpec>(&bytes, bytes.len() - 1),
        Err(too_long)
    );
    let huge = vec![0; limits::MAX_LOG_BLOCK_BYTES + 1];
    assert!(matches!(
        Block::from_bytes(&huge),
        Err(DecodeError::TooLong { .. })
    ));
    let signature = icn_model::Signature::new([0; 64]);
    assert!(SignedOperation::decode(vec![0; limits::MAX_OPERATION_BYTES + 1], signature).is_err());
    let mut block = crate::samples::block();
    let operation = block.operations[2].clone();
    block.operations = vec![operation; limits::MAX_BLOCK_OPERATIONS + 1];
    assert!(matches!(
        Block::from_bytes(&block.to_bytes()),
        Err(DecodeError::TooLong { .. })
    ));
    block.operations.pop();
    assert_eq!(
        Block::from_bytes(&block.to_bytes()).unwrap().operations.len(),
        limits::MAX_BLOCK_OPERATIONS
    );
}

#[test]
fn a_length_that_lies_allocates_nothing() {
    // A list and a text of 2^62 items in ten bytes.
    for head in [0x9b, 0x7b, 0x5b, 0xbb] {
        let bytes = [head, 0x40, 0, 0, 0, 0, 0, 0, 0, 0];
        for sample in samples() {
            assert!((sample.recode)(&bytes).is_err());
        }
    }
}

#[test]
fn nesting_is_bounded() {
    let deep = vec![0x81; 100_000];
    for sample in samples() {
        assert!((sample.recode)(&deep).is_err(), "{}", sample.name);
    }
}

#[test]
fn names_are_short_plain_text() {
    for good in ["a", "Bäckerei am Ring", &"x".repeat(64)] {
        assert!(good.parse::<Name>().is_ok(), "{good}");
    }
    for bad in ["", " a", "a ", "a\nb", "a\0", &"x".repeat(65)] {
        assert!(bad.parse::<Name>().is_err(), "{bad:?}");
        let bytes = canonical::to_bytes(bad);
        assert!(canonical::from_bytes::<Name>(&bytes, 100).is_err(), "{bad:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        for sample in kinds() {
            let _ = (sample.recode)(&bytes);
        }
    }

    /// A changed byte, an inserted one or one less: refused, or the canonical bytes of another value.
    #[test]
    fn mutated_bytes_never_pass_for_another_encoding(
        which in any::<proptest::sample::Index>(),
        at in any::<proptest::sample::Index>(),
        byte in any::<u8>(),
        how in 0..3_u8,
    ) {
        let samples = kinds();
        let sample = which.get(samples);
        let mut bytes = sample.bytes.clone();
        let at = at.index(bytes.len());
        match how {
            0 => bytes[at] = byte,
            1 => bytes.insert(at, byte),
            _ => {
                bytes.remove(at);
            }
        }
        if let Ok(again) = (sample.recode)(&bytes) {
            prop_assert_eq!(again, bytes);
        }
    }
}

#[test]
fn a_cid_ends_where_its_bytes_end() {
    let cid = Cid::of_raw(b"content");
    let bytes = cid.to_bytes();
    assert_eq!(Cid::try_from(&bytes[..]), Ok(cid));
    let longer = [&bytes[..], b"x"].concat();
    assert!(Cid::try_from(&longer[..]).is_err(), "one name has one form");
    assert!(Cid::try_from(&bytes[..bytes.len() - 1]).is_err());
}
