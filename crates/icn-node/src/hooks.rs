//! A node that goes wrong when it is told to. Only in a build with the cargo feature `test-hooks`, which is for tests of
//! federations and never a default: `scripts/chaos_test.sh --scenario byzantine`.
use anyhow::Context as _;
use icn_model::Height;
use icn_protocol::ledger::Ledger;
use std::env;

/// The height while applying which this node changes one account in its state.
const ALTER_LEDGER_AT: &str = "ICN_TEST_ALTER_LEDGER_AT";

/// Does what the variable says, if it is set.
///
/// # Errors
/// If it says no height.
pub(crate) fn install(ledger: &Ledger) -> anyhow::Result<()> {
    let Ok(height) = env::var(ALTER_LEDGER_AT) else {
        return Ok(());
    };
    let height: u64 = height
        .parse()
        .with_context(|| format!("{ALTER_LEDGER_AT}={height} is no height"))?;
    tracing::warn!(height, "this node will alter its ledger: it is built to go wrong");
    ledger.alter_at(Height::new(height));
    Ok(())
}
