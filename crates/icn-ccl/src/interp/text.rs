//! Values as text, as `"{value}"` writes them.
use crate::{
    types::{Type, Types},
    value::Value,
};

/// Units of time from the largest, with their milliseconds.
pub(crate) const SPANS: [(i64, &str); 5] = [
    (86_400_000, "day"),
    (3_600_000, "hour"),
    (60_000, "minute"),
    (1_000, "second"),
    (1, "ms"),
];

/// A value of a type as text. What the language cannot put into a text is written as in source text.
pub fn text_of(types: &Types, ty: &Type, value: &Value) -> String {
    let list = |values: &[Value], of: &Type| {
        let parts: Vec<_> = values.iter().map(|value| quoted(types, of, value)).collect();
        parts.join(", ")
    };
    match (ty, value) {
        (Type::Mana, Value::Number(milli)) => format!("{} mana", decimal(*milli, 3)),
        (Type::Amount(id), Value::Number(minor)) => {
            let unit = types.unit(*id);
            format!("{} {}", decimal(*minor, unit.decimals), unit.name)
        }
        (Type::Duration, Value::Number(millis)) => duration(*millis),
        (Type::Time, Value::Number(millis)) => moment(*millis),
        (Type::Enum(id), Value::Variant(place, values)) => {
            let def = types.enumeration(*id);
            let (name, of) = &def.variants[*place as usize];
            if def.is_plain() {
                return name.clone();
            }
            let parts = of
                .iter()
                .zip(values.iter())
                .map(|(ty, value)| quoted(types, ty, value));
            let parts: Vec<_> = parts.collect();
            if parts.is_empty() {
                format!("{}.{name}", def.name)
            } else {
                format!("{}.{name}({})", def.name, parts.join(", "))
            }
        }
        (Type::Option(of), Value::Option(Some(value))) => format!("Some({})", quoted(types, of, value)),
        (Type::List(of), Value::List(values)) => format!("[{}]", list(values, of)),
        (Type::Map(key, of), Value::Map(entries)) => {
            let entry = |entry: &(Value, Value)| {
                format!(
                    "{}: {}",
                    quoted(types, key, &entry.0),
                    quoted(types, of, &entry.1)
                )
            };
            format!(
                "map {{{}}}",
                entries.iter().map(entry).collect::<Vec<_>>().join(", ")
            )
        }
        (Type::Record(id), Value::Record(values)) => {
            let record = types.record(*id);
            let fields = record.fields.iter().zip(values.iter());
            let fields = fields.map(|((name, ty), value)| format!("{name}: {}", quoted(types, ty, value)));
            format!("{}({})", record.name, fields.collect::<Vec<_>>().join(", "))
        }
        (_, Value::Unit) => "nothing".to_owned(),
        (_, Value::Bool(value)) => value.to_string(),
        (_, Value::Number(number)) => number.to_string(),
        (_, Value::Ratio(ratio)) => ratio.to_string(),
        (_, Value::Text(text)) => text.to_string(),
        (_, Value::Option(None)) => "None".to_owned(),
        _ => format!("{value:?}"),
    }
}

/// The same within something else, where texts need their quotes.
fn quoted(types: &Types, ty: &Type, value: &Value) -> String {
    match (ty, value) {
        (Type::Text, Value::Text(text)) => format!("\"{}\"", text.escape_debug()),
        (Type::Enum(id), Value::Variant(place, _)) if types.is_scalar(ty) => {
            let def = types.enumeration(*id);
            format!("{}.{}", def.name, def.variants[*place as usize].0)
        }
        _ => text_of(types, ty, value),
    }
}

fn decimal(minor: i64, decimals: u32) -> String {
    let sign = if minor < 0 { "-" } else { "" };
    let scale = 10u64.pow(decimals);
    let (whole, rest) = (minor.unsigned_abs() / scale, minor.unsigned_abs() % scale);
    if decimals == 0 {
        return format!("{sign}{whole}");
    }
    let width = decimals as usize;
    format!("{sign}{whole}.{rest:0width$}")
}

fn duration(millis: i64) -> String {
    let fits = SPANS.iter().find(|(length, _)| millis % length == 0);
    let (length, name) = fits.unwrap_or(&SPANS[4]);
    let count = millis / length;
    let plural = if count == 1 || *name == "ms" { "" } else { "s" };
    format!("{count} {name}{plural}")
}

/// Milliseconds since 1970, never negative, as a date and a time of day; what is below a second is left out.
fn moment(millis: i64) -> String {
    let (days, of_day) = (millis / 86_400_000, millis % 86_400_000 / 1_000);
    // Years of 400 that begin on 1 March: 719,468 days lie between 1 March 0 and 1970.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let of_era_year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * of_era_year + of_era_year / 4 - of_era_year / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = of_era_year + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_like_their_literals() {
        assert_eq!(moment(951_825_601_000), "2000-02-29T12:00:01Z");
        assert_eq!(moment(0), "1970-01-01T00:00:00Z");
        assert_eq!(duration(86_400_000), "1 day");
        assert_eq!(duration(90 * 60_000), "90 minutes");
        assert_eq!(duration(1), "1 ms");
        assert_eq!(decimal(-1_250, 2), "-12.50");
        assert_eq!(decimal(i64::MIN, 0), "-9223372036854775808");
    }
}
