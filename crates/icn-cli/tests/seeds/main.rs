//! Runs what the seed documents show an operator doing with one node: every shell and TOML block, by the programs as
//! they are built, and prints the list of all blocks with what became of them.
//!
//! `blocks/` holds the blocks word for word, `plan.rs` says of each how it is run, what has to stand in for a
//! placeholder, or why it is not run. A block without a plan fails the test, and so does a plan without a block.
//! `cargo test -p icn-cli --test seeds`; a word after `--` picks the chapters whose name holds it. Needs curl, openssl
//! and PostgreSQL, as the documents do. Where network namespaces may be made, blocks run with the very ports that they
//! name.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests: a panic is how a test fails"
)]
mod blocks;
mod machine;
mod plan;
mod postgres;
mod world;

use blocks::Block;
use machine::Machine;
use plan::{Chapter, LISTED, Step};
use std::{
    collections::BTreeMap,
    panic::{self, AssertUnwindSafe},
    process::ExitCode,
    sync::Mutex,
    thread,
};
use world::World;

/// What became of a block.
enum Outcome {
    Ran(&'static str),
    Failed(String),
    Listed(&'static str),
}

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    if std::env::args().any(|word| word == "--list") {
        return ExitCode::SUCCESS;
    }
    let blocks = blocks::all();
    let chapters: Vec<_> = plan::chapters()
        .into_iter()
        .filter(|chapter| words.is_empty() || words.iter().any(|word| chapter.name.contains(word.as_str())))
        .collect();
    let outcomes = Mutex::new(BTreeMap::new());
    // On two machines, one of which has a database server.
    let (with_server, without): (Vec<_>, Vec<_>) = chapters.iter().partition(|chapter| chapter.server);
    panic::set_hook(Box::new(|_| {}));
    thread::scope(|scope| {
        scope.spawn(|| {
            if with_server.is_empty() {
                return;
            }
            let machine = Machine::new();
            let server = postgres::Server::start(&machine);
            for chapter in with_server {
                run(chapter, &blocks, World::new(&machine, Some(&server)), &outcomes);
            }
        });
        scope.spawn(|| {
            let machine = Machine::new();
            for chapter in without {
                run(chapter, &blocks, World::new(&machine, None), &outcomes);
            }
        });
    });
    let _ = panic::take_hook();
    let mut outcomes = outcomes.into_inner().unwrap();
    for (id, reason) in LISTED {
        let twice = outcomes.insert((*id).to_owned(), Outcome::Listed(reason));
        assert!(twice.is_none(), "{id} is planned twice");
    }
    report(&blocks, &outcomes, words.is_empty())
}

/// Runs the blocks of a chapter, one after the other; after one that fails the others are not run.
fn run(
    chapter: &Chapter,
    blocks: &BTreeMap<String, Block>,
    mut world: World<'_>,
    outcomes: &Mutex<BTreeMap<String, Outcome>>,
) {
    let prepared = caught(|| (chapter.prepare)(&mut world));
    let mut failed = prepared
        .err()
        .map(|error| format!("the chapter {}: {error}", chapter.name));
    for step in &chapter.steps {
        let Step { block: id, note, .. } = step;
        let outcome = match &failed {
            Some(error) => Outcome::Failed(error.clone()),
            None => {
                let block = blocks
                    .get(*id)
                    .unwrap_or_else(|| panic!("there is no block {id}"));
                match caught(|| step.run(block, &mut world)) {
                    Ok(()) => Outcome::Ran(note),
                    Err(error) => {
                        failed = Some(format!("comes after {id}, which failed"));
                        Outcome::Failed(format!("{error}\n{}", world.logs()))
                    }
                }
            }
        };
        let twice = outcomes.lock().unwrap().insert((*id).to_owned(), outcome);
        assert!(twice.is_none(), "{id} is planned twice");
    }
}

/// What `work` panicked with, if it did.
fn caught(work: impl FnOnce()) -> Result<(), String> {
    panic::catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        text.or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "a panic without a message".into())
    })
}

fn report(
    blocks: &BTreeMap<String, Block>,
    outcomes: &BTreeMap<String, Outcome>,
    is_whole: bool,
) -> ExitCode {
    let mut failures = Vec::new();
    let (mut ran, mut listed) = (0, 0);
    println!(
        "\nblocks of the seed documents; in all that ran, {}:",
        plan::EVERYWHERE
    );
    let mut ordered: Vec<_> = blocks.iter().collect();
    ordered.sort_by_key(|(_, block)| block.place);
    for (id, block) in ordered {
        match outcomes.get(id) {
            Some(Outcome::Ran(note)) => {
                ran += 1;
                println!("  ran     {id}{}{note}", if note.is_empty() { "" } else { ": " });
            }
            Some(Outcome::Listed(reason)) => {
                listed += 1;
                println!("  listed  {id}: {reason}");
            }
            Some(Outcome::Failed(error)) => {
                println!("  FAILED  {id}");
                failures.push(format!("{id}:\n{}\n{error}", block.text));
            }
            None if is_whole => {
                println!("  FAILED  {id}");
                failures.push(format!("{id}: plan.rs says nothing about it"));
            }
            None => {}
        }
    }
    for id in outcomes.keys().filter(|id| !blocks.contains_key(*id)) {
        failures.push(format!("{id}: there is no such block"));
    }
    println!("{ran} ran, {listed} listed, {} failed\n", failures.len());
    for failure in &failures {
        eprintln!("---- {failure}\n");
    }
    if failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
