//! What a node does for its own seat: it applies with its invitation, says when it is ready and which version of the
//! protocol it can follow, and makes way for the next key.
use crate::{
    author::Author,
    environment::Runtime,
    ledger::{Ledger, LedgerError, decode},
    time::now,
};
use futures::{
    future::{Either, select},
    pin_mut,
};
use icn_model::{Action, Did, Millis, OperationId, PublicKey, SeatPhase, SeatRecord};
use icn_store::{Reader as _, Store, Table};
use std::time::Duration;

/// A node whose log's last block is not older than this has caught up.
pub(crate) const CAUGHT_UP: Millis = Millis::from_secs(15);
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
    /// Up to which version of the protocol it can follow.
    Follows(u32),
}

fn due(
    ledger: &Ledger,
    author: &Author,
    application: Option<&Action>,
    now: icn_model::Time,
) -> Option<(Said, Action)> {
    let progress = ledger.progress();
    let seat = ledger.read(|state| {
        let seat = state.seat_record(&author.did())?;
        Some((seat.phase, seat.protocol))
    });
    let knows = ledger.knows();
    match seat {
        // Whether it has applied already shows only when the log is here; applying twice is refused.
        None => application.map(|action| (Said::Applies, action.clone())),
        Some((SeatPhase::Admitted { .. }, _)) if now.since(progress.time) <= CAUGHT_UP => {
            Some((Said::Ready, Action::Ready {}))
        }
        // The next version waits until two thirds of the seats have said so.
        Some((phase, said)) if phase.is_seated() && said < knows => {
            Some((Said::Follows(knows), Action::Announce { protocol: knows }))
        }
        Some(_) => None,
    }
}

/// Waits until this node's seat has another key than the one that it runs with, and says which. The node is of no use
/// to its seat then, until it starts again with that key.
pub async fn succeeded(ledger: &Ledger, author: &Author) -> PublicKey {
    let mut progress = ledger.watch();
    loop {
        progress.borrow_and_update();
        match successor(ledger, author) {
            Some(key) => return key,
            // Nothing changes any more once the ledger is gone.
            None if progress.changed().await.is_err() => std::future::pending().await,
            None => {}
        }
    }
}

/// The key that has the author's seat instead of the author's own; none while that has it, or never had.
pub fn successor(ledger: &Ledger, author: &Author) -> Option<PublicKey> {
    ledger.read(|state| {
        let seat = state.seat_record(&author.did())?;
        let former = &seat.succession.former_seats;
        former.contains(&author.key().public()).then_some(seat.keys.seat)
    })
}

/// The key that the seat of `did` has, by the state in a store; none if there is none.
///
/// # Errors
/// If the store fails, or what it holds is damaged.
pub fn seat_key(store: &Store, did: &Did) -> Result<Option<PublicKey>, LedgerError> {
    let Some(bytes) = store.get(Table::State, &icn_state::seat_key(did))? else {
        return Ok(None);
    };
    let seat: SeatRecord = decode("a seat", &bytes)?;
    Ok(Some(seat.keys.seat))
}

/// Whether an operation of this node still waits for a block.
pub(crate) fn is_waiting(ledger: &Ledger, id: &OperationId) -> bool {
    matches!(
        ledger.status(id),
        Ok(Some(crate::ledger::OperationStatus::Waiting))
    )
}
