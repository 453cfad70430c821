//! One project in memory: its entry, what was last heard of it, and what it is taken for.
use super::{Entry, Owner};
use crate::liveness::{Circumstances, Heard, Standing, Status, judge};
use icn_api::presence::{Details, SelfStatus, Slug};
use icn_model::{Millis, Time};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

/// Minutes of an hour.
pub(crate) const MINUTES: usize = 60;
const MINUTE_MS: u64 = 60_000;
/// Hours with counts that are kept while they cannot be written: a week of an absent database.
const MAX_UNWRITTEN_HOURS: usize = 168;

/// What the sender of a heartbeat said about the heartbeat itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    /// When, by its clock.
    pub at: Option<Time>,
    /// Which run of it.
    pub boot: Option<String>,
    /// The how-manieth of that run.
    pub sequence: Option<u64>,
}

/// A heartbeat that says nothing new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused;

/// Heartbeats of one hour, by minute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hour {
    /// Hours since 1970.
    pub hour: u64,
    /// How many in each minute.
    pub minutes: [u32; MINUTES],
    /// Whether a minute of it has ended since it was last written.
    pub is_unwritten: bool,
}

/// A project. Its own lock is held for moments only.
#[derive(Debug)]
pub(crate) struct Project {
    /// Its number in the database.
    pub id: i64,
    entry: RwLock<Arc<Entry>>,
    vital: Mutex<Vital>,
}

/// What changes all the time.
#[derive(Clone, Debug)]
pub(crate) struct Vital {
    /// What it is taken for.
    pub standing: Standing,
    /// When it was last heard.
    pub heard: Option<Heard>,
    /// What was said about that.
    pub sent: Sent,
    /// What it told of itself then.
    pub details: Option<Details>,
    /// Whether it is not to be watched.
    pub paused: bool,
    /// Who has registered it.
    pub owner: Owner,
    /// When it was registered.
    pub created: Time,
    /// When its entry was last changed.
    pub updated: Time,
    /// Minutes since 1970 of the last heartbeat that this replica took in, and how many there were in it.
    pub minute: (u64, u32),
    /// The last hours, the newest last.
    pub hours: VecDeque<Hour>,
    /// Whether it waits to be written.
    pub is_dirty: bool,
    /// When it is to be judged next.
    pub due: Option<Time>,
}

impl Project {
    /// A project as it was found in the database.
    pub(crate) fn new(id: i64, entry: Entry, vital: Vital) -> Self {
        Self {
            id,
            entry: RwLock::new(Arc::new(entry)),
            vital: Mutex::new(vital),
        }
    }

    /// Its entry.
    pub(crate) fn entry(&self) -> Arc<Entry> {
        // It is replaced as a whole.
        self.entry.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Gives it another entry.
    pub(crate) fn set_entry(&self, entry: Entry) {
        *self.entry.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(entry);
    }

    /// What changes all the time. Nobody panics while holding it, and if so, its parts are good each by itself.
    pub(crate) fn vital(&self) -> MutexGuard<'_, Vital> {
        self.vital.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its slug.
    pub(crate) fn slug(&self) -> Slug {
        self.entry().slug.clone()
    }
}

impl Vital {
    /// Of a project that was never heard of.
    pub(crate) const fn new(standing: Standing, owner: Owner, created: Time) -> Self {
        Self {
            standing,
            heard: None,
            sent: Sent {
                at: None,
                boot: None,
                sequence: None,
            },
            details: None,
            paused: false,
            owner,
            created,
            updated: created,
            minute: (0, 0),
            hours: VecDeque::new(),
            is_dirty: false,
            due: None,
        }
    }

    /// Takes in a heartbeat that arrived at `at`.
    ///
    /// # Errors
    /// If it is one that was there before, or older than one that was: of one run, numbers only rise.
    pub(crate) fn hear(
        &mut self,
        at: Time,
        said: SelfStatus,
        sent: Sent,
        details: Option<Details>,
    ) -> Result<(), Refused> {
        if let (Some(new), Some(known)) = (sent.sequence, self.sent.sequence)
            && sent.boot == self.sent.boot
            && new <= known
        {
            return Err(Refused);
        }
        // A replica whose view of the shared clock was put right may be a moment behind what it has heard.
        let at = self.heard.map_or(at, |heard| heard.at.max(at));
        self.count(at);
        self.heard = Some(Heard { at, said });
        self.sent = sent;
        self.details = details;
        Ok(())
    }

    /// Takes in what another replica has heard, if it is news.
    pub(crate) fn learn(&mut self, heard: Heard, sent: Sent, details: Option<Details>) -> bool {
        if self.heard.is_some_and(|own| own.at >= heard.at) {
            return false;
        }
        self.heard = Some(heard);
        self.sent = sent;
        self.details = details;
        true
    }

    fn count(&mut self, at: Time) {
        let minute = at.get() / MINUTE_MS;
        if self.minute.0 != minute {
            self.close_minute();
            self.minute = (minute, 0);
        }
        self.minute.1 = self.minute.1.saturating_add(1);
    }

    /// Puts the count of the last minute to its hour.
    pub(crate) fn close_minute(&mut self) {
        let (minute, count) = self.minute;
        if count == 0 {
            return;
        }
        let hour = minute / MINUTES as u64;
        let place = usize::try_from(minute % MINUTES as u64).unwrap_or(0);
        if self.hours.back().is_none_or(|last| last.hour != hour) {
            self.hours.push_back(Hour {
                hour,
                minutes: [0; MINUTES],
                is_unwritten: false,
            });
            if self.hours.len() > MAX_UNWRITTEN_HOURS {
                self.hours.pop_front();
            }
        }
        if let Some(last) = self.hours.back_mut() {
            last.minutes[place] = last.minutes[place].saturating_add(count);
            last.is_unwritten = true;
        }
        self.minute = (minute, 0);
    }

    /// Judges it anew; the change, if there is one.
    pub(crate) fn judge(&mut self, with: &Circumstances) -> Option<Standing> {
        let before = self.standing;
        let (standing, due) = judge(before, self.heard, self.paused, with);
        self.standing = standing;
        self.due = due;
        (standing != before).then_some(before)
    }

    /// Whether the last heartbeat says other than what the project is taken for.
    pub(crate) fn is_to_be_judged(&self) -> bool {
        let said = self.heard.map(|heard| heard.said);
        if self.paused != (self.standing.status == Status::Paused) {
            return true;
        }
        match self.standing.status {
            Status::Online => said != Some(SelfStatus::Online) || self.due.is_none(),
            Status::Degraded => said != Some(SelfStatus::Degraded) || self.due.is_none(),
            Status::Paused => false,
            Status::New => said.is_some(),
            // What has been silent is judged when it is heard again.
            Status::Late | Status::Offline | Status::Unknown => true,
        }
    }

    /// How far the sender's clock was ahead of this one's at the last heartbeat, in milliseconds.
    pub(crate) fn skew_ms(&self) -> Option<i64> {
        let (sent, heard) = (self.sent.at?, self.heard?.at);
        let span = |later: Time, earlier: Time| i64::try_from(later.since(earlier).get()).unwrap_or(i64::MAX);
        Some(if sent > heard {
            span(sent, heard)
        } else {
            -span(heard, sent)
        })
    }

    /// What it is to be shown as. What nobody has judged for long after it should have been, nobody knows: the one who
    /// judges may be gone, or this replica cut off from it.
    pub(crate) fn shown(&self, now: Time, threshold: Millis, grace: Millis) -> Standing {
        use crate::liveness::Cause;
        match self.heard {
            Some(heard) if self.standing.status.is_alive() => {
                let end = heard.at.after(threshold).after(grace);
                if now >= end {
                    Standing {
                        status: Status::Unknown,
                        cause: Cause::NotWatching,
                        since: end,
                    }
                } else {
                    self.standing
                }
            }
            _ => self.standing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::liveness::Cause;

    const START: u64 = 1_800_000_000_000;

    fn vital() -> Vital {
        let created = Time::new(START);
        let standing = Standing {
            status: Status::New,
            cause: Cause::Registered,
            since: created,
        };
        Vital::new(standing, Owner::Api, created)
    }

    fn sent(boot: &str, sequence: u64) -> Sent {
        Sent {
            at: None,
            boot: Some(boot.into()),
            sequence: Some(sequence),
        }
    }

    #[test]
    fn numbers_of_one_run_only_rise() {
        let mut vital = vital();
        let mut hear = |boot: &str, sequence| {
            vital.hear(
                Time::new(START + 1),
                SelfStatus::Online,
                sent(boot, sequence),
                None,
            )
        };
        assert_eq!(hear("a", 5), Ok(()));
        assert_eq!(hear("a", 5), Err(Refused));
        assert_eq!(hear("a", 4), Err(Refused));
        assert_eq!(hear("a", 6), Ok(()));
        assert_eq!(hear("b", 1), Ok(()));
        assert_eq!(vital.minute.1, 3);
        let unnumbered = Sent::default();
        assert_eq!(
            vital.hear(Time::new(START + 2), SelfStatus::Online, unnumbered, None),
            Ok(())
        );
    }

    #[test]
    fn heartbeats_are_counted_by_the_minute_in_which_they_arrive() {
        let mut vital = vital();
        let mut hear = |millis| {
            let heard = vital.hear(
                Time::new(START + millis),
                SelfStatus::Online,
                Sent::default(),
                None,
            );
            heard.unwrap();
        };
        for millis in [0, 30_000, 59_999, 60_000, 61_000, 7_200_000] {
            hear(millis);
        }
        // A clock that was put right: nothing is counted in the past.
        hear(7_100_000);
        let first = &vital.hours[0];
        assert_eq!((first.minutes[0], first.minutes[1]), (3, 2));
        assert!(first.is_unwritten);
        assert_eq!(vital.minute.1, 2);
        vital.close_minute();
        assert_eq!(vital.hours.back().unwrap().minutes[0], 2);
        assert_eq!(vital.hours.len(), 2);
    }

    #[test]
    fn what_was_not_judged_is_shown_as_unknown() {
        let mut vital = vital();
        vital.standing.status = Status::Online;
        vital
            .hear(Time::new(START), SelfStatus::Online, Sent::default(), None)
            .unwrap();
        let shown = |millis| {
            vital
                .shown(Time::new(START + millis), Millis::new(90_000), Millis::new(2_000))
                .status
        };
        assert_eq!(shown(91_999), Status::Online);
        assert_eq!(shown(92_000), Status::Unknown);
    }
}
