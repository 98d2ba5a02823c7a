//! Homogeneity of two samples of categories: Pearson's χ² of a 2×K table, and Cramér's V as its size (METHODS 1.7).

use crate::stats::chi_squared;
use crate::stats::groups::Groups;

/// A level that is expected fewer times than this on the smaller side is pooled with the other rare ones.
const LEAST_EXPECTED: f64 = 5.0;
/// What was pooled and is still expected fewer times than this joins the rarest level that was kept: the χ² law does not
/// hold with such a cell (Cochran 1954, section 3).
const LEAST_EXPECTED_OF_THE_REST: f64 = 1.0;

/// Pearson's χ² of the two rows of counts, without a correction for continuity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contingency {
    /// `Σ (O − E)²/E`, which for two rows is `Σ_i (a_i·m − b_i·n)²/(a_i + b_i) / (n·m)`.
    pub statistic: f64,
    /// K − 1, over the levels that occur on either side.
    pub df: u32,
    /// `P(χ²_{K−1} > statistic)`; 1 for one level.
    pub p: f64,
    /// `√(χ²/(n + m))`: 0 where the shares are equal, 1 where no level is on both sides (Cramér 1946, 21.9).
    pub cramers_v: f64,
}

impl Contingency {
    /// Of `[baseline, current]` counts by level, as they are. A side without a value gives zero and p = 1.
    ///
    /// ```
    /// use analyzer::stats::contingency::Contingency;
    /// use analyzer::stats::groups::Groups;
    /// // scipy.stats.chi2_contingency([[109, 91], [133, 67]], correction=False)
    /// let table = Contingency::of(&Groups::of_counts(vec![[109, 133], [91, 67]]));
    /// assert!((table.statistic - 6.025_734_909_509_363).abs() < 1e-12);
    /// assert!((table.p - 0.014_098_760_094_168_77).abs() < 1e-12);
    /// ```
    pub fn of(groups: &Groups) -> Self {
        let [n, m] = groups.totals();
        if n == 0 || m == 0 {
            return Self { statistic: 0.0, df: 0, p: 1.0, cramers_v: 0.0 };
        }
        let (n128, m128) = (i128::from(n), i128::from(m));
        let terms = groups.counts.iter().filter(|level| **level != [0, 0]).map(|[below, now]| {
            let apart = (i128::from(*below) * m128 - i128::from(*now) * n128) as f64;
            apart * apart / (below + now) as f64
        });
        let statistic = terms.sum::<f64>() / (n as f64 * m as f64);
        let levels = groups.counts.iter().filter(|level| **level != [0, 0]).count();
        let df = u32::try_from(levels.saturating_sub(1)).unwrap_or(u32::MAX);
        let cramers_v = (statistic / (n + m) as f64).sqrt().clamp(0.0, 1.0);
        Self { statistic, df, p: chi_squared::sf(statistic, df), cramers_v }
    }
}

/// The levels of a table with the rare ones in one: those that are expected fewer than five times on the smaller side,
/// `(a + b)·min(n, m)/(n + m) < 5`. One rare level alone stays as it is, unless it is expected less than once.
pub fn pooled(levels: &[[u64; 2]]) -> Groups {
    let [n, m] = levels.iter().fold([0, 0], |[n, m], [below, now]| [n + below, m + now]);
    let share = n.min(m) as f64 / (n + m).max(1) as f64;
    let expected = |[below, now]: [u64; 2]| (below + now) as f64 * share;
    let (mut kept, rare): (Vec<[u64; 2]>, Vec<[u64; 2]>) =
        levels.iter().partition(|level| expected(**level) >= LEAST_EXPECTED);
    let rest = rare.iter().fold([0, 0], |[n, m], [below, now]| [n + below, m + now]);
    let is_too_rare = rest != [0, 0] && expected(rest) < LEAST_EXPECTED_OF_THE_REST;
    match kept.iter_mut().min_by_key(|[below, now]| below + now) {
        Some(rarest) if is_too_rare => {
            rarest[0] += rest[0];
            rarest[1] += rest[1];
        }
        _ => kept.push(rest),
    }
    Groups::of_counts(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_level_cannot_move_and_nothing_in_common_is_all_there_is() {
        let one = Contingency::of(&Groups::of_counts(vec![[10, 3]]));
        assert_eq!((one.statistic, one.df, one.p, one.cramers_v), (0.0, 0, 1.0, 0.0));
        let apart = Contingency::of(&Groups::of_counts(vec![[10, 0], [0, 30]]));
        assert_eq!((apart.statistic, apart.cramers_v), (40.0, 1.0));
    }

    #[test]
    fn rare_levels_become_one() {
        let groups = pooled(&[[500, 480], [490, 510], [4, 5], [3, 4], [3, 1]]);
        assert_eq!(groups.counts, [[500, 480], [490, 510], [10, 10]]);
    }

    #[test]
    fn one_row_of_a_new_level_is_no_surprise() {
        let groups = pooled(&[[3_000, 30], [2_000, 19], [0, 1]]);
        assert_eq!(groups.counts, [[3_000, 30], [2_000, 20]]);
        assert!(Contingency::of(&groups).p > 0.5);
    }

    #[test]
    fn a_table_without_a_value_on_a_side_says_nothing() {
        assert_eq!(Contingency::of(&pooled(&[[5, 0], [7, 0]])).p, 1.0);
        assert_eq!(Contingency::of(&pooled(&[])).statistic, 0.0);
    }
}
