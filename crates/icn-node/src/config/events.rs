//! `[events]`: how long events are kept.
use super::ConfigError;
use icn_model::{EventKind, Millis};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Seconds of a day.
const DAY_SECS: u64 = 86_400;

/// `[events]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Events {
    /// For how many days events of a kind are kept, such as `refused = 30`. Default: those that are not named, for ever.
    #[serde(with = "by_kind")]
    pub retention_days: BTreeMap<EventKind, u32>,
}

impl Events {
    /// How long events are kept, of those kinds that are forgotten at all.
    pub fn retention(&self) -> BTreeMap<EventKind, Millis> {
        let span = |days: &u32| Millis::from_secs(u64::from(*days) * DAY_SECS);
        let days = self.retention_days.iter();
        days.map(|(kind, days)| (*kind, span(days))).collect()
    }

    /// The first value that cannot be, with what can.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        match self.retention_days.iter().find(|(_, days)| **days == 0) {
            Some((kind, _)) => Err(ConfigError::Value {
                key: "events.retention_days",
                value: format!("{} = 0", kind.name()),
                reason: "at least 1, for what is forgotten does not come back; to keep a kind for ever, leave it out"
                    .into(),
            }),
            None => Ok(()),
        }
    }
}

/// A table whose keys are kinds of events. A name that is none of theirs is an unknown key.
mod by_kind {
    use icn_model::EventKind;
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};
    use std::collections::BTreeMap;

    const NAMES: [&str; EventKind::ALL.len()] = names();

    const fn names() -> [&'static str; EventKind::ALL.len()] {
        let mut names = [""; EventKind::ALL.len()];
        let mut at = 0;
        while at < names.len() {
            names[at] = EventKind::ALL[at].name();
            at += 1;
        }
        names
    }

    #[derive(PartialEq, Eq, PartialOrd, Ord)]
    struct Kind(EventKind);

    impl<'de> Deserialize<'de> for Kind {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let name = String::deserialize(deserializer)?;
            let kind = EventKind::ALL.into_iter().find(|kind| kind.name() == name);
            kind.map(Self)
                .ok_or_else(|| D::Error::unknown_field(&name, &NAMES))
        }
    }

    pub(super) fn serialize<S: Serializer>(
        days: &BTreeMap<EventKind, u32>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_map(days.iter().map(|(kind, days)| (kind.name(), days)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<EventKind, u32>, D::Error> {
        let days = BTreeMap::<Kind, u32>::deserialize(deserializer)?;
        Ok(days.into_iter().map(|(Kind(kind), days)| (kind, days)).collect())
    }
}
