//! Percentiles of a duration from its counts, with the interval in which the true one lies.

use domain::counts::Counts;
use domain::grid::Edges;

/// A quantile, and the interval that holds the true one 19 times in 20.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Percentile {
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

const Z: f64 = 1.959_963_984_540_054;

/// The quantile `q` of the values that lie in bins of `edges`, by binomial order statistics: the ranks
/// `nq ± 1.96·√(nq(1−q))` (METHODS 5; Conover 1999, 3.2). `None` without values.
///
/// Value and upper limit are the upper edge of the bin of their rank, the lower limit is its lower edge: bins are known
/// and values are not, so the interval is never too narrow. Counts of several windows may be added before; quantiles may
/// not.
pub fn of(edges: &Edges, counts: &Counts, q: f64) -> Option<Percentile> {
    let values: Vec<(usize, u64)> =
        counts.iter().filter_map(|(bin, n)| Some((bin.value_index()?, n))).collect();
    let n = values.iter().map(|(_, n)| n).sum::<u64>();
    if n == 0 {
        return None;
    }
    let n = n as f64;
    let reach = Z * (n * q * (1.0 - q)).sqrt();
    let limits_at = |rank: f64| {
        let rank = rank.clamp(1.0, n);
        let mut sum = 0;
        let found = values.iter().find(|(_, count)| {
            sum += count;
            sum as f64 >= rank
        });
        found.map_or((0.0, 0.0), |(index, _)| edges.limits(*index))
    };
    let upper = |(low, high): (f64, f64)| if high.is_finite() { high } else { low };
    let lower = |(low, high): (f64, f64)| if low.is_finite() { low } else { high };
    Some(Percentile {
        value: upper(limits_at((n * q).ceil())),
        low: lower(limits_at((n * q - reach).floor())),
        high: upper(limits_at((n * q + reach).ceil())),
    })
}

#[cfg(test)]
mod tests {
    use domain::grid::Grid;

    use super::*;

    fn counted(values: impl IntoIterator<Item = f64>) -> (Grid, Counts) {
        let grid = Grid::of_duration("m", "latency_ms", &[250.0]);
        let counts = Counts::of(values.into_iter().map(|value| (grid.bin_of_number(value), 1)));
        (grid, counts)
    }

    fn percentile(values: impl IntoIterator<Item = f64>, q: f64) -> Option<Percentile> {
        let (grid, counts) = counted(values);
        let domain::grid::Bins::Numbers(edges) = &grid.bins else { panic!("numbers") };
        of(edges, &counts, q)
    }

    #[test]
    fn the_interval_holds_the_quantile_and_narrows_with_more_values() {
        let few = percentile((1..=100).map(f64::from), 0.95).expect("values");
        let many = percentile((1..=100_000).map(|n| f64::from(n) / 1_000.0), 0.95).expect("values");
        for found in [few, many] {
            assert!(found.low <= 95.0 && found.high >= 95.0 && found.value >= 95.0, "{found:?}");
        }
        assert!(many.high - many.low < few.high - few.low, "{many:?} and {few:?}");
        assert!((many.value / 95.0 - 1.0).abs() < 0.051, "{many:?}");
    }

    #[test]
    fn one_value_is_all_that_is_known_and_none_is_nothing() {
        let one = percentile([20.0], 0.99).expect("a value");
        assert!(one.low <= 20.0 && one.high >= 20.0, "{one:?}");
        assert_eq!(percentile([], 0.5), None);
        assert_eq!(percentile([f64::NAN], 0.5), None);
    }
}
