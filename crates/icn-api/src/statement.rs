//! Statements of a line of credit: everything that both ends have signed, and the check of it that needs nobody's word.
use crate::credit::TransferEntry;
use icn_model::{Cid, Did, Head, LineId, PublicKey, Standing, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Everything that one end holds of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// In which federation.
    pub federation: Cid,
    /// Which line.
    pub line: LineId,
    /// Whose statement it is.
    pub of: Did,
    /// The other end.
    pub other: Did,
    /// When it was made, by the block time that its node had reached.
    pub time: Time,
    /// How much of what `of` owes has been cleared, minor units; below zero, of what it is owed.
    pub cleared: i64,
    /// What `of` owes, minor units; below zero, what it is owed.
    pub debt: i64,
    /// Transfers by which `of` owes more, in the order of their numbers.
    pub own: Vec<TransferEntry>,
    /// Transfers by which it is owed more.
    pub others: Vec<TransferEntry>,
}

/// What the check of a chain of transfers has found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Where the chain stands by what both have signed.
    pub head: Head,
    /// Transfers that both have signed.
    pub confirmed: usize,
    /// Those that are pending.
    pub pending: usize,
    /// Those that are void.
    pub void: usize,
    /// The keys that signed for the debtor. That they are its line keys is for the log to say.
    pub debtor_keys: BTreeSet<PublicKey>,
    /// The keys that signed for the creditor.
    pub creditor_keys: BTreeSet<PublicKey>,
}

/// Why a statement does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// It is of another line, federation or debtor.
    #[error("transfer {number} is of another line or debtor")]
    Foreign {
        /// Which transfer.
        number: u64,
    },
    /// Numbers do not rise.
    #[error("transfer {number} comes after one with a higher number")]
    Order {
        /// Which transfer.
        number: u64,
    },
    /// It does not follow the one before.
    #[error(
        "transfer {number} does not follow the last one before it that is not void: one is missing or was changed"
    )]
    Link {
        /// Which transfer.
        number: u64,
    },
    /// The sums are wrong.
    #[error("transfer {number} says that the chain adds up to {said}, and it adds up to {sum}")]
    Sum {
        /// Which transfer.
        number: u64,
        /// What it says.
        said: u64,
        /// What it is.
        sum: u64,
    },
    /// A signature does not hold.
    #[error("transfer {number}: {detail}")]
    Signature {
        /// Which transfer.
        number: u64,
        /// Whose.
        detail: String,
    },
    /// It counts as signed by both, and nothing shows that.
    #[error("no signature of the creditor covers transfer {number}, which counts as confirmed")]
    Uncovered {
        /// Which transfer.
        number: u64,
    },
    /// What is owed is not the difference of what both chains add up to.
    #[error("the statement says that {said} is owed, and its transfers say {sum}")]
    Debt {
        /// What it says.
        said: i64,
        /// What it is.
        sum: i128,
    },
}

impl Statement {
    /// Recomputes everything from what was signed: the chain of each direction, every signature, every sum, and what is
    /// owed. `anchored` are the heads that the log knows, own and other's: transfers up to them count as signed by both
    /// without the creditor's signature at hand.
    ///
    /// # Errors
    /// [`StatementError`] names the first thing that does not hold.
    pub fn check(&self, anchored: Option<[Head; 2]>) -> Result<[Checked; 2], StatementError> {
        let own = self.check_chain(&self.of, &self.own, anchored.map(|heads| heads[0]))?;
        let others = self.check_chain(&self.other, &self.others, anchored.map(|heads| heads[1]))?;
        let sum = i128::from(own.head.owed) - i128::from(others.head.owed) - i128::from(self.cleared);
        if sum != i128::from(self.debt) {
            return Err(StatementError::Debt { said: self.debt, sum });
        }
        Ok([own, others])
    }

    fn check_chain(
        &self,
        debtor: &Did,
        entries: &[TransferEntry],
        anchored: Option<Head>,
    ) -> Result<Checked, StatementError> {
        let origin = Head::origin(&self.federation, &self.line, debtor);
        let (mut tip, mut last) = (origin, 0);
        let mut checked = Checked {
            head: origin,
            confirmed: 0,
            pending: 0,
            void: 0,
            debtor_keys: BTreeSet::new(),
            creditor_keys: BTreeSet::new(),
        };
        // The first number that the log does not vouch for, of those that no countersignature has covered so far.
        let mut uncovered = None;
        for entry in entries {
            let transfer = &entry.transfer.content;
            let number = transfer.number;
            if transfer.federation != self.federation
                || transfer.line != self.line
                || transfer.debtor != *debtor
            {
                return Err(StatementError::Foreign { number });
            }
            if number <= last {
                return Err(StatementError::Order { number });
            }
            last = number;
            self.check_signatures(entry, &mut checked)?;
            if entry.standing == Standing::Void {
                checked.void += 1;
                continue;
            }
            if transfer.previous != tip.hash {
                return Err(StatementError::Link { number });
            }
            let sum = tip.owed.saturating_add(transfer.amount);
            if transfer.owed != sum {
                let said = transfer.owed;
                return Err(StatementError::Sum { number, said, sum });
            }
            tip = transfer.head();
            if entry.standing == Standing::Pending {
                checked.pending += 1;
                continue;
            }
            checked.confirmed += 1;
            checked.head = tip;
            let is_covered = entry.acceptance.is_some() || anchored == Some(tip);
            uncovered = match uncovered {
                _ if is_covered => None,
                None => Some(number),
                earlier => earlier,
            };
        }
        match uncovered {
            Some(number) => Err(StatementError::Uncovered { number }),
            None => Ok(checked),
        }
    }

    fn check_signatures(&self, entry: &TransferEntry, checked: &mut Checked) -> Result<(), StatementError> {
        let number = entry.transfer.content.number;
        let bad = |detail: String| StatementError::Signature { number, detail };
        let transfer = &entry.transfer.content;
        transfer.check().map_err(|error| bad(error.to_string()))?;
        entry
            .transfer
            .verify()
            .map_err(|_| bad("the debtor's signature does not hold".into()))?;
        checked.debtor_keys.insert(transfer.key);
        let Some(acceptance) = &entry.acceptance else {
            return Ok(());
        };
        if acceptance.content.transfer != transfer.hash() {
            return Err(bad("the countersignature is for another transfer".into()));
        }
        acceptance
            .verify()
            .map_err(|_| bad("the creditor's signature does not hold".into()))?;
        checked.creditor_keys.insert(acceptance.content.key);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use icn_model::{Acceptance, AgreementId, Digest, SecretKey, Signed, Transfer};

    fn key(byte: u8) -> SecretKey {
        SecretKey::from_seed(&[byte; 32])
    }

    fn line() -> LineId {
        LineId {
            agreement: AgreementId::new(Digest::of(b"agreement")),
            unit: "EUR.2".parse().unwrap(),
        }
    }

    fn statement() -> Statement {
        let (debtor, federation) = (Did::new(key(1).public()), Cid::of_raw(b"federation"));
        let other = Did::new(key(2).public());
        let mut tip = Head::origin(&federation, &line(), &debtor);
        let seen = Head::origin(&federation, &line(), &other);
        let mut own = Vec::new();
        for (number, amount, standing) in [
            (1, 100, Standing::Confirmed),
            (2, 50, Standing::Void),
            (3, 7, Standing::Confirmed),
            (4, 1, Standing::Pending),
        ] {
            let transfer = Transfer {
                federation,
                line: line(),
                debtor,
                number,
                previous: tip.hash,
                amount,
                owed: tip.owed + amount,
                seen,
                reference: Digest::of(&number.to_be_bytes()),
                memo: None,
                made: Time::new(number),
                key: key(1).public(),
            };
            if standing != Standing::Void {
                tip = transfer.head();
            }
            let transfer = Signed::new(transfer, &key(1));
            let accepted = Acceptance {
                transfer: transfer.content.hash(),
                key: key(2).public(),
            };
            // The countersignature of the third covers the first.
            let acceptance = (number == 3).then(|| Signed::new(accepted, &key(2)));
            own.push(TransferEntry {
                transfer,
                acceptance,
                standing,
            });
        }
        Statement {
            federation,
            line: line(),
            of: debtor,
            other,
            time: Time::new(9),
            cleared: 20,
            debt: 87,
            own,
            others: Vec::new(),
        }
    }

    #[test]
    fn a_statement_holds_by_its_signatures() {
        let [own, others] = statement().check(None).unwrap();
        assert_eq!(
            (own.confirmed, own.pending, own.void, own.head.owed),
            (2, 1, 1, 107)
        );
        assert_eq!(others.head.owed, 0);
    }

    #[test]
    fn what_was_changed_is_found() {
        type Change = fn(&mut Statement);
        let cases: [(&str, Change); 7] = [
            ("debt", |s| s.debt += 1),
            ("missing", |s| drop(s.own.remove(0))),
            ("order", |s| s.own.swap(0, 1)),
            ("amount", |s| s.own[0].transfer.content.amount += 1),
            ("another's signature", |s| {
                let content = s.own[2].transfer.content.clone();
                s.own[2].transfer = Signed {
                    content,
                    signature: s.own[0].transfer.signature,
                };
            }),
            ("no countersignature", |s| s.own[2].acceptance = None),
            ("another line", |s| s.line.unit = "EUR.3".parse().unwrap()),
        ];
        for (what, change) in cases {
            let mut changed = statement();
            change(&mut changed);
            assert!(changed.check(None).is_err(), "{what}");
        }
        let mut covered = statement();
        covered.own[2].acceptance = None;
        let (own, other) = (
            covered.own[2].transfer.content.head(),
            covered.own[0].transfer.content.seen,
        );
        assert!(covered.check(Some([own, other])).is_ok(), "the log has shown it");
    }
}
