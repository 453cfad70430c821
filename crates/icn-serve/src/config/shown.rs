//! Values as they are shown, without the secrets in them.
use figment::value::Value;

/// The value of `key` as in TOML; stars for the keys that are `masked`.
pub fn shown(key: &str, value: &Value, masked: &[&str]) -> String {
    match value {
        Value::Empty(..) => String::new(),
        Value::String(..) if masked.contains(&key) => "\"***\"".into(),
        Value::String(_, text) => format!("{:?}", without_password(text)),
        Value::Array(_, items) => {
            let items: Vec<_> = items.iter().map(|item| shown(key, item, masked)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Char(_, char) => format!("{char:?}"),
        Value::Bool(_, bool) => bool.to_string(),
        Value::Num(_, number) => number
            .to_u128()
            .map(|number| number.to_string())
            .or_else(|| number.to_i128().map(|number| number.to_string()))
            .or_else(|| number.to_f64().map(|number| number.to_string()))
            .unwrap_or_default(),
        Value::Dict(..) => "{…}".into(),
    }
}

/// A configuration as JSON with its secrets masked, for whoever is not to know them. What is called a key, a token, a
/// password or a secret is one, unless it is the name of a file or variable.
pub fn without_secrets(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value as Json;
    const SECRET_WORDS: [&str; 5] = ["key", "token", "password", "passphrase", "secret"];
    const NAMES: [&str; 4] = ["_path", "_env", "_file", "generate_new_key"];
    match value {
        Json::Object(fields) => Json::Object(
            fields
                .into_iter()
                .map(|(name, value)| {
                    let is_secret = SECRET_WORDS.iter().any(|word| name.contains(word))
                        && !NAMES.iter().any(|suffix| name.ends_with(suffix))
                        && !value.is_null();
                    let value = if is_secret {
                        Json::from("***")
                    } else {
                        without_secrets(value)
                    };
                    (name, value)
                })
                .collect(),
        ),
        Json::Array(items) => Json::Array(items.into_iter().map(without_secrets).collect()),
        Json::String(text) => Json::String(without_password(&text)),
        other => other,
    }
}

/// A URL with the user's password masked, and its parameters, which may hold one too; other text as it is.
pub fn without_password(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    let (rest, parameters) = match rest.split_once('?') {
        Some((rest, _)) => (rest, "?***"),
        None => (rest, ""),
    };
    let rest = match rest.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((user, _)) => format!("{user}:***@{host}"),
            // Who comes to NATS alone, without a password, is a token.
            None if ["nats", "tls"].contains(&scheme) => format!("***@{host}"),
            None => format!("{user}@{host}"),
        },
        None => rest.to_owned(),
    };
    format!("{scheme}://{rest}{parameters}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_secret_by_its_name_is_masked() {
        let config = serde_json::json!({
            "api": { "api_key": "a secret", "api_key_env": "NAME", "keys": [{ "key": "another" }] },
            "identity": { "key_path": "/secrets/key", "generate_new_key": true },
            "storage": { "connection_string": "postgresql://icn:word@db/icn", "data_dir": "data" },
        });
        let expected = serde_json::json!({
            "api": { "api_key": "***", "api_key_env": "NAME", "keys": "***" },
            "identity": { "key_path": "/secrets/key", "generate_new_key": true },
            "storage": { "connection_string": "postgresql://icn:***@db/icn", "data_dir": "data" },
        });
        assert_eq!(without_secrets(config), expected);
    }

    #[test]
    fn passwords_are_masked() {
        for (text, expected) in [
            ("./store", "./store"),
            ("postgresql://db/icn", "postgresql://db/icn"),
            ("postgresql://icn@db/icn", "postgresql://icn@db/icn"),
            (
                "postgresql://icn:p@ss:w@db:5432/icn",
                "postgresql://icn:***@db:5432/icn",
            ),
            ("nats://localhost:4223", "nats://localhost:4223"),
            ("nats://word@localhost:4223", "nats://***@localhost:4223"),
            ("nats://icn:word@a,nats://word@b", "nats://icn:***@b"),
            (
                "postgresql://icn@db/icn?password=x",
                "postgresql://icn@db/icn?***",
            ),
        ] {
            assert_eq!(without_password(text), expected);
        }
    }
}
