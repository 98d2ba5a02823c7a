//! `grids`: the bins of each signal. Announced before they hold, marked when everything earlier was counted by them.

use clickhouse::Row;
use domain::grid::{Bins, Edges, Grid, GridId, Levels};
use domain::time::Instant;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::store::Store;

/// A grid with its history.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredGrid {
    pub grid: Grid,
    /// From what it was made, for people: `5,000 events`, `file flights.parquet`.
    pub made_from: String,
    pub made_of: u64,
    pub announced_at: Instant,
    /// When everything received before it held had been counted by it.
    pub recounted_at: Option<Instant>,
}

#[derive(Row, Serialize, Deserialize)]
pub(crate) struct GridRow {
    pub model: String,
    pub signal: String,
    pub grid: u32,
    pub kind: i8,
    pub holds_from: i64,
    pub edges: Vec<f64>,
    pub lows: Vec<f64>,
    pub highs: Vec<f64>,
    pub levels: Vec<String>,
    pub made_from: String,
    pub made_of: u64,
    pub announced_at: i64,
    pub recounted_at: Option<i64>,
}

const NUMBER: i8 = 1;
const CATEGORY: i8 = 2;

impl From<&StoredGrid> for GridRow {
    fn from(stored: &StoredGrid) -> Self {
        let grid = &stored.grid;
        let (edges, levels) = match &grid.bins {
            Bins::Numbers(edges) => (edges.as_slice().to_vec(), Vec::new()),
            Bins::Categories(levels) => (Vec::new(), levels.names().to_vec()),
        };
        let ranges = match &grid.bins {
            Bins::Numbers(edges) => (0..edges.bins()).map(|position| closed_range(edges, position)).collect(),
            Bins::Categories(_) => Vec::new(),
        };
        let (lows, highs): (Vec<f64>, Vec<f64>) = ranges.into_iter().unzip();
        Self {
            model: grid.model.clone(),
            signal: grid.signal.clone(),
            grid: grid.id.0,
            kind: if grid.is_numeric() { NUMBER } else { CATEGORY },
            holds_from: grid.holds_from.millis(),
            edges,
            lows,
            highs,
            levels,
            made_from: stored.made_from.clone(),
            made_of: stored.made_of,
            announced_at: stored.announced_at.millis(),
            recounted_at: stored.recounted_at.map(Instant::millis),
        }
    }
}

/// A bin `(a, b]` as the closed range of finite numbers that a range dictionary wants.
fn closed_range(edges: &Edges, position: usize) -> (f64, f64) {
    let (low, high) = edges.limits(position);
    let low = if low.is_infinite() { f64::MIN } else { low.next_up() };
    (low, high.min(f64::MAX))
}

impl TryFrom<GridRow> for StoredGrid {
    type Error = Error;

    fn try_from(row: GridRow) -> Result<Self, Error> {
        let bins = match row.kind {
            NUMBER => Bins::Numbers(Edges::try_from(row.edges).map_err(|error| Error::Unexpected {
                query: "grids",
                problem: format!("{} of {}: {error}", row.signal, row.model),
            })?),
            _ => Bins::Categories(Levels::of(row.levels)),
        };
        let grid = Grid {
            id: GridId(row.grid),
            model: row.model,
            signal: row.signal,
            holds_from: Instant::from_millis(row.holds_from),
            bins,
        };
        Ok(Self {
            grid,
            made_from: row.made_from,
            made_of: row.made_of,
            announced_at: Instant::from_millis(row.announced_at),
            recounted_at: row.recounted_at.map(Instant::from_millis),
        })
    }
}

impl Store {
    /// Every grid of `model`, or of all models, that was ever announced; [`in_force`] says which one counts.
    pub async fn grids(&self, model: Option<&str>) -> Result<Vec<StoredGrid>, Error> {
        let query = self.query(include_str!("../queries/grids.sql")).param("model", model.unwrap_or(""));
        let rows: Vec<GridRow> = query.fetch_all().await?;
        rows.into_iter().map(StoredGrid::try_from).collect()
    }

    /// Every grid that was ever announced for some signals of `model`.
    pub async fn grids_of(&self, model: &str, signals: &[String]) -> Result<Vec<StoredGrid>, Error> {
        let query = self
            .query(include_str!("../queries/grids_of.sql"))
            .param("model", model)
            .param("signals", signals);
        let rows: Vec<GridRow> = query.fetch_all().await?;
        rows.into_iter().map(StoredGrid::try_from).collect()
    }

    /// A number that changes whenever a row of `grids` does: cheap enough to ask every second.
    pub async fn grids_version(&self) -> Result<u64, Error> {
        Ok(self.query(include_str!("../queries/grids_version.sql")).fetch_one().await?)
    }

    /// Announces grids, or replaces what is known of them (after the recount).
    pub async fn write_grids(&self, grids: &[StoredGrid]) -> Result<(), Error> {
        let mut insert = self.client().insert::<GridRow>("grids").await?;
        for grid in grids {
            insert.write(&GridRow::from(grid)).await?;
        }
        Ok(insert.end().await?)
    }
}

/// Of all grids announced, the one that counts for each (model, signal): two processes may have announced one at the
/// same time, and everybody takes the one that holds first (then the one with the lower identity).
pub fn in_force(grids: Vec<StoredGrid>) -> Vec<StoredGrid> {
    let mut grids = grids;
    let key = |stored: &StoredGrid| (stored.grid.model.clone(), stored.grid.signal.clone());
    grids.sort_by(|a, b| {
        key(a).cmp(&key(b)).then_with(|| (a.grid.holds_from, a.grid.id).cmp(&(b.grid.holds_from, b.grid.id)))
    });
    grids
        .dedup_by(|later, kept| later.grid.model == kept.grid.model && later.grid.signal == kept.grid.signal);
    grids
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(holds_from: i64, edges: &[f64]) -> StoredGrid {
        let edges = Edges::try_from(edges.to_vec()).expect("ascending");
        let grid = Grid::new("m", "feature.x", Instant::from_seconds(holds_from), Bins::Numbers(edges));
        StoredGrid {
            grid,
            made_from: String::new(),
            made_of: 0,
            announced_at: Instant::EPOCH,
            recounted_at: None,
        }
    }

    #[test]
    fn everybody_takes_the_grid_that_holds_first() {
        let (early, late) = (stored(10, &[1.0]), stored(11, &[2.0]));
        assert_eq!(in_force(vec![late.clone(), early.clone()]), vec![early.clone()]);
        assert_eq!(in_force(vec![early.clone(), late]), vec![early]);
    }

    #[test]
    fn the_ranges_of_a_grid_cover_every_finite_number_once() {
        let row = GridRow::from(&stored(0, &[-1.0, 0.0, 2.5]));
        assert_eq!(row.lows.len(), 4);
        assert_eq!(row.lows[0], f64::MIN);
        assert_eq!(row.highs[3], f64::MAX);
        for position in 1..row.lows.len() {
            assert_eq!(row.lows[position], row.highs[position - 1].next_up());
        }
    }

    #[test]
    fn a_grid_reads_back_as_it_was_written() {
        let original = stored(7, &[0.5, 1.5]);
        let row = GridRow::from(&original);
        assert_eq!(StoredGrid::try_from(row).expect("a grid"), original);
    }
}
