//! `agreement propose` and `agreement offer`: terms from options.
use super::{IdArgs, find, say};
use crate::{
    commands::proposal,
    failure::Usage,
    parse::{self, When},
    session::Session,
};
use clap::Args;
use icn_api::client::Client;
use icn_model::{
    Action, AgreementAct, AgreementId, AgreementKind, Codec, CreditUnit, Did, DisputeRule, LineTerms, Millis,
    Name, Party, PartyRole, RateTerms, Rounding, Terms, Time,
};
use std::path::PathBuf;

/// Time to contest a claim of breach, if nobody says otherwise.
const CONTEST: Millis = Millis::from_secs(7 * 24 * 3_600);
/// Notice, if nobody says otherwise.
const NOTICE: Millis = Millis::from_secs(30 * 24 * 3_600);

/// `agreement propose`
#[derive(Debug, Args)]
pub(crate) struct ProposeArgs {
    /// What it is about
    #[arg(value_parser = parse::one_of::<AgreementKind>(AgreementKind::ALL.iter().map(|one| one.name())))]
    kind: AgreementKind,
    #[command(flatten)]
    options: TermsArgs,
}

/// `agreement offer`
#[derive(Debug, Args)]
pub(crate) struct OfferArgs {
    #[command(flatten)]
    agreement: IdArgs,
    #[command(flatten)]
    options: TermsArgs,
}

/// What terms say.
#[derive(Debug, Args)]
struct TermsArgs {
    /// What it is called
    #[arg(long, value_name = "TITLE")]
    title: Option<Name>,
    /// Who agrees with you; several where it is not about credit
    #[arg(long, value_name = "NAME")]
    with: Vec<String>,
    /// Who stands in for another party, and signs, too
    #[arg(long, value_name = "NAME")]
    guarantor: Vec<String>,
    /// Who is told, and need not sign
    #[arg(long, value_name = "NAME")]
    witness: Vec<String>,
    /// From when on it holds: a day like 2027-03-01, or so long from now; else as soon as all have signed
    #[arg(long, value_name = "WHEN", value_parser = parse::when)]
    effective: Option<When>,
    /// Until when: a day, or so long from now
    #[arg(long, value_name = "WHEN", value_parser = parse::when)]
    expires: Option<When>,
    /// By how much it goes on each time it expires
    #[arg(long, value_name = "SPAN", value_parser = parse::span)]
    renews: Option<Millis>,
    /// Time between a notice and the end; 30d if left out
    #[arg(long, value_name = "SPAN", value_parser = parse::span)]
    notice: Option<Millis>,
    /// Time to contest a claim of breach; 7d if left out
    #[arg(long, value_name = "SPAN", value_parser = parse::span)]
    contest: Option<Millis>,
    /// A cooperative that decides contested claims; without one they fall
    #[arg(long, value_name = "NAME")]
    arbiter: Option<String>,
    /// Credit in a unit: the most that you, the proposer, may owe, and the most that the other may, like EUR.2=1000/500
    #[arg(long, value_name = "UNIT=LIMIT/LIMIT", value_parser = line)]
    credit: Vec<LineTerms>,
    /// What a unit is worth in another, in their minor units, like HOUR.0:EUR.2=2500/1:half-even
    #[arg(long, value_name = "FROM:TO=N/D[:ROUNDING]", value_parser = rate)]
    rate: Vec<RateTerms>,
    /// A file with the text of the agreement, in Markdown; - for standard input
    #[arg(long, value_name = "FILE")]
    text: Option<PathBuf>,
}

/// Reads `EUR.2=1000/500`: amounts as people write them in that unit.
fn line(text: &str) -> Result<LineTerms, String> {
    let wrong = || format!("{text:?} is not UNIT=LIMIT/LIMIT, like EUR.2=1000/500");
    let (unit, limits) = text.split_once('=').ok_or_else(wrong)?;
    let unit: CreditUnit = unit.parse().map_err(|error| format!("{text:?}: {error}"))?;
    let (proposer, counterparty) = limits.split_once('/').ok_or_else(wrong)?;
    let amount = |limit: &str| unit.read(limit).map_err(|error| format!("{limit:?}: {error}"));
    Ok(LineTerms {
        proposer_limit: amount(proposer)?,
        counterparty_limit: amount(counterparty)?,
        unit,
    })
}

/// Reads `HOUR.0:EUR.2=2500/1`, with `:down`, `:up` or `:half-even` behind it.
fn rate(text: &str) -> Result<RateTerms, String> {
    let wrong = || format!("{text:?} is not FROM:TO=N/D[:ROUNDING], like HOUR.0:EUR.2=2500/1:half-even");
    let (units, ratio) = text.split_once('=').ok_or_else(wrong)?;
    let (from, to) = units.split_once(':').ok_or_else(wrong)?;
    let unit = |text: &str| {
        text.parse::<CreditUnit>()
            .map_err(|error| format!("{text:?}: {error}"))
    };
    let (ratio, rounding) = match ratio.split_once(':') {
        Some((ratio, rounding)) => (
            ratio,
            rounding
                .parse()
                .map_err(|error| format!("{rounding:?}: {error}"))?,
        ),
        None => (ratio, Rounding::HalfEven),
    };
    let (numerator, denominator) = ratio.split_once('/').unwrap_or((ratio, "1"));
    let number = |text: &str| text.parse::<u64>().map_err(|_| wrong());
    let rate = RateTerms {
        from: unit(from)?,
        to: unit(to)?,
        numerator: number(numerator)?,
        denominator: number(denominator)?,
        rounding,
    };
    if !rate.is_usable() {
        return Err(format!(
            "{text:?} converts nothing: both numbers are above zero, and the units differ"
        ));
    }
    Ok(rate)
}

pub(super) fn propose(session: &Session, args: &ProposeArgs) -> anyhow::Result<()> {
    let options = &args.options;
    let Some(title) = &options.title else {
        return Err(Usage::new("an agreement has a title: --title TITLE").into());
    };
    if options.with.is_empty() {
        return Err(Usage::new("an agreement is with somebody: --with NAME").into());
    }
    let client = session.client()?;
    let signer = session.signer()?;
    let mut terms = Terms {
        kind: args.kind,
        title: title.clone(),
        parties: vec![Party {
            did: signer.did,
            role: PartyRole::Proposer,
        }],
        effective: None,
        expires: None,
        renews_by_ms: None,
        notice_ms: NOTICE,
        contest_ms: CONTEST,
        disputes: DisputeRule::Negotiation {},
        lines: Vec::new(),
        rates: Vec::new(),
        text: None,
    };
    let now = client.next_operation(signer.key.public())?.time;
    options.apply(session, &client, &mut terms, now)?;
    let action = Action::ProposeAgreement {
        terms: Box::new(terms),
    };
    let done = session.submit_as(&client, &signer, &action)?;
    let id = AgreementId::from(done.id);
    session.output.say(format!(
        "agreement {id} is in block {}: the others sign it with icn-cli agreement sign {id}",
        done.height
    ));
    let data = serde_json::json!({ "id": id, "height": done.height });
    session
        .output
        .data(&data, |output| Ok(output.line(id.to_string())?))
}

pub(super) fn offer(session: &Session, args: &OfferArgs) -> anyhow::Result<()> {
    let client = session.client()?;
    let id = find(&client, &args.agreement.id)?;
    let view = session.once_known(|| client.agreement(&id))?;
    // A counter-proposal goes from what is offered, an amendment from what is in force.
    let Some(mut terms) = view.record.terms().cloned() else {
        return Err(Usage::new(format!("agreement {id} has no terms")).into());
    };
    args.options.apply(session, &client, &mut terms, view.time)?;
    let revision = view.record.revisions + 1;
    say::tell(
        session,
        &client,
        id,
        AgreementAct::Offer { revision, terms },
        "offered",
    )
}

impl TermsArgs {
    /// Puts what is given in place of what `terms` say.
    fn apply(&self, session: &Session, client: &Client, terms: &mut Terms, now: Time) -> anyhow::Result<()> {
        if let Some(title) = &self.title {
            terms.title = title.clone();
        }
        for (role, names) in [
            (PartyRole::Counterparty, &self.with),
            (PartyRole::Guarantor, &self.guarantor),
            (PartyRole::Witness, &self.witness),
        ] {
            if names.is_empty() {
                continue;
            }
            let dids: Vec<Did> = names
                .iter()
                .map(|name| session.resolve(client, name))
                .collect::<anyhow::Result<_>>()?;
            terms.parties.retain(|party| party.role != role);
            terms
                .parties
                .extend(dids.into_iter().map(|did| Party { did, role }));
        }
        terms.effective = self.effective.map(|when| when.from(now)).or(terms.effective);
        terms.expires = self.expires.map(|when| when.from(now)).or(terms.expires);
        terms.renews_by_ms = self.renews.or(terms.renews_by_ms);
        terms.notice_ms = self.notice.unwrap_or(terms.notice_ms);
        terms.contest_ms = self.contest.unwrap_or(terms.contest_ms);
        if let Some(arbiter) = &self.arbiter {
            let did = session.resolve(client, arbiter)?;
            terms.disputes = DisputeRule::Arbiter { did };
        }
        for line in &self.credit {
            terms.lines.retain(|before| before.unit != line.unit);
            terms.lines.push(line.clone());
        }
        for rate in &self.rate {
            terms
                .rates
                .retain(|before| (&before.from, &before.to) != (&rate.from, &rate.to));
            terms.rates.push(rate.clone());
        }
        terms.check().map_err(|error| Usage::new(error.to_string()))?;
        if let Some(path) = &self.text {
            let text = proposal::read_text(path)?;
            // The node keeps it for as long as the log keeps the agreement that names it.
            terms.text = Some(client.put_block(Codec::Raw, text.as_bytes())?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credit_is_read_in_its_unit() {
        let read = line("EUR.2=1000/500.50").unwrap();
        assert_eq!((read.proposer_limit, read.counterparty_limit), (100_000, 50_050));
        for text in [
            "EUR.2",
            "EUR=1/2",
            "EUR.2=1",
            "EUR.2=1/x",
            "EUR.2=1/0.001",
            "EUR.2=-1/1",
        ] {
            assert!(line(text).is_err(), "{text}");
        }
    }

    #[test]
    fn rates_are_fractions() {
        let read = rate("HOUR.0:EUR.2=2500/3:up").unwrap();
        assert_eq!(
            (read.numerator, read.denominator, read.rounding),
            (2_500, 3, Rounding::Up)
        );
        assert_eq!(rate("HOUR.0:EUR.2=2500").unwrap().rounding, Rounding::HalfEven);
        for text in [
            "HOUR.0=1/1",
            "HOUR.0:EUR.2",
            "HOUR.0:EUR.2=0/1",
            "HOUR.0:HOUR.0=1/1",
            "HOUR.0:EUR.2=1/1:off",
        ] {
            assert!(rate(text).is_err(), "{text}");
        }
    }
}
