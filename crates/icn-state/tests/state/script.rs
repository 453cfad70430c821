//! Scenarios as aligned tables: one line is one block.
//!
//! ```text
//! t=2  award J1 by=A bids=B:6,C:8     -> ok              | J1 running, B maturing 0
//! ```
//!
//! `t` is in seconds from the start, or `t+1` from the last block; amounts are whole mana, decimals allowed.
//! After the arrow stands `ok` or the name of the refusal, after the bar what must hold then:
//! `NAME PART AMOUNT` for a part of an account, `JOB STATUS` for a job or proposal, `NAME reputation N`, `supply
//! PART AMOUNT`. What is said of proposals is in `voting`. A job's executors run it so that `out=` is what comes out, or `exit=` how it fails.
use crate::world::{START, World, did, forged, key, outcome, parameters};
use icn_model::{
    Action, ExitStatus, JobId, Mana, Millis, Parameters, ProposalId, SeatKind, Signed, SignedOperation,
    Verdict,
};
use std::collections::BTreeMap;

pub(crate) struct Script {
    pub(crate) world: World,
    pub(crate) jobs: BTreeMap<String, JobId>,
    pub(crate) proposals: BTreeMap<String, ProposalId>,
}

/// Runs a table among cooperatives of these names, with the parameters of tests.
pub(crate) fn run(names: &[&str], table: &str) -> Script {
    run_with(names, parameters(), table)
}

pub(crate) fn run_with(names: &[&str], parameters: Parameters, table: &str) -> Script {
    let mut script = Script {
        world: World::new(names, parameters),
        jobs: BTreeMap::new(),
        proposals: BTreeMap::new(),
    };
    script.run(table);
    script.world.check_replay();
    script
}

pub(crate) struct Line<'a> {
    words: Vec<&'a str>,
    options: BTreeMap<&'a str, &'a str>,
}

impl<'a> Line<'a> {
    pub(crate) fn word(&self, at: usize) -> &'a str {
        self.words[at]
    }

    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        self.options.get(name).copied()
    }

    fn by(&self) -> &'a str {
        self.get("by").expect("by=NAME")
    }

    pub(crate) fn list(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.get(name)
            .into_iter()
            .flat_map(|list| list.split(','))
            .filter(|item| !item.is_empty())
    }
}

pub(crate) fn mana(text: &str) -> Mana {
    text.parse().unwrap_or_else(|_| panic!("{text} is no amount"))
}

fn exit(text: &str) -> ExitStatus {
    match text {
        "wall-clock" => ExitStatus::WallClock,
        "host" => ExitStatus::HostFailure("disk full".into()),
        "trap" => ExitStatus::Trap("unreachable".into()),
        code => ExitStatus::Code(code.parse().unwrap()),
    }
}

impl Script {
    pub(crate) fn run(&mut self, table: &str) {
        for line in table
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
        {
            let (step, checks) = line.split_once('|').unwrap_or((line, ""));
            let (what, result) = step.split_once("->").unwrap_or((step, "ok"));
            self.run_line(line, what, result.trim());
            for check in checks.split(',').map(str::trim).filter(|check| !check.is_empty()) {
                self.check(line, check);
            }
        }
    }

    fn run_line(&mut self, whole: &str, what: &str, expected: &str) {
        let mut words = what.split_whitespace();
        let at = words.next().unwrap();
        let time = match at.split_once('+') {
            Some(("t", seconds)) => self.world.state.time().after(seconds_of(seconds)),
            _ => START.after(seconds_of(at.strip_prefix("t=").expect("a line begins with t="))),
        };
        let mut line = Line {
            words: Vec::new(),
            options: BTreeMap::new(),
        };
        for word in words {
            match word.split_once('=') {
                Some((name, value)) => drop(line.options.insert(name, value)),
                None => line.words.push(word),
            }
        }
        let operation = match line.word(0) {
            "tick" => None,
            "epoch" => {
                self.world.end_epoch();
                return;
            }
            // Until what is voted on is counted; until what is accepted is carried out, too.
            "close" => return self.tick([21, 1]),
            "enact" => return self.tick([21, 1, 11, 1]),
            _ => Some(self.operation(&line)),
        };
        let outcome = self.world.apply(time, operation.clone().into_iter().collect());
        let Some(operation) = operation else { return };
        match line.word(0) {
            "submit" => drop(self.jobs.insert(line.word(1).into(), operation.id().into())),
            "propose" => drop(self.proposals.insert(line.word(1).into(), operation.id().into())),
            "join" => drop(self.proposals.insert(line.by().into(), operation.id().into())),
            _ => {}
        }
        let result = match &outcome.results[0] {
            Ok(()) => "ok",
            Err(refusal) => refusal.code().name,
        };
        assert_eq!(result, expected, "in: {whole}\n{:?}", outcome.results[0]);
    }

    fn tick<const N: usize>(&mut self, pauses: [u64; N]) {
        for pause in pauses {
            let time = self.world.state.time().after(Millis::from_secs(pause));
            self.world.apply(time, Vec::new());
        }
    }

    fn operation(&mut self, line: &Line<'_>) -> SignedOperation {
        let action = self.action(line);
        let author = line.by();
        let signer = line.get("key").unwrap_or(author);
        self.world.operation_with(author, signer, action)
    }

    fn action(&mut self, line: &Line<'_>) -> Action {
        let verb = line.word(0);
        match verb {
            "submit" => self.submit(line),
            "award" => self.award(line),
            "receipt" => self.receipt(line),
            "return" => Action::ReturnJob {
                job: self.job(line),
                attempt: self.attempt(line),
            },
            "cancel" => Action::CancelJob { job: self.job(line) },
            "challenge" => Action::ChallengeJob { job: self.job(line) },
            "verdict" => {
                let text = line.get("out").unwrap();
                let outcome = (text != "none").then(|| outcome(text, ExitStatus::Code(0)).digest());
                let job = self.job(line);
                Action::PostVerdict {
                    verdict: Verdict { job, outcome },
                }
            }
            "share" => Action::ShareMana {
                to: did(line.get("to").unwrap()),
                amount: mana(line.get("amount").unwrap()),
            },
            "add" => Action::AddMember {
                member: did(line.word(1)),
            },
            "strike" => Action::RemoveMember {
                member: did(line.word(1)),
            },
            "join" => {
                let kind = match line.get("as") {
                    Some("witness") => SeatKind::Witness,
                    _ => SeatKind::Cooperative,
                };
                let nonce = line
                    .get("nonce")
                    .map_or(self.world.log.len() as u64, |nonce| nonce.parse().unwrap());
                let invitation = self.world.invitation(line.get("invited").unwrap(), kind, nonce);
                self.world.join(line.by(), invitation)
            }
            "ready" => Action::Ready {},
            "leave" => Action::Leave {},
            _ => self.governance(line),
        }
    }

    fn job(&self, line: &Line<'_>) -> JobId {
        *self
            .jobs
            .get(line.word(1))
            .unwrap_or_else(|| panic!("no job {}", line.word(1)))
    }

    fn attempt(&self, line: &Line<'_>) -> u32 {
        let current = self.world.state.job(&self.job(line)).map_or(0, |job| job.attempt);
        line.get("attempt")
            .map_or(current, |attempt| attempt.parse().unwrap())
    }

    fn submit(&self, line: &Line<'_>) -> Action {
        let mut spec = self.world.spec(0);
        spec.max_mana = mana(line.get("max").unwrap());
        if let Some(replicas) = line.get("k") {
            spec.replicas = replicas.parse().unwrap();
        }
        if let Some(deadline) = line.get("deadline") {
            spec.deadline = START.after(seconds_of(deadline));
        }
        spec.coordinator = line.get("coordinator").map(did);
        spec.require.cooperatives = line.list("only").map(did).collect();
        if let Some(least) = line.get("reputation") {
            spec.require.min_reputation = least.parse().unwrap();
        }
        Action::SubmitJob { spec: Box::new(spec) }
    }

    fn award(&self, line: &Line<'_>) -> Action {
        let job = self.job(line);
        let bids = line.list("bids").map(|bid| {
            let (executor, price) = bid.split_once(':').expect("EXECUTOR:PRICE");
            let mut offer = self.world.bid(job, executor, 0);
            offer.price = mana(price);
            Signed::new(offer, &key(executor))
        });
        Action::AwardJob {
            job,
            attempt: self.attempt(line),
            bids: bids.collect(),
            excluded: Vec::new(),
        }
    }

    fn receipt(&self, line: &Line<'_>) -> Action {
        let ended = line.get("exit").map_or(ExitStatus::Code(0), exit);
        let came_out = outcome(line.get("out").unwrap_or("x"), ended);
        let mut receipt = self.world.receipt(self.job(line), line.by(), came_out);
        receipt.attempt = self.attempt(line);
        Action::PostReceipt {
            receipt: Box::new(forged(receipt, line.by())),
        }
    }

    pub(crate) fn check(&self, line: &str, check: &str) {
        let words: Vec<&str> = check.split_whitespace().collect();
        let state = &self.world.state;
        let found = match words.as_slice() {
            [name, "reputation", _] => state.reputation(&did(name), state.time()).to_string(),
            ["supply", part, _] => {
                let supply = state.supply();
                text(match *part {
                    "granted" => supply.granted,
                    "regenerated" => supply.regenerated,
                    "burned" => supply.burned,
                    _ => panic!("no part {part}"),
                })
            }
            [name, "phase", _] => {
                let record = state.seat_record(&did(name));
                record.map_or("unknown", |seat| seat.phase.name()).to_string()
            }
            [proposal, _] if self.proposals.contains_key(*proposal) => {
                let record = state.proposal(&self.proposals[*proposal]);
                record.map_or("unknown".into(), |one| one.phase.status().to_string())
            }
            [job, _] => {
                let record = self.jobs.get(*job).and_then(|id| state.job(id));
                record.map_or("unknown".into(), |job| job.phase.status().to_string())
            }
            [name, "rate", _] => state
                .own_rate(&did(name))
                .map_or("none".into(), |own| text(own.rate_per_hour)),
            ["parameter", name, _] => state.parameters().get(name.parse().unwrap()).to_string(),
            [name, part, _] => {
                let account = state.account(&did(name), state.time()).unwrap_or_default();
                match *part {
                    "available" => text(account.available),
                    "held" => text(account.held),
                    "maturing" => text(account.maturing),
                    "staked" => text(account.staked),
                    "shared" => text(account.shared),
                    "holds" => account.holds.to_string(),
                    _ => panic!("no part {part}"),
                }
            }
            _ => panic!("no check {check}"),
        };
        assert_eq!(found, *words.last().unwrap(), "{check}, after: {line}");
    }
}

/// Whole mana without needless decimals.
fn text(amount: Mana) -> String {
    let text = amount.to_string();
    let number = text.trim_end_matches(" mana");
    number.trim_end_matches('0').trim_end_matches('.').to_string()
}

/// Seconds with at most three decimals are read like mana, which has thousandths, too.
pub(crate) fn seconds_of(text: &str) -> Millis {
    let millis = match text.strip_suffix('d') {
        Some(days) => mana(days).milli() * 86_400,
        None => mana(text).milli(),
    };
    Millis::new(millis)
}
