//! The analyzer: looks at each model's closed windows and says what it found, as `evaluations`.
//!
//! Everything but [`run`] and the reading of [`files`] is a plain function of plain data. Reading order:
//!
//! 1. [`stats`]: laws, quantiles, histograms
//! 2. [`drift`]: how far two histograms are apart, one file a metric
//! 3. [`counted`], [`reference`] and [`hours`]: what a window holds, and what it is compared with
//! 4. [`compare`], [`signals`], [`objectives`], [`traffic`]: what is found in a window; [`explain`]: what carries it
//! 5. [`slo`]: how fast error budgets burn
//! 6. [`performance`]: how good predictions were, once outcomes are known; [`trend`]: what moves slowly, by the day
//! 7. [`calibrate`], [`spread`], [`budget`] and [`threshold`]: what healthy windows do, how large a value must be, and
//!    what a run of windows makes of it; [`evidence`]: the same in words; [`inhibition`]: what one finding explains of others
//! 8. [`standings`]: where every subject of a watch stands
//! 9. [`run`]: the loop over models, watches and windows, [`shard`]: which of them are this analyzer's,
//!    and [`simulate`]: how often all of this would be wrong
//! 10. [`files`] and [`side_by_side`]: two files, or two windows, compared once and for all; [`together`]: two samples of
//!     events as wholes

pub mod budget;
pub mod calibrate;
pub mod compare;
pub mod config;
pub mod counted;
pub mod drift;
pub mod evidence;
pub mod explain;
pub mod files;
pub mod finding;
pub mod freshness;
pub mod hours;
pub mod inhibition;
pub mod objectives;
pub mod performance;
pub mod quality;
pub mod reference;
pub mod rootcause;
pub mod run;
pub mod shard;
pub mod side_by_side;
pub mod signals;
pub mod simulate;
pub mod slo;
pub mod spread;
pub mod standings;
pub mod stats;
pub mod threshold;
pub mod together;
pub mod traffic;
pub mod trend;
pub mod units;
pub mod words;

pub use config::Config;
pub use run::{Analyzer, Pass, Progress, Replay, Replayed, replay, run};
