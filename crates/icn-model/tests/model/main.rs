//! Tests of the model: pinned encodings, decoding of anything at all, keys and signatures.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed, and says where"
)]

mod decoding;
mod fixtures;
mod keys;
mod samples;
