//! Membership: invite, join, approve, leave, members.
use super::{
    found::{self, CreateArgs},
    recover::{self, RecoverCommand},
    rotate,
};
use crate::{
    failure::Usage,
    format::{self, Names},
    gather,
    global::Global,
    output::Output,
    parse,
    session::{Done, Session, Signer},
    table::Table,
};
use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use icn_api::{
    InvitationFile,
    client::Client,
    federation::{Applicant, Application, JoinRequest, Members, SeatView},
    operations::NextOperation,
};
use icn_model::{
    Action, Choice, Did, Invitation, Millis, Name, Officers, PublicKey, RoleKeys, SeatKind, SeatPhase,
    Sequence, Signed, limits,
};
use std::{
    io::{BufRead as _, IsTerminal as _},
    path::{Path, PathBuf},
};

/// `federation`
#[derive(Debug, Subcommand)]
pub(crate) enum FederationCommand {
    /// Write the genesis file from which several cooperatives start one federation
    Create(CreateArgs),
    /// Write an invitation file with which one node can apply for a seat
    Invite(InviteArgs),
    /// Apply for a seat with an invitation, signed with the applicant's first key
    ///
    /// A node that was started with --invitation applies by itself, with its one key in every role. This is
    /// for applicants whose officers have keys of their own.
    Join(JoinArgs),
    /// Vote for admitting an applicant, as an officer
    Approve {
        /// The applicant, by name or identity
        applicant: String,
    },
    /// Give up this node's seat at the end of the epoch
    Leave {
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// List cooperatives, witnesses, applicants and members
    Members,
    /// Enter a member of your cooperative, as an officer
    AddMember {
        /// The member's identity
        member: Did,
    },
    /// Put another key in the place of one that a member has lost, as an officer
    ///
    /// The member makes a key and proves that it has it: icn-cli key prove @NEW --for DID > proof.json
    ReplaceMemberKey {
        /// The proof
        proof: PathBuf,
    },
    /// Go on without seats that are lost for good, when there is no quorum any more
    #[command(subcommand)]
    Recover(RecoverCommand),
    /// Strike a member of your cooperative, as an officer; its mana returns
    RemoveMember {
        /// The member's identity
        member: Did,
    },
}

/// `federation invite`
#[derive(Debug, Args)]
pub(crate) struct InviteArgs {
    /// For what kind of seat
    #[arg(long, value_enum, default_value_t = Kind::Cooperative)]
    kind: Kind,
    /// How long the invitation holds
    #[arg(long, value_name = "SPAN", value_parser = parse::span, default_value = "7d")]
    expires: Millis,
    /// Where the federation's nodes are reached, as multiaddrs; what this node knows if none is named
    #[arg(long = "address", value_name = "MULTIADDR")]
    addresses: Vec<String>,
    /// The file to write; it must not exist yet
    #[arg(long, short, value_name = "FILE", default_value = "invitation.json")]
    output: PathBuf,
}

/// `federation join`
#[derive(Debug, Args)]
pub(crate) struct JoinArgs {
    /// The invitation file
    invitation: PathBuf,
    /// What the applicant is called; a waiting node knows a name of its own
    #[arg(long)]
    name: Option<Name>,
    /// The node's key, if it is not the identity's first
    #[arg(long, value_name = "KEY")]
    seat: Option<PublicKey>,
    /// A key that speaks for the cooperative, several times if there are several; the first key if none is named
    #[arg(long = "officer", value_name = "KEY")]
    officers: Vec<PublicKey>,
    /// How many officers must agree
    #[arg(long, default_value_t = 1)]
    threshold: u8,
    /// The key that replaces lost ones; the first key if not named
    #[arg(long, value_name = "KEY")]
    recovery: Option<PublicKey>,
}

/// Kinds of seats on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Orders blocks, votes, has an account
    Cooperative,
    /// Orders blocks only
    Witness,
}

pub(crate) fn run(global: &Global, output: &Output, command: FederationCommand) -> anyhow::Result<()> {
    let session = || Session::new(global, output);
    match command {
        FederationCommand::Create(args) => found::create(output, args),
        FederationCommand::Invite(args) => invite(&session()?, args),
        FederationCommand::Join(args) => join(&session()?, args),
        FederationCommand::Approve { applicant } => approve(&session()?, &applicant),
        FederationCommand::Leave { yes } => leave(&session()?, yes),
        FederationCommand::Members => members(&session()?),
        FederationCommand::AddMember { member } => act(&session()?, &Action::AddMember { member }, "entered"),
        FederationCommand::ReplaceMemberKey { proof } => rotate::replace_member_key(&session()?, &proof),
        FederationCommand::Recover(command) => recover::run(output, session, command),
        FederationCommand::RemoveMember { member } => {
            act(&session()?, &Action::RemoveMember { member }, "struck")
        }
    }
}

/// Signs, hands in and tells.
fn act(session: &Session, action: &Action, what: &str) -> anyhow::Result<()> {
    let done = session.submit(&session.client()?, action)?;
    tell(session, &done, what)
}

fn tell(session: &Session, done: &Done, what: &str) -> anyhow::Result<()> {
    session.output.data(done, |output| {
        Ok(output.line(format!("{what} in block {}", done.height))?)
    })
}

fn invite(session: &Session, args: InviteArgs) -> anyhow::Result<()> {
    if args.expires > limits::MAX_INVITATION_SPAN {
        let max = format::span(limits::MAX_INVITATION_SPAN);
        return Err(Usage::new(format!("an invitation holds at most {max}")).into());
    }
    let signer = session.signer()?;
    let client = session.client()?;
    let federation = client.federation()?;
    let genesis = client.genesis()?.genesis;
    let addresses = if args.addresses.is_empty() {
        federation.addresses
    } else {
        args.addresses
    };
    if addresses.is_empty() {
        return Err(
            Usage::new("this node knows no address that others can reach: name one with --address").into(),
        );
    }
    let mut nonce = [0; 8];
    getrandom::fill(&mut nonce).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    let content = Invitation {
        federation: federation.id,
        log: genesis.log(),
        kind: match args.kind {
            Kind::Cooperative => SeatKind::Cooperative,
            Kind::Witness => SeatKind::Witness,
        },
        inviter: signer.did,
        key: signer.key.public(),
        nonce: u64::from_le_bytes(nonce),
        expires: federation.time.after(args.expires),
        checkpoint: federation.checkpoint,
        addresses: addresses.into_iter().take(limits::MAX_ADDRESSES).collect(),
    };
    warn_of_a_stranger(session, &client, &signer);
    let expires = content.expires;
    let file = InvitationFile {
        genesis,
        invitation: Signed::new(content, &signer.key),
    };
    file.check()?;
    found::write_new_json(&args.output, &file)?;
    session.output.say(format!(
        "wrote {}: it lets one node apply until {}; it starts with icn-node --invitation {0}",
        args.output.display(),
        format::time(expires),
    ));
    let id = file.invitation.content.id();
    session
        .output
        .data(&serde_json::json!({ "id": id, "expires": expires }), |output| {
            Ok(output.line(id.to_string())?)
        })
}

/// An invitation counts only if an officer signs it; better to hear of it now than from the applicant.
fn warn_of_a_stranger(session: &Session, client: &Client, signer: &Signer) {
    let Ok(members) = gather::seats(client) else {
        return;
    };
    let officers = super::node::seat(&members, &signer.did).map(|seat| &seat.keys.officers.keys);
    if !officers.is_some_and(|keys| keys.contains(&signer.key.public())) {
        session.output.insist(format!(
            "warning: {} is not an officer's key of {}",
            signer.key.public(),
            signer.did
        ));
    }
}

fn read_invitation(path: &Path) -> anyhow::Result<InvitationFile> {
    let text =
        std::fs::read(path).with_context(|| format!("cannot read the invitation {}", path.display()))?;
    let file: InvitationFile = serde_json::from_slice(&text)
        .with_context(|| format!("{} is not an invitation file", path.display()))?;
    file.check().with_context(|| path.display().to_string())?;
    Ok(file)
}

fn join(session: &Session, args: JoinArgs) -> anyhow::Result<()> {
    let file = read_invitation(&args.invitation)?;
    let client = session.client()?;
    let officers = (!args.officers.is_empty() || args.threshold != 1).then(|| Officers {
        threshold: args.threshold,
        keys: args.officers.clone(),
    });
    let applicant = Applicant {
        name: args.name,
        officers,
        recovery: args.recovery,
    };
    if client.info()?.federation.is_none() {
        if args.seat.is_some() {
            return Err(Usage::new("a waiting node applies with its own key: leave --seat out").into());
        }
        let joining = client.join(&JoinRequest::new(file, applicant))?;
        return session.output.data(&joining, |output| {
            output.say(format!(
                "the node applies to {}: it waits for {}",
                joining.federation.name, joining.waits_for
            ));
            Ok(output.line(joining.federation.id.to_string())?)
        });
    }
    let name = applicant.name.clone().ok_or_else(|| {
        Usage::new("the node is in a federation: to apply through it for somebody else, say --name")
    })?;
    let signer = session.signer()?;
    let first = signer.key.public();
    let own = RoleKeys {
        seat: args.seat.unwrap_or(first),
        ..RoleKeys::single(first)
    };
    let (name, keys) = applicant
        .or(&name, &own)
        .map_err(|error| Usage::new(error.to_string()))?;
    let federation = file.invitation.content.federation;
    let next: NextOperation = client.next_operation(first)?;
    if next.federation != federation {
        let there = next.federation;
        return Err(Usage::new(format!(
            "the invitation is for federation {federation}, the node is in {there}"
        ))
        .into());
    }
    if next.sequence > Sequence::new(1) {
        session
            .output
            .say("note: this key has signed operations of this federation before");
    }
    let action = Action::Join {
        invitation: file.invitation,
        name,
        keys,
    };
    let done = session.submit_as(&client, &signer, &action)?;
    session
        .output
        .say("applied: the cooperatives vote on it now (icn-cli federation approve)");
    tell(session, &done, "applied")
}

fn approve(session: &Session, applicant: &str) -> anyhow::Result<()> {
    let client = session.client()?;
    let applicant = session.resolve(&client, applicant)?;
    let members = gather::seats(&client)?;
    let Some(application) = members.application(&applicant) else {
        return Err(anyhow::anyhow!(
            "no vote on {applicant} is open: `icn-cli federation members` shows who has applied, and `icn-cli proposal \
             create admit` proposes again to admit somebody"
        ));
    };
    let vote = Action::Vote {
        proposal: application.proposal,
        choice: Choice::Yes {},
    };
    let done = session.submit(&client, &vote)?;
    let members = gather::seats(&client)?;
    if let Some(seat) = super::node::seat(&members, &applicant) {
        let now = phase(&seat.phase, members.application(&applicant));
        session.output.say(format!("{} is {now}", seat.name));
    }
    tell(session, &done, "voted for it")
}

fn leave(session: &Session, yes: bool) -> anyhow::Result<()> {
    let signer = session.signer()?;
    if !yes
        && !confirmed(&format!(
            "give up the seat of {} at the end of the epoch?",
            signer.did
        ))?
    {
        anyhow::bail!("not done");
    }
    let client = session.client()?;
    let done = session.submit_as(&client, &signer, &Action::Leave {})?;
    tell(session, &done, "leaving, agreed")
}

fn confirmed(question: &str) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Err(Usage::new("there is nobody to ask: say --yes").into());
    }
    eprint!("{question} [y/N] ");
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn phase(phase: &SeatPhase, vote: Option<&Application>) -> String {
    match phase {
        SeatPhase::Applied { until } => {
            let vote = vote.map_or_else(
                || "no vote on it is open".into(),
                |vote| format!("{} of {} cooperatives have voted", vote.voted, vote.on_roll),
            );
            format!("applied, {vote}, until {}", format::time(*until))
        }
        SeatPhase::Suspended { until } => format!("suspended until {}", format::time(*until)),
        SeatPhase::Admitted { until } => format!("admitted, must be ready by {}", format::time(*until)),
        other => other.name().to_owned(),
    }
}

fn members(session: &Session) -> anyhow::Result<()> {
    let client = session.client()?;
    let members = gather::members(&client)?;
    session.output.data(&members, |output| {
        output.table(&seats_table(&members))?;
        let names = Names::new(&members);
        let mut table = Table::new(["MEMBER", "OF", "SINCE"]);
        for member in &members.members {
            let record = &member.record;
            table.row([
                member.did.to_string(),
                names.of(&record.cooperative),
                format::time(record.since),
            ]);
        }
        if !members.members.is_empty() {
            output.table(&table)?;
        }
        Ok(())
    })
}

fn seats_table(members: &Members) -> Table {
    let mut table = Table::new(["NAME", "KIND", "PHASE", "OFFICERS", "SEAT KEY", "IDENTITY"]);
    for SeatView { did, record } in &members.seats {
        let officers = &record.keys.officers;
        table.row([
            record.name.to_string(),
            format!("{:?}", record.kind).to_lowercase(),
            phase(&record.phase, members.application(did)),
            format!("{} of {}", officers.threshold, officers.keys.len()),
            record.keys.seat.to_string(),
            did.to_string(),
        ]);
    }
    table
}
