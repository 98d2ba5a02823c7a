//! The analyzer's own measurements.

use std::time::Duration;

use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter};

pub(crate) struct Metrics {
    windows: Counter<u64>,
    behind: Gauge<f64>,
    left: Gauge<u64>,
    pass: Histogram<f64>,
}

impl Metrics {
    pub(crate) fn new(meter: &Meter) -> Self {
        Self {
            windows: meter
                .u64_counter("leeway_analyzer_windows_total")
                .with_description("Windows judged, those judged again included")
                .build(),
            behind: meter
                .f64_gauge("leeway_analyzer_behind_seconds")
                .with_description("How long ago the oldest window closed that is not judged yet")
                .build(),
            left: meter
                .u64_gauge("leeway_analyzer_windows_left")
                .with_description("Closed windows that are not judged yet, of history as well")
                .build(),
            pass: meter
                .f64_histogram("leeway_analyzer_pass_seconds")
                .with_description("How long a pass over all watches took")
                .build(),
        }
    }

    pub(crate) fn behind(&self, behind: Duration) {
        self.behind.record(behind.as_secs_f64(), &[]);
    }

    pub(crate) fn left(&self, windows: u64) {
        self.left.record(windows, &[]);
    }

    pub(crate) fn pass(&self, took: Duration, windows: usize) {
        self.windows.add(windows as u64, &[]);
        self.pass.record(took.as_secs_f64(), &[]);
    }
}
