//! The page of docs/reference that lists every metric: made from what a service shows that has answered one request.
use super::encode;
use crate::{clock::Clock, core::Core, liveness::Rules};
use icn_model::Millis;
use icn_serve::http::Answered;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Duration,
};

const HEAD: &str = "\
# Metrics of the Federation Service

Every metric, in OpenMetrics text at `/metrics`. Counters and histograms begin anew with the process. With
`metrics.per_project` there is `federation_project_up` as well: whether each `project` is alive, for the first thousand by slug.

`UPDATE=1 cargo test -p icn-federation --lib scrape` writes this page from the program; a test fails where they differ.

| metric | kind | labels | meaning |
|---|---|---|---|
";

fn text() -> String {
    let rules = Rules {
        threshold: Millis::from_secs(60),
    };
    let core = Core::new(Clock::default(), rules, true);
    let answered = Answered {
        method: "GET",
        route: "/health".into(),
        status: 200,
    };
    core.metrics.http.count(answered, Duration::ZERO);
    encode(&core, false).unwrap()
}

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

fn page(text: &str) -> String {
    let mut rows = BTreeMap::new();
    for line in text.lines() {
        let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|line| line.split_once(' ')) else {
            continue;
        };
        let kind = text
            .lines()
            .find_map(|line| line.strip_prefix(&format!("# TYPE {name} ")))
            .unwrap();
        let shown = if kind == "counter" {
            format!("{name}_total")
        } else {
            name.to_owned()
        };
        let found: BTreeSet<_> = text
            .lines()
            .filter(|line| {
                let sampled = line.split(['{', ' ']).next().unwrap_or_default();
                ["", "_total", "_bucket", "_sum", "_count"]
                    .iter()
                    .any(|suffix| sampled.strip_suffix(suffix) == Some(name))
            })
            .flat_map(labels)
            .collect();
        let labels: Vec<_> = found.into_iter().map(|label| format!("`{label}`")).collect();
        let help = help.trim_end_matches('.');
        rows.insert(
            shown.clone(),
            format!("| `{shown}` | {kind} | {} | {help} |\n", labels.join(", ")),
        );
    }
    HEAD.to_owned() + &rows.into_values().collect::<String>()
}

#[test]
fn the_page_lists_what_a_service_shows() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/federation-metrics.md");
    let page = page(&text());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let present = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        present == page,
        "docs/reference/federation-metrics.md differs from the program: run UPDATE=1 cargo test -p icn-federation --lib scrape"
    );
}
