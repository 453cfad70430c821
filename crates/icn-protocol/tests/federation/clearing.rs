//! A round of clearing in which one node's solver was tampered with.
use super::{Cast, Federation, credit, founder, kept_faults};
use commonware_runtime::{Runner as _, deterministic};
use icn_clearing::{Error, Obligation, Solution, solve};
use icn_model::{
    Action, Choice, Cid, Effect, Fault, Height, LineId, Method, Millis, PolicyAnswer, PolicyFailure,
    PolicyQuestion, ProposalId, ProposalSpec, RoundNumber, RoundPhase, Standing,
};
use icn_protocol::{ledger::LedgerError, node::Node};
use icn_state::{Examined, NoPolicies, Policies, Texts};

const FIRST: RoundNumber = RoundNumber::new(1);
/// The seat whose solver was tampered with; it is no end of any line.
const LIAR: u8 = 3;
const OWED: u64 = 500;

/// What was done to the exact solver's answer.
#[derive(Clone, Copy)]
pub(super) enum Tampered {
    /// Nothing is cleared, which does not pass the check.
    Idle,
    /// Of two lines on which the same is owed by the same to the same, the other one is cleared, which passes it.
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

/// All vote for rounds of clearing every twelve seconds.
async fn schedule(federation: &Federation) {
    let effect = Effect::ClearingSchedule {
        every_ms: Some(Millis::from_secs(12)),
        join_ms: Millis::from_secs(5),
        object_ms: Millis::from_secs(5),
    };
    let proposer = &federation.nodes[0];
    let spec = proposer.ledger().read(|state| ProposalSpec {
        text: None,
        electorate: state.process(effect.kind()).electorate,
        method: Method::YesNo {},
        topic: "clearing".parse().unwrap(),
        closes: None,
        votes_final: true,
        effect,
    });
    let proposal = Box::new(spec);
    let action = Action::Propose { proposal };
    let proposal = ProposalId::from(proposer.author().act(action, federation.now()).unwrap());
    let is_here = |node: &Node| node.ledger().read(|state| state.proposal(&proposal).is_some());
    federation
        .until("the proposal is here", |f| f.nodes.iter().all(is_here))
        .await;
    for node in &federation.nodes {
        let choice = Choice::Yes {};
        let vote = Action::Vote { proposal, choice };
        node.author().act(vote, federation.now()).unwrap();
    }
}

fn phase(node: &Node) -> Option<RoundPhase> {
    node.ledger()
        .read(|state| state.round(&FIRST).map(|round| round.phase.clone()))
}

fn frozen(node: &Node) -> Option<Height> {
    node.ledger().read(|state| state.round(&FIRST)?.frozen)
}

/// What the first end of each line owes by what is anchored and cleared.
fn positions(node: &Node, lines: &[(LineId, u8)]) -> Vec<i128> {
    let position = |(line, end): &(LineId, u8)| {
        node.ledger()
            .read(|state| state.position(line, &founder(*end).did).unwrap())
    };
    lines.iter().map(position).collect()
}

/// One owes the other on two lines, and is owed as much on a third.
async fn owe_in_a_circle(federation: &Federation) -> Vec<(LineId, u8)> {
    let mut lines = Vec::new();
    for (number, [debtor, creditor]) in (0_u64..).zip([[0, 1], [0, 1], [1, 0]]) {
        let line = credit::line(federation, debtor, creditor).await;
        let node = &federation.nodes[usize::from(debtor)];
        let order = credit::order(number, OWED);
        let paid = credit::pay(&federation.context, node, &line, order)
            .await
            .unwrap();
        assert_eq!(paid, Standing::Confirmed);
        lines.push((line, debtor));
    }
    lines
}

#[test]
fn a_node_with_a_tampered_solver_stops_nobody_but_itself_and_applies_nothing() {
    for tampered in [Tampered::Idle, Tampered::Swapped] {
        with_a_solver(tampered);
    }
}

fn with_a_solver(tampered: Tampered) {
    deterministic::Runner::seeded(21).start(|context| async move {
        let cast = Cast {
            seats: 4,
            tampered: Some((LIAR, tampered)),
            ..Cast::default()
        };
        let (mut federation, _) = Federation::start_with(context, cast).await;
        let lines = owe_in_a_circle(&federation).await;
        schedule(&federation).await;
        let is_applied = |node: &Node| matches!(phase(node), Some(RoundPhase::Applied { .. }));
        federation
            .until("the others have applied the round", |f| {
                f.nodes[..usize::from(LIAR)].iter().all(is_applied)
            })
            .await;

        // It stops at the first final block that names the root of the freeze, and says both.
        let stopped = federation.logs.remove(usize::from(LIAR)).await;
        let Ok(Err(LedgerError::Diverged {
            block,
            height,
            theirs,
            ours,
        })) = stopped
        else {
            panic!("it goes on: {stopped:?}")
        };
        let liar = federation.nodes.remove(usize::from(LIAR));
        assert_ne!(ours, theirs);
        assert_eq!(Some(height), frozen(&federation.nodes[0]));
        assert_eq!(liar.ledger().root_at(height), Some(ours));
        assert!(
            liar.ledger().progress().height < block,
            "that block is not applied"
        );

        // Nothing of the round is applied there, and what was signed by both still counts.
        let expected = match tampered {
            Tampered::Idle => "aborted",
            Tampered::Swapped => "objecting",
        };
        assert_eq!(phase(&liar).unwrap().name(), expected);
        let owed = i128::from(OWED);
        assert_eq!(positions(&liar, &lines), [owed; 3]);

        // It has voted for no block with another root than its own, and nobody for one with its root.
        let refused = |node: &Node| {
            node.ledger()
                .counters()
                .get()
                .faults
                .contains_key(&Fault::FalseRoot)
        };
        let accused = |node: &Node| kept_faults(node, LIAR).contains(&Fault::FalseRoot);
        assert!(
            refused(&liar) || federation.nodes.iter().any(accused),
            "the blocks after the freeze were looked at"
        );

        // The others go on with one root.
        let after = federation.nodes[0].ledger().progress().height;
        federation
            .until("the others go on", |f| {
                f.nodes
                    .iter()
                    .all(|node| node.ledger().progress().height > after.next())
            })
            .await;
        federation.until("one root", Federation::same_root).await;
        for node in &federation.nodes {
            assert_eq!(node.ledger().root_at(height), Some(theirs));
            assert_eq!(positions(node, &lines).iter().sum::<i128>(), owed);
            node.ledger().read(icn_state::State::audit).unwrap();
        }
    });
}
