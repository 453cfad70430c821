//! Ids as people write them: whole, or the beginning or end of one.
use crate::failure::Usage;
use icn_api::client::ClientError;
use std::{fmt::Display, str::FromStr};

/// The least that an id can be shortened to, characters.
const MIN_PART: usize = 6;

/// The `what` that `text` names: by its id, or by a part at its beginning or end that no other of `all` has, which
/// `list` lists.
pub(crate) fn find<T: FromStr + Display + Copy>(
    text: &str,
    (what, list): (&str, &str),
    all: impl FnOnce() -> Result<Vec<T>, ClientError>,
) -> anyhow::Result<T> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    if text.len() < MIN_PART {
        return Err(Usage::new(format!(
            "{text:?} is no {what}: name its id, or at least {MIN_PART} characters of its beginning or end"
        ))
        .into());
    }
    let matches = |id: &T| {
        let id = id.to_string();
        id.starts_with(text) || id.ends_with(text)
    };
    let ids: Vec<_> = all()?.into_iter().filter(matches).collect();
    match ids[..] {
        [id] => Ok(id),
        [] => Err(Usage::new(format!(
            "no {what}'s id begins or ends with {text:?}: `{list}` lists them"
        ))
        .into()),
        [first, second, ..] => Err(Usage::new(format!(
            "{text:?} is a part of several {what}s' ids, of {first} and {second} for two: name more of it"
        ))
        .into()),
    }
}
