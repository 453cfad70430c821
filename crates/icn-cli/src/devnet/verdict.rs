//! Whether a federation has come through what was done to it: one log, accounts that add up, nothing lost that was
//! acknowledged. What does not hold is said of the node that it does not hold for, with the reason.
use super::{fleet::Fleet, process::Memory};
use crate::{commands::mana, format, table::Table};
use icn_api::{
    client::Client,
    operations::{OperationState, OperationStatus},
};
use icn_model::{Digest, Height, Millis, OperationId};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

/// How long nodes have until they are at one height again, with nothing more done to them.
const AGREE_TIMEOUT: Duration = Duration::from_secs(30);
/// How many lost operations are named.
const NAMED: usize = 5;
/// How often a node that does not answer is asked for an operation.
const TRIES: usize = 3;

/// How a node stands at the end.
#[derive(Clone, Debug, Serialize)]
pub(super) struct NodeEnd {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<Height>,
    #[serde(skip_serializing_if = "Option::is_none")]
    root: Option<Digest>,
    /// What its accounts come to: `holds`, or what does not add up.
    mana: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<Memory>,
}

/// What became of operations that were acknowledged.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Acknowledged {
    /// How many were.
    operations: usize,
    /// Nodes that were asked for each of them.
    nodes: usize,
    /// Of all answers, those that say that it is not done, or not where it was.
    lost: usize,
}

/// The state of a federation at the end of a run.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Verdict {
    pub(super) nodes: Vec<NodeEnd>,
    pub(super) acknowledged: Acknowledged,
    /// What does not hold; nothing if all does.
    pub(super) failures: Vec<String>,
}

/// Looks at every node. `acknowledged` are operations with the blocks that they were said to be in.
pub(super) fn judge(fleet: &mut Fleet, acknowledged: &[(OperationId, Height)]) -> anyhow::Result<Verdict> {
    let mut failures = Vec::new();
    for at in 0..fleet.nodes().len() {
        if let Some(words) = fleet.note_end(at)? {
            failures.push(format!("{} ended by itself: {words}", fleet.nodes()[at].name));
        } else if let Some(why) = fleet.log_end(at) {
            failures.push(format!("{}: its log has ended: {why}", fleet.nodes()[at].name));
            // It will not agree with the others any more.
            fleet.kill(at)?;
        } else if !fleet.runs(at) {
            failures.push(format!("{} does not run", fleet.nodes()[at].name));
        }
    }
    let running: Vec<_> = (0..fleet.nodes().len()).filter(|at| fleet.runs(*at)).collect();
    if let Err(error) = fleet.wait_for("the nodes agree", AGREE_TIMEOUT, |fleet| {
        Ok(fleet.agreed_height()?.is_some())
    }) {
        failures.push(format!("{error:#}"));
    }
    let mut nodes: Vec<_> = (0..fleet.nodes().len()).map(|at| node_end(fleet, at)).collect();
    let clients: Vec<_> = running.iter().map(|at| fleet.client(*at).clone()).collect();
    let names: Vec<_> = running.iter().map(|at| fleet.nodes()[*at].name.clone()).collect();
    match mana::compare(&clients) {
        Ok(comparison) => {
            for (at, accounts) in running.iter().zip(&comparison.accounts) {
                nodes[*at].height = Some(accounts.height);
                nodes[*at].root = Some(accounts.root);
                nodes[*at].mana = "holds".into();
                if let Some(imbalance) = mana::imbalance(accounts) {
                    failures.push(format!(
                        "{}: the mana does not add up: {imbalance}",
                        nodes[*at].name
                    ));
                    nodes[*at].mana = imbalance;
                }
            }
            let roots: Vec<_> = names
                .iter()
                .cloned()
                .zip(comparison.accounts.iter().map(|accounts| accounts.root))
                .collect();
            let height = comparison.accounts[0].height;
            failures.extend(strayed(height, &roots));
            if !comparison.same && strayed(height, &roots).is_empty() {
                failures.push(format!("the accounts differ between nodes at height {height}"));
            }
        }
        Err(error) => failures.push(format!("{error:#}")),
    }
    let acknowledged = recall(&names, &clients, acknowledged, &mut failures);
    Ok(Verdict {
        nodes,
        acknowledged,
        failures,
    })
}

fn node_end(fleet: &Fleet, at: usize) -> NodeEnd {
    let node = &fleet.nodes()[at];
    NodeEnd {
        name: node.name.clone(),
        height: None,
        root: None,
        mana: "-".into(),
        memory: node.process.as_ref().and_then(super::process::Process::memory),
    }
}

/// Who has another root at a height than most have.
pub(super) fn strayed(height: Height, roots: &[(String, Digest)]) -> Vec<String> {
    let mut counts = BTreeMap::<Digest, usize>::new();
    for (_, root) in roots {
        *counts.entry(*root).or_default() += 1;
    }
    let Some((most, _)) = counts.into_iter().max_by_key(|(_, count)| *count) else {
        return Vec::new();
    };
    let others = roots.iter().filter(|(_, root)| *root != most);
    others
        .map(|(name, root)| format!("{name} has root {root} at height {height}, and the others have {most}: its state has diverged"))
        .collect()
}

/// Asks every node for every operation.
fn recall(
    names: &[String],
    clients: &[Client],
    acknowledged: &[(OperationId, Height)],
    failures: &mut Vec<String>,
) -> Acknowledged {
    let lost = AtomicUsize::new(0);
    let found: Vec<Vec<String>> = thread::scope(|scope| {
        let asked: Vec<_> = names
            .iter()
            .zip(clients)
            .map(|(name, client)| {
                let lost = &lost;
                scope.spawn(move || {
                    let mut wrong = Vec::new();
                    for (id, height) in acknowledged {
                        if let Some(what) = missing(client, id, *height) {
                            lost.fetch_add(1, Ordering::Relaxed);
                            wrong.push(format!(
                                "{name}: operation {id} was done in block {height}, and now {what}"
                            ));
                        }
                    }
                    wrong
                })
            })
            .collect();
        asked
            .into_iter()
            .map(|asked| {
                asked
                    .join()
                    .unwrap_or_else(|_| vec!["a thread that asked a node broke off".into()])
            })
            .collect()
    });
    for wrong in found {
        let more = wrong.len().saturating_sub(NAMED);
        failures.extend(wrong.into_iter().take(NAMED));
        if more > 0 {
            failures.push(format!("and {more} operations more on the same node"));
        }
    }
    Acknowledged {
        operations: acknowledged.len(),
        nodes: clients.len(),
        lost: lost.into_inner(),
    }
}

/// What is wrong with an operation that was done in the block at `height`, if anything.
fn missing(client: &Client, id: &OperationId, height: Height) -> Option<String> {
    let mut answer = client.operation(id, Duration::ZERO);
    for _ in 1..TRIES {
        if answer.is_ok() {
            break;
        }
        thread::sleep(Duration::from_millis(200));
        answer = client.operation(id, Duration::ZERO);
    }
    match answer {
        Ok(OperationStatus {
            state: OperationState::Done { height: there, .. },
            ..
        }) => (there != height).then(|| format!("is in block {there}")),
        Ok(status) => Some(match status.state {
            OperationState::Refused { refusal, .. } => format!("is refused: {}", refusal.detail),
            _ => "waits".into(),
        }),
        Err(error) => Some(format!("cannot be asked for: {error}")),
    }
}

/// How the nodes stand.
pub(super) fn table(nodes: &[NodeEnd]) -> Table {
    let mut table = Table::new(["NODE", ">HEIGHT", "ROOT", "MANA", ">MEMORY", ">AT MOST"]);
    for node in nodes {
        let dash = || "-".to_owned();
        let bytes = |of: fn(&Memory) -> u64| {
            node.memory
                .as_ref()
                .map_or_else(dash, |memory| format::bytes(of(memory)))
        };
        table.row([
            node.name.clone(),
            node.height.map_or_else(dash, |height| height.to_string()),
            node.root
                .map_or_else(dash, |root| root.to_string()[..12].to_owned()),
            node.mana.clone(),
            bytes(|memory| memory.resident_bytes),
            bytes(|memory| memory.peak_bytes),
        ]);
    }
    table
}

/// What became of acknowledged operations, for people.
pub(super) fn told(acknowledged: &Acknowledged) -> String {
    let Acknowledged {
        operations,
        nodes,
        lost,
    } = acknowledged;
    format!("{operations} acknowledged operations asked of {nodes} nodes: {lost} answers that they are lost")
}

/// A moment's span in whole milliseconds.
pub(super) fn millis(span: Duration) -> Millis {
    Millis::new(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
}

/// The same since `instant`.
pub(super) fn since(instant: Instant) -> Millis {
    millis(instant.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_strays_is_named_with_both_roots() {
        let (ours, theirs) = (Digest::of(b"ours"), Digest::of(b"theirs"));
        let roots = [("bakery", theirs), ("dairy", ours), ("mill", theirs)]
            .map(|(name, root)| (name.to_owned(), root));
        let strayed = strayed(Height::new(9), &roots);
        let [line] = &strayed[..] else {
            panic!("{strayed:?}")
        };
        assert!(line.starts_with("dairy has root"), "{line}");
        assert!(
            line.contains(&ours.to_string()) && line.contains(&theirs.to_string()),
            "{line}"
        );
        assert!(super::strayed(Height::new(9), &[]).is_empty());
    }
}
