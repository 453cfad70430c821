//! Who wins a job, and why.
use crate::world::{World, did, parameters};
use icn_model::{Action, Bid, Ineligible, JobId, JobSpec, Mana, Millis, Ranking};
use proptest::prelude::*;

const FIVE: &[&str] = &["A", "B", "C", "D", "E"];

fn submitted(change: impl Fn(&mut JobSpec)) -> (World, JobId) {
    let mut world = World::new(FIVE, parameters());
    let mut spec = world.spec(10);
    change(&mut spec);
    let spec = Box::new(spec);
    let operation = world.operation("A", Action::SubmitJob { spec });
    let time = world.state.time().after(Millis::from_secs(1));
    world
        .apply(time, vec![operation.clone()])
        .results
        .remove(0)
        .unwrap();
    (world, operation.id().into())
}

fn select(world: &World, job: JobId, bids: &[Bid]) -> Ranking {
    let bids: Vec<&Bid> = bids.iter().collect();
    world.state.select(&job, &bids, world.state.time()).unwrap()
}

#[test]
fn scores_add_up_as_documented() {
    let (world, job) = submitted(|_| {});
    let bid = Bid {
        price: Mana::from_milli(2_500),
        local_bytes: 1 << 14,
        load_per_mille: 300,
        ..world.bid(job, "B", 0)
    };
    let ranked = select(&world, job, &[bid]).bids.remove(0);
    let parts = (
        ranked.price_score,
        ranked.reputation,
        ranked.load_score,
        ranked.locality_score,
    );
    assert_eq!(parts, (750, 250, 700, 500));
    assert_eq!(ranked.score, 4 * 750 + 3 * 250 + 2 * 700 + 500);
    assert!(ranked.chosen && ranked.ineligible.is_none());
}

#[test]
fn what_is_just_enough_is_enough() {
    // A newcomer's reputation is 250; a bid of no time and work of its own says what it asks and offers.
    for (required, why) in [(250, None), (251, Some(Ineligible::Reputation { required: 251 }))] {
        let (world, job) = submitted(|spec| spec.require.min_reputation = required);
        let bid = Bid {
            free_memory_bytes: 256 << 20,
            ..world.bid(job, "B", 10)
        };
        assert_eq!(select(&world, job, &[bid]).bids[0].ineligible, why, "{required}");
    }
}

#[test]
fn the_ineligible_come_last_each_with_its_rule() {
    let (world, job) = submitted(|spec| spec.require.cooperatives = ["A", "B", "C", "D"].map(did).to_vec());
    let bids = [
        world.bid(job, "E", 0),
        world.bid(job, "D", 11),
        Bid {
            free_memory_bytes: 1,
            ..world.bid(job, "C", 0)
        },
        world.bid(job, "B", 10),
        world.bid(job, "A", 9),
    ];
    let ranking = select(&world, job, &bids);
    let why = |name: &str| {
        ranking
            .bids
            .iter()
            .find(|bid| bid.executor == did(name))
            .unwrap()
            .ineligible
            .clone()
    };
    assert_eq!(why("E"), Some(Ineligible::NotNamed {}));
    assert_eq!(
        why("D"),
        Some(Ineligible::TooExpensive {
            max: Mana::from_whole(10)
        })
    );
    assert_eq!(why("C"), Some(Ineligible::Memory { required: 256 << 20 }));
    assert_eq!(why("A"), None, "named explicitly");
    let order: Vec<_> = ranking
        .bids
        .iter()
        .map(|bid| (bid.executor, bid.chosen))
        .take(2)
        .collect();
    assert_eq!(order, [(did("A"), true), (did("B"), false)]);
    let (world, job) = submitted(|spec| spec.require.min_reputation = 251);
    let ranking = select(&world, job, &[world.bid(job, "B", 1), world.bid(job, "A", 1)]);
    let rules: Vec<_> = [did("A"), did("B")]
        .iter()
        .map(|did| {
            ranking
                .bids
                .iter()
                .find(|bid| bid.executor == *did)
                .unwrap()
                .ineligible
                .clone()
        })
        .collect();
    assert_eq!(
        rules,
        [
            Some(Ineligible::OwnJob {}),
            Some(Ineligible::Reputation { required: 251 })
        ]
    );
    assert!(ranking.bids.iter().all(|bid| !bid.chosen));
}

#[test]
fn too_few_for_the_replicas_means_none() {
    let (world, job) = submitted(|spec| spec.replicas = 3);
    let bids = [world.bid(job, "B", 1), world.bid(job, "C", 1)];
    assert!(select(&world, job, &bids).bids.iter().all(|bid| !bid.chosen));
}

#[test]
fn equals_share_the_work() {
    // Equal bids, many jobs: each of the four wins some.
    let mut wins = std::collections::BTreeMap::new();
    let (mut world, _) = submitted(|_| {});
    world.loads = false;
    for _ in 0..60 {
        let mut spec = world.spec(0);
        spec.max_mana = Mana::ZERO;
        let operation = world.operation("A", Action::SubmitJob { spec: Box::new(spec) });
        let job = JobId::from(operation.id());
        let time = world.state.time().after(Millis::from_secs(1));
        world.apply(time, vec![operation]).results.remove(0).unwrap();
        let bids = ["B", "C", "D", "E"].map(|name| world.bid(job, name, 0));
        *wins
            .entry(select(&world, job, &bids).bids[0].executor)
            .or_insert(0) += 1;
        world.act("A", Action::CancelJob { job }).unwrap();
    }
    assert_eq!(wins.len(), 4, "{wins:?}");
    assert!(wins.values().all(|won| *won >= 5), "{wins:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever is bid: the ranking does not depend on the order of the bids, no bid changes another's
    /// score, and paying more never helps.
    #[test]
    fn selection_is_a_fair_function(
        offers in proptest::collection::vec((0_u64..20_000, any::<u64>(), any::<u16>(), any::<u64>()), 4),
        rotation in 0_usize..4,
    ) {
        let (world, job) = submitted(|_| {});
        let bids: Vec<Bid> = ["B", "C", "D", "E"].iter().zip(&offers).map(|(name, offer)| Bid {
            price: Mana::from_milli(offer.0),
            local_bytes: offer.1,
            load_per_mille: offer.2,
            free_memory_bytes: offer.3,
            ..world.bid(job, name, 0)
        }).collect();
        let ranking = select(&world, job, &bids);
        let mut rotated = bids.clone();
        rotated.rotate_left(rotation);
        prop_assert_eq!(&ranking, &select(&world, job, &rotated));
        prop_assert!(ranking.bids.iter().all(|bid| bid.score <= 10_000));
        prop_assert!(ranking.bids.is_sorted_by_key(|bid| bid.ineligible.is_some()));
        for bid in &bids {
            let alone = select(&world, job, core::slice::from_ref(bid)).bids.remove(0);
            let among = ranking.bids.iter().find(|one| one.executor == bid.executor).unwrap();
            prop_assert_eq!((alone.score, &alone.ineligible), (among.score, &among.ineligible));
            let dearer = Bid { price: bid.price.saturating_add(Mana::from_milli(1)), ..bid.clone() };
            let dearer = select(&world, job, &[dearer]).bids.remove(0);
            prop_assert!(dearer.score <= alone.score);
        }
    }
}
