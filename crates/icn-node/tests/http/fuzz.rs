//! The targets of `fuzz/` without instrumentation: over their corpora, and over mutations of them that are the same in
//! every run. What libFuzzer finds goes to the corpus, and is run here from then on.
//!
//! It is a module of this program, for one of its own would be linked for half a minute.
#[path = "../../../../fuzz/targets.rs"]
mod targets;

use std::{
    fs,
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
};
use targets::{TARGETS, Target};

/// Mutations of each target's corpus; a target that writes a file for each gets a tenth.
const MUTATIONS: usize = 10_000;
const SLOW: [&str; 2] = ["archive", "config"];
/// No input grows beyond this.
const MAX_BYTES: usize = 1 << 16;

/// A generator of numbers (xorshift64*), for mutations.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Below `end`; 0 if that is 0.
    fn below(&mut self, end: usize) -> usize {
        let number = usize::try_from(self.next() >> 33).unwrap();
        number.checked_rem(end).unwrap_or(0)
    }

    /// A place in `bytes` and one after it, at most `most` further.
    fn range(&mut self, len: usize, most: usize) -> std::ops::Range<usize> {
        let start = self.below(len + 1);
        start..(start + self.below(most + 1)).min(len)
    }
}

/// What is likely to sit on an edge of some parser.
const EDGES: [u8; 12] = [0, 1, 0x1b, 0x5b, 0x5f, 0x7f, 0x80, 0x9b, 0xbf, 0xd8, 0xfb, 0xff];

fn mutated(corpus: &[Vec<u8>], numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = corpus[numbers.below(corpus.len())].clone();
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(bytes.len());
        match numbers.below(8) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << numbers.below(8),
            1 if !bytes.is_empty() => bytes[at] = EDGES[numbers.below(EDGES.len())],
            2 => bytes.truncate(at),
            3 => {
                let range = numbers.range(bytes.len(), 64);
                bytes.drain(range);
            }
            4 => {
                let piece = bytes[numbers.range(bytes.len(), 256)].to_vec();
                bytes.splice(at..at, piece);
            }
            5 => {
                let other = &corpus[numbers.below(corpus.len())];
                let piece = other[numbers.range(other.len(), 256)].to_vec();
                bytes.splice(at..at, piece);
            }
            6 => {
                let number = numbers.next().to_be_bytes();
                let width = 1 << numbers.below(4);
                let end = (at + width).min(bytes.len());
                bytes.splice(at..end, number[..width].iter().copied());
            }
            _ => bytes.insert(at, EDGES[numbers.below(EDGES.len())]),
        }
    }
    bytes.truncate(MAX_BYTES);
    bytes
}

fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(name);
    let mut files: Vec<_> = fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    files
        .into_iter()
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect()
}

/// Whether a target holds for an input; one for which it does not is kept.
fn holds((name, target): Target, input: &[u8], what: &dyn std::fmt::Display) -> bool {
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| target(input)));
    if outcome.is_err() {
        let kept = std::env::temp_dir().join(format!("icn-fuzz-{name}-{}", std::process::id()));
        fs::write(&kept, input).unwrap();
        eprintln!("{name} fails with {what}, which is in {}", kept.display());
    }
    outcome.is_ok()
}

fn all_hold(target: Target) -> bool {
    let (name, _) = target;
    let corpus = corpus(name);
    assert!(!corpus.is_empty(), "{name} has no corpus");
    if !corpus
        .iter()
        .all(|(path, bytes)| holds(target, bytes, &path.display()))
    {
        return false;
    }
    let inputs: Vec<_> = corpus.into_iter().map(|(_, bytes)| bytes).collect();
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let count = if SLOW.contains(&name) {
        MUTATIONS / 10
    } else {
        MUTATIONS
    };
    (0..count).all(|number| {
        let input = mutated(&inputs, &mut numbers);
        holds(target, &input, &format_args!("mutation {number}"))
    })
}

#[test]
fn what_comes_from_outside_is_taken_or_refused() {
    let failed: Vec<_> = TARGETS
        .into_iter()
        .filter(|target| !all_hold(*target))
        .map(|(name, _)| name)
        .collect();
    assert!(failed.is_empty(), "{failed:?}");
}
