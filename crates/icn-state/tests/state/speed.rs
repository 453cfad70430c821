//! How fast blocks are applied, in time on a processor: prints, promises nothing. Linux only. Run it with
//! `cargo test -p icn-state --release -- --ignored --nocapture speed`.
use crate::{
    clearing::lines_to_join,
    credit::{co_sign, terms},
    voting::yes,
    world::{World, did, key, parameters},
};
use icn_model::{
    Action, AgreementAct, AgreementId, ClearingAct, CreditAct, Digest, Effect, Head, LineId, Mana, Method,
    Millis, Parameters, ProposalSpec, RoundNumber, SignedOperation, Time, Transfer, limits,
};
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

const UNITS: [&str; 8] = ["A.0", "B.0", "C.0", "D.0", "E.0", "F.0", "G.0", "H.0"];

/// Agreements on a line in each unit among a hundred, as many as a plan has room for, with something owed on each line.
fn owing(world: &mut World) -> Vec<(LineId, [String; 2])> {
    let lines: Vec<_> = UNITS.iter().map(|unit| (*unit, 1_000_000, 1_000_000)).collect();
    let pairs: Vec<[String; 2]> = (0..limits::MAX_CLEARING_ROWS / UNITS.len())
        .map(|number| {
            let to = (number * 7 + number / 100 + 1) % 100;
            let from = number % 100;
            [from, if from == to { (to + 1) % 100 } else { to }].map(|one| format!("S{one}"))
        })
        .collect();
    let offers: Vec<_> = pairs
        .iter()
        .enumerate()
        .map(|(number, [a, b])| {
            let mut terms = terms(a, b, &lines);
            terms.title = format!("credit {number}").parse().unwrap();
            let content = terms.digest();
            let terms = Box::new(terms);
            (world.operation(a, Action::ProposeAgreement { terms }), content)
        })
        .collect();
    time_block(
        "propose-agreement",
        world,
        offers.iter().map(|(offer, _)| offer.clone()).collect(),
    );
    let mut owing = Vec::new();
    let mut signing = Vec::new();
    for ((offer, content), pair) in offers.into_iter().zip(pairs) {
        let agreement = AgreementId::from(offer.id());
        let act = Box::new(AgreementAct::Sign { revision: 1, content });
        signing.push(world.operation(&pair[1], Action::Agreement { agreement, act }));
        for unit in UNITS {
            let unit = unit.parse().unwrap();
            owing.push((LineId { agreement, unit }, pair.clone()));
        }
    }
    time_block("sign", world, signing);
    owing
}

fn anchor(world: &mut World, line: &LineId, [a, b]: &[String; 2], amount: u64) -> SignedOperation {
    let federation = world.state.federation();
    let transfer = Transfer {
        federation,
        line: line.clone(),
        debtor: did(a),
        number: 1,
        previous: Head::origin(&federation, line, &did(a)).hash,
        amount,
        owed: amount,
        seen: Head::origin(&federation, line, &did(b)),
        reference: Digest::ZERO,
        memo: None,
        made: Time::ZERO,
        key: key(a).public(),
    };
    let heads = vec![co_sign(transfer, a, b)];
    let act = Box::new(CreditAct::Anchor { heads });
    let LineId { agreement, unit } = line.clone();
    world.operation(a, Action::Credit { agreement, unit, act })
}

/// The blocks that freeze and apply the largest round there is.
#[test]
#[ignore = "prints how fast a round of clearing is, asserts nothing about it"]
fn clearing_speed() {
    let mut world = large();
    let lines = owing(&mut world);
    for part in lines.chunks(1_024) {
        let anchors = part.iter().enumerate().map(|(number, (line, pair))| {
            anchor(&mut world, line, pair, 1_000 + (number as u64 * 7_919) % 90_000)
        });
        let anchors = anchors.collect();
        time_block("anchor", &mut world, anchors);
    }
    let spec = ProposalSpec {
        text: None,
        effect: Effect::OpenClearing {},
        electorate: icn_model::Electorate::Cooperatives,
        method: Method::YesNo {},
        topic: "general".parse().unwrap(),
        closes: None,
        votes_final: false,
    };
    let choice = yes(&spec.method);
    let proposal = Box::new(spec);
    let proposal = world.operation("S0", Action::Propose { proposal });
    let id = proposal.id().into();
    time_block("propose", &mut world, vec![proposal]);
    let votes = (0..100).map(|number| {
        let (proposal, choice) = (id, choice.clone());
        world.operation(&format!("S{number}"), Action::Vote { proposal, choice })
    });
    let votes = votes.collect();
    time_block("vote", &mut world, votes);
    let wait = |world: &mut World, secs: u64| {
        let time = world.state.time().after(Millis::from_secs(secs));
        world.state.apply(&world.context(time), &[]);
    };
    for secs in [21, 1, 11, 1] {
        wait(&mut world, secs);
    }
    let round = RoundNumber::new(1);
    let joins = (0..100).flat_map(|number| {
        let name = format!("S{number}");
        let lines = lines_to_join(&world.state, &name);
        let parts: Vec<Vec<LineId>> = lines
            .chunks(limits::MAX_LINES_PER_JOIN)
            .map(<[_]>::to_vec)
            .collect();
        parts.into_iter().map(move |lines| (name.clone(), lines))
    });
    let joins: Vec<_> = joins.collect();
    let joins = joins.into_iter().map(|(name, lines)| {
        let act = ClearingAct::Join { round, lines };
        world.operation(&name, Action::Clearing { act })
    });
    let joins = joins.collect();
    time_block("join", &mut world, joins);
    // A day each; pauses of the log do not count.
    for what in ["freeze", "apply"] {
        for _ in 0..24 * 6 + 1 {
            wait(&mut world, 599);
        }
        time_block(what, &mut world, Vec::new());
        let record = world.state.round(&round).unwrap();
        println!("{} rows, {}", record.rows, record.phase.name());
    }
}
