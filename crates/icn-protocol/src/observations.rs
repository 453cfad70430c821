//! What this node sees by itself and no block tells, kept as events: what seats do wrong in consensus, noticed where
//! votes and proposals are looked at, and whom the node leaves alone because calls fail.
//!
//! Whatever notices it hands it to the log, which alone writes events: they are numbered in the order in which they
//! become durable.
//!
//! Of a fault an event stands for the first of its kind: a seat that lies each time that it is its turn would fill the
//! store of everybody else. All are counted. Of a circuit there is one event when it opens and one when it closes: the
//! tries that fail between have none, so who answers now and then costs two events for as many failures as open a circuit
//! and the time that it stays open.
use crate::{
    keys,
    ledger::{Ledger, LedgerError},
    resilience::Turn,
};
use commonware_actor::Feedback;
use commonware_consensus::{
    Reporter, Roundable as _,
    simplex::{
        scheme::ed25519::Scheme,
        types::{Activity, Attributable as _},
    },
    types::Round,
};
use commonware_cryptography::{ed25519::PublicKey, sha256};
use commonware_utils::{channel::mpsc, ordered::Set};
use icn_model::{Callee, EpochNumber, Event, Fault};
use std::collections::BTreeSet;

/// Observations that wait to be written down; when there are more, the first suffice.
const MAX_WAITING: usize = 64;

/// Something that was seen.
#[derive(Debug)]
pub(crate) enum Observation {
    /// A seat broke the rules.
    Fault(SeatFault),
    /// A circuit is not as it was.
    Circuit(Callee, Turn),
}

/// A fault of a seat.
#[derive(Debug)]
pub(crate) struct SeatFault {
    seat: icn_model::PublicKey,
    round: Round,
    fault: Fault,
    detail: String,
}

/// Takes observations. Cheap to clone.
#[derive(Clone)]
pub struct Observer(mpsc::Sender<Observation>);

/// Where observations come out.
pub(crate) struct Observations {
    waiting: mpsc::Receiver<Observation>,
    known: BTreeSet<(icn_model::PublicKey, Fault)>,
    epoch: EpochNumber,
}

/// The two ends.
pub(crate) fn channel() -> (Observer, Observations) {
    let (sender, waiting) = mpsc::channel(MAX_WAITING);
    let observations = Observations {
        waiting,
        known: BTreeSet::new(),
        epoch: EpochNumber::ZERO,
    };
    (Observer(sender), observations)
}

impl Observer {
    /// Tells what `seat` did in `round`.
    pub(crate) fn fault(&self, seat: &PublicKey, round: Round, fault: Fault, detail: String) {
        let fault = SeatFault {
            seat: keys::model_public(seat),
            round,
            fault,
            detail,
        };
        let _ = self.0.try_send(Observation::Fault(fault));
    }

    /// Tells that the circuit of `callee` is not as it was.
    pub fn circuit(&self, callee: Callee, turn: Turn) {
        let _ = self.0.try_send(Observation::Circuit(callee, turn));
    }
}

impl Observations {
    /// The next one; none when nobody can tell any more.
    pub(crate) async fn next(&mut self) -> Option<Observation> {
        self.waiting.recv().await
    }

    /// Keeps an observation as an event, if it is to be one.
    pub(crate) async fn keep(&mut self, seen: Observation, ledger: &Ledger) -> Result<(), LedgerError> {
        let event = match seen {
            Observation::Fault(fault) => self.first_of_its_kind(fault, ledger),
            Observation::Circuit(callee, Turn::Opened) => Some(Event::CircuitOpened { callee }),
            Observation::Circuit(callee, Turn::Closed) => Some(Event::CircuitClosed { callee }),
        };
        match event {
            Some(event) => ledger.record(event).await,
            None => Ok(()),
        }
    }

    /// Counts a fault; gives the event of the first of its kind in an epoch.
    fn first_of_its_kind(&mut self, fault: SeatFault, ledger: &Ledger) -> Option<Event> {
        let SeatFault {
            seat,
            round,
            fault,
            detail,
        } = fault;
        ledger.counters().fault(fault);
        let epoch = EpochNumber::new(round.epoch().get());
        if epoch != self.epoch {
            self.epoch = epoch;
            self.known.clear();
        }
        if !self.known.insert((seat, fault)) {
            return None;
        }
        let view = round.view().get();
        tracing::warn!(%seat, %epoch, view, %fault, detail, "a seat breaks the rules of consensus");
        Some(Event::Misbehaved {
            seat,
            epoch,
            view,
            fault,
            detail,
        })
    }
}

/// Looks at the votes of one epoch.
#[derive(Clone)]
pub(crate) struct Witness {
    pub(crate) seats: Set<PublicKey>,
    pub(crate) observer: Observer,
}

impl Reporter for Witness {
    type Activity = Activity<Scheme, sha256::Digest>;

    fn report(&mut self, activity: Self::Activity) -> Feedback {
        let (signer, round, fault) = match &activity {
            Activity::ConflictingNotarize(proof) => (proof.signer(), proof.round(), Fault::DoubleVote),
            Activity::ConflictingFinalize(proof) => (proof.signer(), proof.round(), Fault::DoubleFinalize),
            Activity::NullifyFinalize(proof) => (proof.signer(), proof.round(), Fault::SkipAndFinalize),
            _ => return Feedback::Ok,
        };
        if let Some(seat) = self.seats.get(signer.into()) {
            self.observer
                .fault(seat, round, fault, "both votes carry its signature".into());
        }
        Feedback::Ok
    }
}
