//! `agreement ls`, `agreement show` and `agreement history`.
use super::{LsArgs, find};
use crate::{
    commands::contract::is_unprintable,
    format::{self, Names},
    session::Session,
    table::Table,
};
use icn_api::{
    MAX_PAGE,
    agreements::{AgreementView, AgreementsQuery, HistoryQuery, check_history},
    client::Client,
};
use icn_model::{
    AgreementEntry, AgreementId, AgreementState, AgreementStep, DisputeRule, Party, Terms, Time,
};
use serde::Serialize;

pub(super) fn ls(session: &Session, args: &LsArgs) -> anyhow::Result<()> {
    let client = session.client()?;
    let party = args
        .party
        .as_ref()
        .map(|name| session.resolve(&client, name))
        .transpose()?;
    let page = client.agreements(&AgreementsQuery {
        party,
        state: args.state,
        kind: args.kind,
        after: args.after,
        limit: Some(args.limit),
    })?;
    session.output.data(&page, |output| {
        let names = session.names(&client);
        let mut table = Table::new([
            "AGREEMENT",
            "KIND",
            "STATE",
            "SINCE",
            "PARTIES",
            "EXPIRES",
            "TITLE",
        ]);
        for agreement in &page.items {
            table.row([
                agreement.id.to_string(),
                agreement.kind.to_string(),
                agreement.state.to_string(),
                format::time(agreement.since),
                names.all(agreement.parties.iter().map(|party| &party.did)),
                moment(agreement.expires),
                agreement.title.as_str().to_owned(),
            ]);
        }
        output.table(&table)?;
        if let Some(next) = page.next {
            session
                .output
                .say(format!("more: icn-cli agreement ls --after {next}"));
        }
        Ok(())
    })
}

fn moment(time: Option<Time>) -> String {
    time.map_or_else(|| "-".to_owned(), format::time)
}

/// An agreement with its text.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    view: AgreementView,
    /// The text of what is in force or offered, if it can be had.
    words: Option<String>,
}

pub(super) fn show(session: &Session, text: &str) -> anyhow::Result<()> {
    let client = session.client()?;
    let id = find(&client, text)?;
    let view = client.agreement(&id)?;
    let text = view.record.terms().and_then(|terms| terms.text);
    let words = text.and_then(|cid| session.words(&client, &cid));
    let shown = Shown { view, words };
    session.output.data(&shown, |output| {
        let names = session.names(&client);
        let mut table = Table::pairs();
        for (name, value) in standing(&shown.view, &names) {
            table.row([name.to_owned(), value]);
        }
        output.table(&table)?;
        let record = &shown.view.record;
        let held = record
            .in_force
            .as_ref()
            .map(|held| ("in force", held.revision, &held.terms));
        let offered = record
            .offer
            .as_ref()
            .map(|offer| ("offered", offer.revision, &offer.terms));
        for (what, revision, content) in held.into_iter().chain(offered) {
            output.line("")?;
            output.line(format!("revision {revision}, {what}: {}", content.digest()))?;
            let mut table = Table::pairs();
            for (name, value) in terms(content, &names) {
                table.row([name.to_owned(), value]);
            }
            output.table(&table)?;
        }
        if let Some(words) = &shown.words {
            output.line("")?;
            output.line(words.replace(is_unprintable, "\u{fffd}").trim_end())?;
        }
        Ok(())
    })
}

/// Where an agreement stands.
fn standing(view: &AgreementView, names: &Names) -> Vec<(&'static str, String)> {
    let record = &view.record;
    let mut lines = vec![
        ("agreement", view.id.to_string()),
        ("proposed by", names.of(&record.proposer)),
        ("state", record.state.to_string()),
        ("since", format::time(record.since)),
    ];
    if let Some(ending) = record.ending {
        lines.push(("ended by", ending.to_string()));
    }
    if let Some(offer) = &record.offer {
        let open = offer.needed.iter().filter(|did| !offer.signed.contains(did));
        lines.push(("offered by", names.of(&offer.by)));
        lines.push(("signed by", names.all(&offer.signed)));
        lines.push(("to be signed by", names.all(open)));
    }
    for suspension in &record.suspensions {
        lines.push((
            "suspended by",
            format!("{}: {}", names.of(&suspension.by), suspension.reason),
        ));
    }
    if let Some(notice) = &record.notice {
        let text = format!("{}, ends {}", names.of(&notice.by), format::time(notice.ends));
        lines.push(("notice by", text));
    }
    if !record.end.is_empty() {
        lines.push(("would end it", names.all(&record.end)));
    }
    if let Some(claim) = &record.breach {
        let what = if claim.contested {
            "contested, the arbiter decides"
        } else {
            "can be contested"
        };
        let text = format!(
            "{} says {} broke it ({}): {what} until {}",
            names.of(&claim.by),
            names.of(&claim.against),
            claim.evidence,
            format::time(claim.until)
        );
        lines.push(("breach", text));
    }
    if let Some(held) = &record.in_force {
        lines.push(("in force since", format::time(held.since)));
        lines.push(("expires", moment(held.expires)));
    }
    if let Some(due) = view.due.filter(|_| record.state != AgreementState::Terminated) {
        lines.push(("due", format::time(due)));
    }
    lines
}

/// What terms say, line by line.
pub(super) fn terms(terms: &Terms, names: &Names) -> Vec<(&'static str, String)> {
    let party = |party: &Party| format!("{} ({})", names.of(&party.did), party.role);
    let parties: Vec<_> = terms.parties.iter().map(party).collect();
    let mut lines = vec![
        ("title", terms.title.as_str().to_owned()),
        ("kind", terms.kind.to_string()),
        ("parties", parties.join(", ")),
        (
            "effective",
            terms
                .effective
                .map_or_else(|| "as soon as all have signed".to_owned(), format::time),
        ),
        ("expires", moment(terms.expires)),
    ];
    if let Some(by) = terms.renews_by_ms {
        lines.push(("renews by", format::span(by)));
    }
    lines.push(("notice", format::span(terms.notice_ms)));
    let disputes = match terms.disputes {
        DisputeRule::Negotiation {} => "a contested claim falls".to_owned(),
        DisputeRule::Arbiter { did } => format!("{} decides a contested claim", names.of(&did)),
    };
    lines.push((
        "breach",
        format!(
            "to be contested within {}; {disputes}",
            format::span(terms.contest_ms)
        ),
    ));
    if let Some([proposer, counterparty]) = terms.ends() {
        for line in &terms.lines {
            let text = format!(
                "{}: {} may owe {}, {} may owe {}",
                line.unit,
                names.of(&proposer),
                line.unit.write(line.proposer_limit),
                names.of(&counterparty),
                line.unit.write(line.counterparty_limit)
            );
            lines.push(("credit", text));
        }
    }
    for rate in &terms.rates {
        let text = format!(
            "{} of {} are {} of {}, in minor units, rounded {}",
            rate.denominator, rate.from, rate.numerator, rate.to, rate.rounding
        );
        lines.push(("rate", text));
    }
    if let Some(text) = terms.text {
        lines.push(("text", text.to_string()));
    }
    lines
}

pub(super) fn history(session: &Session, text: &str) -> anyhow::Result<()> {
    let client = session.client()?;
    let id = find(&client, text)?;
    let entries = whole_history(&client, &id)?;
    session.output.data(&entries, |output| {
        let names = session.names(&client);
        let mut table = Table::new([">NO", "WHEN", "STATE", "BY", "STEP"]);
        for entry in &entries {
            table.row([
                entry.number.to_string(),
                format::time(entry.at),
                entry.state.to_string(),
                entry.party.map_or_else(|| "-".to_owned(), |did| names.of(&did)),
                step(&entry.step, &names).replace(char::is_control, "\u{fffd}"),
            ]);
        }
        Ok(output.table(&table)?)
    })?;
    session
        .output
        .say(format!("a chain of {} entries, complete", entries.len()));
    Ok(())
}

/// Every entry of a history, checked against the record that names its end.
fn whole_history(client: &Client, id: &AgreementId) -> anyhow::Result<Vec<AgreementEntry>> {
    let (mut entries, mut after) = (Vec::new(), None);
    loop {
        let query = HistoryQuery {
            after,
            limit: Some(MAX_PAGE),
        };
        let page = client.agreement_history(id, &query)?;
        entries.extend(page.items);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let record = client.agreement(id)?.record;
    // It may have gone on meanwhile.
    let upto = usize::try_from(record.entries).unwrap_or(usize::MAX);
    check_history(
        &record,
        entries.get(..upto.min(entries.len())).unwrap_or_default(),
    )?;
    Ok(entries)
}

/// A step in words.
pub(crate) fn step(step: &AgreementStep, names: &Names) -> String {
    match step {
        AgreementStep::Offered { revision, content } => format!("offered revision {revision}, {content}"),
        AgreementStep::Signed { revision, content } => format!("signed revision {revision}, {content}"),
        AgreementStep::TookEffect { revision } => format!("revision {revision} took effect"),
        AgreementStep::OfferEnded {
            revision,
            ending,
            reason,
        } => format!("revision {revision}: {ending}{}", because(reason.as_deref())),
        AgreementStep::Suspended { reason } => format!("suspended: {reason}"),
        AgreementStep::Resumed {} => "resumed".into(),
        AgreementStep::NoticeGiven { ends, reason } => {
            format!("gave notice, ends {}: {reason}", format::time(*ends))
        }
        AgreementStep::EndWanted {} => "would end it".into(),
        AgreementStep::BreachClaimed {
            against,
            evidence,
            until,
        } => format!(
            "claimed that {} broke it ({evidence}), to be contested until {}",
            names.of(against),
            format::time(*until)
        ),
        AgreementStep::BreachContested { reason } => format!("contested that: {reason}"),
        AgreementStep::BreachDismissed {} => "the claim of breach fell".into(),
        AgreementStep::Renewed { expires } => format!("renewed until {}", format::time(*expires)),
        AgreementStep::Ended { ending, reason } => format!("ended: {ending}{}", because(reason.as_deref())),
    }
}

fn because(reason: Option<&str>) -> String {
    reason.map_or_else(String::new, |reason| format!(" ({reason})"))
}
