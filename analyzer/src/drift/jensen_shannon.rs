//! Jensen–Shannon distance, base 2: between 0 (equal) and 1 (nothing in common) (METHODS 1.3).

use crate::drift::Metric;
use crate::stats::groups::Groups;

pub const METRIC: Metric = Metric {
    name: "js",
    about: "Jensen-Shannon distance, base 2, from 0 to 1",
    ignores_order: true,
    greatest: 1.0,
    measure: |pair| Some(of_groups(&pair.groups)),
};

/// The distance, `√divergence`, which is a metric (Endres and Schindelin 2003). Base 2, so that 1 is the greatest.
///
/// ```
/// use analyzer::drift::jensen_shannon;
/// use analyzer::stats::groups::Groups;
/// // scipy.spatial.distance.jensenshannon([109/200, 91/200], [133/200, 67/200], base=2)
/// let distance = jensen_shannon::of_groups(&Groups::of_counts(vec![[109, 133], [91, 67]]));
/// assert!((distance - 0.104_399_254_171_919_3).abs() < 1e-12);
/// ```
pub fn of_groups(groups: &Groups) -> f64 {
    divergence(groups).sqrt()
}

/// The divergence in bits, `½ KL(P‖M) + ½ KL(Q‖M)` with `M = (P + Q)/2` (Lin 1991, eq. 4.1), on the groups of PSI.
/// Zeros need no smoothing. Times ln 2 it is in nats; where nothing changed its mean is about `(K − 1)/8 · s` nats.
pub fn divergence(groups: &Groups) -> f64 {
    let [n, m] = groups.totals().map(|total| total as f64);
    let half = |p: f64, middle: f64| if p > 0.0 { p * (p / middle).log2() } else { 0.0 };
    let divergence: f64 = groups
        .counts
        .iter()
        .map(|[below, now]| {
            let (p, q) = (*below as f64 / n, *now as f64 / m);
            let middle = p.midpoint(q);
            (half(p, middle) + half(q, middle)) / 2.0
        })
        .sum();
    divergence.clamp(0.0, 1.0)
}
