//! `baselines`, `baseline_bins`, `baseline_moments`: named counts that later windows are compared with.

use std::collections::BTreeMap;

use clickhouse::Row;
use domain::baseline::{Baseline, Moments, SignalBaseline};
use domain::grid::{Bin, GridId};
use domain::time::{Instant, Interval};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::store::Store;

/// Counts of a baseline by (segment, signal).
pub type BySignal = BTreeMap<(String, String), SignalBaseline>;

#[derive(Row, Serialize, Deserialize)]
struct BaselineRow {
    model: String,
    environment: String,
    name: String,
    window_start: i64,
    window_end: i64,
    source: String,
    events: u64,
    created_at: i64,
}

#[derive(Row, Serialize, Deserialize)]
struct BinRow {
    model: String,
    environment: String,
    name: String,
    created_at: i64,
    segment: String,
    signal: String,
    grid: u32,
    bin: u16,
    n: u64,
    mean: Option<f64>,
    mean_prediction: Option<f64>,
}

#[derive(Row, Serialize, Deserialize)]
struct MomentRow {
    model: String,
    environment: String,
    name: String,
    created_at: i64,
    segment: String,
    signal: String,
    n: u64,
    sum: f64,
    sum_of_squares: f64,
    least: f64,
    greatest: f64,
}

impl From<BaselineRow> for Baseline {
    fn from(row: BaselineRow) -> Self {
        Self {
            model: row.model,
            environment: row.environment,
            name: row.name,
            window: Interval::new(
                Instant::from_millis(row.window_start),
                Instant::from_millis(row.window_end),
            ),
            source: row.source,
            events: row.events,
            created_at: Instant::from_millis(row.created_at),
        }
    }
}

impl Store {
    /// All baselines of `model`, or of every model, without their counts.
    pub async fn baselines(&self, model: Option<&str>) -> Result<Vec<Baseline>, Error> {
        let query = self.query(include_str!("../queries/baselines.sql")).param("model", model.unwrap_or(""));
        let rows: Vec<BaselineRow> = query.fetch_all().await?;
        Ok(rows.into_iter().map(Baseline::from).collect())
    }

    /// The counts of one baseline.
    pub async fn baseline_counts(&self, baseline: &Baseline) -> Result<BySignal, Error> {
        let bind = |text: &str| {
            self.query(text)
                .param("model", &baseline.model)
                .param("environment", &baseline.environment)
                .param("name", &baseline.name)
                .param("created_at", baseline.created_at.millis())
        };
        let mut by_signal = gathered(bind(include_str!("../queries/baseline_bins.sql")).fetch_all().await?);
        let moments: Vec<MomentRow> =
            bind(include_str!("../queries/baseline_moments.sql")).fetch_all().await?;
        for row in moments {
            if let Some(signal) = by_signal.get_mut(&(row.segment, row.signal)) {
                signal.moments = Moments {
                    n: row.n,
                    sum: row.sum,
                    sum_of_squares: row.sum_of_squares,
                    least: row.least,
                    greatest: row.greatest,
                };
            }
        }
        Ok(by_signal)
    }

    /// The counts of some signals of the baseline `name` as it is now, in `segments` (in all where none is named),
    /// without their moments.
    pub async fn baseline_counts_of(
        &self,
        (model, environment, name): (&str, &str, &str),
        signals: &[String],
        segments: &[String],
    ) -> Result<BySignal, Error> {
        let query = self
            .query(include_str!("../queries/baseline_bins_of.sql"))
            .param("model", model)
            .param("environment", environment)
            .param("name", name)
            .param("signals", signals)
            .param("segments", segments);
        Ok(gathered(query.fetch_all().await?))
    }

    /// Stores a baseline: its counts first, then its name, so that nobody reads half of one.
    pub async fn write_baseline(&self, baseline: &Baseline, by_signal: &BySignal) -> Result<(), Error> {
        let mut bins = self.client().insert::<BinRow>("baseline_bins").await?;
        let mut moments = self.client().insert::<MomentRow>("baseline_moments").await?;
        for ((segment, signal), counted) in by_signal {
            for row in bin_rows(baseline, segment, signal, counted) {
                bins.write(&row).await?;
            }
            if counted.moments.n > 0 {
                moments.write(&moment_row(baseline, segment, signal, &counted.moments)).await?;
            }
        }
        bins.end().await?;
        moments.end().await?;
        let mut names = self.client().insert::<BaselineRow>("baselines").await?;
        names
            .write(&BaselineRow {
                model: baseline.model.clone(),
                environment: baseline.environment.clone(),
                name: baseline.name.clone(),
                window_start: baseline.window.start.millis(),
                window_end: baseline.window.end.millis(),
                source: baseline.source.clone(),
                events: baseline.events,
                created_at: baseline.created_at.millis(),
            })
            .await?;
        Ok(names.end().await?)
    }
}

/// Rows of bins as the counts of each signal.
fn gathered(rows: Vec<BinRow>) -> BySignal {
    let mut by_signal = BySignal::new();
    for row in rows {
        let signal = by_signal.entry((row.segment, row.signal)).or_default();
        let bin = Bin(row.bin);
        signal.grid = GridId(row.grid);
        signal.counts.add(bin, row.n);
        signal.means.extend(row.mean.map(|mean| (bin, mean)));
        signal.mean_predictions.extend(row.mean_prediction.map(|mean| (bin, mean)));
    }
    by_signal
}

fn bin_rows(
    baseline: &Baseline,
    segment: &str,
    signal: &str,
    counted: &SignalBaseline,
) -> impl Iterator<Item = BinRow> {
    counted.counts.iter().map(move |(bin, n)| BinRow {
        model: baseline.model.clone(),
        environment: baseline.environment.clone(),
        name: baseline.name.clone(),
        created_at: baseline.created_at.millis(),
        segment: segment.to_owned(),
        signal: signal.to_owned(),
        grid: counted.grid.0,
        bin: bin.0,
        n,
        mean: counted.means.get(&bin).copied(),
        mean_prediction: counted.mean_predictions.get(&bin).copied(),
    })
}

fn moment_row(baseline: &Baseline, segment: &str, signal: &str, moments: &Moments) -> MomentRow {
    MomentRow {
        model: baseline.model.clone(),
        environment: baseline.environment.clone(),
        name: baseline.name.clone(),
        created_at: baseline.created_at.millis(),
        segment: segment.to_owned(),
        signal: signal.to_owned(),
        n: moments.n,
        sum: moments.sum,
        sum_of_squares: moments.sum_of_squares,
        least: moments.least,
        greatest: moments.greatest,
    }
}
