//! What comes of books is made durable here, many outcomes with one sync, and only then sent and told.
use super::{MAX_LETTER, rows};
use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::{Recipients, Sender};
use commonware_utils::{
    channel::{mpsc, oneshot},
    sync::Mutex,
};
use icn_model::{LineId, LineMessage, Standing, canonical};
use icn_state::line::{Heard, Outcome};
use icn_store::{Batch, Durability, Store, StoreError, Table};
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc};

/// Outcomes that share a sync.
const MAX_GROUPS: usize = 512;

/// A [`Letter`](super::Letter) on its way out.
#[derive(Serialize)]
struct Letter<'a> {
    line: &'a LineId,
    messages: &'a [LineMessage],
}

/// An outcome on its way to the disk.
pub(super) struct Group {
    pub(super) line: LineId,
    /// The other end, if it has a seat.
    pub(super) to: Option<PublicKey>,
    pub(super) outcome: Outcome,
    /// Stored with it.
    pub(super) beside: Vec<(Vec<u8>, Vec<u8>)>,
    /// Told when it is durable.
    pub(super) done: Option<oneshot::Sender<()>>,
}

/// Who waits for a line's transfers, by number.
type OfLine = BTreeMap<u64, Vec<oneshot::Sender<Standing>>>;

/// Who waits for transfers to be signed by both. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Waiters(Arc<Mutex<BTreeMap<LineId, OfLine>>>);

impl Waiters {
    pub(super) fn wait(&self, line: &LineId, number: u64) -> oneshot::Receiver<Standing> {
        let (sender, receiver) = oneshot::channel();
        let mut lines = self.0.lock();
        let numbers = lines.entry(line.clone()).or_default();
        let waiting = numbers.entry(number).or_default();
        waiting.retain(|waiter| !waiter.is_closed());
        waiting.push(sender);
        receiver
    }

    fn tell(&self, line: &LineId, heard: &[Heard]) {
        for one in heard {
            let (first, last, standing) = match one {
                Heard::Confirmed { through } => (0, *through, Standing::Confirmed),
                Heard::Voided {
                    is_own: true,
                    after,
                    through,
                } => (after + 1, *through, Standing::Void),
                _ => continue,
            };
            let mut lines = self.0.lock();
            let Some(numbers) = lines.get_mut(line) else {
                continue;
            };
            let settled: Vec<u64> = numbers.range(first..=last).map(|(number, _)| *number).collect();
            for waiter in settled
                .iter()
                .filter_map(|number| numbers.remove(number))
                .flatten()
            {
                // Whoever has stopped waiting does not mind.
                let _ = waiter.send(standing);
            }
            if numbers.is_empty() {
                lines.remove(line);
            }
        }
    }
}

/// Stores, sends and tells, in the order in which outcomes came, until there are no more of them.
///
/// # Errors
/// If the store fails: nothing of what waits is sent, as after a crash. A store that failed once takes nothing more, so
/// there is nothing to go on with.
pub(super) async fn run(
    store: Store,
    mut queue: mpsc::Receiver<Group>,
    mut sender: impl Sender<PublicKey = PublicKey>,
    waiters: Waiters,
) -> Result<(), StoreError> {
    while let Some(first) = queue.recv().await {
        let mut groups = vec![first];
        while groups.len() < MAX_GROUPS
            && let Ok(group) = queue.try_recv()
        {
            groups.push(group);
        }
        let mut batch = Batch::new();
        for group in &groups {
            let written = group.outcome.write.iter();
            let entries = written.flat_map(|row| rows::entries(&group.line, row));
            for (key, value) in entries.chain(group.beside.iter().cloned()) {
                batch.put(Table::Credit, key, value)?;
            }
        }
        if !batch.is_empty() {
            store.commit(batch, Durability::Sync).await?;
        }
        let mut mail = Mail::new();
        for group in groups {
            waiters.tell(&group.line, &group.outcome.heard);
            if let Some(done) = group.done {
                let _ = done.send(());
            }
            if let Some(to) = group.to.filter(|_| !group.outcome.send.is_empty()) {
                let messages = mail.entry((group.line, to)).or_default();
                group.outcome.send.into_iter().for_each(|one| add(messages, one));
            }
        }
        for ((line, to), messages) in &mail {
            for messages in messages.chunks(MAX_LETTER) {
                let letter = canonical::to_bytes(&Letter { line, messages });
                sender.send(Recipients::One(to.clone()), letter, false);
            }
        }
    }
    Ok(())
}

/// What is to be sent of each line, to whom.
type Mail = BTreeMap<(LineId, PublicKey), Vec<LineMessage>>;

/// A countersignature covers the one before it.
fn add(messages: &mut Vec<LineMessage>, message: LineMessage) {
    let is_acceptance = |message: &LineMessage| matches!(message, LineMessage::Acceptance(_));
    if is_acceptance(&message) && messages.last().is_some_and(is_acceptance) {
        messages.pop();
    }
    messages.push(message);
}
