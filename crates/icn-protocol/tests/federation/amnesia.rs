//! A seat that has lost what it voted follows, and does not vote before it may.
use super::{Cast, Echo, Federation, connect, founder, genesis_of, link, secret};
use commonware_runtime::{Clock as _, Runner as _, Supervisor as _, deterministic};
use icn_model::{Action, Height, PROTOCOL_VERSION};
use icn_protocol::{
    credit::CreditConfig,
    market::MarketConfig,
    node::{self, Node, NodeConfig},
    resilience::Resilience,
};
use icn_state::NoPolicies;
use icn_store::{MemoryBackend, Store, StoreConfig};
use std::{sync::Arc, time::Duration};

const WIPED: u8 = 3;

/// Starts a seat anew with nothing but its key.
async fn start_wiped(federation: &mut Federation, life: &str) {
    let at = usize::from(WIPED);
    federation.logs[at].abort();
    let _ = (&mut federation.logs[at]).await;
    let config = NodeConfig {
        did: founder(WIPED).did,
        key: secret(WIPED),
        genesis: genesis_of(federation),
        partition: format!("n{WIPED}-{life}"),
        blocks_per_file: node::BLOCKS_PER_FILE,
        resilience: Resilience::default(),
        market: MarketConfig::default(),
        credit: CreditConfig::with_key(secret(WIPED)),
        policies: Arc::new(NoPolicies),
        protocol: PROTOCOL_VERSION,
        application: None,
    };
    let store = Store::inline(MemoryBackend::new(), StoreConfig::default());
    let connections = connect(&federation.oracle, &secret(WIPED)).await;
    let context = federation.context.child("again").with_attribute("life", life);
    let executor = Echo::new(&context);
    let (node, log) = node::start(context, config, store, connections, executor)
        .await
        .unwrap();
    (federation.nodes[at], federation.logs[at]) = (node, log);
}

fn height(node: &Node) -> Height {
    node.ledger().progress().height
}

/// Blocks that are ordered within so many seconds while `absent` is cut off, of operations that ask for one each.
async fn ordered_without(federation: &Federation, absent: u8, secs: u64) -> u64 {
    federation.isolate(absent).await;
    // What was under way has come through or not.
    federation.context.sleep(Duration::from_secs(2)).await;
    let before = height(&federation.nodes[0]);
    for _ in 0..secs {
        let leave = Action::AddMember {
            member: founder(40).did,
        };
        let _ = federation.nodes[0].author().act(leave, federation.now());
        federation.context.sleep(Duration::from_secs(1)).await;
    }
    let count = height(&federation.nodes[0]).get() - before.get();
    let key = |number: u8| icn_protocol::keys::public(&secret(number).public()).unwrap();
    for other in (0..4).filter(|other| *other != absent) {
        for (from, to) in [(absent, other), (other, absent)] {
            federation
                .oracle
                .add_link(key(from), key(to), link())
                .await
                .unwrap();
        }
    }
    count
}

#[test]
fn a_seat_with_a_wiped_disk_does_not_vote_before_another_epoch() {
    deterministic::Runner::timed(Duration::from_secs(3_600)).start(|context| async move {
        let cast = Cast {
            seats: 4,
            ..Cast::default()
        };
        let (mut federation, _) = Federation::start_with(context, cast).await;
        federation
            .until("blocks are ordered", |f| height(&f.nodes[0]) > Height::new(3))
            .await;
        start_wiped(&mut federation, "second").await;
        federation
            .until("it follows", |f| height(&f.nodes[3]) > Height::new(3))
            .await;
        let epoch = federation.nodes[0].ledger().read(icn_state::State::epoch);
        assert_eq!(
            ordered_without(&federation, 2, 8).await,
            0,
            "two of three that are there cannot order, and the third may have voted already"
        );
        // Empty blocks come with the heartbeat, thirty-two to an epoch.
        let now = |f: &Federation| f.nodes[3].ledger().read(icn_state::State::epoch);
        for _ in 0..1_000 {
            if now(&federation).get() > epoch.get() + 1 {
                break;
            }
            federation.context.sleep(Duration::from_secs(1)).await;
        }
        assert!(
            ordered_without(&federation, 2, 8).await > 0,
            "in an epoch that began since, it votes"
        );
    });
}
