//! Ten thousand members vote at once, each with a key of its own.
use crate::{BATCH, Seat, percentile};
use icn_api::operations::OperationState;
use icn_model::{
    Action, Choice, Did, Effect, Electorate, Method, Millis, Operation, ProposalId, ProposalSpec, SecretKey,
    Sequence, SignedOperation,
};
use std::time::{Duration, Instant};

/// Members of each cooperative.
const MEMBERS: usize = 2_500;
/// Requests that each node gets at once.
const CONNECTIONS: usize = 4;

fn member(at: usize, number: usize) -> SecretKey {
    let mut seed = [0xa5; 32];
    seed[..8].copy_from_slice(&number.to_le_bytes());
    seed[8] = u8::try_from(at).unwrap();
    SecretKey::from_seed(&seed)
}

/// Hands in signed operations over so many connections, and says how long each request took. Those of one key go
/// over one: their numbers have to come in order.
fn hand_in(seat: &Seat, operations: &[SignedOperation], connections: usize) -> Vec<Duration> {
    let share = operations.len().div_ceil(connections);
    std::thread::scope(|scope| {
        let threads: Vec<_> = operations
            .chunks(share)
            .map(|operations| {
                scope.spawn(move || {
                    let one = |batch: &[SignedOperation]| {
                        let handed_in = Instant::now();
                        let answer = seat.client.submit(batch, Duration::from_secs(60)).unwrap();
                        for status in &answer.operations {
                            assert!(
                                matches!(status.state, OperationState::Done { .. }),
                                "a vote was not counted: {:?}",
                                status.state
                            );
                        }
                        handed_in.elapsed()
                    };
                    operations.chunks(BATCH).map(one).collect::<Vec<_>>()
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    })
}

fn propose(seat: &Seat) -> ProposalId {
    let now = seat.client.federation().unwrap().time;
    let proposal = ProposalSpec {
        text: None,
        effect: Effect::Text {},
        electorate: Electorate::Members,
        method: Method::YesNo {},
        topic: "general".parse().unwrap(),
        closes: Some(now.after(Millis::from_secs(3_600))),
        votes_final: false,
    };
    let operations = seat.sign([Action::Propose {
        proposal: Box::new(proposal),
    }]);
    hand_in(seat, &operations, 1);
    operations[0].id().into()
}

/// Everything is signed beforehand: what members do on their own machines is not the federation's work.
pub(crate) fn votes(seats: &[Seat]) {
    for (at, seat) in seats.iter().enumerate() {
        let add = |number: usize| Action::AddMember {
            member: Did::new(member(at, number).public()),
        };
        for first in (0..MEMBERS).step_by(BATCH) {
            hand_in(seat, &seat.sign((first..first + BATCH).map(add)), 1);
        }
    }
    let proposal = propose(&seats[0]);
    let federation = seats[0].client.federation().unwrap();
    let vote = |at: usize, number: usize| {
        let key = member(at, number);
        let operation = Operation {
            federation: federation.id,
            author: Did::new(key.public()),
            key: key.public(),
            sequence: Sequence::new(1),
            expires: federation.time.after(Millis::from_secs(1_800)),
            action: Action::Vote {
                proposal,
                choice: if number.is_multiple_of(3) {
                    Choice::No {}
                } else {
                    Choice::Yes {}
                },
            },
        };
        SignedOperation::sign(operation, &key)
    };
    let signed: Vec<Vec<_>> = (0..seats.len())
        .map(|at| (0..MEMBERS).map(|number| vote(at, number)).collect())
        .collect();
    let started = Instant::now();
    let mut waited: Vec<Duration> = std::thread::scope(|scope| {
        let threads: Vec<_> = seats
            .iter()
            .zip(&signed)
            .map(|(seat, votes)| scope.spawn(move || hand_in(seat, votes, CONNECTIONS)))
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    let took = started.elapsed();
    waited.sort();
    let count = seats.len() * MEMBERS;
    println!(
        "{count} votes of as many members              {:.0}/s counted   batches of {BATCH}: p50 {:?}   p99 {:?}",
        count as f64 / took.as_secs_f64(),
        percentile(&waited, 50),
        percentile(&waited, 99)
    );
}
