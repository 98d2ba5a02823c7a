//! The incomplete beta function and the laws that are made of it: Student's, and the shares of Clopper and Pearson.

use statrs::function::beta::checked_beta_reg;

/// `I_x(a, b)`, the regularised incomplete beta function; x is taken within 0 and 1. For positive a and b.
pub fn regularised(a: f64, b: f64, x: f64) -> f64 {
    let x = if x.is_nan() { 0.0 } else { x.clamp(0.0, 1.0) };
    checked_beta_reg(a, b, x).unwrap_or(if x < 0.5 { 0.0 } else { 1.0 })
}

/// `P(T > t)` of Student's law: `½·I_{ν/(ν+t²)}(ν/2, ½)` for t ≥ 0 (Abramowitz and Stegun 26.7.1). ν > 0, not need be whole.
pub fn student_sf(t: f64, df: f64) -> f64 {
    let half = 0.5 * regularised(df / 2.0, 0.5, df / (df + t * t));
    if t >= 0.0 { half } else { 1.0 - half }
}

/// The x with `I_x(a, b) = share`, by bisection.
pub fn quantile(a: f64, b: f64, share: f64) -> f64 {
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    while high - low > 1e-15 * high {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            break;
        }
        if regularised(a, b, middle) < share { low = middle } else { high = middle }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tails_of_student_meet_in_the_middle() {
        assert_eq!(student_sf(0.0, 3.0), 0.5);
        assert!((student_sf(-2.0, 3.0) + student_sf(2.0, 3.0) - 1.0).abs() < 1e-15);
    }

    #[test]
    fn the_quantile_is_the_inverse() {
        for share in [1e-6, 0.025, 0.5, 0.975] {
            assert!((regularised(5.0, 96.0, quantile(5.0, 96.0, share)) / share - 1.0).abs() < 1e-10);
        }
    }
}
