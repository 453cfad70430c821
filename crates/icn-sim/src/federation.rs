//! The cooperatives of a run: their keys and their genesis, all from the seed.
use crate::{config::Config, trace::BEGIN};
use commonware_cryptography::{Signer as _, ed25519};
use icn_model::{Did, Digest, Founder, Genesis, Millis, Name, PROTOCOL_VERSION, RoleKeys, SecretKey};
use icn_protocol::{credit::CreditConfig, keys};
use std::sync::Arc;

/// Keys that one seat has at most.
pub const GENERATIONS: usize = 2;

/// How long what both ends of a line have signed waits until the log is told.
const ANCHOR_AFTER: Millis = Millis::from_secs(5);

/// One cooperative.
#[derive(Clone)]
pub struct Cooperative {
    /// The key that it begins with, in every role, and the one that its seat may get.
    pub keys: [SecretKey; GENERATIONS],
    /// Who it is.
    pub did: Did,
}

impl Cooperative {
    /// Its keys on the network.
    pub fn peers(&self) -> [ed25519::PublicKey; GENERATIONS] {
        self.keys.each_ref().map(|key| keys::private(key).public_key())
    }

    /// How its node keeps lines of credit: any of its keys may be its line key.
    pub fn credit(&self) -> CreditConfig {
        let keys = self.keys.clone();
        CreditConfig {
            keys: Arc::new(move |public| keys.iter().find(|key| key.public() == *public).cloned()),
            anchor_after: ANCHOR_AFTER,
        }
    }
}

/// A federation before its first block.
#[derive(Clone)]
pub struct Federation {
    /// Its cooperatives, in the order of their identities: a node's number is its place here.
    pub cooperatives: Vec<Cooperative>,
    /// How it begins.
    pub genesis: Genesis,
}

/// A key that follows from the seed and its use.
pub fn key(seed: u64, purpose: &str, at: u64) -> SecretKey {
    let parts: [&[u8]; 4] = [
        b"icn-sim",
        purpose.as_bytes(),
        &seed.to_be_bytes(),
        &at.to_be_bytes(),
    ];
    SecretKey::from_seed(Digest::of_parts(&parts).as_bytes())
}

impl Federation {
    /// The one of a configuration.
    pub fn new(config: &Config) -> Self {
        let one = |at| {
            let keys = ["seat", "next seat"].map(|purpose| key(config.seed, purpose, at));
            Cooperative {
                did: Did::new(keys[0].public()),
                keys,
            }
        };
        let mut cooperatives: Vec<_> = (0..config.nodes as u64).map(one).collect();
        cooperatives.sort_by_key(|cooperative| cooperative.did);
        let founders = cooperatives.iter().enumerate().map(|(at, cooperative)| Founder {
            did: cooperative.did,
            name: name(&format!("cooperative {at}")),
            keys: RoleKeys::single(cooperative.keys[0].public()),
        });
        let genesis = Genesis {
            name: name("simulated federation"),
            created: BEGIN,
            protocol: PROTOCOL_VERSION,
            parameters: config.parameters,
            founders: founders.collect(),
            predecessor: None,
        };
        Self {
            cooperatives,
            genesis,
        }
    }
}

fn name(text: &str) -> Name {
    text.parse()
        .expect("a short text without control characters is a name")
}
