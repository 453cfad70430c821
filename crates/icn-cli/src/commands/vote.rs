//! Voting, in the words of each method.
use super::proposal;
use crate::{failure::Usage, gather, session::Session};
use clap::{Args, Subcommand};
use icn_api::client::Client;
use icn_model::{Action, Choice, Did, Method, MethodKind};

/// `vote`
#[derive(Debug, Args)]
pub(crate) struct VoteArgs {
    /// The proposal: its id, or the beginning or end of it
    proposal: String,
    #[command(subcommand)]
    choice: ChoiceCommand,
}

/// What to say.
#[derive(Debug, Subcommand)]
enum ChoiceCommand {
    /// For it; consent to it
    Yes,
    /// Against it
    No,
    /// Take part without being for or against; stand aside
    Abstain,
    /// Block consent by a paramount objection
    Object {
        /// Why; everybody can read it
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Approve of options
    Approve {
        /// By name, or by number from 1
        #[arg(required = true)]
        options: Vec<String>,
    },
    /// Rank options, the best first; those not named come after all of them
    Rank {
        /// By name, or by number from 1
        #[arg(required = true)]
        options: Vec<String>,
    },
    /// Give options points; those not named get none
    Score {
        /// By name, or by number from 1
        #[arg(required = true, value_name = "OPTION=POINTS", value_parser = crate::parse::pair)]
        points: Vec<(String, String)>,
    },
}

pub(crate) fn run(session: &Session, args: &VoteArgs) -> anyhow::Result<()> {
    let client = session.client()?;
    let id = proposal::find(&client, &args.proposal)?;
    let method = session.once_known(|| client.proposal(&id))?.record.spec.method;
    let choice = args.choice.choice(&method)?;
    let signer = session.signer()?;
    let action = Action::Vote {
        proposal: id,
        choice: choice.clone(),
    };
    let done = session.submit_as(&client, &signer, &action)?;
    tell_of_officers(session, &client, &signer.did, "icn-cli proposal ballots");
    let data = serde_json::json!({ "id": done.id, "height": done.height, "proposal": id, "choice": choice });
    session.output.data(&data, |output| {
        Ok(output.line(format!("voted in block {}", done.height))?)
    })
}

/// A cooperative whose officers must agree has not spoken with the first of them; `shows` is what tells whether it has.
pub(super) fn tell_of_officers(session: &Session, client: &Client, did: &Did, shows: &str) {
    let Ok(members) = gather::seats(client) else {
        return;
    };
    let seat = members.seats.iter().find(|seat| seat.did == *did);
    if let Some(threshold) = seat.map(|seat| seat.record.keys.officers.threshold)
        && threshold > 1
    {
        session.output.say(format!(
            "it counts once {threshold} officers have said the same: {shows} shows whether they have"
        ));
    }
}

impl ChoiceCommand {
    fn choice(&self, method: &Method) -> anyhow::Result<Choice> {
        let all = |options: &[String]| {
            options
                .iter()
                .map(|text| place(method, text))
                .collect::<anyhow::Result<Vec<u8>>>()
        };
        let choice = match self {
            Self::Yes => Choice::Yes {},
            Self::No => Choice::No {},
            Self::Abstain => Choice::Abstain {},
            Self::Object { reason } => Choice::Object {
                reason: reason.clone(),
            },
            Self::Approve { options } => {
                let mut options = all(options)?;
                options.sort_unstable();
                Choice::Approve { options }
            }
            Self::Rank { options } => Choice::Rank {
                options: all(options)?,
            },
            Self::Score { points } => Choice::Score {
                points: scores(method, points)?,
            },
        };
        choice
            .check(method)
            .map_err(|error| Usage::new(format!("{error}: {}", way(method.kind()))))?;
        Ok(choice)
    }
}

/// How to vote by a method.
fn way(method: MethodKind) -> &'static str {
    match method {
        MethodKind::YesNo => "vote ID yes, no or abstain",
        MethodKind::Consent => "vote ID yes, abstain, or object --reason TEXT",
        MethodKind::Approval => "vote ID approve OPTION…, or abstain",
        MethodKind::Ranked => "vote ID rank OPTION…, or abstain",
        MethodKind::Score => "vote ID score OPTION=POINTS…, or abstain",
    }
}

/// The place of an option that is named, or numbered from 1.
fn place(method: &Method, text: &str) -> anyhow::Result<u8> {
    let options = method.options();
    let named = options.iter().position(|option| option.as_str() == text);
    let numbered = || {
        let number: usize = text.parse().ok()?;
        (1..=options.len()).contains(&number).then(|| number - 1)
    };
    let found = named.or_else(numbered).and_then(|at| u8::try_from(at).ok());
    let missing = || {
        let names: Vec<_> = options.iter().map(icn_model::Name::as_str).collect();
        let known = match names.is_empty() {
            true => way(method.kind()).to_owned(),
            false => format!("there are {}", names.join(", ")),
        };
        Usage::new(format!("no option is called {text:?}: {known}"))
    };
    Ok(found.ok_or_else(missing)?)
}

fn scores(method: &Method, given: &[(String, String)]) -> anyhow::Result<Vec<u8>> {
    let mut points = vec![None; method.options().len()];
    for (option, text) in given {
        let at = usize::from(place(method, option)?);
        let number: u8 = text
            .parse()
            .map_err(|_| Usage::new(format!("{option}={text}: points are a number from 0 to 255")))?;
        if points[at].replace(number).is_some() {
            return Err(Usage::new(format!("{option} is given points twice")).into());
        }
    }
    Ok(points.into_iter().map(Option::unwrap_or_default).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(command: &ChoiceCommand, method: &Method) -> Result<Choice, String> {
        command.choice(method).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn options_are_named_or_numbered() {
        let options: Vec<icn_model::Name> = ["apples", "2", "plums"].map(|name| name.parse().unwrap()).into();
        let ranked = Method::Ranked {
            options: options.clone(),
        };
        let rank = |texts: &[&str]| ChoiceCommand::Rank {
            options: texts.iter().map(|text| (*text).to_owned()).collect(),
        };
        assert_eq!(
            choice(&rank(&["plums", "1"]), &ranked),
            Ok(Choice::Rank { options: vec![2, 0] })
        );
        // A name wins over a number.
        assert_eq!(
            choice(&rank(&["2"]), &ranked),
            Ok(Choice::Rank { options: vec![1] })
        );
        for texts in [&["pears"][..], &["0"], &["4"], &["plums", "3"]] {
            assert!(choice(&rank(texts), &ranked).is_err(), "{texts:?}");
        }
        let approve = ChoiceCommand::Approve {
            options: vec!["plums".into(), "apples".into()],
        };
        assert_eq!(
            choice(
                &approve,
                &Method::Approval {
                    options: options.clone()
                }
            ),
            Ok(Choice::Approve { options: vec![0, 2] })
        );
        let score = Method::Score { options, max: 5 };
        let give = |points: &[(&str, &str)]| ChoiceCommand::Score {
            points: points
                .iter()
                .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
                .collect(),
        };
        assert_eq!(
            choice(&give(&[("plums", "5"), ("apples", "1")]), &score),
            Ok(Choice::Score {
                points: vec![1, 0, 5]
            })
        );
        for points in [
            &[("plums", "6")][..],
            &[("plums", "x")],
            &[("plums", "1"), ("3", "2")],
        ] {
            assert!(choice(&give(points), &score).is_err(), "{points:?}");
        }
    }

    #[test]
    fn who_votes_by_another_method_is_told_how() {
        let error = choice(&ChoiceCommand::No, &Method::Consent {}).unwrap_err();
        assert!(error.contains("object --reason"), "{error}");
        let error = choice(
            &ChoiceCommand::Rank {
                options: vec!["a".into()],
            },
            &Method::YesNo {},
        )
        .unwrap_err();
        assert!(error.contains("yes, no or abstain"), "{error}");
    }
}
