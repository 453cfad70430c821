//! `icn-clear check`: holds a clearing and its certificate against the obligations.
use super::{
    args::Check,
    lines::{Lines, Record},
    memory::Memory,
    network::Input,
    read,
};
use anyhow::{Context as _, anyhow, bail, ensure};
use icn_clearing::{Refusal, Verified, check};
use serde_json::{Value, json};
use std::{
    io::{self, Write as _},
    mem,
    path::Path,
};

pub(crate) fn verify(args: &Check) -> anyhow::Result<()> {
    let input = read::read(&args.input, &Memory::new(args.common.max_memory))?;
    let cleared = read_cleared(&args.out, &input)?;
    let prices = read_prices(&args.certificate, &input)?;
    let mut sums = Vec::new();
    for (at, network) in input.networks.iter().enumerate() {
        let verified = check(network.parties(), &network.rows, &cleared[at], &prices[at]);
        match verified {
            Ok(verified) => sums.push(verified),
            Err(refusal) => bail!("refused ({}): {}", refusal.code(), explain(&input, at, &refusal)),
        }
    }
    print(&input, &sums, args.common.json).context("cannot write to stdout")
}

/// A refusal with the names and row numbers of the files.
fn explain(input: &Input, at: usize, refusal: &Refusal) -> String {
    let row = |row: &usize| format!("row {} of the obligations", input.row_number(at, *row));
    let party = |party: &usize| {
        let party = u32::try_from(*party).unwrap_or(u32::MAX);
        format!("party {}", input.networks[at].name(party))
    };
    match refusal {
        Refusal::MoreThanOwed { row: at } => format!("{}: more is cleared than is owed", row(at)),
        Refusal::RemainsWithoutRise { row: at } => {
            format!(
                "{}: something remains, but the price does not rise to the creditor",
                row(at)
            )
        }
        Refusal::ClearedOverSteps { row: at } => format!(
            "{}: something is cleared, but the price rises by more than one to the creditor",
            row(at)
        ),
        Refusal::Unbalanced { party: at } => {
            format!(
                "{}: what is cleared of its debts is not what is cleared of its claims",
                party(at)
            )
        }
        Refusal::PriceWithoutReason { party: at } => {
            format!("{}: no row asks for its price, which is not 0", party(at))
        }
        other => other.to_string(),
    }
}

/// What is cleared of each row, by unit: the rows have to be those of the input.
fn read_cleared(path: &Path, input: &Input) -> anyhow::Result<Vec<Vec<u64>>> {
    let columns: &[&str] = if input.has_units {
        &["debtor", "creditor", "amount", "unit", "cleared", "remainder"]
    } else {
        &["debtor", "creditor", "amount", "cleared", "remainder"]
    };
    let mut cleared: Vec<Vec<u64>> = input
        .networks
        .iter()
        .map(|network| Vec::with_capacity(network.rows.len()))
        .collect();
    let mut places = input.in_order();
    for_each_record(path, columns, |record| {
        let (at, row) = places.next().context("refused (1): more rows than obligations")?;
        let network = &input.networks[at];
        let row = &network.rows[row];
        let same = network.find(read::text(&record[0])?) == Some(row.debtor)
            && network.find(read::text(&record[1])?) == Some(row.creditor)
            && read::number(&record[2], "amount", 1)? == row.amount
            && (!input.has_units || read::text(&record[3])? == network.unit);
        ensure!(same, "refused (10): not the row of the obligations at this place");
        let part = read::number(&record[columns.len() - 2], "cleared amount", 0)?;
        let rest = read::number(&record[columns.len() - 1], "remainder", 0)?;
        ensure!(
            part.checked_add(rest) == Some(row.amount),
            "refused (11): cleared and remainder are not the amount"
        );
        cleared[at].push(part);
        Ok(())
    })?;
    ensure!(
        places.next().is_none(),
        "{}: refused (1): fewer rows than obligations",
        path.display()
    );
    Ok(cleared)
}

/// The price of each party, by unit: every party once.
fn read_prices(path: &Path, input: &Input) -> anyhow::Result<Vec<Vec<u32>>> {
    let columns: &[&str] = if input.has_units {
        &["party", "price", "unit"]
    } else {
        &["party", "price"]
    };
    let mut prices: Vec<Vec<Option<u32>>> = input
        .networks
        .iter()
        .map(|network| vec![None; network.parties() as usize])
        .collect();
    for_each_record(path, columns, |record| {
        let unit = if input.has_units {
            read::text(&record[2])?
        } else {
            ""
        };
        let at = input.networks.iter().position(|network| network.unit == unit);
        let at = at.context("refused (12): no obligation has this unit")?;
        let party = input.networks[at].find(read::text(&record[0])?);
        let party = party.context("refused (12): no obligation names this party")?;
        let price = read::number(&record[1], "price", 0)?;
        let price = u32::try_from(price)
            .ok()
            .context("refused (2): the price is more than 2^32 - 1")?;
        let slot = &mut prices[at][party as usize];
        ensure!(
            slot.replace(price).is_none(),
            "refused (2): a second price of one party"
        );
        Ok(())
    })?;
    let complete = |prices: Vec<Option<u32>>| prices.into_iter().collect::<Option<Vec<u32>>>();
    let complete: Option<_> = prices.into_iter().map(complete).collect();
    complete.with_context(|| format!("{}: refused (2): a party has no price", path.display()))
}

/// Hands every record after the header to `take`, and says where it fails.
fn for_each_record(
    path: &Path,
    columns: &[&str],
    mut take: impl FnMut(Record<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut lines = Lines::open(path)?;
    let mut first = true;
    while let Some(record) = lines.next()? {
        if mem::take(&mut first) {
            let header = record.is(columns);
            ensure!(
                header,
                "{}: the header {} is missing",
                lines.place(),
                columns.join(",")
            );
            continue;
        }
        let fields = record.len();
        let taken = if fields == columns.len() {
            take(record)
        } else {
            Err(anyhow!("{fields} fields instead of {}", columns.len()))
        };
        taken.with_context(|| lines.place())?;
    }
    ensure!(
        !first,
        "{}: the header {} is missing",
        path.display(),
        columns.join(",")
    );
    Ok(())
}

fn print(input: &Input, sums: &[Verified], as_json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let all = input.networks.iter().zip(sums);
    if as_json {
        let networks: Vec<Value> = all
            .map(|(network, sums)| {
                let mut value = json!({ "gross": sums.gross, "cleared": sums.cleared });
                if input.has_units {
                    value["unit"] = json!(network.unit);
                }
                value
            })
            .collect();
        return writeln!(out, "{}", json!({ "verified": true, "networks": networks }));
    }
    for (network, sums) in all {
        let of = if input.has_units {
            format!(" {}", network.unit)
        } else {
            String::new()
        };
        writeln!(
            out,
            "verified: {} of {}{of} are cleared, and no more can be",
            sums.cleared, sums.gross
        )?;
    }
    Ok(())
}
