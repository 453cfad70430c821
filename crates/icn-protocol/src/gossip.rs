//! Telling the other nodes of operations that wait here, and hearing of theirs.
//!
//! Operations travel in batches: one message each would drown everything else. What is this node's own is
//! told again until it is in a block, for gossip promises nothing.
use crate::{environment::Runtime, ledger::Ledger, time::now, verify::Verifier};
use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::{Receiver, Recipients, Sender};
use futures::{
    future::{Either, select},
    pin_mut,
};
use icn_model::{Fault, Millis, SignedOperation, canonical};
use std::{sync::Arc, time::Duration};

/// Largest message.
pub const MAX_MESSAGE_BYTES: usize = 128 << 10;
/// A batch is sent when it has this many bytes of operations.
const BATCH_BYTES: usize = 60 << 10;
/// How long the first operation waits for company.
const LINGER: Duration = Duration::from_millis(3);
/// What still waits is told again after this.
const RETELL: Millis = Millis::from_secs(2);

/// Whether a message can be one of this topic's: cheap enough to decide on before passing it on.
pub fn is_plausible(message: &[u8]) -> bool {
    decode(message).is_some_and(|operations| !operations.is_empty())
}

fn decode(message: &[u8]) -> Option<Vec<SignedOperation>> {
    canonical::from_own_bytes(message, MAX_MESSAGE_BYTES).ok()
}

/// Tells the others of own operations, for ever.
pub async fn tell<E: Runtime>(runtime: E, ledger: Ledger, mut sender: impl Sender<PublicKey = PublicKey>) {
    let mut arrivals = ledger.watch_arrivals();
    loop {
        let due = runtime.sleep(Duration::from_millis(RETELL.get()));
        let arrival = arrivals.changed();
        pin_mut!(due, arrival);
        let operations = match select(arrival, due).await {
            Either::Left((Ok(()), _)) => {
                runtime.sleep(LINGER).await;
                ledger.take_untold()
            }
            Either::Left((Err(_), _)) => return,
            Either::Right(_) => ledger.to_retell(now(&runtime), RETELL),
        };
        for batch in batches(&operations) {
            sender.send(Recipients::All, canonical::to_bytes(batch), false);
        }
    }
}

fn batches(operations: &[SignedOperation]) -> impl Iterator<Item = &[SignedOperation]> {
    let mut rest = operations;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |operation: &&SignedOperation| {
            bytes += operation.encoded_len();
            bytes <= BATCH_BYTES
        };
        // An operation is smaller than a batch, so at least one fits.
        let count = rest.iter().take_while(fits).count().max(1).min(rest.len());
        let (batch, later) = rest.split_at(count);
        rest = later;
        (!batch.is_empty()).then_some(batch)
    })
}

/// Hears of other nodes' operations, until the network ends.
pub async fn hear<E: Runtime>(
    mut runtime: E,
    ledger: Ledger,
    verifier: Arc<Verifier>,
    mut receiver: impl Receiver<PublicKey = PublicKey>,
) {
    while let Ok((from, message)) = receiver.recv().await {
        let Some(operations) = decode(message.as_ref()) else {
            tracing::debug!(?from, "undecodable operations");
            ledger.counters().fault(Fault::MalformedMessage);
            continue;
        };
        let count = operations.len();
        let valid = verifier.valid(&mut runtime, operations);
        let dropped = count - valid.len();
        if dropped > 0 {
            tracing::warn!(?from, dropped, "operations with bad signatures");
            ledger.counters().faults(Fault::BadlySignedOperation, dropped);
        }
        ledger.hear(valid, now(&runtime));
    }
}
