//! Two processes with one key: the later one learns of the earlier, and of none that is gone.
use crate::harness::{LIMIT, Node, config, run, set, start};
use icn_net::Presence;
use tokio::time::timeout;

async fn presence(node: &Node, holds: impl Fn(&Presence) -> bool) -> Presence {
    let mut presence = node.status.presence();
    let found = timeout(LIMIT, presence.wait_for(holds)).await;
    found
        .expect("somebody says something in time")
        .expect("the network runs")
        .clone()
}

#[test]
fn the_later_of_two_learns_of_the_earlier() {
    run(|ctx| async move {
        let witness = start(&ctx, config(1, &[]), set(&[1, 2])).await;
        let known = [witness.listen.clone()];
        let first = start(&ctx, config(2, &known), set(&[1, 2])).await;
        let alone = presence(&first, |presence| !presence.alone.is_empty()).await;
        assert!(alone.alone.contains(&witness.key) && !alone.has_twin);

        let second = start(&ctx, config(2, &known), set(&[1, 2])).await;
        let found = presence(&second, |presence| *presence != Presence::default()).await;
        assert!(found.has_twin, "the witness has asked the first: {found:?}");
        assert!(!first.status.presence().borrow().has_twin);

        // Who comes after both are gone is alone, though the witness may not have noticed yet.
        first.stop().await;
        second.stop().await;
        let third = start(&ctx, config(2, &known), set(&[1, 2])).await;
        let found = presence(&third, |presence| *presence != Presence::default()).await;
        assert!(!found.has_twin, "{found:?}");
    });
}
