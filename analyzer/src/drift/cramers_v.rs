//! Cramér's V: the size of what Pearson's χ² sees, whatever the number of rows (METHODS 1.7).

use crate::drift::Metric;
use crate::stats::contingency::Contingency;

pub const METRIC: Metric = Metric {
    name: "cramers_v",
    about: "Cramer's V of side against group, from 0 to 1",
    ignores_order: true,
    greatest: 1.0,
    measure: |pair| Some(Contingency::of(&pair.groups).cramers_v),
};
