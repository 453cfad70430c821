//! Makes values of any type from a stream of choices.
use crate::choices::Choices;
use icn_ccl::{Ratio, Type, Types, Value};
use std::sync::Arc;

pub(crate) const DIDS: [&str; 2] = [
    "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK",
    "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp",
];
pub(crate) const CID: &str = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";

/// A value of type `ty`.
pub(crate) fn value(types: &Types, ty: &Type, choices: &mut Choices<'_>) -> Value {
    match ty {
        Type::Bool => Value::Bool(choices.one_in(2)),
        Type::Int | Type::Amount(_) => Value::Number(choices.number()),
        Type::Time | Type::Duration | Type::Mana => Value::Number(choices.number() & i64::MAX),
        Type::Ratio => {
            let (above, below) = (choices.number(), choices.number());
            Value::Ratio(Ratio::new(above, below).unwrap_or(Ratio::new(1, 3).unwrap()))
        }
        Type::Text => Value::from(choices.text().as_str()),
        Type::Did => Value::from(DIDS[choices.below(2)]),
        Type::Cid => Value::from(CID),
        Type::Option(of) => match choices.below(2) {
            0 => Value::Option(None),
            _ => Value::Option(Some(Arc::new(value(types, of, choices)))),
        },
        Type::List(of) => {
            let values = (0..choices.below(6)).map(|_| value(types, of, choices)).collect();
            Value::List(Arc::new(values))
        }
        Type::Map(key, of) => {
            let entries =
                (0..choices.below(5)).map(|_| (value(types, key, choices), value(types, of, choices)));
            let mut entries: Vec<_> = entries.collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            entries.dedup_by(|a, b| a.0 == b.0);
            Value::Map(Arc::new(entries))
        }
        Type::Record(id) => {
            let fields = types.record(*id).fields.iter();
            Value::record(fields.map(|(_, ty)| value(types, ty, choices)).collect())
        }
        Type::Enum(id) => {
            let variants = &types.enumeration(*id).variants;
            let place = choices.below(variants.len());
            let values = variants[place]
                .1
                .iter()
                .map(|ty| value(types, ty, choices))
                .collect();
            Value::variant(u32::try_from(place).unwrap(), values)
        }
        _ => Value::Unit,
    }
}
