//! Finding the bins that stored counts belong to.

use domain::contract::Contract;
use domain::counts::Counts;
use domain::grid::{Grid, GridId};
use domain::signal::is_duration;
use sql::counts::CountSeries;
use sql::grids::StoredGrid;

/// The grid of a duration: fixed, with the limits of the contract among its edges, or without where the counts are older
/// than the limits.
pub fn duration_grid(model: &str, signal: &str, contract: &Contract, id: GridId) -> Option<Grid> {
    if !is_duration(signal) {
        return None;
    }
    let limits = contract.duration_limits(signal);
    [limits.as_slice(), &[]]
        .into_iter()
        .map(|limits| Grid::of_duration(model, signal, limits))
        .find(|grid| grid.id == id)
}

/// The grid of that identity among those stored, or the fixed one of a duration.
pub fn grid_of(
    stored: &[StoredGrid],
    model: &str,
    signal: &str,
    contract: &Contract,
    id: GridId,
) -> Option<Grid> {
    stored
        .iter()
        .map(|stored| &stored.grid)
        .find(|grid| grid.signal == signal && grid.id == id)
        .cloned()
        .or_else(|| duration_grid(model, signal, contract, id))
}

/// The sum of a series over time.
pub fn sum(series: &CountSeries) -> Counts {
    Counts::of(series.points.iter().map(|point| (point.bin, point.n)))
}
