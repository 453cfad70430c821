//! A file as a layer of the configuration: TOML whose strings may name variables, and where each key stands in it.
use super::{ConfigError, secret::FILE_SUFFIX};
use figment::{
    Error as LayerError, Metadata, Profile, Provider,
    value::{Dict, Map, Value},
};
use std::{
    env,
    path::{Path, PathBuf},
};

/// A file of TOML whose strings may name variables: `${NAME}`.
pub struct File {
    path: PathBuf,
    text: String,
    dict: Dict,
}

impl File {
    /// Reads the file and puts variables in.
    ///
    /// # Errors
    /// If it cannot be read, is not TOML, or names a variable that is not set.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::File {
            path: path.to_owned(),
            source,
        })?;
        let dict: Dict = toml::from_str(&text).map_err(|error| ConfigError::Syntax {
            path: path.to_owned(),
            detail: error.to_string().trim_end().to_owned(),
        })?;
        let mut file = Self {
            path: path.to_owned(),
            text,
            dict: Dict::new(),
        };
        let mut value = Value::from(dict);
        file.expand(&mut Vec::new(), &mut value)?;
        if let Value::Dict(_, dict) = value {
            file.dict = dict;
        }
        Ok(file)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes out a table, or another value, that is no part of the configuration.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.dict.remove(name)
    }

    /// Puts variables into the strings below `value`.
    fn expand(&self, path: &mut Vec<String>, value: &mut Value) -> Result<(), ConfigError> {
        match value {
            Value::String(_, text) if text.contains("${") => {
                *text = expand(text, variable_or_file).map_err(|reason| ConfigError::Key {
                    place: self.place(path),
                    key: path.join("."),
                    reason,
                })?;
            }
            Value::Dict(_, dict) => {
                for (name, value) in dict {
                    path.push(name.clone());
                    self.expand(path, value)?;
                    path.pop();
                }
            }
            Value::Array(_, items) => {
                for item in items {
                    self.expand(path, item)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The file and, where it can be told, the line of a key.
    pub fn place(&self, key: &[String]) -> String {
        match self.line(key) {
            Some(line) => format!("{}:{line}", self.path.display()),
            None => self.path.display().to_string(),
        }
    }

    fn line(&self, key: &[String]) -> Option<usize> {
        let document = toml::de::DeTable::parse(&self.text).ok()?;
        let mut table = document.get_ref();
        let mut start = None;
        for name in key {
            let (found, value) = table
                .iter()
                .find(|(found, _)| found.get_ref().as_ref() == name.as_str())?;
            start = Some(found.span().start);
            match value.get_ref() {
                toml::de::DeValue::Table(inner) => table = inner,
                _ => break,
            }
        }
        Some(self.text[..start?].matches('\n').count() + 1)
    }
}

impl Provider for &File {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.path.display().to_string())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, LayerError> {
        Ok(Map::from([(Profile::Default, self.dict.clone())]))
    }
}

/// A variable, or what is in the file that `<NAME>_FILE` names, without the line's end.
fn variable_or_file(name: &str) -> Option<String> {
    env::var(name).ok().or_else(|| {
        let path = env::var_os(format!("{name}{FILE_SUFFIX}"))?;
        let text = std::fs::read_to_string(path).ok()?;
        Some(text.trim_end_matches(['\n', '\r']).to_owned())
    })
}

/// Replaces each `${NAME}`; `$${` stands for `${`.
fn expand(text: &str, lookup: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            expanded.push_str(&rest[..at]);
            expanded.push('{');
            rest = &rest[at + 2..];
            continue;
        }
        let (before, after) = (&rest[..at], &rest[at + 2..]);
        let (name, after) = after
            .split_once('}')
            .ok_or_else(|| "a `${` has no `}`; `$${` stands for the characters".to_owned())?;
        let value = lookup(name).ok_or_else(|| {
            format!("the variable {name} is not set: set it, or {name}{FILE_SUFFIX} to a file that holds it")
        })?;
        expanded.push_str(before);
        expanded.push_str(&value);
        rest = after;
    }
    expanded.push_str(rest);
    Ok(expanded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_put_in_and_missing_ones_named() {
        let lookup = |name: &str| (name == "WORD").then(|| "oats".to_owned());
        for (text, expected) in [
            ("plain", "plain"),
            ("${WORD}", "oats"),
            ("a ${WORD} b ${WORD}", "a oats b oats"),
            ("$${WORD}", "${WORD}"),
            ("$ {WORD} $", "$ {WORD} $"),
        ] {
            assert_eq!(expand(text, lookup).as_deref(), Ok(expected), "{text}");
        }
        assert!(expand("${OTHER}", lookup).unwrap_err().contains("OTHER_FILE"));
        assert!(expand("${WORD", lookup).is_err());
    }
}
