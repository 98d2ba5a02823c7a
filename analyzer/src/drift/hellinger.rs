//! Hellinger distance: how little the two distributions overlap, between 0 and 1 (METHODS 1.3).

use crate::drift::Metric;
use crate::stats::groups::Groups;

pub const METRIC: Metric = Metric {
    name: "hellinger",
    about: "Hellinger distance, from 0 to 1",
    ignores_order: true,
    greatest: 1.0,
    measure: |pair| Some(of_groups(&pair.groups)),
};

/// `√(1 − Σ √(p_i·q_i))` (Hellinger 1909), on the groups of PSI. Zeros need no smoothing.
///
/// Worked out as `√(½ Σ (√p_i − √q_i)²)`, the same number without the loss of digits where the two are nearly equal.
///
/// ```
/// use analyzer::drift::hellinger;
/// use analyzer::stats::groups::Groups;
/// assert_eq!(hellinger::of_groups(&Groups::of_counts(vec![[5, 50], [5, 50]])), 0.0);
/// assert_eq!(hellinger::of_groups(&Groups::of_counts(vec![[5, 0], [0, 5]])), 1.0);
/// ```
pub fn of_groups(groups: &Groups) -> f64 {
    let [n, m] = groups.totals().map(|total| total as f64);
    let terms = groups.counts.iter().map(|[below, now]| {
        let apart = (*below as f64 / n).sqrt() - (*now as f64 / m).sqrt();
        apart * apart
    });
    (terms.sum::<f64>() / 2.0).clamp(0.0, 1.0).sqrt()
}
