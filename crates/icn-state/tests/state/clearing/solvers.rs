//! Solvers that give something else than everybody else's: what the state of such a node comes to.
use super::{Net, RING};
use crate::world::did;
use icn_clearing::{Error, Obligation, Solution, solve};
use icn_model::{Cid, Height, PolicyAnswer, PolicyFailure, PolicyQuestion, RoundNumber};
use icn_state::{Examined, NoPolicies, Policies, State, Texts};
use std::sync::Arc;

const FIRST: RoundNumber = RoundNumber::new(1);

/// What was done to the exact solver's answer.
#[derive(Clone, Copy)]
enum Tampered {
    /// Nothing is cleared.
    Idle,
    /// More is cleared than is owed.
    Greedy,
    /// Of two lines on which the same is owed by the same to the same, the other one is cleared: as much in all.
    Swapped,
}

impl Policies for Tampered {
    fn examine(&self, source: &str, texts: &dyn Texts) -> Result<Examined, String> {
        NoPolicies.examine(source, texts)
    }

    fn ask(
        &self,
        contract: &Cid,
        texts: &dyn Texts,
        question: &PolicyQuestion,
    ) -> Result<PolicyAnswer, PolicyFailure> {
        NoPolicies.ask(contract, texts, question)
    }

    fn clear(&self, parties: u32, owed: &[Obligation]) -> Result<Solution, Error> {
        let mut solution = solve(parties, owed)?;
        match self {
            Self::Idle => solution.cleared.fill(0),
            Self::Greedy => solution.cleared.iter_mut().for_each(|cleared| *cleared += 1_000),
            Self::Swapped => {
                let twins = (1..owed.len()).find_map(|at| {
                    let first = owed[..at].iter().position(|row| *row == owed[at])?;
                    Some((first, at))
                });
                let (first, second) = twins.expect("two rows are alike");
                solution.cleared.swap(first, second);
            }
        }
        Ok(solution)
    }
}

/// The state of a node with a tampered solver after the same log, and the first block from which it has another root.
fn follow(net: &Net, tampered: Tampered) -> (State, Option<Height>) {
    let (mut state, _) = State::genesis(&net.world.genesis, Arc::new(tampered)).unwrap();
    let mut differs = None;
    for (context, operations, root) in &net.world.log {
        let outcome = state.apply(context, operations);
        state.audit().unwrap();
        if outcome.root != *root {
            differs = differs.or(Some(context.height));
        }
    }
    (state, differs)
}

fn positions(net: &Net, state: &State) -> Vec<i128> {
    let position = |link: &super::Link| state.position(&link.id, &did(link.names[0])).unwrap();
    net.links.iter().map(position).collect()
}

#[test]
fn an_answer_that_does_not_pass_the_check_is_not_applied_even_in_part() {
    for tampered in [Tampered::Idle, Tampered::Greedy] {
        let mut net = Net::ring(&[50, 30, 40], &[]);
        net.open();
        net.join_with(&[0, 1, 2]);
        net.freeze();
        net.finish();
        assert_eq!((net.phase(FIRST), net.positions()), ("applied", vec![20, 0, 10]));

        let (state, differs) = follow(&net, tampered);
        let round = state.round(&FIRST).unwrap();
        assert_eq!(differs, net.state().round(&FIRST).unwrap().frozen);
        assert_eq!((round.phase.name(), round.rows), ("aborted", 0));
        assert_eq!(positions(&net, &state), [50, 30, 40]);
    }
}

#[test]
fn another_best_answer_has_another_root_from_the_freeze_on() {
    let mut net = Net::new(&[RING[0], RING[0], ("B", "A", "EUR.2", 1_000, 1_000)]);
    for link in 0..3 {
        net.owe(link, 0, 50);
    }
    net.open();
    net.join_with(&[0, 1, 2]);
    net.freeze();
    net.finish();
    let cleared: i128 = net.positions().iter().sum();
    assert_eq!((net.phase(FIRST), cleared), ("applied", 50));

    let (state, differs) = follow(&net, Tampered::Swapped);
    assert_eq!(differs, net.state().round(&FIRST).unwrap().frozen);
    // As much is cleared and nobody's net position is another, so no check of the plan by itself can tell; roots do.
    let others = positions(&net, &state);
    assert_eq!(others.iter().sum::<i128>(), cleared);
    assert_ne!(others, net.positions());
}
