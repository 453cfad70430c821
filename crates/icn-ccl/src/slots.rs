//! Questions of the log as inputs of contracts, and results of contracts as answers: where the nouns of
//! `icn-model` meet the table of [`interface`](crate::interface).
//!
//! The names differ by a hyphen: the slot `mana-rate` of the log is `mana_rate` in contracts.
use crate::{
    interface::{PROPOSAL_KINDS, Slot},
    value::{Value, natural},
};
use icn_model::{
    AdmissionQuestion, BidQuestion, Mana, ManaQuestion, PolicyAnswer, PolicyQuestion, PolicySlot,
    PriceQuestion, ProposalKind, VoteQuestion,
};

/// The slot of the log that contracts call `name`.
pub fn named(name: &str) -> Option<PolicySlot> {
    PolicySlot::ALL
        .iter()
        .copied()
        .find(|slot| same_name(slot.name(), name))
}

/// What contracts call a slot of the log.
pub fn interface_of(slot: PolicySlot) -> Option<&'static Slot> {
    crate::interface::SLOTS
        .iter()
        .find(|known| same_name(slot.name(), known.name))
}

/// Whether a name of the log and a name of contracts are one.
fn same_name(log: &str, contract: &str) -> bool {
    let hyphens = contract
        .bytes()
        .map(|byte| if byte == b'_' { b'-' } else { byte });
    log.bytes().eq(hyphens)
}

/// The input of a policy for a question. `roles` are the roles that a voter has; other questions have none.
pub fn input(question: &PolicyQuestion, roles: &[&str]) -> Value {
    match question {
        PolicyQuestion::ManaRate(question) | PolicyQuestion::ManaCapacity(question) => mana(question),
        PolicyQuestion::BidEligibility(question) => bid(question),
        PolicyQuestion::PriceCeiling(question) => price(question),
        PolicyQuestion::VoteEligibility(question) | PolicyQuestion::VoteWeight(question) => {
            vote(question, roles)
        }
        PolicyQuestion::Admission(question) => admission(question),
    }
}

fn mana(question: &ManaQuestion) -> Value {
    let activity = question.activity;
    Value::record(vec![
        question.cooperative.into(),
        question.now.into(),
        question.member_for.into(),
        question.balance.into(),
        question.base_rate.into(),
        question.base_capacity.into(),
        question.period.into(),
        natural(activity.jobs_executed),
        natural(activity.jobs_submitted),
        natural(activity.jobs_failed),
        activity.earned.into(),
        activity.spent.into(),
    ])
}

fn bid(question: &BidQuestion) -> Value {
    Value::record(vec![
        question.bidder.into(),
        question.submitter.into(),
        question.now.into(),
        question.price.into(),
        question.max_price.into(),
        natural(question.jobs_executed),
        natural(question.jobs_failed),
        natural(question.fault_points.into()),
        question.bidder_member_for.into(),
    ])
}

fn price(question: &PriceQuestion) -> Value {
    Value::record(vec![
        question.submitter.into(),
        question.now.into(),
        question.cpu.into(),
        natural(question.memory_bytes),
        natural(question.output_bytes),
        natural(question.replicas.into()),
        question.balance.into(),
        question.average_price.into(),
    ])
}

fn vote(question: &VoteQuestion, roles: &[&str]) -> Value {
    Value::record(vec![
        question.voter.into(),
        question.cooperative.into(),
        roles.to_vec().into(),
        question.now.into(),
        question.member_for.into(),
        natural(question.members),
        kind(question.kind),
        question.proposer.into(),
    ])
}

fn admission(question: &AdmissionQuestion) -> Value {
    Value::record(vec![
        question.applicant.into(),
        question.sponsors.clone().into(),
        question.now.into(),
        question.applied_for.into(),
        natural(question.seats),
        natural(question.witnesses),
        question.left_before.into(),
    ])
}

/// The input of the rule of a role, for the voter whom a question is about. `roles` are those that the voter
/// is known to have so far.
pub fn role_input(question: &VoteQuestion, roles: &[&str]) -> Value {
    Value::record(vec![
        question.voter.into(),
        question.cooperative.into(),
        roles.to_vec().into(),
        question.now.into(),
        question.member_for.into(),
        natural(question.votes_cast),
        natural(question.votes_missed),
    ])
}

/// The variant of `ProposalKind`.
fn kind(kind: ProposalKind) -> Value {
    let place = (0..)
        .zip(PROPOSAL_KINDS)
        .find(|(_, known)| same_name(kind.name(), known.name))
        .map(|(place, _)| place)
        .expect("a test holds the kinds of the log against those of the interface");
    Value::variant(place, Vec::new())
}

/// What a result of the policy for `slot` answers; none where it is of another type, or the log has no such
/// question yet.
pub fn answer(slot: PolicySlot, result: &Value) -> Option<PolicyAnswer> {
    match slot {
        PolicySlot::BidEligibility | PolicySlot::VoteEligibility | PolicySlot::Admission => {
            result.as_bool().map(PolicyAnswer::Is)
        }
        PolicySlot::ManaRate | PolicySlot::ManaCapacity | PolicySlot::PriceCeiling => {
            let milli = u64::try_from(result.as_number()?).ok()?;
            Some(PolicyAnswer::Mana(Mana::from_milli(milli)))
        }
        PolicySlot::VoteWeight => result.as_number().map(PolicyAnswer::Count),
        PolicySlot::CreditLimit => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        interface::{ELECTORATES, FieldType, INPUTS, METHODS, ROLE_INPUT, SLOTS, types},
        limits::MAX_INPUT_BYTES,
        value::encode,
    };
    use icn_model::{Activity, Did, Electorate, MethodKind, Millis, PublicKey, Time};

    fn did(byte: u8) -> Did {
        Did::new(PublicKey::new([byte; 32]))
    }

    fn vote_question() -> VoteQuestion {
        VoteQuestion {
            voter: did(1),
            cooperative: did(2),
            now: Time::new(3),
            member_for: Millis::new(4),
            members: 5,
            kind: ProposalKind::Budget,
            proposer: did(6),
            votes_cast: 7,
            votes_missed: 8,
        }
    }

    fn questions() -> [PolicyQuestion; 7] {
        let mana = ManaQuestion {
            cooperative: did(1),
            now: Time::new(2),
            member_for: Millis::new(3),
            balance: Mana::from_milli(4),
            base_rate: Mana::from_milli(5),
            base_capacity: Mana::from_milli(6),
            period: Millis::new(7),
            activity: Activity {
                jobs_executed: 8,
                jobs_submitted: 9,
                jobs_failed: 10,
                earned: Mana::from_milli(11),
                spent: Mana::from_milli(12),
            },
        };
        let bid = BidQuestion {
            bidder: did(1),
            submitter: did(2),
            now: Time::new(3),
            price: Mana::from_milli(4),
            max_price: Mana::from_milli(5),
            jobs_executed: 6,
            jobs_failed: 7,
            fault_points: 8,
            bidder_member_for: Millis::new(9),
        };
        let price = PriceQuestion {
            submitter: did(1),
            now: Time::new(2),
            cpu: Millis::new(3),
            memory_bytes: 4,
            output_bytes: 5,
            replicas: 6,
            balance: Mana::from_milli(7),
            average_price: Some(Mana::from_milli(8)),
        };
        let admission = AdmissionQuestion {
            applicant: did(1),
            sponsors: vec![did(2)],
            now: Time::new(3),
            applied_for: Millis::new(4),
            seats: 5,
            witnesses: 6,
            left_before: true,
        };
        [
            PolicyQuestion::ManaRate(mana),
            PolicyQuestion::ManaCapacity(mana),
            PolicyQuestion::BidEligibility(bid),
            PolicyQuestion::PriceCeiling(price),
            PolicyQuestion::VoteEligibility(vote_question()),
            PolicyQuestion::VoteWeight(vote_question()),
            PolicyQuestion::Admission(admission),
        ]
    }

    /// The fields by name, as the questions above number them from 1: the order is that of the log's nouns.
    fn fields(value: &Value, input: usize) -> Vec<(&'static str, Value)> {
        let Value::Record(values) = value else {
            panic!("inputs are records")
        };
        assert_eq!(values.len(), INPUTS[input].fields.len());
        let names = INPUTS[input].fields.iter().map(|field| field.name);
        names.zip(values.iter().cloned()).collect()
    }

    #[test]
    fn slots_are_the_logs() {
        let log: Vec<_> = PolicySlot::ALL
            .iter()
            .map(|slot| slot.name().replace('-', "_"))
            .collect();
        assert_eq!(log, SLOTS.iter().map(|slot| slot.name).collect::<Vec<_>>());
        for slot in PolicySlot::ALL {
            let known = interface_of(*slot).expect("it is in the table");
            assert_eq!(named(known.name), Some(*slot));
            let sample = match known.result {
                FieldType::Bool => Value::Bool(true),
                _ => Value::Number(1),
            };
            // Every slot but the one of which nothing is asked yet takes its type, and no other.
            assert_eq!(answer(*slot, &sample).is_some(), *slot != PolicySlot::CreditLimit);
            assert_eq!(answer(*slot, &Value::Unit), None);
        }
        assert_eq!(answer(PolicySlot::ManaRate, &Value::Number(-1)), None);
    }

    #[test]
    fn kinds_electorates_and_methods_are_the_logs() {
        let kinds: Vec<_> = ProposalKind::ALL
            .iter()
            .map(|kind| (kind.name().replace('-', "_"), kind.is_built_in(), kind.binds()))
            .collect();
        let known: Vec<_> = PROPOSAL_KINDS
            .iter()
            .map(|kind| (kind.name.to_owned(), kind.built_in, kind.effect.is_some()))
            .collect();
        assert_eq!(kinds, known);
        for (place, of_log) in (0..).zip(ProposalKind::ALL) {
            assert_eq!(kind(*of_log), Value::variant(place, Vec::new()));
        }
        let names = |table: &[(&str, &str)]| {
            let mut names: Vec<_> = table.iter().map(|(name, _)| name.replace('_', "-")).collect();
            names.sort();
            names
        };
        let mut electorates: Vec<_> = Electorate::ALL.iter().map(|one| one.name()).collect();
        electorates.sort_unstable();
        assert_eq!(electorates, names(ELECTORATES));
        let mut methods: Vec<_> = MethodKind::ALL.iter().map(|one| one.name()).collect();
        methods.sort_unstable();
        assert_eq!(methods, names(METHODS));
    }

    #[test]
    fn inputs_have_the_fields_of_the_interface() {
        for question in questions() {
            let slot = interface_of(question.slot()).expect("it is in the table");
            let value = input(&question, &["member"]);
            assert!(encode(types(), &slot.input_type(), &value, MAX_INPUT_BYTES).is_ok());
            // The samples count from one, so that two fields that are swapped show.
            let mut number = 0;
            for (name, value) in fields(&value, slot.input) {
                if name == "roles" {
                    assert_eq!(value, vec!["member"].into());
                    continue;
                }
                number += 1;
                let byte = u8::try_from(number).expect("there are few");
                let expected = match &value {
                    Value::Text(_) => did(byte).into(),
                    Value::List(_) => vec![did(byte)].into(),
                    Value::Option(_) => Some(Mana::from_milli(number)).into(),
                    Value::Variant(..) => {
                        number -= 1;
                        kind(ProposalKind::Budget)
                    }
                    Value::Bool(_) => true.into(),
                    _ => natural(number),
                };
                assert_eq!(value, expected, "{} {name}", slot.name);
            }
        }
        let value = role_input(&vote_question(), &["member"]);
        let of_roles = fields(&value, ROLE_INPUT);
        let expected: [(_, Value); 7] = [
            ("subject", did(1).into()),
            ("cooperative", did(2).into()),
            ("roles", vec!["member"].into()),
            ("now", natural(3)),
            ("member_for", natural(4)),
            ("votes_cast", natural(7)),
            ("votes_missed", natural(8)),
        ];
        assert_eq!(of_roles, expected);
        assert!(
            encode(
                types(),
                &crate::interface::input_type(ROLE_INPUT),
                &value,
                MAX_INPUT_BYTES
            )
            .is_ok()
        );
    }
}
