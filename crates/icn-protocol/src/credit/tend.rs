//! Looking after the lines over time: following the log, asking other ends that are silent, and telling the log.
use super::{Credit, desk::Proof, upkeep::Word};
use crate::{environment::Runtime, time::now};
use futures::{
    future::{Either, select},
    pin_mut,
};
use icn_model::{Action, ClearingAct, CreditAct, LineId, Millis, Refusal, RoundNumber, Time};
use std::time::Duration;

/// How often lines are looked at beside each block.
const LOOK: Duration = Duration::from_secs(1);
/// The same, where there are none.
const LOOK_FOR_LINES: Duration = Duration::from_secs(60);

/// Looks after the lines, for ever.
pub(super) async fn run<E: Runtime>(runtime: E, credit: Credit, anchor_after: Millis) {
    let mut progress = credit.ledger.watch();
    loop {
        let (words, is_idle) = {
            let mut desk = credit.desk.lock();
            desk.follow(now(&runtime));
            desk.ask(now(&runtime));
            (desk.words(anchor_after, now(&runtime)), desk.is_idle())
        };
        for word in words {
            tell(&credit, word, now(&runtime)).await;
        }
        let look = if is_idle { LOOK_FOR_LINES } else { LOOK };
        let (advance, pause) = (progress.changed(), runtime.sleep(look));
        pin_mut!(advance, pause);
        if let Either::Left((Err(_), _)) = select(advance, pause).await {
            return;
        }
    }
}

/// Says something of a line on the log, once everything that it rests on is on this node's disk.
async fn tell(credit: &Credit, word: Word, now: Time) {
    let (line, act) = match word {
        Word::Join(round, lines) => return join(credit, round, lines, now).await,
        Word::Anchor(line, heads) => (line, CreditAct::Anchor { heads }),
        Word::Prove(line, proof) => {
            let Proof { first, second } = *proof;
            (line, CreditAct::ProveEquivocation { first, second })
        }
        Word::Void(line, released) => {
            let (through, release) = (released.transfer.number, Some(*released));
            (line, CreditAct::Void { through, release })
        }
    };
    if credit.durable(&line).await.is_err() {
        return;
    }
    let name = act.name();
    let told = match credit.act(&line, act, now) {
        Ok(operation) => Some(operation),
        // The other end was first.
        Err(Refusal::OldHead { .. } | Refusal::AlreadyFrozen {}) => None,
        Err(refusal) => {
            warn(&line, name, &refusal);
            // As where the key that signed it was replaced long ago: that does not get better.
            if matches!(
                refusal,
                Refusal::BadRelease { .. } | Refusal::NotItsLineKey { .. }
            ) {
                credit.desk.lock().showed_in_vain(&line);
            }
            None
        }
    };
    credit.desk.lock().told(&line, told, now);
}

/// Takes part in a round of clearing, once every book's promise is on this node's disk.
async fn join(credit: &Credit, round: RoundNumber, lines: Vec<LineId>, now: Time) {
    for line in &lines {
        if credit.durable(line).await.is_err() {
            return;
        }
    }
    let act = ClearingAct::Join {
        round,
        lines: lines.clone(),
    };
    let told = match credit.author.act(Action::Clearing { act }, now) {
        Ok(operation) => Some(operation),
        Err(refusal) => {
            tracing::warn!(%round, %refusal, "the log would refuse that this node joins the round of clearing");
            None
        }
    };
    let mut desk = credit.desk.lock();
    for line in &lines {
        desk.told(line, told, now);
    }
}

fn warn(line: &LineId, act: &str, refusal: &Refusal) {
    tracing::warn!(%line, act, %refusal, "the log would refuse what this node has to say of a line");
}
