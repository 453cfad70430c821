//! How fast blocks are applied, in time on a processor: prints, promises nothing. Linux only. Run it with
//! `cargo test -p icn-state --release -- --ignored --nocapture speed`.
use crate::world::{World, did, parameters};
use icn_model::{Action, Mana, Millis, Parameters, SignedOperation};
use std::time::Duration;

const COUNT: usize = 5_000;

/// Time that this thread has had a processor, so that other work on the machine does not count.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text.split(' ').next().and_then(|text| text.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}

fn large() -> World {
    let names: Vec<String> = (0..100).map(|number| format!("S{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let parameters = Parameters {
        max_holds: 1 << 20,
        mana_capacity: Mana::from_whole(1_000_000),
        mana_start: Mana::from_whole(1_000_000),
        mana_rate_per_hour: Mana::from_whole(10_000),
        ..parameters()
    };
    let mut world = World::new(&names, parameters);
    world.loads = false;
    world
}

fn time_block(what: &str, world: &mut World, operations: Vec<SignedOperation>) {
    let time = world.state.time().after(Millis::from_secs(1));
    let context = world.context(time);
    let began = processor_time();
    let outcome = world.state.apply(&context, &operations);
    let took = processor_time() - began;
    let ok = outcome.results.iter().filter(|result| result.is_ok()).count();
    println!("{what}: {ok} of {} operations in {took:?}", operations.len());
}

#[test]
#[ignore = "prints how fast blocks are applied, asserts nothing about it"]
fn speed() {
    let mut world = large();
    let adding: Vec<_> = (0..COUNT)
        .map(|number| {
            let member = did(&format!("member {number}"));
            world.operation(&format!("S{}", number % 100), Action::AddMember { member })
        })
        .collect();
    time_block("add-member", &mut world, adding);
    let sharing: Vec<_> = (0..COUNT)
        .map(|number| {
            let to = did(&format!("member {number}"));
            let amount = Mana::from_whole(1);
            world.operation(&format!("S{}", number % 100), Action::ShareMana { to, amount })
        })
        .collect();
    time_block("share-mana", &mut world, sharing);
    for round in 0..4 {
        let submitting: Vec<_> = (0..COUNT)
            .map(|number| {
                let spec = Box::new(world.spec(1));
                world.operation(&format!("S{}", number % 100), Action::SubmitJob { spec })
            })
            .collect();
        time_block(
            &format!("submit-job, {} jobs before", round * COUNT),
            &mut world,
            submitting,
        );
    }
    let began = processor_time();
    world.state.audit().unwrap();
    println!("audit: {:?}", processor_time() - began);
    let began = processor_time();
    world.state.merkle_root();
    println!(
        "Merkle root: {:?} for {} records",
        processor_time() - began,
        world.state.records().count()
    );
    let time = world.state.time().after(Millis::from_secs(100));
    world.state.apply(&world.context(time), &[]);
    time_block("8,192 jobs lapse, and", &mut world, Vec::new());
}
