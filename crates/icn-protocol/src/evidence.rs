//! What seats do wrong in consensus: noticed where votes and proposals are looked at, kept as events.
//!
//! An event stands for the first of its kind: a seat that lies each time that it is its turn would fill the
//! store of everybody else. All are counted.
use crate::{
    epochs::Scheme,
    keys,
    ledger::{Ledger, LedgerError},
};
use commonware_actor::Feedback;
use commonware_consensus::{
    Reporter, Roundable as _,
    simplex::types::{Activity, Attributable as _},
    types::Round,
};
use commonware_cryptography::{ed25519::PublicKey, sha256};
use commonware_utils::{channel::mpsc, ordered::Set};
use icn_model::{EpochNumber, Event, Fault};
use std::collections::BTreeSet;

/// Reports that wait to be written down; when there are more, the first suffice.
const MAX_WAITING: usize = 64;

/// A fault of a seat.
#[derive(Debug)]
pub(crate) struct Report {
    seat: icn_model::PublicKey,
    round: Round,
    fault: Fault,
    detail: String,
}

/// Takes reports. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Reports(mpsc::Sender<Report>);

/// Where reports come out.
pub(crate) struct Evidence {
    reports: mpsc::Receiver<Report>,
    known: BTreeSet<(icn_model::PublicKey, Fault)>,
    epoch: EpochNumber,
}

/// The two ends.
pub(crate) fn channel() -> (Reports, Evidence) {
    let (sender, reports) = mpsc::channel(MAX_WAITING);
    let evidence = Evidence {
        reports,
        known: BTreeSet::new(),
        epoch: EpochNumber::ZERO,
    };
    (Reports(sender), evidence)
}

impl Reports {
    /// Reports what `seat` did in `round`.
    pub(crate) fn add(&self, seat: &PublicKey, round: Round, fault: Fault, detail: String) {
        let report = Report {
            seat: keys::model_public(seat),
            round,
            fault,
            detail,
        };
        let _ = self.0.try_send(report);
    }
}

impl Evidence {
    /// The next report; none when nobody can report any more.
    pub(crate) async fn next(&mut self) -> Option<Report> {
        self.reports.recv().await
    }

    /// Counts a report, and keeps the first of its kind in an epoch as an event.
    pub(crate) async fn keep(&mut self, report: Report, ledger: &Ledger) -> Result<(), LedgerError> {
        let Report {
            seat,
            round,
            fault,
            detail,
        } = report;
        ledger.counters().fault(fault);
        let epoch = EpochNumber::new(round.epoch().get());
        if epoch != self.epoch {
            self.epoch = epoch;
            self.known.clear();
        }
        if !self.known.insert((seat, fault)) {
            return Ok(());
        }
        let view = round.view().get();
        tracing::warn!(%seat, %epoch, view, %fault, detail, "a seat breaks the rules of consensus");
        let event = Event::Misbehaved {
            seat,
            epoch,
            view,
            fault,
            detail,
        };
        ledger.record(event).await
    }
}

/// Looks at the votes of one epoch.
#[derive(Clone)]
pub(crate) struct Witness {
    pub(crate) seats: Set<PublicKey>,
    pub(crate) reports: Reports,
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
            self.reports
                .add(seat, round, fault, "both votes carry its signature".into());
        }
        Feedback::Ok
    }
}
