//! Blocks over HTTP beside the store alone, and a backup beside `tar | gzip`, on one node. Run by hand:
//! `cargo xtask bench blocks [BACKEND ...]`, `cargo xtask bench backup [MIB]`. Prints tables; judges nothing.
//!
//! Puts are durable before they are answered, on either side. The clients share the machine with the node, so what it
//! reaches is more than what is shown.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark that cannot run should say where"
)]
mod backup;
mod node;
mod puts;

const BACKENDS: [&str; 4] = ["fjall", "redb", "sled", "sqlite"];
/// What a backup is made of if nothing says, in MiB.
const MIB: usize = 1_024;

fn main() {
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    let after = |name: &str| {
        words
            .iter()
            .position(|word| word == name)
            .map(|at| &words[at + 1..])
    };
    let nothing = words.is_empty();
    if let Some(named) = after("blocks").or_else(|| nothing.then_some(&[])) {
        let named: Vec<_> = named
            .iter()
            .take_while(|word| *word != "backup")
            .cloned()
            .collect();
        let all = || BACKENDS.map(str::to_owned).to_vec();
        puts::table(&if named.is_empty() { all() } else { named });
    }
    if let Some(named) = after("backup").or_else(|| nothing.then_some(&[])) {
        backup::table(named.first().and_then(|word| word.parse().ok()).unwrap_or(MIB));
    }
}
