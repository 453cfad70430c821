//! The HTTP interface: serves what `icn-api` says, from the running node.
//!
//! A request's way: `icn-serve` bounds connections, [`around`] names the request, counts it and turns errors
//! into problem documents, [`gate`] decides who may call and how much may be sent, and one handler per route
//! answers. [`routes`] says which; scopes and sizes come from `icn_api::ENDPOINTS`, so they cannot drift.
//!
//! Nothing is decided here: operations go to the log as they are signed, and reads copy what they need out of
//! the state while its lock is held, and do everything else after.
mod agreements;
mod app;
mod around;
mod audit;
mod backups;
mod blocks;
mod bundle;
mod clearing;
mod config;
mod credit;
mod events;
mod failure;
mod federation;
mod files;
mod front;
mod gate;
mod governance;
mod health;
mod identity;
mod keys;
mod mana;
mod mesh;
mod network;
mod node;
mod operations;
mod page;
mod pins;
mod routes;
mod scrape;
mod server;
pub(crate) mod starting;
mod status;
mod usage;
mod wait;
pub(crate) mod waiting;

pub(crate) use app::{App, AppInner, LogEnd};
pub(crate) use front::Front;
pub(crate) use health::{vitals, watch as watch_health};
pub(crate) use scrape::serve as serve_metrics;
pub(crate) use server::serve;
