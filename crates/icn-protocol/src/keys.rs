//! The model's keys and hashes as commonware's, and back.
use commonware_codec::{Copying, DecodeExt as _};
use commonware_cryptography::{ed25519, sha256};
use icn_model::{Digest, PublicKey, SecretKey};

/// The model's key as one that consensus uses; none if the bytes are no point of the curve.
pub fn public(key: &PublicKey) -> Option<ed25519::PublicKey> {
    ed25519::PublicKey::decode(Copying(key.as_bytes().as_slice())).ok()
}

/// A consensus key as the model's.
pub fn model_public(key: &ed25519::PublicKey) -> PublicKey {
    let mut bytes = [0; PublicKey::LEN];
    bytes.copy_from_slice(key.as_ref());
    PublicKey::new(bytes)
}

/// The model's secret key as one that consensus signs with.
pub fn private(key: &SecretKey) -> ed25519::PrivateKey {
    ed25519::PrivateKey::decode(Copying(key.seed().as_slice())).expect("any 32 bytes are an Ed25519 seed")
}

/// The model's hash as consensus's.
pub fn digest(digest: &Digest) -> sha256::Digest {
    sha256::Digest(*digest.as_bytes())
}

/// A consensus hash as the model's.
pub fn model_digest(digest: &sha256::Digest) -> Digest {
    Digest::new(digest.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use commonware_cryptography::Signer as _;
    use icn_model::Domain;

    #[test]
    fn one_key_in_both_worlds() {
        let secret = SecretKey::from_seed(&[7; 32]);
        let theirs = private(&secret);
        assert_eq!(model_public(&theirs.public_key()), secret.public());
        assert_eq!(public(&secret.public()), Some(theirs.public_key()));

        // Both sign the same bytes for a domain, so operations can be verified in their batches.
        let ours = secret.sign(Domain::Operation, b"message");
        let signature = theirs.sign(Domain::Operation.prefix(), b"message");
        assert_eq!(signature.as_ref(), ours.as_bytes());
    }
}
