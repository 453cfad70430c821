//! Challenges: who may, who judges, who pays.
use crate::{
    script::{run, run_with},
    world::{did, parameters},
};
use icn_model::{Mana, Millis, Parameters, Vote};

const SEVEN: &[&str] = &["A", "B", "C", "D", "E", "F", "G"];

/// A settled job of A's, run by B for 6.
const SETTLED: &str = "
    t=1   submit J by=A max=10            -> ok
    t=2   award J by=A bids=B:6           -> ok
    t=3   receipt J by=B out=x            -> ok | J settled, B maturing 6
";

#[test]
fn the_liar_loses_pay_and_reputation_and_the_submitter_gets_its_mana_back() {
    let mut script = run(SEVEN, SETTLED);
    script.run("t=4 challenge J by=C -> ok | J challenged, C staked 10, C available 90");
    let record = script.world.state.job(&script.jobs["J"]).unwrap().clone();
    let jury = record.challenge.unwrap().jury;
    assert_eq!(jury.len(), 3);
    for party in ["A", "B", "C"] {
        assert!(
            jury.iter().all(|juror| juror.seat != did(party)),
            "{party} is a party"
        );
        let refused = format!("t+0.01 verdict J by={party} out=y -> not-on-jury");
        script.run(&refused);
    }
    let names: Vec<&str> = SEVEN
        .iter()
        .copied()
        .filter(|name| jury.iter().any(|one| one.seat == did(name)))
        .collect();
    assert_eq!(script.world.state.on_jury(&did(names[0])).count(), 1);
    script.run(&format!(
        "
        t+0.1 verdict J by={0} out=y    -> ok | J challenged
        t+0.1 verdict J by={0} out=y    -> not-on-jury
        t+0.1 verdict J by={1} out=y    -> ok | J disproved, A available 100, B maturing 0, B available 100, C staked 0, C available 100, B reputation 0
        t+0.1 verdict J by={2} out=x    -> wrong-state
        t+0.1 challenge J by=C          -> not-challengeable
        ",
        names[0], names[1], names[2]
    ));
    script.world.check_replay();
}

#[test]
fn a_false_alarm_costs_the_stake_and_executors_get_it() {
    let mut script = run(SEVEN, SETTLED);
    script.run("t=4 challenge J by=A -> ok | J challenged, A staked 10");
    let jury = jury_of(&script);
    script.run(&format!(
        "
        t+0.1 verdict J by={0} out=none -> ok
        t+0.1 verdict J by={1} out=x    -> ok
        t+0.1 verdict J by={2} out=x    -> ok | J settled, A staked 0, A available 84, B available 110, B maturing 6
        t+0.1 challenge J by=C          -> not-challengeable
        t=13  tick                            | J settled
        t=13.1 tick                           | J settled
        t=13.2 tick                           | J completed, B available 116
        ",
        jury[0], jury[1], jury[2]
    ));
}

#[test]
fn the_stake_is_divided_without_a_loss() {
    let parameters = Parameters {
        challenge_stake: Mana::from_milli(10_001),
        ..parameters()
    };
    let mut script = run_with(
        SEVEN,
        parameters,
        "
        t=1   submit J by=A max=10 k=2        -> ok
        t=2   award J by=A bids=B:5,C:5       -> ok
        t=3   receipt J by=B                  -> ok
        t=3.1 receipt J by=C                  -> ok
        t=4   challenge J by=A                -> ok | A staked 10.001
        ",
    );
    let jury = jury_of(&script);
    script.run(&format!(
        "
        t+0.1 verdict J by={0} out=x    -> ok
        t+0.1 verdict J by={1} out=x    -> ok | J settled, A staked 0
        ",
        jury[0], jury[1]
    ));
    let now = script.world.state.time();
    let gains = ["B", "C"].map(|name| {
        script
            .world
            .state
            .account(&did(name), now)
            .unwrap()
            .available
            .milli()
            - 100_000
    });
    assert_eq!(gains.iter().sum::<u64>(), 10_001);
    assert!(gains.contains(&5_000) && gains.contains(&5_001));
}

#[test]
fn a_silent_or_divided_jury_changes_nothing() {
    let mut script = run(SEVEN, SETTLED);
    script.run(
        "
        t=4    challenge J by=C                -> ok | C staked 10
        t=6    tick                                  | J challenged
        t=6.1  tick                                  | J challenged
        t=6.2  tick                                  | J settled, C staked 0, C available 100, B maturing 6
        t=6.3  challenge J by=C                -> ok | J challenged
        ",
    );
    let jury = jury_of(&script);
    script.run(&format!(
        "
        # Replays that differ among themselves convict nobody.
        t+0.1 verdict J by={0} out=y    -> ok
        t+0.1 verdict J by={1} out=z    -> ok
        t+0.1 verdict J by={2} out=x    -> ok | J settled, B reputation 250, C available 100
        ",
        jury[0], jury[1], jury[2]
    ));
}

#[test]
fn pay_does_not_mature_while_it_is_in_doubt() {
    let parameters = Parameters {
        receipt_grace_ms: Millis::from_secs(60),
        ..parameters()
    };
    let mut script = run_with(
        SEVEN,
        parameters,
        "
        t=1   submit J by=A max=10 deadline=600 -> ok
        t=2   award J by=A bids=B:6             -> ok
        t=3   receipt J by=B out=x              -> ok
        t=4   challenge J by=C                  -> ok
        t=30  tick
        t=31  tick                                    | J challenged, B maturing 6
    ",
    );
    let jury = jury_of(&script);
    script.run(&format!(
        "
        t=32  verdict J by={0} out=x    -> ok
        t=33  verdict J by={1} out=x    -> ok | J settled, B maturing 6, B available 110
        t=34  tick                            | J completed, B available 116
        ",
        jury[0], jury[1]
    ));
}

#[test]
fn what_cannot_be_challenged() {
    run(
        SEVEN,
        "
        t=1   submit J by=A max=10            -> ok
        t=2   challenge J by=C                -> not-challengeable
        t=3   award J by=A bids=B:6           -> ok
        t=4   challenge J by=C                -> not-challengeable
        t=5   receipt J by=B                  -> ok
        t=6   challenge J by=B                -> not-challengeable
        t=7   share by=C to=C amount=1        -> not-sharable
        t=15.1 tick
        t=16  challenge J by=C                -> not-challengeable
        ",
    );
    // Nobody is left to judge: three seats, all of them parties.
    run(
        &["A", "B", "C"],
        "
        t=1   submit J by=A max=10            -> ok
        t=2   award J by=A bids=B:6           -> ok
        t=3   receipt J by=B                  -> ok
        t=4   challenge J by=C                -> not-challengeable
        t=5   challenge J by=A                -> ok | J challenged
        t=6   verdict J by=C out=x            -> ok | J settled, B available 110
        ",
    );
    run(
        SEVEN,
        "
        t=1   add m by=C                      -> ok
        t=2   submit J by=A max=10            -> ok
        t=2.1 award J by=A bids=B:6           -> ok
        t=2.2 receipt J by=B                  -> ok
        t=3   challenge J by=m                -> not-a-cooperative
        t=4   submit K by=C max=95            -> ok
        t=5   challenge J by=C                -> insufficient-mana
        ",
    );
}

#[test]
fn juries_differ_from_job_to_job() {
    let mut drawn = std::collections::BTreeSet::new();
    let mut script = run(SEVEN, "");
    for round in 0..12 {
        script.run(
            "
            t+1   submit J by=A max=0             -> ok
            t+0.1 award J by=A bids=B:0           -> ok
            t+0.1 receipt J by=B out=x            -> ok
            t+0.1 challenge J by=A                -> ok
            ",
        );
        let jury = jury_of(&script);
        script.run(&format!(
            "t+0.1 verdict J by={} out=y -> ok\nt+0.1 verdict J by={} out=y -> ok | J disproved",
            jury[0], jury[1]
        ));
        drawn.insert(jury);
        assert!(round < 6 || drawn.len() > 2, "{drawn:?}");
    }
}

fn jury_of(script: &crate::script::Script) -> Vec<&'static str> {
    let job = script.world.state.job(&script.jobs["J"]).unwrap();
    let jury = &job.challenge.as_ref().unwrap().jury;
    assert!(jury.iter().all(|juror| juror.vote == Vote::Pending {}));
    let name_of = |seat| SEVEN.iter().copied().find(|name| did(name) == seat).unwrap();
    jury.iter().map(|juror| name_of(juror.seat)).collect()
}
