//! Pure kernels: laws, quantiles and histograms. Nothing here knows of models, windows or verdicts.
//!
//! Functions are total over the types that they take: what a formula needs (a value on both sides, say) is what the
//! constructor of its argument checked.

pub mod adtributor;
pub mod beta;
pub mod boosted;
pub mod burn_rate;
pub mod change_interval;
pub mod change_point;
pub mod chi_squared;
pub mod classes;
pub mod confusion;
pub mod contingency;
pub mod control;
pub mod correlation;
pub mod counts;
pub mod discrete;
pub mod estimated;
pub mod estimated_classes;
pub mod fairness;
pub mod groups;
pub mod histogram;
pub mod importance;
pub mod isotonic;
pub mod kolmogorov;
pub mod least_squares;
pub mod lists;
pub mod mann_kendall;
pub mod mix;
pub mod multiple;
pub mod normal;
pub mod peaks_over_threshold;
pub mod projection;
pub mod proportion;
pub mod quantile;
pub mod ranking;
pub mod residuals;
pub mod sample;
pub mod scores;
pub mod segment_psi;
pub mod series;
pub mod theil_sen;
pub mod unseen;
