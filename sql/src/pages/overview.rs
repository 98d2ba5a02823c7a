//! The questions of the overview: every model at once, and the incidents that are open.

use std::time::Duration;

use clickhouse::Row;
use domain::grid::{Bin, GridId};
use domain::incident::{Incident, IncidentEvent, fold};
use domain::time::{Instant, Interval};
use serde::{Deserialize, Serialize};

use crate::counts::Resolution;
use crate::error::Error;
use crate::incident_events::EventRow;
use crate::pages::{Ask, Asked};
use crate::store::Store;

/// How many incidents are open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OpenIncidents {
    pub pages: u64,
    pub tickets: u64,
    /// Pages that were marked as false in the last 90 days.
    pub false_pages: u64,
}

/// How long false pages are counted.
const FALSE_PAGES_OVER: Duration = Duration::from_secs(90 * 86_400);
/// Models whose last event is older are not listed: their hours are no longer kept.
const LISTED_FOR: Duration = Duration::from_secs(400 * 86_400);

/// A model in one environment, as its traffic knows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Model {
    pub name: String,
    pub environment: String,
    pub last_event: Instant,
    pub last_received_at: Instant,
    /// All events of the time that is kept.
    pub events: u64,
}

/// Something of a model in one environment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Of<T> {
    pub model: String,
    pub environment: String,
    #[serde(flatten)]
    pub it: T,
}

/// The traffic of one stretch of the range.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bucket {
    pub bucket: u32,
    pub events: u64,
    pub errors: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct BinCount {
    pub grid: GridId,
    pub bin: Bin,
    pub n: u64,
}

/// The worst verdict of one stretch of the range. The bucket may lie beyond the range: a window covers what is before
/// its end.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Worst {
    pub watch: String,
    pub bucket: i32,
    pub rank: u8,
}

/// What the latest window of a watch says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Latest {
    pub watch: String,
    pub window_end: Instant,
    pub too_little: u64,
    pub on_course: u64,
    pub suspect: u64,
    pub off_course: u64,
    pub events: u64,
    /// Of the worst.
    pub sentence: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Performance {
    pub metric: String,
    /// Weighed by how many predictions have an outcome.
    pub mean: f64,
    pub standard_error: f64,
    pub labelled: u64,
    pub predictions: u64,
    /// The hour of the newest predictions with an outcome.
    pub latest: Instant,
}

/// A stretch of time cut into steps, by minutes or hours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Steps {
    pub interval: Interval,
    pub step: Duration,
    pub resolution: Resolution,
}

impl Steps {
    fn bind(&self, ask: Ask, minutes: &'static str, hours: &'static str) -> Ask {
        let (table, time) = match self.resolution {
            Resolution::Minutes => (minutes, "minute"),
            Resolution::Hours => (hours, "hour"),
        };
        ask.name("table", table)
            .name("time", time)
            .integer("start", self.interval.start.seconds())
            .integer("end", self.interval.end.seconds())
    }
}

fn seconds(length: Duration) -> i64 {
    i64::try_from(length.as_secs()).unwrap_or(i64::MAX).max(1)
}

pub fn models(now: Instant) -> Ask {
    Ask::new(
        "All models, and when each was last heard of",
        include_str!("../../queries/pages/overview_models.sql"),
    )
    .integer("since", now.saturating_sub(LISTED_FOR).seconds())
}

pub fn traffic(steps: Steps) -> Ask {
    let ask = Ask::new(
        "Events and errors over the range",
        include_str!("../../queries/pages/overview_traffic.sql"),
    );
    steps.bind(ask, "traffic_minutes", "traffic_hours").integer("step_s", seconds(steps.step))
}

pub fn latency(steps: Steps) -> Ask {
    let ask = Ask::new(
        "Latencies over the range, by bin",
        include_str!("../../queries/pages/overview_latency.sql"),
    );
    steps.bind(ask, "signal_minutes", "signal_hours")
}

/// `until` is when the last window may end: after the range, since a window speaks of what is before its end.
pub fn verdicts(steps: Steps, until: Instant) -> Ask {
    let text = match steps.resolution {
        Resolution::Minutes => include_str!("../../queries/pages/overview_verdicts.sql"),
        Resolution::Hours => include_str!("../../queries/pages/overview_verdicts_hours.sql"),
    };
    Ask::new("The worst verdict of each stretch of the range", text)
        .integer("start_ms", steps.interval.start.millis())
        .integer("end_ms", until.millis())
        .integer("step_ms", seconds(steps.step) * 1_000)
}

pub fn latest(interval: Interval) -> Ask {
    Ask::new("What the latest windows say", include_str!("../../queries/pages/overview_latest.sql"))
        .integer("start_ms", interval.start.millis())
        .integer("end_ms", interval.end.millis())
}

pub fn performance(interval: Interval) -> Ask {
    Ask::new("Realised performance", include_str!("../../queries/pages/overview_performance.sql"))
        .integer("start", interval.start.seconds())
        .integer("end", interval.end.seconds())
}

/// Of `model`, or of all models where it is empty.
pub fn open_incidents(model: &str) -> Ask {
    Ask::new("Open incidents", include_str!("../../queries/pages/open_incidents.sql")).text("model", model)
}

#[derive(Row, Deserialize)]
struct CountRow {
    pages: u64,
    tickets: u64,
    false_pages: u64,
}

#[derive(Row, Deserialize)]
struct ModelRow {
    name: String,
    environment: String,
    last_event: i64,
    last_received_at: i64,
    events: i64,
}

#[derive(Row, Deserialize)]
struct BucketRow {
    name: String,
    environment: String,
    bucket: u32,
    events: i64,
    errors: i64,
}

#[derive(Row, Deserialize)]
struct BinRow {
    name: String,
    environment: String,
    grid: u32,
    bin: u16,
    n: i64,
}

#[derive(Row, Deserialize)]
struct WorstRow {
    name: String,
    environment: String,
    watch: String,
    bucket: i32,
    worst: u8,
}

#[derive(Row, Deserialize)]
struct LatestRow {
    name: String,
    environment: String,
    watch: String,
    window_end: i64,
    too_little: u64,
    on_course: u64,
    suspect: u64,
    off_course: u64,
    events: u64,
    sentence: String,
}

#[derive(Row, Deserialize)]
struct PerformanceRow {
    name: String,
    environment: String,
    metric: String,
    mean: f64,
    error: f64,
    with_outcome: u64,
    all_predictions: u64,
    latest: u32,
}

fn natural(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

impl Store {
    /// How many incidents are open at `now`, for the head of every page.
    pub async fn open_incidents_count(&self, now: Instant) -> Result<OpenIncidents, Error> {
        let query = self
            .query(include_str!("../../queries/pages/open_incidents_count.sql"))
            .param("false_since", now.saturating_sub(FALSE_PAGES_OVER).millis());
        let row: CountRow = query.fetch_one().await?;
        Ok(OpenIncidents { pages: row.pages, tickets: row.tickets, false_pages: row.false_pages })
    }

    /// The open incidents of `model`, or of all models where it is empty, in the order in which they were opened.
    /// Only the last event of each kind is read, so `events` is the number of the last one and not how many were read.
    pub async fn open_incidents(&self, model: &str) -> Result<Vec<Incident>, Error> {
        let rows: Vec<EventRow> = open_incidents(model).rows(self).await?;
        let events: Vec<IncidentEvent> =
            rows.into_iter().map(IncidentEvent::try_from).collect::<Result<_, _>>()?;
        let mut incidents = fold(&events);
        incidents.sort_by(|a, b| a.opened_at.cmp(&b.opened_at).then_with(|| a.id.cmp(&b.id)));
        Ok(incidents)
    }

    pub async fn overview_models(&self, now: Instant) -> Result<Vec<Model>, Error> {
        let rows: Vec<ModelRow> = models(now).rows(self).await?;
        let model = |row: ModelRow| Model {
            name: row.name,
            environment: row.environment,
            last_event: Instant::from_millis(row.last_event),
            last_received_at: Instant::from_millis(row.last_received_at),
            events: natural(row.events),
        };
        Ok(rows.into_iter().map(model).collect())
    }

    pub async fn overview_traffic(&self, steps: Steps) -> Result<Vec<Of<Bucket>>, Error> {
        let rows: Vec<BucketRow> = traffic(steps).rows(self).await?;
        let bucket = |row: BucketRow| Of {
            model: row.name,
            environment: row.environment,
            it: Bucket { bucket: row.bucket, events: natural(row.events), errors: natural(row.errors) },
        };
        Ok(rows.into_iter().map(bucket).collect())
    }

    pub async fn overview_latency(&self, steps: Steps) -> Result<Vec<Of<BinCount>>, Error> {
        let rows: Vec<BinRow> = latency(steps).rows(self).await?;
        let bin = |row: BinRow| Of {
            model: row.name,
            environment: row.environment,
            it: BinCount { grid: GridId(row.grid), bin: Bin(row.bin), n: natural(row.n) },
        };
        Ok(rows.into_iter().map(bin).collect())
    }

    pub async fn overview_verdicts(&self, steps: Steps, until: Instant) -> Result<Vec<Of<Worst>>, Error> {
        let rows: Vec<WorstRow> = verdicts(steps, until).rows(self).await?;
        let worst = |row: WorstRow| Of {
            model: row.name,
            environment: row.environment,
            it: Worst { watch: row.watch, bucket: row.bucket, rank: row.worst },
        };
        Ok(rows.into_iter().map(worst).collect())
    }

    pub async fn overview_latest(&self, interval: Interval) -> Result<Vec<Of<Latest>>, Error> {
        let rows: Vec<LatestRow> = latest(interval).rows(self).await?;
        let latest = |row: LatestRow| Of {
            model: row.name,
            environment: row.environment,
            it: Latest {
                watch: row.watch,
                window_end: Instant::from_millis(row.window_end),
                too_little: row.too_little,
                on_course: row.on_course,
                suspect: row.suspect,
                off_course: row.off_course,
                events: row.events,
                sentence: row.sentence,
            },
        };
        Ok(rows.into_iter().map(latest).collect())
    }

    pub async fn overview_performance(&self, interval: Interval) -> Result<Vec<Of<Performance>>, Error> {
        let rows: Vec<PerformanceRow> = performance(interval).rows(self).await?;
        let performance = |row: PerformanceRow| Of {
            model: row.name,
            environment: row.environment,
            it: Performance {
                metric: row.metric,
                mean: row.mean,
                standard_error: row.error,
                labelled: row.with_outcome,
                predictions: row.all_predictions,
                latest: Instant::from_seconds(i64::from(row.latest)),
            },
        };
        Ok(rows.into_iter().map(performance).collect())
    }
}

/// The questions of the overview as text.
pub fn asked(
    traffic_steps: Steps,
    verdict_steps: Steps,
    until: Instant,
    recent: Interval,
    labels: Interval,
) -> Vec<Asked> {
    [
        open_incidents(""),
        models(recent.end),
        traffic(traffic_steps),
        latency(traffic_steps),
        verdicts(verdict_steps, until),
        latest(recent),
        performance(labels),
    ]
    .iter()
    .map(Ask::asked)
    .collect()
}
