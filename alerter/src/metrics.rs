//! What the alerter says of itself: counters and gauges under `leeway_alerter_…`.

use domain::delivery::Attempt;
use domain::incident::IncidentEvent;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter};

#[derive(Clone)]
pub struct Metrics {
    evaluations: Counter<u64>,
    incident_events: Counter<u64>,
    open: Gauge<u64>,
    attempts: Counter<u64>,
    attempt_seconds: Histogram<f64>,
    waiting: Gauge<u64>,
    actions: Counter<u64>,
}

impl Metrics {
    pub fn new(meter: &Meter) -> Self {
        let counter =
            |name: &'static str, about: &'static str| meter.u64_counter(name).with_description(about).build();
        let gauge =
            |name: &'static str, about: &'static str| meter.u64_gauge(name).with_description(about).build();
        Self {
            evaluations: counter("leeway_alerter_evaluations_total", "Evaluations taken into account"),
            incident_events: counter("leeway_alerter_incident_events_total", "Events of incidents, by kind"),
            open: gauge("leeway_alerter_incidents_open", "Incidents that are open"),
            attempts: counter(
                "leeway_alerter_delivery_attempts_total",
                "Attempts, by channel and how they ended",
            ),
            attempt_seconds: meter
                .f64_histogram("leeway_alerter_delivery_attempt_seconds")
                .with_description("How long an attempt took, by channel")
                .build(),
            waiting: gauge(
                "leeway_alerter_deliveries_waiting",
                "Notifications not yet delivered, by channel",
            ),
            actions: counter("leeway_alerter_actions_total", "Actions carried out, by kind"),
        }
    }

    pub fn evaluated(&self, rows: usize) {
        self.evaluations.add(rows as u64, &[]);
    }

    pub fn happened(&self, event: &IncidentEvent) {
        self.incident_events.add(1, &[KeyValue::new("kind", event.kind.name())]);
    }

    pub fn open(&self, incidents: usize) {
        self.open.record(incidents as u64, &[]);
    }

    pub fn attempted(&self, attempt: &Attempt) {
        let channel = KeyValue::new("channel", attempt.channel.clone());
        self.attempts.add(1, &[channel.clone(), KeyValue::new("state", attempt.state.name())]);
        self.attempt_seconds.record(f64::from(attempt.took_ms) / 1_000.0, &[channel]);
    }

    pub fn waiting(&self, channel: &str, notifications: usize) {
        self.waiting.record(notifications as u64, &[KeyValue::new("channel", channel.to_owned())]);
    }

    pub fn acted(&self, kind: domain::action::ActionKind) {
        self.actions.add(1, &[KeyValue::new("kind", kind.name())]);
    }
}
