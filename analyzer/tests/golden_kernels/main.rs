//! The kernels of trends, change points, counts, quantiles, model quality, thresholds and attribution against reference
//! values. The files say which library, which version and which call made each value.
//!
//! Every value of every case is looked at: one that is not compared is named in `docs/statistics/` with the reason, and a
//! name that is unknown fails the test. `LEEWAY_GOLDEN_DIR` names a folder with further cases.

#[path = "../reference/mod.rs"]
mod reference;

mod agree;
mod attribution;
mod change;
mod counts;
mod laws;
mod nannyml;
mod quality;
mod quantiles;
mod trend;
