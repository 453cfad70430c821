//! What happens in the demo: whose jobs, with which inputs, and what is shown of their results.
use crate::{gather, session::Session};
use icn_api::{client::Client, mesh::JobView};
use icn_model::{Action, Digest, JobId, JobLimits, JobSpec, JobStatus, Mana, Millis, Requirements};
use std::collections::BTreeMap;

/// How many cooperatives there are in the story.
pub(super) const SEATS: usize = 4;

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

/// Puts a job's content and describes it.
pub(super) fn put_scene(client: &Client, scene: &Scene, limits: JobLimits) -> anyhow::Result<JobSpec> {
    let put = |content: &[u8]| anyhow::Ok(gather::put(client, content, |_| {})?.cid);
    let mut inputs = BTreeMap::new();
    for (path, content) in scene.inputs {
        inputs.insert((*path).to_owned(), put(content)?);
    }
    Ok(JobSpec {
        module: put(scene.module)?,
        args: scene.args.iter().map(|arg| (*arg).to_owned()).collect(),
        env: BTreeMap::new(),
        stdin: scene.stdin.map(put).transpose()?,
        inputs,
        limits,
        require: Requirements::default(),
        replicas: 1,
        max_mana: Mana::from_whole(100),
        deadline: client.federation()?.time.after(Millis::from_secs(600)),
        coordinator: None,
        private: false,
    })
}

/// Hands a job in; gives its id.
pub(super) fn hand_in(session: &Session, client: &Client, spec: JobSpec) -> anyhow::Result<JobId> {
    Ok(session
        .submit(client, &Action::SubmitJob { spec: Box::new(spec) })?
        .id
        .into())
}

/// Whether a job has come to a good end.
pub(super) fn is_done(view: &JobView) -> bool {
    matches!(view.state, JobStatus::Settled | JobStatus::Completed)
}

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
