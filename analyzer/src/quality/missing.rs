//! How sure a rise of missing, invalid or unseen values is: in points, with its interval.

use crate::finding::{Finding, numbers};
use crate::stats::normal;
use crate::stats::proportion::{Share, fisher_p, newcombe, z};

const Z: f64 = 1.959_963_984_540_054;
/// The normal law needs so many expected hits.
const LEAST_EXPECTED: f64 = 5.0;

/// Adds to a finding about a share: the rise in points with Newcombe's interval (`points`, `points_low`, `points_high`), and
/// its two-sided p by two proportions, by Fisher's exact test where few are expected (METHODS 3).
pub fn refine(finding: &mut Finding) {
    let share = |name: &str, n: u64| {
        let share = finding.numbers.get(name).copied().filter(|share| share.is_finite())?;
        Share::of((share * n as f64).round() as u64, n)
    };
    let before = share("share_baseline", finding.n_baseline);
    let now = share("share_current", finding.n_current);
    let (Some(before), Some(now)) = (before, now) else { return };
    let between = newcombe(now, before, Z);
    let all = (before.hits() + now.hits()) as f64 / (before.n() + now.n()) as f64;
    let is_rare = all * (before.n().min(now.n()) as f64) < LEAST_EXPECTED;
    let p = match z(now, before) {
        _ if is_rare => fisher_p(now, before),
        Some(z) => 2.0 * normal::sf(z.abs()),
        None => 1.0,
    };
    finding.numbers.extend(numbers([
        ("points", 100.0 * (now.value() - before.value())),
        ("points_low", 100.0 * between.low),
        ("points_high", 100.0 * between.high),
        ("p", p),
    ]));
}

#[cfg(test)]
mod tests {
    use domain::evaluation::Monitor;

    use super::super::{finding, tests::limits};
    use super::*;

    fn refined(before: [u64; 2], now: [u64; 2]) -> Finding {
        let shares = [before, now].map(|[hits, n]| hits as f64 / n as f64);
        let known = [("share_baseline", shares[0]), ("share_current", shares[1])];
        let subject = (Monitor::Missing, "feature.x", "missing_share");
        let mut found = finding(
            subject,
            shares[1],
            limits().above(0.0, 0.5, 0.0),
            [before[1], now[1]],
            known,
            String::new(),
        );
        refine(&mut found);
        found
    }

    /// `confint_proportions_2indep(12, 100, 5, 100, method='newcomb')` and `proportions_ztest` of statsmodels 0.15.0.
    #[test]
    fn the_rise_is_in_points_with_newcombes_interval() {
        let numbers = refined([5, 100], [12, 100]).numbers;
        let close = |name: &str, expected: f64| {
            assert!((numbers[name] - expected).abs() < 1e-9, "{name}: {numbers:?}")
        };
        close("points", 7.0);
        close("points_low", -0.945_888_275_438_061_5);
        close("points_high", 15.314_235_948_872_298);
        close("p", 0.075_921_728_269_019_25);
    }

    #[test]
    fn few_hits_are_judged_exactly_and_none_at_all_are_no_surprise() {
        assert!((refined([0, 1_000], [7, 1_000]).numbers["p"] - 0.015_461_266_199_607_457).abs() < 1e-9);
        assert_eq!(refined([0, 100], [0, 100]).numbers["p"], 1.0);
    }
}
