//! Agreements: every transition, dates, amendments, breach, and the chain of their histories.
use crate::world::{World, did, key, parameters};
use icn_model::{
    Action, AgreementAct, AgreementId, AgreementKind, AgreementRecord, AgreementState, AgreementStep, Cid,
    Digest, DisputeRule, Ending, LineTerms, Millis, Party, PartyRole, Possession, RateTerms, Refusal,
    RoleKeys, Rounding, Signed, Terms, Time, limits,
};
use icn_state::{Move, State, next};

const SECOND: Millis = Millis::from_secs(1);
const DAY: u64 = 24 * 3_600;

fn parties(names: &[(&str, PartyRole)]) -> Vec<Party> {
    let party = |(name, role): &(&str, PartyRole)| Party {
        did: did(name),
        role: *role,
    };
    names.iter().map(party).collect()
}

/// A sells to B, and C is told; D is no party.
fn terms() -> Terms {
    Terms {
        kind: AgreementKind::Trade,
        title: "flour".parse().unwrap(),
        parties: parties(&[
            ("A", PartyRole::Proposer),
            ("B", PartyRole::Counterparty),
            ("C", PartyRole::Witness),
        ]),
        effective: None,
        expires: None,
        renews_by_ms: None,
        notice_ms: Millis::from_secs(30),
        contest_ms: Millis::from_secs(60),
        disputes: DisputeRule::Negotiation {},
        lines: Vec::new(),
        rates: Vec::new(),
        text: None,
    }
}

fn credit() -> Terms {
    Terms {
        kind: AgreementKind::Credit,
        lines: vec![LineTerms {
            unit: "EUR.2".parse().unwrap(),
            proposer_limit: 1_000,
            counterparty_limit: 500,
        }],
        ..terms()
    }
}

fn titled(title: &str) -> Terms {
    Terms {
        title: title.parse().unwrap(),
        ..terms()
    }
}

struct Deal {
    world: World,
    id: AgreementId,
}

impl Deal {
    fn propose(terms: Terms) -> Self {
        Self::propose_in(World::new(&["A", "B", "C", "D"], parameters()), terms).unwrap()
    }

    fn propose_in(mut world: World, terms: Terms) -> Result<Self, Refusal> {
        let action = Action::ProposeAgreement {
            terms: Box::new(terms),
        };
        let operation = world.operation("A", action);
        let time = world.state.time().after(SECOND);
        let id = AgreementId::from(operation.id());
        world.apply(time, vec![operation]).results.remove(0)?;
        Ok(Self { world, id })
    }

    /// Proposed by A, and signed by B.
    fn active(terms: Terms) -> Self {
        let mut deal = Self::propose(terms);
        deal.sign("B").unwrap();
        deal
    }

    fn record(&self) -> &AgreementRecord {
        self.world.state.agreement(&self.id).unwrap()
    }

    fn state(&self) -> AgreementState {
        self.record().state
    }

    fn say(&mut self, by: &str, act: AgreementAct) -> Result<(), Refusal> {
        let agreement = self.id;
        let act = Box::new(act);
        self.world.act(by, Action::Agreement { agreement, act })
    }

    fn sign(&mut self, by: &str) -> Result<(), Refusal> {
        let act = signing(self.record());
        self.say(by, act)
    }

    fn offer(&mut self, by: &str, terms: Terms) -> Result<(), Refusal> {
        let revision = self.record().revisions + 1;
        self.say(by, AgreementAct::Offer { revision, terms })
    }

    /// Two blocks: the second one's parent, from whose time deadlines are judged, is after the pause.
    fn pass(&mut self, secs: u64) {
        let time = self.world.state.time().after(Millis::from_secs(secs));
        self.world.apply(time, Vec::new());
        self.world.apply(time.after(Millis::new(1)), Vec::new());
    }

    fn now(&self) -> Time {
        self.world.state.time()
    }

    fn names(&self) -> Vec<&'static str> {
        let history = self.world.state.agreement_history(&self.id, 0);
        history.map(|entry| entry.step.name()).collect()
    }
}

impl Drop for Deal {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.world.check_replay();
            check_history(&self.world.state, &self.id);
        }
    }
}

/// That a history is a chain without gaps that ends where the record says.
fn check_history(state: &State, id: &AgreementId) {
    let Some(record) = state.agreement(id) else {
        assert_eq!(state.agreement_history(id, 0).count(), 0);
        return;
    };
    let (mut head, mut number) = (Digest::ZERO, 0);
    for entry in state.agreement_history(id, 0) {
        assert_eq!((entry.number, entry.previous), (number + 1, head));
        assert_eq!(
            entry.party.is_some(),
            !entry.by.is_empty(),
            "each word has its operations"
        );
        (head, number) = (entry.digest(), entry.number);
    }
    assert_eq!((record.head, record.entries), (head, number));
    let last = state.agreement_history(id, number - 1).next().unwrap();
    assert_eq!(last.state, record.state);
}

fn signing(record: &AgreementRecord) -> AgreementAct {
    let offer = record.offer.as_ref();
    let (revision, content) = offer.map_or((1, Digest::ZERO), |offer| (offer.revision, offer.terms.digest()));
    AgreementAct::Sign { revision, content }
}

fn because(reason: &str) -> String {
    reason.into()
}

fn act(name: &str, record: &AgreementRecord) -> AgreementAct {
    let reason = because("so it is");
    match name {
        "offer" => AgreementAct::Offer {
            revision: record.revisions + 1,
            terms: titled("more flour"),
        },
        "sign" => signing(record),
        "withdraw" => AgreementAct::Withdraw { reason },
        "reject" => AgreementAct::Reject { reason },
        "suspend" => AgreementAct::Suspend { reason },
        "resume" => AgreementAct::Resume {},
        "notice" => AgreementAct::GiveNotice { reason },
        "end" => AgreementAct::ConsentToEnd {},
        "claim" => AgreementAct::ClaimBreach {
            against: did("B"),
            evidence: Cid::of_raw(b"what happened"),
        },
        "contest" => AgreementAct::ContestBreach { reason },
        "rule" => AgreementAct::Rule { upheld: true },
        name => panic!("no act {name}"),
    }
}

fn in_state(state: &str) -> Deal {
    let mut deal = Deal::propose(terms());
    match state {
        "proposed" => {}
        "negotiating" => deal.offer("B", titled("less flour")).unwrap(),
        _ => deal.sign("B").unwrap(),
    }
    match state {
        "suspended" => deal
            .say(
                "B",
                AgreementAct::Suspend {
                    reason: because("moths"),
                },
            )
            .unwrap(),
        "terminated" => {
            deal.say("A", AgreementAct::ConsentToEnd {}).unwrap();
            deal.say("B", AgreementAct::ConsentToEnd {}).unwrap();
        }
        _ => {}
    }
    assert_eq!(deal.state().name(), state);
    deal
}

/// What each party may say in each state, and where that leads: a state, or the number of the refusal. An operation is
/// judged alike when a node's user hands it in (`State::check`) and when it comes in a block (`State::apply`).
const TABLE: &str = "
    act       by  proposed     negotiating  active     suspended  terminated
    offer     A   negotiating  negotiating  active     1004       1004
    offer     B   negotiating  negotiating  active     1004       1004
    offer     C   1003         1003         1003       1003       1003
    offer     D   1003         1003         1003       1003       1003
    sign      A   710          active       1004       1004       1004
    sign      B   active       710          1004       1004       1004
    sign      C   1003         1003         1003       1003       1003
    sign      D   1003         1003         1003       1003       1003
    withdraw  A   terminated   1007         1004       1004       1004
    withdraw  B   1007         terminated   1004       1004       1004
    withdraw  C   1003         1003         1003       1003       1003
    reject    A   1007         terminated   1004       1004       1004
    reject    B   terminated   1007         1004       1004       1004
    reject    D   1003         1003         1003       1003       1003
    suspend   A   1004         1004         suspended  suspended  1004
    suspend   B   1004         1004         suspended  710        1004
    suspend   C   1003         1003         1003       1003       1003
    resume    A   1004         1004         1004       1007       1004
    resume    B   1004         1004         1004       active     1004
    resume    D   1003         1003         1003       1003       1003
    notice    A   1004         1004         active     suspended  1004
    notice    B   1004         1004         active     suspended  1004
    notice    C   1003         1003         1003       1003       1003
    end       A   1004         1004         active     suspended  1004
    end       B   1004         1004         active     suspended  1004
    end       D   1003         1003         1003       1003       1003
    claim     A   1004         1004         active     suspended  1004
    claim     B   1004         1004         1007       1007       1004
    claim     C   1003         1003         1003       1003       1003
    contest   A   1004         1004         1004       1004       1004
    contest   B   1004         1004         1004       1004       1004
    contest   C   1003         1003         1003       1003       1003
    rule      A   1004         1004         1004       1004       1004
    rule      D   1004         1004         1004       1004       1004
";

#[test]
fn every_transition_is_in_the_table() {
    let mut lines = TABLE.lines().filter(|line| !line.trim().is_empty());
    let states: Vec<&str> = lines.next().unwrap().split_whitespace().skip(2).collect();
    for line in lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (name, by) = (words[0], words[1]);
        for (state, expected) in states.iter().zip(&words[2..]) {
            let mut deal = in_state(state);
            let before = deal.record().clone();
            let action = Action::Agreement {
                agreement: deal.id,
                act: Box::new(act(name, deal.record())),
            };
            let operation = deal.world.operation(by, action);
            let time = deal.now().after(SECOND);
            let here = deal.world.state.check(&operation, time);
            let there = deal.world.apply(time, vec![operation]).results.remove(0);
            assert_eq!(here, there, "{name} by {by} in {state}");
            match there {
                Ok(()) => assert_eq!(deal.state().name(), *expected, "{name} by {by} in {state}"),
                Err(refusal) => {
                    assert_eq!(
                        refusal.code().number.to_string(),
                        *expected,
                        "{name} by {by} in {state}: {refusal}"
                    );
                    assert_eq!(*deal.record(), before, "a refusal changes nothing");
                }
            }
        }
    }
}

#[test]
fn the_table_of_moves_is_that_of_the_specification() {
    use AgreementState::{Active, Negotiating, Proposed, Suspended, Terminated};
    let allowed = [
        (Proposed, Move::Offer, Negotiating),
        (Proposed, Move::TakeEffect, Active),
        (Proposed, Move::Drop, Terminated),
        (Proposed, Move::End, Terminated),
        (Negotiating, Move::Offer, Negotiating),
        (Negotiating, Move::TakeEffect, Active),
        (Negotiating, Move::Drop, Terminated),
        (Negotiating, Move::End, Terminated),
        (Active, Move::Offer, Active),
        (Active, Move::TakeEffect, Active),
        (Active, Move::Drop, Active),
        (Active, Move::Renew, Active),
        (Active, Move::Suspend, Suspended),
        (Active, Move::End, Terminated),
        (Suspended, Move::Suspend, Suspended),
        (Suspended, Move::Resume, Active),
        (Suspended, Move::End, Terminated),
    ];
    for state in AgreementState::ALL {
        for how in Move::ALL {
            let expected = allowed.iter().find(|(from, by, _)| (from, by) == (state, &how));
            assert_eq!(
                next(*state, how),
                expected.map(|(_, _, to)| *to),
                "{state} {how:?}"
            );
        }
    }
}

#[test]
fn terms_hold_when_all_have_signed_the_same_revision() {
    let mut deal = Deal::propose(Terms {
        parties: parties(&[
            ("A", PartyRole::Proposer),
            ("B", PartyRole::Counterparty),
            ("C", PartyRole::Guarantor),
            ("D", PartyRole::Witness),
        ]),
        ..terms()
    });
    let first = signing(deal.record());
    deal.sign("B").unwrap();
    assert_eq!(
        deal.state(),
        AgreementState::Proposed,
        "the guarantor has not signed"
    );
    let terms = Terms {
        notice_ms: Millis::from_secs(90),
        ..deal.record().terms().unwrap().clone()
    };
    deal.offer("C", terms.clone()).unwrap();
    let stale = deal.say("A", first);
    let (revision, expected) = (1, 2);
    assert_eq!(stale, Err(Refusal::WrongRevision { revision, expected }));
    let other = AgreementAct::Sign {
        revision: 2,
        content: Digest::of(b"something else"),
    };
    assert_eq!(deal.say("A", other), Err(Refusal::WrongContent { revision: 2 }));
    deal.sign("A").unwrap();
    assert_eq!(deal.state(), AgreementState::Negotiating);
    deal.sign("B").unwrap();
    assert_eq!(deal.state(), AgreementState::Active);
    let held = deal.record().in_force.as_ref().unwrap();
    assert_eq!((held.revision, &held.terms), (2, &terms));
    assert_eq!(
        deal.names(),
        [
            "offered",
            "signed",
            "signed",
            "offered",
            "signed",
            "signed",
            "signed",
            "took-effect"
        ]
    );
}

#[test]
fn an_agreement_begins_at_its_date_and_lapses_without_signatures() {
    let world = World::new(&["A", "B", "C", "D"], parameters());
    let begins = world.state.time().after(Millis::from_secs(100));
    let later = Terms {
        effective: Some(begins),
        ..terms()
    };
    let mut deal = Deal::propose_in(world, later).unwrap();
    deal.sign("B").unwrap();
    assert_eq!(deal.state(), AgreementState::Proposed);
    deal.pass(100);
    assert_eq!(deal.state(), AgreementState::Active);

    let mut deal = Deal::propose(terms());
    deal.pass(89 * DAY);
    assert_eq!(deal.state(), AgreementState::Proposed);
    deal.pass(2 * DAY);
    assert_eq!(deal.record().ending, Some(Ending::Lapsed));
    deal.pass(367 * DAY);
    assert!(
        deal.world.state.agreement(&deal.id).is_none(),
        "forgotten, with its history"
    );
}

#[test]
fn dates_end_and_renew_it_by_block_time() {
    let world = World::new(&["A", "B", "C", "D"], parameters());
    let expires = Some(world.state.time().after(Millis::from_secs(10 * DAY)));
    let ending = Terms { expires, ..terms() };
    let renewed = Terms {
        renews_by_ms: Some(Millis::from_secs(5 * DAY)),
        ..ending.clone()
    };

    let mut deal = Deal::active(ending);
    deal.pass(9 * DAY);
    assert_eq!(deal.state(), AgreementState::Active);
    deal.pass(2 * DAY);
    assert_eq!(deal.record().ending, Some(Ending::Expired));

    let mut deal = Deal::active(renewed.clone());
    deal.pass(21 * DAY);
    assert_eq!(deal.state(), AgreementState::Active);
    assert_eq!(deal.names().iter().filter(|name| **name == "renewed").count(), 3);
    assert!(deal.record().in_force.as_ref().unwrap().expires > Some(deal.now()));
    deal.say(
        "B",
        AgreementAct::GiveNotice {
            reason: because("enough"),
        },
    )
    .unwrap();
    deal.pass(31);
    assert_eq!(
        deal.record().ending,
        Some(Ending::Notice),
        "the notice is shorter than the renewal"
    );

    let mut deal = Deal::active(renewed);
    deal.say(
        "A",
        AgreementAct::Suspend {
            reason: because("moths"),
        },
    )
    .unwrap();
    deal.pass(11 * DAY);
    assert_eq!(
        deal.record().ending,
        Some(Ending::Expired),
        "what rests is not renewed"
    );
}

#[test]
fn an_end_beats_a_suspension() {
    let mut deal = Deal::active(terms());
    deal.say(
        "A",
        AgreementAct::GiveNotice {
            reason: because("enough"),
        },
    )
    .unwrap();
    let time = deal.now().after(Millis::from_secs(31));
    deal.world.apply(time, Vec::new());
    // In the block in which the notice is over, B tries to let it rest.
    let suspended = deal.say(
        "B",
        AgreementAct::Suspend {
            reason: because("wait"),
        },
    );
    assert_eq!(suspended.unwrap_err().code().number, 1004);
    assert_eq!(deal.record().ending, Some(Ending::Notice));
}

#[test]
fn an_amendment_holds_once_all_have_signed_and_not_before() {
    let mut deal = Deal::active(terms());
    let before = deal.record().in_force.clone();
    deal.offer("B", titled("more flour")).unwrap();
    assert_eq!(deal.record().in_force, before);
    deal.say(
        "A",
        AgreementAct::Reject {
            reason: because("too much"),
        },
    )
    .unwrap();
    assert_eq!(
        (deal.state(), &deal.record().in_force),
        (AgreementState::Active, &before)
    );

    // D takes the place of B, which has to agree to that.
    let mut others = titled("flour for D");
    others.parties[1].did = did("D");
    deal.offer("A", others).unwrap();
    deal.sign("D").unwrap();
    assert_eq!(deal.record().in_force, before);
    deal.sign("B").unwrap();
    let held = deal.record().in_force.as_ref().unwrap();
    assert_eq!((held.revision, held.terms.title.as_str()), (3, "flour for D"));
    let gone = deal.say(
        "B",
        AgreementAct::Suspend {
            reason: because("mine"),
        },
    );
    assert_eq!(gone.unwrap_err().code().number, 1003);
    assert_eq!(deal.world.state.agreements_of(&did("B")).count(), 0);
    assert_eq!(deal.world.state.agreements_of(&did("D")).count(), 1);
}

#[test]
fn an_offer_waits_while_an_agreement_rests() {
    let mut deal = Deal::active(terms());
    let begins = Some(deal.now().after(Millis::from_secs(50)));
    deal.offer(
        "A",
        Terms {
            effective: begins,
            ..titled("more flour")
        },
    )
    .unwrap();
    deal.sign("B").unwrap();
    deal.say(
        "B",
        AgreementAct::Suspend {
            reason: because("moths"),
        },
    )
    .unwrap();
    deal.pass(100);
    assert_eq!(deal.record().in_force.as_ref().unwrap().revision, 1);
    deal.say("B", AgreementAct::Resume {}).unwrap();
    assert_eq!(deal.record().in_force.as_ref().unwrap().revision, 2);
}

fn claim() -> AgreementAct {
    act("claim", &in_state("active").record().clone())
}

#[test]
fn a_breach_ends_it_unless_contested() {
    let mut deal = Deal::active(terms());
    deal.say("A", claim()).unwrap();
    assert_eq!(
        deal.say("A", claim()).unwrap_err().code().number,
        1004,
        "one claim at a time"
    );
    deal.pass(61);
    assert_eq!(deal.record().ending, Some(Ending::Breach));

    let mut deal = Deal::active(terms());
    deal.say("A", claim()).unwrap();
    let contest = || AgreementAct::ContestBreach {
        reason: because("it was delivered"),
    };
    assert_eq!(deal.say("A", contest()).unwrap_err().code().number, 1007);
    deal.say("B", contest()).unwrap();
    assert_eq!(
        (deal.state(), &deal.record().breach),
        (AgreementState::Active, &None)
    );
    deal.pass(61);
    assert_eq!(deal.state(), AgreementState::Active);

    // After a pause of the log there is as much time to contest as before.
    deal.say("A", claim()).unwrap();
    deal.pass(3_600);
    assert_eq!(deal.state(), AgreementState::Active);
    deal.pass(61);
    assert_eq!(deal.record().ending, Some(Ending::Breach));
}

#[test]
fn an_arbiter_decides_a_contested_claim_or_it_falls() {
    let judged = || Terms {
        disputes: DisputeRule::Arbiter { did: did("D") },
        ..terms()
    };
    let contested = || {
        let mut deal = Deal::active(judged());
        deal.say("A", claim()).unwrap();
        let early = deal.say("D", AgreementAct::Rule { upheld: true });
        assert_eq!(early.unwrap_err().code().number, 1004, "nothing is contested");
        deal.say(
            "B",
            AgreementAct::ContestBreach {
                reason: because("no"),
            },
        )
        .unwrap();
        deal
    };
    let mut deal = contested();
    assert_eq!(
        deal.say("B", AgreementAct::Rule { upheld: false })
            .unwrap_err()
            .code()
            .number,
        1007
    );
    deal.say("D", AgreementAct::Rule { upheld: true }).unwrap();
    assert_eq!(deal.record().ending, Some(Ending::Breach));

    let mut deal = contested();
    deal.say("D", AgreementAct::Rule { upheld: false }).unwrap();
    assert_eq!(
        (deal.state(), &deal.record().breach),
        (AgreementState::Active, &None)
    );

    let mut deal = contested();
    deal.pass(61);
    assert_eq!(
        (deal.state(), &deal.record().breach),
        (AgreementState::Active, &None)
    );
    assert_eq!(deal.names().last(), Some(&"breach-dismissed"));

    // The arbiter's time begins when the claim is contested, not when it is made.
    let mut deal = Deal::active(judged());
    deal.say("A", claim()).unwrap();
    deal.pass(40);
    let reason = because("no");
    deal.say("B", AgreementAct::ContestBreach { reason }).unwrap();
    deal.pass(40);
    assert!(deal.record().breach.is_some());
    deal.pass(21);
    assert_eq!(deal.record().breach, None);
}

#[test]
fn a_cooperative_signs_by_as_many_officers_as_its_threshold_says() {
    let mut world = World::new(&["A", "B", "C", "D"], parameters());
    let single = RoleKeys::single(key("B").public());
    let officers = icn_model::Officers {
        threshold: 2,
        keys: vec![key("B").public(), key("b2").public()],
    };
    let keys = Box::new(RoleKeys { officers, ..single });
    world
        .act(
            "B",
            Action::RotateKeys {
                keys,
                possession: None::<Signed<Possession>>,
            },
        )
        .unwrap();
    let mut deal = Deal::propose_in(world, terms()).unwrap();
    deal.sign("B").unwrap();
    assert_eq!(deal.state(), AgreementState::Proposed, "one of two");
    assert_eq!(deal.sign("B"), Err(Refusal::AlreadySaid {}));
    let action = Action::Agreement {
        agreement: deal.id,
        act: Box::new(signing(deal.record())),
    };
    let operation = deal.world.operation_with("B", "b2", action);
    let time = deal.now().after(SECOND);
    deal.world.apply(time, vec![operation]).results.remove(0).unwrap();
    assert_eq!(deal.state(), AgreementState::Active);
    let signed = deal.world.state.agreement_history(&deal.id, 2).next().unwrap();
    assert!(matches!(signed.step, AgreementStep::Signed { .. }));
    assert_eq!(signed.by.len(), 2, "both operations carry the word");
}

#[test]
fn terms_that_nobody_can_agree_on_are_refused() {
    let line = |limit| LineTerms {
        unit: "EUR.2".parse().unwrap(),
        proposer_limit: limit,
        counterparty_limit: 0,
    };
    let rate = |numerator| RateTerms {
        from: "EUR.2".parse().unwrap(),
        to: "HOUR.0".parse().unwrap(),
        numerator,
        denominator: 1,
        rounding: Rounding::Down,
    };
    let of = |names: &[(&str, PartyRole)]| Terms {
        parties: parties(names),
        ..terms()
    };
    use PartyRole::{Counterparty, Proposer, Witness};
    let far = Millis::from_secs(11 * 366 * DAY);
    let now = World::new(&["A"], parameters()).state.time();
    let bad = [
        ("1 parties", of(&[("A", Proposer)])),
        (
            "is listed twice",
            of(&[("A", Proposer), ("B", Counterparty), ("B", Witness)]),
        ),
        (
            "one party is the proposer",
            of(&[("A", Proposer), ("B", Proposer)]),
        ),
        (
            "nobody is there to agree with",
            of(&[("A", Proposer), ("B", Witness)]),
        ),
        ("is no cooperative", of(&[("A", Proposer), ("X", Counterparty)])),
        (
            "is no seat",
            of(&[("A", Proposer), ("B", Counterparty), ("X", Witness)]),
        ),
        ("is its proposer", of(&[("B", Proposer), ("A", Counterparty)])),
        (
            "out of order",
            Terms {
                effective: Some(now.after(far)),
                expires: Some(now.after(SECOND)),
                ..terms()
            },
        ),
        (
            "would have expired",
            Terms {
                expires: Some(now),
                ..terms()
            },
        ),
        (
            "is not renewed",
            Terms {
                renews_by_ms: Some(far),
                ..terms()
            },
        ),
        (
            "notice_ms",
            Terms {
                notice_ms: far,
                ..terms()
            },
        ),
        (
            "contest_ms",
            Terms {
                contest_ms: Millis::ZERO,
                ..terms()
            },
        ),
        (
            "the arbiter is a party",
            Terms {
                disputes: DisputeRule::Arbiter { did: did("C") },
                ..terms()
            },
        ),
        (
            "the arbiter is no",
            Terms {
                disputes: DisputeRule::Arbiter { did: did("X") },
                ..terms()
            },
        ),
        (
            "has a line",
            Terms {
                lines: Vec::new(),
                ..credit()
            },
        ),
        (
            "has none",
            Terms {
                lines: vec![line(1)],
                ..terms()
            },
        ),
        (
            "two lines",
            Terms {
                lines: vec![line(1), line(2)],
                ..credit()
            },
        ),
        (
            "limits in EUR.2",
            Terms {
                lines: vec![line(limits::MAX_CREDIT + 1)],
                ..credit()
            },
        ),
        (
            "is zero",
            Terms {
                rates: vec![rate(0)],
                ..credit()
            },
        ),
        (
            "there twice",
            Terms {
                rates: vec![rate(1), rate(2)],
                ..credit()
            },
        ),
        (
            "between two",
            Terms {
                parties: parties(&[("A", Proposer), ("B", Counterparty), ("C", Counterparty)]),
                ..credit()
            },
        ),
    ];
    for (what, terms) in bad {
        let world = World::new(&["A", "B", "C", "D"], parameters());
        let refused = Deal::propose_in(world, terms).map(|deal| deal.state());
        let Err(Refusal::BadTerms { detail }) = refused else {
            panic!("{what}: {refused:?}")
        };
        assert!(detail.contains(what), "{what}: {detail}");
    }
    let mut deal = Deal::active(credit());
    let kind = deal.offer("A", titled("flour instead"));
    assert!(matches!(kind, Err(Refusal::BadTerms { .. })), "{kind:?}");
    let mut ends = credit();
    ends.parties[1].did = did("D");
    assert!(matches!(deal.offer("A", ends), Err(Refusal::BadTerms { .. })));
    assert!(matches!(
        deal.offer("A", credit()),
        Err(Refusal::NothingChanges { .. })
    ));
    for reason in ["", " ", &"x".repeat(513)] {
        let refused = deal.say(
            "A",
            AgreementAct::Suspend {
                reason: because(reason),
            },
        );
        assert_eq!(refused, Err(Refusal::NoReason {}));
    }
    let unknown = deal.world.act(
        "A",
        Action::Agreement {
            agreement: AgreementId::new(Digest::ZERO),
            act: Box::new(AgreementAct::Resume {}),
        },
    );
    assert_eq!(unknown.unwrap_err().code().number, 1001);
}

#[test]
fn one_party_alone_does_not_end_it_by_consent() {
    let mut deal = Deal::active(terms());
    deal.say("A", AgreementAct::ConsentToEnd {}).unwrap();
    assert_eq!(
        deal.say("A", AgreementAct::ConsentToEnd {}),
        Err(Refusal::AlreadySaid {})
    );
    deal.pass(30 * DAY);
    assert_eq!(deal.state(), AgreementState::Active);
    deal.say("B", AgreementAct::ConsentToEnd {}).unwrap();
    assert_eq!(deal.record().ending, Some(Ending::Consent));
}

#[test]
fn agreements_end_with_a_party_that_is_forgotten() {
    let mut deal = Deal::active(terms());
    deal.world.act("B", Action::Leave {}).unwrap();
    deal.world.end_epoch();
    deal.world.end_epoch();
    assert_eq!(deal.state(), AgreementState::Active, "it may come back");
    deal.pass(31 * DAY);
    assert_eq!(deal.record().ending, Some(Ending::PartyGone));
}

#[test]
fn a_history_is_bounded_and_can_always_be_ended() {
    let mut deal = Deal::active(terms());
    // All but one.
    let most = limits::MAX_AGREEMENT_ENTRIES - 1;
    while deal.record().entries < most {
        let act = match deal.state() {
            AgreementState::Active => AgreementAct::Suspend {
                reason: because("moths"),
            },
            _ => AgreementAct::Resume {},
        };
        // A block for many: each checks the whole state.
        let mut operations = Vec::new();
        for turn in 0..(most - deal.record().entries).min(40) {
            let again = match (&act, turn % 2) {
                (AgreementAct::Suspend { .. }, 0) | (AgreementAct::Resume {}, 1) => AgreementAct::Suspend {
                    reason: because("moths"),
                },
                _ => AgreementAct::Resume {},
            };
            let agreement = deal.id;
            let action = Action::Agreement {
                agreement,
                act: Box::new(again),
            };
            operations.push(deal.world.operation("A", action));
        }
        let time = deal.now().after(SECOND);
        deal.world.apply(time, operations);
    }
    let [claim, contest] = ["claim", "contest"].map(|name| act(name, deal.record()));
    deal.say("A", claim.clone()).unwrap();
    assert_eq!(deal.record().entries, limits::MAX_AGREEMENT_ENTRIES);
    // Who has the last entry does not have the last word.
    deal.say("B", contest).unwrap();
    assert_eq!(deal.record().breach, None);
    let again = deal.say("A", claim);
    assert!(matches!(again, Err(Refusal::AgreementFull { .. })), "{again:?}");
    let full = deal.offer("A", titled("more"));
    assert!(matches!(
        full,
        Err(Refusal::AgreementFull { .. } | Refusal::WrongAgreementState { .. })
    ));
    deal.say(
        "A",
        AgreementAct::GiveNotice {
            reason: because("full"),
        },
    )
    .unwrap();
    deal.pass(31);
    assert_eq!(deal.record().ending, Some(Ending::Notice));
}

/// Something of an agreement, from numbers; much of it is refused.
pub(crate) fn random_action(state: &State, who: &str, whom: &str, which: u8, amount: u64) -> Action {
    let author = did(who);
    let mut own = state.agreements_of(&author).filter(|(_, one)| !one.has_ended());
    let last = own.nth(usize::from(which) % 4);
    let Some((agreement, record)) = last.filter(|_| !which.is_multiple_of(7)) else {
        let parties = parties(&[(who, PartyRole::Proposer), (whom, PartyRole::Counterparty)]);
        let expires = amount
            .is_multiple_of(3)
            .then(|| state.time().after(Millis::new(amount)));
        let terms = if amount.is_multiple_of(2) {
            credit()
        } else {
            terms()
        };
        return Action::ProposeAgreement {
            terms: Box::new(Terms {
                parties,
                expires,
                notice_ms: Millis::new(amount),
                ..terms
            }),
        };
    };
    let names: &[&str] = match record.state {
        AgreementState::Proposed | AgreementState::Negotiating => {
            &["sign", "sign", "sign", "reject", "offer"]
        }
        AgreementState::Active if record.breach.is_some() => &["contest", "contest", "end"],
        AgreementState::Active => &[
            "claim", "suspend", "offer", "claim", "sign", "reject", "notice", "claim", "end",
        ],
        _ => &["resume", "resume", "suspend", "claim", "end"],
    };
    let name = names[usize::try_from(amount).unwrap() % names.len()];
    let mut act = act(name, record);
    match &mut act {
        AgreementAct::Offer { terms, .. } => {
            if let Some(before) = record.terms() {
                *terms = Terms {
                    notice_ms: Millis::new(amount),
                    ..before.clone()
                };
            }
        }
        AgreementAct::ClaimBreach { against, .. } => *against = did(whom),
        _ => {}
    }
    Action::Agreement {
        agreement: *agreement,
        act: Box::new(act),
    }
}
