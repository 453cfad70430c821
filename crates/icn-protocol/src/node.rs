//! A node: the log, the pool's gossip, block exchange, the job market and the seat's own affairs, started
//! together over one runtime and one network.
use crate::{
    application::Application,
    author::Author,
    block::LogBlock,
    credit::{self, Credit, CreditConfig},
    environment::{Connections, Executor, Network, Runtime},
    epochs::{self, Lanes, LogConfig},
    exchange::{self, Exchange},
    gossip,
    journal::{Journal, JournalError, Memory},
    keys,
    ledger::{Ledger, LedgerError, OperationStatus},
    market::{self, MarketConfig, MarketView},
    marshal::LogReader,
    membership,
    observations::{self, Observer},
    resilience::Resilience,
    time::now,
    verify::Verifier,
};
use commonware_cryptography::Signer as _;
use commonware_runtime::Handle;
use commonware_utils::NZU64;
use futures::{
    future::{Either, select},
    pin_mut,
};
use icn_model::{
    Action, Did, Genesis, Height, OperationId, PublicKey, Refusal, SecretKey, SignedOperation, Time,
    limits::MAX_OPERATION_BYTES,
};
use icn_state::Engine;
use icn_store::Store;
use rand_core::CryptoRng;
use std::{num::NonZeroU64, sync::Arc};

/// Blocks of the log that share a file of the journal on a disk. All files are opened at each start.
pub const BLOCKS_PER_FILE: NonZeroU64 = NZU64!(4_096);

/// What makes a node the one that it is.
pub struct NodeConfig {
    /// Whose node it is.
    pub did: Did,
    /// The seat's key.
    pub key: SecretKey,
    /// The federation.
    pub genesis: Genesis,
    /// Prefix of the consensus journals' partitions.
    pub partition: String,
    /// Blocks of the log that share a file of the journal: [`BLOCKS_PER_FILE`]
    /// on disks, fewer where each sync costs what the file is long.
    pub blocks_per_file: NonZeroU64,
    /// How it deals with others that do not answer.
    pub resilience: Resilience,
    /// What it offers.
    pub market: MarketConfig,
    /// How it keeps its lines of credit.
    pub credit: CreditConfig,
    /// What runs the federation's contracts.
    pub policies: Engine,
    /// The latest version of the protocol that it executes: [`icn_model::PROTOCOL_VERSION`], but where programs of
    /// several releases are tried against each other.
    pub protocol: u32,
    /// What it applies for a seat with, if it was invited.
    pub application: Option<Action>,
}

/// Why a node does not start, or stops.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The log cannot go on.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The journal cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// A running node, seen from inside its process. Cheap to clone.
#[derive(Clone)]
pub struct Node {
    ledger: Ledger,
    exchange: Exchange,
    market: MarketView,
    credit: Credit,
    verifier: Arc<Verifier>,
    author: Author,
    reader: LogReader,
    observer: Observer,
}

/// What came of handing in one operation.
#[derive(Clone, Debug)]
pub struct Submitted {
    /// Its id.
    pub id: OperationId,
    /// Why it is not waiting, if so.
    pub refusal: Option<Refusal>,
}

/// Starts a node. The handle ends when its log does, with the reason.
///
/// # Errors
/// [`NodeError`] if the store or the journal cannot be used.
pub async fn start<E: Runtime, N: Network, X: Executor>(
    mut runtime: E,
    config: NodeConfig,
    store: Store,
    connections: Connections<N>,
    executor: X,
) -> Result<(Node, Handle<Result<(), LedgerError>>), NodeError> {
    let ledger = Ledger::open(store, &config.genesis, config.policies, config.protocol).await?;
    let applied = ledger.progress().height;
    let started = now(&runtime);
    let mut journal =
        Journal::open(&mut runtime, ledger.store(), &config.partition, applied, started).await?;
    // Alone, a seat has nobody to whom it could contradict itself.
    let alone = ledger.read(|state| state.seats(state.epoch()).is_some_and(|seats| seats.len() == 1));
    if alone && journal.memory() != Memory::Whole {
        journal.decide(&runtime, Memory::Whole).await?;
    }
    let mark = journal.name().to_vec();
    let verifier = Arc::new(Verifier::default());
    let author = Author::new(config.did, config.key.clone(), ledger.clone());
    let (market_view, reader) = (MarketView::new(config.market), LogReader::default());
    let key = keys::private(&config.key);
    let me = key.public_key();

    let Connections {
        votes,
        certificates,
        resolver,
        backfill,
        broadcast,
        blocks,
        credit,
        operations,
        bids,
        peers,
        blocker,
        admit,
    } = connections;
    let (observer, observations) = observations::channel();
    let exchange = exchange::start(
        &runtime,
        ledger.clone(),
        me,
        blocks,
        config.resilience,
        observer.clone(),
    );
    let credit = credit::start(
        &runtime,
        ledger.clone(),
        author.clone(),
        config.credit,
        mark,
        credit,
    );
    let (sender, receiver) = operations;
    runtime.child("tell").spawn({
        let ledger = ledger.clone();
        move |runtime| gossip::tell(runtime, ledger, sender)
    });
    runtime.child("hear").spawn({
        let (ledger, verifier) = (ledger.clone(), verifier.clone());
        move |runtime| gossip::hear(runtime, ledger, verifier, receiver)
    });
    runtime.child("market").spawn({
        let parts = (ledger.clone(), exchange.clone(), author.clone());
        let view = market_view.clone();
        move |runtime| market::run(runtime, parts, executor, view, bids)
    });
    runtime.child("membership").spawn({
        let (ledger, author) = (ledger.clone(), author.clone());
        move |runtime| membership::run(runtime, ledger, author, config.application)
    });
    let application = Application::new(
        ledger.clone(),
        verifier.clone(),
        reader.clone(),
        observer.clone(),
        &config.genesis.parameters,
    );
    let log = LogConfig {
        did: config.did,
        key,
        genesis: config.genesis,
        partition: config.partition,
        blocks_per_file: config.blocks_per_file,
        journal,
        alone,
        reader: reader.clone(),
    };
    let lanes = Lanes::<N> {
        votes,
        certificates,
        resolver,
        backfill,
        broadcast,
        peers,
        blocker,
        admit,
    };
    let handle = runtime.child("log").spawn({
        let (ledger, seen) = (ledger.clone(), (observer.clone(), observations));
        move |runtime| async move {
            let ended = epochs::run(runtime, log, ledger, application, seen, lanes).await;
            if let Err(error) = &ended {
                tracing::error!(%error, "the log of this node has stopped");
            }
            ended
        }
    });
    Ok((
        Node {
            ledger,
            exchange,
            market: market_view,
            credit,
            verifier,
            author,
            reader,
            observer,
        },
        handle,
    ))
}

impl Node {
    /// The log.
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The blocks.
    pub const fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    /// The market.
    pub const fn market(&self) -> &MarketView {
        &self.market
    }

    /// The lines of credit.
    pub const fn credit(&self) -> &Credit {
        &self.credit
    }

    /// Takes what this node sees by itself.
    pub const fn observer(&self) -> &Observer {
        &self.observer
    }

    /// The node as an author.
    pub const fn author(&self) -> &Author {
        &self.author
    }

    /// Waits until this node's seat has another key, and says which.
    pub async fn succeeded(&self) -> PublicKey {
        membership::succeeded(&self.ledger, &self.author).await
    }

    /// How many blocks are known to be final that are not executed and durable here yet. Certificates of epochs that this
    /// node does not know the seats of tell it nothing.
    pub fn lag(&self) -> u64 {
        let (known, here) = (self.reader.tip(), self.ledger.progress().height);
        known.get().saturating_sub(here.get())
    }

    /// The final block at `height`, if it is here.
    pub async fn block(&self, height: Height) -> Option<LogBlock> {
        self.reader.block(height).await
    }

    /// Whether the log is running: before that, none of its blocks can be read.
    pub fn log_is_ready(&self) -> bool {
        self.reader.is_ready()
    }

    /// The final block at `height` with its certificate, to be kept under [`crate::ledger::ANCHOR`] of a store that is
    /// restored; none if either is not here.
    pub async fn anchor(&self, height: Height) -> Option<Vec<u8>> {
        self.reader.anchor(height).await
    }

    /// Hands in operations of this node's users. Each is checked now, by signature and by what the state
    /// would say; those that pass wait for a block.
    pub fn submit(
        &self,
        rng: &mut impl CryptoRng,
        now: Time,
        operations: Vec<SignedOperation>,
    ) -> Vec<Submitted> {
        let all_valid = self.verifier.all_valid(rng, &operations);
        let mut submit = |operation: SignedOperation| {
            let id = operation.id();
            let valid = all_valid || self.verifier.all_valid(rng, std::slice::from_ref(&operation));
            let refusal = match out_of_bounds(&operation) {
                Some(refusal) => Some(refusal),
                None if valid => self.ledger.submit(operation, now).err(),
                None => Some(Refusal::BadSignature {}),
            };
            if let Some(refusal) = &refusal {
                self.ledger.counters().refused(refusal);
            }
            Submitted { id, refusal }
        };
        operations.into_iter().map(&mut submit).collect()
    }

    /// Waits until an operation is final or dropped, or `timeout` ends, and says where it stands.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn wait(
        &self,
        id: &OperationId,
        timeout: impl Future<Output = ()>,
    ) -> Result<Option<OperationStatus>, LedgerError> {
        pin_mut!(timeout);
        let mut progress = self.ledger.watch();
        loop {
            progress.borrow_and_update();
            let status = self.ledger.status(id)?;
            if !matches!(status, None | Some(OperationStatus::Waiting)) {
                return Ok(status);
            }
            let advance = progress.changed();
            pin_mut!(advance);
            if let Either::Right(_) = select(advance, &mut timeout).await {
                return Ok(status);
            }
        }
    }
}

/// What no node takes: an operation over its bound, and what this version cannot keep its word on yet, for a
/// private job's blocks would be served to every seat.
fn out_of_bounds(operation: &SignedOperation) -> Option<Refusal> {
    if operation.bytes().len() > MAX_OPERATION_BYTES {
        return Some(Refusal::TooLarge {
            what: "size of the operation".into(),
            value: operation.bytes().len() as u64,
            max: MAX_OPERATION_BYTES as u64,
        });
    }
    match &operation.operation().action {
        Action::SubmitJob { spec } if spec.private => Some(Refusal::BadJob {
            detail: "private jobs are not kept private by this version: submit it without `private`".into(),
        }),
        _ => None,
    }
}
