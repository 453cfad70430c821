//! What our servers share at their edge, whatever they serve: how they are configured, what they write to their log,
//! how they take HTTP connections, and how they answer when something is wrong.
//!
//! - [`config`]: layers of a configuration, of which each value knows its own; errors that say where to look; secrets
//!   from variables and files, and values shown without them.
//! - [`log`]: the process's log, whose level changes while the process runs.
//! - [`http`]: the connections, the names and counts of requests, what handlers read out of them, and failures as
//!   problem documents.
//! - [`clock`]: the process's clock.
//! - [`exposition`]: metrics as a table for people.
//!
//! It knows no route, no key of a configuration and nobody who may call: those are the server's
//! (docs/decisions/0016-two-servers-one-edge.md).
#![forbid(unsafe_code)]

pub mod clock;
pub mod config;
pub mod exposition;
pub mod http;
pub mod log;
pub mod supervisor;
