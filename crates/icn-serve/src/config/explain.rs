//! What is wrong with a layer, where, and what may have been meant.
use super::{ConfigError, ENVIRONMENT, File};
use figment::{Error as LayerError, error::Kind};

/// How alike a key has to be to be suggested.
const ALIKE: f64 = 0.7;

/// Says what is wrong, where, and what may have been meant. `files` are the files among the layers, and `variable_of`
/// tells the variable that sets a key.
pub fn explain(error: LayerError, files: &[File], variable_of: impl Fn(&str) -> String) -> ConfigError {
    let mut path = error.path.clone();
    let reason = match &error.kind {
        Kind::UnknownField(name, known) => {
            if path.last() != Some(name) {
                path.push(name.clone());
            }
            let nearest = known
                .iter()
                .map(|known| (strsim::jaro_winkler(name, known), known))
                .filter(|(alike, _)| *alike >= ALIKE)
                .max_by(|(a, _), (b, _)| a.total_cmp(b));
            match nearest {
                Some((_, known)) => format!("there is no such key: did you mean {known}?"),
                None => format!("there is no such key; there are {}", known.join(", ")),
            }
        }
        kind => kind.to_string(),
    };
    let layer = error.metadata.as_ref().map(|metadata| metadata.name.to_string());
    let key = path.join(".");
    let place = match layer {
        Some(layer) if layer == ENVIRONMENT => format!("{ENVIRONMENT} {}", variable_of(&key)),
        Some(layer) => files
            .iter()
            .find(|file| file.path().display().to_string() == layer)
            .map_or(layer, |file| file.place(&path)),
        None => "configuration".into(),
    };
    ConfigError::Key { place, key, reason }
}
