//! What lines of credit are made of: what their ends sign and say, what is stored and told.
use super::{Sample, cid, did, federation, key, sample, time};
use icn_model::{
    Acceptance, Action, AgreementId, ChainRecord, ChainView, CoSigned, CreditAct, CreditEvent, CreditStep,
    CreditUnit, Digest, Event, FormerLimits, Head, LineDispute, LineId, LineLimits, LineMessage, LinePhase,
    LineRecord, LineSync, OpenVoid, Refusal, Release, Released, RoundNumber, Signed, Transfer,
};

fn agreement() -> AgreementId {
    AgreementId::new(Digest::of(b"agreement"))
}

fn unit() -> CreditUnit {
    "EUR.2".parse().unwrap()
}

pub(crate) fn line() -> LineId {
    LineId {
        agreement: agreement(),
        unit: unit(),
    }
}

fn head() -> Head {
    Head {
        number: 3,
        hash: Digest::of(b"third"),
        owed: 700,
    }
}

pub(crate) fn transfer() -> Transfer {
    Transfer {
        federation: federation(),
        line: line(),
        debtor: did(1),
        number: 4,
        previous: Digest::of(b"third"),
        amount: 50,
        owed: 750,
        seen: head(),
        reference: Digest::of(b"invoice 17"),
        memo: Some(cid("memo")),
        made: time(1),
        key: key(1).public(),
    }
}

pub(crate) fn acceptance() -> Acceptance {
    Acceptance {
        transfer: transfer().hash(),
        key: key(2).public(),
    }
}

pub(crate) fn release() -> Release {
    Release {
        federation: federation(),
        line: line(),
        debtor: did(1),
        after: head(),
        transfer: transfer().hash(),
        key: key(2).public(),
    }
}

pub(crate) fn co_signed() -> CoSigned {
    CoSigned {
        transfer: Signed::new(transfer(), &key(1)),
        acceptance: Signed::new(acceptance(), &key(2)),
    }
}

fn acts() -> Vec<CreditAct> {
    vec![
        CreditAct::Anchor {
            heads: vec![co_signed()],
        },
        CreditAct::ProveEquivocation {
            first: Signed::new(transfer(), &key(1)),
            second: Signed::new(
                Transfer {
                    memo: None,
                    ..transfer()
                },
                &key(1),
            ),
        },
        CreditAct::Void {
            through: 4,
            release: Some(Released {
                transfer: transfer(),
                release: Signed::new(release(), &key(2)),
            }),
        },
        CreditAct::Dispute {
            reason: "so it is".into(),
        },
        CreditAct::Withdraw {},
    ]
}

pub(super) fn actions() -> impl Iterator<Item = Action> {
    acts().into_iter().map(|act| Action::Credit {
        agreement: agreement(),
        unit: unit(),
        act: Box::new(act),
    })
}

fn limits() -> LineLimits {
    LineLimits {
        proposer: 1_000,
        counterparty: 500,
    }
}

fn phases() -> [LinePhase; 4] {
    [
        LinePhase::Open {},
        LinePhase::Resting {},
        LinePhase::Frozen {
            debtor: did(1),
            number: 4,
        },
        LinePhase::Closing {},
    ]
}

pub(super) fn happened() -> impl Iterator<Item = Event> {
    let (debtor, by) = (did(1), did(2));
    let steps = [
        CreditStep::Opened { limits: limits() },
        CreditStep::Changed {
            phase: LinePhase::Resting {},
            limits: LineLimits::NONE,
        },
        CreditStep::Anchored { debtor, head: head() },
        CreditStep::Equivocated {
            debtor,
            number: 4,
            first: Digest::of(b"first"),
            second: Digest::of(b"second"),
        },
        CreditStep::VoidAsked {
            debtor,
            through: 9,
            until: time(9),
        },
        CreditStep::Voided {
            debtor,
            after: head(),
            through: 9,
        },
        CreditStep::VoidFell { debtor },
        CreditStep::Disputed {
            by,
            reason: "so it is".into(),
        },
        CreditStep::DisputeEnded { by },
        CreditStep::Cleared {
            round: RoundNumber::new(7),
            debtor,
            amount: 30,
        },
        CreditStep::Forgotten {},
    ];
    steps.into_iter().map(|step| {
        Event::Credit(CreditEvent {
            agreement: agreement(),
            unit: unit(),
            step,
        })
    })
}

pub(super) fn refusals() -> Vec<Refusal> {
    let (agreement, end, detail) = (agreement(), did(1), || String::from("detail"));
    let (number, through, anchored) = (4, 9, 5);
    vec![
        Refusal::UnknownLine {
            agreement,
            unit: unit(),
        },
        Refusal::NotAnEnd { agreement },
        Refusal::BadHead { detail: detail() },
        Refusal::NotItsLineKey {
            end,
            key: key(9).public(),
        },
        Refusal::HalfSigned { detail: detail() },
        Refusal::OldHead {
            end,
            number,
            anchored,
        },
        Refusal::OtherHead { end, number },
        Refusal::VoidNumber { end, number, through },
        Refusal::OverLimit {
            end,
            owes: 1_001,
            limit: 1_000,
        },
        Refusal::UnseenHead {
            end,
            seen: 6,
            anchored,
        },
        Refusal::NoEquivocation { detail: detail() },
        Refusal::AlreadyFrozen {},
        Refusal::NothingToVoid { through, settled: 9 },
        Refusal::VoidOpen { until: time(9) },
        Refusal::BadRelease { detail: detail() },
        Refusal::NotDisputed {},
        Refusal::OverLimitInRound {
            end,
            owes: 1_001,
            limit: 1_000,
            round: RoundNumber::new(7),
        },
    ]
}

fn record(phase: LinePhase) -> LineRecord {
    let asked = ChainRecord {
        head: head(),
        void_through: 2,
        voiding: Some(OpenVoid {
            through: 9,
            until: time(9),
        }),
        forgiven_through: 3,
    };
    LineRecord {
        ends: [did(1), did(2)],
        phase,
        since: time(2),
        limits: limits(),
        former: Some(FormerLimits {
            limits: limits(),
            until: time(7),
        }),
        highest: limits(),
        chains: [
            asked,
            ChainRecord::new(Head::origin(&federation(), &line(), &did(2))),
        ],
        settled: -20,
        joined: [Some(RoundNumber::new(7)), None],
        disputes: vec![LineDispute {
            by: did(2),
            reason: "so it is".into(),
            since: time(3),
        }],
    }
}

fn messages() -> [(&'static str, LineMessage); 4] {
    let view = |shown: Option<CoSigned>| ChainView {
        head: head(),
        shown: shown.map(Box::new),
    };
    let sync = LineSync {
        line: line(),
        own: view(Some(co_signed())),
        other: view(None),
        heard: 5,
        is_answer: true,
    };
    [
        (
            "transfer",
            LineMessage::Transfer(Box::new(Signed::new(transfer(), &key(1)))),
        ),
        (
            "acceptance",
            LineMessage::Acceptance(Box::new(Signed::new(acceptance(), &key(2)))),
        ),
        (
            "release",
            LineMessage::Release(Box::new(Signed::new(release(), &key(2)))),
        ),
        ("sync", LineMessage::Sync(Box::new(sync))),
    ]
}

pub(super) fn records() -> Vec<Sample> {
    let mut samples = vec![
        sample("transfer", &transfer()),
        sample("signed transfer", &Signed::new(transfer(), &key(1))),
        sample("acceptance", &acceptance()),
        sample("release", &release()),
        sample("co-signed transfer", &co_signed()),
        sample("head origin", &Head::origin(&federation(), &line(), &did(1))),
    ];
    for phase in phases() {
        samples.push(sample(&format!("line record {}", phase.name()), &record(phase)));
    }
    for (name, message) in messages() {
        samples.push(sample(&format!("line message {name}"), &message));
    }
    samples
}
