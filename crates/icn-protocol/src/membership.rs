//! What a node does for its own seat: it applies with its invitation, and says when it is ready.
use crate::{author::Author, environment::Runtime, ledger::Ledger, time::now};
use futures::{
    future::{Either, select},
    pin_mut,
};
use icn_model::{Action, Millis, OperationId, SeatPhase};
use std::time::Duration;

/// A node whose log's last block is not older than this has caught up.
const CAUGHT_UP: Millis = Millis::from_secs(15);
/// An own operation that is not final after this is made anew.
const AGAIN: Duration = Duration::from_secs(20);

/// Watches over this node's seat, for ever.
///
/// `application` is the operation to apply with, of a node that was invited.
pub async fn run<E: Runtime>(runtime: E, ledger: Ledger, author: Author, application: Option<Action>) {
    let mut progress = ledger.watch();
    let mut said: Option<(OperationId, Said)> = None;
    loop {
        if let Some((what, action)) = due(&ledger, &author, application.as_ref(), now(&runtime)) {
            let waits = said
                .as_ref()
                .is_some_and(|(id, last)| *last == what && is_waiting(&ledger, id));
            if !waits {
                match author.act(action, now(&runtime)) {
                    Ok(id) => {
                        tracing::info!(?what, "telling the federation");
                        said = Some((id, what));
                    }
                    Err(refusal) => tracing::warn!(?what, %refusal, "the federation would refuse this"),
                }
            }
        }
        let (advance, pause) = (progress.changed(), runtime.sleep(AGAIN));
        pin_mut!(advance, pause);
        if let Either::Left((Err(_), _)) = select(advance, pause).await {
            return;
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Applies,
    Ready,
}

fn due(
    ledger: &Ledger,
    author: &Author,
    application: Option<&Action>,
    now: icn_model::Time,
) -> Option<(Said, Action)> {
    let progress = ledger.progress();
    let phase = ledger.read(|state| state.seat_record(&author.did()).map(|seat| seat.phase));
    match phase {
        // Whether it has applied already shows only when the log is here; applying twice is refused.
        None => application.map(|action| (Said::Applies, action.clone())),
        Some(SeatPhase::Admitted { .. }) if now.since(progress.time) <= CAUGHT_UP => {
            Some((Said::Ready, Action::Ready {}))
        }
        Some(_) => None,
    }
}

fn is_waiting(ledger: &Ledger, id: &OperationId) -> bool {
    matches!(
        ledger.status(id),
        Ok(Some(crate::ledger::OperationStatus::Waiting))
    )
}
