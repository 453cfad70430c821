//! The page of docs/reference that lists every metric: made from what a service shows that has answered one request.
use super::encode;
use crate::{clock::Clock, core::Core, liveness::Rules};
use icn_model::Millis;
use icn_serve::{exposition::table, http::Answered};
use std::{path::Path, time::Duration};

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

#[test]
fn the_page_lists_what_a_service_shows() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/federation-metrics.md");
    let page = HEAD.to_owned() + &table(&text());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let present = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        present == page,
        "docs/reference/federation-metrics.md differs from the program: run UPDATE=1 cargo test -p icn-federation --lib scrape"
    );
}
