//! Building blocks and judging those of others.
//!
//! A verdict must be the same on every honest seat, whenever it looks: a block is judged against its
//! parent and against state that this seat has itself executed. What may still change (this seat has not
//! executed the named height yet, or the block's time has not come) is waited for, never refused. So a
//! block's time is bounded from below by its parent alone, and from above by everybody's clock; see
//! docs/decisions/0005-block-time.md.
use crate::{
    block::{BlockContext, LogBlock},
    environment::Runtime,
    keys,
    ledger::{Ledger, MAX_EXECUTION_LAG},
    marshal::LogReader,
    observations::Observer,
    time::now,
    verify::Verifier,
};
use commonware_consensus::{
    Application as ConsensusApplication, Heightable as _, marshal::ancestry::Ancestry,
    simplex::scheme::ed25519::Scheme,
};
use commonware_cryptography::Digested;
use futures::{
    FutureExt as _, StreamExt as _,
    future::{Either, select},
    pin_mut,
};
use icn_model::{
    Block, BlockHeader, Cid, Digest, EpochNumber, Fault, Height, Millis, NamedRoot, Parameters,
    SignedOperation, Time, limits::MAX_BLOCK_OPERATIONS,
};
use std::{collections::HashSet, sync::Arc, time::Duration};

/// How far a block's time may lie before a seat's clock for the seat to vote for it at once.
const CLOCK_SKEW: Millis = Millis::from_secs(2);
/// A seat that misses what a block names as executed waits this long before it asks the other seats.
const ASK_AFTER: Duration = Duration::from_millis(1_000);
/// The next seats are fixed this many blocks before an epoch ends.
pub(crate) const SEATS_FIXED_BEFORE_END: u64 = 16;

/// Proposes and judges blocks for consensus.
#[derive(Clone)]
pub(crate) struct Application {
    ledger: Ledger,
    verifier: Arc<Verifier>,
    log: LogReader,
    observer: Observer,
    federation: Cid,
    epoch_blocks: u64,
    heartbeat: Duration,
}

impl Application {
    /// For the federation that `ledger` follows.
    pub(crate) fn new(
        ledger: Ledger,
        verifier: Arc<Verifier>,
        log: LogReader,
        observer: Observer,
        parameters: &Parameters,
    ) -> Self {
        Self {
            federation: ledger.read(icn_state::State::federation),
            epoch_blocks: parameters.epoch_blocks,
            heartbeat: Duration::from_millis(parameters.heartbeat_ms.get()),
            ledger,
            verifier,
            log,
            observer,
        }
    }

    fn is_last_of_epoch(&self, height: Height) -> bool {
        (height.get() + 1).is_multiple_of(self.epoch_blocks)
    }

    /// Waits until there is something to put into a block, or the heartbeat is due.
    async fn wait_for_work(&self, clock: &impl Runtime, pending: &[SignedOperation]) {
        let used: HashSet<_> = pending.iter().map(SignedOperation::id).collect();
        let mut arrivals = self.ledger.watch_arrivals();
        let heartbeat = clock.sleep(self.heartbeat).fuse();
        pin_mut!(heartbeat);
        while !self.ledger.is_urgent(&used) {
            let arrival = arrivals.changed();
            pin_mut!(arrival);
            if let Either::Right(_) = select(arrival, &mut heartbeat).await {
                return;
            }
        }
    }

    /// The Merkle root that the last block of an epoch has to carry.
    async fn fixed_root(&self, last: Height) -> Option<Digest> {
        let fixed = fixed_height(last);
        self.ledger.executed(fixed).await;
        let (_, checkpoint) = self.ledger.executed_root();
        checkpoint
            .filter(|(height, _)| *height == fixed)
            .map(|(_, root)| root)
    }

    async fn build(
        &self,
        clock: &impl Runtime,
        context: &BlockContext,
        mut ancestry: impl Ancestry<LogBlock>,
    ) -> Option<LogBlock> {
        let parent = ancestry.next().await?;
        let height = Height::new(parent.height().get() + 1);
        self.ledger
            .executed(Height::new(height.get().saturating_sub(MAX_EXECUTION_LAG)))
            .await;

        let executed = self.ledger.progress().height;
        let mut pending = Vec::new();
        let mut ancestor = parent.clone();
        while ancestor.inner().header().height > executed {
            pending.push(ancestor.inner().content().operations.clone());
            ancestor = ancestry.next().await?;
        }
        let pending: Vec<_> = pending.into_iter().rev().flatten().collect();
        self.wait_for_work(clock, &pending).await;

        let parent_time = parent.inner().header().time;
        let time = now(clock).max(parent_time.after(Millis::new(1)));
        let operations = self.ledger.choose(&pending, parent_time, time);
        let state = if self.is_last_of_epoch(height) {
            Some(self.fixed_root(height).await?)
        } else {
            None
        };
        let (executed, _) = self.ledger.executed_root();
        let header = BlockHeader {
            federation: self.federation,
            height,
            epoch: EpochNumber::new(context.round.epoch().get()),
            view: context.round.view().get(),
            leader: keys::model_public(&context.leader),
            parent: keys::model_digest(&context.parent.1),
            parent_view: context.parent.0.get(),
            time,
            executed: durable(executed, self.ledger.progress().height, &self.ledger)?,
            state,
        };
        Some(LogBlock::new(Block { header, operations }))
    }

    /// Waits until what `block` builds on is executed here. Other seats have it as final; here the certificate
    /// may have been lost, and would never come again by itself: the blocks that could follow wait for this
    /// seat. It may be one of a later height, up to the parent's, that makes this one final. All seats are
    /// asked, for the proposer need not have it any more: it may have lost it, or be one of two with one key.
    async fn await_executed(&self, clock: &impl Runtime, block: &BlockHeader) {
        let named = block.executed.height;
        let needed = if block.state.is_some() {
            named.max(fixed_height(block.height))
        } else {
            named
        };
        let executed = self.ledger.executed(needed);
        pin_mut!(executed);
        loop {
            let patience = clock.sleep(ASK_AFTER);
            pin_mut!(patience);
            if let Either::Left(_) = select(&mut executed, patience).await {
                return;
            }
            let seats = self.ledger.seat_keys(block.epoch).unwrap_or_default();
            for height in needed.get()..block.height.get() {
                self.log.ask_for(Height::new(height), &seats);
            }
        }
    }

    /// Whether a block may follow its parent. Waits for what it needs to know.
    async fn judge(
        &self,
        clock: &mut impl Runtime,
        block: &LogBlock,
        parent: &LogBlock,
    ) -> Result<(), Objection> {
        let header = block.header();
        let operations = &block.content().operations;
        if header.federation != self.federation {
            return Err(Objection::Federation);
        }
        if header.time <= parent.header().time {
            return Err(Objection::Time {
                time: header.time,
                parent: parent.header().time,
            });
        }
        if operations.len() > MAX_BLOCK_OPERATIONS {
            return Err(Objection::Size);
        }
        let NamedRoot { height: named, root } = header.executed;
        if named >= header.height || named.get() + MAX_EXECUTION_LAG < header.height.get() {
            return Err(Objection::RootHeight { named });
        }
        if header.state.is_some() != self.is_last_of_epoch(header.height) {
            return Err(Objection::StateRoot);
        }
        if !self.verifier.all_valid(clock, operations) {
            return Err(Objection::Signature);
        }
        self.await_executed(clock, header).await;
        match self.ledger.root_at(named) {
            Some(ours) if ours == root => {}
            Some(ours) => {
                return Err(Objection::Root {
                    named,
                    theirs: root,
                    ours,
                });
            }
            // Executed and forgotten: it is older than any root that may still be named.
            None => return Err(Objection::RootHeight { named }),
        }
        if header.state.is_some() && self.fixed_root(header.height).await != header.state {
            return Err(Objection::StateRoot);
        }
        let early = header.time.since(now(clock).after(CLOCK_SKEW));
        if early > Millis::ZERO {
            clock.sleep(Duration::from_millis(early.get())).await;
        }
        Ok(())
    }
}

/// Where the seats that follow an epoch are fixed, given its last height.
fn fixed_height(last: Height) -> Height {
    Height::new(last.get().saturating_sub(SEATS_FIXED_BEFORE_END))
}

/// Only what is durable here may be named: after a crash this seat must be able to stand by it.
fn durable(executed: NamedRoot, durable: Height, ledger: &Ledger) -> Option<NamedRoot> {
    if executed.height <= durable {
        return Some(executed);
    }
    Some(NamedRoot {
        height: durable,
        root: ledger.root_at(durable)?,
    })
}

/// What is wrong with a block. It costs its proposer the view.
#[derive(Debug, thiserror::Error)]
enum Objection {
    #[error("it is for another federation")]
    Federation,
    #[error("its time {time} is not after its parent's {parent}")]
    Time { time: Time, parent: Time },
    #[error("it holds too many operations")]
    Size,
    #[error("it names the root of {named}, which is too old or not before it")]
    RootHeight { named: Height },
    #[error("it names root {theirs} for {named}, this node has {ours}")]
    Root {
        named: Height,
        theirs: Digest,
        ours: Digest,
    },
    #[error("its state root is wrong, missing or out of place")]
    StateRoot,
    #[error("an operation in it is not signed by its author")]
    Signature,
}

impl Objection {
    const fn fault(&self) -> Fault {
        match self {
            Self::Federation => Fault::ForeignBlock,
            Self::Time { .. } => Fault::BlockTime,
            Self::Size => Fault::BlockTooLarge,
            Self::RootHeight { .. } => Fault::RootOutOfRange,
            Self::Root { .. } => Fault::FalseRoot,
            Self::StateRoot => Fault::FalseStateRoot,
            Self::Signature => Fault::UnsignedInBlock,
        }
    }
}

impl<E: Runtime> ConsensusApplication<E> for Application {
    type SigningScheme = Scheme;
    type Context = BlockContext;
    type Block = LogBlock;
    type Input = ();

    async fn propose(
        &mut self,
        (runtime, context): (E, BlockContext),
        ancestry: impl Ancestry<LogBlock>,
        (): (),
    ) -> Option<Digested<LogBlock>> {
        let block = self.build(&runtime, &context, ancestry).await?;
        let digest = keys::digest(&block.hash());
        Some(Digested::precomputed(block, digest))
    }

    async fn verify(
        &mut self,
        (mut runtime, context): (E, BlockContext),
        mut ancestry: impl Ancestry<LogBlock>,
    ) -> bool {
        let (Some(block), Some(parent)) = (ancestry.next().await, ancestry.next().await) else {
            return false;
        };
        match self.judge(&mut runtime, block.inner(), parent.inner()).await {
            Ok(()) => true,
            Err(objection) => {
                let detail = format!("at height {}: {objection}", block.inner().header().height);
                self.observer
                    .fault(&context.leader, context.round, objection.fault(), detail);
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        observations,
        testing::{genesis, secret},
    };
    use commonware_runtime::{Clock as _, Runner as _, deterministic};
    use icn_model::{Action, Did, Operation, PROTOCOL_VERSION, PublicKey as ModelKey, Sequence, Signature};
    use icn_store::{MemoryBackend, Store, StoreConfig};

    /// A good first block.
    fn header(federation: Cid, parent: &LogBlock, leader: ModelKey) -> BlockHeader {
        BlockHeader {
            federation,
            height: Height::new(1),
            epoch: EpochNumber::ZERO,
            view: 1,
            leader,
            parent: parent.hash(),
            parent_view: 0,
            time: Time::new(2_000),
            executed: parent.header().executed,
            state: None,
        }
    }

    fn operation(federation: Cid, number: u64) -> SignedOperation {
        let operation = Operation {
            federation,
            author: Did::new(secret().public()),
            key: secret().public(),
            sequence: Sequence::new(number),
            expires: Time::new(60_000),
            action: Action::Leave {},
        };
        SignedOperation::sign(operation, &secret())
    }

    /// What a seat objects to in a block that differs from a good one.
    fn objection(change: impl FnOnce(&mut Block) + Send + 'static) -> Option<Fault> {
        deterministic::Runner::seeded(1).start(|mut context| async move {
            let store = Store::inline(MemoryBackend::new(), StoreConfig::default());
            let ledger = Ledger::open(
                store,
                &genesis(),
                Arc::new(icn_state::NoPolicies),
                PROTOCOL_VERSION,
            )
            .await
            .unwrap();
            let parent = ledger.genesis_block();
            let federation = genesis().id();
            let leader = secret().public();
            let mut block = Block {
                header: header(federation, &parent, leader),
                operations: vec![operation(federation, 1)],
            };
            change(&mut block);
            let application = Application::new(
                ledger,
                Arc::default(),
                LogReader::default(),
                observations::channel().0,
                &genesis().parameters,
            );
            context.sleep(Duration::from_secs(10)).await;
            let judged = application
                .judge(&mut context, &LogBlock::new(block), &parent)
                .await;
            judged.err().map(|objection| objection.fault())
        })
    }

    #[test]
    fn a_good_block_is_voted_for() {
        assert_eq!(objection(|_| {}), None);
    }

    #[test]
    fn each_wrong_block_is_refused_by_its_reason() {
        type Change = fn(&mut Block);
        let wrong: [(Fault, Change); 9] = [
            (Fault::ForeignBlock, |block| {
                block.header.federation = Cid::of_raw(b"another")
            }),
            (Fault::BlockTime, |block| block.header.time = Time::new(1_000)),
            (Fault::BlockTooLarge, |block| {
                let one = block.operations[0].clone();
                block.operations = vec![one; MAX_BLOCK_OPERATIONS + 1];
            }),
            (Fault::RootOutOfRange, |block| {
                block.header.executed.height = Height::new(1)
            }),
            (Fault::RootOutOfRange, |block| {
                block.header.height = Height::new(MAX_EXECUTION_LAG + 1);
            }),
            (Fault::FalseRoot, |block| {
                block.header.executed.root = Digest::of(b"another")
            }),
            (Fault::FalseStateRoot, |block| {
                block.header.state = Some(Digest::ZERO)
            }),
            (Fault::UnsignedInBlock, |block| {
                let bytes = block.operations[0].bytes().to_vec();
                let unsigned = SignedOperation::decode(bytes, Signature::new([0; 64])).unwrap();
                block.operations.push(unsigned);
            }),
            (Fault::UnsignedInBlock, |block| {
                let of_another = operation(block.header.federation, 2);
                let bytes = block.operations[0].bytes().to_vec();
                let wrongly_signed = SignedOperation::decode(bytes, *of_another.signature()).unwrap();
                block.operations = vec![wrongly_signed];
            }),
        ];
        for (fault, change) in wrong {
            assert_eq!(objection(change), Some(fault));
        }
    }
}
