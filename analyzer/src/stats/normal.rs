//! The standard normal law.

use std::f64::consts::SQRT_2;

use statrs::function::erf;

/// `P(Z > z)`.
pub fn sf(z: f64) -> f64 {
    0.5 * erf::erfc(z / SQRT_2)
}

/// The z that a standard normal value exceeds with probability `level`, which is taken within `[1e-300, 1 - 1e-16]`.
pub fn upper_quantile(level: f64) -> f64 {
    SQRT_2 * erf::erfc_inv(2.0 * level.clamp(1e-300, 1.0 - 1e-16))
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
