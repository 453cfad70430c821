//! Lines of credit on the log: what is anchored, refused, void, frozen and disputed, and what agreements do to them.
use crate::world::{World, did, key, parameters};
use icn_model::{
    Acceptance, Action, AgreementAct, AgreementId, AgreementKind, AgreementState, CoSigned, CreditAct,
    CreditEvent, CreditStep, Digest, DisputeRule, Ending, Event, Head, LineId, LineLimits, LinePhase,
    LineRecord, LineTerms, Millis, Party, PartyRole, Refusal, Release, RoleKeys, Signed, Terms, Time,
    Transfer, limits,
};
use icn_state::State;
use std::collections::BTreeMap;

const SECOND: Millis = Millis::from_secs(1);
const DAY: u64 = 24 * 3_600;

pub(crate) fn terms(a: &str, b: &str, lines: &[(&str, u64, u64)]) -> Terms {
    let party = |name, role| Party { did: did(name), role };
    Terms {
        kind: AgreementKind::Credit,
        title: "credit".parse().unwrap(),
        parties: vec![party(a, PartyRole::Proposer), party(b, PartyRole::Counterparty)],
        effective: None,
        expires: None,
        renews_by_ms: None,
        notice_ms: Millis::from_secs(30),
        contest_ms: Millis::from_secs(60),
        disputes: DisputeRule::Negotiation {},
        lines: lines
            .iter()
            .map(|(unit, proposer_limit, counterparty_limit)| LineTerms {
                unit: unit.parse().unwrap(),
                proposer_limit: *proposer_limit,
                counterparty_limit: *counterparty_limit,
            })
            .collect(),
        rates: Vec::new(),
        text: None,
    }
}

/// Both signatures over a transfer.
pub(crate) fn co_sign(transfer: Transfer, debtor: &str, creditor: &str) -> CoSigned {
    let acceptance = Acceptance {
        transfer: transfer.hash(),
        key: key(creditor).public(),
    };
    CoSigned {
        transfer: Signed::new(transfer, &key(debtor)),
        acceptance: Signed::new(acceptance, &key(creditor)),
    }
}

/// A and B give each other credit: A may owe 1,000 cents and B 500; and ten hours each.
struct Credit {
    world: World,
    id: AgreementId,
    /// Where the chains in cents stand between the two.
    heads: BTreeMap<&'static str, Head>,
}

const LINES: [(&str, u64, u64); 2] = [("EUR.2", 1_000, 500), ("HOUR.0", 10, 10)];

impl Credit {
    fn new() -> Self {
        let mut world = World::new(&["A", "B", "C"], parameters());
        let action = Action::ProposeAgreement {
            terms: Box::new(terms("A", "B", &LINES)),
        };
        let operation = world.operation("A", action);
        let time = world.state.time().after(SECOND);
        let id = AgreementId::from(operation.id());
        world.apply(time, vec![operation]).results.remove(0).unwrap();
        let mut credit = Self {
            world,
            id,
            heads: BTreeMap::new(),
        };
        assert_eq!(
            credit.world.state.lines().count(),
            0,
            "not before both have signed"
        );
        credit.sign_terms("B").unwrap();
        for name in ["A", "B"] {
            let head = Head::origin(&credit.world.state.federation(), &credit.eur(), &did(name));
            credit.heads.insert(name, head);
        }
        credit
    }

    fn eur(&self) -> LineId {
        LineId {
            agreement: self.id,
            unit: "EUR.2".parse().unwrap(),
        }
    }

    fn line(&self) -> &LineRecord {
        self.world.state.line(&self.eur()).unwrap()
    }

    fn sign_terms(&mut self, by: &str) -> Result<(), Refusal> {
        let record = self.world.state.agreement(&self.id).unwrap();
        let offer = record.offer.as_ref().unwrap();
        let act = AgreementAct::Sign {
            revision: offer.revision,
            content: offer.terms.digest(),
        };
        self.agree(by, act)
    }

    fn agree(&mut self, by: &str, act: AgreementAct) -> Result<(), Refusal> {
        let agreement = self.id;
        let act = Box::new(act);
        self.world.act(by, Action::Agreement { agreement, act })
    }

    /// New terms that both sign.
    fn renew(&mut self, lines: &[(&str, u64, u64)]) {
        let revision = self.world.state.agreement(&self.id).unwrap().revisions + 1;
        let mut terms = terms("A", "B", lines);
        terms.title = format!("credit {revision}").parse().unwrap();
        self.agree("A", AgreementAct::Offer { revision, terms }).unwrap();
        self.sign_terms("B").unwrap();
    }

    fn say(&mut self, by: &str, act: CreditAct) -> Result<(), Refusal> {
        let action = act_of(&self.eur(), act);
        self.world.act(by, action)
    }

    fn anchor(&mut self, by: &str, heads: &[&CoSigned]) -> Result<(), Refusal> {
        let heads = heads.iter().copied().cloned().collect();
        self.say(by, CreditAct::Anchor { heads })
    }

    /// The next transfer of a chain, as an honest debtor makes it.
    fn draft(&self, debtor: &'static str, amount: u64) -> Transfer {
        let (own, other) = (self.heads[debtor], self.heads[other(debtor)]);
        Transfer {
            federation: self.world.state.federation(),
            line: self.eur(),
            debtor: did(debtor),
            number: own.number + 1,
            previous: own.hash,
            amount,
            owed: own.owed + amount,
            seen: other,
            reference: Digest::of(&own.number.to_be_bytes()),
            memo: None,
            made: Time::ZERO,
            key: key(debtor).public(),
        }
    }

    /// The same, signed by both.
    fn transfer(&mut self, debtor: &'static str, amount: u64) -> CoSigned {
        let signed = co_sign(self.draft(debtor, amount), debtor, other(debtor));
        self.heads.insert(debtor, signed.head());
        signed
    }

    fn events(&self) -> Vec<&'static str> {
        let events = &self.world.last.as_ref().unwrap().events;
        let step = |event: &Event| match event {
            Event::Credit(CreditEvent { step, .. }) => Some(step.name()),
            _ => None,
        };
        events.iter().filter_map(step).collect()
    }

    /// Two blocks: the second one's parent, from whose time deadlines are judged, is after the pause.
    fn pass(&mut self, secs: u64) -> Vec<&'static str> {
        let time = self.world.state.time().after(Millis::from_secs(secs));
        self.world.apply(time, Vec::new());
        let mut events = self.events();
        self.world.apply(time.after(Millis::new(1)), Vec::new());
        events.extend(self.events());
        events
    }

    /// So many seconds, in steps that are no pause of the log.
    fn live(&mut self, secs: u64) -> Vec<&'static str> {
        (0..secs.div_ceil(600)).flat_map(|_| self.pass(600)).collect()
    }

    fn void(&mut self, by: &str, through: u64, release: Option<Signed<Release>>) -> Result<(), Refusal> {
        self.say(by, CreditAct::Void { through, release })
    }

    fn release(&self, debtor: &'static str, transfer: &Transfer) -> Signed<Release> {
        let content = Release {
            federation: transfer.federation,
            line: transfer.line.clone(),
            debtor: transfer.debtor,
            after: self.heads[debtor],
            transfer: transfer.hash(),
            key: key(other(debtor)).public(),
        };
        Signed::new(content, &key(other(debtor)))
    }

    fn position(&self) -> i128 {
        self.world.state.position(&self.eur(), &did("A")).unwrap()
    }

    fn rotate_line_key(&mut self, author: &str, holder: &str) {
        let keys = RoleKeys {
            line: key(holder).public(),
            ..self.world.state.seat_record(&did(author)).unwrap().keys.clone()
        };
        let action = Action::RotateKeys {
            keys: Box::new(keys),
            possession: None,
        };
        self.world.act(author, action).unwrap();
    }
}

impl Drop for Credit {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.world.check_replay();
        }
    }
}

fn act_of(line: &LineId, act: CreditAct) -> Action {
    Action::Credit {
        agreement: line.agreement,
        unit: line.unit.clone(),
        act: Box::new(act),
    }
}

fn other(end: &str) -> &'static str {
    match end {
        "A" => "B",
        _ => "A",
    }
}

fn code(result: Result<(), Refusal>) -> &'static str {
    result.map_or_else(|refusal| refusal.code().name, |()| "ok")
}

#[test]
fn an_agreement_on_credit_opens_a_line_in_each_unit() {
    let credit = Credit::new();
    assert_eq!(credit.events(), ["opened", "opened"]);
    let line = credit.line();
    assert_eq!(
        (line.ends, line.phase),
        ([did("A"), did("B")], LinePhase::Open {})
    );
    let limits = LineLimits {
        proposer: 1_000,
        counterparty: 500,
    };
    assert_eq!(
        (line.in_force(), line.highest, line.position()),
        (limits, limits, 0)
    );
    assert!(line.is_even() && line.is_clearable());
    let state = &credit.world.state;
    assert_eq!(state.lines_of(&did("A")).count(), 2);
    assert_eq!(state.lines_of(&did("C")).count(), 0);
    assert_eq!(state.lines_of_agreement(&credit.id).count(), 2);
    let exposure = &state.exposure(&did("B"))[&credit.eur().unit];
    assert_eq!((exposure.may_owe, exposure.may_be_owed), (500, 1_000));
}

#[test]
fn higher_numbers_win_and_the_position_is_the_difference() {
    let mut credit = Credit::new();
    let first = credit.transfer("A", 300);
    let second = credit.transfer("A", 200);
    let third = credit.transfer("A", 500);
    assert_eq!(credit.anchor("B", &[&second]), Ok(()));
    assert_eq!(credit.events(), ["anchored"]);
    assert_eq!(credit.position(), 500);
    let old = |number| Refusal::OldHead {
        end: did("A"),
        number,
        anchored: 2,
    };
    assert_eq!(credit.anchor("A", &[&first]), Err(old(1)), "out of order");
    assert_eq!(credit.anchor("A", &[&second]), Err(old(2)), "again");
    assert_eq!(credit.anchor("A", &[&third]), Ok(()));
    assert_eq!(credit.position(), 1_000);
    // What B owes counts against it; both heads, of which one is known already.
    let back = credit.transfer("B", 400);
    assert_eq!(credit.anchor("A", &[&third, &back]), Ok(()));
    assert_eq!(credit.position(), 600);
    let exposure = credit.world.state.exposure(&did("B"))[&credit.eur().unit];
    assert_eq!((exposure.owed, exposure.owes), (600, 0));
    let more = credit.transfer("A", 400);
    assert_eq!(credit.anchor("B", &[&more, &back]), Ok(()));
    assert_eq!((credit.position(), credit.line().debt(1)), (1_000, -1_000));
}

/// Each change of an honest head, and the refusal that it gets.
#[test]
fn what_is_not_a_transfer_of_the_line_signed_by_both_is_refused() {
    let mut credit = Credit::new();
    let held = credit.transfer("A", 100);
    credit.anchor("A", &[&held]).unwrap();
    type Change = fn(&mut Transfer);
    let table: [(&str, Change, &str); 12] = [
        (
            "bad-head",
            |one| one.federation = icn_model::Cid::of_raw(b"other"),
            "federation",
        ),
        (
            "bad-head",
            |one| one.line.unit = "HOUR.0".parse().unwrap(),
            "unit",
        ),
        (
            "bad-head",
            |one| one.line.agreement = AgreementId::new(Digest::ZERO),
            "agreement",
        ),
        ("bad-head", |one| one.debtor = did("C"), "debtor"),
        ("bad-head", |one| one.number = 0, "number"),
        ("bad-head", |one| one.amount = 0, "nothing"),
        ("bad-head", |one| one.owed = 5, "less than its amount"),
        ("bad-head", |one| one.amount = one.owed, "less than was anchored"),
        ("bad-head", |one| one.owed = limits::MAX_CREDIT + 1, "too much"),
        (
            "not-its-line-key",
            |one| one.key = key("C").public(),
            "another's key",
        ),
        ("over-limit", |one| one.owed = 1_001, "over the limit"),
        ("unseen-head", |one| one.seen.number = 7, "what is not there"),
    ];
    for (expected, change, what) in table {
        let mut transfer = credit.draft("A", 100);
        change(&mut transfer);
        let shown = co_sign(transfer, "A", "B");
        assert_eq!(code(credit.anchor("B", &[&shown])), expected, "{what}");
    }
    let draft = credit.draft("A", 100);
    let mut seen = draft.clone();
    seen.seen.owed = 1;
    assert_eq!(
        code(credit.anchor("A", &[&co_sign(seen, "A", "B")])),
        "unseen-head"
    );
    // Half-signed: by one for both, by a stranger, or countersigned is something else.
    let half = co_sign(draft.clone(), "A", "A");
    assert_eq!(code(credit.anchor("A", &[&half])), "not-its-line-key");
    let mut unsigned = co_sign(draft.clone(), "A", "B");
    unsigned.transfer = Signed::new(draft.clone(), &key("B"));
    assert_eq!(code(credit.anchor("B", &[&unsigned])), "half-signed");
    let mut forged = co_sign(draft.clone(), "A", "B");
    forged.acceptance = Signed::new(forged.acceptance.content, &key("A"));
    assert_eq!(code(credit.anchor("A", &[&forged])), "half-signed");
    let mut other = co_sign(draft.clone(), "A", "B");
    other.acceptance = held.acceptance.clone();
    assert_eq!(code(credit.anchor("A", &[&other])), "half-signed");
    // None, too many, twice the same chain.
    let fine = co_sign(draft, "A", "B");
    for heads in [vec![], vec![&fine, &fine], vec![&fine, &fine, &fine]] {
        assert_eq!(code(credit.anchor("A", &heads)), "bad-head");
    }
    // Another content with the anchored number.
    let mut twin = held.transfer.content.clone();
    twin.memo = Some(icn_model::Cid::of_raw(b"other"));
    assert_eq!(
        code(credit.anchor("A", &[&co_sign(twin, "A", "B")])),
        "other-head"
    );
    assert_eq!(credit.anchor("A", &[&fine]), Ok(()));
}

#[test]
fn only_the_ends_of_a_line_speak_of_it() {
    let mut credit = Credit::new();
    let held = credit.transfer("A", 100);
    assert_eq!(code(credit.anchor("C", &[&held])), "not-an-end");
    let reason = String::from("so it is");
    assert_eq!(code(credit.say("C", CreditAct::Dispute { reason })), "not-an-end");
    assert_eq!(code(credit.void("C", 3, None)), "not-an-end");
    let mut line = credit.eur();
    line.unit = "USD.2".parse().unwrap();
    let heads = vec![held];
    let action = act_of(&line, CreditAct::Anchor { heads });
    assert_eq!(code(credit.world.act("A", action)), "unknown-line");
    credit
        .world
        .act("A", Action::AddMember { member: did("m") })
        .unwrap();
    assert_eq!(code(credit.say("m", CreditAct::Withdraw {})), "not-a-cooperative");
    // A line key shows transfers, and disputes nothing.
    credit.rotate_line_key("A", "l");
    let operation = |credit: &mut Credit, act| {
        let action = act_of(&credit.eur(), act);
        let operation = credit.world.operation_with("A", "l", action);
        let time = credit.world.state.time().after(SECOND);
        code(credit.world.apply(time, vec![operation]).results.remove(0))
    };
    let void = CreditAct::Void {
        through: 1,
        release: None,
    };
    assert_eq!(operation(&mut credit, void), "ok");
    assert_eq!(operation(&mut credit, CreditAct::Withdraw {}), "not-authorised");
}

#[test]
fn what_counts_on_the_other_chain_is_anchored_with_it() {
    let mut credit = Credit::new();
    let a = credit.transfer("A", 900);
    let b = credit.transfer("B", 1_300);
    assert_eq!(
        credit.anchor("B", &[&b]),
        Err(Refusal::UnseenHead {
            end: did("A"),
            seen: 1,
            anchored: 0
        })
    );
    assert_eq!(credit.anchor("B", &[&b, &a]), Ok(()));
    assert_eq!(credit.position(), -400);
    let over = credit.transfer("B", 101);
    assert_eq!(
        credit.anchor("B", &[&over]),
        Err(Refusal::OverLimit {
            end: did("B"),
            owes: 501,
            limit: 500
        })
    );
}

#[test]
fn limits_follow_amendments_and_what_both_had_signed_stays_good_for_a_week() {
    let mut credit = Credit::new();
    let held = credit.transfer("A", 800);
    credit.renew(&[("EUR.2", 100, 500)]);
    assert_eq!(credit.events(), ["changed", "changed"], "less, and no more hours");
    let hours = LineId {
        unit: "HOUR.0".parse().unwrap(),
        ..credit.eur()
    };
    let phase = |credit: &Credit| credit.world.state.line(&hours).unwrap().phase;
    assert_eq!(phase(&credit), LinePhase::Closing {});
    assert_eq!(credit.line().in_force().proposer, 100);
    assert_eq!(credit.anchor("B", &[&held]), Ok(()), "signed before");
    credit.live(7 * DAY + 600);
    let more = credit.transfer("A", 1);
    assert_eq!(code(credit.anchor("B", &[&more])), "over-limit");
    assert_eq!(credit.line().former, None);
    credit.renew(&LINES);
    assert_eq!(phase(&credit), LinePhase::Open {});
    assert_eq!(credit.anchor("B", &[&more]), Ok(()));
}

#[test]
fn a_suspended_line_only_shrinks() {
    let mut credit = Credit::new();
    let held = credit.transfer("A", 300);
    let reason = String::from("moths");
    credit.agree("B", AgreementAct::Suspend { reason }).unwrap();
    assert_eq!(credit.line().phase, LinePhase::Resting {});
    assert_eq!(credit.line().in_force(), LineLimits::NONE);
    assert_eq!(credit.anchor("B", &[&held]), Ok(()), "what both had signed");
    credit.live(7 * DAY + 600);
    let more = credit.draft("A", 1);
    assert_eq!(
        code(credit.anchor("B", &[&co_sign(more, "A", "B")])),
        "over-limit",
        "after suspension"
    );
    let too_much = credit.draft("B", 301);
    assert_eq!(
        code(credit.anchor("A", &[&co_sign(too_much, "B", "A")])),
        "over-limit"
    );
    let back = credit.transfer("B", 300);
    assert_eq!(credit.anchor("A", &[&back]), Ok(()));
    assert_eq!(credit.position(), 0);
    credit.agree("B", AgreementAct::Resume {}).unwrap();
    assert_eq!(credit.line().phase, LinePhase::Open {});
    let more = credit.transfer("A", 1_000);
    assert_eq!(credit.anchor("A", &[&more]), Ok(()));
}

#[test]
fn what_is_owed_outlives_its_agreement() {
    let mut credit = Credit::new();
    let held = credit.transfer("A", 300);
    credit.anchor("B", &[&held]).unwrap();
    for by in ["A", "B"] {
        credit.agree(by, AgreementAct::ConsentToEnd {}).unwrap();
    }
    assert_eq!(credit.line().phase, LinePhase::Closing {});
    credit.pass(367 * DAY);
    let record = credit.world.state.agreement(&credit.id).unwrap();
    assert_eq!(
        (record.state, record.ending),
        (AgreementState::Terminated, Some(Ending::Consent))
    );
    assert!(record.owing, "so it is not forgotten");
    assert_eq!(credit.position(), 300);
    let back = credit.transfer("B", 300);
    assert_eq!(credit.anchor("B", &[&back]), Ok(()));
    credit.pass(2);
    assert_eq!(credit.world.state.agreement(&credit.id), None);
    assert_eq!(credit.world.state.lines().count(), 0);
}

#[test]
fn an_agreement_without_debts_is_forgotten_with_its_lines() {
    let mut credit = Credit::new();
    for by in ["A", "B"] {
        credit.agree(by, AgreementAct::ConsentToEnd {}).unwrap();
    }
    let events = credit.pass(367 * DAY);
    assert!(events.contains(&"forgotten"), "{events:?}");
    assert_eq!(credit.world.state.lines_of(&did("A")).count(), 0);
}

#[test]
fn two_transfers_with_one_number_freeze_the_line() {
    let mut credit = Credit::new();
    let one = credit.draft("A", 100);
    let sign = |transfer: &Transfer, by: &str| Signed::new(transfer.clone(), &key(by));
    let mut two = one.clone();
    two.amount = 90;
    two.owed = 90;
    let prove = |credit: &mut Credit, by: &str, first, second| {
        let result = credit.say(by, CreditAct::ProveEquivocation { first, second });
        code(result)
    };
    let (first, second) = (sign(&one, "A"), sign(&two, "A"));
    // Nothing of this proves anything.
    let mut next = two.clone();
    next.number = 2;
    let mut elsewhere = two.clone();
    elsewhere.line.unit = "HOUR.0".parse().unwrap();
    let mut stranger = two.clone();
    stranger.key = key("C").public();
    for (other, expected) in [
        (first.clone(), "no-equivocation"),
        (sign(&next, "A"), "no-equivocation"),
        (sign(&elsewhere, "A"), "no-equivocation"),
        (sign(&two, "B"), "no-equivocation"),
        (sign(&stranger, "C"), "not-its-line-key"),
    ] {
        assert_eq!(prove(&mut credit, "C", first.clone(), other), expected);
    }
    assert_eq!(credit.line().phase, LinePhase::Open {});
    // Anybody may show it who has a seat.
    assert_eq!(prove(&mut credit, "C", first.clone(), second.clone()), "ok");
    assert_eq!(credit.events(), ["equivocated", "changed"]);
    assert!(matches!(credit.line().phase, LinePhase::Frozen { debtor, number: 1 } if debtor == did("A")));
    assert!(!credit.line().is_clearable());
    assert_eq!(prove(&mut credit, "B", second, first), "already-frozen");
    // What B has countersigned stays owed: a liar does not free itself by its lie.
    assert_eq!(credit.anchor("B", &[&co_sign(one, "A", "B")]), Ok(()));
    assert_eq!(credit.position(), 100);
    let reason = String::from("lies");
    credit.agree("B", AgreementAct::Suspend { reason }).unwrap();
    credit.agree("B", AgreementAct::Resume {}).unwrap();
    assert_eq!(credit.line().phase.name(), "frozen", "that makes nobody honest");
    credit.renew(&LINES);
    assert_eq!(credit.line().phase, LinePhase::Open {});
}

#[test]
fn what_no_creditor_shows_in_time_is_void() {
    let mut credit = Credit::new();
    let held = credit.transfer("A", 100);
    credit.anchor("A", &[&held]).unwrap();
    let pending = credit.draft("A", 50);
    assert_eq!(code(credit.void("A", 1, None)), "nothing-to-void");
    assert_eq!(credit.void("A", 3, None), Ok(()));
    assert_eq!(credit.events(), ["void-asked"]);
    assert_eq!(code(credit.void("A", 9, None)), "void-open");
    assert_eq!(credit.pass(59), [""; 0]);
    assert_eq!(credit.pass(2), ["voided"]);
    assert_eq!(credit.line().chains[0].void_through, 3);
    let late = co_sign(pending, "A", "B");
    assert_eq!(code(credit.anchor("B", &[&late])), "void-number");
    // The chain goes on above what is void, on the head that the log names.
    let mut again = credit.draft("A", 50);
    again.number = 4;
    let again = co_sign(again, "A", "B");
    assert_eq!(credit.anchor("B", &[&again]), Ok(()));
    assert_eq!(
        (credit.position(), credit.line().chains[0].void_through),
        (150, 0)
    );
    assert_eq!(code(credit.anchor("B", &[&late])), "old-head");
}

#[test]
fn a_countersignature_shown_in_time_stands() {
    let mut credit = Credit::new();
    let (first, second) = (credit.transfer("A", 100), credit.transfer("A", 50));
    assert_eq!(credit.void("A", 2, None), Ok(()));
    // Not all of it: what comes after it would still be void.
    assert_eq!(credit.anchor("B", &[&first]), Ok(()));
    assert_eq!(credit.events(), ["anchored"]);
    assert_eq!(credit.anchor("B", &[&second]), Ok(()));
    assert_eq!(credit.events(), ["anchored", "void-fell"]);
    assert_eq!(credit.pass(61), [""; 0]);
    assert_eq!(credit.position(), 150);
    // A part of it.
    let third = credit.transfer("A", 10);
    assert_eq!(credit.void("A", 5, None), Ok(()));
    assert_eq!(credit.anchor("A", &[&third]), Ok(()));
    assert_eq!(credit.pass(61), ["voided"]);
    let chain = credit.line().chains[0];
    assert_eq!((chain.head.number, chain.void_through), (3, 5));
    assert_eq!(credit.position(), 160);
}

#[test]
fn a_pause_of_the_log_takes_no_time_from_a_creditor() {
    let mut credit = Credit::new();
    let held = credit.transfer("A", 100);
    assert_eq!(credit.void("A", 1, None), Ok(()));
    assert_eq!(credit.pass(3 * 3_600), [""; 0]);
    assert_eq!(credit.anchor("B", &[&held]), Ok(()));
    assert_eq!(credit.position(), 100);
}

#[test]
fn a_released_transfer_is_void_at_once() {
    let mut credit = Credit::new();
    let held = credit.transfer("A", 100);
    let pending = credit.draft("A", 50);
    let release = credit.release("A", &pending);
    let refused = |credit: &mut Credit, release| code(credit.void("A", 2, Some(release)));
    assert_eq!(
        refused(&mut credit, release.clone()),
        "bad-release",
        "its head is not anchored"
    );
    credit.anchor("A", &[&held]).unwrap();
    let with = |change: &dyn Fn(&mut Release), by: &str| {
        let mut content = release.content.clone();
        change(&mut content);
        Signed::new(content, &key(by))
    };
    for (wrong, expected) in [
        (with(&|_| {}, "A"), "bad-release"),
        (with(&|one| one.key = key("A").public(), "A"), "not-its-line-key"),
        (with(&|one| one.debtor = did("B"), "B"), "bad-release"),
        (with(&|one| one.after.owed = 0, "B"), "bad-release"),
        (
            with(&|one| one.line.unit = "HOUR.0".parse().unwrap(), "B"),
            "bad-release",
        ),
    ] {
        assert_eq!(refused(&mut credit, wrong), expected);
    }
    assert_eq!(credit.void("A", 2, Some(release)), Ok(()));
    assert_eq!(credit.events(), ["voided"]);
    assert_eq!(
        code(credit.anchor("B", &[&co_sign(pending, "A", "B")])),
        "void-number"
    );
}

#[test]
fn a_replaced_line_key_counts_for_what_was_signed_before_for_a_week() {
    let mut credit = Credit::new();
    let (first, second) = (credit.transfer("A", 100), credit.transfer("A", 50));
    credit.rotate_line_key("A", "l");
    credit.rotate_line_key("B", "k");
    assert_eq!(credit.anchor("B", &[&first]), Ok(()), "both keys were replaced");
    let mut new = credit.draft("A", 1);
    new.key = key("l").public();
    assert_eq!(
        code(credit.anchor("B", &[&co_sign(new.clone(), "A", "k")])),
        "half-signed"
    );
    let new = co_sign(new, "l", "k");
    credit.live(7 * DAY + 600);
    assert_eq!(
        credit.anchor("B", &[&second]),
        Err(Refusal::NotItsLineKey {
            end: did("A"),
            key: key("A").public()
        })
    );
    assert_eq!(credit.anchor("B", &[&new]), Ok(()), "the sum says the whole");
    assert_eq!(credit.position(), 151);
    let former = |name: &str| {
        let seat = credit.world.state.seat_record(&did(name)).unwrap();
        seat.succession.former_lines.len()
    };
    assert_eq!(former("A"), 1, "until the next rotation");
    // As many as are remembered.
    for turn in 0..20 {
        credit.rotate_line_key("A", &format!("l{turn}"));
    }
    let seat = credit.world.state.seat_record(&did("A")).unwrap();
    assert_eq!(seat.succession.former_lines.len(), limits::MAX_FORMER_KEYS);
    let view = credit.world.state.line_view(&credit.eur(), &did("A")).unwrap();
    assert_eq!(view.mine.keys.len(), 1 + limits::MAX_FORMER_KEYS);
    assert_eq!(view.mine.keys[0], key("l19").public());
}

#[test]
fn a_dispute_keeps_a_line_out_of_clearing() {
    let mut credit = Credit::new();
    let dispute = |reason: &str| CreditAct::Dispute {
        reason: reason.into(),
    };
    assert_eq!(code(credit.say("A", CreditAct::Withdraw {})), "not-disputed");
    for reason in ["", " ", &"x".repeat(513)] {
        assert_eq!(code(credit.say("A", dispute(reason))), "no-reason");
    }
    assert_eq!(credit.say("A", dispute("late")), Ok(()));
    assert_eq!(code(credit.say("A", dispute("later"))), "already-said");
    assert_eq!(code(credit.say("B", CreditAct::Withdraw {})), "not-disputed");
    assert_eq!(credit.say("B", dispute("rotten")), Ok(()));
    assert!(!credit.line().is_clearable() && !credit.line().is_even());
    assert_eq!(credit.say("A", CreditAct::Withdraw {}), Ok(()));
    assert!(!credit.line().is_clearable());
    // Trade goes on meanwhile, and new terms end it.
    let held = credit.transfer("A", 100);
    assert_eq!(credit.anchor("A", &[&held]), Ok(()));
    credit.renew(&LINES);
    assert_eq!(credit.events(), ["dispute-ended"]);
    assert!(credit.line().is_clearable());
}

/// Something of a line, from numbers; much of it is refused.
pub(crate) fn random_action(state: &State, names: &[&str], who: &str, which: u8, amount: u64) -> Action {
    let author = did(who);
    let mut own = state.lines_of(&author);
    let Some((id, line)) = own.nth(usize::from(which) % 3) else {
        let whom = names[usize::from(which) % names.len()];
        let terms = terms(who, whom, &LINES);
        return Action::ProposeAgreement {
            terms: Box::new(terms),
        };
    };
    let end = usize::from(which / 3) % 2;
    let name = |end: usize| {
        names
            .iter()
            .find(|name| did(name) == line.ends[end])
            .unwrap_or(&"m")
    };
    let draft = |end: usize, seen: Head| {
        let head = line.chains[end].head;
        let gap = 1 + amount % 5;
        let amount = 1 + amount % 400;
        Transfer {
            federation: state.federation(),
            line: id.clone(),
            debtor: line.ends[end],
            number: head.number + gap,
            previous: head.hash,
            amount,
            owed: head.owed + amount,
            seen,
            reference: Digest::ZERO,
            memo: None,
            made: Time::ZERO,
            key: key(name(end)).public(),
        }
    };
    let [first, second] = [end, 1 - end];
    let act = match which % 12 {
        0 => CreditAct::Void {
            through: line.chains[end].head.number + amount % 4,
            release: None,
        },
        1 | 2 if line.disputes.iter().any(|dispute| dispute.by == author) => CreditAct::Withdraw {},
        1 | 2 => CreditAct::Dispute {
            reason: "so it is".into(),
        },
        3 => CreditAct::Withdraw {},
        4 if amount.is_multiple_of(3) => {
            let one = draft(end, line.chains[1 - end].head);
            let two = Transfer {
                made: Time::new(1),
                ..one.clone()
            };
            CreditAct::ProveEquivocation {
                first: Signed::new(one, &key(name(end))),
                second: Signed::new(two, &key(name(end))),
            }
        }
        _ => {
            let one = draft(first, line.chains[second].head);
            let one = co_sign(one, name(first), name(second));
            let two = draft(second, one.head());
            let two = co_sign(two, name(second), name(first));
            let heads = if amount.is_multiple_of(2) {
                vec![one]
            } else {
                vec![two, one]
            };
            CreditAct::Anchor { heads }
        }
    };
    act_of(&id, act)
}

/// That what happened on a line is told of, too.
pub(crate) fn step_name(event: &CreditEvent) -> String {
    match &event.step {
        CreditStep::Changed { phase, .. } => format!("Credit {}", phase.name()),
        step => format!("Credit {}", step.name()),
    }
}
