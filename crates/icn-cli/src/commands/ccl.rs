//! Contracts: checking, building, testing, laying out and explaining them, for which no node is needed; and those of
//! the log.
use super::{
    contract,
    source::{self, Names},
};
use crate::{
    failure::{Found, Usage},
    global::Global,
    output::Output,
    session::Session,
};
use anyhow::Context as _;
use clap::{Args, Subcommand};
use icn_ccl::{
    Build, Checked, Metadata, Modules, Program, Span, Stop, check,
    testing::{Verdict, run_tests},
};
use icn_model::{Cid, PolicySlot};
use serde_json::json;
use std::{fs, path::PathBuf};

/// `ccl`
#[derive(Debug, Subcommand)]
pub(crate) enum CclCommand {
    /// Say what is wrong with a contract or module, and its content id
    Check(SourceArgs),
    /// Compile a contract to WebAssembly
    Build(BuildArgs),
    /// Run the tests of a contract
    Test(SourceArgs),
    /// Lay out contracts and modules
    Fmt(FmtArgs),
    /// Say in plain words what a contract allows and requires
    Explain(SourceArgs),
    /// Put a contract or module in the log, for policies to name; prints its content id
    Publish {
        /// The source
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Show a contract of the log with its text
    Show {
        /// Its content id
        cid: Cid,
    },
    /// List the contracts of the log
    Ls,
    /// Try a contract on what has happened: what it would have said in the last operations of the log
    Backtest {
        /// The source
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The slot that it would decide
        #[arg(long)]
        slot: PolicySlot,
        /// On how many of the last operations
        #[arg(long, value_name = "N", default_value_t = contract::TRIED)]
        last: u64,
    },
}

/// Which source.
#[derive(Debug, Args)]
pub(crate) struct SourceArgs {
    /// The contract's source
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// A module that it imports, directly or through others; can be given several times
    #[arg(long = "module", value_name = "FILE")]
    modules: Vec<PathBuf>,
}

/// Which source, and where the result goes.
#[derive(Debug, Args)]
pub(crate) struct BuildArgs {
    #[command(flatten)]
    source: SourceArgs,
    /// Where the module goes; without it, beside the source with the ending .wasm
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Which sources.
#[derive(Debug, Args)]
pub(crate) struct FmtArgs {
    /// The sources
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Change nothing, and fail if there is something to change
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(global: &Global, output: &Output, command: CclCommand) -> anyhow::Result<()> {
    let session = || Session::new(global, output);
    match command {
        CclCommand::Publish { file } => contract::publish(&session()?, &file),
        CclCommand::Show { cid } => contract::show(&session()?, &cid),
        CclCommand::Ls => contract::ls(&session()?),
        CclCommand::Backtest { file, slot, last } => contract::backtest(&session()?, &file, slot, last),
        CclCommand::Check(args) => check_source(output, &args),
        CclCommand::Build(args) => build(output, &args),
        CclCommand::Test(args) => test(output, &args),
        CclCommand::Fmt(args) => layout(output, &args),
        CclCommand::Explain(args) => {
            let program = args.program(output)?;
            let text = icn_ccl::explain(&program);
            output.data(&json!({ "name": program.name, "text": text }), |output| {
                Ok(output.bytes(text.as_bytes())?)
            })
        }
    }
}

impl SourceArgs {
    fn check(&self) -> anyhow::Result<(Checked, Names)> {
        let mut modules = Modules::default();
        let text = source::read(&self.file)?;
        let mut names = Names::new(&text, &self.file);
        for path in &self.modules {
            names.add(modules.add(source::read(path)?), path);
        }
        Ok((check(&text, &modules), names))
    }

    /// The program, if nothing is wrong with it; what is wrong is printed.
    fn program(&self, output: &Output) -> anyhow::Result<Program> {
        let (checked, names) = self.check()?;
        source::accepted(output, checked, &names)
    }
}

fn check_source(output: &Output, args: &SourceArgs) -> anyhow::Result<()> {
    let (checked, names) = args.check()?;
    let cid = checked.sources.files().first().map(|file| file.cid.to_string());
    let fine = checked.program.is_some();
    if output.is_json() {
        let found = source::diagnostics_json(&checked.diagnostics, &checked.sources, &names);
        output.json(&json!({ "fine": fine, "source": cid, "diagnostics": found }))?;
    } else {
        source::report(output, &checked, &names);
        if fine {
            output.say(format!("{} is fine; its content id is", args.file.display()));
            output.line(cid.unwrap_or_default())?;
        }
    }
    if fine {
        Ok(())
    } else {
        Err(source::wrong(&checked.diagnostics).into())
    }
}

fn build(output: &Output, args: &BuildArgs) -> anyhow::Result<()> {
    let program = args.source.program(output)?;
    let module = icn_ccl::compile(&program, Build::Contract)?;
    let path = args
        .output
        .clone()
        .unwrap_or_else(|| args.source.file.with_extension("wasm"));
    if path == args.source.file {
        return Err(
            Usage::new("the module would overwrite its source: name another file with --output").into(),
        );
    }
    fs::write(&path, &module).with_context(|| format!("cannot write {}", path.display()))?;
    let metadata = Metadata::of(&program);
    let cid = Cid::of_raw(&module).to_string();
    let policies: Vec<_> = program.policies.iter().map(|policy| policy.slot.name).collect();
    let data = json!({
        "file": path,
        "module": cid,
        "bytes": module.len(),
        "source": metadata.sources.first().map(ToString::to_string),
        "name": metadata.name,
        "version": metadata.version,
        "language": metadata.language,
        "interface": metadata.interface,
        "policies": policies,
    });
    output.data(&data, |output| {
        output.say(format!(
            "{} bytes in {}; the module's content id is",
            module.len(),
            path.display()
        ));
        Ok(output.line(&cid)?)
    })
}

fn test(output: &Output, args: &SourceArgs) -> anyhow::Result<()> {
    let program = args.program(output)?;
    let (_, names) = args.check()?;
    let mut failed = 0;
    let mut data = Vec::new();
    for (test, verdict) in run_tests(&program) {
        let passed = verdict == Verdict::Passed;
        let mut message = None;
        if !output.is_json() {
            output.line(format!(
                "{}  {}",
                if passed { "passed" } else { "FAILED" },
                test.name
            ))?;
        }
        if let Verdict::Failed { message: text, stop } = verdict {
            failed += 1;
            if !output.is_json() {
                let span = stop.map_or(test.span, |stop| stop_span(&stop));
                source::draw_failure(output, &text, span, (&program.sources, &names));
            }
            message = Some(text);
        }
        data.push(json!({ "name": test.name, "passed": passed, "message": message }));
    }
    if output.is_json() {
        output.json(&json!({ "tests": data, "failed": failed }))?;
    } else {
        output.say(format!("{} of {} tests passed", data.len() - failed, data.len()));
    }
    if failed == 0 {
        Ok(())
    } else {
        Err(Found(format!("{failed} of {} tests failed", data.len())).into())
    }
}

fn stop_span(stop: &Stop) -> Span {
    match stop {
        Stop::Refusal { span, .. } | Stop::Fault { span, .. } => *span,
    }
}

fn layout(output: &Output, args: &FmtArgs) -> anyhow::Result<()> {
    let mut changed = Vec::new();
    for path in &args.files {
        let text = source::read(path)?;
        let laid_out = match icn_ccl::format(&text) {
            Ok(laid_out) => laid_out,
            Err(diagnostics) => {
                let alone = SourceArgs {
                    file: path.clone(),
                    modules: Vec::new(),
                };
                let (mut checked, names) = alone.check()?;
                checked.diagnostics = diagnostics;
                source::report(output, &checked, &names);
                return Err(source::wrong(&checked.diagnostics).into());
            }
        };
        if laid_out != text {
            changed.push(path.display().to_string());
            if !args.check {
                fs::write(path, laid_out).with_context(|| format!("cannot write {}", path.display()))?;
            }
        }
    }
    output.data(&json!({ "changed": changed }), |output| {
        changed.iter().try_for_each(|path| output.line(path))?;
        Ok(())
    })?;
    if args.check && !changed.is_empty() {
        let message = format!("{} not laid out; `icn-cli ccl fmt` does it", changed.join(", "));
        return Err(Found(message).into());
    }
    Ok(())
}
