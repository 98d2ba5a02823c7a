//! Logs, metrics and traces of Leeway itself: sentences on standard error, `/metrics` for whoever scrapes, OTLP for
//! whoever names an endpoint.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{Protocol, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use serde::{Deserialize, Serialize};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

/// The section `[telemetry]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// What is logged: `info`, `debug`, or a list such as `info,collector=debug`.
    pub log: String,
    /// `text` for people, `json` for machines.
    pub log_format: LogFormat,
    /// Base address of an OTLP receiver (HTTP, protobuf), such as `http://otel:4318`; empty for none.
    pub otlp_endpoint: String,
    /// How often metrics are sent there.
    pub otlp_interval_s: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            log: "info".to_owned(),
            log_format: LogFormat::Text,
            otlp_endpoint: String::new(),
            otlp_interval_s: 30,
        }
    }
}

/// Running telemetry. Keep it until the end, then [`Telemetry::finish`] it, or the last spans and metrics are lost.
pub struct Telemetry {
    registry: prometheus::Registry,
    metrics: SdkMeterProvider,
    traces: Option<SdkTracerProvider>,
}

impl Telemetry {
    /// Starts telemetry for `role`. Call it once a process, before the asynchronous runtime starts.
    ///
    /// # Errors
    /// Where `log` is no filter or the OTLP endpoint no address.
    pub fn start(config: &Config, role: &str) -> anyhow::Result<Self> {
        let filter = EnvFilter::try_new(&config.log)
            .map_err(|error| anyhow::anyhow!("telemetry.log \"{}\" is no filter: {error}", config.log))?;
        let resource = Resource::builder()
            .with_service_name("leeway")
            .with_attribute(KeyValue::new("leeway.role", role.to_owned()))
            .build();
        let registry = prometheus::Registry::new();
        let metrics = metrics(config, &registry, resource.clone())?;
        let traces = traces(config, resource)?;
        let text = match config.log_format {
            LogFormat::Text => tracing_subscriber::fmt::layer().with_writer(std::io::stderr).boxed(),
            LogFormat::Json => tracing_subscriber::fmt::layer().json().with_writer(std::io::stderr).boxed(),
        };
        let spans = traces
            .as_ref()
            .map(|provider| tracing_opentelemetry::layer().with_tracer(provider.tracer("leeway")).boxed());
        tracing_subscriber::registry().with(spans).with(text.with_filter(filter)).try_init()?;
        Ok(Self { registry, metrics, traces })
    }

    pub fn meter(&self) -> Meter {
        self.metrics.meter("leeway")
    }

    /// What `/metrics` shows.
    pub fn registry(&self) -> prometheus::Registry {
        self.registry.clone()
    }

    /// Sends what has not been sent yet.
    pub fn finish(self) {
        let _ = self.metrics.shutdown();
        if let Some(traces) = self.traces {
            let _ = traces.shutdown();
        }
    }
}

fn metrics(
    config: &Config,
    registry: &prometheus::Registry,
    resource: Resource,
) -> anyhow::Result<SdkMeterProvider> {
    let scraped = opentelemetry_prometheus::exporter()
        .with_registry(registry.clone())
        .without_counter_suffixes()
        .without_units()
        .build()?;
    let mut provider = SdkMeterProvider::builder().with_resource(resource).with_reader(scraped);
    if !config.otlp_endpoint.is_empty() {
        let exporter = opentelemetry_otlp::MetricExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}/v1/metrics", config.otlp_endpoint.trim_end_matches('/')))
            .build()?;
        let reader = opentelemetry_sdk::metrics::PeriodicReader::builder(exporter)
            .with_interval(Duration::from_secs(config.otlp_interval_s.max(1)))
            .build();
        provider = provider.with_reader(reader);
    }
    Ok(provider.build())
}

fn traces(config: &Config, resource: Resource) -> anyhow::Result<Option<SdkTracerProvider>> {
    if config.otlp_endpoint.is_empty() {
        return Ok(None);
    }
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{}/v1/traces", config.otlp_endpoint.trim_end_matches('/')))
        .build()?;
    Ok(Some(SdkTracerProvider::builder().with_resource(resource).with_batch_exporter(exporter).build()))
}
