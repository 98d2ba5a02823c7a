//! L∞: the greatest change of the share of any one group, which also says *which* one changed (METHODS 1.3).

use crate::drift::Metric;
use crate::stats::groups::Groups;

pub const METRIC: Metric = Metric {
    name: "l_infinity",
    about: "greatest change of the share of one group",
    ignores_order: true,
    greatest: 1.0,
    measure: |pair| Some(of_groups(&pair.groups)),
};

/// `max_i |p_i − q_i|` on the groups of PSI.
///
/// ```
/// use analyzer::drift::l_infinity;
/// use analyzer::stats::groups::Groups;
/// assert_eq!(l_infinity::of_groups(&Groups::of_counts(vec![[75, 25], [20, 25], [5, 50]])), 0.5);
/// ```
pub fn of_groups(groups: &Groups) -> f64 {
    let [n, m] = groups.totals().map(|total| total as f64);
    let apart = groups.counts.iter().map(|[below, now]| (*below as f64 / n - *now as f64 / m).abs());
    apart.fold(0.0, f64::max)
}
