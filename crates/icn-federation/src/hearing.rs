//! Whether the service can hear: over NATS, where it is told to, and with a database behind it, without which nobody
//! who beats over HTTP is answered.
use crate::liveness::Hearing;
use icn_model::Time;
use std::sync::{Mutex, PoisonError};
use tokio::sync::Notify;

/// What hearing depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The connection to NATS.
    Nats,
    /// The database.
    Database,
}

#[derive(Clone, Copy)]
struct State {
    /// None where NATS is not used.
    nats: Option<bool>,
    database: bool,
    since: Option<Time>,
}

/// The ears of the service.
pub(crate) struct Ears {
    state: Mutex<State>,
    /// Told of each change.
    pub(crate) changed: Notify,
}

impl Ears {
    /// Deaf so far.
    pub(crate) fn new(with_nats: bool) -> Self {
        Self {
            state: Mutex::new(State {
                nats: with_nats.then_some(false),
                database: false,
                since: None,
            }),
            changed: Notify::new(),
        }
    }

    /// A part is there or not; whether that is news.
    pub(crate) fn set(&self, part: Part, is_there: bool, now: Time) -> bool {
        let mut state = self.lock();
        let was = match part {
            Part::Nats => state.nats.replace(is_there).unwrap_or(is_there),
            Part::Database => std::mem::replace(&mut state.database, is_there),
        };
        let hears = state.database && state.nats.unwrap_or(true);
        match (hears, state.since) {
            (true, None) => state.since = Some(now),
            (false, _) => state.since = None,
            (true, Some(_)) => {}
        }
        drop(state);
        if was != is_there {
            self.changed.notify_one();
        }
        was != is_there
    }

    /// The service stood still until now: it may have missed what was said.
    pub(crate) fn interrupt(&self, now: Time) {
        let mut state = self.lock();
        if state.since.is_some() {
            state.since = Some(now);
        }
    }

    /// Since when it hears.
    pub(crate) fn hearing(&self) -> Hearing {
        self.lock().since.map_or(Hearing::Deaf, Hearing::Since)
    }

    /// Whether NATS is there; none where it is not used.
    pub(crate) fn nats(&self) -> Option<bool> {
        self.lock().nats
    }

    /// Whether the database is there.
    pub(crate) fn database(&self) -> bool {
        self.lock().database
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_hears_since_the_last_part_came() {
        let ears = Ears::new(true);
        assert_eq!(ears.hearing(), Hearing::Deaf);
        assert!(ears.set(Part::Database, true, Time::new(1)));
        assert_eq!(ears.hearing(), Hearing::Deaf);
        assert!(ears.set(Part::Nats, true, Time::new(2)));
        assert!(!ears.set(Part::Nats, true, Time::new(3)));
        assert_eq!(ears.hearing(), Hearing::Since(Time::new(2)));
        ears.interrupt(Time::new(5));
        assert_eq!(ears.hearing(), Hearing::Since(Time::new(5)));
        ears.set(Part::Database, false, Time::new(6));
        assert_eq!(ears.hearing(), Hearing::Deaf);
        ears.interrupt(Time::new(7));
        ears.set(Part::Database, true, Time::new(8));
        assert_eq!(ears.hearing(), Hearing::Since(Time::new(8)));
    }

    #[test]
    fn without_nats_the_database_is_enough() {
        let ears = Ears::new(false);
        ears.set(Part::Database, true, Time::new(1));
        assert_eq!(ears.hearing(), Hearing::Since(Time::new(1)));
        assert_eq!(ears.nats(), None);
    }
}
