//! The analyzer: looks at each model's closed windows and says what it found, as `evaluations`.
//!
//! Everything but [`run`] and the reading of [`files`] is a plain function of plain data. Reading order:
//!
//! 1. [`stats`]: laws, quantiles, histograms
//! 2. [`drift`]: how far two histograms are apart, one file a metric
//! 3. [`counted`] and [`reference`]: what a window holds, and what it is compared with
//! 4. [`compare`], [`signals`], [`objectives`], [`traffic`]: what is found in a window; [`explain`]: what carries it
//! 5. [`performance`]: how good predictions were, once outcomes are known
//! 6. [`spread`] and [`threshold`]: how large a value must be, and what a run of windows makes of it
//! 7. [`standings`]: where every subject of a watch stands
//! 8. [`run`]: the loop over models, watches and windows
//! 9. [`files`] and [`side_by_side`]: two files, or two windows, compared once and for all

pub mod compare;
pub mod config;
pub mod counted;
pub mod drift;
pub mod explain;
pub mod files;
pub mod finding;
pub mod objectives;
pub mod performance;
pub mod reference;
pub mod run;
pub mod side_by_side;
pub mod signals;
pub mod spread;
pub mod standings;
pub mod stats;
pub mod threshold;
pub mod traffic;
pub mod units;
pub mod words;

pub use config::Config;
pub use run::{Analyzer, Pass, run};
