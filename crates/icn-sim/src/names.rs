//! Names of closed lists.

/// A name that is none of a closed list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not a {what}: expected {expected}")]
pub struct UnknownName {
    what: &'static str,
    found: String,
    expected: String,
}

impl UnknownName {
    pub(crate) fn new<'a>(what: &'static str, found: &str, names: impl Iterator<Item = &'a str>) -> Self {
        let expected = names.collect::<Vec<_>>().join(", ");
        Self {
            what,
            found: found.into(),
            expected,
        }
    }
}
