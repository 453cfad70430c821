//! How variables of the environment are called after keys: `ICN_<SECTION>_<KEY>`.

/// Prefix of variables: `ICN_<SECTION>_<KEY>`.
pub(super) const ENV_PREFIX: &str = "ICN_";
/// The one key that is a table: its variables have the name of what is in it at their end.
const TABLE: &str = "events.retention_days";

/// The variable that sets a key.
pub(super) fn variable_of(key: &str) -> String {
    format!("{ENV_PREFIX}{}", key.replace('.', "_").to_ascii_uppercase())
}

/// The key that a variable sets, after the prefix.
pub(super) fn key_of(variable: &str) -> String {
    let key = variable.to_ascii_lowercase().replacen('_', ".", 1);
    match key.strip_prefix(TABLE).and_then(|rest| rest.strip_prefix('_')) {
        Some(name) => format!("{TABLE}.{name}"),
        None => key,
    }
}
