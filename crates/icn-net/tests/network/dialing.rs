//! Bootstrap addresses, ports, dead peers.
use crate::harness::{LIMIT, config, eventually, key, pass, run, set, start, start_with};
use commonware_p2p::{Manager as _, TrackedPeers};
use commonware_utils::NZUsize;
use icn_net::{Address, Config, ConfigError, NetworkEvent, StartError, peer_name};
use std::{
    net::{SocketAddr, TcpListener as StdListener},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
    sync::watch,
    time::timeout,
};

#[test]
fn any_form_of_bootstrap_address_works() {
    run(|ctx| async move {
        let mut a = start(&ctx, config(1, &[]), TrackedPeers::default()).await;
        let port = a.listen.socket_addr().unwrap().port();
        let name: Address = format!("/dns4/localhost/tcp/{port}").parse().unwrap();
        let forms = [
            a.listen.clone(),
            a.listen.with_peer(&a.key),
            name.clone(),
            name.with_peer(&a.key),
        ];
        for (n, form) in (10..).zip(forms) {
            let mut b = start(&ctx, config(n, &[form]), TrackedPeers::default()).await;
            b.wait_connected(&a.key).await;
            a.wait_connected(&b.key).await;
            b.stop().await;
        }
    });
}

#[test]
fn a_network_that_has_ended_shows_no_peers() {
    run(|ctx| async move {
        let a = start(&ctx, config(1, &[]), TrackedPeers::default()).await;
        let bootstrap = [a.listen.clone()];
        let mut b = start(&ctx, config(2, &bootstrap), TrackedPeers::default()).await;
        b.wait_connected(&a.key).await;
        let (status, task) = (b.status.clone(), b.task);
        task.abort();
        let _ = task.await;
        let last = status.snapshot();
        assert!(last.peers.is_empty() && last.listen.is_empty(), "{last:#?}");
    });
}

#[test]
fn an_address_is_retried_until_somebody_is_there() {
    run(|ctx| async move {
        let free = StdListener::bind("127.0.0.1:0").unwrap();
        let address = Address::from(free.local_addr().unwrap());
        let mut b = start(&ctx, config(2, std::slice::from_ref(&address)), set(&[1, 2])).await;
        drop(free);
        eventually("failed dials", || b.status.counters().dials_failed >= 3).await;
        let mut a = config(1, &[]);
        a.listen = vec![address];
        let a = start(&ctx, a, set(&[1, 2])).await;
        b.wait_connected(&a.key).await;
    });
}

#[test]
fn a_wrong_key_is_refused_counted_and_told_once() {
    run(|ctx| async move {
        let b = start(&ctx, config(2, &[]), TrackedPeers::default()).await;
        let a = start(&ctx, config(1, &[b.listen.with_peer(&key(3))]), set(&[1, 3])).await;
        let mut events = a.status.events();
        eventually("retried", || a.status.counters().wrong_keys >= 4).await;
        assert!(!a.is_connected(&b.key) && !a.is_connected(&key(3)));
        let mut told = 0;
        while let Ok(event) = events.try_recv() {
            if let NetworkEvent::WrongKey {
                address,
                expected,
                obtained,
            } = event
            {
                assert_eq!((expected, obtained), (peer_name(&key(3)), peer_name(&b.key)));
                assert_eq!(address, b.listen);
                told += 1;
            }
        }
        assert!(told <= 1, "told {told} times");
    });
}

#[test]
fn a_peer_that_moved_keys_is_met_again_at_an_address_without_id() {
    run(|ctx| async move {
        let b = start(&ctx, config(2, &[]), TrackedPeers::default()).await;
        let address = b.listen.clone();
        let mut a = start(
            &ctx,
            config(1, std::slice::from_ref(&address)),
            TrackedPeers::default(),
        )
        .await;
        a.wait_connected(&b.key).await;
        b.stop().await;
        let mut moved = config(3, &[]);
        moved.listen = vec![address];
        let c = start(&ctx, moved, TrackedPeers::default()).await;
        a.wait_connected(&c.key).await;
    });
}

#[test]
fn the_key_that_followed_another_is_met_at_the_address_that_names_that_one() {
    run(|ctx| async move {
        let former = start(&ctx, config(2, &[]), TrackedPeers::default()).await;
        let address = former.listen.clone();
        let mut a = start(&ctx, config(1, &[address.with_peer(&former.key)]), set(&[1, 2])).await;
        a.wait_connected(&former.key).await;
        former.stop().await;
        let mut next = config(3, &[]);
        next.listen = vec![address];
        let next = start(&ctx, next, TrackedPeers::default()).await;
        eventually("refused", || a.status.counters().wrong_keys >= 2).await;
        assert!(!a.is_connected(&next.key), "nobody has said that it followed");

        let mut oracle = a.oracle.clone();
        oracle.succeed([(key(2), key(3))].into());
        oracle.track(2, TrackedPeers::new(set(&[1, 3]), set(&[2])));
        a.wait_connected(&next.key).await;
    });
}

#[test]
fn a_taken_port_is_an_error() {
    run(|ctx| async move {
        let a = start(&ctx, config(1, &[]), TrackedPeers::default()).await;
        assert_ne!(a.listen.socket_addr().unwrap().port(), 0);
        let other = StdListener::bind("127.0.0.1:0").unwrap();
        let taken = [a.listen.clone(), Address::from(other.local_addr().unwrap())];
        for (n, address) in (2..).zip(taken) {
            let mut wish = config(n, &[]);
            wish.listen = vec![address.clone()];
            let refused = start_with(&ctx, wish, TrackedPeers::default(), NZUsize!(1))
                .await
                .err();
            let Some(StartError::Listen {
                address: named,
                source,
            }) = refused
            else {
                panic!("{refused:?}");
            };
            assert_eq!((named, source.kind()), (address, std::io::ErrorKind::AddrInUse));
        }
        // Freed as soon as the network stops.
        let address = a.listen.clone();
        a.stop().await;
        let mut wish = config(2, &[]);
        wish.listen = vec![address];
        start(&ctx, wish, TrackedPeers::default()).await;
    });
}

#[test]
fn every_interface_is_reported_before_start_returns() {
    run(|ctx| async move {
        let mut all = config(1, &[]);
        all.listen = vec!["/ip4/0.0.0.0/tcp/0".parse().unwrap()];
        let a = start(&ctx, all, TrackedPeers::default()).await;
        let snapshot = a.status.snapshot();
        let loopback = |a: &Address| {
            a.socket_addr()
                .is_some_and(|s| s.ip().is_loopback() && s.port() != 0)
        };
        assert!(snapshot.listen.iter().any(loopback), "{:?}", snapshot.listen);
        assert_eq!(snapshot.peer_id, peer_name(&a.key));
    });
}

#[test]
fn impossible_settings_do_not_start() {
    run(|ctx| async move {
        let mut wish = config(1, &[]);
        wish.federation = "no/slashes".into();
        let refused = start_with(&ctx, wish, TrackedPeers::default(), NZUsize!(1))
            .await
            .err();
        assert!(
            matches!(refused, Some(StartError::Config(ConfigError::Federation { .. }))),
            "{refused:?}"
        );
        let mut wish = config(1, &[]);
        wish.listen = vec!["/dns4/localhost/tcp/0".parse().unwrap()];
        let refused = start_with(&ctx, wish, TrackedPeers::default(), NZUsize!(1))
            .await
            .err();
        assert!(matches!(refused, Some(StartError::Listen { .. })), "{refused:?}");
    });
}

/// Forwards connections to `to` while not frozen. Frozen, it keeps every socket open and moves nothing:
/// only the lack of arrivals tells.
async fn proxy(listener: TcpListener, to: SocketAddr, frozen: watch::Receiver<bool>) {
    while let Ok((near, _)) = listener.accept().await {
        let Ok(far) = TcpStream::connect(to).await else {
            continue;
        };
        let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
        tokio::spawn(pump(near_in, far_out, frozen.clone()));
        tokio::spawn(pump(far_in, near_out, frozen.clone()));
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut frozen: watch::Receiver<bool>) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        if frozen.wait_for(|frozen| !frozen).await.is_err() {
            return;
        }
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            _ = frozen.changed() => continue,
        };
        match read {
            Ok(read) if read > 0 && to.write_all(&buffer[..read]).await.is_ok() => {}
            _ => return,
        }
    }
}

#[test]
fn a_silent_peer_is_dropped_and_found_again() {
    run(|ctx| async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxied = Address::from(listener.local_addr().unwrap());
        // Nobody learns of a way around the proxy: B announces the proxy, A a port where nobody is.
        let nobody = StdListener::bind("127.0.0.1:0").unwrap();
        let dead_end = Address::from(nobody.local_addr().unwrap());
        drop(nobody);
        let short = |mut config: Config| {
            config.timings.silence = Duration::from_millis(1_500);
            config.timings.dial_timeout = Duration::from_millis(1_500);
            config
        };
        let mut b = short(config(2, &[]));
        b.announce = vec![proxied.clone()];
        let mut b = start(&ctx, b, set(&[1, 2])).await;
        let mut a = short(config(1, &[proxied]));
        a.announce = vec![dead_end];
        let mut a = start(&ctx, a, set(&[1, 2])).await;
        let (freeze, frozen) = watch::channel(false);
        let to = b.listen.socket_addr().unwrap();
        let proxy = tokio::spawn(proxy(listener, to, frozen));

        for round in 1..=2 {
            pass(
                (&a.key, &mut a.urgent.0),
                (&b.key, &mut b.urgent.1),
                vec![round, 1],
            )
            .await;
            pass(
                (&b.key, &mut b.urgent.0),
                (&a.key, &mut a.urgent.1),
                vec![round, 2],
            )
            .await;
            freeze.send_replace(true);
            a.wait("dropped", |s| s.peers.is_empty()).await;
            b.wait("dropped", |s| s.peers.is_empty()).await;
            freeze.send_replace(false);
            timeout(LIMIT, a.wait_connected(&b.key)).await.unwrap();
        }
        pass((&a.key, &mut a.bulk.0), (&b.key, &mut b.bulk.1), vec![3; 1_000]).await;
        proxy.abort();
    });
}

#[test]
fn local_discovery_runs_or_says_why_not() {
    run(|ctx| async move {
        let mut wish = config(1, &[]);
        wish.mdns = true;
        match start_with(&ctx, wish, TrackedPeers::default(), NZUsize!(1)).await {
            Ok(node) => node.stop().await,
            Err(error) => assert!(matches!(error, StartError::Mdns(_)), "{error:?}"),
        }
    });
}
