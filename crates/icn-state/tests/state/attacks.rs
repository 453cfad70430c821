//! The economic attacks that the specification names, each with the rule that stops it at work.
use crate::{
    script::{Script, run, run_with},
    world::{did, parameters},
};
use icn_model::{Mana, Parameters};

fn regenerating() -> Parameters {
    Parameters {
        mana_rate_per_hour: Mana::from_whole(3_600),
        ..parameters()
    }
}

/// What a cooperative and its members have together, in thousandths.
fn worth(script: &Script, cooperative: &str) -> u64 {
    let account = script
        .world
        .state
        .account(&did(cooperative), script.world.state.time())
        .unwrap();
    [
        account.available,
        account.held,
        account.maturing,
        account.staked,
        account.shared,
    ]
    .iter()
    .map(|part| part.milli())
    .sum()
}

#[test]
fn inventing_members_gains_nothing() {
    // A invents members and hands them all that it has, over and over; B does nothing.
    let mut script = run_with(&["A", "B"], regenerating(), "");
    for round in 0..5 {
        script.run(&format!(
            "
            t+1   add m{round} by=A                 -> ok | m{round} available 0
            t+100 share by=A to=m{round} amount=15  -> ok
            t+500 tick
            "
        ));
    }
    script.run("t+9999 tick");
    assert_eq!(worth(&script, "A"), worth(&script, "B"));
    // What its members spend makes room, exactly as if it had spent itself.
    script.run(
        "
        t+1  submit J by=m0 max=10       -> ok
        t+1  award J by=A bids=B:10      -> ok
        t+1  receipt J by=B              -> ok
        t+99 share by=A to=m1 amount=1         | supply regenerated 10
        ",
    );
    assert_eq!(worth(&script, "A"), 100_000);
}

#[test]
fn holding_mana_makes_no_room_for_more() {
    run_with(
        &["A", "B"],
        regenerating(),
        "
        t=1    submit J by=A max=90 deadline=5000  -> ok | A available 10, A held 90
        t=4900 tick                                      | A available 10
        t=4901 cancel J by=A                       -> ok | A available 100
        ",
    );
}

#[test]
fn staking_mana_makes_no_room_for_more() {
    run_with(
        &["A", "B", "C", "D"],
        Parameters {
            challenge_stake: Mana::from_whole(90),
            ..regenerating()
        },
        "
        t=1    submit J by=A max=0                 -> ok
        t=2    award J by=A bids=B:0               -> ok
        t=3    receipt J by=B                      -> ok
        t=4    challenge J by=C                    -> ok | C available 10, C staked 90
        t=6    tick                                      | C available 10
        t=6.1  tick                                      | C available 10
        t=6.2  tick                                      | C available 100, supply regenerated 0
        ",
    );
}

#[test]
fn washing_between_two_accounts_gains_a_bounded_standing() {
    // A pays B for nothing, again and again, and gets it back the same way.
    let mut script = run(&["A", "B", "C", "D"], "");
    let mut reputation = Vec::new();
    for _ in 0..4 {
        for (payer, executor) in [("A", "B"), ("B", "A")] {
            script.run(&format!(
                "
                t+1  submit J by={payer} max=80                 -> ok
                t+1  award J by={payer} bids={executor}:80      -> ok
                t+1  receipt J by={executor}                    -> ok
                t+11 tick
                t+1  tick
                "
            ));
        }
        reputation.push(
            script
                .world
                .state
                .reputation(&did("B"), script.world.state.time()),
        );
    }
    // 250 + 750 × 80/180, then the cap of 100 from one payer: 250 + 750 × 100/200, however much is paid.
    assert_eq!(reputation, [583, 625, 625, 625]);
    assert_eq!(
        script.world.state.standing(&did("B")).earned,
        Mana::from_whole(100)
    );
    // Work for a second payer counts on.
    script.run(
        "
        t+1  submit K by=C max=80      -> ok
        t+1  award K by=C bids=B:80    -> ok
        t+1  receipt K by=B            -> ok
        t+11 tick
        t+1  tick                            | B reputation 732
        ",
    );
}

#[test]
fn work_for_oneself_or_ones_cooperative_counts_nothing() {
    run(
        &["A", "B"],
        "
        t=1   submit J by=A max=50 only=A     -> ok
        t=2   award J by=A bids=A:50          -> ok
        t=3   receipt J by=A                  -> ok
        t=4   add m by=A                      -> ok
        t=5   share by=A to=m amount=50       -> ok
        t=6   submit K by=m max=50 only=A     -> ok
        t=7   award K by=A bids=A:50          -> ok
        t=8   receipt K by=A                  -> ok
        t=20  tick
        t=21  tick                                  | J completed, K completed, A reputation 250, A available 100
        ",
    );
}

#[test]
fn exhausting_holds_is_bounded_and_wears_off() {
    run(
        &["A", "B"],
        "
        t=1   submit J by=A max=1 deadline=20 -> ok
        t=2   submit K by=A max=1             -> ok
        t=3   submit L by=A max=1             -> ok | A holds 3
        t=4   submit M by=A max=1             -> too-many-holds
        t=5   submit N by=B max=1             -> ok
        t=19  tick
        t=20  tick                                  | J rolled-back, A holds 2, A held 2
        t=21  submit M by=A max=1             -> ok
        ",
    );
}

#[test]
fn nobody_is_paid_twice() {
    // A late receipt, a second receipt, a receipt after cancelling: the job's hold is closed once.
    run(
        &["A", "B", "C"],
        "
        t=1   submit J by=A max=10            -> ok
        t=2   award J by=A bids=B:10          -> ok
        t=3   receipt J by=B                  -> ok | J settled, A available 90, B maturing 10
        t=4   receipt J by=B                  -> wrong-state
        t=5   cancel J by=A                   -> wrong-state
        t=6   return J by=B                   -> wrong-state
        t=7   award J by=A bids=C:10          -> wrong-state
        t=8   leave by=A                      -> ok | A available 90, B maturing 10
        t=14  tick
        t=15  tick                                  | J completed, A available 90, B available 110
        ",
    );
}

#[test]
fn failures_sink_reputation_and_wear_off() {
    run(
        &["A", "B", "C", "D"],
        "
        t=1   submit J by=A max=1             -> ok
        t=2   award J by=A bids=B:1           -> ok
        t=3   receipt J by=B exit=host        -> ok | B reputation 200
        t=4   submit K by=A max=1             -> ok
        t=5   award K by=A bids=B:1           -> ok
        t=6   return K by=B                   -> ok | B reputation 190
        t=3606 tick                                 | B reputation 200
        t=18006 tick                                | B reputation 240
        t=99999 tick                                | B reputation 250
        ",
    );
}

#[test]
fn a_liar_begins_below_a_newcomer() {
    let mut script = run(
        &["A", "B", "C", "D"],
        "
        t=1   submit J by=A max=80            -> ok
        t=2   award J by=A bids=B:80          -> ok
        t=3   receipt J by=B                  -> ok
        t=15  tick
        t=16  tick                                  | B reputation 583
        t=17  submit K by=A max=1             -> ok
        t=18  award K by=A bids=B:1           -> ok
        t=19  receipt K by=B out=lie          -> ok
        t=20  challenge K by=A                -> ok
        t=20.1 verdict K by=C out=truth       -> ok
        t=20.2 verdict K by=D out=truth       -> ok | K disproved, B reputation 0
        ",
    );
    // 195 of the 1,000 points are left after 80 hours and a half.
    script.run("t=290000 tick | B reputation 55");
    assert_eq!(script.world.state.standing(&did("B")).earned, Mana::ZERO);
}
