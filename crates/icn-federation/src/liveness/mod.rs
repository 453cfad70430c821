//! Who is alive: a pure function of when a project was last heard, how it said it was, and for how long the service
//! has been able to hear it.
//!
//! Silence only says something about a project while somebody listens. So what lapses while the service cannot hear (it
//! was not running, or is cut off from NATS or its database), or together with most others, is `unknown` and not
//! `offline`, until it was silent for a whole threshold in full hearing.
use icn_api::presence::SelfStatus;
use icn_model::{Millis, Time};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// What a project is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// Registered, and never heard of.
    New,
    /// Heard of lately.
    Online,
    /// Its next heartbeat is overdue, and the threshold not reached.
    Late,
    /// It says that something is wrong with it.
    Degraded,
    /// It has been silent for longer than the threshold, or said that it leaves.
    Offline,
    /// The service cannot tell.
    Unknown,
    /// Somebody has said that it is not to be watched for now.
    Paused,
}

impl Status {
    /// Every status.
    pub(crate) const ALL: [Self; 7] = [
        Self::New,
        Self::Online,
        Self::Late,
        Self::Degraded,
        Self::Offline,
        Self::Unknown,
        Self::Paused,
    ];

    /// As on the wire.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Online => "online",
            Self::Late => "late",
            Self::Degraded => "degraded",
            Self::Offline => "offline",
            Self::Unknown => "unknown",
            Self::Paused => "paused",
        }
    }

    /// In metrics and filters: one that is late is online.
    #[must_use]
    pub(crate) const fn counted(self) -> Self {
        match self {
            Self::Late => Self::Online,
            other => other,
        }
    }

    /// Whether the project is taken for alive.
    pub(crate) const fn is_alive(self) -> bool {
        matches!(self, Self::Online | Self::Late | Self::Degraded)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("one of new, online, late, degraded, offline, unknown, paused")]
pub(crate) struct StatusError;

impl FromStr for Status {
    type Err = StatusError;

    fn from_str(text: &str) -> Result<Self, StatusError> {
        let found = Self::ALL.into_iter().find(|status| status.name() == text);
        found.ok_or(StatusError)
    }
}

macro_rules! causes {
    ($( $(#[doc = $doc:literal])* $variant:ident $name:literal $text:literal; )*) => {
        /// Why a project is taken for what it is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
        #[serde(rename_all = "kebab-case")]
        pub(crate) enum Cause { $( #[doc = $text] $variant, )* }

        impl Cause {
            /// As on the wire.
            pub(crate) const fn name(self) -> &'static str {
                match self { $( Self::$variant => $name, )* }
            }

            /// For people.
            pub(crate) const fn text(self) -> &'static str {
                match self { $( Self::$variant => $text, )* }
            }
        }

        impl FromStr for Cause {
            type Err = StatusError;

            fn from_str(text: &str) -> Result<Self, StatusError> {
                match text { $( $name => Ok(Self::$variant), )* _ => Err(StatusError) }
            }
        }
    };
}

causes! {
    Registered "registered" "registered, no heartbeat yet";
    Heartbeat "heartbeat" "its heartbeats arrive";
    Overdue "overdue" "its next heartbeat is overdue";
    SaysDegraded "says-degraded" "it says that something is wrong with it";
    SaysOffline "says-offline" "it said that it leaves";
    Silent "silent" "no heartbeat for longer than the threshold";
    NotWatching "not-watching" "the service could not hear it for the whole time";
    ManyAtOnce "many-at-once" "most projects fell silent together, so the fault may be the service's";
    Paused "paused" "not watched for now, as somebody has asked";
    Removed "removed" "taken out of the catalog";
}

/// What a project is taken for, why, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// What.
    pub status: Status,
    /// Why.
    pub cause: Cause,
    /// Since when.
    pub since: Time,
}

/// What was last heard of a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    /// When it arrived.
    pub at: Time,
    /// How the project said it was.
    pub said: SelfStatus,
}

/// How long is long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Silence after which a project is not alive.
    pub threshold: Millis,
}

impl Rules {
    /// Silence after which a heartbeat is overdue, and after which one looks whether most are silent: two thirds of the
    /// threshold, which is as long as heartbeats may be apart.
    pub(crate) const fn overdue(self) -> Millis {
        Millis::new(self.threshold.get() / 3 * 2)
    }
}

/// For how long the service has been able to hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hearing {
    /// Without a gap since then.
    Since(Time),
    /// It cannot now.
    Deaf,
}

/// What a judgement is made from, beside the project.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances {
    /// Now.
    pub now: Time,
    /// How long is long.
    pub rules: Rules,
    /// For how long the service has heard.
    pub hearing: Hearing,
    /// Whether most projects have been silent for long.
    pub many_silent: bool,
}

/// What a project is to be taken for, and when that has to be looked at again if nothing is heard.
pub(crate) fn judge(
    standing: Standing,
    heard: Option<Heard>,
    paused: bool,
    with: &Circumstances,
) -> (Standing, Option<Time>) {
    let keep_or = |status, cause| {
        if standing.status == status && standing.cause == cause {
            standing
        } else {
            Standing {
                status,
                cause,
                since: with.now,
            }
        }
    };
    if paused {
        return (keep_or(Status::Paused, Cause::Paused), None);
    }
    let Some(heard) = heard else {
        return (keep_or(Status::New, Cause::Registered), None);
    };
    if heard.said == SelfStatus::Offline {
        return (keep_or(Status::Offline, Cause::SaysOffline), None);
    }
    let (overdue, lapse) = (
        heard.at.after(with.rules.overdue()),
        heard.at.after(with.rules.threshold),
    );
    if with.now < lapse {
        let is_overdue = with.now >= overdue;
        return match (heard.said, with.hearing) {
            (SelfStatus::Degraded, _) => (keep_or(Status::Degraded, Cause::SaysDegraded), Some(lapse)),
            // Whoever cannot hear does not know what is overdue.
            (_, Hearing::Deaf) if is_overdue && standing.status.is_alive() => (standing, Some(lapse)),
            _ if is_overdue => (keep_or(Status::Late, Cause::Overdue), Some(lapse)),
            _ => (keep_or(Status::Online, Cause::Heartbeat), Some(overdue)),
        };
    }
    lapsed(standing, heard, with, keep_or)
}

/// The same for a project that has been silent for a threshold or more.
fn lapsed(
    standing: Standing,
    heard: Heard,
    with: &Circumstances,
    keep_or: impl Fn(Status, Cause) -> Standing,
) -> (Standing, Option<Time>) {
    if standing.status == Status::Offline {
        return (standing, None);
    }
    let Hearing::Since(hearing) = with.hearing else {
        return match standing.status {
            Status::Unknown => (standing, None),
            _ => (keep_or(Status::Unknown, Cause::NotWatching), None),
        };
    };
    let certain = heard.at.max(hearing).after(with.rules.threshold);
    if with.now < certain {
        let standing = match standing.status {
            Status::Unknown => standing,
            _ => keep_or(Status::Unknown, Cause::NotWatching),
        };
        return (standing, Some(certain));
    }
    match (standing.status, standing.cause) {
        (Status::Unknown, Cause::ManyAtOnce) => {
            let end = standing.since.after(with.rules.threshold);
            if with.now < end {
                (standing, Some(end))
            } else {
                (keep_or(Status::Offline, Cause::Silent), None)
            }
        }
        (Status::Unknown, _) => (keep_or(Status::Offline, Cause::Silent), None),
        _ if with.many_silent => {
            let end = with.now.after(with.rules.threshold);
            (keep_or(Status::Unknown, Cause::ManyAtOnce), Some(end))
        }
        _ => (keep_or(Status::Offline, Cause::Silent), None),
    }
}

#[cfg(test)]
mod tests;
