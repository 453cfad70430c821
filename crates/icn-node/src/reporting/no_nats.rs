//! NATS, in a program that was built without the feature `nats`: nothing comes to be one.
use std::convert::Infallible;

/// No servers.
pub(super) struct Nats(Infallible);

impl Nats {
    /// # Errors
    /// Always.
    pub(super) fn new(_: &str) -> Result<Self, String> {
        Err("this icn-node was built without NATS (cargo feature nats)".into())
    }

    /// Where reports would go.
    pub(super) fn place(&self) -> &str {
        match self.0 {}
    }

    /// Sends nothing.
    pub(super) async fn publish(&mut self, _: String, _: Vec<u8>) -> Result<(), String> {
        match self.0 {}
    }
}
