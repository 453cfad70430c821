//! The federation that unit tests begin with.
use icn_model::{Did, Founder, Genesis, PROTOCOL_VERSION, Parameters, RoleKeys, SecretKey, Time};

/// The key of its only founder.
pub(crate) fn secret() -> SecretKey {
    SecretKey::from_seed(&[7; 32])
}

/// Of one cooperative.
pub(crate) fn genesis() -> Genesis {
    let key = secret().public();
    Genesis {
        name: "valley".parse().unwrap(),
        created: Time::new(1_000),
        protocol: PROTOCOL_VERSION,
        parameters: Parameters::devnet(),
        founders: vec![Founder {
            did: Did::new(key),
            name: "mill".parse().unwrap(),
            keys: RoleKeys::single(key),
        }],
        predecessor: None,
    }
}
