//! The population stability index, its noise and what remains without it (METHODS 1.2).

use crate::drift::Metric;
use crate::stats::chi_squared;
use crate::stats::groups::Groups;
use crate::stats::histogram::Pair;

pub const METRIC: Metric = Metric {
    name: "psi",
    about: "population stability index on the baseline's deciles, natural log",
    ignores_order: true,
    greatest: f64::INFINITY,
    measure: |pair| Some(Psi::of(pair).value),
};

pub const CORRECTED: Metric = Metric {
    name: "psi_corrected",
    about: "PSI without the part that the two sample sizes alone explain",
    ignores_order: true,
    greatest: f64::INFINITY,
    measure: |pair| Some(Psi::of(pair).corrected()),
};

/// PSI with what is needed to tell it from noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Psi {
    pub value: f64,
    /// B − 1, where B counts the groups that survived.
    pub df: u32,
    /// `1/n + 1/m`.
    pub s: f64,
}

impl Psi {
    pub fn of(pair: &Pair) -> Self {
        Self { value: of_groups(&pair.groups), df: pair.groups.df(), s: pair.s() }
    }

    /// The mean of PSI when nothing changed and rows are independent: `(B − 1)·s`.
    pub fn noise(&self) -> f64 {
        f64::from(self.df) * self.s
    }

    /// `max(0, PSI − (B − 1)·s)`: an estimate of the PSI of the two populations.
    pub fn corrected(&self) -> f64 {
        (self.value - self.noise()).max(0.0)
    }

    /// `P(χ²_{B−1} > PSI/s)`: how rare so large a PSI is when nothing changed and rows are independent.
    pub fn p(&self) -> f64 {
        chi_squared::sf(self.value / self.s, self.df)
    }

    /// The shift of a normal signal, in standard deviations, that has this PSI: `√PSI_c`.
    pub fn shift_sd(&self) -> f64 {
        self.corrected().sqrt()
    }
}

/// `Σ (p_i − q_i)·ln(p_i/q_i)` with ½ added to each count of both sides: `p_i = (c_i + ½)/(n + B/2)`.
///
/// The ½ keeps the χ² law down to five expected values a group, where a small constant does not (METHODS 1.2, e1).
pub fn of_groups(groups: &Groups) -> f64 {
    let half = groups.counts.len() as f64 / 2.0;
    let [n, m] = groups.totals().map(|total| total as f64 + half);
    let terms = groups.counts.iter().map(|[below, now]| {
        let (p, q) = ((*below as f64 + 0.5) / n, (*now as f64 + 0.5) / m);
        (p - q) * (p / q).ln()
    });
    terms.sum::<f64>().max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_group_cannot_move() {
        let psi = Psi { value: of_groups(&Groups::of_counts(vec![[10, 3]])), df: 0, s: 0.4 };
        assert_eq!((psi.value, psi.p(), psi.corrected()), (0.0, 1.0, 0.0));
    }
}
