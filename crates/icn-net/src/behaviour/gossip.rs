//! Settings of gossipsub: who is scored how, and what is subscribed. The messages pass by in the swarm task.
use crate::{
    error::StartError,
    topic::{MAX_GOSSIP_BYTES, Topic},
};
use commonware_cryptography::{Hasher as _, Sha256};
use libp2p::gossipsub::{
    self, ConfigBuilder, IdentTopic, IdentityTransform, MessageAuthenticity, MessageId, PeerScoreParams,
    PeerScoreThresholds, TopicHash, TopicScoreParams, ValidationMode, WhitelistSubscriptionFilter,
};
use std::{collections::HashMap, time::Duration};

/// Gossip over the registered topics only; other subscriptions are not remembered.
pub(crate) type GossipBehaviour = gossipsub::Behaviour<IdentityTransform, WhitelistSubscriptionFilter>;

/// Messages waiting for one peer.
const PEER_QUEUE: usize = 512;
/// Protobuf around a message and its topic, bytes.
const ENVELOPE_BYTES: usize = 1_024;
/// Identical content is published and delivered once within this time.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(60);
/// How long it takes until a penalty is forgotten.
const PENALTY_DECAY: Duration = Duration::from_secs(600);

/// Topic as it appears on the wire.
pub(crate) fn topic(federation: &str, name: &str) -> IdentTopic {
    IdentTopic::new(format!("icn/{federation}/{name}"))
}

pub(crate) fn behaviour(
    federation: &str,
    topics: &HashMap<&'static str, Topic>,
) -> Result<GossipBehaviour, StartError> {
    let refused = |reason: String| StartError::Settings {
        what: "gossip",
        reason,
    };
    // Messages carry the signatures of their authors inside, and are known by their content.
    let settings = ConfigBuilder::default()
        .validation_mode(ValidationMode::Anonymous)
        .validate_messages()
        .message_id_fn(|message| {
            let topic = message.topic.as_str().as_bytes();
            MessageId::from(Sha256::hash(&[topic, &[0], &message.data]).to_vec())
        })
        .max_transmit_size(MAX_GOSSIP_BYTES + ENVELOPE_BYTES)
        .duplicate_cache_time(DUPLICATE_WINDOW)
        .connection_handler_queue_len(PEER_QUEUE)
        .build()
        .map_err(|error| refused(error.to_string()))?;
    let wire: Vec<_> = topics.keys().map(|name| topic(federation, name)).collect();
    let allowed = WhitelistSubscriptionFilter(wire.iter().map(IdentTopic::hash).collect());
    let mut gossip =
        GossipBehaviour::new_with_subscription_filter(MessageAuthenticity::Anonymous, settings, allowed)
            .map_err(|reason| refused(reason.into()))?;
    gossip
        .with_peer_score(peer_score(wire.iter().map(IdentTopic::hash)), thresholds())
        .map_err(refused)?;
    for topic in &wire {
        gossip
            .subscribe(topic)
            .map_err(|error| refused(error.to_string()))?;
    }
    Ok(gossip)
}

/// Peers lose points for invalid messages and broken promises only.
///
/// Not for being slow, quiet or behind a shared address: an honest cooperative on a poor line is all
/// three, and limits per address are kept elsewhere. Nor do they gain points for talking, which would
/// buy them room for invalid messages.
fn peer_score(topics: impl Iterator<Item = TopicHash>) -> PeerScoreParams {
    let decay = gossipsub::score_parameter_decay(PENALTY_DECAY);
    let topic = TopicScoreParams {
        topic_weight: 1.0,
        // Squared: the second invalid message within minutes ends gossip with a peer, the fourth its
        // publications, the fifth all.
        invalid_message_deliveries_weight: -4.0,
        invalid_message_deliveries_decay: decay,
        time_in_mesh_weight: 0.0,
        first_message_deliveries_weight: 0.0,
        mesh_message_deliveries_weight: 0.0,
        mesh_failure_penalty_weight: 0.0,
        ..TopicScoreParams::default()
    };
    PeerScoreParams {
        topics: topics.map(|hash| (hash, topic.clone())).collect(),
        topic_score_cap: 0.0,
        app_specific_weight: 0.0,
        ip_colocation_factor_weight: 0.0,
        // Reconnecting breaks a promise or two; a flood of them is abuse.
        behaviour_penalty_weight: -1.0,
        behaviour_penalty_threshold: 6.0,
        behaviour_penalty_decay: decay,
        slow_peer_weight: 0.0,
        retain_score: PENALTY_DECAY,
        ..PeerScoreParams::default()
    }
}

const fn thresholds() -> PeerScoreThresholds {
    PeerScoreThresholds {
        gossip_threshold: -10.0,
        publish_threshold: -50.0,
        graylist_threshold: -80.0,
        accept_px_threshold: 0.0,
        opportunistic_graft_threshold: 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_accepts_the_settings() {
        let params = peer_score([topic("f", "t").hash()].into_iter());
        params.validate().unwrap();
        thresholds().validate().unwrap();
        behaviour("f", &HashMap::new()).unwrap();
    }
}
