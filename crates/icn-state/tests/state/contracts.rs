//! Contracts of tests: a word for each policy, instead of a language.
//!
//! `contract NAME; SLOT ANSWER; …`, where an answer is `yes`, `no`, a number (whole mana, or votes), `double` (of
//! the federation's rate), `earned` (twice the rate for who earned anything in the last period), `refuses`,
//! `tells` (refuses with the question) or `fails`. `imports CID` names another contract.
use icn_model::{Cid, Mana, PolicyAnswer, PolicyFailure, PolicyQuestion, PolicySlot};
use icn_state::{Examined, Policies, Texts};

pub(crate) struct Words;

fn lines(source: &str) -> impl Iterator<Item = (&str, &str)> {
    source.split(';').filter_map(|line| line.trim().split_once(' '))
}

impl Policies for Words {
    fn examine(&self, source: &str, texts: &dyn Texts) -> Result<Examined, String> {
        let (name, rules): (Vec<_>, Vec<_>) = lines(source).partition(|(word, _)| *word == "contract");
        let [(_, name)] = name[..] else {
            return Err("1:1: a contract begins with its name".into());
        };
        let mut examined = Examined {
            name: name.into(),
            slots: Vec::new(),
            imports: Vec::new(),
        };
        for (word, rest) in rules {
            if word == "imports" {
                let cid: Cid = rest.parse().map_err(|_| "1:1: not a content id")?;
                texts.text(&cid).ok_or("1:1: the module is not in the log")?;
                examined.imports.push(cid);
            } else {
                examined.slots.push(
                    word.parse::<PolicySlot>()
                        .map_err(|error| format!("1:1: {error}"))?,
                );
            }
        }
        Ok(examined)
    }

    fn ask(
        &self,
        contract: &Cid,
        texts: &dyn Texts,
        question: &PolicyQuestion,
    ) -> Result<PolicyAnswer, PolicyFailure> {
        let source = texts.text(contract).expect("a contract in force is in the log");
        let slot = question.slot();
        let answer = lines(source)
            .find(|(word, _)| *word == slot.name())
            .expect("it has a policy")
            .1;
        let base = |factor: u64| match question {
            PolicyQuestion::ManaRate(mana) => PolicyAnswer::Mana(mana.base_rate.checked_mul(factor).unwrap()),
            PolicyQuestion::ManaCapacity(mana) => {
                PolicyAnswer::Mana(mana.base_capacity.checked_mul(factor).unwrap())
            }
            _ => panic!("only of mana"),
        };
        match (answer, question) {
            ("yes", _) => Ok(PolicyAnswer::Is(true)),
            ("no", _) => Ok(PolicyAnswer::Is(false)),
            ("double", _) => Ok(base(2)),
            ("earned", PolicyQuestion::ManaRate(mana)) => {
                Ok(base(if mana.activity.earned > Mana::ZERO { 2 } else { 1 }))
            }
            ("fails", _) => Err(PolicyFailure::Fault {
                detail: "overflow at 1:1".into(),
            }),
            ("tells", _) => Err(PolicyFailure::Refused {
                reason: format!("{question:?}"),
            }),
            ("refuses", _) => Err(PolicyFailure::Refused {
                reason: "not today".into(),
            }),
            (number, PolicyQuestion::VoteWeight(_)) => Ok(PolicyAnswer::Count(number.parse().unwrap())),
            (number, _) => Ok(PolicyAnswer::Mana(number.parse().unwrap())),
        }
    }
}
