//! What users agree on with other cooperatives: agreements that are offered, signed, amended, suspended and ended.
use crate::workload::Workload;
use icn_model::{
    Action, AgreementAct, AgreementId, AgreementKind, AgreementRecord, AgreementState, Cid, Did, DisputeRule,
    LineTerms, Millis, Name, Party, PartyRole, Terms,
};
use rand::RngExt as _;

/// Agreements that are not looked at any more, once there are so many.
const REMEMBERED: usize = 64;

impl Workload {
    /// Somebody offers an agreement, or says something of one of its own.
    pub(crate) fn bargain(&mut self, node: usize) {
        // One cooperative alone has nobody to agree with.
        if self.dids.len() < 2 {
            return;
        }
        let Some(running) = self.roster.node(node) else {
            return;
        };
        let me = self.dids[node];
        let own: Vec<(AgreementId, AgreementRecord)> = running.ledger().read(|state| {
            let open = state.agreements_of(&me).filter(|(_, one)| !one.has_ended());
            open.take(REMEMBERED)
                .map(|(id, one)| (*id, one.clone()))
                .collect()
        });
        let action = if own.is_empty() || self.rng.random_range(0..6) == 0 {
            Action::ProposeAgreement {
                terms: Box::new(self.terms(node)),
            }
        } else {
            let (agreement, record) = &own[self.rng.random_range(0..own.len())];
            let Some(act) = self.agreement_act(me, record) else {
                return;
            };
            Action::Agreement {
                agreement: *agreement,
                act: Box::new(act),
            }
        };
        self.speak(node, action);
    }

    /// Credit that nothing ends by itself.
    pub(crate) fn credit_terms(&mut self, node: usize, other: usize) -> Terms {
        Terms {
            kind: AgreementKind::Credit,
            expires: None,
            lines: vec![credit()],
            ..self.terms_with(node, other)
        }
    }

    fn terms(&mut self, node: usize) -> Terms {
        let other = (node + self.rng.random_range(1..self.dids.len())) % self.dids.len();
        self.terms_with(node, other)
    }

    fn terms_with(&mut self, node: usize, other: usize) -> Terms {
        let party = |at: usize, role| Party {
            did: self.dids[at],
            role,
        };
        let parties = vec![
            party(node, PartyRole::Proposer),
            party(other, PartyRole::Counterparty),
        ];
        let is_credit = self.rng.random_bool(0.5);
        let now = self.now();
        let expires = self
            .rng
            .random_bool(0.3)
            .then(|| now.after(Millis::from_secs(self.rng.random_range(20..120))));
        Terms {
            kind: if is_credit {
                AgreementKind::Credit
            } else {
                AgreementKind::Trade
            },
            title: title(self.rng.random_range(0..9)),
            parties,
            effective: None,
            expires,
            renews_by_ms: None,
            notice_ms: Millis::from_secs(self.rng.random_range(0..20)),
            contest_ms: Millis::from_secs(self.rng.random_range(2..20)),
            disputes: DisputeRule::Negotiation {},
            lines: is_credit.then(credit).into_iter().collect(),
            rates: Vec::new(),
            text: None,
        }
    }

    /// What a party might say of an agreement as it stands.
    fn agreement_act(&mut self, me: Did, record: &AgreementRecord) -> Option<AgreementAct> {
        let reason = || "so it is".to_owned();
        if let Some(offer) = &record.offer
            && offer.needed.contains(&me)
            && !offer.signed.contains(&me)
        {
            return Some(match self.rng.random_range(0..8) {
                0 => AgreementAct::Reject { reason: reason() },
                _ => AgreementAct::Sign {
                    revision: offer.revision,
                    content: offer.terms.digest(),
                },
            });
        }
        let terms = record.terms()?;
        let other = terms.signatories().find(|did| *did != me)?;
        if let Some(claim) = &record.breach
            && claim.against == me
        {
            return Some(AgreementAct::ContestBreach { reason: reason() });
        }
        Some(match (record.state, self.rng.random_range(0..10)) {
            (AgreementState::Active, 0..3) => AgreementAct::Suspend { reason: reason() },
            (AgreementState::Active, 3..6) => AgreementAct::Offer {
                revision: record.revisions + 1,
                terms: Terms {
                    title: title(self.rng.random_range(9..99)),
                    ..terms.clone()
                },
            },
            (AgreementState::Suspended, 0..6) => AgreementAct::Resume {},
            (AgreementState::Active | AgreementState::Suspended, 6) => {
                AgreementAct::GiveNotice { reason: reason() }
            }
            (AgreementState::Active | AgreementState::Suspended, 7) => AgreementAct::ClaimBreach {
                against: other,
                evidence: Cid::of_raw(b"what happened"),
            },
            (AgreementState::Active | AgreementState::Suspended, 8) => AgreementAct::ConsentToEnd {},
            _ => return None,
        })
    }
}

fn credit() -> LineTerms {
    LineTerms {
        unit: "EUR.2".parse().expect("a unit is a unit"),
        proposer_limit: 100_000,
        counterparty_limit: 50_000,
    }
}

fn title(number: u32) -> Name {
    format!("agreement {number}").parse().expect("a word is a name")
}
