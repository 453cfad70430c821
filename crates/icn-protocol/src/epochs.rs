//! The replicated log: marshal delivers final blocks, and one simplex engine orders those of each epoch.
//!
//! An epoch's seats are what the state fixed sixteen blocks before the last epoch's end, never a
//! proposer's word. A node without a seat runs the same engine without a key, and so follows.
use crate::{
    anchor::Anchor,
    application::Application,
    block::LogBlock,
    environment::{Admission, Admit, Channel, Network, Runtime},
    journal::{Journal, Memory},
    keys,
    ledger::{Ledger, LedgerError},
    marshal::{self, BUFFER_BYTES, Delivery, LogReader, MarshalMailbox, Schemes, VIEWS_KEPT},
    observations::{Observations, Observer, Witness},
    time::now,
};
use commonware_consensus::{
    Heightable as _, Reporters,
    marshal::standard::Deferred,
    simplex::{
        self, Floor, SkipBudget,
        config::{ForwardPolicy, SkipPolicy},
        elector::RoundRobin,
        scheme::ed25519::Scheme,
    },
    types::{Epoch, Epocher as _, FixedEpocher, Height},
};
use commonware_cryptography::{
    Digestible as _, Sha256, Signer as _,
    certificate::Scheme as _,
    ed25519::{PrivateKey, PublicKey},
    sha256,
};
use commonware_macros::select;
use commonware_p2p::{
    Sender,
    utils::mux::{self, Builder as _, MuxHandle, Muxer, SubReceiver, SubSender},
};
use commonware_parallel::Sequential;
use commonware_runtime::{Error as RuntimeError, Handle, buffer::paged::CacheRef};
use commonware_utils::{
    Acknowledgement as _, NZDuration, NZU16, NZUsize, channel::mpsc, ordered::Set, vec::NonEmptyVec,
};
use futures::pin_mut;
use icn_model::{Did, EpochNumber, Genesis, Parameters, SeatPhase};
use icn_state::State;
use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU64,
    time::Duration,
};

/// Domain of consensus votes; the log's id follows.
const NAMESPACE: &[u8] = b"icn/consensus/1/";
/// The votes of an epoch are removed when this many have begun after it.
const VOTES_KEPT_EPOCHS: u64 = 2;
/// How long a node that has nothing of its federation's log waits for somebody who has.
const FIND_BEGINNING: Duration = Duration::from_secs(1);
/// Epochs whose seats stay admitted.
const EPOCHS_ADMITTED: u64 = 2;

/// How consensus reaches marshal and the application.
type Automaton<E> = Deferred<E, Scheme, Application, LogBlock, FixedEpocher>;

/// What the log of one node needs to run.
pub(crate) struct LogConfig {
    /// Whose node it is.
    pub(crate) did: Did,
    /// The seat's key.
    pub(crate) key: PrivateKey,
    /// The federation.
    pub(crate) genesis: Genesis,
    /// Prefix of the consensus journals' partitions.
    pub(crate) partition: String,
    /// Blocks of the log that share a file of the journal.
    pub(crate) blocks_per_file: NonZeroU64,
    /// What this seat remembers of its votes.
    pub(crate) journal: Journal,
    /// Whether this seat is the only one: nobody else has the log.
    pub(crate) alone: bool,
    /// Filled when the log runs.
    pub(crate) reader: LogReader,
}

/// Timeouts of consensus, from how long a proposer may wait for operations.
struct Timeouts {
    leader: Duration,
    certification: Duration,
    retry: Duration,
    skip: Duration,
}

impl Timeouts {
    fn new(parameters: &Parameters) -> Self {
        let heartbeat = Duration::from_millis(parameters.heartbeat_ms.get());
        Self {
            leader: heartbeat + Duration::from_secs(1),
            certification: heartbeat + Duration::from_secs(2),
            retry: Duration::from_secs(2),
            skip: heartbeat + Duration::from_secs(5),
        }
    }
}

/// The log of one node, ready to run.
pub(crate) struct Log<E: Runtime, N: Network> {
    runtime: E,
    ledger: Ledger,
    did: Did,
    /// The key that this node runs with.
    me: PublicKey,
    timeouts: Timeouts,
    partition: String,
    cache: CacheRef,
    epocher: FixedEpocher,
    schemes: Schemes,
    marshal: MarshalMailbox,
    automaton: Automaton<E>,
    deliveries: mpsc::UnboundedReceiver<Delivery>,
    observer: Observer,
    observations: Observations,
    blocker: N::Blocker,
    admit: Admit,
    admitted: Option<Wanted>,
    /// What this seat remembers of its votes.
    journal: Journal,
    /// Where a restored log goes on from.
    anchor: Option<Anchor>,
    /// Who was last heard in an epoch after this node's, and which.
    ahead: Option<(u64, PublicKey)>,
}

/// The consensus channels of a [`Log`], one subchannel per epoch.
pub(crate) struct Lanes<N: Network> {
    /// Votes.
    pub(crate) votes: Channel<N>,
    /// Certificates.
    pub(crate) certificates: Channel<N>,
    /// Missing certificates.
    pub(crate) resolver: Channel<N>,
    /// Missing blocks.
    pub(crate) backfill: Channel<N>,
    /// New blocks.
    pub(crate) broadcast: Channel<N>,
    /// Who may be talked to.
    pub(crate) peers: N::Peers,
    /// Shuts out who breaks the rules.
    pub(crate) blocker: N::Blocker,
    /// Whom to admit.
    pub(crate) admit: Admit,
}

struct Subchannels<N: Network> {
    votes: MuxHandle<N::Sender>,
    certificates: MuxHandle<N::Sender>,
    resolver: MuxHandle<N::Sender>,
}

/// Runs the log until it cannot go on.
///
/// # Errors
/// [`LedgerError`] if this node's state contradicts the log, or the store fails.
pub(crate) async fn run<E: Runtime, N: Network>(
    mut runtime: E,
    config: LogConfig,
    ledger: Ledger,
    application: Application,
    (observer, observations): (Observer, Observations),
    lanes: Lanes<N>,
) -> Result<(), LedgerError> {
    let parameters = config.genesis.parameters;
    let epoch_blocks = NonZeroU64::new(parameters.epoch_blocks).unwrap_or(NonZeroU64::MIN);
    let epocher = FixedEpocher::new(epoch_blocks);
    let mut namespace = NAMESPACE.to_vec();
    namespace.extend_from_slice(config.genesis.log().digest().as_bytes());
    let schemes = Schemes::new(namespace.into(), config.key.clone());
    let cache = CacheRef::new(NZU16!(16_368), NZUsize!(256));

    let Lanes {
        votes,
        certificates,
        resolver,
        backfill,
        broadcast,
        peers,
        blocker,
        mut admit,
    } = lanes;
    // Marshal talks to seats from its start on, so the first ones are admitted before it.
    let first = seat_keys(&ledger, Epoch::zero()).unwrap_or_default();
    admit(Admission {
        seats: first.clone(),
        ..Admission::default()
    });
    schemes.add(Epoch::zero(), &first, false);
    // Marshal needs the schemes of whatever it still has to sync.
    let current = ledger.read(State::epoch).get();
    for epoch in (current.saturating_sub(8)..=current + 1).map(Epoch::new) {
        if let Some(seats) = seat_keys(&ledger, epoch) {
            schemes.add(epoch, &seats, false);
        }
    }

    let anchor = if config.alone {
        let scheme_of = |epoch| {
            let seats = seat_keys(&ledger, epoch)?;
            Some(schemes.add(epoch, &seats, false))
        };
        Anchor::of(&ledger, scheme_of, &mut runtime)
    } else {
        None
    };
    let parts = marshal::Parts::<N> {
        anchor: anchor.clone(),
        key: &config.key,
        partition: &config.partition,
        blocks_per_file: config.blocks_per_file,
        ledger: &ledger,
        reader: &config.reader,
        schemes: schemes.clone(),
        epocher: epocher.clone(),
        cache: cache.clone(),
        backfill,
        broadcast,
        peers,
        blocker: blocker.clone(),
    };
    let (marshal, deliveries) = marshal::start(&runtime, parts).await;
    config.reader.set(marshal.clone(), config.key.public_key());
    let automaton = Deferred::new(
        runtime.child("application"),
        application,
        marshal.clone(),
        epocher.clone(),
    );

    let (muxer, votes, mut later_votes) = Muxer::builder(runtime.child("votes"), votes.0, votes.1)
        .with_backup()
        .build();
    muxer.start();
    let (muxer, certificates, mut later_certificates) =
        Muxer::builder(runtime.child("certificates"), certificates.0, certificates.1)
            .with_backup()
            .build();
    muxer.start();
    let (muxer, resolver) = Muxer::new(runtime.child("resolver"), resolver.0, resolver.1);
    muxer.start();
    let mut subchannels = Subchannels::<N> {
        votes,
        certificates,
        resolver,
    };

    let mut log = Log::<E, N> {
        runtime,
        ledger,
        did: config.did,
        me: config.key.public_key(),
        timeouts: Timeouts::new(&parameters),
        partition: config.partition,
        cache,
        epocher,
        schemes,
        marshal,
        automaton,
        deliveries,
        observer,
        observations,
        blocker,
        admit,
        admitted: None,
        journal: config.journal,
        anchor,
        ahead: None,
    };
    log.catch_up().await?;
    let (mut epoch, mut floor) = log.resume().await?;
    let first = match log.journal.memory() {
        Memory::New => log.find_beginning().await?,
        _ => None,
    };
    if let Some(delivery) = first
        && let Some((next, block)) = log.deliver(delivery, epoch).await?
    {
        (epoch, floor) = (next, block);
    }
    let Some(mut engine) = log.enter(epoch, floor, &mut subchannels).await? else {
        return Ok(());
    };
    loop {
        select! {
            message = later_votes.recv() => log.hear(epoch, message),
            message = later_certificates.recv() => log.hear(epoch, message),
            seen = log.observations.next() => {
                if let Some(seen) = seen {
                    log.observations.keep(seen, &log.ledger).await?;
                }
            },
            delivery = log.deliveries.recv() => {
                let Some(delivery) = delivery else { return Ok(()) };
                if let Some((next, floor)) = log.deliver(delivery, epoch).await? {
                    epoch = next;
                    // The old engine has nothing left to order. Its subchannels end with it.
                    engine.abort();
                    engine = match log.enter(epoch, floor, &mut subchannels).await? {
                        Some(engine) => engine,
                        None => return Ok(()),
                    };
                }
            },
        }
    }
}

impl<E: Runtime, N: Network> Log<E, N> {
    /// Applies what marshal had delivered but the store does not have, as after the loss of the store.
    async fn catch_up(&mut self) -> Result<(), LedgerError> {
        let Some(processed) = self.marshal.get_processed().await else {
            return Ok(());
        };
        let processed = processed.height().get();
        for height in self.ledger.progress().height.get() + 1..=processed {
            let Some(block) = self.marshal.get_block(Height::new(height)).await else {
                break;
            };
            let pending = self.ledger.apply(block.inner())?;
            self.ledger.persist(pending.into_iter().collect()).await?;
        }
        Ok(())
    }

    /// Finds out whether a log of which this node has nothing has begun without it: then it may have voted in it, and has
    /// lost that. Gives the first block, if it came.
    async fn find_beginning(&mut self) -> Result<Option<Delivery>, LedgerError> {
        let seats = seat_keys(&self.ledger, Epoch::zero()).unwrap_or_default();
        let others: Vec<_> = seats.iter().filter(|seat| **seat != self.me).cloned().collect();
        let mut first = None;
        if let Ok(others) = NonEmptyVec::try_from(others) {
            self.marshal.hint_finalized(Height::new(1), others);
            let patience = self.runtime.sleep(FIND_BEGINNING);
            pin_mut!(patience);
            while first.is_none() {
                select! {
                    delivery = self.deliveries.recv() => match delivery {
                        // The beginning itself is delivered, too, and is here.
                        Some((block, acknowledgement)) if block.height() == Height::zero() => {
                            acknowledgement.acknowledge();
                        }
                        Some(delivery) => first = Some(delivery),
                        None => break,
                    },
                    () = &mut patience => break,
                }
            }
        }
        let memory = match &first {
            Some(_) => {
                tracing::warn!("the log has begun without this node: it follows until an epoch begins");
                Memory::Since(now(&self.runtime))
            }
            None => Memory::Whole,
        };
        let kept = self.journal.decide(&self.runtime, memory).await;
        kept.map_err(|error| LedgerError::Damaged {
            what: "the consensus journal",
            detail: error.to_string(),
        })?;
        Ok(first)
    }

    /// Whether this seat cannot have forgotten a vote in an epoch.
    fn may_vote(&self, epoch: Epoch) -> Result<bool, LedgerError> {
        let memory = self.journal.memory();
        let may_vote = match epoch.previous() {
            None => memory == Memory::Whole,
            Some(previous) => {
                let begins = self.ledger.place(model_height(self.last(previous)))?;
                begins.is_some_and(|block| memory.covers(block.time))
            }
        };
        if !may_vote {
            tracing::warn!(
                epoch = epoch.get(),
                "this node may have voted in this epoch and forgotten it: following until the next epoch"
            );
        }
        Ok(may_vote)
    }

    /// The epoch to enter: the one of the block after the last applied one, with the block that it stands on.
    async fn resume(&mut self) -> Result<(Epoch, sha256::Digest), LedgerError> {
        let applied = self.ledger.progress().height;
        let mut epoch = Epoch::zero();
        while self.last(epoch).get() <= applied.get() {
            epoch = epoch.next();
            if let Some(seats) = seat_keys(&self.ledger, epoch) {
                self.schemes.add(epoch, &seats, false);
            }
        }
        // The block that an epoch stands on: genesis, or the last one of the epoch before.
        let stands_on = epoch.previous().map_or(icn_model::Height::ZERO, |previous| {
            model_height(self.last(previous))
        });
        let place = self
            .ledger
            .place(stands_on)?
            .ok_or_else(|| LedgerError::Damaged {
                what: "the log",
                detail: format!("no block at {stands_on}"),
            })?;
        Ok((epoch, keys::digest(&place.hash)))
    }

    fn last(&self, epoch: Epoch) -> Height {
        // Fails only past 2^64 blocks.
        self.epocher.last(epoch).unwrap_or(Height::new(u64::MAX))
    }

    /// Applies one delivered block, and those behind it, and says which epoch begins if one does.
    async fn deliver(
        &mut self,
        first: Delivery,
        epoch: Epoch,
    ) -> Result<Option<(Epoch, sha256::Digest)>, LedgerError> {
        let last = self.last(epoch);
        let mut ends = None;
        let (mut pending, mut acknowledgements) = (Vec::new(), Vec::new());
        let mut next = Some(first);
        while let Some((block, acknowledgement)) = next {
            pending.extend(self.ledger.apply(&block)?);
            acknowledgements.push(acknowledgement);
            if block.height() == last {
                ends = Some(block.digest());
                break;
            }
            // Blocks that wait already share one commit: a node that was away catches up faster.
            next = self.deliveries.try_recv().ok();
        }
        self.ledger.persist(pending).await?;
        // Only what is durable is acknowledged: marshal delivers the rest again after a crash.
        acknowledgements
            .into_iter()
            .for_each(|acknowledgement| acknowledgement.acknowledge());
        if ends.is_some() {
            // A version of the protocol begins with an epoch. Not to vote in it is better than to vote wrongly.
            self.ledger.can_go_on()?;
        }
        self.admit_peers(epoch);
        Ok(ends.map(|floor| (epoch.next(), floor)))
    }

    /// A message from a later epoch says that this node has missed the end of its own.
    fn hear<M>(&mut self, epoch: Epoch, message: Option<(u64, (PublicKey, M))>) {
        if let Some((heard, (from, _))) = message
            && heard > epoch.get()
        {
            self.ahead = Some((heard, from));
            self.ask_for_end(epoch);
        }
    }

    /// Asks who is ahead for the certificate that ends an epoch, if it is known to be over.
    fn ask_for_end(&self, epoch: Epoch) {
        if let Some((heard, from)) = &self.ahead
            && *heard > epoch.get()
        {
            self.marshal
                .hint_finalized(self.last(epoch), NonEmptyVec::new(from.clone()));
        }
    }

    /// Admits the seats of recent and coming epochs, whoever has been admitted and syncs, and the former keys of
    /// seats, since who slept through its rotation still has the old one.
    fn admit_peers(&mut self, epoch: Epoch) {
        let recent = epoch.get().saturating_sub(EPOCHS_ADMITTED)..=epoch.get() + 1;
        let wanted = self
            .ledger
            .read(|state| Wanted::of(state, recent.map(EpochNumber::new)));
        if self.admitted.as_ref() != Some(&wanted) {
            (self.admit)(wanted.admission());
            self.admitted = Some(wanted);
        }
    }

    /// The journal of what `key` has voted in an epoch. Each key has its own: one that was rotated away may follow the
    /// log once more, from an older state, through epochs in which its successor has voted.
    fn votes_partition(&self, key: &PublicKey, epoch: Epoch) -> String {
        format!("{}-simplex-{epoch}-{key}", self.partition)
    }

    /// Removes the votes of an epoch that is over for good: its last block is final and durable here, so this seat
    /// never votes in it again, with none of its keys.
    async fn forget_votes(&mut self, epoch: Epoch) {
        let Some(over) = epoch.get().checked_sub(VOTES_KEPT_EPOCHS) else {
            return;
        };
        let over = Epoch::new(over);
        let former = self.ledger.read(|state| {
            let seat = state.seat_record(&self.did);
            seat.map_or_else(Vec::new, |seat| seat.succession.former_seats.clone())
        });
        let keys = former.iter().filter_map(keys::public).chain([self.me.clone()]);
        for key in keys.collect::<Vec<_>>() {
            let partition = self.votes_partition(&key, over);
            match self.runtime.remove(&partition, None).await {
                Ok(()) | Err(RuntimeError::PartitionMissing(_)) => {}
                // It costs room, and nothing else.
                Err(error) => {
                    tracing::warn!(epoch = %over, %error, "cannot remove the votes of an epoch that is over")
                }
            }
        }
    }

    /// Starts the engine of an epoch that stands on the block `floor`; none if the network has ended.
    ///
    /// # Errors
    /// If the store fails.
    async fn enter(
        &mut self,
        epoch: Epoch,
        floor: sha256::Digest,
        subchannels: &mut Subchannels<N>,
    ) -> Result<Option<Handle<()>>, LedgerError> {
        self.admit_peers(epoch);
        self.forget_votes(epoch).await;
        let seats = seat_keys(&self.ledger, epoch).unwrap_or_default();
        let may_vote = self.may_vote(epoch)?;
        let scheme = self.schemes.add(epoch, &seats, may_vote);
        tracing::info!(
            epoch = epoch.get(),
            seats = seats.len(),
            votes = scheme.me().is_some(),
            "entering epoch"
        );
        let witness = Witness {
            seats,
            observer: self.observer.clone(),
        };
        let config = simplex::Config {
            scheme,
            elector: RoundRobin::<Sha256>::default(),
            blocker: self.blocker.clone(),
            automaton: self.automaton.clone(),
            relay: self.automaton.clone(),
            reporter: Reporters::from((self.automaton.clone(), witness)),
            strategy: Sequential,
            partition: self.votes_partition(&self.me, epoch),
            mailbox_size: NZUsize!(1_024),
            epoch,
            floor: match &self.anchor {
                Some(anchor) if anchor.epoch() == epoch => Floor::Finalized(anchor.finalization.clone()),
                _ => Floor::Genesis(floor),
            },
            replay_buffer: NZUsize!(BUFFER_BYTES),
            write_buffer: NZUsize!(BUFFER_BYTES),
            page_cache: self.cache.clone(),
            leader_timeout: self.timeouts.leader,
            certification_timeout: self.timeouts.certification,
            timeout_retry: self.timeouts.retry,
            view_retention: VIEWS_KEPT,
            skip: SkipPolicy::Enabled {
                timeout: self.timeouts.skip,
                budget: SkipBudget::Participants,
            },
            fetch_timeout: NZDuration!(Duration::from_secs(2)),
            fetch_retry_delay: Duration::from_secs(1),
            forward: ForwardPolicy::SilentVoters,
            track_historical_votes: false,
        };
        let runtime = self.runtime.child("simplex").with_attribute("epoch", epoch);
        let engine = simplex::Engine::new(runtime, config);
        let number = epoch.get();
        let Some(votes) = open(&mut subchannels.votes, number).await else {
            return Ok(None);
        };
        let Some(certificates) = open(&mut subchannels.certificates, number).await else {
            return Ok(None);
        };
        let Some(resolver) = open(&mut subchannels.resolver, number).await else {
            return Ok(None);
        };
        // A node that was away for several epochs does not wait in each until it hears from a later one.
        self.ask_for_end(epoch);
        Ok(Some(engine.start(votes, certificates, resolver)))
    }
}

/// The subchannel of an epoch; none if the network has ended, as when the node stops.
async fn open<S: Sender>(
    channel: &mut MuxHandle<S>,
    epoch: u64,
) -> Option<(SubSender<S>, SubReceiver<S::PublicKey>)> {
    let error = match channel.register(epoch).await {
        Ok(subchannel) => return Some(subchannel),
        Err(error) => error,
    };
    // What ended before it came to the request drops it, as it does one for a subchannel that is open: the next one tells.
    let has_ended = matches!(error, mux::Error::Closed | mux::Error::RecvFailed)
        || matches!(channel.register(epoch).await, Err(mux::Error::Closed));
    assert!(has_ended, "an epoch is entered once: {error}");
    None
}

fn seat_keys(ledger: &Ledger, epoch: Epoch) -> Option<Set<PublicKey>> {
    ledger.seat_keys(EpochNumber::new(epoch.get()))
}

/// Whom the state names to be admitted. To compare keys takes far less than to decode them, and hardly a block changes
/// them.
#[derive(PartialEq, Eq)]
struct Wanted {
    seats: BTreeSet<icn_model::PublicKey>,
    syncing: Vec<icn_model::PublicKey>,
    /// Every key that a seat had and is remembered, with the one that it has.
    successors: BTreeMap<icn_model::PublicKey, icn_model::PublicKey>,
}

impl Wanted {
    fn of(state: &State, epochs: impl Iterator<Item = EpochNumber>) -> Self {
        let seats = epochs.filter_map(|epoch| state.seats(epoch));
        let syncing = state
            .applicants()
            .filter(|(_, seat)| matches!(seat.phase, SeatPhase::Admitted { .. } | SeatPhase::Ready {}));
        let seated = state.seat_records().filter(|(_, seat)| seat.phase.is_seated());
        let successors = seated.flat_map(|(_, seat)| {
            let former = seat.succession.former_seats.iter();
            former.map(|former| (*former, seat.keys.seat))
        });
        Self {
            seats: seats.flatten().map(|seat| seat.key).collect(),
            syncing: syncing.map(|(_, seat)| seat.keys.seat).collect(),
            successors: successors.collect(),
        }
    }

    fn admission(&self) -> Admission {
        let seats = Set::from_iter_dedup(self.seats.iter().filter_map(keys::public));
        let successors: BTreeMap<_, _> = self
            .successors
            .iter()
            .filter_map(|(former, now)| Some((keys::public(former)?, keys::public(now)?)))
            .collect();
        let followers = self.syncing.iter().filter_map(keys::public);
        let followers = followers
            .chain(successors.keys().cloned())
            .filter(|key| seats.position(key).is_none());
        Admission {
            followers: Set::from_iter_dedup(followers),
            seats,
            successors,
        }
    }
}

fn model_height(height: Height) -> icn_model::Height {
    icn_model::Height::new(height.get())
}
