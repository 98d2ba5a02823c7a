//! Tails of laws of whole numbers by adding up probabilities relative to each other, so that no factorial costs digits.

/// So many probabilities are added at most; beyond that a closed form is as good.
pub const MOST_TERMS: f64 = 1e6;
/// A term this small beside the largest changes no digit.
const NEGLIGIBLE: f64 = 1e-320;

/// `[P(X ≤ count), P(X > count)]` of a law over 0 … `last` whose probabilities rise to `mode` and fall behind it;
/// `ratio(j)` is P(j+1)/P(j). Both tails keep their digits.
pub fn tails(mode: u64, last: Option<u64>, ratio: impl Fn(f64) -> f64, count: u64) -> [f64; 2] {
    let (mut below, mut above) = (0.0, 0.0);
    let mut add = |at: u64, weight: f64| if at <= count { below += weight } else { above += weight };
    walk(0, last.unwrap_or(u64::MAX), mode, &ratio, &mut add);
    let all = below + above;
    [below / all, above / all]
}

/// A two-sided p-value, and the probability of what was observed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exact {
    pub p: f64,
    pub observed: f64,
}

/// The probability of all that is no more likely than `observed`, within a relative `slack` for rounding, of a law over
/// `first` … `last`; `ratio(j)` is P(j+1)/P(j).
pub fn two_sided(first: u64, last: u64, observed: u64, ratio: impl Fn(f64) -> f64, slack: f64) -> Exact {
    let (mut all, mut rare) = (0.0, 0.0);
    walk(first, last, observed, &ratio, &mut |_, weight: f64| {
        all += weight;
        if weight <= 1.0 + slack {
            rare += weight;
        }
    });
    // Where the observed is so rare that the bulk overflows, nothing is left of it.
    let p = if all.is_finite() { (rare / all).min(1.0) } else { 0.0 };
    Exact { p, observed: if all.is_finite() { 1.0 / all } else { 0.0 } }
}

/// Visits numbers outwards from `start` with their probabilities relative to its own, smallest last on either side.
fn walk(first: u64, last: u64, start: u64, ratio: &impl Fn(f64) -> f64, visit: &mut impl FnMut(u64, f64)) {
    visit(start, 1.0);
    let mut weight = 1.0;
    for at in start..last {
        let next = ratio(at as f64);
        weight *= next;
        if weight < NEGLIGIBLE && next < 1.0 {
            break;
        }
        visit(at + 1, weight);
    }
    weight = 1.0;
    for at in (first..start).rev() {
        let next = 1.0 / ratio(at as f64);
        weight *= next;
        if weight < NEGLIGIBLE && next < 1.0 {
            break;
        }
        visit(at, weight);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fair_coin_thrown_four_times() {
        let ratio = |heads: f64| (4.0 - heads) / (heads + 1.0);
        let [below, above] = tails(2, Some(4), ratio, 1);
        assert!((below - 5.0 / 16.0).abs() < 1e-15 && (above - 11.0 / 16.0).abs() < 1e-15);
        let exact = two_sided(0, 4, 4, ratio, 1e-7);
        assert!((exact.p - 2.0 / 16.0).abs() < 1e-15 && (exact.observed - 1.0 / 16.0).abs() < 1e-15);
    }
}
