//! The network over real sockets on loopback, several nodes in one process. What is waited for is a
//! state, never a time; the limit of a wait only ends a failed test.
mod dialing;
mod gossip;
mod harness;
mod limits;
mod links;
mod presence;
mod providers;
