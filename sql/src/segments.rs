//! Segments that nobody watches, asked for once: counted from the raw events by the grids of their signals, so that they
//! compare with everything that is counted already.

use clickhouse::Row;
use domain::baseline::{Moments, SignalBaseline};
use domain::grid::{Bin, GridId};
use domain::signal::segment;
use serde::Deserialize;

use crate::baseline_sums::{Span, bind};
use crate::baselines::BySignal;
use crate::error::Error;
use crate::recount::{CountedBy, SIGNALS_AT_ONCE, WITHIN_S, bind_signals};
use crate::store::Store;

/// A value that events of the segment have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// A category by its full name (`feature.country`), or a tag (`tag.region`).
    pub named: String,
    pub value: String,
}

/// What the events of a segment hold: under the segment of all events, as if there were no others.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SegmentSums {
    pub events: u64,
    pub by_signal: BySignal,
}

#[derive(Row, Deserialize)]
struct SumRow {
    signal: String,
    bin: u16,
    n: u64,
    total: f64,
    squares: f64,
    lowest: f64,
    highest: f64,
}

impl Store {
    /// The counts, moments and bin means of the events of a span for which all conditions hold. A signal that none of them
    /// carries is missing in all.
    pub async fn segment_sums(
        &self,
        span: &Span,
        signals: &[CountedBy],
        conditions: &[Condition],
    ) -> Result<SegmentSums, Error> {
        self.reload_grid_dictionaries().await?;
        let [named, values] = [|one: &Condition| one.named.clone(), |one: &Condition| one.value.clone()]
            .map(|of| conditions.iter().map(of).collect::<Vec<String>>());
        let mut sums = SegmentSums::default();
        for some in signals.chunks(SIGNALS_AT_ONCE) {
            let query = self.query(include_str!("../queries/segment_sums.sql"));
            let query = bind_signals(bind(query, span, span.window), some)
                .param("named", &named)
                .param("values", &values)
                .with_setting("max_execution_time", WITHIN_S);
            sums.take(some, query.fetch_all().await?);
        }
        Ok(sums)
    }
}

impl SegmentSums {
    fn take(&mut self, signals: &[CountedBy], rows: Vec<SumRow>) {
        let of = |grid: GridId| SignalBaseline { grid, ..SignalBaseline::default() };
        let mut found: BySignal = signals
            .iter()
            .map(|counted| ((segment::ALL.to_owned(), counted.signal.clone()), of(counted.grid)))
            .collect();
        for row in rows {
            if row.signal.is_empty() {
                self.events = row.n;
                continue;
            }
            let Some(signal) = found.get_mut(&(segment::ALL.to_owned(), row.signal.clone())) else {
                continue;
            };
            let bin = Bin(row.bin);
            signal.counts.add(bin, row.n);
            let is_of_numbers = signals.iter().any(|one| one.signal == row.signal && one.is_numeric);
            if is_of_numbers && bin > Bin::OTHER {
                signal.means.insert(bin, row.total / row.n as f64);
                signal.moments.merge(&Moments {
                    n: row.n,
                    sum: row.total,
                    sum_of_squares: row.squares,
                    least: row.lowest,
                    greatest: row.highest,
                });
            }
        }
        for signal in found.values_mut() {
            let missing = self.events.saturating_sub(signal.counts.total());
            signal.counts.add(Bin::MISSING, missing);
        }
        self.by_signal.extend(found);
    }
}
