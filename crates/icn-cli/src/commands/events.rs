//! What the log has brought about.
use crate::{
    format::{self, Names},
    output::Output,
    session::Session,
};
use clap::{Args, builder::PossibleValuesParser};
use icn_api::events::EventsQuery;
use icn_model::{Callee, Event, EventKind, EventRecord};

/// `events`
#[derive(Debug, Args)]
pub(crate) struct EventsArgs {
    /// Only events of this kind
    #[arg(long = "type", value_name = "KIND", value_parser = PossibleValuesParser::new(EventKind::ALL.map(EventKind::name)))]
    kind: Option<String>,
    /// The last so many
    #[arg(long, value_name = "N")]
    tail: Option<usize>,
    /// Only events after this number
    #[arg(long, value_name = "NUMBER", conflicts_with = "tail")]
    since: Option<u64>,
    /// At most so many, up to 1000
    #[arg(long, value_name = "N", conflicts_with = "follow")]
    limit: Option<usize>,
    /// Go on with new events as they come
    #[arg(long, short)]
    follow: bool,
}

pub(crate) fn run(session: &Session, args: &EventsArgs) -> anyhow::Result<()> {
    let kind = EventKind::ALL
        .into_iter()
        .find(|kind| Some(kind.name()) == args.kind.as_deref());
    let query = EventsQuery {
        kind,
        tail: args.tail,
        since: args.since,
        limit: args.limit,
    };
    let client = session.client()?;
    let names = if session.output.is_json() {
        Names::default()
    } else {
        session.names(&client)
    };
    if args.follow {
        for event in client.follow_events(query)? {
            print(&session.output, &event?, &names)?;
        }
        return Ok(());
    }
    let page = client.events(&query)?;
    for event in &page.items {
        print(&session.output, event, &names)?;
    }
    if let Some(next) = page.next.filter(|_| args.tail.is_none()) {
        session.output.say(format!("more: icn-cli events --since {next}"));
    }
    Ok(())
}

fn print(output: &Output, record: &EventRecord, names: &Names) -> anyhow::Result<()> {
    if output.is_json() {
        return output.json_line(record);
    }
    let EventRecord {
        number,
        height,
        time,
        event,
        ..
    } = record;
    let (height, kind) = (height.get(), event.kind().name());
    let text = described(event, names).replace(char::is_control, "\u{fffd}");
    Ok(output.line(format!(
        "{number:>6}  {}  {height:>6}  {kind:<12}  {text}",
        format::time(*time)
    ))?)
}

/// One line about an event.
fn described(event: &Event, names: &Names) -> String {
    let of = |did| names.of(did);
    match event {
        Event::Applied {
            applicant,
            kind,
            inviter,
        } => {
            format!(
                "{} applied for the seat of a {}, invited by {}",
                of(applicant),
                format!("{kind:?}").to_lowercase(),
                of(inviter)
            )
        }
        Event::Admitted { applicant } => format!("{} was admitted", of(applicant)),
        Event::SeatReady { seat } => format!("{} is ready for its seat", of(seat)),
        Event::Leaving { seat } => format!("{} gives up its seat", of(seat)),
        Event::Seated { seat, epoch } => format!("{} has a seat from epoch {epoch} on", of(seat)),
        Event::LogContinued {
            predecessor,
            height,
            gone,
        } => format!(
            "the log goes on after height {height} of {predecessor}, without {}",
            names.all(gone)
        ),
        Event::Left { seat, epoch } => format!("{} has no seat from epoch {epoch} on", of(seat)),
        Event::ApplicationLapsed { applicant } => format!("the application of {} lapsed", of(applicant)),
        Event::Forgotten { seat, burned } => format!("{} is no longer known, {burned} burned", of(seat)),
        Event::KeysRotated {
            seat,
            next_seat: None,
        } => format!("other keys act for {}", of(seat)),
        Event::KeysRotated {
            seat,
            next_seat: Some(key),
        } => format!(
            "other keys act for {}, and {key} has its seat with the next epoch",
            of(seat)
        ),
        Event::SeatKeyChanged { seat, key, epoch } => {
            format!("{key} has the seat of {} from epoch {epoch} on", of(seat))
        }
        Event::MemberKeyRotated { member, key } => format!("{key} acts for {}", of(member)),
        Event::Suspended { seat, until } => {
            format!("{} is suspended until {}", of(seat), format::time(*until))
        }
        Event::SuspensionEnded { seat } => format!("the suspension of {} is over", of(seat)),
        Event::Agreement(event) => format!(
            "{}: {}{}",
            event.agreement,
            event
                .party
                .map_or_else(String::new, |did| format!("{} ", names.of(&did))),
            super::agreement::step(&event.step, names)
        ),
        Event::Credit(event) => super::credit_event::described(event, names),
        Event::Clearing(event) => super::clearing_event::described(event, names),
        Event::Governance(event) => super::governance_event::described(event, names),
        Event::MemberAdded { member, cooperative } => format!("{} entered {}", of(member), of(cooperative)),
        Event::MemberRemoved {
            member,
            cooperative,
            returned,
        } => {
            format!("{} left {}, {returned} returned", of(member), of(cooperative))
        }
        Event::SeatsFixed { epoch, seats } => format!("epoch {epoch}: {}", names.all(seats)),
        Event::ManaGranted { to, amount } => format!("{amount} granted to {}", of(to)),
        Event::ManaShared { from, to, amount } => format!("{amount} from {} to {}", of(from), of(to)),
        Event::PayMatured {
            job,
            executor,
            amount,
        } => format!("{amount} of {} are spendable, for job {job}", of(executor)),
        Event::JobSubmitted { job, submitter, held } => {
            format!("{job} submitted by {}, {held} held", of(submitter))
        }
        Event::JobAwarded {
            job,
            attempt,
            executors,
        } => {
            format!("{job} awarded to {}, attempt {attempt}", names.all(executors))
        }
        Event::JobReceipt { job, executor, .. } => format!("{job} delivered by {}", of(executor)),
        Event::JobSettled {
            job,
            executors,
            paid,
            released,
        } => {
            format!(
                "{job} settled, {paid} to {}, {released} released",
                names.all(executors)
            )
        }
        Event::JobRetried { job, attempt, reason } => {
            format!("{job} retried after attempt {attempt}: {reason}")
        }
        Event::JobRolledBack {
            job,
            released,
            reason,
        } => format!("{job} rolled back, {released} released: {reason}"),
        Event::JobCancelled { job, released } => format!("{job} cancelled, {released} released"),
        Event::JobChallenged {
            job,
            challenger,
            jury,
        } => {
            format!(
                "{job} challenged by {}, replayed by {}",
                of(challenger),
                names.all(jury)
            )
        }
        Event::ChallengeFailed { job, stake } => format!("{job} stands, the challenger lost {stake}"),
        Event::JobDisproved {
            job,
            executor,
            forfeited,
        } => format!("{job} disproved, {} lost {forfeited}", of(executor)),
        Event::ChallengeLapsed { job } => format!("{job}: the challenge lapsed"),
        Event::Refused {
            operation,
            author,
            refusal,
        } => {
            let code = refusal.code();
            format!(
                "{operation} of {} refused: {refusal} ({} {})",
                of(author),
                code.number,
                code.name
            )
        }
        Event::Misbehaved {
            seat,
            epoch,
            view,
            fault,
            detail,
        } => format!(
            "{seat} in epoch {epoch}, view {view}: {detail} ({} {fault})",
            fault.code().number
        ),
        Event::CircuitOpened { callee } => {
            format!("{} fails: it is left alone for a while", called(callee))
        }
        Event::CircuitClosed { callee } => format!("{} answers again", called(callee)),
    }
}

fn called(callee: &Callee) -> String {
    match callee {
        Callee::Peer(key) => format!("the node of {key}"),
        Callee::FederationService => "the Federation Service".into(),
    }
}
