//! What the interface counts of itself: requests by route and status, and how long answers take to begin.
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};
use std::time::Duration;

/// Latencies from a millisecond to half a minute.
const BUCKETS: u16 = 15;

/// A request with its answer, as it is counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Answered {
    /// The method, of those that are known.
    pub method: &'static str,
    /// The route's template.
    pub route: String,
    /// The status.
    pub status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    method: &'static str,
    route: String,
}

/// What the HTTP interface counts.
#[derive(Debug)]
pub struct HttpMetrics {
    requests: Family<Answered, Counter>,
    seconds: Family<Route, Histogram, fn() -> Histogram>,
}

impl Default for HttpMetrics {
    fn default() -> Self {
        let buckets: fn() -> Histogram = || Histogram::new(exponential_buckets(0.001, 2.0, BUCKETS));
        Self {
            requests: Family::default(),
            seconds: Family::new_with_constructor(buckets),
        }
    }
}

impl HttpMetrics {
    /// Counts an answer that took `elapsed` to begin.
    pub fn count(&self, answered: Answered, elapsed: Duration) {
        let route = Route {
            method: answered.method,
            route: answered.route.clone(),
        };
        self.seconds.get_or_create(&route).observe(elapsed.as_secs_f64());
        self.requests.get_or_create(&answered).inc();
    }

    /// Adds the counts to what is scraped, under names that begin with `prefix`.
    pub fn register(&self, registry: &mut Registry, prefix: &str) {
        let requests = "HTTP requests by route and status";
        registry.register(format!("{prefix}http_requests"), requests, self.requests.clone());
        let seconds = "Time until an HTTP answer begins, by route";
        registry.register(
            format!("{prefix}http_request_seconds"),
            seconds,
            self.seconds.clone(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::encoding::text;

    #[test]
    fn requests_are_counted_by_route_and_status() {
        let http = HttpMetrics::default();
        let answered = |status| Answered {
            method: "GET",
            route: "/v1/mana/{did}".into(),
            status,
        };
        http.count(answered(200), Duration::from_millis(3));
        http.count(answered(404), Duration::from_millis(1));
        http.count(answered(404), Duration::from_millis(1));
        let mut registry = Registry::default();
        http.register(&mut registry, "icn_");
        let mut text = String::new();
        text::encode(&mut text, &registry).unwrap();
        assert!(
            text.contains(r#"icn_http_requests_total{method="GET",route="/v1/mana/{did}",status="404"} 2"#),
            "{text}"
        );
        assert!(
            text.contains(r#"icn_http_request_seconds_count{method="GET",route="/v1/mana/{did}"} 3"#),
            "{text}"
        );
    }
}
