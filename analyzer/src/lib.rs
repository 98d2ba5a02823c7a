//! The analyzer: looks at each model's closed windows and says what it found, as `evaluations`.
//!
//! Everything but [`run`] is a plain function of plain data. Reading order:
//!
//! 1. [`stats`]: laws, quantiles, histograms
//! 2. [`drift`]: how far two histograms are apart, one file a metric

pub mod drift;
pub mod stats;
