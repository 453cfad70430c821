//! The books, recomputed from every account and job.
use crate::{mana, state::State};
use alloc::{boxed::Box, collections::BTreeMap, string::String};
use icn_model::{AccountRecord, AgreementId, CreditUnit, Did, JobPhase, LineId, Mana, RoundNumber, Totals};

/// Books that do not balance: a fault of the program, never of an operation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    /// What came into being is not what is there.
    #[error("mana is not conserved: {issued} came into being, {found} is there or was burned: {totals:?}")]
    NotConserved {
        /// Granted and regenerated.
        issued: Mana,
        /// Available, held, maturing, staked and burned.
        found: Mana,
        /// Each of them.
        totals: Totals,
    },
    /// An end of a line owes more than was ever agreed.
    #[error("on line {line}, {end} owes {owes} by what was anchored, and never might owe more than {limit}")]
    OverLimit {
        /// Which line.
        line: Box<LineId>,
        /// Which end.
        end: Did,
        /// What it owes.
        owes: i128,
        /// The highest limit there was.
        limit: u64,
    },
    /// Clearing has changed somebody's net position.
    #[error("clearing has settled {settled} more of what {party} owed in {unit} than of what it was owed")]
    Unbalanced {
        /// Whose.
        party: Did,
        /// In which unit.
        unit: Box<CreditUnit>,
        /// By how much, minor units.
        settled: i128,
    },
    /// A round of clearing does not hold.
    #[error("round {round} of clearing does not hold: {detail}")]
    Round {
        /// Which.
        round: RoundNumber,
        /// What is wrong with it.
        detail: String,
    },
    /// What was cleared on a line is not what the last round says.
    #[error(
        "on line {line}, {recorded} had been settled after the last round that cleared on it, and is not"
    )]
    Settled {
        /// Which line.
        line: Box<LineId>,
        /// What the round says, minor units.
        recorded: i64,
    },
    /// Rows are not found where they are.
    #[error("the index of the table {table} is not what its rows make of one")]
    Index {
        /// Which table.
        table: &'static str,
    },
    /// An agreement does not know whether it is still needed for its lines.
    #[error("the agreement {agreement} says otherwise than its lines whether something is owed on them")]
    Owing {
        /// Which.
        agreement: AgreementId,
    },
    /// A part of an account is not what jobs and members make of it.
    #[error("account of {did}: {part} is {recorded}, but its {source_name} add up to {found}")]
    Part {
        /// Whose account.
        did: Did,
        /// Which part.
        part: String,
        /// What the account says.
        recorded: u64,
        /// Of what it should be the sum.
        source_name: &'static str,
        /// What they add up to.
        found: u64,
    },
}

/// What jobs and members say that an account should have.
#[derive(Default)]
struct Expected {
    held: u64,
    holds: u64,
    maturing: u64,
    staked: u64,
    shared: u64,
}

impl State {
    /// Adds up every account and compares with the supply, with jobs and with members, what is owed on every line
    /// with its limits, what was cleared with the rounds of clearing that are kept, and every index with its table. Reads
    /// the whole state.
    ///
    /// # Errors
    /// [`AuditError`] names the first sum that is off.
    pub fn audit(&self) -> Result<Totals, AuditError> {
        if let Some(table) = self.tables.wrong_index() {
            return Err(AuditError::Index { table });
        }
        self.audit_lines()?;
        self.audit_clearing()?;
        self.audit_agreements()?;
        let expected = self.expected_parts();
        let mut totals = Totals {
            supply: self.meta.supply,
            ..Totals::default()
        };
        for (did, account) in self.tables.accounts.iter() {
            check_account(*did, account, expected.get(did))?;
            totals.available = totals.available.saturating_add(account.available);
            totals.held = totals.held.saturating_add(account.held);
            totals.maturing = totals.maturing.saturating_add(account.maturing);
            totals.staked = totals.staked.saturating_add(account.staked);
        }
        if let Some((did, expected)) = expected
            .iter()
            .find(|(did, _)| !self.tables.accounts.contains(did))
        {
            check_account(*did, &AccountRecord::default(), Some(expected))?;
        }
        let supply = &totals.supply;
        let issued = supply.granted.saturating_add(supply.regenerated);
        let found = [totals.available, totals.held, totals.maturing, totals.staked]
            .into_iter()
            .fold(supply.burned, Mana::saturating_add);
        if issued == found {
            Ok(totals)
        } else {
            Err(AuditError::NotConserved {
                issued,
                found,
                totals,
            })
        }
    }

    fn audit_lines(&self) -> Result<(), AuditError> {
        for (line, record) in self.lines() {
            for (at, end) in record.ends.into_iter().enumerate() {
                let (owes, limit) = (record.debt(at), record.highest.of(at));
                if owes > i128::from(limit) {
                    return Err(AuditError::OverLimit {
                        line: Box::new(line),
                        end,
                        owes,
                        limit,
                    });
                }
            }
        }
        Ok(())
    }

    fn audit_agreements(&self) -> Result<(), AuditError> {
        for (id, agreement) in self.tables.agreements.iter() {
            let mut lines = self.tables.lines.of(id);
            if lines.any(|(_, line)| !line.is_even()) != agreement.owing {
                return Err(AuditError::Owing { agreement: *id });
            }
        }
        Ok(())
    }

    fn expected_parts(&self) -> BTreeMap<Did, Expected> {
        let mut parts: BTreeMap<Did, Expected> = BTreeMap::new();
        for (_, job) in self.tables.jobs.iter() {
            if job.phase.status().is_open() {
                let payer = parts.entry(job.payer).or_default();
                payer.held += job.held.milli();
                payer.holds += 1;
            }
            if let JobPhase::Settled { .. } | JobPhase::Challenged { .. } = job.phase {
                for paid in job.paid() {
                    parts.entry(paid.executor).or_default().maturing += paid.price.milli();
                }
            }
            if let (JobPhase::Challenged { .. }, Some(challenge)) = (&job.phase, &job.challenge) {
                parts.entry(challenge.challenger).or_default().staked += challenge.stake.milli();
            }
        }
        for (did, member) in self.tables.members.iter() {
            let balance = self.tables.accounts.get(did).map_or(Mana::ZERO, mana::balance);
            parts.entry(member.cooperative).or_default().shared += balance.milli();
        }
        parts
    }
}

fn check_account(did: Did, account: &AccountRecord, expected: Option<&Expected>) -> Result<(), AuditError> {
    let none = Expected::default();
    let expected = expected.unwrap_or(&none);
    let parts = [
        ("held", account.held.milli(), "open jobs", expected.held),
        ("holds", u64::from(account.holds), "open jobs", expected.holds),
        (
            "maturing",
            account.maturing.milli(),
            "settled jobs",
            expected.maturing,
        ),
        ("staked", account.staked.milli(), "challenges", expected.staked),
        ("shared", account.shared.milli(), "members", expected.shared),
    ];
    match parts
        .into_iter()
        .find(|(_, recorded, _, found)| recorded != found)
    {
        None => Ok(()),
        Some((part, recorded, source_name, found)) => Err(AuditError::Part {
            did,
            part: part.into(),
            recorded,
            source_name,
            found,
        }),
    }
}
