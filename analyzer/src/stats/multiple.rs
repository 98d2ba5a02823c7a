//! Many tests at once: which of them may be believed, and p-values that say so by themselves (METHODS 1.8).
//!
//! An adjusted p-value may be compared with the level as if its test had been the only one. None of these functions
//! covers *repeated looks* at the same signal; a calibrated threshold does.

/// How p-values of one family are adjusted. `F` is how many there are, `p_(i)` the i-th smallest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Adjustment {
    /// Benjamini and Hochberg (1995, eq. 1): `min_{j≥i} F·p_(j)/j`. Of what is believed, no more than the level is
    /// false on average, for tests that are independent or positively dependent, as signals of one model mostly are.
    #[default]
    BenjaminiHochberg,
    /// Benjamini and Yekutieli (2001, theorem 1.3): the same times `Σ_{i≤F} 1/i`. For any dependence.
    BenjaminiYekutieli,
    /// Holm (1979): `max_{j≤i} (F−j+1)·p_(j)`. The chance of even one false belief is no more than the level.
    Holm,
    /// `F·p`. The same promise as Holm's, and weaker.
    Bonferroni,
}

/// The adjusted p-values, in the order given, each at most 1.
///
/// What is no number counts as 1: a test that could not be made is no evidence, and still one of the family. An empty
/// family has no answer. Takes `O(F log F)`.
///
/// ```
/// use analyzer::stats::multiple::{Adjustment, adjusted};
/// let p = [0.125, 0.5];
/// assert_eq!(adjusted(&p, Adjustment::BenjaminiHochberg), [0.25, 0.5]);
/// assert_eq!(adjusted(&p, Adjustment::Bonferroni), [0.25, 1.0]);
/// ```
pub fn adjusted(p_values: &[f64], adjustment: Adjustment) -> Vec<f64> {
    let family = p_values.len();
    let clean = |p: f64| if p.is_nan() { 1.0 } else { p.clamp(0.0, 1.0) };
    let mut order: Vec<usize> = (0..family).collect();
    order.sort_by(|one, other| clean(p_values[*one]).total_cmp(&clean(p_values[*other])));
    let scaled = |place: usize| {
        let p = clean(p_values[order[place]]);
        let count = family as f64;
        match adjustment {
            Adjustment::BenjaminiHochberg => p / ((place + 1) as f64 / count),
            Adjustment::BenjaminiYekutieli => p / ((place + 1) as f64 / count / harmonic(family)),
            Adjustment::Holm => p * (family - place) as f64,
            Adjustment::Bonferroni => p * count,
        }
    };
    let mut all = vec![1.0; family];
    match adjustment {
        Adjustment::BenjaminiHochberg | Adjustment::BenjaminiYekutieli => {
            let mut least = 1.0_f64;
            for place in (0..family).rev() {
                least = least.min(scaled(place));
                all[order[place]] = least;
            }
        }
        Adjustment::Holm | Adjustment::Bonferroni => {
            let mut greatest = 0.0_f64;
            for place in 0..family {
                greatest = greatest.max(scaled(place)).min(1.0);
                all[order[place]] = greatest;
            }
        }
    }
    all
}

/// Which of the tests are believed at `level`: those whose adjusted p-value is no greater.
///
/// Decided on the p-values as they are (`p_(k) ≤ k·level/F` for the largest such k), so that a p-value that lies on the
/// line counts whatever rounding makes of its adjusted one.
pub fn believed(p_values: &[f64], adjustment: Adjustment, level: f64) -> Vec<bool> {
    let family = p_values.len();
    let clean = |p: f64| if p.is_nan() { 1.0 } else { p.clamp(0.0, 1.0) };
    let mut order: Vec<usize> = (0..family).collect();
    order.sort_by(|one, other| clean(p_values[*one]).total_cmp(&clean(p_values[*other])));
    let line = |place: usize| match adjustment {
        Adjustment::BenjaminiHochberg => (place + 1) as f64 / family as f64 * level,
        Adjustment::BenjaminiYekutieli => (place + 1) as f64 / family as f64 / harmonic(family) * level,
        Adjustment::Holm => level / (family - place) as f64,
        Adjustment::Bonferroni => level / family as f64,
    };
    let is_below = |place: &usize| clean(p_values[order[*place]]) <= line(*place);
    let count = match adjustment {
        Adjustment::BenjaminiHochberg | Adjustment::BenjaminiYekutieli => {
            (0..family).rev().find(is_below).map_or(0, |place| place + 1)
        }
        Adjustment::Holm | Adjustment::Bonferroni => (0..family).take_while(is_below).count(),
    };
    let mut all = vec![false; family];
    order[..count].iter().for_each(|place| all[*place] = true);
    all
}

/// `Σ_{i≤n} 1/i`.
fn harmonic(n: usize) -> f64 {
    (1..=n).map(|i| 1.0 / i as f64).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [Adjustment; 4] = [
        Adjustment::BenjaminiHochberg,
        Adjustment::BenjaminiYekutieli,
        Adjustment::Holm,
        Adjustment::Bonferroni,
    ];

    #[test]
    fn no_test_has_no_answer_and_what_is_no_number_is_no_evidence() {
        for adjustment in ALL {
            assert!(adjusted(&[], adjustment).is_empty());
            assert!(believed(&[], adjustment, 0.05).is_empty());
            assert_eq!(adjusted(&[f64::NAN], adjustment), [1.0]);
            assert_eq!(believed(&[f64::NAN, 1e-9], adjustment, 0.05), [false, true]);
        }
    }

    proptest! {
        #[test]
        fn an_adjusted_p_value_is_no_smaller_and_keeps_the_order(
            p_values in prop::collection::vec(0.0_f64..=1.0, 1..60)
        ) {
            for adjustment in ALL {
                let adjusted = adjusted(&p_values, adjustment);
                for (one, p) in adjusted.iter().zip(&p_values) {
                    prop_assert!(*one >= *p - 1e-15 && *one <= 1.0);
                    for (other, q) in adjusted.iter().zip(&p_values) {
                        prop_assert!(p > q || one <= &(other + 1e-12));
                    }
                }
            }
        }
    }
}
