//! What parties say of agreements.
use super::{IdArgs, find, show};
use crate::{commands::vote, failure::Usage, session::Session};
use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use icn_api::client::Client;
use icn_model::{Action, AgreementAct, AgreementId, Cid, Codec, Digest, limits};
use std::{fs::File, io::Read as _, path::Path};

/// What a party can say.
#[derive(Debug, Subcommand)]
pub(crate) enum SayCommand {
    /// Sign what is offered; shows it first
    Sign(SignArgs),
    /// Take back your own offer
    Withdraw(ReasonArgs),
    /// Turn down another's offer
    Reject(ReasonArgs),
    /// Let an active agreement rest
    Suspend(ReasonArgs),
    /// Let it go on, if you suspended it
    Resume(IdArgs),
    /// Give notice: it ends when the notice period is over
    Notice(ReasonArgs),
    /// Agree to end it at once; it ends when all who signed have said so
    End(IdArgs),
    /// Claim that a party broke it; unless that is contested in time, it ends
    Breach(BreachArgs),
    /// Contest the claim against you
    Contest(ReasonArgs),
    /// Decide a contested claim, as the arbiter that the terms name
    Rule(RuleArgs),
}

/// An agreement, and why.
#[derive(Debug, Args)]
pub(crate) struct ReasonArgs {
    #[command(flatten)]
    agreement: IdArgs,
    /// Why; everybody in the federation can read it
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// `agreement sign`
#[derive(Debug, Args)]
pub(crate) struct SignArgs {
    #[command(flatten)]
    agreement: IdArgs,
    /// Sign only if what is offered has this digest, as `agreement show` told it
    #[arg(long, value_name = "DIGEST")]
    content: Option<Digest>,
}

/// `agreement breach`
#[derive(Debug, Args)]
pub(crate) struct BreachArgs {
    #[command(flatten)]
    agreement: IdArgs,
    /// Who broke it
    #[arg(long, value_name = "NAME")]
    against: String,
    /// What shows it: the id of a block, or a file that becomes one
    #[arg(long, value_name = "CID|FILE")]
    evidence: String,
}

/// `agreement rule`
#[derive(Debug, Args)]
pub(crate) struct RuleArgs {
    #[command(flatten)]
    agreement: IdArgs,
    /// Whether the agreement was broken
    #[arg(value_enum)]
    ruling: Ruling,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Ruling {
    /// It was: it ends
    Upheld,
    /// It was not: it goes on
    Dismissed,
}

pub(super) fn say(session: &Session, command: SayCommand) -> anyhow::Result<()> {
    let client = session.client()?;
    let (agreement, act, done) = match command {
        SayCommand::Sign(args) => return sign(session, &client, &args),
        SayCommand::Withdraw(ReasonArgs { agreement, reason }) => {
            (agreement, AgreementAct::Withdraw { reason }, "withdrawn")
        }
        SayCommand::Reject(ReasonArgs { agreement, reason }) => {
            (agreement, AgreementAct::Reject { reason }, "turned down")
        }
        SayCommand::Suspend(ReasonArgs { agreement, reason }) => {
            (agreement, AgreementAct::Suspend { reason }, "suspended")
        }
        SayCommand::Notice(ReasonArgs { agreement, reason }) => {
            (agreement, AgreementAct::GiveNotice { reason }, "notice given")
        }
        SayCommand::Contest(ReasonArgs { agreement, reason }) => {
            (agreement, AgreementAct::ContestBreach { reason }, "contested")
        }
        SayCommand::Resume(agreement) => (agreement, AgreementAct::Resume {}, "resumed"),
        SayCommand::End(agreement) => (agreement, AgreementAct::ConsentToEnd {}, "agreed to end it"),
        SayCommand::Rule(RuleArgs { agreement, ruling }) => {
            let upheld = matches!(ruling, Ruling::Upheld);
            (agreement, AgreementAct::Rule { upheld }, "decided")
        }
        SayCommand::Breach(args) => {
            let against = session.resolve(&client, &args.against)?;
            let evidence = evidence(&client, &args.evidence)?;
            let act = AgreementAct::ClaimBreach { against, evidence };
            (args.agreement, act, "claimed")
        }
    };
    let id = find(&client, &agreement.id)?;
    tell(session, &client, id, act, done)
}

fn sign(session: &Session, client: &Client, args: &SignArgs) -> anyhow::Result<()> {
    let id = find(client, &args.agreement.id)?;
    let view = session.once_known(|| client.agreement(&id))?;
    let Some(offer) = &view.record.offer else {
        return Err(Usage::new(format!(
            "nothing is offered in agreement {id}: `icn-cli agreement show {id}` shows where it stands"
        ))
        .into());
    };
    // What is signed is what these terms hash to, whatever the node says that they do.
    let (revision, content) = (offer.revision, offer.terms.digest());
    if let Some(expected) = args.content
        && expected != content
    {
        return Err(Usage::new(format!(
            "what is offered now has the digest {content}: read it (`icn-cli agreement show {id}`) and sign that"
        ))
        .into());
    }
    let names = session.names(client);
    for (name, value) in show::terms(&offer.terms, &names) {
        session.output.say(format!("{name}: {value}"));
    }
    let act = AgreementAct::Sign { revision, content };
    tell(session, client, id, act, "signed")
}

/// Hands an act in, and says where the agreement stands after it.
pub(super) fn tell(
    session: &Session,
    client: &Client,
    id: AgreementId,
    act: AgreementAct,
    what: &str,
) -> anyhow::Result<()> {
    let signer = session.signer()?;
    // The node may not have heard of it yet, and would refuse what it does not know.
    session.once_known(|| client.agreement(&id))?;
    let action = Action::Agreement {
        agreement: id,
        act: Box::new(act),
    };
    let done = session.submit_as(client, &signer, &action)?;
    vote::tell_of_officers(session, client, &signer.did, "icn-cli agreement history");
    let state = client.agreement(&id)?.record.state;
    let data = serde_json::json!({ "id": done.id, "height": done.height, "agreement": id, "state": state });
    session.output.data(&data, |output| {
        Ok(output.line(format!("{what} in block {}: {state}", done.height))?)
    })
}

/// The block that `text` names, or the one that a file becomes.
fn evidence(client: &Client, text: &str) -> anyhow::Result<Cid> {
    if let Ok(cid) = text.parse() {
        return Ok(cid);
    }
    let mut bytes = Vec::new();
    let most = limits::MAX_DAG_BLOCK_BYTES as u64 + 1;
    File::open(Path::new(text))
        .and_then(|file| file.take(most).read_to_end(&mut bytes))
        .with_context(|| format!("{text:?} is neither the id of a block nor a file that can be read"))?;
    if bytes.len() > limits::MAX_DAG_BLOCK_BYTES {
        return Err(Usage::new(format!(
            "{text} is larger than a block: put it with `icn-cli dag put` and name its id"
        ))
        .into());
    }
    Ok(client.put_block(Codec::Raw, &bytes)?)
}
