//! A line without axes: the shape of the last hours beside a number.

use super::axis::Scale;
use super::{Svg, path_with_gaps};
use crate::text::Markup;

const WIDTH: f64 = 120.0;
const HEIGHT: f64 = 26.0;

pub fn draw(values: &[Option<f64>], label: &str) -> Markup {
    let most = values.iter().flatten().copied().filter(|value| value.is_finite()).fold(0.0, f64::max);
    let y = Scale::new(0.0, if most > 0.0 { most } else { 1.0 }, HEIGHT - 2.0, 2.0);
    let step = WIDTH / values.len().saturating_sub(1).max(1) as f64;
    let points = values.iter().enumerate().map(|(index, value)| Some((step * index as f64, y.at((*value)?))));
    let mut svg = Svg::new("spark", WIDTH, HEIGHT, label);
    svg.path("line", &path_with_gaps(points), label);
    svg.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_without_numbers_is_a_gap() {
        let svg = draw(&[Some(1.0), Some(2.0), None, Some(1.0), Some(f64::NAN)], "events").0;
        assert_eq!(svg.matches('M').count(), 2, "{svg}");
        assert!(draw(&[], "events").0.contains("d=\"\""));
    }
}
