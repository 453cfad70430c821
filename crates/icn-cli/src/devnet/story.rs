//! What happens in the demo: whose jobs, with which inputs, and what is shown of their results.
use icn_model::Digest;

/// A job of the story.
pub(super) struct Scene {
    /// What it is called.
    pub(super) title: &'static str,
    /// The node whose cooperative submits it.
    pub(super) submitter: usize,
    /// The program.
    pub(super) module: &'static [u8],
    /// Its arguments.
    pub(super) args: &'static [&'static str],
    /// What it reads.
    pub(super) stdin: Option<&'static [u8]>,
    /// Files that it sees.
    pub(super) inputs: &'static [(&'static str, &'static [u8])],
}

const WORDS: &[u8] = include_bytes!("../../../../jobs/word-frequencies/module.wasm");
const MANDELBROT: &[u8] = include_bytes!("../../../../jobs/mandelbrot/module.wasm");
const CHECKSUM: &[u8] = include_bytes!("../../../../jobs/checksum/module.wasm");
const ESSAY: &[u8] = include_bytes!("../../../../jobs/inputs/cooperation.txt");
const LENT: &[u8] = include_bytes!("../../../../jobs/inputs/checksum/lent.csv");
const STOCK: &[u8] = include_bytes!("../../../../jobs/inputs/checksum/stock.txt");

/// The three jobs.
pub(super) const SCENES: [Scene; 3] = [
    Scene {
        title: "word frequencies of an essay",
        submitter: 0,
        module: WORDS,
        args: &["-n", "8"],
        stdin: Some(ESSAY),
        inputs: &[],
    },
    Scene {
        title: "a picture of the Mandelbrot set",
        submitter: 1,
        module: MANDELBROT,
        args: &["640", "420", "400"],
        stdin: None,
        inputs: &[],
    },
    Scene {
        title: "checksums of two files",
        submitter: 2,
        module: CHECKSUM,
        args: &[],
        stdin: None,
        inputs: &[("in/lent.csv", LENT), ("in/stock.txt", STOCK)],
    },
];

/// The checksums that the third job must find, computed here.
pub(super) fn expected_checksums() -> Vec<String> {
    SCENES[2]
        .inputs
        .iter()
        .map(|(_, content)| Digest::of(content).to_string())
        .collect()
}

/// A job that takes a moment, for the crowd that runs while a node is killed.
pub(super) const CROWD: Scene = Scene {
    title: "one of a crowd",
    submitter: 0,
    module: MANDELBROT,
    args: &["160", "100", "4000"],
    stdin: None,
    inputs: &[],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_in_the_story_is_missing() {
        assert!(SCENES.iter().all(|scene| scene.submitter < 4));
        assert!(SCENES.iter().all(|scene| scene.module.starts_with(b"\0asm")));
        assert_eq!(expected_checksums().len(), 2);
    }
}
