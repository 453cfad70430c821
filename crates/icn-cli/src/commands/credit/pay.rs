//! `credit pay`, `credit anchor` and `credit void`.
use super::{LineArgs, PayArgs, find_own, signed};
use crate::{failure::Usage, session::Session};
use icn_api::{
    client::ClientError,
    credit::{TransferMade, TransferOrder, TransferOrders},
};
use icn_model::{Codec, OperationId, Standing};

pub(super) fn pay(session: &Session, args: &PayArgs) -> anyhow::Result<()> {
    let client = session.client()?;
    let (view, other) = find_own(session, &client, &args.line)?;
    let unit = view.line.unit.clone();
    let amount = unit
        .read(&args.amount)
        .map_err(|error| Usage::new(format!("{:?}: {error}", args.amount)))?;
    let memo = match &args.memo {
        Some(text) => Some(client.put_block(Codec::Raw, text.as_bytes())?),
        None => None,
    };
    let order = TransferOrder {
        amount,
        reference: args.reference.clone(),
        memo,
    };
    let order = order.named().map_err(ClientError::Randomness)?;
    let reference = order.reference.clone().unwrap_or_default();
    let orders = TransferOrders {
        transfers: vec![order],
        wait_ms: Some(args.wait.saturating_mul(1_000)),
    };
    let answers = client.credit_transfer(&view.line, &orders);
    // Whoever types the command again without the reference would pay twice.
    let answers = answers.map_err(|error| match error.problem() {
        Some(_) => anyhow::Error::from(error),
        None => anyhow::Error::from(error).context(format!(
            "nothing says whether the transfer is signed: send it again with --reference {reference}, which makes it once"
        )),
    })?;
    let made = answers.transfers.into_iter().find_map(|answer| answer.transfer);
    let Some(made) = made else {
        anyhow::bail!(
            "the node has answered without saying what came of the transfer: `icn-cli credit show` tells"
        );
    };
    let after = client.credit_line(&view.line)?;
    let debt = after.own.as_ref().map(|own| own.debt);
    let data = serde_json::json!({ "line": view.name, "transfer": made, "debt": debt });
    session.output.data(&data, |output| {
        let names = session.names(&client);
        output.line(told(&made, &names.of(&other)))?;
        if let Some(debt) = debt {
            let owes = if debt < 0 { "you are owed" } else { "you owe" };
            output.line(format!(
                "{owes} {} {unit} on this line",
                unit.write(debt.unsigned_abs())
            ))?;
        }
        Ok(())
    })
}

fn told(made: &TransferMade, other: &str) -> String {
    let number = made.number;
    let again = if made.is_new {
        ""
    } else {
        " (made before: nothing new)"
    };
    match made.standing {
        Standing::Confirmed => format!("transfer {number} is signed by both{again}"),
        Standing::Pending => format!(
            "transfer {number} is signed and waits for {other}'s signature{again}: it is sent again until that comes"
        ),
        Standing::Void => format!("transfer {number} is void: {other} will not sign it{again}"),
    }
}

pub(super) fn anchor(session: &Session, args: &LineArgs) -> anyhow::Result<()> {
    let client = session.client()?;
    let (view, _) = find_own(session, &client, args)?;
    let told = client.anchor_line(&view.line)?;
    finish(session, &view.name, told.operation, "the log is being told")
}

pub(super) fn void(session: &Session, args: &LineArgs) -> anyhow::Result<()> {
    let client = session.client()?;
    let (view, other) = find_own(session, &client, args)?;
    let told = client.void_line(&view.line)?;
    let names = session.names(&client);
    let pending = view
        .own
        .as_ref()
        .map_or(0, |own| own.debt_with_pending - own.debt);
    session.output.say(format!(
        "{} can show that it has signed until the time to contest is over; then {} pending is void",
        names.of(&other),
        signed(&view.line.unit, pending)
    ));
    finish(session, &view.name, told.operation, "the log is being asked")
}

fn finish(session: &Session, line: &str, operation: OperationId, what: &str) -> anyhow::Result<()> {
    let data = serde_json::json!({ "line": line, "operation": operation });
    session.output.data(&data, |output| {
        Ok(output.line(format!("{what}: operation {operation}"))?)
    })
}
