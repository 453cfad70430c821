//! Who may change an entry of the catalog.
use serde::{Deserialize, Serialize};
use std::fmt;

/// Who has registered a project, and so may change its entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum Owner {
    /// The catalog's file.
    File,
    /// Somebody with a key.
    Api,
}

impl Owner {
    /// As in the database and on the wire.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Api => "api",
        }
    }

    /// From the database.
    pub(crate) fn of(name: &str) -> Self {
        if name == Self::File.name() {
            Self::File
        } else {
            Self::Api
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
