//! Spans on their way to an OpenTelemetry collector: OTLP over HTTP with protobuf, in batches, by a thread of its own. A
//! collector that does not answer costs the spans and nothing else.
use anyhow::Context as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    trace::{BatchSpanProcessor, Sampler, SdkTracerProvider},
};
use std::time::Duration;
use tracing::Subscriber;
use tracing_subscriber::{Layer, registry::LookupSpan};

/// How long a batch may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A layer that sends spans of `service` to `endpoint`, with what ends the sending in order.
///
/// # Errors
/// If `endpoint` is no URL.
pub(super) fn layer<S>(
    endpoint: &str,
    share: f64,
    service: &'static str,
) -> anyhow::Result<(impl Layer<S> + Send + Sync + 'static, SdkTracerProvider)>
where
    S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
{
    let exporter = SpanExporter::builder()
        .with_http()
        .with_endpoint(endpoint)
        .with_timeout(TIMEOUT)
        .build()
        .with_context(|| format!("logging.otlp_endpoint = {endpoint}"))?;
    let provider = SdkTracerProvider::builder()
        .with_span_processor(BatchSpanProcessor::builder(exporter).build())
        .with_resource(Resource::builder().with_service_name(service).build())
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(share))))
        .build();
    let tracer = provider.tracer(service);
    Ok((tracing_opentelemetry::layer().with_tracer(tracer), provider))
}
