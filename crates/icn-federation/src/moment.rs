//! Moments on the wire: RFC 3339 in UTC, milliseconds since 1970 inside.
use icn_model::Time;
use serde::{Deserialize, Serialize, Serializer};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// A moment as clients see it: `2026-03-01T12:00:07.250Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Moment(pub Time);

impl Moment {
    /// The text.
    pub fn text(self) -> String {
        icn_serve::clock::rfc3339(self.0)
    }

    /// Reads a date with its offset, or one without, which is taken for UTC: many senders write `utcnow()` so.
    pub fn parse(text: &str) -> Option<Self> {
        let with_offset = OffsetDateTime::parse(text, &Rfc3339).ok();
        let date = with_offset.or_else(|| {
            let utc = format!("{text}Z");
            OffsetDateTime::parse(&utc, &Rfc3339).ok()
        })?;
        let millis = date.unix_timestamp_nanos().div_euclid(1_000_000);
        u64::try_from(millis).ok().map(|millis| Self(Time::new(millis)))
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.text())
    }
}

impl TryFrom<String> for Moment {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("a date and time as in RFC 3339: 2026-03-01T12:00:00Z")
    }
}

impl From<Time> for Moment {
    fn from(time: Time) -> Self {
        Self(time)
    }
}

#[cfg(feature = "schema")]
impl utoipa::PartialSchema for Moment {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .into()
    }
}

#[cfg(feature = "schema")]
impl utoipa::ToSchema for Moment {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_go_out_and_come_back() {
        for (text, millis) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2025-11-18T12:00:00Z", 1_763_467_200_000),
            ("2025-11-18T13:00:00.250+01:00", 1_763_467_200_250),
            // Python's `datetime.utcnow().isoformat()`.
            ("2025-11-18T12:00:00.123456", 1_763_467_200_123),
        ] {
            let moment = Moment::parse(text).unwrap();
            assert_eq!(moment.0.get(), millis, "{text}");
            assert_eq!(Moment::parse(&moment.text()), Some(moment));
        }
        for text in [
            "",
            "yesterday",
            "2025-11-18",
            "1969-12-31T23:59:59Z",
            "2025-13-01T00:00:00Z",
        ] {
            assert_eq!(Moment::parse(text), None, "{text}");
        }
    }
}
