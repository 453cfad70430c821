//! Running a job again, to compare what comes out with what a receipt says.
//!
//! Without the feature `replay` there is no engine, and asking for a replay is an error that says so.
use icn_api::client::Client;
use icn_model::{JobSpec, Outcome};

/// Something that can run a job again.
pub(crate) trait Replayer {
    /// Everything about the engine that results depend on; a receipt under another profile cannot be compared.
    fn engine(&self) -> &str;

    /// Runs the job of `spec` with content that it gets from `client`.
    fn replay(&self, client: &Client, spec: &JobSpec) -> anyhow::Result<Outcome>;
}

/// The engine of this build.
#[cfg(not(feature = "replay"))]
pub(crate) fn replayer() -> anyhow::Result<Box<dyn Replayer>> {
    anyhow::bail!(
        "this icn-cli was built without the engine that runs jobs: build it with the feature replay"
    )
}

/// The engine of this build.
#[cfg(feature = "replay")]
pub(crate) fn replayer() -> anyhow::Result<Box<dyn Replayer>> {
    Ok(Box::new(sandbox::Engine::new()?))
}

#[cfg(feature = "replay")]
mod sandbox {
    use super::{Client, JobSpec, Outcome, Replayer};
    use crate::gather;
    use icn_model::Cid;
    use icn_sandbox::{CancelFlag, Sandbox, SandboxConfig, job};
    use std::collections::BTreeMap;

    /// Bytes that one of a job's inputs may have.
    const MAX_INPUT_BYTES: u64 = 256 << 20;

    /// The sandbox that nodes use, too.
    pub(super) struct Engine(Sandbox);

    impl Engine {
        pub(super) fn new() -> anyhow::Result<Self> {
            Ok(Self(Sandbox::new(SandboxConfig {
                cache_modules: 0,
                cache_bytes: 0,
            })?))
        }
    }

    impl Replayer for Engine {
        fn engine(&self) -> &str {
            self.0.engine_profile()
        }

        fn replay(&self, client: &Client, spec: &JobSpec) -> anyhow::Result<Outcome> {
            let get = |cid: &Cid| gather::get_bytes(client, cid, MAX_INPUT_BYTES);
            let module = get(&spec.module)?;
            let stdin = spec.stdin.map(|cid| get(&cid)).transpose()?.unwrap_or_default();
            let mut inputs = BTreeMap::new();
            for (path, cid) in &spec.inputs {
                inputs.insert(path.clone(), get(cid)?.into());
            }
            let invocation = job::invocation(spec, stdin.into(), inputs);
            Ok(job::outcome(&self.0.run(
                &module,
                &invocation,
                &CancelFlag::default(),
            )))
        }
    }
}
