//! Pure kernels: laws, quantiles and histograms. Nothing here knows of models, windows or verdicts.
//!
//! Functions are total over the types that they take: what a formula needs (a value on both sides, say) is what the
//! constructor of its argument checked.

pub mod chi_squared;
pub mod contingency;
pub mod groups;
pub mod histogram;
pub mod kolmogorov;
pub mod multiple;
pub mod normal;
pub mod proportion;
pub mod ranking;
pub mod sample;
