//! Metrics as they are told to whoever collects them (OpenMetrics text), as a table for people: the pages of docs/reference are made
//! with it.
use std::collections::{BTreeMap, BTreeSet};

/// The names of the labels of a line such as `name{a="x",b="y"} 1`; buckets are no label of ours.
fn labels(line: &str) -> BTreeSet<&str> {
    let inside = line.split_once('{').and_then(|(_, rest)| rest.split_once('}'));
    let pairs = inside
        .map(|(inside, _)| inside.split("\","))
        .into_iter()
        .flatten();
    pairs
        .filter_map(|pair| Some(pair.split_once('=')?.0))
        .filter(|name| *name != "le")
        .collect()
}

/// Rows of a table in Markdown with name, kind, labels and meaning of each metric that `text` tells of, by name. Of labels those are
/// known that a sample has.
pub fn table(text: &str) -> String {
    let mut rows = BTreeMap::new();
    for line in text.lines() {
        let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|line| line.split_once(' ')) else {
            continue;
        };
        let kind = text
            .lines()
            .find_map(|line| line.strip_prefix(&format!("# TYPE {name} ")))
            .unwrap_or("unknown");
        let shown = if kind == "counter" {
            format!("{name}_total")
        } else {
            name.to_owned()
        };
        let is_sample = |line: &&str| {
            let sampled = line.split(['{', ' ']).next().unwrap_or_default();
            ["", "_total", "_bucket", "_sum", "_count"]
                .iter()
                .any(|suffix| sampled.strip_suffix(suffix) == Some(name))
        };
        let found: BTreeSet<_> = text.lines().filter(is_sample).flat_map(labels).collect();
        let labels: Vec<_> = found.into_iter().map(|label| format!("`{label}`")).collect();
        let help = help.trim_end_matches('.');
        rows.insert(
            shown.clone(),
            format!("| `{shown}` | {kind} | {} | {help} |\n", labels.join(", ")),
        );
    }
    rows.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_has_its_kind_its_labels_and_its_meaning() {
        let text = "# HELP beats Heartbeats.\n# TYPE beats counter\nbeats_total{by=\"http\"} 1\n\
                    # HELP age How old.\n# TYPE age histogram\nage_bucket{le=\"1.0\",of=\"a\"} 0\nage_sum{of=\"a\"} 2\n\
                    agent{of=\"b\",x=\"y\"} 1\n# EOF\n";
        let rows =
            "| `age` | histogram | `of` | How old |\n| `beats_total` | counter | `by` | Heartbeats |\n";
        assert_eq!(table(text), rows);
    }
}
