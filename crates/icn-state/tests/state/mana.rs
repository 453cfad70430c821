//! Regeneration, capacity and sharing.
use crate::{
    script::{run, run_with},
    world::{START, World, did, parameters},
};
use icn_model::{Action, Mana, Millis, Parameters};
use proptest::prelude::*;

/// 3,600 an hour: one a second.
fn regenerating() -> Parameters {
    Parameters {
        mana_rate_per_hour: Mana::from_whole(3_600),
        mana_start: Mana::from_whole(50),
        ..parameters()
    }
}

#[test]
fn balances_regenerate_up_to_capacity() {
    run_with(
        &["A", "B"],
        regenerating(),
        "
        t=10  tick                                  | A available 60, supply granted 100
        t=50  tick                                  | A available 100
        t=99  tick                                  | A available 100, supply regenerated 0
        t=100 submit J by=A max=30 deadline=130     -> ok | A available 70, A held 30, supply regenerated 50
        # What is held counts towards capacity: it comes back, or has been spent.
        t=110 tick                                  | A available 70, A held 30
        t=120 cancel J by=A                   -> ok | A available 100
        t=121 tick                                  | A available 100
        ",
    );
}

#[test]
fn a_newcomer_regenerates_from_its_first_epoch() {
    run_with(
        &["A"],
        regenerating(),
        "
        t=1   join by=B invited=A             -> ok
        t=2   approve B by=A                  -> ok
        t=3   ready by=B                      -> ok
        t=10  tick                                  | B available 0
        t+1   epoch                                 | B available 50
        t+10  tick                                  | B available 60
        ",
    );
}

#[test]
fn pay_is_never_capped_and_spending_makes_room() {
    run_with(
        &["A", "B", "C"],
        Parameters {
            mana_start: Mana::from_whole(100),
            ..regenerating()
        },
        "
        t=1   submit J by=A max=40            -> ok
        t=2   award J by=A bids=B:40          -> ok
        t=3   receipt J by=B                  -> ok | A available 60, B maturing 40, B available 100
        t=13  tick                                  | A available 70
        t=13.1 tick                                 | B available 100
        t=14  tick                                  | B available 140, B maturing 0
        t=50  tick                                  | B available 140, A available 100
        ",
    );
}

#[test]
fn sharing_stays_within_the_cooperative() {
    run(
        &["A", "B"],
        "
        t=1   add m by=A                      -> ok
        t=1.1 add m by=B                      -> already-known
        t=1.2 add B by=A                      -> already-known
        t=2   share by=A to=m amount=30       -> ok | A available 70, A shared 30, m available 30
        t=3   share by=A to=B amount=1        -> not-sharable
        t=4   share by=m to=B amount=1        -> not-sharable
        t=5   share by=B to=m amount=1        -> not-sharable
        t=6   share by=A to=A amount=1        -> not-sharable
        t=6.1 share by=m to=m amount=1        -> not-sharable
        t=7   share by=A to=m amount=0        -> zero-amount
        t=8   share by=A to=m amount=70.001   -> insufficient-mana
        t=9   share by=m to=A amount=10       -> ok | A available 80, A shared 20, m available 20
        t=10  strike m by=B                   -> unknown-member
        t=11  strike m by=A                   -> ok | A available 100, A shared 0
        t=12  share by=m to=A amount=1        -> unknown-author
        ",
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// I11: an account that is touched at any moments has at the end what one has that was not.
    #[test]
    fn looking_changes_nothing(
        // Some fill up in one step, some gain less than a thousandth in it.
        (rate, room) in (0_u32..36, 0_u32..40).prop_flat_map(|(rate, room)| (0_u64..1 << rate, 0_u64..1 << room)),
        start in 0_u64..100_000,
        steps in proptest::collection::vec(1_u64..5_000_000, 1..30),
    ) {
        let parameters = Parameters {
            mana_rate_per_hour: Mana::from_milli(rate),
            mana_capacity: Mana::from_milli(start + room),
            mana_start: Mana::from_milli(start),
            ..parameters()
        };
        let mut often = World::new(&["A", "B"], parameters);
        often.loads = false;
        let untouched = World::new(&["A", "B"], parameters);
        let mut now = START;
        for step in steps {
            now = now.after(Millis::new(step));
            // Sharing what is not there touches the account and is undone; sharing to and fro stays.
            let add = often.operation("A", Action::AddMember { member: did("m") });
            let strike = often.operation("A", Action::RemoveMember { member: did("m") });
            let amount = Mana::from_milli(1);
            let share = often.operation("A", Action::ShareMana { to: did("m"), amount });
            often.apply(now, vec![add, share, strike]);
            let expected = {
                // The definition, in whole numbers.
                let elapsed = u128::from(now.since(START).get());
                let gained = u128::from(rate) * elapsed / 3_600_000;
                (u128::from(start) + gained).min(u128::from(start + room))
            };
            let seen = often.state.account(&did("A"), now).unwrap();
            prop_assert_eq!(u128::from(seen.available.milli()), expected);
            let other = untouched.state.account(&did("A"), now).unwrap();
            prop_assert_eq!(seen.available, other.available);
        }
    }
}
