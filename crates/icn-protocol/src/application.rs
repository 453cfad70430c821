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
    epochs::{LogReader, Scheme},
    keys,
    ledger::{Ledger, MAX_EXECUTION_LAG},
    time::now,
    verify::Verifier,
};
use commonware_consensus::{
    Application as ConsensusApplication, Heightable as _, marshal::ancestry::Ancestry,
};
use commonware_cryptography::{Digested, ed25519::PublicKey};
use futures::{
    FutureExt as _, StreamExt as _,
    future::{Either, select},
    pin_mut,
};
use icn_model::{
    Block, BlockHeader, Cid, Digest, EpochNumber, Height, Millis, NamedRoot, Parameters, SignedOperation,
    Time, limits::MAX_BLOCK_OPERATIONS,
};
use std::{collections::HashSet, sync::Arc, time::Duration};

/// How far a block's time may lie before a seat's clock for the seat to vote for it at once.
const CLOCK_SKEW: Millis = Millis::from_secs(2);
/// A seat that misses what a block names as executed waits this long before it asks the block's proposer.
const ASK_AFTER: Duration = Duration::from_millis(1_000);
/// The next seats are fixed this many blocks before an epoch ends.
pub const SEATS_FIXED_BEFORE_END: u64 = 16;

/// Proposes and judges blocks for consensus.
#[derive(Clone)]
pub struct Application {
    ledger: Ledger,
    verifier: Arc<Verifier>,
    log: LogReader,
    federation: Cid,
    epoch_blocks: u64,
    heartbeat: Duration,
}

impl Application {
    /// For the federation that `ledger` follows.
    pub fn new(ledger: Ledger, verifier: Arc<Verifier>, log: LogReader, parameters: &Parameters) -> Self {
        Self {
            federation: ledger.read(icn_state::State::federation),
            epoch_blocks: parameters.epoch_blocks,
            heartbeat: Duration::from_millis(parameters.heartbeat_ms.get()),
            ledger,
            verifier,
            log,
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

    /// Waits until what `block` builds on is executed here. Its proposer has it as final; here the certificate
    /// may have been lost, and would never come again by itself: the blocks that could follow wait for this
    /// seat. It may be one of a later height, up to the parent's, that makes this one final.
    async fn await_executed(&self, clock: &impl Runtime, block: &BlockHeader, leader: &PublicKey) {
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
            for height in needed.get()..block.height.get() {
                self.log.ask_for(Height::new(height), leader);
            }
        }
    }

    /// Whether a block may follow its parent. Waits for what it needs to know.
    async fn judge(
        &self,
        clock: &mut impl Runtime,
        leader: &PublicKey,
        block: &LogBlock,
        parent: &LogBlock,
    ) -> Result<(), Fault> {
        let header = block.header();
        let operations = &block.content().operations;
        if header.federation != self.federation {
            return Err(Fault::Federation);
        }
        if header.time <= parent.header().time {
            return Err(Fault::Time {
                time: header.time,
                parent: parent.header().time,
            });
        }
        if operations.len() > MAX_BLOCK_OPERATIONS {
            return Err(Fault::Size);
        }
        let NamedRoot { height: named, root } = header.executed;
        if named >= header.height || named.get() + MAX_EXECUTION_LAG < header.height.get() {
            return Err(Fault::RootHeight { named });
        }
        if header.state.is_some() != self.is_last_of_epoch(header.height) {
            return Err(Fault::StateRoot);
        }
        if !self.verifier.all_valid(clock, operations) {
            return Err(Fault::Signature);
        }
        self.await_executed(clock, header, leader).await;
        match self.ledger.root_at(named) {
            Some(ours) if ours == root => {}
            Some(ours) => {
                return Err(Fault::Root {
                    named,
                    theirs: root,
                    ours,
                });
            }
            // Executed and forgotten: it is older than any root that may still be named.
            None => return Err(Fault::RootHeight { named }),
        }
        if header.state.is_some() && self.fixed_root(header.height).await != header.state {
            return Err(Fault::StateRoot);
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
enum Fault {
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
        match self
            .judge(&mut runtime, &context.leader, block.inner(), parent.inner())
            .await
        {
            Ok(()) => true,
            Err(fault) => {
                let leader = keys::model_public(&context.leader);
                tracing::warn!(height = %block.inner().header().height, %leader, %fault, "not voting for a block");
                false
            }
        }
    }
}
