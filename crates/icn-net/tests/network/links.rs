//! Consensus channels between tracked peers.
use crate::harness::{config, eventually, key, next, pass, run, set, start, start_with};
use commonware_p2p::{
    Blocker as _, Manager as _, Provider as _, Receiver as _, Recipients, Sender as _, TrackedPeers,
};
use commonware_utils::NZUsize;
use icn_net::{Closed, DiscoveryError, Role};

#[test]
fn both_classes_both_ways_and_large_frames() {
    run(|ctx| async move {
        let mut a = start(&ctx, config(1, &[]), set(&[1, 2])).await;
        let mut b = start(&ctx, config(2, &[a.listen.clone()]), set(&[1, 2])).await;
        a.wait_connected(&b.key).await;
        b.wait_connected(&a.key).await;

        // Sent once, before any stream is open: the frame waits for the stream.
        assert_eq!(
            a.urgent.0.send(Recipients::All, vec![1; 100], true),
            [b.key.clone()]
        );
        assert_eq!(next(&mut b.urgent.1).await, (a.key.clone(), vec![1; 100]));
        b.urgent.0.send(Recipients::One(a.key.clone()), vec![2], true);
        assert_eq!(next(&mut a.urgent.1).await, (b.key.clone(), vec![2]));

        let block = vec![3; 4_500_000];
        b.bulk.0.send(
            Recipients::Some(vec![a.key.clone(), key(9)]),
            block.clone(),
            false,
        );
        assert_eq!(next(&mut a.bulk.1).await, (b.key.clone(), block));
        a.bulk.0.send(Recipients::All, Vec::<u8>::new(), false);
        assert_eq!(next(&mut b.bulk.1).await, (a.key.clone(), Vec::new()));

        // Too large: refused, counted, and the link lives.
        assert!(
            a.bulk
                .0
                .send(Recipients::All, vec![0; (5 << 20) + 1], false)
                .is_empty()
        );
        assert_eq!(a.status.counters().messages_oversized, 1);
        a.bulk.0.send(Recipients::All, vec![4], false);
        assert_eq!(next(&mut b.bulk.1).await.1, [4]);

        let (sent, heard) = (a.status.counters(), b.status.counters());
        assert_eq!((sent.urgent_out_messages, sent.urgent_out_bytes), (1, 100));
        assert_eq!((heard.urgent_in_messages, heard.urgent_in_bytes), (1, 100));
        assert_eq!(sent.bulk_in_bytes, 4_500_000);
        let seen = a
            .wait("agent", |s| s.peers.iter().all(|p| p.agent.is_some()))
            .await;
        assert_eq!(seen.peers[0].admitted, Some(Role::Seat));
        assert!(seen.peers[0].agent.as_ref().unwrap().starts_with("icn-net/"));
        eventually("round trip", || a.status.snapshot().peers[0].rtt.is_some()).await;
    });
}

#[test]
fn a_flood_loses_frames_but_not_the_link() {
    run(|ctx| async move {
        let backlog = NZUsize!(16);
        let mut a = start_with(&ctx, config(1, &[]), set(&[1, 2]), backlog)
            .await
            .unwrap();
        let known = [a.listen.clone()];
        let mut b = start_with(&ctx, config(2, &known), set(&[1, 2]), backlog)
            .await
            .unwrap();
        pass((&a.key, &mut a.urgent.0), (&b.key, &mut b.urgent.1), vec![1]).await;
        // Nobody reads: the receiver's backlog, then the sender's queue overflow.
        for n in 0..100_000u32 {
            a.urgent.0.send(Recipients::All, n.to_be_bytes().to_vec(), true);
        }
        eventually("loss", || {
            let (out, heard) = (a.status.counters(), b.status.counters());
            out.frames_dropped_out + heard.frames_dropped_in > 0
        })
        .await;
        // Bulk passes at the same time, and urgent again after it.
        pass((&a.key, &mut a.bulk.0), (&b.key, &mut b.bulk.1), vec![2; 100_000]).await;
        pass((&a.key, &mut a.urgent.0), (&b.key, &mut b.urgent.1), vec![9; 9]).await;
        assert_eq!(a.status.counters().connections_closed, 0);
        assert_eq!(b.status.counters().frames_invalid, 0);
    });
}

#[test]
fn an_outsider_has_gossip_but_no_streams_until_it_is_admitted() {
    run(|ctx| async move {
        let mut a = start(&ctx, config(1, &[]), set(&[1, 2])).await;
        let mut c = start(&ctx, config(3, &[a.listen.clone()]), set(&[1, 3])).await;
        c.wait_connected(&a.key).await;
        // It thinks that it may talk, and its frame waits.
        eventually("link", || {
            !c.urgent.0.send(Recipients::All, vec![3], true).is_empty()
        })
        .await;
        eventually("refusal", || a.status.counters().streams_refused > 1).await;
        c.topic.0.send(Recipients::All, vec![1, 2, 3], false);
        assert_eq!(next(&mut a.topic.1).await, (c.key.clone(), vec![1, 2, 3]));
        assert_eq!(a.status.counters().urgent_in_messages, 0);
        assert!(a.urgent.0.send(Recipients::All, vec![0], true).is_empty());
        assert_eq!(a.status.snapshot().peers[0].admitted, None);

        // Admission at run time, as a follower: what waited arrives.
        let mut updates = a.oracle.subscribe().await;
        assert_eq!(updates.recv().await.unwrap().index, 1);
        a.oracle.track(2, TrackedPeers::new(set(&[1, 2]), set(&[3])));
        assert_eq!(updates.recv().await.unwrap().all.secondary, set(&[3]));
        assert_eq!(next(&mut a.urgent.1).await, (c.key.clone(), vec![3]));
        pass((&a.key, &mut a.urgent.0), (&c.key, &mut c.urgent.1), vec![4]).await;
        assert_eq!(a.status.snapshot().peers[0].admitted, Some(Role::Follower));

        // And out again, once it has fallen out of the last sets.
        for index in 3..=6 {
            a.oracle.track(index, set(&[1, 2]));
        }
        a.wait("no longer tracked", |s| {
            s.peers.iter().all(|p| p.admitted.is_none())
        })
        .await;
        assert!(a.urgent.0.send(Recipients::All, vec![0], true).is_empty());
        let refused = a.status.counters().streams_refused;
        eventually("refusal", || a.status.counters().streams_refused > refused).await;
        assert!(a.is_connected(&c.key));
    });
}

#[test]
fn a_blocked_peer_is_cut_off() {
    run(|ctx| async move {
        let mut a = start(&ctx, config(1, &[]), set(&[1, 2])).await;
        let mut b = start(&ctx, config(2, &[a.listen.clone()]), set(&[1, 2])).await;
        pass((&b.key, &mut b.urgent.0), (&a.key, &mut a.urgent.1), vec![1]).await;

        let mut blocked = a.oracle.blocked();
        assert_eq!(blocked.recv().await.unwrap().len(), 0);
        a.oracle.block(b.key.clone());
        assert_eq!(blocked.recv().await.unwrap(), set(&[2]));
        a.wait("disconnected", |s| s.peers.is_empty()).await;
        eventually("refused again", || a.status.counters().connections_refused > 1).await;
        assert!(a.urgent.0.send(Recipients::All, vec![0], true).is_empty());
        assert!(!a.is_connected(&b.key));
    });
}

#[test]
fn a_restarted_peer_is_heard_again() {
    run(|ctx| async move {
        let mut a = start(&ctx, config(1, &[]), set(&[1, 2])).await;
        let known = [a.listen.clone()];
        for round in 1..=3 {
            let mut b = start(&ctx, config(2, &known), set(&[1, 2])).await;
            pass((&b.key, &mut b.urgent.0), (&a.key, &mut a.urgent.1), vec![round]).await;
            pass((&a.key, &mut a.bulk.0), (&b.key, &mut b.bulk.1), vec![round]).await;
            b.stop().await;
            a.wait("disconnected", |s| s.peers.is_empty()).await;
        }
    });
}

#[test]
fn a_frame_over_the_limit_ends_the_stream_and_not_the_link() {
    run(|ctx| async move {
        let mut strict = config(1, &[]);
        strict.max_message = 1_024;
        let mut a = start(&ctx, strict, set(&[1, 2])).await;
        let mut b = start(&ctx, config(2, &[a.listen.clone()]), set(&[1, 2])).await;
        b.wait_connected(&a.key).await;
        b.urgent.0.send(Recipients::All, vec![0; 1_025], true);
        eventually("refused", || a.status.counters().frames_invalid == 1).await;
        pass(
            (&b.key, &mut b.urgent.0),
            (&a.key, &mut a.urgent.1),
            vec![1; 1_024],
        )
        .await;
        assert_eq!(a.status.counters().connections_closed, 0);
        assert_eq!(a.status.counters().frames_invalid, 1);
    });
}

#[test]
fn a_stopped_network_says_so() {
    run(|ctx| async move {
        let mut a = start(&ctx, config(1, &[]), set(&[1, 2])).await;
        let mut b = start(&ctx, config(2, &[a.listen.clone()]), set(&[1, 2])).await;
        pass((&a.key, &mut a.urgent.0), (&b.key, &mut b.urgent.1), vec![1]).await;
        let (mut sender, mut receiver, mut status) = (a.urgent.0.clone(), a.urgent.1, a.status.clone());
        let discovery = a.discovery.clone();
        a.task.abort();
        status
            .wait_for(|s| s.peers.is_empty() && s.listen.is_empty())
            .await;
        assert_eq!(receiver.recv().await.unwrap_err(), Closed);
        assert!(sender.send(Recipients::All, vec![2], true).is_empty());
        assert_eq!(
            discovery.find_providers(vec![1]).await,
            Err(DiscoveryError::Closed)
        );
        b.wait("gone", |s| s.peers.is_empty()).await;
    });
}

#[test]
fn federations_do_not_mix() {
    run(|ctx| async move {
        let mut a = start(&ctx, config(1, &[]), set(&[1, 2])).await;
        let mut other = config(2, &[a.listen.clone()]);
        other.federation = "another".into();
        let mut b = start(&ctx, other, set(&[1, 2])).await;
        a.wait_connected(&b.key).await;
        eventually("link", || {
            !b.urgent.0.send(Recipients::All, vec![1], true).is_empty()
        })
        .await;
        b.topic.0.send(Recipients::All, vec![1], false);
        eventually("nobody subscribed", || b.status.counters().gossip_queued == 1).await;
        assert_eq!(a.status.counters().urgent_in_messages, 0);
        assert_eq!(a.status.counters().gossip_received, 0);
    });
}
