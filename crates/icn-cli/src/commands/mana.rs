//! Mana: balances, sharing, and the proof that none is lost or made.
use crate::{
    failure::{Found, Usage},
    format, gather,
    progress::Progress,
    session::Session,
    table::Table,
};
use anyhow::Context as _;
use clap::{Args, Subcommand};
use icn_api::{
    client::{Client, ClientConfig},
    mana::{Accounts, reconcile},
};
use icn_model::{Action, Mana};
use serde::Serialize;
use std::{
    thread,
    time::{Duration, Instant},
};

/// How long nodes are asked again until they are at one height.
const MEET_TIMEOUT: Duration = Duration::from_secs(30);
/// Pause between two such attempts.
const MEET_PAUSE: Duration = Duration::from_millis(50);

/// `mana`
#[derive(Debug, Subcommand)]
pub(crate) enum ManaCommand {
    /// Show an account; your own if none is named
    Balance {
        /// Whose, by name or identity
        of: Option<String>,
    },
    /// Recompute that no mana is lost or made, and that nodes have the same accounts
    Verify(VerifyArgs),
    /// Move mana between a cooperative and a member of it
    Share {
        /// To whom, by name or identity
        to: String,
        /// How much, in mana
        amount: Mana,
    },
}

/// `mana verify`
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// A node to compare, as URL or KEY@URL where it takes another API key; several times for several
    #[arg(long = "node", value_name = "[KEY@]URL")]
    nodes: Vec<String>,
}

pub(crate) fn run(session: &Session, command: ManaCommand) -> anyhow::Result<()> {
    match command {
        ManaCommand::Balance { of } => balance(session, of.as_deref()),
        ManaCommand::Verify(args) => verify(session, &args),
        ManaCommand::Share { to, amount } => share(session, &to, amount),
    }
}

fn balance(session: &Session, of: Option<&str>) -> anyhow::Result<()> {
    let client = session.client()?;
    let did = match of {
        Some(text) => session.resolve(&client, text)?,
        None => match session.own_did() {
            Some(own) => own,
            None => client.identity()?.did,
        },
    };
    let view = client.account(&did)?;
    session.output.data(&view, |output| {
        let (account, record) = (&view.account, &view.account.record);
        let mut table = Table::pairs();
        table.pair("account", account.did);
        if let Some(name) = &account.name {
            table.pair("name", name);
        }
        table.pair("available", account.spendable);
        table.pair("held", format!("{} for {} jobs", record.held, record.holds));
        table.pair("maturing", record.maturing);
        table.pair("staked", record.staked);
        if account.cooperative.is_none() {
            table.pair("shared", format!("{} with members", record.shared));
            table.pair(
                "regenerates",
                format!("{} in an hour, up to {}", view.rate_per_hour, view.capacity),
            );
        }
        table.pair(
            "as of",
            format!("height {}, {}", view.height, format::time(view.time)),
        );
        Ok(output.table(&table)?)
    })
}

fn share(session: &Session, to: &str, amount: Mana) -> anyhow::Result<()> {
    let client = session.client()?;
    let to = session.resolve(&client, to)?;
    let done = session.submit(&client, &Action::ShareMana { to, amount })?;
    session.output.data(&done, |output| {
        Ok(output.line(format!("moved {amount} in block {}", done.height))?)
    })
}

/// What one node's accounts amount to.
#[derive(Clone, Debug, Serialize)]
struct Finding {
    node: String,
    height: u64,
    root: String,
    accounts: usize,
    /// What does not add up, if anything.
    imbalance: Option<String>,
}

/// The nodes' accounts of one height.
#[derive(Debug)]
pub(crate) struct Comparison {
    /// One for each node, in the order of the nodes.
    pub(crate) accounts: Vec<Accounts>,
    /// Whether all have the same root and the same accounts.
    pub(crate) same: bool,
}

impl Comparison {
    /// Whether the conservation law holds on each node, and all are the same.
    pub(crate) fn holds(&self) -> bool {
        self.same && self.accounts.iter().all(|accounts| imbalance(accounts).is_none())
    }
}

/// What does not add up on a node, if anything.
pub(crate) fn imbalance(accounts: &Accounts) -> Option<String> {
    let records = accounts.items.iter().map(|account| &account.record);
    reconcile(records, &accounts.totals)
        .err()
        .map(|error| error.to_string())
}

/// Asks all nodes until their answers are of one height; compares them.
pub(crate) fn compare(clients: &[Client]) -> anyhow::Result<Comparison> {
    let until = Instant::now() + MEET_TIMEOUT;
    loop {
        let accounts = ask_all(clients)?;
        let first = accounts.first().context("no node to ask")?;
        if accounts.iter().all(|other| other.height == first.height) {
            let same = accounts
                .iter()
                .all(|other| other.root == first.root && other.items == first.items);
            return Ok(Comparison { accounts, same });
        }
        if Instant::now() > until {
            let heights: Vec<_> = accounts
                .iter()
                .map(|accounts| accounts.height.to_string())
                .collect();
            anyhow::bail!(
                "the nodes are not at one height ({}): wait until they are, and try again",
                heights.join(", ")
            );
        }
        thread::sleep(MEET_PAUSE);
    }
}

fn ask_all(clients: &[Client]) -> anyhow::Result<Vec<Accounts>> {
    thread::scope(|scope| {
        let asked: Vec<_> = clients
            .iter()
            .map(|client| scope.spawn(|| gather::accounts(client)))
            .collect();
        let answered = asked.into_iter().map(|asked| {
            asked
                .join()
                .map_err(|_| anyhow::anyhow!("a thread that asked a node broke off"))?
        });
        answered.collect()
    })
}

fn verify(session: &Session, args: &VerifyArgs) -> anyhow::Result<()> {
    let clients = match args.nodes.as_slice() {
        [] => vec![session.client()?],
        nodes => nodes
            .iter()
            .map(|node| client_of(session, node))
            .collect::<anyhow::Result<_>>()?,
    };
    let progress = Progress::spinner(&session.output, "reading the accounts");
    let comparison = compare(&clients)?;
    drop(progress);
    let findings: Vec<_> = clients
        .iter()
        .zip(&comparison.accounts)
        .map(|(client, accounts)| finding(client, accounts))
        .collect();
    let data = serde_json::json!({ "nodes": findings, "same": comparison.same, "totals": comparison.accounts[0].totals });
    session.output.data(&data, |output| {
        output.table(&totals_table(&comparison.accounts[0]))?;
        let mut table = Table::new(["NODE", ">HEIGHT", "ROOT", ">ACCOUNTS", "CONSERVATION"]);
        for finding in findings {
            let Finding {
                node,
                height,
                root,
                accounts,
                imbalance,
            } = finding;
            let holds = imbalance.unwrap_or_else(|| "holds".to_owned());
            table.row([node, height.to_string(), root, accounts.to_string(), holds]);
        }
        Ok(output.table(&table)?)
    })?;
    match (comparison.same, comparison.holds()) {
        (true, true) => Ok(()),
        (false, _) => Err(Found(
            "the nodes have different accounts at one height: their logs have diverged".into(),
        )
        .into()),
        (true, false) => Err(Found("the accounts do not add up".into()).into()),
    }
}

fn finding(client: &Client, accounts: &Accounts) -> Finding {
    Finding {
        node: client.base_url().to_owned(),
        height: accounts.height.get(),
        root: accounts.root.to_string(),
        accounts: accounts.items.len(),
        imbalance: imbalance(accounts),
    }
}

fn totals_table(accounts: &Accounts) -> Table {
    let totals = &accounts.totals;
    let mut table = Table::pairs();
    table.pair("granted", totals.supply.granted);
    table.pair("regenerated", totals.supply.regenerated);
    table.pair("burned", totals.supply.burned);
    table.pair("available", totals.available);
    table.pair("held", totals.held);
    table.pair("maturing", totals.maturing);
    table.pair("staked", totals.staked);
    table
}

fn client_of(session: &Session, node: &str) -> anyhow::Result<Client> {
    let (key, url) = match node.split_once('@') {
        Some((key, url)) if !key.contains('/') => (Some(key.to_owned()), url),
        _ => (session.settings.profile.api_key.clone(), node),
    };
    Client::new(ClientConfig {
        api_key: key,
        ..ClientConfig::new(url)
    })
    .map_err(|error| Usage::new(error.to_string()).into())
}
