//! `signal_minutes`, `signal_moments`, `traffic_minutes` and their hours: the sums that every question is made of.

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type, TimestampMillisecondType, UInt16Type, UInt32Type};
use domain::baseline::Moments;
use domain::grid::{Bin, GridId};
use domain::time::{Instant, Interval};

use crate::error::Error;
use crate::store::Store;

/// Which counts are wanted. Versions are added up.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    pub model: String,
    pub environment: String,
    /// The stretch of event time; widened to whole steps of the resolution.
    pub interval: Interval,
    pub resolution: Resolution,
    /// Only these segments (`""` is all events); empty for every segment.
    pub segments: Vec<String>,
    /// Only these signals; empty for every signal.
    pub signals: Vec<String>,
    /// Points are added up over steps of so many seconds (a multiple of the resolution); 0 for one sum over all.
    pub step_s: u32,
}

/// Whose events are counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Versions {
    #[default]
    All,
    Only(String),
    AllBut(String),
}

impl Versions {
    /// Those that are wanted, empty for all, and those that are not.
    pub(crate) fn lists(&self) -> [&[String]; 2] {
        match self {
            Self::All => [&[], &[]],
            Self::Only(version) => [std::slice::from_ref(version), &[]],
            Self::AllBut(version) => [&[], std::slice::from_ref(version)],
        }
    }
}

/// Hours are sixty times fewer rows, and are kept much longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    Minutes,
    Hours,
}

/// The counts of one signal in one segment on one grid, over time.
#[derive(Clone, Debug, PartialEq)]
pub struct CountSeries {
    pub segment: String,
    pub signal: String,
    pub grid: GridId,
    /// Ascending in time.
    pub points: Vec<CountPoint>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CountPoint {
    /// The start of the step; the start of the interval where there is one sum.
    pub at: Instant,
    pub bin: Bin,
    pub n: u64,
}

/// The moments of one numeric signal in one segment over one step.
#[derive(Clone, Debug, PartialEq)]
pub struct MomentPoint {
    pub segment: String,
    pub signal: String,
    pub at: Instant,
    pub moments: Moments,
}

/// The traffic of one segment over one step.
#[derive(Clone, Debug, PartialEq)]
pub struct TrafficPoint {
    pub segment: String,
    pub at: Instant,
    pub events: u64,
    pub errors: u64,
    pub first_event: Instant,
    pub last_event: Instant,
    pub largest_lag_ms: i64,
    /// When the newest of these events was received: what late events change.
    pub last_received_at: Instant,
}

impl Question {
    fn bind(&self, store: &Store, minutes: &'static str, hours: &'static str) -> clickhouse::query::Query {
        let (text, step) = match self.resolution {
            Resolution::Minutes => (minutes, domain::time::MINUTE),
            Resolution::Hours => (hours, domain::time::HOUR),
        };
        let whole = self.interval.widened_to(step);
        let step_s = if self.step_s == 0 { u32::MAX } else { self.step_s };
        store
            .query(text)
            .param("model", &self.model)
            .param("environment", &self.environment)
            .param("start", whole.start.seconds())
            .param("end", whole.end.seconds())
            .param("segments", &self.segments)
            .param("signals", &self.signals)
            .param("step_s", step_s)
    }
}

impl Store {
    /// Counts by segment, signal and grid over time, in the order segment, signal, grid, time, bin.
    ///
    /// Sums that a recount has corrected to nothing are left out.
    pub async fn counts(&self, question: &Question) -> Result<Vec<CountSeries>, Error> {
        self.counts_of(question, &Versions::All).await
    }

    /// The same of some versions.
    pub async fn counts_of(
        &self,
        question: &Question,
        versions: &Versions,
    ) -> Result<Vec<CountSeries>, Error> {
        let [wanted, others] = versions.lists();
        let query = question
            .bind(
                self,
                include_str!("../queries/counts_by_minutes.sql"),
                include_str!("../queries/counts_by_hours.sql"),
            )
            .param("versions", wanted)
            .param("other_versions", others);
        let mut series: Vec<CountSeries> = Vec::new();
        for batch in self.fetch_arrow("counts", query).await? {
            read_counts(&batch, &mut series);
        }
        Ok(series)
    }

    /// Moments by segment and signal over time, in that order.
    pub async fn moments(&self, question: &Question) -> Result<Vec<MomentPoint>, Error> {
        self.moments_of(question, &Versions::All).await
    }

    /// The same of some versions.
    pub async fn moments_of(
        &self,
        question: &Question,
        versions: &Versions,
    ) -> Result<Vec<MomentPoint>, Error> {
        let [wanted, others] = versions.lists();
        let query = question
            .bind(
                self,
                include_str!("../queries/moments_by_minutes.sql"),
                include_str!("../queries/moments_by_hours.sql"),
            )
            .param("versions", wanted)
            .param("other_versions", others);
        let batches = self.fetch_arrow("moments", query).await?;
        Ok(batches.iter().flat_map(read_moments).collect())
    }

    /// Traffic by segment over time, in that order. `signals` of the question is not used.
    pub async fn traffic(&self, question: &Question) -> Result<Vec<TrafficPoint>, Error> {
        let query = question.bind(
            self,
            include_str!("../queries/traffic_by_minutes.sql"),
            include_str!("../queries/traffic_by_hours.sql"),
        );
        let batches = self.fetch_arrow("traffic", query).await?;
        Ok(batches.iter().flat_map(read_traffic).collect())
    }
}

fn column(batch: &RecordBatch, name: &str) -> arrow::array::ArrayRef {
    batch.column_by_name(name).cloned().unwrap_or_else(|| panic!("the query names a column {name}"))
}

fn read_counts(batch: &RecordBatch, series: &mut Vec<CountSeries>) {
    let (segments, signals) = (column(batch, "segment"), column(batch, "signal"));
    let (segments, signals) = (segments.as_string::<i32>(), signals.as_string::<i32>());
    let (grids, ats) = (column(batch, "grid"), column(batch, "at"));
    let (grids, ats) = (grids.as_primitive::<UInt32Type>(), ats.as_primitive::<Int64Type>());
    let (bins, ns) = (column(batch, "bin"), column(batch, "n"));
    let (bins, ns) = (bins.as_primitive::<UInt16Type>(), ns.as_primitive::<Int64Type>());
    for row in 0..batch.num_rows() {
        let point = CountPoint {
            at: Instant::from_seconds(ats.value(row)),
            bin: Bin(bins.value(row)),
            n: u64::try_from(ns.value(row)).unwrap_or(0),
        };
        let grid = GridId(grids.value(row));
        match series.last_mut() {
            Some(last)
                if last.segment == segments.value(row)
                    && last.signal == signals.value(row)
                    && last.grid == grid =>
            {
                last.points.push(point);
            }
            _ => series.push(CountSeries {
                segment: segments.value(row).to_owned(),
                signal: signals.value(row).to_owned(),
                grid,
                points: vec![point],
            }),
        }
    }
}

fn read_moments(batch: &RecordBatch) -> Vec<MomentPoint> {
    let (segments, signals) = (column(batch, "segment"), column(batch, "signal"));
    let (segments, signals) = (segments.as_string::<i32>(), signals.as_string::<i32>());
    let (ats, ns) = (column(batch, "at"), column(batch, "n"));
    let (ats, ns) = (ats.as_primitive::<Int64Type>(), ns.as_primitive::<Int64Type>());
    let floats = ["sum", "sum_of_squares", "least", "greatest"].map(|name| column(batch, name));
    let value = |index: usize, row: usize| floats[index].as_primitive::<Float64Type>().value(row);
    (0..batch.num_rows())
        .map(|row| MomentPoint {
            segment: segments.value(row).to_owned(),
            signal: signals.value(row).to_owned(),
            at: Instant::from_seconds(ats.value(row)),
            moments: Moments {
                n: u64::try_from(ns.value(row)).unwrap_or(0),
                sum: value(0, row),
                sum_of_squares: value(1, row),
                least: value(2, row),
                greatest: value(3, row),
            },
        })
        .collect()
}

fn read_traffic(batch: &RecordBatch) -> Vec<TrafficPoint> {
    let segments = column(batch, "segment");
    let segments = segments.as_string::<i32>();
    let integers = ["at", "events", "errors", "largest_lag_ms"].map(|name| column(batch, name));
    let integer = |index: usize, row: usize| integers[index].as_primitive::<Int64Type>().value(row);
    let instants = ["first_event", "last_event", "last_received_at"].map(|name| column(batch, name));
    let instant = |index: usize, row: usize| {
        Instant::from_millis(instants[index].as_primitive::<TimestampMillisecondType>().value(row))
    };
    (0..batch.num_rows())
        .map(|row| TrafficPoint {
            segment: segments.value(row).to_owned(),
            at: Instant::from_seconds(integer(0, row)),
            events: u64::try_from(integer(1, row)).unwrap_or(0),
            errors: u64::try_from(integer(2, row)).unwrap_or(0),
            first_event: instant(0, row),
            last_event: instant(1, row),
            largest_lag_ms: integer(3, row),
            last_received_at: instant(2, row),
        })
        .collect()
}
