//! A whole federation in one process, under virtual time and driven by one seed: the nodes of
//! `icn-protocol` over simulated links, clocks and disks, with faults, users, and an oracle that checks
//! after every block what must hold.
//!
//! The same configuration gives the same run, byte for byte, on every machine; so a seed is all that a
//! report of a fault needs. What is not simulated: libp2p and real time (`icn-net` is tested with real
//! processes), sandboxes, other store backends, and seats that join or leave. See docs/simulator.md.
//!
//! A reader begins with `driver`, then [`schedule`] (what goes wrong), then [`oracle`] (what must
//! hold).

mod assembly;
mod bargains;
pub mod cluster;
pub mod config;
mod contracts;
mod driver;
mod errors;
pub mod executor;
pub mod federation;
pub mod names;
pub mod network;
pub mod oracle;
pub mod outcome;
pub mod run;
pub mod schedule;
pub mod tamper;
pub mod trace;
mod trades;
pub mod weather;
pub mod workload;

pub use config::{Config, Fault, Faults};
pub use oracle::{Invariant, Violation};
pub use outcome::Outcome;
pub use run::{Failure, run};
pub use trace::Trace;
