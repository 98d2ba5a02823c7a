//! Counting again from the raw events, in SQL: what the stored counts of a stretch lack or have too much, and the
//! signed differences that put them right. Minutes are compared with the raw events, hours with their minutes. Of a model
//! whose values are only counted, raw events say how many there were and what they broke, and nothing of bins and moments.
//!
//! Invariant: correcting a stretch that nobody writes to makes its differences empty, whatever was stored before. If
//! somebody did write meanwhile, correcting once more repairs what came of it. A correction of minutes feeds the hours by
//! their views; where it died in between they differ, and a correction of hours feeds nothing.

mod breaches;
mod expired;

use clickhouse::Row;
use clickhouse::query::Query;
use domain::grid::GridId;
use domain::time::{HOUR, Instant, Interval, MINUTE};
use serde::{Deserialize, Serialize};

pub use self::breaches::RuleDifference;
pub use self::expired::Kept;
use crate::counts::Resolution;
use crate::counts_only::bind_unvalued;
use crate::error::Error;
use crate::store::Store;

/// Signals in one statement: their names travel in its address, which has a limit.
pub(crate) const SIGNALS_AT_ONCE: usize = 200;

/// A day of many events takes its time; the store's usual limit is meant for pages.
pub(crate) const WITHIN_S: &str = "1800";

/// What is lacking by the minute or by the hour, and where it is written.
struct Lacking {
    time: &'static str,
    counts: &'static str,
    counts_table: &'static str,
    moments: &'static str,
    moments_table: &'static str,
    traffic: &'static str,
    traffic_table: &'static str,
    breaches: &'static str,
    breaches_table: &'static str,
}

const MINUTES: Lacking = Lacking {
    time: "minute",
    counts: include_str!("../queries/recount_counts.sql"),
    counts_table: "signal_minutes",
    moments: include_str!("../queries/recount_moments.sql"),
    moments_table: "signal_moments",
    traffic: include_str!("../queries/recount_traffic.sql"),
    traffic_table: "traffic_minutes",
    breaches: include_str!("../queries/recount_breaches.sql"),
    breaches_table: "breach_minutes",
};

const HOURS: Lacking = Lacking {
    time: "hour",
    counts: include_str!("../queries/recount_counts_of_hours.sql"),
    counts_table: "signal_hours",
    moments: include_str!("../queries/recount_moments_of_hours.sql"),
    moments_table: "signal_moment_hours",
    traffic: include_str!("../queries/recount_traffic_of_hours.sql"),
    traffic_table: "traffic_hours",
    breaches: include_str!("../queries/recount_breaches_of_hours.sql"),
    breaches_table: "breach_hours",
};

/// A signal with the grid that it is counted by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountedBy {
    pub signal: String,
    pub grid: GridId,
    pub is_numeric: bool,
}

/// A watched dimension with the values that are segments of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// As segments begin: `origin`, `tag.region`.
    pub dimension: String,
    /// The signal that carries it: `feature.origin`, `tag.region`.
    pub signal: String,
    pub levels: Vec<String>,
}

/// What is counted again.
#[derive(Clone, Debug, PartialEq)]
pub struct Stretch {
    pub model: String,
    /// Minutes are compared with the raw events, hours with their minutes.
    pub resolution: Resolution,
    /// Event time, in whole steps of the resolution.
    pub interval: Interval,
    /// Only events received before; `None` for all. Hours have no say in it.
    pub received_before: Option<Instant>,
    pub signals: Vec<CountedBy>,
    pub watched: Vec<Watched>,
    /// Whether the segment of all events is counted, or only those of the watched dimensions.
    pub whole: bool,
    /// Whether what is stored is taken into account. If not, all that is counted is taken to be lacking.
    pub compared: bool,
    /// Whether raw events keep their values. If not, bins, moments and watched segments by the minute are left alone:
    /// nothing says what they should be.
    pub values_kept: bool,
    /// Events received then are not looked at, because their values were not kept.
    pub unvalued: Vec<Interval>,
}

impl Stretch {
    /// The same by the hour: the whole hours that it touches.
    pub fn by_hours(&self) -> Self {
        let interval = self.interval.widened_to(HOUR);
        Self { resolution: Resolution::Hours, interval, ..self.clone() }
    }

    /// Whether there is anything to hold bins, moments and watched segments against.
    fn has_values(&self) -> bool {
        self.values_kept || self.resolution == Resolution::Hours
    }

    /// The signals to count, as many at a time as one statement takes.
    fn signals_at_once(&self) -> std::slice::Chunks<'_, CountedBy> {
        let signals = if self.has_values() { self.signals.as_slice() } else { &[] };
        signals.chunks(SIGNALS_AT_ONCE)
    }

    fn lacking(&self) -> &'static Lacking {
        match self.resolution {
            Resolution::Minutes => &MINUTES,
            Resolution::Hours => &HOURS,
        }
    }
}

/// How the counts of one signal differ.
#[derive(Clone, Debug, PartialEq, Eq, Row, Serialize, Deserialize)]
pub struct SignalDifference {
    pub signal: String,
    /// Cells (bins of a minute or hour of a segment) that are wrong.
    pub cells: u64,
    /// Values that are not counted, in the segment of all events.
    pub lacking: u64,
    /// Counts without a value, in the segment of all events.
    pub surplus: u64,
}

/// A day of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    pub at: Instant,
    pub events: u64,
    pub last_received_at: Instant,
}

#[derive(Row, Deserialize)]
struct DayRow {
    day: i64,
    events: u64,
    last_received_at: i64,
}

/// A signal that raw events carry.
#[derive(Clone, Debug, PartialEq, Eq, Row, Serialize, Deserialize)]
pub struct CarriedSignal {
    pub signal: String,
    pub numbers: u64,
    pub categories: u64,
}

impl Store {
    /// Makes grids that were just written known to the dictionaries by which SQL counts. Call before counting.
    pub async fn reload_grid_dictionaries(&self) -> Result<(), Error> {
        let cluster = &self.config().cluster;
        let on_cluster = if cluster.is_empty() { String::new() } else { format!(" ON CLUSTER {cluster}") };
        for dictionary in ["grid_ranges", "grid_levels"] {
            let database = &self.config().database;
            self.execute(&format!("SYSTEM RELOAD DICTIONARY{on_cluster} {database}.{dictionary}")).await?;
        }
        Ok(())
    }

    /// How the stored counts differ from the raw events, or those of hours from their minutes, by signal; empty where they
    /// agree.
    pub async fn count_differences(&self, stretch: &Stretch) -> Result<Vec<SignalDifference>, Error> {
        let counts = stretch.lacking().counts;
        let text = format!(
            "SELECT signal, toUInt64(count()) AS cells, toUInt64(sumIf(n, n > 0 AND segment = '')) AS lacking, \
             toUInt64(-sumIf(n, n < 0 AND segment = '')) AS surplus FROM ({counts}) GROUP BY signal ORDER BY signal"
        );
        let mut differences = Vec::new();
        for signals in stretch.signals_at_once() {
            let query = self.bound(&text, stretch, signals);
            differences.extend(query.fetch_all::<SignalDifference>().await?);
        }
        Ok(differences)
    }

    /// Writes what the counts lack, signed; hours follow their minutes by a view.
    pub async fn correct_counts(&self, stretch: &Stretch) -> Result<(), Error> {
        for statement in self.counting(stretch) {
            without_tokens(statement).execute().await?;
        }
        Ok(())
    }

    /// The statements that write what the counts lack.
    pub(crate) fn counting(&self, stretch: &Stretch) -> Vec<Query> {
        let Lacking { time, counts, counts_table, .. } = stretch.lacking();
        let text = format!(
            "INSERT INTO {counts_table} (model, version, environment, grid, segment, signal, {time}, bin, n) \
             SELECT {{model:String}}, version, environment, grid, segment, signal, {time}, bin, n FROM ({counts})"
        );
        let parts = stretch.signals_at_once();
        parts.map(|signals| self.bound(&text, stretch, signals)).collect()
    }

    /// How many minutes of moments differ from the raw events, or hours from their minutes.
    pub async fn moment_differences(&self, stretch: &Stretch) -> Result<u64, Error> {
        if !stretch.has_values() {
            return Ok(0);
        }
        let text = format!("SELECT toUInt64(count()) FROM ({})", stretch.lacking().moments);
        Ok(self.bound(&text, stretch, &[]).fetch_one().await?)
    }

    /// Writes what the moments lack. Extremes can only be widened.
    pub async fn correct_moments(&self, stretch: &Stretch) -> Result<(), Error> {
        if !stretch.has_values() {
            return Ok(());
        }
        Ok(without_tokens(self.summing(stretch)).execute().await?)
    }

    pub(crate) fn summing(&self, stretch: &Stretch) -> Query {
        let Lacking { time, moments, moments_table, .. } = stretch.lacking();
        let text = format!(
            "INSERT INTO {moments_table} (model, version, environment, segment, signal, {time}, n, sum, \
             sum_of_squares, least, greatest) SELECT {{model:String}}, version, environment, segment, signal, {time}, \
             n, total, squares, lowest, highest FROM ({moments})"
        );
        self.bound(&text, stretch, &[])
    }

    /// How many minutes of traffic differ from the raw events, or hours from their minutes.
    pub async fn traffic_differences(&self, stretch: &Stretch) -> Result<u64, Error> {
        let text = format!("SELECT toUInt64(count()) FROM ({})", stretch.lacking().traffic);
        Ok(self.bound(&text, stretch, &[]).fetch_one().await?)
    }

    /// Writes what the traffic lacks.
    pub async fn correct_traffic(&self, stretch: &Stretch) -> Result<(), Error> {
        Ok(without_tokens(self.tallying(stretch)).execute().await?)
    }

    pub(crate) fn tallying(&self, stretch: &Stretch) -> Query {
        let Lacking { time, traffic, traffic_table, .. } = stretch.lacking();
        let text = format!(
            "INSERT INTO {traffic_table} (model, version, environment, segment, {time}, events, errors, first_event, \
             last_event, largest_lag_ms, last_received_at) SELECT {{model:String}}, version, environment, segment, \
             {time}, events, errors, earliest, latest, lag, received FROM ({traffic})"
        );
        self.bound(&text, stretch, &[])
    }

    /// The days of `interval` that hold events of `model`, raw, counted or refused, ascending.
    pub async fn days_of(&self, model: &str, interval: Interval) -> Result<Vec<Day>, Error> {
        let mut days = std::collections::BTreeMap::<i64, Day>::new();
        let queries = [
            include_str!("../queries/recount_days.sql"),
            include_str!("../queries/recount_counted_days.sql"),
            include_str!("../queries/recount_breached_days.sql"),
        ];
        for text in queries {
            let rows: Vec<DayRow> = self.in_interval(text, model, interval).fetch_all().await?;
            for row in rows {
                let received = Instant::from_millis(row.last_received_at);
                let at = Instant::from_seconds(row.day);
                let day = days.entry(row.day).or_insert(Day { at, events: 0, last_received_at: received });
                day.events = day.events.max(row.events);
                day.last_received_at = day.last_received_at.max(received);
            }
        }
        Ok(days.into_values().collect())
    }

    /// The minutes, or hours, of a stretch in which an event was received within `received`, ascending: what is stored of it
    /// may be there in part only.
    pub async fn moving(&self, stretch: &Stretch, received: Interval) -> Result<Vec<Instant>, Error> {
        // Hours are compared with counts, so it is enough to see those; an hour of raw events is much to read.
        let (step, raw) = match stretch.resolution {
            Resolution::Minutes => (MINUTE, 1_u8),
            Resolution::Hours => (HOUR, 0),
        };
        let query = self
            .in_interval(include_str!("../queries/recount_moving.sql"), &stretch.model, stretch.interval)
            .param("raw", raw)
            .param("since_ms", received.start.millis())
            .param("until_ms", received.end.millis());
        let minutes: Vec<i64> = query.fetch_all().await?;
        let mut steps: Vec<Instant> =
            minutes.into_iter().map(|minute| Instant::from_seconds(minute).floor(step)).collect();
        steps.dedup();
        Ok(steps)
    }

    /// Signals that raw events of a stretch carry and that are not among `counted`.
    pub async fn signals_beside(
        &self,
        model: &str,
        interval: Interval,
        counted: &[String],
    ) -> Result<Vec<CarriedSignal>, Error> {
        let text = include_str!("../queries/carried_signals.sql");
        let carried: Vec<CarriedSignal> = self.in_interval(text, model, interval).fetch_all().await?;
        let counted: std::collections::HashSet<&str> = counted.iter().map(String::as_str).collect();
        Ok(carried.into_iter().filter(|carried| !counted.contains(carried.signal.as_str())).collect())
    }

    pub(crate) fn in_interval(&self, text: &str, model: &str, interval: Interval) -> Query {
        self.query(text)
            .param("model", model)
            .param("from_ms", interval.start.millis())
            .param("to_ms", interval.end.millis())
            .with_setting("max_execution_time", WITHIN_S)
    }

    fn bound(&self, text: &str, stretch: &Stretch, signals: &[CountedBy]) -> Query {
        let received_before = stretch.received_before.map_or(LAST_MS, Instant::millis);
        let query = self
            .in_interval(text, &stretch.model, stretch.interval)
            .param("received_before_ms", received_before)
            .param("whole", u8::from(stretch.whole))
            .param("stored", u8::from(stretch.compared));
        let watched = if stretch.has_values() { stretch.watched.as_slice() } else { &[] };
        bind_watched(bind_signals(bind_unvalued(query, &stretch.unvalued), signals), watched)
    }
}

/// The last instant that `DateTime64(3)` can tell: 2299-12-31.
const LAST_MS: i64 = 10_413_791_999_000;

pub(crate) fn bind_signals(query: Query, signals: &[CountedBy]) -> Query {
    let names: Vec<&str> = signals.iter().map(|counted| counted.signal.as_str()).collect();
    let grids: Vec<u32> = signals.iter().map(|counted| counted.grid.0).collect();
    let numeric: Vec<&str> =
        signals.iter().filter(|counted| counted.is_numeric).map(|counted| counted.signal.as_str()).collect();
    query.param("signals", names).param("grids", grids).param("numeric", numeric)
}

pub(crate) fn bind_watched(query: Query, watched: &[Watched]) -> Query {
    let dimensions: Vec<&str> = watched.iter().map(|watched| watched.dimension.as_str()).collect();
    let carriers: Vec<&str> = watched.iter().map(|watched| watched.signal.as_str()).collect();
    let levels: Vec<&[String]> = watched.iter().map(|watched| watched.levels.as_slice()).collect();
    query
        .param("dimensions", dimensions)
        .param("dimension_signals", carriers)
        .param("dimension_levels", levels)
}

/// Differences of two corrections may be the same rows and both be meant.
fn without_tokens(query: Query) -> Query {
    query
        .with_setting("insert_deduplicate", "0")
        .with_setting("deduplicate_blocks_in_dependent_materialized_views", "0")
        .with_setting("max_execution_time", WITHIN_S)
}
