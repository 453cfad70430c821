//! Topics.
use crate::harness::{INVALID, config, eventually, next, run, start};
use commonware_p2p::{CheckedSender as _, LimitedSender as _, Recipients, Sender as _, TrackedPeers};
use icn_net::MAX_GOSSIP_BYTES;
use std::{collections::BTreeSet, time::Duration};
use tokio::time::sleep;

#[test]
fn what_nobody_heard_is_published_when_somebody_subscribes() {
    run(|ctx| async move {
        let mut a = start(&ctx, config(1, &[]), TrackedPeers::default()).await;
        let sent: BTreeSet<Vec<u8>> = (0..100).map(|n| vec![1, n]).collect();
        for message in &sent {
            assert!(a.topic.0.send(Recipients::All, message.clone(), false).is_empty());
        }
        eventually("queued", || a.status.counters().gossip_queued == 100).await;

        let mut b = start(&ctx, config(2, &[a.listen.clone()]), TrackedPeers::default()).await;
        let mut heard = BTreeSet::new();
        while heard.len() < sent.len() {
            let (from, message) = next(&mut b.topic.1).await;
            assert_eq!(from, a.key);
            heard.insert(message);
        }
        assert_eq!(heard, sent);
        eventually("sent", || a.status.counters().gossip_queued == 0).await;
        assert_eq!(a.status.counters().gossip_published, 100);
        // Now somebody is there, and named.
        assert_eq!(a.topic.0.send(Recipients::All, vec![7], false), [b.key.clone()]);
        assert_eq!(next(&mut b.topic.1).await.1, [7]);
    });
}

#[test]
fn valid_messages_travel_on_and_invalid_ones_do_not() {
    run(|ctx| async move {
        let mut a = start(&ctx, config(1, &[]), TrackedPeers::default()).await;
        let mut b = start(&ctx, config(2, &[a.listen.clone()]), TrackedPeers::default()).await;
        let mut c = start(&ctx, config(3, &[b.listen.clone()]), TrackedPeers::default()).await;
        a.wait_connected(&b.key).await;
        b.wait_connected(&c.key).await;

        a.topic.0.send(Recipients::All, vec![INVALID, 1], false);
        eventually("rejected", || b.status.counters().gossip_rejected >= 1).await;
        // An empty message is ignored: neither delivered nor anybody's fault.
        a.topic.0.send(Recipients::All, Vec::<u8>::new(), false);
        eventually("ignored", || b.status.counters().gossip_ignored >= 1).await;

        let largest = vec![5; MAX_GOSSIP_BYTES];
        a.topic
            .0
            .send(Recipients::One(b.key.clone()), largest.clone(), false);
        assert_eq!(next(&mut b.topic.1).await.1, largest);
        assert_eq!(next(&mut c.topic.1).await.1, largest);
        let over = a
            .topic
            .0
            .check(Recipients::All)
            .unwrap()
            .send(vec![5; MAX_GOSSIP_BYTES + 1], false);
        assert!(over.is_rejected());
        // Said before: once is enough.
        a.topic.0.send(Recipients::All, largest, false);
        a.topic.0.send(Recipients::All, vec![6], false);
        assert_eq!(next(&mut b.topic.1).await.1, [6]);
        assert_eq!(next(&mut c.topic.1).await.1, [6]);
    });
}

#[test]
fn who_keeps_sending_invalid_messages_is_no_longer_heard() {
    run(|ctx| async move {
        let mut a = start(&ctx, config(1, &[]), TrackedPeers::default()).await;
        let mut b = start(&ctx, config(2, &[a.listen.clone()]), TrackedPeers::default()).await;
        a.topic.0.send(Recipients::All, vec![1], false);
        assert_eq!(next(&mut b.topic.1).await.1, [1]);
        for n in 0..200 {
            a.topic.0.send(Recipients::All, vec![INVALID, n], false);
            // One RPC may carry many messages, and is let in or not as a whole.
            sleep(Duration::from_millis(2)).await;
        }
        eventually("published", || a.status.counters().gossip_published == 201).await;
        eventually("rejected", || b.status.counters().gossip_rejected >= 5).await;
        a.topic.0.send(Recipients::All, vec![3], false);
        eventually("published", || a.status.counters().gossip_published == 202).await;
        // What is not heard leaves no trace at the receiver, so give it the time to.
        sleep(Duration::from_millis(500)).await;
        let heard = b.status.counters();
        assert!(heard.gossip_rejected < 50, "{heard:?}");
        assert_eq!(heard.gossip_received, 1);
    });
}
