//! The standard normal law.

use std::f64::consts::{PI, SQRT_2};

use statrs::function::{erf, gamma};

/// `P(Z > z)`: half of the regularised upper incomplete gamma function `Q(½, z²/2)` for z ≥ 0 (Abramowitz and Stegun
/// 6.5.17 and 26.2.30), which keeps its digits in the tail; a p-value of 1e-300 is right to ten of them.
pub fn sf(z: f64) -> f64 {
    if z.is_nan() {
        return f64::NAN;
    }
    let half = match z * z / 2.0 {
        0.0 => 0.5,
        beyond if beyond > 745.0 => 0.0,
        square => 0.5 * gamma::checked_gamma_ur(0.5, square).unwrap_or(0.0),
    };
    if z >= 0.0 { half } else { 1.0 - half }
}

/// The z that a standard normal value exceeds with probability `level`, which is taken within `[1e-300, 1 - 1e-16]`.
///
/// A first guess is mended by two steps of Newton's, on the logarithm in the tails.
pub fn upper_quantile(level: f64) -> f64 {
    let level = level.clamp(1e-300, 1.0 - 1e-16);
    if level > 0.5 {
        return -upper_quantile_of_half(1.0 - level);
    }
    upper_quantile_of_half(level)
}

fn upper_quantile_of_half(level: f64) -> f64 {
    let mut z = SQRT_2 * erf::erfc_inv(2.0 * level);
    for _ in 0..2 {
        let tail = sf(z);
        let density = (-z * z / 2.0).exp() / (2.0 * PI).sqrt();
        if tail > 0.0 && density > 0.0 {
            z += (tail / level).ln() * tail / density;
        }
    }
    z
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quantile_is_the_inverse_of_the_tail() {
        for level in [0.5, 0.025, 1e-6, 1e-12] {
            assert!((sf(upper_quantile(level)) / level - 1.0).abs() < 1e-9, "{level}");
        }
    }
}
