//! One Ed25519 key is the consensus seat, the libp2p identity and, in a new node, the `did:key`.
//! Nothing here stores a key.
use commonware_codec::DecodeExt as _;
use commonware_cryptography::ed25519::PublicKey;
use commonware_runtime::IoBuf;
use libp2p::{PeerId, identity};

/// Multihash code of "the digest is the data itself", which Ed25519 peer ids use.
const IDENTITY_CODE: u64 = 0;

/// Text form of the peer id of `key`, as in `/p2p/<peer id>`.
pub fn peer_name(key: &PublicKey) -> String {
    peer_id(key).to_base58()
}

/// Key behind the text form of a peer id; `None` if the text is no peer id of an Ed25519 key.
pub fn parse_peer_name(name: &str) -> Option<PublicKey> {
    name.parse().ok().as_ref().and_then(public_key)
}

pub(crate) fn keypair(seed: &[u8; 32]) -> identity::Keypair {
    identity::Keypair::ed25519_from_bytes(*seed).expect("any 32 bytes are an ed25519 seed")
}

pub(crate) fn peer_id(key: &PublicKey) -> PeerId {
    let key = identity::ed25519::PublicKey::try_from_bytes(key.as_ref())
        .expect("both libraries accept exactly the 32-byte encodings of curve points");
    identity::PublicKey::from(key).to_peer_id()
}

/// The key inside a peer id; `None` for any other kind of key.
pub(crate) fn public_key(peer: &PeerId) -> Option<PublicKey> {
    let hash = peer.as_ref();
    if hash.code() != IDENTITY_CODE {
        return None;
    }
    let key = identity::PublicKey::try_decode_protobuf(hash.digest()).ok()?;
    let key = key.try_into_ed25519().ok()?;
    PublicKey::decode(IoBuf::from(key.to_bytes().to_vec())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use commonware_cryptography::{Signer as _, ed25519::PrivateKey};

    #[test]
    fn one_identity() {
        for byte in 0..16 {
            let seed = [byte; 32];
            let key = PrivateKey::decode(IoBuf::from(seed.to_vec()))
                .unwrap()
                .public_key();
            let id = keypair(&seed).public().to_peer_id();
            assert_eq!(id, peer_id(&key));
            assert_eq!(public_key(&id), Some(key.clone()));
            assert_eq!(parse_peer_name(&peer_name(&key)), Some(key));
        }
    }

    #[test]
    fn foreign_ids_have_no_key() {
        assert_eq!(public_key(&PeerId::random()), None);
        assert_eq!(
            parse_peer_name("QmcgpsyWgH8Y8ajJz1Cu72KnS5uo2Aa2LpzU7kinSupNKC"),
            None
        );
        assert_eq!(parse_peer_name("not a peer"), None);
    }
}
