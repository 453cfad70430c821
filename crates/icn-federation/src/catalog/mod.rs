//! The catalog: which projects there are, who has said so, and what is known of each.
mod entry;
mod file;
mod project;
mod registry;

pub use entry::{Draft, Entry, Flaw};
pub(crate) use entry::{hub_url, shortened};
pub use file::{FileError, read as read_file};
pub use project::{Hour, MINUTES, Project, Sent, Vital};
pub use registry::{Owner, Record, Registry};
