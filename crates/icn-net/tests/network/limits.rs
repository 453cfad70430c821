//! Connection limits.
use crate::harness::{config, eventually, key, run, set, start};
use commonware_p2p::TrackedPeers;
use icn_net::{Direction, Snapshot};

fn strangers(snapshot: &Snapshot) -> usize {
    let stranger = |p: &&icn_net::PeerInfo| p.admitted.is_none() && p.direction == Direction::Inbound;
    snapshot.peers.iter().filter(stranger).count()
}

#[test]
fn strangers_of_one_address_are_limited_and_seats_are_let_in() {
    run(|ctx| async move {
        let mut hub = config(1, &[]);
        hub.max_peers_per_ip = 2;
        let mut hub = start(&ctx, hub, set(&[1, 9])).await;
        let known = [hub.listen.clone()];
        let mut crowd = Vec::new();
        for n in 10..14 {
            crowd.push(start(&ctx, config(n, &known), TrackedPeers::default()).await);
        }
        hub.wait("full", |s| strangers(s) == 2).await;
        eventually("refused", || hub.status.counters().connections_refused >= 4).await;
        assert_eq!(strangers(&hub.status.snapshot()), 2);

        let seat = start(&ctx, config(9, &known), set(&[1, 9])).await;
        hub.wait_connected(&seat.key).await;
        assert!(strangers(&hub.status.snapshot()) <= 2);
    });
}

#[test]
fn strangers_in_total_are_limited_and_seats_are_let_in() {
    run(|ctx| async move {
        let mut hub = config(1, &[]);
        hub.max_peers = 1;
        let mut hub = start(&ctx, hub, set(&[1, 9])).await;
        let known = [hub.listen.clone()];
        let first = start(&ctx, config(10, &known), TrackedPeers::default()).await;
        hub.wait_connected(&first.key).await;
        let _second = start(&ctx, config(11, &known), TrackedPeers::default()).await;
        eventually("refused", || hub.status.counters().connections_refused >= 2).await;
        assert!(!hub.is_connected(&key(11)));
        let seat = start(&ctx, config(9, &known), set(&[1, 9])).await;
        hub.wait_connected(&seat.key).await;
        assert!(hub.is_connected(&first.key));
    });
}
