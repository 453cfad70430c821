//! `icn-clear IN.csv`: solves, checks what was solved, writes files, and says what came of it.
use super::{
    args::Clear, create, memory::Memory, network::Input, network::Network, progress::Progress, read,
};
use anyhow::Context as _;
use icn_clearing::{Obligation, Solution, check, check_netting, net, solve_with_progress};
use serde_json::{Value, json};
use std::{
    io::{self, Write as _},
    path::Path,
    time::{Duration, Instant},
};

/// What came of one unit.
struct Outcome {
    solution: Solution,
    netted: Option<Vec<Obligation>>,
    gross: u64,
    cleared: u64,
    time: Duration,
}

pub(crate) fn clear(args: &Clear) -> anyhow::Result<()> {
    let path = args.input.as_deref().context("no input is named")?;
    let input = read::read(path, &Memory::new(args.common.max_memory))?;
    let netting = args.net.is_some();
    let outcomes: Vec<Outcome> = input
        .networks
        .iter()
        .map(|network| solve(network, netting))
        .collect::<anyhow::Result<_>>()?;
    if let Some(path) = &args.out {
        write_rows(path, &input, &outcomes).with_context(|| format!("cannot write {}", path.display()))?;
    }
    if let Some(path) = &args.certificate {
        write_prices(path, &input, &outcomes).with_context(|| format!("cannot write {}", path.display()))?;
    }
    if let Some(Some(path)) = &args.net {
        write_netted(path, &input, &outcomes).with_context(|| format!("cannot write {}", path.display()))?;
    }
    print(&input, &outcomes, args.common.json).context("cannot write to stdout")
}

fn solve(network: &Network, netting: bool) -> anyhow::Result<Outcome> {
    let (parties, rows) = (network.parties(), network.rows.as_slice());
    let mut progress = Progress::new();
    let started = Instant::now();
    let solution = solve_with_progress(parties, rows, &mut |state| {
        progress.tell(|| {
            format!(
                "round {}: {} still to be routed",
                state.rounds + 1,
                state.unrouted
            )
        });
    })?;
    let time = started.elapsed();
    // Nothing is written that an outsider would refuse.
    let verified = check(parties, rows, &solution.cleared, &solution.prices)
        .context("the solver's own certificate is refused; please report this with the input")?;
    let netted = netting.then(|| {
        let netted = net(parties, rows, &solution.cleared)?;
        check_netting(parties, rows, &solution.cleared, &netted).context("the netting is refused")?;
        anyhow::Ok(netted)
    });
    let (gross, cleared) = (verified.gross, verified.cleared);
    Ok(Outcome {
        solution,
        netted: netted.transpose()?,
        gross,
        cleared,
        time,
    })
}

fn write_rows(path: &Path, input: &Input, outcomes: &[Outcome]) -> anyhow::Result<()> {
    let mut out = create(path)?;
    let columns: &[&str] = if input.has_units {
        &["debtor", "creditor", "amount", "unit", "cleared", "remainder"]
    } else {
        &["debtor", "creditor", "amount", "cleared", "remainder"]
    };
    out.write_record(columns)?;
    let mut progress = Progress::new();
    for (number, (network, row)) in input.in_order().enumerate() {
        let cleared = outcomes[network].solution.cleared[row];
        let network = &input.networks[network];
        let row = &network.rows[row];
        write_obligation(&mut out, input, network, row)?;
        out.write_field(cleared.to_string())?;
        out.write_field((row.amount - cleared).to_string())?;
        out.write_record(None::<&[u8]>)?;
        progress.tell(|| format!("{number} rows written"));
    }
    out.flush()?;
    Ok(())
}

/// The fields of an obligation, of a record that is not finished.
fn write_obligation(
    out: &mut csv::Writer<std::fs::File>,
    input: &Input,
    network: &Network,
    row: &Obligation,
) -> csv::Result<()> {
    out.write_field(network.name(row.debtor))?;
    out.write_field(network.name(row.creditor))?;
    out.write_field(row.amount.to_string())?;
    if input.has_units {
        out.write_field(&network.unit)?;
    }
    Ok(())
}

fn write_prices(path: &Path, input: &Input, outcomes: &[Outcome]) -> anyhow::Result<()> {
    let mut out = create(path)?;
    let columns: &[&str] = if input.has_units {
        &["party", "price", "unit"]
    } else {
        &["party", "price"]
    };
    out.write_record(columns)?;
    for (network, outcome) in input.networks.iter().zip(outcomes) {
        for (party, price) in (0..network.parties()).zip(&outcome.solution.prices) {
            out.write_field(network.name(party))?;
            out.write_field(price.to_string())?;
            if input.has_units {
                out.write_field(&network.unit)?;
            }
            out.write_record(None::<&[u8]>)?;
        }
    }
    out.flush()?;
    Ok(())
}

fn write_netted(path: &Path, input: &Input, outcomes: &[Outcome]) -> anyhow::Result<()> {
    let mut out = create(path)?;
    out.write_record(&["debtor", "creditor", "amount", "unit"][..if input.has_units { 4 } else { 3 }])?;
    for (network, outcome) in input.networks.iter().zip(outcomes) {
        for entry in outcome.netted.iter().flatten() {
            write_obligation(&mut out, input, network, entry)?;
            out.write_record(None::<&[u8]>)?;
        }
    }
    out.flush()?;
    Ok(())
}

/// A share in percent with two digits, rounded down.
fn percent(part: u64, whole: u64) -> String {
    let hundredths = u128::from(part) * 10_000 / u128::from(whole.max(1));
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

fn print(input: &Input, outcomes: &[Outcome], as_json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let all = input.networks.iter().zip(outcomes);
    if as_json {
        let networks: Vec<Value> = all
            .map(|(network, outcome)| describe(input, network, outcome))
            .collect();
        return writeln!(out, "{}", json!({ "networks": networks }));
    }
    for (network, outcome) in all {
        if input.has_units {
            writeln!(out, "unit         {}", network.unit)?;
        }
        let remaining = outcome.gross - outcome.cleared;
        writeln!(out, "parties      {}", network.parties())?;
        writeln!(out, "obligations  {}", network.rows.len())?;
        writeln!(out, "gross        {}", outcome.gross)?;
        writeln!(out, "cleared      {}", outcome.cleared)?;
        writeln!(out, "share        {} %", percent(outcome.cleared, outcome.gross))?;
        writeln!(out, "remaining    {remaining}")?;
        if let Some(netted) = &outcome.netted {
            let total: u64 = netted.iter().map(|entry| entry.amount).sum();
            writeln!(out, "netted to    {total} in {} obligations", netted.len())?;
        }
        writeln!(out, "time         {:.3} s", outcome.time.as_secs_f64())?;
    }
    Ok(())
}

fn describe(input: &Input, network: &Network, outcome: &Outcome) -> Value {
    let mut value = json!({
        "parties": network.parties(),
        "obligations": network.rows.len(),
        "gross": outcome.gross,
        "cleared": outcome.cleared,
        "share_percent": percent(outcome.cleared, outcome.gross),
        "remaining": outcome.gross - outcome.cleared,
        "time_ms": u64::try_from(outcome.time.as_millis()).unwrap_or(u64::MAX),
    });
    if input.has_units {
        value["unit"] = json!(network.unit);
    }
    if let Some(netted) = &outcome.netted {
        let total: u64 = netted.iter().map(|entry| entry.amount).sum();
        value["netted"] = json!({ "obligations": netted.len(), "total": total });
    }
    value
}
