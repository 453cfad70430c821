//! What rounds of clearing are made of: what is said of them, what is stored and told.
use super::{Sample, credit::line, did, sample, time};
use icn_model::{
    AbortReason, Action, ClearedUnit, ClearingAct, ClearingEvent, ClearingPrice, ClearingRow, ClearingStep,
    ClearingWindows, Digest, Event, GoneRecord, Height, ProposalId, Refusal, RoundNumber, RoundObjection,
    RoundPhase, RoundRecord,
};

fn round() -> RoundNumber {
    RoundNumber::new(7)
}

fn proposal() -> ProposalId {
    ProposalId::new(Digest::of(b"proposal"))
}

fn unproved() -> AbortReason {
    AbortReason::Unproved {
        unit: line().unit,
        detail: "row 3: more is cleared than is owed".into(),
    }
}

pub(super) fn actions() -> impl Iterator<Item = Action> {
    let acts = [
        ClearingAct::Join {
            round: round(),
            lines: vec![line()],
        },
        ClearingAct::Object {
            round: round(),
            reason: "not like this".into(),
        },
    ];
    acts.into_iter().map(|act| Action::Clearing { act })
}

pub(super) fn happened() -> impl Iterator<Item = Event> {
    let steps = [
        ClearingStep::Announced {
            freeze_at: time(9),
            proposal: Some(proposal()),
        },
        ClearingStep::Joined { by: did(1), lines: 3 },
        ClearingStep::Frozen {
            until: time(10),
            rows: 4,
        },
        ClearingStep::Ended {},
        ClearingStep::Objected {
            by: did(1),
            reason: "not like this".into(),
        },
        ClearingStep::Replanned { left: 1, rows: 3 },
        ClearingStep::Applied { rows: 3 },
        ClearingStep::Aborted { reason: unproved() },
    ];
    assert_eq!(
        steps.each_ref().map(ClearingStep::name),
        ClearingStep::NAMES,
        "every step has a sample"
    );
    steps
        .into_iter()
        .map(|step| Event::Clearing(ClearingEvent { round: round(), step }))
}

pub(super) fn refusals() -> Vec<Refusal> {
    let round = round();
    vec![
        Refusal::NoSuchRound { round },
        Refusal::WrongRoundPhase {
            round,
            phase: "objecting".into(),
            act: "join-clearing".into(),
        },
        Refusal::NotTouched { round },
        Refusal::RoundUnderWay { round },
        Refusal::NoLines {},
    ]
}

fn phases() -> [RoundPhase; 6] {
    [
        RoundPhase::Announced { freeze_at: time(9) },
        RoundPhase::Objecting { until: time(10) },
        RoundPhase::Applied { at: time(11) },
        RoundPhase::Ended { at: time(11) },
        RoundPhase::Aborted {
            at: time(11),
            reason: AbortReason::NothingLeft {},
        },
        RoundPhase::Aborted {
            at: time(11),
            reason: unproved(),
        },
    ]
}

pub(super) fn records() -> Vec<Sample> {
    let mut samples = vec![
        sample(
            "cleared unit",
            &ClearedUnit {
                parties: 3,
                rows: 4,
                gross: 500,
                cleared: 300,
            },
        ),
        sample(
            "clearing row",
            &ClearingRow {
                debtor: did(1),
                creditor: did(2),
                amount: 100,
                cleared: 60,
                base: [400, 300],
                settled: Some(-60),
            },
        ),
        sample("clearing price", &ClearingPrice { price: 2 }),
        sample("gone record", &GoneRecord { settled: -60 }),
    ];
    for (number, phase) in phases().into_iter().enumerate() {
        let record = RoundRecord {
            announced: time(8),
            proposal: Some(proposal()),
            windows: ClearingWindows::default(),
            phase,
            frozen: Some(Height::new(17)),
            rows: 3,
            left: 1,
            objections: vec![RoundObjection {
                by: did(1),
                reason: "not like this".into(),
                at: time(9),
            }],
        };
        samples.push(sample(&format!("round record {number}"), &record));
    }
    samples
}
