//! A statistic over time at a thumb's size, with its limit and where it began: numbers stand beside it.

use domain::time::{Instant, Interval};

use super::axis::Scale;
use super::{Svg, path_with_gaps};
use crate::text::Markup;

const WIDTH: f64 = 150.0;
const HEIGHT: f64 = 30.0;

#[derive(Clone, Debug)]
pub struct Trend<'a> {
    pub label: &'a str,
    pub interval: Interval,
    pub points: Vec<(Instant, f64)>,
    pub limit: Option<f64>,
    pub onset: Option<Instant>,
    /// Points farther apart than this have a gap between them.
    pub gap: std::time::Duration,
}

pub fn draw(trend: &Trend<'_>) -> Markup {
    let x = Scale::of_time(trend.interval, 0.0, WIDTH);
    let finite =
        trend.points.iter().map(|point| point.1).chain(trend.limit).filter(|value| value.is_finite());
    let most = finite.fold(0.0, f64::max);
    let y = Scale::new(0.0, if most > 0.0 { most * 1.05 } else { 1.0 }, HEIGHT - 2.0, 2.0);
    let mut svg = Svg::new("trend", WIDTH, HEIGHT, trend.label);
    if let Some(limit) = trend.limit.filter(|limit| limit.is_finite()) {
        svg.line("limit", (0.0, y.within(limit)), (WIDTH, y.within(limit)), "");
    }
    if let Some(onset) = trend.onset.filter(|onset| trend.interval.contains(*onset)) {
        svg.line("onset", (x.at_time(onset), 0.0), (x.at_time(onset), HEIGHT), "");
    }
    svg.path("line strong", &path_with_gaps(with_gaps(trend, &x, &y)), trend.label);
    svg.finish()
}

fn with_gaps(trend: &Trend<'_>, x: &Scale, y: &Scale) -> Vec<Option<(f64, f64)>> {
    let mut places = Vec::with_capacity(trend.points.len() + 4);
    let mut before: Option<Instant> = None;
    for (at, value) in &trend.points {
        if before.is_some_and(|before| at.since(before) > trend.gap) {
            places.push(None);
        }
        places.push(value.is_finite().then(|| (x.at_time(*at), y.within(*value))));
        before = Some(*at);
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_that_were_not_looked_at_are_a_gap() {
        let at = Instant::from_seconds;
        let trend = Trend {
            label: "PSI",
            interval: Interval::new(at(0), at(100)),
            points: vec![(at(10), 0.1), (at(20), 0.2), (at(60), f64::NAN), (at(70), 0.3), (at(80), 0.3)],
            limit: Some(0.25),
            onset: Some(at(60)),
            gap: std::time::Duration::from_secs(15),
        };
        let svg = draw(&trend).0;
        assert_eq!(svg.matches('M').count(), 2, "{svg}");
        assert!(svg.contains("class=\"limit\"") && svg.contains("class=\"onset\"") && !svg.contains("NaN"));
    }
}
