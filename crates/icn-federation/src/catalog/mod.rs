//! The catalog: which projects there are, who has said so, and what is known of each.
mod entry;
mod file;
mod owner;
mod project;
mod registry;

pub(crate) use entry::{Draft, Entry, Flaw};
pub(crate) use entry::{hub_url, shortened};
pub(crate) use file::{FileError, read as read_file};
pub(crate) use owner::Owner;
pub(crate) use project::{Hour, MINUTES, Project, Sent, Vital};
pub(crate) use registry::{Record, Registry};
