//! Every stored record.
use super::{Sample, cid, did, exits, key, sample, time};
use icn_model::{
    AccountRecord, Assignment, Challenge, ClearingWindows, DecidedRecord, Delivery, Digest, EpochNumber,
    EpochRecord, Exclusion, ExclusionReason, FederationRecord, FormerKey, HeadRecord, Height, Ineligible,
    InvitationRecord, JobPhase, JobRecord, Juror, KeyWish, Mana, MemberRecord, MetaRecord, NamedRoot,
    PaidRecord, Parameters, PlannedUpgrade, RankedBid, Ranking, RateRecord, RoleKeys, SeatEntry, SeatKind,
    SeatPhase, SeatRecord, SequenceRecord, StandingRecord, Succession, Supply, Totals, Vote,
};

fn seat(phase: SeatPhase) -> SeatRecord {
    SeatRecord {
        kind: SeatKind::Cooperative,
        name: "Bakery".parse().unwrap(),
        keys: RoleKeys::single(key(1).public()),
        inviter: Some(did(2)),
        phase,
        since: time(5),
        leave: vec![key(1).public()],
        suspended: Some(time(6)),
        protocol: 1,
        succession: Succession {
            next_seat: Some(key(3).public()),
            former_seats: vec![key(4).public(), key(5).public()],
            former_lines: vec![FormerKey {
                key: key(6).public(),
                until: time(8),
            }],
            wishes: vec![KeyWish {
                officer: key(1).public(),
                keys: Digest::of(b"keys"),
            }],
        },
    }
}

fn phases() -> Vec<JobPhase> {
    let (since, until, at) = (time(1), time(2), time(3));
    vec![
        JobPhase::Bidding { since, until },
        JobPhase::Running { since, until },
        JobPhase::Settled { since, until },
        JobPhase::Challenged {
            since,
            until,
            matures: time(9),
        },
        JobPhase::Completed { at },
        JobPhase::RolledBack {
            at,
            reason: "nobody bid".into(),
        },
        JobPhase::Cancelled { at },
        JobPhase::Disproved { at },
    ]
}

fn job(phase: JobPhase) -> JobRecord {
    let assignment = |delivery| Assignment {
        executor: did(2),
        key: key(2).public(),
        price: Mana::from_milli(6_500),
        delivery,
    };
    let delivered = exits().into_iter().map(|exit| Delivery::Delivered {
        receipt: cid("receipt"),
        outcome: Digest::of(b"outcome"),
        exit,
        at: time(3),
    });
    let others = [Delivery::Pending {}, Delivery::Returned {}, Delivery::Late {}];
    let juror = |number, vote| Juror {
        seat: did(number),
        vote,
    };
    JobRecord {
        payer: did(10),
        cooperative: did(1),
        coordinator: did(1),
        spec: Digest::of(b"spec"),
        submitted: time(0),
        held: Mana::from_whole(10),
        attempt: 1,
        tried: vec![did(3)],
        assignments: others.into_iter().chain(delivered).map(assignment).collect(),
        outcome: Some(Digest::of(b"outcome")),
        challenge: Some(Challenge {
            challenger: did(5),
            stake: Mana::from_whole(10),
            jury: vec![
                juror(6, Vote::Pending {}),
                juror(7, Vote::Unable {}),
                juror(
                    8,
                    Vote::Replayed {
                        outcome: Digest::of(b"other"),
                    },
                ),
            ],
        }),
        phase,
    }
}

fn ranking() -> Ranking {
    let rules = [
        None,
        Some(Ineligible::TooExpensive {
            max: Mana::from_whole(1),
        }),
        Some(Ineligible::Reputation { required: 500 }),
        Some(Ineligible::NotNamed {}),
        Some(Ineligible::OwnJob {}),
        Some(Ineligible::TriedBefore {}),
        Some(Ineligible::Memory { required: 1 << 20 }),
        Some(Ineligible::Policy {
            reason: "too young".into(),
        }),
    ];
    let bids = rules.map(|ineligible| RankedBid {
        executor: did(2),
        price: Mana::from_milli(3),
        price_score: 900,
        reputation: 250,
        locality_score: 33,
        load_score: 1_000,
        score: 6_383,
        chosen: ineligible.is_none(),
        ineligible,
    });
    Ranking {
        attempt: 0,
        bids: bids.into(),
        excluded: vec![Exclusion {
            executor: did(4),
            reason: ExclusionReason::Outbid {},
        }],
    }
}

pub(super) fn samples() -> Vec<Sample> {
    let supply = Supply {
        granted: Mana::from_milli(1),
        regenerated: Mana::from_milli(2),
        burned: Mana::from_milli(3),
    };
    let until = time(8);
    let mut samples = vec![
        sample(
            "head record",
            &HeadRecord {
                root: Digest::of(b"root"),
                checkpoint: Some(NamedRoot {
                    height: Height::new(15),
                    root: Digest::of(b"merkle"),
                }),
            },
        ),
        sample(
            "meta record",
            &MetaRecord {
                height: Height::new(7),
                time: time(7),
                supply,
                period: time(6),
            },
        ),
        sample(
            "federation record",
            &FederationRecord {
                id: cid("federation"),
                log: cid("log"),
                name: "Federation".parse().unwrap(),
                created: time(0),
                parameters: Parameters::production(),
                decided: DecidedRecord {
                    clearing_every_ms: None,
                    clearing_windows: ClearingWindows::default(),
                    clearing_since: time(8),
                    protocol: 1,
                    upgrade: Some(PlannedUpgrade {
                        version: 2,
                        epoch: EpochNumber::new(3),
                        fixed: true,
                    }),
                },
            },
        ),
        sample(
            "rate record",
            &RateRecord {
                rate_per_hour: Mana::from_whole(10),
                capacity: Mana::from_whole(100),
            },
        ),
        sample(
            "epoch record",
            &EpochRecord {
                seats: vec![SeatEntry {
                    did: did(1),
                    key: key(1).public(),
                    kind: SeatKind::Witness,
                }],
            },
        ),
        sample(
            "member record",
            &MemberRecord {
                cooperative: did(1),
                key: key(3).public(),
                since: time(3),
            },
        ),
        sample(
            "invitation record",
            &InvitationRecord {
                by: did(9),
                expires: time(9),
            },
        ),
        sample(
            "sequence record",
            &SequenceRecord {
                highest: 70,
                used: u64::MAX,
                retires: Some(time(1)),
            },
        ),
        sample(
            "account record",
            &AccountRecord {
                available: Mana::from_milli(1),
                held: Mana::from_milli(2),
                holds: 3,
                maturing: Mana::from_milli(4),
                staked: Mana::from_milli(5),
                shared: Mana::from_milli(6),
                regenerates: true,
                touched: time(7),
                remainder: 3_599_999,
            },
        ),
        sample(
            "standing record",
            &StandingRecord {
                earned: Mana::from_milli(1),
                faults: 2,
                faulted: time(3),
                completed: 4,
                failed: 5,
            },
        ),
        sample(
            "paid record",
            &PaidRecord {
                counted: Mana::from_milli(9),
            },
        ),
        sample(
            "totals",
            &Totals {
                supply,
                available: Mana::from_milli(1),
                held: Mana::from_milli(2),
                maturing: Mana::from_milli(3),
                staked: Mana::from_milli(4),
            },
        ),
        sample("ranking", &ranking()),
    ];
    for phase in [
        SeatPhase::Applied { until },
        SeatPhase::Admitted { until },
        SeatPhase::Ready {},
        SeatPhase::Seated {},
        SeatPhase::Leaving {},
        SeatPhase::Suspended { until },
        SeatPhase::Left { until },
    ] {
        samples.push(sample(&format!("seat record {}", phase.name()), &seat(phase)));
    }
    for phase in phases() {
        samples.push(sample(&format!("job record {}", phase.status()), &job(phase)));
    }
    samples
}
