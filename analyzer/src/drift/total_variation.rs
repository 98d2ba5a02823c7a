//! Total variation: the share of rows that changed group, the plainest of all distances (METHODS 1.3).

use crate::drift::Metric;
use crate::stats::groups::Groups;

pub const METRIC: Metric = Metric {
    name: "tv",
    about: "share of rows in another group than in the baseline",
    ignores_order: true,
    greatest: 1.0,
    measure: |pair| Some(of_groups(&pair.groups)),
};

/// `½ Σ |p_i − q_i|` on the groups of PSI.
pub fn of_groups(groups: &Groups) -> f64 {
    let [n, m] = groups.totals().map(|total| total as f64);
    groups.counts.iter().map(|[below, now]| (*below as f64 / n - *now as f64 / m).abs()).sum::<f64>() / 2.0
}
