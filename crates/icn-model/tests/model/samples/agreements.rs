//! What agreements are made of: what parties sign, what is stored and told.
use super::{Sample, cid, did, sample, time};
use icn_model::{
    Action, AgreementAct, AgreementEntry, AgreementEvent, AgreementId, AgreementKind, AgreementRecord,
    AgreementState, AgreementStep, BreachClaim, CreditUnit, Digest, DisputeRule, Ending, Event, Height,
    InForce, LineTerms, LogEntry, Millis, Notice, Offer, OperationId, Party, PartyRole, RateTerms, Refusal,
    Rounding, Suspension, Terms,
};

fn id() -> AgreementId {
    AgreementId::new(Digest::of(b"agreement"))
}

fn unit(text: &str) -> CreditUnit {
    text.parse().unwrap()
}

fn terms() -> Terms {
    Terms {
        kind: AgreementKind::Credit,
        title: "flour on credit".parse().unwrap(),
        parties: PartyRole::ALL
            .iter()
            .zip(1..)
            .map(|(role, number)| Party {
                did: did(number),
                role: *role,
            })
            .collect(),
        effective: Some(time(1)),
        expires: Some(time(9)),
        renews_by_ms: Some(Millis::from_secs(86_400)),
        notice_ms: Millis::from_secs(60),
        contest_ms: Millis::from_secs(30),
        disputes: DisputeRule::Arbiter { did: did(9) },
        lines: vec![LineTerms {
            unit: unit("EUR.2"),
            proposer_limit: 100_000,
            counterparty_limit: 50_000,
        }],
        rates: vec![RateTerms {
            from: unit("HOUR.0"),
            to: unit("EUR.2"),
            numerator: 2_500,
            denominator: 1,
            rounding: Rounding::HalfEven,
        }],
        text: Some(cid("text")),
    }
}

pub(super) fn actions() -> Vec<Action> {
    let reason = || String::from("so it is");
    let acts = [
        AgreementAct::Offer {
            revision: 2,
            terms: terms(),
        },
        AgreementAct::Sign {
            revision: 2,
            content: terms().digest(),
        },
        AgreementAct::Withdraw { reason: reason() },
        AgreementAct::Reject { reason: reason() },
        AgreementAct::Suspend { reason: reason() },
        AgreementAct::Resume {},
        AgreementAct::GiveNotice { reason: reason() },
        AgreementAct::ConsentToEnd {},
        AgreementAct::ClaimBreach {
            against: did(2),
            evidence: cid("evidence"),
        },
        AgreementAct::ContestBreach { reason: reason() },
        AgreementAct::Rule { upheld: true },
    ];
    let act = |act| Action::Agreement {
        agreement: id(),
        act: Box::new(act),
    };
    let propose = Action::ProposeAgreement {
        terms: Box::new(terms()),
    };
    acts.into_iter().map(act).chain([propose]).collect()
}

fn steps() -> Vec<AgreementStep> {
    let steps = every_step();
    let names: Vec<_> = steps.iter().map(AgreementStep::name).collect();
    assert_eq!(names, AgreementStep::NAMES);
    steps
}

fn every_step() -> Vec<AgreementStep> {
    let (reason, content) = (|| String::from("so it is"), terms().digest());
    vec![
        AgreementStep::Offered { revision: 1, content },
        AgreementStep::Signed { revision: 1, content },
        AgreementStep::TookEffect { revision: 1 },
        AgreementStep::OfferEnded {
            revision: 2,
            ending: Ending::Rejected,
            reason: Some(reason()),
        },
        AgreementStep::Suspended { reason: reason() },
        AgreementStep::Resumed {},
        AgreementStep::NoticeGiven {
            ends: time(5),
            reason: reason(),
        },
        AgreementStep::EndWanted {},
        AgreementStep::BreachClaimed {
            against: did(2),
            evidence: cid("evidence"),
            until: time(5),
        },
        AgreementStep::BreachContested { reason: reason() },
        AgreementStep::BreachDismissed {},
        AgreementStep::Renewed { expires: time(19) },
        AgreementStep::Ended {
            ending: Ending::Consent,
            reason: None,
        },
    ]
}

pub(super) fn happened() -> impl Iterator<Item = Event> {
    let event = |step| AgreementEvent {
        agreement: id(),
        entry: 3,
        step,
        state: AgreementState::Active,
        party: Some(did(1)),
    };
    steps().into_iter().map(move |step| Event::Agreement(event(step)))
}

pub(super) fn refusals() -> Vec<Refusal> {
    let (agreement, detail) = (id(), || String::from("detail"));
    vec![
        Refusal::UnknownAgreement { agreement },
        Refusal::BadTerms { detail: detail() },
        Refusal::NotAParty { agreement },
        Refusal::WrongAgreementState {
            agreement,
            state: AgreementState::Terminated,
            act: "suspend".into(),
        },
        Refusal::WrongRevision {
            revision: 1,
            expected: 2,
        },
        Refusal::WrongContent { revision: 1 },
        Refusal::NotForThisParty { detail: detail() },
        Refusal::TooManyAgreements {
            open: 1_024,
            max: 1_024,
        },
        Refusal::NoReason {},
        Refusal::AgreementFull { max: 4_096 },
    ]
}

pub(super) fn records() -> Vec<Sample> {
    let by = vec![LogEntry {
        height: Height::new(7),
        operation: OperationId::new(Digest::of(b"operation")),
    }];
    let mut samples: Vec<_> = steps()
        .into_iter()
        .map(|step| {
            let name = format!("agreement entry {}", step.name());
            let entry = AgreementEntry {
                number: 3,
                previous: Digest::of(b"entry"),
                step,
                state: AgreementState::Suspended,
                at: time(4),
                party: Some(did(1)),
                by: by.clone(),
            };
            sample(&name, &entry)
        })
        .collect();
    let full = AgreementRecord {
        proposer: did(1),
        state: AgreementState::Suspended,
        since: time(4),
        in_force: Some(InForce {
            revision: 1,
            terms: terms(),
            since: time(2),
            expires: Some(time(19)),
        }),
        offer: Some(Offer {
            revision: 2,
            terms: terms(),
            by: did(2),
            signed: vec![did(2)],
            needed: vec![did(1), did(2)],
            until: time(20),
        }),
        revisions: 2,
        suspensions: vec![Suspension {
            by: did(1),
            reason: "moths".into(),
        }],
        end: vec![did(2)],
        notice: Some(Notice {
            by: did(1),
            ends: time(6),
        }),
        breach: Some(BreachClaim {
            by: did(1),
            against: did(2),
            evidence: cid("evidence"),
            contested: true,
            until: time(5),
        }),
        ending: Some(Ending::Breach),
        owing: true,
        entries: 9,
        head: Digest::of(b"entry"),
    };
    samples.push(sample("agreement record", &full));
    for (name, disputes) in [
        ("negotiation", DisputeRule::Negotiation {}),
        ("arbiter", DisputeRule::Arbiter { did: did(9) }),
    ] {
        let terms = Terms { disputes, ..terms() };
        samples.push(sample(&format!("terms {name}"), &terms));
    }
    for kind in AgreementKind::ALL {
        samples.push(sample(&format!("agreement kind {kind}"), kind));
    }
    for ending in Ending::ALL {
        samples.push(sample(&format!("agreement ending {ending}"), ending));
    }
    for state in AgreementState::ALL {
        samples.push(sample(&format!("agreement state {state}"), state));
    }
    samples
}
