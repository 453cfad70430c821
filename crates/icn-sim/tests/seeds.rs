//! Whole runs: everything holds under every fault, a seed is a run, and what is broken is noticed.
use icn_sim::{Config, Fault, Faults, Invariant, Outcome, Trace, run, tamper::Broken};
use std::time::Duration;

const TWO_MINUTES: Duration = Duration::from_secs(120);

fn config(seed: u64, nodes: usize, faults: Faults) -> Config {
    Config {
        faults,
        ..Config::new(seed, nodes, TWO_MINUTES)
    }
}

#[track_caller]
fn holds(config: &Config) -> Outcome {
    match run(config, &Trace::silent()) {
        Ok(outcome) => outcome,
        Err(failure) => panic!("{failure}"),
    }
}

#[test]
fn everything_holds_under_every_fault() {
    for seed in 1..=2 {
        let outcome = holds(&config(seed, 4, Faults::all()));
        assert!(outcome.jobs_settled > 0 && outcome.acknowledged > 10, "{outcome}");
    }
}

#[test]
fn everything_holds_in_a_larger_federation() {
    holds(&config(5, 7, Faults::all()));
}

#[test]
fn federations_too_small_to_spare_a_seat_stand_still_and_go_on() {
    for nodes in 1..=3 {
        let outcome = holds(&config(6, nodes, Faults::all()));
        assert!(outcome.counts.kills > 0, "{outcome}");
    }
}

#[test]
fn a_quiet_federation_does_what_it_is_asked() {
    let outcome = holds(&config(7, 4, Faults::none()));
    assert_eq!(
        (
            outcome.counts.kills,
            outcome.counts.partitions,
            outcome.equivocations
        ),
        (0, 0, 0)
    );
    assert_eq!(
        outcome.jobs,
        outcome.jobs_settled + outcome.rolled_back + outcome.cancelled
    );
    assert!(outcome.jobs_settled > 10, "{outcome}");
}

#[test]
fn a_seat_that_contradicts_itself_is_found_out() {
    let equivocation: Faults = [Fault::Equivocation].into_iter().collect();
    assert!(holds(&config(2, 4, equivocation)).equivocations > 0);
}

#[test]
fn an_executor_that_lies_is_found_out() {
    let liars: Faults = [Fault::Liars].into_iter().collect();
    assert!(holds(&config(1, 5, liars)).disproved > 0);
}

#[test]
fn a_seed_is_a_run() {
    let config = Config {
        span: Duration::from_secs(60),
        ..config(8, 4, Faults::all())
    };
    let (first, second) = (holds(&config), holds(&config));
    // Not only the line: the trace, and the runtime's hash of every step and message.
    assert_eq!(first, second);
    assert_eq!(first.to_string(), second.to_string());
    let other = holds(&Config { seed: 9, ..config });
    assert_ne!(first.root, other.root);
    assert_ne!(first.audit, other.audit);
}

#[track_caller]
fn is_noticed(broken: Broken, as_what: Invariant) {
    let config = Config {
        broken: Some(broken),
        ..config(10, 4, Faults::none())
    };
    let failure = run(&config, &Trace::silent()).expect_err("something was broken");
    assert_eq!(failure.invariant(), Some(as_what), "{failure}");
    assert!(failure.to_string().starts_with("seed=10 nodes=4 t="), "{failure}");
}

#[test]
fn another_root_is_noticed() {
    is_noticed(Broken::Agreement, Invariant::Agreement);
}

#[test]
fn mana_from_nowhere_is_noticed() {
    is_noticed(Broken::Conservation, Invariant::Conservation);
}

#[test]
fn a_job_paid_twice_is_noticed() {
    is_noticed(Broken::PaidOnce, Invariant::PaidOnce);
}

#[test]
fn a_forgotten_acknowledgement_is_noticed() {
    is_noticed(Broken::Acknowledged, Invariant::Acknowledged);
}

#[test]
fn a_network_that_does_not_heal_is_noticed() {
    is_noticed(Broken::Progress, Invariant::Progress);
}
