//! Prints what running a job costs apart from the job: microseconds per run of a module that does
//! nothing, compiled before; the time of its first run; and the memory that the process holds.
//!
//!     cargo run --release -p icn-sandbox --example noop

use std::time::Instant;

use icn_sandbox::{CancelFlag, Invocation, Sandbox, SandboxConfig};

const RUNS: usize = 2_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../jobs/");
    let sandbox = Sandbox::new(SandboxConfig::default())?;
    for job in ["noop", "word-frequencies"] {
        let module = std::fs::read(format!("{path}{job}/module.wasm"))?;
        let run = || {
            let started = Instant::now();
            let outcome = sandbox.run(&module, &Invocation::default(), &CancelFlag::new());
            assert!(outcome.exit.is_success(), "{}", outcome.exit);
            started.elapsed().as_micros()
        };
        let first = run();
        let mut times: Vec<_> = (0..RUNS).map(|_| run()).collect();
        times.sort_unstable();
        let (p50, p99) = (times[RUNS / 2], times[RUNS * 99 / 100]);
        println!("{job}: first run {first} us, then p50 {p50} us, p99 {p99} us");
    }
    let spin = std::fs::read(format!("{path}hostile/endless-loop.wasm"))?;
    let outcome = sandbox.run(&spin, &Invocation::default(), &CancelFlag::new());
    println!(
        "endless loop: {} fuel in {} ms",
        outcome.fuel_used, outcome.wall_ms
    );
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        for line in status
            .lines()
            .filter(|line| line.starts_with("VmRSS") || line.starts_with("VmHWM"))
        {
            println!("{line}");
        }
    }
    Ok(())
}
