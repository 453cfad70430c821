//! Awarding a job to the best of the bids.
use crate::{state::State, step::Step};
use alloc::vec::Vec;
use icn_model::{
    Assignment, Bid, Delivery, Event, Exclusion, JobId, JobPhase, Operation, Refusal, Role, SeatKind,
    SeatPhase, Signed, Time, limits,
};

impl State {
    /// Whether a bid may be in an award at a time: for a job and attempt that collects bids, by the seat of
    /// a cooperative that is not leaving, not expired, signed.
    ///
    /// # Errors
    /// [`Refusal::UnknownJob`], [`Refusal::WrongState`], [`Refusal::WrongAttempt`] or [`Refusal::BadBid`].
    pub fn check_bid(&self, signed: &Signed<Bid>, now: Time) -> Result<(), Refusal> {
        let bid = &signed.content;
        let id = bid.job;
        let Some(job) = self.tables.jobs.get(&id) else {
            return Err(Refusal::UnknownJob { job: id });
        };
        if !matches!(job.phase, JobPhase::Bidding { .. }) {
            return Step::wrong_state(id, job);
        }
        if bid.attempt != job.attempt {
            return Err(Refusal::WrongAttempt {
                job: id,
                attempt: bid.attempt,
                current: job.attempt,
            });
        }
        self.check_bidder(signed, now).map_err(|detail| Refusal::BadBid {
            executor: bid.executor,
            detail: detail.into(),
        })
    }

    fn check_bidder(&self, signed: &Signed<Bid>, now: Time) -> Result<(), &'static str> {
        let bid = &signed.content;
        if bid.federation != self.federation.id {
            return Err("it is for another federation");
        }
        if bid.expires < now {
            return Err("it has expired");
        }
        let seat = self.tables.seats.get(&bid.executor);
        match seat {
            Some(seat) if seat.kind == SeatKind::Witness => return Err("a witness runs no jobs"),
            Some(seat) if seat.phase == (SeatPhase::Seated {}) && seat.keys.seat == bid.key => {}
            _ => return Err("it is not by the seat of a seated cooperative"),
        }
        signed.verify().map_err(|_| "its signature does not hold")
    }
}

impl Step<'_> {
    pub(crate) fn award_job(
        &mut self,
        operation: &Operation,
        (id, attempt): (JobId, u32),
        bids: &[Signed<Bid>],
        excluded: &[Exclusion],
    ) -> Result<(), Refusal> {
        let seat = self.seat_acting(operation, &[Role::Seat])?;
        if !seat.phase.is_seated() {
            return Err(Refusal::NotSeated {});
        }
        check_count("number of bids", bids.len(), limits::MAX_BIDS)?;
        check_count("number of excluded bidders", excluded.len(), limits::MAX_SEATS)?;
        let mut job = self.job(id)?;
        let JobPhase::Bidding { since, .. } = job.phase else {
            return Self::wrong_state(id, &job);
        };
        if attempt != job.attempt {
            let current = job.attempt;
            return Err(Refusal::WrongAttempt {
                job: id,
                attempt,
                current,
            });
        }
        let open_to_all = since.after(self.state.parameters().award_timeout_ms);
        if operation.author != job.coordinator && self.now() < open_to_all {
            return Err(Refusal::NotCoordinator { until: open_to_all });
        }
        self.check_bids(id, bids)?;
        let offers: Vec<&Bid> = bids.iter().map(|bid| &bid.content).collect();
        let Some(mut ranking) = self.state.select(&id, &offers, self.context.time) else {
            return Err(Refusal::UnknownJob { job: id });
        };
        ranking.excluded = excluded.to_vec();
        let key_of = |executor| {
            offers
                .iter()
                .find(|bid| bid.executor == executor)
                .map(|bid| bid.key)
        };
        let chosen = ranking.bids.iter().filter(|bid| bid.chosen);
        job.assignments = chosen
            .filter_map(|bid| {
                Some(Assignment {
                    executor: bid.executor,
                    key: key_of(bid.executor)?,
                    price: bid.price,
                    delivery: Delivery::Pending {},
                })
            })
            .collect();
        let spec = self.state.tables.specs.get(&id);
        let (needed, run) = spec.map_or((1, Default::default()), |spec| {
            (spec.replicas, self.state.run_span(spec))
        });
        if job.assignments.is_empty() {
            let eligible = u32::try_from(ranking.eligible().count()).unwrap_or(u32::MAX);
            let needed = u32::from(needed);
            return Err(Refusal::NoEligibleBid { eligible, needed });
        }
        let since = self.context.time;
        job.phase = JobPhase::Running {
            since,
            until: since.after(run),
        };
        self.events.push(Event::JobAwarded {
            job: id,
            attempt,
            executors: job.assignments.iter().map(|one| one.executor).collect(),
        });
        self.state.tables.rankings.set(id, ranking);
        self.state.tables.jobs.set(id, job);
        Ok(())
    }

    fn check_bids(&self, id: JobId, bids: &[Signed<Bid>]) -> Result<(), Refusal> {
        let refuse = |bid: &Bid, detail: &str| {
            Err(Refusal::BadBid {
                executor: bid.executor,
                detail: detail.into(),
            })
        };
        for (at, bid) in bids.iter().enumerate() {
            let offer = &bid.content;
            if offer.job != id {
                return refuse(offer, "it is for another job");
            }
            if bids[..at]
                .iter()
                .any(|other| other.content.executor == offer.executor)
            {
                return refuse(offer, "it bids twice");
            }
        }
        bids.iter()
            .try_for_each(|bid| self.state.check_bid(bid, self.now()))
    }
}

fn check_count(what: &str, value: usize, max: usize) -> Result<(), Refusal> {
    if value <= max {
        return Ok(());
    }
    Err(Refusal::TooLarge {
        what: what.into(),
        value: value as u64,
        max: max as u64,
    })
}
