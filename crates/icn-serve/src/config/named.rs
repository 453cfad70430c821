//! Layers under names of ours, by which errors tell them.
use figment::{
    Error as LayerError, Metadata, Profile, Provider,
    value::{Dict, Map},
};

/// Name of the layer of what nobody has set.
pub const DEFAULT: &str = "default";
/// Name of the layer of the variables.
pub const ENVIRONMENT: &str = "environment";
/// Name of the layer of the flags.
pub const COMMAND_LINE: &str = "command line";

/// A layer under a name of ours.
pub struct Named<P> {
    name: &'static str,
    inner: P,
}

impl<P> Named<P> {
    /// `inner`, called `name`.
    pub const fn new(name: &'static str, inner: P) -> Self {
        Self { name, inner }
    }
}

impl<P: Provider> Provider for Named<P> {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, LayerError> {
        self.inner.data()
    }
}
