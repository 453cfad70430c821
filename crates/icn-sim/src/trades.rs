//! What users trade: transfers on lines of credit, ordered once and sometimes again, and what they say of lines.
use crate::workload::Workload;
use commonware_runtime::{Clock as _, Spawner as _, Supervisor as _};
use icn_model::{Action, AgreementAct, ClearingAct, Digest, LineId, LinePhase};
use icn_state::line::Order;
use rand::RngExt as _;
use std::time::Duration;

/// How long a user waits for the other end.
const PATIENCE: Duration = Duration::from_secs(2);
/// The largest transfer, minor units.
const MAX_AMOUNT: u64 = 5_000;

impl Workload {
    /// Signs what is offered, or else offers credit to the next one.
    fn open_a_line(&mut self, node: usize) {
        let (me, next) = (self.dids[node], (node + 1) % self.dids.len());
        let Some(running) = self.roster.node(node) else {
            return;
        };
        let offered = running.ledger().read(|state| {
            let mut offers = state
                .agreements_of(&me)
                .filter_map(|(id, one)| Some((*id, one.offer.as_ref()?)));
            let waits = offers.find(|(_, offer)| offer.needed.contains(&me) && !offer.signed.contains(&me));
            waits.map(|(id, offer)| (id, offer.revision, offer.terms.digest()))
        });
        let action = match offered {
            Some((agreement, revision, content)) => Action::Agreement {
                agreement,
                act: Box::new(AgreementAct::Sign { revision, content }),
            },
            None if next == node => return,
            None => Action::ProposeAgreement {
                terms: Box::new(self.credit_terms(node, next)),
            },
        };
        self.speak(node, action);
    }

    /// Somebody owes somebody else more, orders what was ordered before once more, or turns to the log.
    pub(crate) async fn trade(&mut self, node: usize) {
        let Some(running) = self.roster.node(node) else {
            return;
        };
        let me = self.dids[node];
        let lines: Vec<LineId> = running.ledger().read(|state| {
            let open = state
                .lines_of(&me)
                .filter(|(_, line)| line.phase == LinePhase::Open {});
            open.map(|(id, _)| id).collect()
        });
        if lines.is_empty() {
            self.open_a_line(node);
            return;
        }
        let line = lines[self.rng.random_range(0..lines.len())].clone();
        let now = self.now();
        match self.rng.random_range(0..40) {
            0 => drop(running.credit().void(&line, now).await),
            1 => drop(running.credit().anchor(&line, now).await),
            2 => {
                let open = running.ledger().read(|state| {
                    let (round, _) = state.open_round()?;
                    state.is_touched(&round, &me).then_some(round)
                });
                if let Some(round) = open {
                    let reason = "not so".to_owned();
                    let act = ClearingAct::Object { round, reason };
                    self.speak(node, Action::Clearing { act });
                }
            }
            _ => {
                let again = self.rng.random_range(0..6) == 0;
                let pick = self.rng.random();
                let before = self.judge().lock().trades().ordered(&line, &me, pick);
                let (reference, amount) = match before {
                    Some(before) if again => before,
                    _ => {
                        let name: [u8; 16] = self.rng.random();
                        (Digest::of(&name), self.rng.random_range(1..MAX_AMOUNT))
                    }
                };
                self.judge().lock().trades().order(&line, &me, reference, amount);
                let order = Order {
                    amount,
                    reference,
                    memo: None,
                };
                let (judge, context) = (self.judge().clone(), self.context().child("trade"));
                context.spawn(move |context| async move {
                    let made = running.credit().transfer(&line, &[order], now).await;
                    let Ok(Some(Ok(mut made))) = made.map(|made| made.into_iter().next()) else {
                        return;
                    };
                    let standing = made.settled(context.sleep(PATIENCE)).await;
                    judge.lock().trades().told(&line, &me, reference, standing);
                });
            }
        }
    }
}
