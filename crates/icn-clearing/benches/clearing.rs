//! Figures of docs/benchmarks.md, "Clearing": `cargo bench -p icn-clearing --bench clearing -- [OPTION ..]`.
//!
//! Every run is a process of its own, that of the peer (benches/lemon) alternated with ours, so that neither finds the
//! other's heap. Counted is processor time from rows in memory to cleared amounts and prices in memory.
//!
//! Options: `--rows N`, `--families A,B`, `--runs N`, `--seed N`, `--lemon PROGRAM`, `--warm` (changes of a solved
//! network instead).
use icn_clearing::{Network, Obligation, check, solve};
use rustix::time::{ClockId, clock_gettime};
use std::{
    env, fs,
    fs::File,
    hint::black_box,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
};

/// Processor time of this process in seconds.
fn processor_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// The most memory this process has had.
fn peak_kib() -> u64 {
    let text = fs::read_to_string("/proc/self/status").expect("the process's figures (Linux)");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .expect("a peak");
    line.trim()
        .trim_end_matches(" kB")
        .trim()
        .parse()
        .expect("a number")
}

fn read(path: &Path) -> (u32, Vec<Obligation>) {
    let mut lines = BufReader::with_capacity(1 << 16, File::open(path).expect("a network"));
    let (mut line, mut rows, mut parties) = (String::new(), Vec::new(), 0);
    lines.read_line(&mut line).expect("a header");
    loop {
        line.clear();
        if lines.read_line(&mut line).expect("a line") == 0 {
            break;
        }
        let mut fields = line.trim().split(',');
        let mut field = || fields.next().expect("three fields");
        let (debtor, creditor) = (
            field().parse().expect("a party"),
            field().parse().expect("a party"),
        );
        let amount = field().parse().expect("an amount");
        parties = parties.max(debtor + 1).max(creditor + 1);
        rows.push(Obligation {
            debtor,
            creditor,
            amount,
        });
    }
    rows.shrink_to_fit();
    (parties, rows)
}

/// The child: `total,solve_s,check_s,peak_kib` of one network.
fn solve_one(path: &Path) {
    let (parties, rows) = read(path);
    let start = processor_seconds();
    let solution = solve(parties, &rows).expect("within the limits");
    let solved = processor_seconds();
    let peak = peak_kib();
    let verified = check(parties, &rows, &solution.cleared, &solution.prices).expect("the certificate holds");
    let checked = processor_seconds();
    println!(
        "{},{:.6},{:.6},{peak}",
        verified.cleared,
        solved - start,
        checked - solved
    );
}

/// The child: times of single changes in a solved network.
fn change_one(path: &Path, seed: u64) {
    let (parties, rows) = read(path);
    let count = rows.len() as u64;
    let mut network = Network::new(parties, rows).expect("within the limits");
    let mut state = seed;
    let mut next = |bound: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((u128::from(state) * u128::from(bound)) >> 64).expect("below the number of rows")
    };
    let mut times = Vec::new();
    for change in 0..1000 {
        let row = next(count);
        let Obligation { debtor, amount, .. } = network.rows()[row];
        let other = network.rows()[next(count)].creditor;
        let start = processor_seconds();
        match change % 4 {
            0 => network
                .set_amount(row, amount + amount / 10 + 1)
                .expect("within the limits"),
            1 => network.set_amount(row, amount / 2).expect("a row"),
            2 => network.remove(row).expect("a row"),
            _ => drop(black_box(network.add(Obligation {
                debtor,
                creditor: other,
                amount: 8192,
            }))),
        }
        times.push(processor_seconds() - start);
    }
    let solution = network.solution();
    check(parties, network.rows(), &solution.cleared, &solution.prices).expect("the certificate holds");
    times.sort_by(f64::total_cmp);
    let milliseconds = |share: usize| times[times.len() * share / 100] * 1e3;
    println!(
        "{:.3},{:.3},{:.3}",
        milliseconds(50),
        milliseconds(90),
        milliseconds(99)
    );
}

/// The numbers a child prints.
fn run(command: &mut Command) -> Vec<f64> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .expect("the program starts");
    assert!(output.status.success(), "{command:?} failed");
    let text = String::from_utf8(output.stdout).expect("text");
    text.trim()
        .split(',')
        .map(|field| field.parse().expect("a number"))
        .collect()
}

fn least_and_median(runs: &[Vec<f64>], value: impl Fn(&[f64]) -> f64) -> (f64, f64) {
    let mut values: Vec<f64> = runs.iter().map(|run| value(run)).collect();
    values.sort_by(f64::total_cmp);
    (values[0], values[values.len() / 2])
}

fn compare(family: &str, path: &Path, runs: usize, lemon: Option<&str>) {
    let me = env::current_exe().expect("a program");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        ours.push(run(Command::new(&me).arg("solve").arg(path)));
        if let Some(lemon) = lemon {
            theirs.push(run(Command::new(lemon).arg(path)));
        }
    }
    assert!(
        ours.iter().chain(&theirs).all(|run| run[0] == ours[0][0]),
        "equal totals"
    );
    let (solve, solve_median) = least_and_median(&ours, |run| run[1]);
    let (check, check_median) = least_and_median(&ours, |run| run[2]);
    let (_, peak) = least_and_median(&ours, |run| run[3] / 1024.0);
    print!(
        "| {family} | {solve:.2} ({solve_median:.2}) s | {peak:.0} MiB | {:.0} ({:.0}) ms, {:.1} %",
        check * 1e3,
        check_median * 1e3,
        check_median / solve_median * 100.0
    );
    if !theirs.is_empty() {
        let (lemon, lemon_median) = least_and_median(&theirs, |run| run[1] + run[2]);
        let (lemon_run, _) = least_and_median(&theirs, |run| run[2]);
        let (_, lemon_peak) = least_and_median(&theirs, |run| run[3] / 1024.0);
        print!(
            " | {lemon:.2} ({lemon_median:.2}) s, of it {lemon_run:.2} in its `run` | {lemon_peak:.0} MiB | {:.1} ({:.1}) | {:.2}",
            lemon / solve,
            lemon_median / solve_median,
            peak / lemon_peak
        );
    }
    println!(" |");
}

fn main() {
    let args: Vec<String> = env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let option = |name: &str| {
        args.iter()
            .position(|arg| arg == name)
            .and_then(|at| args.get(at + 1))
    };
    let number = |name: &str, default: usize| {
        option(name).map_or(default, |value| value.parse().expect("a number after the option"))
    };
    match args.first().map(String::as_str) {
        Some("solve") => return solve_one(Path::new(&args[1])),
        Some("change") => return change_one(Path::new(&args[1]), 1),
        _ => {}
    }
    let (rows, runs, seed) = (
        number("--rows", 1_000_000),
        number("--runs", 5),
        number("--seed", 1),
    );
    let families = option("--families").map_or("power-law,barabasi-albert", String::as_str);
    let directory = tempfile::tempdir().expect("a directory for temporary files");
    println!("{rows} obligations, seed {seed}, {runs} runs: least (median)");
    for family in families.split(',') {
        let path = directory.path().join(family);
        let file = File::create(&path).expect("a temporary file");
        let made = Command::new(env!("CARGO_BIN_EXE_icn-clear"))
            .args(["generate", family, &rows.to_string(), "--seed", &seed.to_string()])
            .stdout(file)
            .status();
        assert!(made.is_ok_and(|status| status.success()), "the network is made");
        if args.iter().any(|arg| arg == "--warm") {
            let me = env::current_exe().expect("a program");
            let times = run(Command::new(&me).arg("change").arg(&path));
            println!(
                "| {family} | p50 {} ms, p90 {} ms, p99 {} ms |",
                times[0], times[1], times[2]
            );
        } else {
            compare(family, &path, runs, option("--lemon").map(String::as_str));
        }
        fs::remove_file(&path).expect("a temporary file");
    }
}
