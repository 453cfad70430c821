//! Transfers on a line of credit, with the log and without it.
use super::{Context, Federation, founder, secret};
use commonware_runtime::{Clock as _, Runner as _, deterministic};
use icn_model::{
    Action, AgreementAct, AgreementId, AgreementKind, AgreementState, Digest, DisputeRule, LineId, LineTerms,
    Millis, Party, PartyRole, Standing, Terms,
};
use icn_protocol::{credit::CreditError, node::Node};
use icn_state::line::{Order, Reason};
use icn_store::Direction;
use std::time::Duration;

const LIMIT: u64 = 100_000;

fn terms(proposer: u8, counterparty: u8) -> Terms {
    let party = |number, role| Party {
        did: founder(number).did,
        role,
    };
    Terms {
        kind: AgreementKind::Credit,
        title: "bread for flour".parse().unwrap(),
        parties: vec![
            party(proposer, PartyRole::Proposer),
            party(counterparty, PartyRole::Counterparty),
        ],
        effective: None,
        expires: None,
        renews_by_ms: None,
        notice_ms: Millis::ZERO,
        contest_ms: Millis::from_secs(10),
        disputes: DisputeRule::Negotiation {},
        lines: vec![LineTerms {
            unit: "EUR.2".parse().unwrap(),
            proposer_limit: LIMIT,
            counterparty_limit: LIMIT,
        }],
        rates: Vec::new(),
        text: None,
    }
}

/// Two seats agree on a line.
pub(super) async fn line(federation: &Federation, proposer: u8, counterparty: u8) -> LineId {
    let (one, other) = (
        &federation.nodes[usize::from(proposer)],
        &federation.nodes[usize::from(counterparty)],
    );
    federation
        .until("first blocks", |f| {
            f.nodes.iter().all(|n| n.ledger().progress().height.get() > 1)
        })
        .await;
    let terms = terms(proposer, counterparty);
    let content = terms.digest();
    let action = Action::ProposeAgreement {
        terms: Box::new(terms),
    };
    let agreement = AgreementId::from(one.author().act(action, federation.now()).unwrap());
    let state = |n: &Node| {
        n.ledger()
            .read(|state| state.agreement(&agreement).map(|one| one.state))
    };
    federation
        .until("the offer is known", |f| {
            f.nodes.iter().all(|n| state(n).is_some())
        })
        .await;
    let act = AgreementAct::Sign { revision: 1, content };
    let action = Action::Agreement {
        agreement,
        act: Box::new(act),
    };
    other.author().act(action, federation.now()).unwrap();
    federation
        .until("it is in force", |f| {
            f.nodes.iter().all(|n| state(n) == Some(AgreementState::Active))
        })
        .await;
    let line = LineId {
        agreement,
        unit: "EUR.2".parse().unwrap(),
    };
    // Whoever has just opened its store asks the other end where it stands before it signs.
    let ready = |n: &Node| {
        n.credit()
            .status(&line)
            .is_some_and(|status| !status.waits_for_other)
    };
    federation
        .until("both have met", |_| ready(one) && ready(other))
        .await;
    line
}

pub(super) fn order(number: u64, amount: u64) -> Order {
    Order {
        amount,
        reference: Digest::of(&number.to_be_bytes()),
        memo: None,
    }
}

pub(super) async fn pay(
    context: &Context,
    node: &Node,
    line: &LineId,
    order: Order,
) -> Result<Standing, CreditError> {
    let now = icn_protocol::time::now(context);
    let mut made = node.credit().transfer(line, &[order], now).await?.remove(0)?;
    Ok(made.settled(context.sleep(Duration::from_secs(10))).await)
}

fn debt(node: &Node, line: &LineId) -> i128 {
    node.credit().status(line).unwrap().debt
}

#[test]
fn two_that_are_cut_off_trade_and_the_log_hears_of_it_after_healing() {
    deterministic::Runner::seeded(11).start(|context| async move {
        let federation = Federation::start(context, 4).await;
        let line = line(&federation, 0, 1).await;
        federation.cut(2, true).await;
        let before = federation.nodes[0].ledger().progress().height;
        let sides = [0_usize, 1];
        for round in 0..1_000_u64 {
            let payer = sides[usize::from(round % 3 == 0)];
            let standing = pay(
                &federation.context,
                &federation.nodes[payer],
                &line,
                order(round, 100),
            )
            .await
            .unwrap();
            assert_eq!(standing, Standing::Confirmed, "round {round}");
        }
        let height = federation.nodes[0].ledger().progress().height;
        assert!(
            height.get() <= before.get() + 3,
            "two of four order nothing: {before} to {height}"
        );
        // 666 times the proposer, 334 times the counterparty.
        assert_eq!(debt(&federation.nodes[0], &line), 33_200);
        assert_eq!(debt(&federation.nodes[1], &line), -33_200);

        federation.cut(2, false).await;
        let proposer = founder(0).did;
        federation
            .until("the heads are anchored on all four", |f| {
                f.nodes
                    .iter()
                    .all(|n| n.ledger().read(|state| state.position(&line, &proposer)) == Some(33_200))
            })
            .await;
        federation.until("one root", Federation::same_root).await;
        for node in &federation.nodes {
            node.ledger().read(icn_state::State::audit).unwrap();
        }
    });
}

#[test]
fn what_is_refused_is_refused_with_its_reason_and_a_reference_is_made_once() {
    deterministic::Runner::seeded(12).start(|context| async move {
        let federation = Federation::start(context, 4).await;
        let line = line(&federation, 0, 1).await;
        let (one, outsider) = (&federation.nodes[0], &federation.nodes[2]);
        let context = &federation.context;

        let over = pay(context, one, &line, order(1, LIMIT + 1)).await;
        assert!(
            matches!(
                over,
                Err(CreditError::Book(Reason::OverLimit { limit: LIMIT, .. }))
            ),
            "{over:?}"
        );
        let foreign = pay(context, outsider, &line, order(1, 1)).await;
        assert!(matches!(foreign, Err(CreditError::NotAnEnd(_))), "{foreign:?}");
        let nowhere = LineId {
            agreement: AgreementId::new(Digest::ZERO),
            ..line.clone()
        };
        let unknown = pay(context, one, &nowhere, order(1, 1)).await;
        assert!(matches!(unknown, Err(CreditError::UnknownLine(_))), "{unknown:?}");

        for _ in 0..2 {
            let paid = pay(context, one, &line, order(7, 500)).await.unwrap();
            assert_eq!(paid, Standing::Confirmed);
        }
        assert_eq!(debt(one, &line), 500, "one reference, one transfer");
        let other = pay(context, one, &line, order(7, 501)).await;
        assert!(
            matches!(other, Err(CreditError::Book(Reason::Reference { number: 1 }))),
            "{other:?}"
        );
        let history = one
            .credit()
            .history(&line, true, None, Direction::Forward, 10)
            .unwrap();
        assert_eq!(history.len(), 1);
        assert_eq!(history[0].standing, Standing::Confirmed);
        let theirs = federation.nodes[1].credit();
        let history = theirs
            .history(&line, false, None, Direction::Forward, 10)
            .unwrap();
        assert_eq!(history.len(), 1, "the creditor keeps it, too");
    });
}

#[test]
fn what_a_silent_creditor_does_not_sign_is_made_void_by_the_log() {
    deterministic::Runner::seeded(13).start(|context| async move {
        let federation = Federation::start(context, 4).await;
        let line = line(&federation, 0, 1).await;
        let one = &federation.nodes[0];
        let nothing = one.credit().void(&line, federation.now()).await;
        assert!(matches!(nothing, Err(CreditError::NothingPending)), "{nothing:?}");
        assert_eq!(
            pay(&federation.context, one, &line, order(1, 100)).await.unwrap(),
            Standing::Confirmed
        );
        // The creditor's node is off.
        federation.isolate(1).await;
        assert_eq!(
            pay(&federation.context, one, &line, order(2, 50)).await.unwrap(),
            Standing::Pending
        );
        one.credit().void(&line, federation.now()).await.unwrap();
        let refused = pay(&federation.context, one, &line, order(3, 1)).await;
        assert!(
            matches!(refused, Err(CreditError::Book(Reason::Voiding))),
            "{refused:?}"
        );
        federation
            .until("the log has decided", |f| {
                let status = f.nodes[0].credit().status(&line).unwrap();
                status.pending.is_empty()
            })
            .await;
        assert_eq!(debt(one, &line), 100);
        assert_eq!(one.credit().counts().voided, 1);
        let again = pay(&federation.context, one, &line, order(4, 7)).await.unwrap();
        assert_eq!(again, Standing::Pending, "the chain goes on");
        let key = secret(0).public();
        assert_eq!(one.credit().status(&line).unwrap().pending[0].content.key, key);
    });
}
