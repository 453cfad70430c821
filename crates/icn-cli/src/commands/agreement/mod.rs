//! Agreements between cooperatives: offered, signed, followed, ended.
mod say;
mod show;
mod terms;

pub(crate) use show::step;

use super::ids;
use crate::{global::Global, output::Output, parse, session::Session};
use clap::{Args, Subcommand};
use icn_api::{MAX_PAGE, agreements::AgreementsQuery, client::Client};
use icn_model::{AgreementId, AgreementKind, AgreementState};

/// `agreement`
#[derive(Debug, Subcommand)]
pub(crate) enum AgreementCommand {
    /// Offer an agreement to other cooperatives, and sign it; prints its id
    Propose(Box<terms::ProposeArgs>),
    /// Offer other terms: a counter-proposal, or an amendment of what is active. What no option names stays as it is
    Offer(Box<terms::OfferArgs>),
    /// List agreements
    Ls(LsArgs),
    /// Show an agreement: its terms, who has signed, what is due
    Show(IdArgs),
    /// Show everything that has happened to an agreement, and check that it is a chain
    History(IdArgs),
    #[command(flatten)]
    Say(say::SayCommand),
}

/// An agreement.
#[derive(Debug, Args)]
pub(crate) struct IdArgs {
    /// The agreement: its id, or the beginning or end of it
    id: String,
}

/// `agreement ls`
#[derive(Debug, Args)]
pub(crate) struct LsArgs {
    /// Only those in this state
    #[arg(long, value_name = "STATE", value_parser = parse::one_of::<AgreementState>(AgreementState::ALL.iter().map(|one| one.name())))]
    state: Option<AgreementState>,
    /// Only those of this kind
    #[arg(long, value_name = "KIND", value_parser = parse::one_of::<AgreementKind>(AgreementKind::ALL.iter().map(|one| one.name())))]
    kind: Option<AgreementKind>,
    /// Only those in which this cooperative takes part
    #[arg(long, value_name = "NAME")]
    party: Option<String>,
    /// Begin after this agreement
    #[arg(long, value_name = "ID")]
    after: Option<AgreementId>,
    /// At most so many, up to 1000
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
}

pub(crate) fn run(global: &Global, output: &Output, command: AgreementCommand) -> anyhow::Result<()> {
    let session = Session::new(global, output)?;
    match command {
        AgreementCommand::Propose(args) => terms::propose(&session, &args),
        AgreementCommand::Offer(args) => terms::offer(&session, &args),
        AgreementCommand::Ls(args) => show::ls(&session, &args),
        AgreementCommand::Show(args) => show::show(&session, &args.id),
        AgreementCommand::History(args) => show::history(&session, &args.id),
        AgreementCommand::Say(command) => say::say(&session, command),
    }
}

/// The agreement that `text` names.
pub(crate) fn find(client: &Client, text: &str) -> anyhow::Result<AgreementId> {
    ids::find(text, ("agreement", "icn-cli agreement ls"), || {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = client.agreements(&AgreementsQuery {
                after,
                limit: Some(MAX_PAGE),
                ..AgreementsQuery::default()
            })?;
            all.extend(page.items.iter().map(|agreement| agreement.id));
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(all),
            }
        }
    })
}
