//! What the collector measures of itself.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter};
use sql::intake::Door;

use crate::batch::Skew;
use crate::event::Kind;

#[derive(Debug)]
pub struct Metrics {
    events: Counter<u64>,
    rejected: Counter<u64>,
    answers: Counter<u64>,
    rows: Histogram<u64>,
    bytes: Histogram<u64>,
    seconds: Histogram<f64>,
    waiting: Gauge<u64>,
    grids: Counter<u64>,
    payloads: Counter<u64>,
    journal: Gauge<u64>,
    pairs: Gauge<u64>,
    duplicates: Counter<u64>,
    breaches: Counter<u64>,
    over_quota: Counter<u64>,
    repeated: Counter<u64>,
    skew: Gauge<f64>,
    inserted_again: Counter<u64>,
}

impl Metrics {
    pub fn new(meter: &Meter) -> Self {
        let counter =
            |name: &'static str, text: &'static str| meter.u64_counter(name).with_description(text).build();
        let sizes = |name: &'static str, text: &'static str, bounds: Vec<f64>| {
            meter.u64_histogram(name).with_description(text).with_boundaries(bounds).build()
        };
        Self {
            events: counter("leeway_collector_events_total", "events accepted"),
            rejected: counter("leeway_collector_rejected_events_total", "events refused"),
            answers: counter("leeway_collector_answers_total", "requests answered, by status"),
            rows: sizes("leeway_collector_batch_rows", "rows of an insert", powers_of_ten(6)),
            bytes: sizes("leeway_collector_batch_bytes", "bytes of an insert", powers_of_ten(8)),
            seconds: meter
                .f64_histogram("leeway_collector_insert_seconds")
                .with_description("how long an insert took, with its repetitions")
                .with_boundaries(vec![0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0])
                .build(),
            waiting: meter
                .u64_gauge("leeway_collector_waiting_bytes")
                .with_description("unpacked bodies that wait to be stored")
                .build(),
            grids: counter("leeway_collector_grids_total", "grids announced"),
            payloads: counter(
                "leeway_collector_payloads_total",
                "payloads of model servers, by what came of them",
            ),
            journal: meter
                .u64_gauge("leeway_collector_journal_bytes")
                .with_description("acknowledged payloads that wait to be stored")
                .build(),
            pairs: meter
                .u64_gauge("leeway_collector_pairs_waiting")
                .with_description("requests and responses that wait for each other")
                .build(),
            duplicates: counter(
                "leeway_collector_duplicate_events_total",
                "events that came before, by model",
            ),
            breaches: counter(
                "leeway_collector_breaches_total",
                "events that break a rule of their contract and are stored, by model and rule",
            ),
            over_quota: counter("leeway_collector_over_quota_events_total", "events beyond a token's quota"),
            repeated: counter(
                "leeway_collector_repeated_requests_total",
                "requests whose Idempotency-Key came before, by what came of them",
            ),
            inserted_again: counter(
                "leeway_collector_rows_inserted_again_total",
                "rows that the store had lost when it died in their insert, by table",
            ),
            skew: meter
                .f64_gauge("leeway_collector_skew_seconds")
                .with_description(
                    "received minus happened, of a model's last batch: least, mean and greatest",
                )
                .build(),
        }
    }

    pub fn inserted(&self, door: Door, rows: usize, bytes: usize, took: Duration, is_ok: bool) {
        let of = [KeyValue::new("table", door.name()), KeyValue::new("ok", is_ok)];
        self.rows.record(rows as u64, &of);
        self.bytes.record(bytes as u64, &of);
        self.seconds.record(took.as_secs_f64(), &of);
    }

    pub fn inserted_again(&self, table: &'static str, rows: usize) {
        self.inserted_again.add(rows as u64, &[KeyValue::new("table", table)]);
    }

    pub fn answered(&self, status: u16) {
        self.answers.add(1, &[KeyValue::new("status", i64::from(status))]);
    }

    pub fn events(&self, kind: Kind, source: &str, accepted: usize, rejected: usize) {
        let of = [KeyValue::new("kind", kind.name()), KeyValue::new("source", source.to_owned())];
        self.events.add(accepted as u64, &of);
        self.rejected.add(rejected as u64, &of);
    }

    pub fn duplicates(&self, model: &str, events: usize) {
        self.duplicates.add(events as u64, &[KeyValue::new("model", model.to_owned())]);
    }

    pub fn breaches(&self, model: &str, rule: &str, events: u64) {
        let of = [KeyValue::new("model", model.to_owned()), KeyValue::new("rule", rule.to_owned())];
        self.breaches.add(events, &of);
    }

    pub fn over_quota(&self, token: &str, events: usize) {
        self.over_quota.add(events as u64, &[KeyValue::new("token", token.to_owned())]);
    }

    /// `came_of_it`: answered as the first time, or refused for another body.
    pub fn repeated(&self, came_of_it: &'static str) {
        self.repeated.add(1, &[KeyValue::new("outcome", came_of_it)]);
    }

    /// Negative where a sender's clock is ahead of ours.
    pub fn skew(&self, model: &str, skew: Skew) {
        for (what, seconds) in [("least", skew.least_s), ("mean", skew.mean_s), ("greatest", skew.greatest_s)]
        {
            let of = [KeyValue::new("model", model.to_owned()), KeyValue::new("of", what)];
            self.skew.record(seconds, &of);
        }
    }

    pub fn waiting(&self, bytes: usize) {
        self.waiting.record(bytes as u64, &[]);
    }

    /// `came_of_it`: paired, request_only, response_only, feedback, duplicate, full, over_quota or refused.
    pub fn payloads(&self, came_of_it: &'static str, payloads: usize) {
        self.payloads.add(payloads as u64, &[KeyValue::new("outcome", came_of_it)]);
    }

    pub fn journal(&self, bytes: u64) {
        self.journal.record(bytes, &[]);
    }

    pub fn pairs_waiting(&self, halves: usize) {
        self.pairs.record(halves as u64, &[]);
    }

    pub fn grids(&self, made: usize) {
        self.grids.add(made as u64, &[]);
    }
}

fn powers_of_ten(most: i32) -> Vec<f64> {
    (0..=most).map(|power| 10_f64.powi(power)).collect()
}
