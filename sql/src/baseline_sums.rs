//! A baseline as a sum of what is stored: the counts and moments of a stretch, with the mean value and the mean
//! prediction of each bin from the raw events that are still kept.

use clickhouse::Row;
use clickhouse::query::Query;
use domain::baseline::Moments;
use domain::grid::{Bin, GridId};
use domain::time::{HOUR, Instant, Interval};
use serde::{Deserialize, Serialize};

use crate::baselines::BySignal;
use crate::error::Error;
use crate::recount::{CountedBy, SIGNALS_AT_ONCE, WITHIN_S, Watched, bind_signals, bind_watched};
use crate::store::Store;

/// What a baseline is summed over.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    pub model: String,
    pub environment: String,
    /// Event time; whole hours are read from the counts by the hour, which are kept longest, else whole minutes.
    pub window: Interval,
    /// One version; empty for all.
    pub version: String,
}

/// How many events a span has, and between which they lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    pub events: u64,
    pub first_event: Instant,
    pub last_event: Instant,
}

#[derive(Row, Deserialize)]
struct ExtentRow {
    events: i64,
    first_event: i64,
    last_event: i64,
}

#[derive(Row, Serialize, Deserialize)]
struct CountRow {
    segment: String,
    signal: String,
    grid: u32,
    bin: u16,
    n: i64,
}

#[derive(Row, Serialize, Deserialize)]
struct SumRow {
    segment: String,
    signal: String,
    n: i64,
    total: f64,
    squares: f64,
    lowest: f64,
    highest: f64,
}

#[derive(Row, Serialize, Deserialize)]
struct MeanRow {
    segment: String,
    signal: String,
    bin: u16,
    mean: Option<f64>,
    mean_prediction: Option<f64>,
}

/// The same question by minutes and by hours.
struct Both {
    minutes: &'static str,
    hours: &'static str,
}

const COUNTS: Both = Both {
    minutes: include_str!("../queries/baseline_counts_by_minutes.sql"),
    hours: include_str!("../queries/baseline_counts_by_hours.sql"),
};
const SUMS: Both = Both {
    minutes: include_str!("../queries/baseline_sums_by_minutes.sql"),
    hours: include_str!("../queries/baseline_sums_by_hours.sql"),
};
const TRAFFIC: Both = Both {
    minutes: include_str!("../queries/baseline_traffic_by_minutes.sql"),
    hours: include_str!("../queries/baseline_traffic_by_hours.sql"),
};

impl Store {
    /// How many events a span has; `None` where it has none.
    pub async fn extent(&self, span: &Span) -> Result<Option<Extent>, Error> {
        let row: ExtentRow = self.summed(&TRAFFIC, span).fetch_one().await?;
        Ok(u64::try_from(row.events).ok().filter(|events| *events > 0).map(|events| Extent {
            events,
            first_event: Instant::from_millis(row.first_event),
            last_event: Instant::from_millis(row.last_event),
        }))
    }

    /// The counts of a span by the grids of `signals`, in every segment, with moments and the means of bins.
    /// `prediction` is the signal of *the* prediction, where there is one.
    ///
    /// Means need raw events: where those have expired, bins have none.
    pub async fn sum_baseline(
        &self,
        span: &Span,
        signals: &[CountedBy],
        watched: &[Watched],
        prediction: Option<&str>,
    ) -> Result<BySignal, Error> {
        let mut by_signal = BySignal::new();
        let counts: Vec<CountRow> = self.summed(&COUNTS, span).fetch_all().await?;
        let grid_of =
            |signal: &str| signals.iter().find(|counted| counted.signal == signal).map(|by| by.grid);
        for row in counts {
            if grid_of(&row.signal) != Some(GridId(row.grid)) {
                continue;
            }
            let signal = by_signal.entry((row.segment, row.signal)).or_default();
            signal.grid = GridId(row.grid);
            signal.counts.add(Bin(row.bin), u64::try_from(row.n).unwrap_or(0));
        }
        let sums: Vec<SumRow> = self.summed(&SUMS, span).fetch_all().await?;
        for row in sums {
            if let Some(signal) = by_signal.get_mut(&(row.segment, row.signal)) {
                signal.moments = Moments {
                    n: u64::try_from(row.n).unwrap_or(0),
                    sum: row.total,
                    sum_of_squares: row.squares,
                    least: row.lowest,
                    greatest: row.highest,
                };
            }
        }
        self.add_means(span, signals, watched, prediction, &mut by_signal).await?;
        Ok(by_signal)
    }

    async fn add_means(
        &self,
        span: &Span,
        signals: &[CountedBy],
        watched: &[Watched],
        prediction: Option<&str>,
        by_signal: &mut BySignal,
    ) -> Result<(), Error> {
        self.reload_grid_dictionaries().await?;
        for some in signals.chunks(SIGNALS_AT_ONCE) {
            let query = self.query(include_str!("../queries/baseline_means.sql"));
            let query = bind_watched(bind_signals(bind(query, span, span.window), some), watched)
                .param("whole", 1_u8)
                .param("prediction", prediction.unwrap_or(""))
                .with_setting("max_execution_time", WITHIN_S);
            let rows: Vec<MeanRow> = query.fetch_all().await?;
            for row in rows {
                let Some(signal) = by_signal.get_mut(&(row.segment, row.signal)) else { continue };
                let bin = Bin(row.bin);
                signal.means.extend(row.mean.map(|mean| (bin, mean)));
                signal.mean_predictions.extend(row.mean_prediction.map(|mean| (bin, mean)));
            }
        }
        Ok(())
    }

    fn summed(&self, both: &Both, span: &Span) -> Query {
        let is_whole = span.window.widened_to(HOUR) == span.window;
        let text = if is_whole { both.hours } else { both.minutes };
        bind(self.query(text), span, span.window)
    }
}

pub(crate) fn bind(query: Query, span: &Span, window: Interval) -> Query {
    query
        .param("model", &span.model)
        .param("environment", &span.environment)
        .param("version", &span.version)
        .param("from_ms", window.start.millis())
        .param("to_ms", window.end.millis())
}
