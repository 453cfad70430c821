//! From a module and its inputs on this machine to a job in the log.
use super::dag;
use crate::{format, parse, session::Session};
use clap::Args;
use icn_api::client::Client;
use icn_model::{Action, Cid, Did, JobId, JobLimits, JobSpec, Mana, Millis, Requirements, Time, limits};
use std::{collections::BTreeMap, path::PathBuf};

/// `job submit`
#[derive(Debug, Args)]
pub(crate) struct SubmitArgs {
    /// The program: a WASI preview 1 command, as a file or as the CID of one
    module: String,
    /// An argument of the program, several times for several
    #[arg(long = "arg", value_name = "TEXT", allow_hyphen_values = true)]
    args: Vec<String>,
    /// A file that the program sees: PATH=FILE, or FILE to see it as /in/FILE
    #[arg(long = "input", value_name = "[PATH=]FILE", value_parser = parse::input)]
    inputs: Vec<(String, PathBuf)>,
    /// What the program reads from standard input
    #[arg(long, value_name = "FILE")]
    stdin: Option<PathBuf>,
    /// A variable that the program sees
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = parse::pair)]
    env: Vec<(String, String)>,
    /// The most that one executor may ask, in mana; held until the job is done
    #[arg(long, value_name = "MANA", default_value = "10")]
    max_mana: Mana,
    /// How many distinct cooperatives run it; those that agree are paid
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=i64::from(limits::MAX_REPLICAS)))]
    replicas: u8,
    /// By when it must be done, from now
    #[arg(long, value_name = "SPAN", value_parser = parse::span, default_value = "10m")]
    deadline: Millis,
    /// Memory that the program may use
    #[arg(long, value_name = "SIZE", value_parser = parse::size, default_value = "256m")]
    memory: u64,
    /// Instructions that the program may use, roughly
    #[arg(long, value_name = "N", default_value_t = JobLimits::default().fuel)]
    fuel: u64,
    /// What the program may write, all together
    #[arg(long, value_name = "SIZE", value_parser = parse::size, default_value = "16m")]
    output_limit: u64,
    /// How long the program may take on the executor
    #[arg(long, value_name = "SPAN", value_parser = parse::span, default_value = "60s")]
    wall: Millis,
    /// Only executors of at least this reputation, from 0 to 1000
    #[arg(long, value_name = "N", default_value_t = 0)]
    min_reputation: u32,
    /// Only this cooperative, by name or identity; several times for several
    #[arg(long = "cooperative", value_name = "NAME")]
    cooperatives: Vec<String>,
    /// Wait until it is settled or has failed
    #[arg(long)]
    pub(crate) wait: bool,
}

/// Puts the content, signs the job and hands it in.
pub(crate) fn submit(session: &Session, client: &Client, args: &SubmitArgs) -> anyhow::Result<JobId> {
    let put = |path: &PathBuf| anyhow::Ok(dag::put_file(session, client, path)?.cid);
    // The program's own words are checked before anything is sent.
    let cooperatives: Vec<Did> = args
        .cooperatives
        .iter()
        .map(|name| session.resolve(client, name))
        .collect::<Result<_, _>>()?;
    let module = match args.module.parse::<Cid>() {
        Ok(cid) => cid,
        Err(_) => put(&PathBuf::from(&args.module))?,
    };
    let mut inputs = BTreeMap::new();
    for (path, file) in &args.inputs {
        anyhow::ensure!(
            inputs.insert(path.clone(), put(file)?).is_none(),
            "{path} is named twice"
        );
    }
    let stdin = args.stdin.as_ref().map(put).transpose()?;
    let signer = session.signer()?;
    let next = client.next_operation(signer.key.public())?;
    let spec = spec(args, module, inputs, stdin, cooperatives, next.time);
    let done = session.submit_as(client, &signer, &Action::SubmitJob { spec: Box::new(spec) })?;
    session.output.say(format!(
        "job {} is in block {}",
        JobId::from(done.id),
        done.height
    ));
    Ok(done.id.into())
}

fn spec(
    args: &SubmitArgs,
    module: Cid,
    inputs: BTreeMap<String, Cid>,
    stdin: Option<Cid>,
    cooperatives: Vec<Did>,
    now: Time,
) -> JobSpec {
    JobSpec {
        module,
        args: args.args.clone(),
        env: args.env.iter().cloned().collect(),
        stdin,
        inputs,
        limits: JobLimits {
            fuel: args.fuel,
            memory_bytes: args.memory,
            output_bytes: args.output_limit,
            wall_ms: args.wall.get(),
        },
        require: Requirements {
            min_reputation: args.min_reputation,
            cooperatives,
        },
        replicas: args.replicas,
        max_mana: args.max_mana,
        deadline: now.after(args.deadline),
        coordinator: None,
        // Blocks are served to every seat so far; a node refuses what asks for more.
        private: false,
    }
}

/// How a job was asked for, for people.
pub(crate) fn asked(spec: &JobSpec) -> String {
    let JobLimits {
        fuel,
        memory_bytes,
        output_bytes,
        wall_ms,
    } = spec.limits;
    let (memory, output) = (format::bytes(memory_bytes), format::bytes(output_bytes));
    format!(
        "{fuel} fuel, {memory} memory, {output} output, {}",
        format::span(Millis::new(wall_ms))
    )
}
