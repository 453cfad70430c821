//! Final blocks: kept in the journal, fetched from others where missing, delivered in order.
//!
//! The work is commonware's marshal's; this sets it up and says what a node of ours asks of it.
use crate::{
    anchor::Anchor,
    block::LogBlock,
    environment::{Channel, Network, Runtime},
    ledger::Ledger,
};
use commonware_actor::Feedback;
use commonware_broadcast::buffered;
use commonware_consensus::{
    Reporter,
    marshal::{
        self, Update,
        core::{Actor, Mailbox},
        resolver::p2p as resolver,
        standard::Standard,
    },
    simplex::scheme::ed25519::Scheme,
    types::{Epoch, FixedEpocher, Height, ViewDelta},
};
use commonware_cryptography::{
    Digested, Digestible as _, Signer as _,
    certificate::{Provider, Scoped},
    ed25519::{PrivateKey, PublicKey},
};
use commonware_parallel::Sequential;
use commonware_runtime::buffer::paged::CacheRef;
use commonware_storage::{
    archive::{Archive as _, prunable},
    translator::TwoCap,
};
use commonware_utils::{
    NZDuration, NZU64, NZUsize, acknowledgement::Exact, channel::mpsc, ordered::Set, sync::Mutex,
    vec::NonEmptyVec,
};
use icn_model::limits::MAX_SEATS;
use std::{
    collections::HashMap,
    num::NonZeroU64,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Blocks that are applied in one go while catching up.
const MAX_PENDING_ACKS: usize = 16;
/// Views of which consensus keeps the votes.
pub(crate) const VIEWS_KEPT: ViewDelta = ViewDelta::new(64);
pub(crate) const BUFFER_BYTES: usize = 1 << 16;

pub(crate) type MarshalMailbox = Mailbox<Scheme, Standard<LogBlock>>;

/// Reads final blocks out of the journal, and asks others for what is missing. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct LogReader {
    log: Arc<OnceLock<(MarshalMailbox, PublicKey)>>,
    tip: Arc<AtomicU64>,
}

impl LogReader {
    pub(crate) fn set(&self, marshal: MarshalMailbox, me: PublicKey) {
        // Set once: a log runs once.
        let _ = self.log.set((marshal, me));
    }

    /// Whether the log is running, so that its blocks can be read.
    pub(crate) fn is_ready(&self) -> bool {
        self.log.get().is_some()
    }

    /// The highest block that is known to be final, whether it is here or not; that which the journal knows, as soon as the log
    /// runs.
    pub(crate) fn tip(&self) -> icn_model::Height {
        icn_model::Height::new(self.tip.load(Ordering::Relaxed))
    }

    /// The final block at `height`, if it is here and the log is running.
    pub(crate) async fn block(&self, height: icn_model::Height) -> Option<LogBlock> {
        let block = self.log.get()?.0.get_block(Height::new(height.get())).await?;
        Some(block.inner().clone())
    }

    /// The final block at `height` with its certificate, as bytes to go on from; none if either is not here.
    pub(crate) async fn anchor(&self, height: icn_model::Height) -> Option<Vec<u8>> {
        let (marshal, _) = self.log.get()?;
        let height = Height::new(height.get());
        let block = marshal.get_block(height).await?.inner().clone();
        let finalization = marshal.get_finalization(height).await?;
        Some(Anchor { block, finalization }.to_bytes())
    }

    /// Asks the others of `seats`, one after the other, for the certificate that makes `height` final, in case
    /// that it got lost on its way here.
    pub(crate) fn ask_for(&self, height: icn_model::Height, seats: &Set<PublicKey>) {
        let Some((marshal, me)) = self.log.get() else {
            return;
        };
        let others: Vec<_> = seats.iter().filter(|seat| *seat != me).cloned().collect();
        if let Ok(others) = NonEmptyVec::try_from(others) {
            marshal.hint_finalized(Height::new(height.get()), others);
        }
    }
}

/// The schemes of the epochs that this node knows the seats of.
#[derive(Clone)]
pub(crate) struct Schemes {
    known: Arc<Mutex<HashMap<Epoch, Arc<Scheme>>>>,
    namespace: Arc<[u8]>,
    key: PrivateKey,
}

impl Schemes {
    pub(crate) fn new(namespace: Arc<[u8]>, key: PrivateKey) -> Self {
        let known = Arc::default();
        Self {
            known,
            namespace,
            key,
        }
    }

    pub(crate) fn add(&self, epoch: Epoch, seats: &Set<PublicKey>, may_vote: bool) -> Scheme {
        let signer = Scheme::signer(&self.namespace, seats.clone(), self.key.clone()).filter(|_| may_vote);
        let scheme = signer.unwrap_or_else(|| Scheme::verifier(&self.namespace, seats.clone()));
        self.known.lock().insert(epoch, Arc::new(scheme.clone()));
        scheme
    }
}

impl Provider for Schemes {
    type Scope = Epoch;
    type Scheme = Scheme;

    fn scoped(&self, epoch: Epoch) -> Option<Scoped<Scheme>> {
        self.known.lock().get(&epoch).cloned().map(Scoped::scheme)
    }
}

/// A final block, to be acknowledged once it is durable.
pub(crate) type Delivery = (LogBlock, Exact);

/// What marshal reports, as it comes.
#[derive(Clone)]
struct Reports {
    blocks: mpsc::UnboundedSender<Delivery>,
    tip: Arc<AtomicU64>,
}

impl Reporter for Reports {
    type Activity = Update<LogBlock>;

    fn report(&mut self, update: Update<LogBlock>) -> Feedback {
        match update {
            Update::Block(block, acknowledgement) => {
                // Bounded by marshal: it waits after `MAX_PENDING_ACKS`.
                let _ = self.blocks.send((block.inner().clone(), acknowledgement));
            }
            Update::Tip(_, height, _) => {
                self.tip.fetch_max(height.get(), Ordering::Relaxed);
            }
        }
        Feedback::Ok
    }
}

fn archive<C>(
    partition: &str,
    name: &str,
    blocks_per_file: NonZeroU64,
    cache: CacheRef,
    codec_config: C,
) -> prunable::Config<TwoCap, C> {
    prunable::Config {
        translator: TwoCap,
        metadata_partition: format!("{partition}-{name}-meta"),
        key_partition: format!("{partition}-{name}-key"),
        key_page_cache: cache,
        value_partition: format!("{partition}-{name}-value"),
        compression: None,
        codec_config,
        items_per_section: blocks_per_file,
        key_write_buffer: NZUsize!(BUFFER_BYTES),
        value_write_buffer: NZUsize!(BUFFER_BYTES),
        replay_buffer: NZUsize!(BUFFER_BYTES),
    }
}

/// What marshal needs to start.
pub(crate) struct Parts<'a, N: Network> {
    pub(crate) key: &'a PrivateKey,
    pub(crate) partition: &'a str,
    /// How many blocks share a file.
    pub(crate) blocks_per_file: NonZeroU64,
    pub(crate) ledger: &'a Ledger,
    /// Is told how far the log is final.
    pub(crate) reader: &'a LogReader,
    pub(crate) schemes: Schemes,
    pub(crate) epocher: FixedEpocher,
    pub(crate) cache: CacheRef,
    /// Where the log goes on from, if not from its beginning.
    pub(crate) anchor: Option<Anchor>,
    /// For missing blocks.
    pub(crate) backfill: Channel<N>,
    /// For new blocks.
    pub(crate) broadcast: Channel<N>,
    pub(crate) peers: N::Peers,
    pub(crate) blocker: N::Blocker,
}

/// Starts marshal with its resolver (missing blocks) and its buffer (new blocks). Also gives its deliveries,
/// of which [`MAX_PENDING_ACKS`] come before the first is acknowledged.
pub(crate) async fn start<E: Runtime, N: Network>(
    runtime: &E,
    parts: Parts<'_, N>,
) -> (MarshalMailbox, mpsc::UnboundedReceiver<Delivery>) {
    let Parts {
        key,
        partition,
        blocks_per_file,
        ledger,
        reader,
        schemes,
        epocher,
        cache,
        anchor,
        backfill,
        broadcast,
        peers,
        blocker,
    } = parts;
    let me = key.public_key();
    let resolver = resolver::init(
        runtime.child("backfill"),
        resolver::Config {
            public_key: me.clone(),
            peer_provider: peers.clone(),
            blocker,
            mailbox_size: NZUsize!(1_024),
            fetch_timeout: NZDuration!(Duration::from_secs(2)),
            fetch_retry_delay: Duration::from_millis(100),
            priority_requests: false,
            priority_responses: false,
        },
        backfill,
    );
    let (engine, buffer) = buffered::Engine::new(
        runtime.child("broadcast"),
        buffered::Config {
            public_key: me,
            mailbox_size: NZUsize!(1_024),
            deque_size: 16,
            priority: false,
            codec_config: (),
            peer_provider: peers,
            strategy: Sequential,
        },
    );
    engine.start(broadcast);

    let broken = "the consensus journal in the data directory cannot be opened; restore the node without it";
    let finalizations = archive(
        partition,
        "finalizations",
        blocks_per_file,
        cache.clone(),
        MAX_SEATS,
    );
    let finalizations = prunable::Archive::init(runtime.child("finalizations"), finalizations)
        .await
        .expect(broken);
    let blocks = archive(partition, "blocks", blocks_per_file, cache.clone(), ());
    let blocks = prunable::Archive::init(runtime.child("blocks"), blocks)
        .await
        .expect(broken);
    let (start, blocks) = match anchor {
        Some(Anchor { block, finalization }) => {
            let digest = block.digest();
            let height = block.header().height.get();
            // There is nobody to get it from. Put again, it is as it was.
            let blocks = blocks
                .put_sync(height, digest, &Arc::new(block))
                .await
                .expect(broken);
            (marshal::Start::Floor(finalization), blocks)
        }
        None => {
            let genesis = ledger.genesis_block();
            let digest = genesis.digest();
            (
                marshal::Start::Genesis(Digested::precomputed(genesis, digest)),
                blocks,
            )
        }
    };
    let (actor, mailbox, _) = Actor::<_, Standard<LogBlock>, _, _, _, _, _>::init(
        runtime.child("marshal"),
        finalizations,
        blocks,
        marshal::Config {
            provider: schemes,
            epocher,
            start,
            partition_prefix: partition.to_owned(),
            mailbox_size: NZUsize!(1_024),
            view_retention: VIEWS_KEPT,
            prunable_items_per_section: NZU64!(256),
            page_cache: cache,
            replay_buffer: NZUsize!(BUFFER_BYTES),
            key_write_buffer: NZUsize!(BUFFER_BYTES),
            value_write_buffer: NZUsize!(BUFFER_BYTES),
            block_codec_config: (),
            max_repair: NZUsize!(64),
            max_pending_acks: NZUsize!(MAX_PENDING_ACKS),
            strategy: Sequential,
        },
    )
    .await;
    let (blocks, deliveries) = mpsc::unbounded_channel();
    let tip = reader.tip.clone();
    actor.start(Reports { blocks, tip }, buffer, resolver);
    (mailbox, deliveries)
}
