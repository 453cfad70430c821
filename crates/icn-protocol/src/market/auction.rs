//! Collecting bids and awarding jobs.
//!
//! Every node collects, for any seat may award once a job's coordinator has been silent. The choice is the
//! state's: this only decides when there are enough bids, and leaves out executors that failed this node
//! again and again.
use super::{Blacklisted, MarketView};
use crate::{author::Author, ledger::Ledger};
use icn_model::{
    Action, Bid, Delivery, Did, Exclusion, ExclusionReason, JobId, JobRecord, Millis, Signed, Time,
    limits::MAX_BIDS,
};
use icn_state::State;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Jobs whose bids are kept at once.
const MAX_OPEN: usize = 16_384;
/// Bids for a job that this node does not know of (yet) are kept this long.
const STRANGE: Millis = Millis::from_secs(10);
/// When enough eligible bids are in, others get this part of the bid window more.
const EARLY: u64 = 5;
/// An award that is not final after this is tried again.
const AWARD_AGAIN: Millis = Millis::from_secs(3);
/// Seats that step in for a silent coordinator do so one after another.
const STEP_IN: Millis = Millis::new(700);

struct Lot {
    first_heard: Time,
    bids: BTreeMap<Did, Signed<Bid>>,
    /// Since when this node knows the job to be final and open.
    open_since: Option<Time>,
    awarded: Option<Time>,
}

/// What this node awarded, until it shows how that went.
struct Watched {
    attempt: u32,
    executors: Vec<Did>,
}

pub(super) struct Auction {
    ledger: Ledger,
    author: Author,
    view: MarketView,
    lots: HashMap<(JobId, u32), Lot>,
    watched: BTreeMap<JobId, Watched>,
    failures: BTreeMap<Did, (u32, Option<Time>)>,
}

impl Auction {
    pub(super) fn new(ledger: Ledger, author: Author, view: MarketView) -> Self {
        let (lots, watched, failures) = (HashMap::new(), BTreeMap::new(), BTreeMap::new());
        Self {
            ledger,
            author,
            view,
            lots,
            watched,
            failures,
        }
    }

    /// Whether a job waits for bids.
    pub(super) fn is_open(&self) -> bool {
        self.lots.values().any(|lot| lot.open_since.is_some()) || !self.watched.is_empty()
    }

    /// Takes in a bid whose signature has been checked.
    pub(super) fn hear(&mut self, bid: Signed<Bid>, now: Time) {
        let lot = (bid.content.job, bid.content.attempt);
        if self.lots.len() >= MAX_OPEN && !self.lots.contains_key(&lot) {
            return;
        }
        let new = || Lot {
            first_heard: now,
            bids: BTreeMap::new(),
            open_since: None,
            awarded: None,
        };
        let lot = self.lots.entry(lot).or_insert_with(new);
        if lot.bids.len() < 4 * MAX_BIDS || lot.bids.contains_key(&bid.content.executor) {
            lot.bids.insert(bid.content.executor, bid);
        }
    }

    /// The awards to hand in now.
    pub(super) fn awards(&mut self, now: Time) -> Vec<Action> {
        let ledger = self.ledger.clone();
        ledger.read(|state| {
            self.follow_up(state, now);
            let open: Vec<_> = state
                .jobs_awaiting_award()
                .map(|(id, job)| (id, job.attempt))
                .collect();
            let known: BTreeSet<_> = open.iter().copied().collect();
            self.lots
                .retain(|key, lot| known.contains(key) || now.since(lot.first_heard) < STRANGE);
            open.into_iter()
                .filter_map(|(id, attempt)| self.award(state, id, attempt, now))
                .collect()
        })
    }

    fn award(&mut self, state: &State, id: JobId, attempt: u32, now: Time) -> Option<Action> {
        let job = state.job(&id)?;
        let new = || Lot {
            first_heard: now,
            bids: BTreeMap::new(),
            open_since: None,
            awarded: None,
        };
        let lot = self.lots.entry((id, attempt)).or_insert_with(new);
        let open_since = *lot.open_since.get_or_insert(now);
        if lot.awarded.is_some_and(|at| now.since(at) < AWARD_AGAIN)
            || !is_turn(state, &self.author, job, now)
        {
            return None;
        }
        let blacklist = &self.failures;
        let is_out = |did: &Did| {
            blacklist
                .get(did)
                .and_then(|(_, until)| *until)
                .filter(|until| *until > now)
        };
        let (bids, excluded) = split(lot.bids.values(), is_out, now);
        let contents: Vec<_> = bids.iter().map(|bid| &bid.content).collect();
        let ranking = state.select(&id, &contents, state.time())?;
        let window = state.parameters().bid_window_ms;
        let waited = now.since(open_since);
        let others = state.cooperatives().count().saturating_sub(1 + job.tried.len());
        let enough = ranking.bids.iter().any(|bid| bid.chosen);
        let all = bids.len() + excluded.len() >= others;
        if !enough || !(all || waited.get() * EARLY >= window.get()) {
            return None;
        }
        lot.awarded = Some(now);
        tracing::debug!(job = %id, attempt, bids = bids.len(), "awards");
        let executors = ranking
            .bids
            .iter()
            .filter(|bid| bid.chosen)
            .map(|bid| bid.executor)
            .collect();
        self.watched.insert(id, Watched { attempt, executors });
        Some(Action::AwardJob {
            job: id,
            attempt,
            bids,
            excluded,
        })
    }

    /// Looks how awarded jobs went: who failed, and who did not.
    fn follow_up(&mut self, state: &State, now: Time) {
        let mut failed = Vec::new();
        let mut delivered = Vec::new();
        self.watched.retain(|id, watched| {
            let Some(job) = state.job(id) else { return false };
            if job.attempt > watched.attempt {
                failed.extend(
                    watched
                        .executors
                        .iter()
                        .filter(|did| job.tried.contains(did))
                        .copied(),
                );
                return false;
            }
            if job.phase.status().is_open() {
                return true;
            }
            for assignment in &job.assignments {
                match assignment.delivery {
                    Delivery::Delivered { .. } => delivered.push(assignment.executor),
                    _ => failed.push(assignment.executor),
                }
            }
            false
        });
        for did in delivered {
            self.failures.remove(&did);
        }
        let offer = self.view.offer();
        for did in failed {
            let (count, until) = self.failures.entry(did).or_default();
            *count += 1;
            if *count >= offer.blacklist_after_failures {
                *until = Some(now.after(offer.blacklist_cooldown));
            }
        }
        // After its time on the list an executor starts anew.
        self.failures
            .retain(|_, (_, until)| until.is_none_or(|until| until > now));
        let shown = |(did, (failures, until)): (&Did, &(u32, Option<Time>))| Blacklisted {
            executor: *did,
            failures: *failures,
            until: *until,
        };
        self.view.inner.lock().blacklist = self.failures.iter().map(shown).collect();
    }
}

/// Whether this node may award the job now: it is the coordinator, or that has been silent for long.
fn is_turn(state: &State, author: &Author, job: &JobRecord, now: Time) -> bool {
    if job.coordinator == author.did() {
        return true;
    }
    let seats = state.seats(state.epoch()).unwrap_or_default();
    let Some(place) = seats.iter().position(|seat| seat.did == author.did()) else {
        return false;
    };
    let silence = state.parameters().award_timeout_ms.get() + STEP_IN.get() * (1 + place as u64);
    now.min(state.time()).since(job.phase.since()) >= Millis::new(silence)
}

/// The bids that go into an award, and whom this node leaves out.
fn split<'a>(
    bids: impl Iterator<Item = &'a Signed<Bid>>,
    is_out: impl Fn(&Did) -> Option<Time>,
    now: Time,
) -> (Vec<Signed<Bid>>, Vec<Exclusion>) {
    let (mut taken, mut excluded) = (Vec::new(), Vec::new());
    // A bid may still be good when it is handed in and expired when its block is made.
    let standing: Vec<_> = bids
        .filter(|bid| bid.content.expires > now.after(Millis::from_secs(5)))
        .collect();
    let (out, mut good): (Vec<_>, Vec<_>) = standing
        .into_iter()
        .partition(|bid| is_out(&bid.content.executor).is_some());
    for bid in out {
        let executor = bid.content.executor;
        let until = is_out(&executor).unwrap_or(now);
        excluded.push(Exclusion {
            executor,
            reason: ExclusionReason::Blacklisted { until },
        });
    }
    good.sort_by_key(|bid| (bid.content.price, bid.content.executor));
    for (at, bid) in good.into_iter().enumerate() {
        if at < MAX_BIDS {
            taken.push(bid.clone());
        } else if excluded.len() < MAX_BIDS {
            excluded.push(Exclusion {
                executor: bid.content.executor,
                reason: ExclusionReason::Outbid {},
            });
        }
    }
    excluded.truncate(MAX_BIDS);
    (taken, excluded)
}
