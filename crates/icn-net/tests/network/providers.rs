//! Provider records.
use crate::harness::{LIMIT, Node, config, key, run, set, start};
use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::TrackedPeers;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// Asks until somebody is found: an announcement takes a moment to arrive.
async fn find(asker: &Node, block: &[u8]) -> Vec<PublicKey> {
    let asking = async {
        loop {
            let found = asker
                .discovery
                .find_providers(block.to_vec())
                .await
                .expect("network runs");
            if !found.is_empty() {
                return found;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(LIMIT, asking).await.expect("providers in time")
}

#[test]
fn providers_are_found_through_a_third_node() {
    run(|ctx| async move {
        let mut hub = start(&ctx, config(1, &[]), set(&[1, 2, 3])).await;
        let known = [hub.listen.clone()];
        // The two know nobody but the hub, and track nobody.
        let a = start(&ctx, config(2, &known), TrackedPeers::default()).await;
        let mut b = start(&ctx, config(3, &known), TrackedPeers::default()).await;
        hub.wait_connected(&a.key).await;
        b.wait_connected(&hub.key).await;

        a.discovery.provide(b"block one".to_vec()).await.unwrap();
        assert_eq!(find(&b, b"block one").await, [key(2)]);
        // Nobody finds themselves, nor what nobody has.
        assert_eq!(
            a.discovery.find_providers(b"block one".to_vec()).await,
            Ok(vec![])
        );
        assert_eq!(
            b.discovery.find_providers(b"block two".to_vec()).await,
            Ok(vec![])
        );

        // A second provider joins the first.
        hub.discovery.provide(b"block one".to_vec()).await.unwrap();
        let both = async {
            while find(&b, b"block one").await.len() < 2 {
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(LIMIT, both).await.expect("both in time");
        a.discovery.withdraw(b"block one".to_vec()).await.unwrap();
    });
}
