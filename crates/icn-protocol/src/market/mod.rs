//! The job market of one node: it bids for jobs, awards those that it coordinates, runs what it wins and
//! replays what it is drawn for.
//!
//! The market keeps nothing that it could not lose: what is to be done follows from the state, so after a
//! restart it looks there and goes on. A receipt that was made is kept in the store until the log has it.
mod auction;
mod runner;

use crate::{
    author::Author,
    environment::{Executor, Runtime},
    exchange::Exchange,
    ledger::Ledger,
    time::now,
};
use auction::Auction;
use commonware_cryptography::ed25519::PublicKey;
use commonware_macros::select;
use commonware_p2p::{Receiver, Recipients, Sender};
use commonware_utils::{
    channel::{mpsc, watch},
    sync::Mutex,
};
use icn_model::{Action, Bid, Did, Fault, JobId, JobSpec, Mana, Millis, Signed, Time, canonical};
use runner::Runner;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

/// Largest message about bids.
pub const MAX_MESSAGE_BYTES: usize = 64 << 10;
/// Bids in one message.
const MAX_BIDS_PER_MESSAGE: usize = 100;
/// A bid stands this long.
const BID_VALID: Millis = Millis::from_secs(60);
/// A job that still waits for bids is bid for again after this.
const BID_AGAIN: Millis = Millis::from_secs(20);
/// The market looks around at least this often while there is something to do.
const LOOK: Duration = Duration::from_millis(50);

/// What a node offers and how it treats others.
#[derive(Clone, Debug)]
pub struct MarketConfig {
    /// Whether it runs jobs of others at all.
    pub executes: bool,
    /// Jobs that it runs at once.
    pub max_concurrent_jobs: usize,
    /// Memory for jobs, in total.
    pub memory_bytes: u64,
    /// What it asks for a thousand million units of fuel, of the job's limit.
    pub price_per_gigafuel: Mana,
    /// The least that it asks for a job.
    pub min_price: Mana,
    /// Cooperatives whose jobs it runs; empty means all.
    pub only_for: Vec<Did>,
    /// Failures in a row after which this node awards an executor nothing.
    pub blacklist_after_failures: u32,
    /// For how long.
    pub blacklist_cooldown: Millis,
}

impl Default for MarketConfig {
    fn default() -> Self {
        Self {
            executes: true,
            max_concurrent_jobs: 4,
            memory_bytes: 1 << 30,
            price_per_gigafuel: Mana::from_milli(10),
            min_price: Mana::from_milli(1),
            only_for: Vec::new(),
            blacklist_after_failures: 3,
            blacklist_cooldown: Millis::from_secs(300),
        }
    }
}

impl MarketConfig {
    /// What this node asks for a job.
    pub fn price(&self, spec: &JobSpec) -> Mana {
        let fuel = u128::from(spec.limits.fuel) * u128::from(self.price_per_gigafuel.milli());
        let milli = u64::try_from(fuel.div_ceil(1_000_000_000)).unwrap_or(u64::MAX);
        Mana::from_milli(milli).max(self.min_price)
    }

    /// Whether the owner lets the node run such a job for `cooperative`.
    fn wants(&self, spec: &JobSpec, cooperative: Did) -> bool {
        let affordable = self.price(spec) <= spec.max_mana;
        let welcome = self.only_for.is_empty() || self.only_for.contains(&cooperative);
        affordable && welcome
    }
}

/// An executor that failed this node too often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blacklisted {
    /// Who.
    pub executor: Did,
    /// Failures in a row.
    pub failures: u32,
    /// Until when it is awarded nothing by this node; none while it only has failures on record.
    pub until: Option<Time>,
}

/// The market as seen and steered from outside. Cheap to clone.
#[derive(Clone)]
pub struct MarketView {
    inner: Arc<Mutex<Shown>>,
}

struct Shown {
    /// Replaced as a whole, so that whoever reads it sees one state of it.
    offer: Arc<MarketConfig>,
    blacklist: Vec<Blacklisted>,
    running: usize,
    executed: BTreeMap<&'static str, u64>,
    draining: bool,
}

impl MarketView {
    pub(crate) fn new(offer: MarketConfig) -> Self {
        let shown = Shown {
            offer: Arc::new(offer),
            blacklist: Vec::new(),
            running: 0,
            executed: BTreeMap::new(),
            draining: false,
        };
        Self {
            inner: Arc::new(Mutex::new(shown)),
        }
    }

    /// What this node offers now.
    pub fn offer(&self) -> Arc<MarketConfig> {
        self.inner.lock().offer.clone()
    }

    /// Offers something else from now on. Jobs that run, bids that were made and executors that are blacklisted
    /// stay as they are.
    pub fn offer_instead(&self, offer: MarketConfig) {
        self.inner.lock().offer = Arc::new(offer);
    }

    /// Executors with failures on record at this node.
    pub fn blacklist(&self) -> Vec<Blacklisted> {
        self.inner.lock().blacklist.clone()
    }

    /// Jobs that run here now.
    pub fn running(&self) -> usize {
        self.inner.lock().running
    }

    /// Jobs that ran here, by how they ended.
    pub fn executed(&self) -> BTreeMap<&'static str, u64> {
        self.inner.lock().executed.clone()
    }

    /// Bids for nothing more: the node is about to stop.
    pub fn drain(&self) {
        self.inner.lock().draining = true;
    }

    fn is_draining(&self) -> bool {
        self.inner.lock().draining
    }

    fn count(&self, ending: &'static str) {
        *self.inner.lock().executed.entry(ending).or_default() += 1;
    }
}

struct Market<E: Runtime, X: Executor, S> {
    runtime: E,
    ledger: Ledger,
    author: Author,
    sender: S,
    auction: Auction,
    runner: Runner<E, X>,
    view: MarketView,
    /// When this node bid for an attempt of a job last.
    bid: HashMap<(JobId, u32), Time>,
}

/// Runs the market until the network ends.
pub async fn run<E: Runtime, X: Executor>(
    runtime: E,
    (ledger, exchange, author): (Ledger, Exchange, Author),
    executor: X,
    view: MarketView,
    (sender, mut receiver): (
        impl Sender<PublicKey = PublicKey>,
        impl Receiver<PublicKey = PublicKey>,
    ),
) {
    let (done, mut finished) = mpsc::channel(64);
    let runner = Runner::new(
        runtime.child("runner"),
        ledger.clone(),
        exchange,
        author.clone(),
        executor,
        done,
        view.clone(),
    );
    let auction = Auction::new(ledger.clone(), author.clone(), view.clone());
    let mut progress: watch::Receiver<_> = ledger.watch();
    let mut market = Market {
        runtime,
        ledger,
        author,
        sender,
        auction,
        runner,
        view,
        bid: HashMap::new(),
    };
    loop {
        let busy = market.step();
        // Without anything to do there is nothing to wait for but a block, a bid or a job's end.
        let pause = if busy { LOOK } else { Duration::from_secs(3_600) };
        // Biased, not drawn by chance as in `futures`: a simulated run has to be the same each time.
        select! {
            message = receiver.recv() => match message {
                Ok((_, message)) => market.hear(message.as_ref()),
                Err(_) => return,
            },
            end = finished.recv() => if let Some(end) = end { market.runner.ended(end) },
            alive = progress.changed() => if alive.is_err() { return },
            () = market.runtime.sleep(pause) => {},
        }
    }
}

/// Whether a message can be one about bids: cheap enough to decide on before passing it on.
pub fn is_plausible(message: &[u8]) -> bool {
    decode(message).is_some_and(|bids| !bids.is_empty())
}

fn decode(message: &[u8]) -> Option<Vec<Signed<Bid>>> {
    let bids: Vec<_> = canonical::from_own_bytes(message, MAX_MESSAGE_BYTES).ok()?;
    (bids.len() <= MAX_BIDS_PER_MESSAGE).then_some(bids)
}

impl<E: Runtime, X: Executor, S: Sender<PublicKey = PublicKey>> Market<E, X, S> {
    /// Does what the state asks for now. Says whether to look again soon.
    fn step(&mut self) -> bool {
        let now = now(&self.runtime);
        self.runner.step(&self.view.offer(), now);
        let bids = self.bids(now);
        for batch in bids.chunks(MAX_BIDS_PER_MESSAGE) {
            self.sender
                .send(Recipients::All, canonical::to_bytes(batch), false);
        }
        bids.into_iter().for_each(|bid| self.auction.hear(bid, now));
        let awards = self.auction.awards(now);
        for award in awards {
            self.award(award, now);
        }
        self.auction.is_open() || self.runner.is_busy()
    }

    fn hear(&mut self, message: &[u8]) {
        let now = now(&self.runtime);
        let bids = decode(message);
        if bids.is_none() {
            self.ledger.counters().fault(Fault::MalformedMessage);
        }
        for bid in bids.into_iter().flatten() {
            if bid.verify().is_ok() {
                self.auction.hear(bid, now);
            } else {
                tracing::warn!(executor = %bid.content.executor, "bid with a bad signature");
                self.ledger.counters().fault(Fault::BadlySignedBid);
            }
        }
    }

    fn award(&mut self, award: Action, now: Time) {
        if let Err(refusal) = self.author.act(award, now) {
            // Another seat was faster, or the job has gone on: the next look shows.
            tracing::debug!(%refusal, "award refused");
        }
    }

    /// This node's offers for jobs that it has not bid for lately.
    fn bids(&mut self, now: Time) -> Vec<Signed<Bid>> {
        let offer = self.view.offer();
        let slots = offer.max_concurrent_jobs;
        if !offer.executes || slots == 0 || self.view.is_draining() {
            return Vec::new();
        }
        let used = self.runner.used();
        let free_memory_bytes = offer.memory_bytes.saturating_sub(used.memory_bytes);
        let free = slots.saturating_sub(used.slots);
        let load = 1_000 - 1_000 * free / slots;
        let load_per_mille = u16::try_from(load).unwrap_or(1_000);
        self.bid.retain(|_, at| now.since(*at) < BID_AGAIN);
        let bids: Vec<_> = self.ledger.read(|state| {
            let new = state
                .jobs_awaiting_award()
                .filter(|(id, job)| !self.bid.contains_key(&(*id, job.attempt)));
            new.filter_map(|(id, job)| {
                let spec = state
                    .job_spec(&id)
                    .filter(|spec| offer.wants(spec, job.cooperative))
                    .filter(|spec| spec.limits.memory_bytes <= free_memory_bytes)?;
                let bid = Bid {
                    federation: state.federation(),
                    job: id,
                    attempt: job.attempt,
                    executor: self.author.did(),
                    key: self.author.key().public(),
                    price: offer.price(spec),
                    free_memory_bytes,
                    local_bytes: self.runner.local_bytes(spec),
                    load_per_mille,
                    expires: now.after(BID_VALID),
                };
                // No bid that the rules would leave out.
                let eligible = state.select(&id, &[&bid], state.time())?.eligible().count() == 1;
                eligible.then_some(bid)
            })
            .collect()
        });
        let sign = |bid: Bid| {
            tracing::debug!(job = %bid.job, attempt = bid.attempt, price = %bid.price, "bids");
            self.bid.insert((bid.job, bid.attempt), now);
            Signed::new(bid, self.author.key())
        };
        bids.into_iter().map(sign).collect()
    }
}
