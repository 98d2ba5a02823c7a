//! Values over time: the median, the middle half, and from 5 to 95 %.

use domain::time::{Instant, Interval};
use jiff::tz::TimeZone;

use super::axis::{Scale, time_ticks};
use super::line::clock;
use super::{Area, Figure, Svg, Table, n, path_with_gaps};
use crate::text;

/// Quantiles of one stretch of time: 5, 25, 50, 75 and 95 %; `None` without values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stretch {
    pub at: Instant,
    pub quantiles: Option<[f64; 5]>,
}

pub const SHARES: [f64; 5] = [0.05, 0.25, 0.5, 0.75, 0.95];

pub struct Quantiles<'a> {
    pub interval: Interval,
    pub step: std::time::Duration,
    pub stretches: Vec<Stretch>,
    pub onset: Option<Instant>,
    pub width: f64,
    pub zone: &'a TimeZone,
}

const HEIGHT: f64 = 190.0;
const LEFT: f64 = 52.0;
const TOP: f64 = 14.0;
const FLOOR: f64 = 164.0;

impl Quantiles<'_> {
    pub fn draw(&self) -> Figure {
        let known: Vec<f64> = self
            .stretches
            .iter()
            .filter_map(|stretch| stretch.quantiles)
            .flatten()
            .filter(|v| v.is_finite())
            .collect();
        let low = known.iter().copied().fold(f64::INFINITY, f64::min);
        let high = known.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let y = Scale::new(low, high, FLOOR, TOP);
        let x = Scale::of_time(self.interval, LEFT, self.width);
        let label = "values over time: median, middle half, 5 to 95 %";
        let mut svg =
            Svg::new("wide quantiles", self.width, HEIGHT, label).with_time(LEFT, self.width, self.interval);
        for tick in y.ticks() {
            svg.line("grid", (LEFT, y.at(tick)), (self.width, y.at(tick)), "");
            svg.text("tick", (LEFT - 8.0, y.at(tick) + 4.0), "end", &text::number(tick));
        }
        svg.path("range outer", &self.ribbon(&x, &y, 0, 4), "5 to 95 %");
        svg.path("range inner", &self.ribbon(&x, &y, 1, 3), "the middle half");
        let median = self
            .stretches
            .iter()
            .map(|stretch| Some((self.middle(&x, stretch), y.at(stretch.quantiles?[2]))));
        svg.path("line strong", &path_with_gaps(median), "median");
        self.draw_axis(&mut svg, &x);
        self.draw_titles(&mut svg, &x);
        svg.line("cross", (0.0, TOP), (0.0, FLOOR), "");
        Figure { svg: svg.finish(), table: self.table(label) }
    }

    fn middle(&self, x: &Scale, stretch: &Stretch) -> f64 {
        x.at_time(stretch.at.saturating_add(self.step / 2))
    }

    /// The area between two quantiles, one closed shape for each run without a gap.
    fn ribbon(&self, x: &Scale, y: &Scale, lower: usize, upper: usize) -> String {
        let mut d = String::new();
        for run in self.stretches.chunk_by(|a, b| a.quantiles.is_some() == b.quantiles.is_some()) {
            let points: Vec<(f64, [f64; 5])> = run
                .iter()
                .filter_map(|stretch| Some((self.middle(x, stretch), stretch.quantiles?)))
                .filter(|(_, quantiles)| quantiles.iter().all(|value| value.is_finite()))
                .collect();
            let there = points.iter().map(|(x, quantiles)| (*x, y.at(quantiles[upper])));
            let back = points.iter().rev().map(|(x, quantiles)| (*x, y.at(quantiles[lower])));
            for (index, (x, y)) in there.chain(back).enumerate() {
                d.push_str(&format!("{}{},{}", if index == 0 { "M" } else { "L" }, n(x), n(y)));
            }
            if !points.is_empty() {
                d.push('Z');
            }
        }
        d
    }

    fn draw_axis(&self, svg: &mut Svg, x: &Scale) {
        for (index, (at, label)) in time_ticks(self.interval, self.zone).into_iter().enumerate() {
            let class = if index % 2 == 1 { "tick minor" } else { "tick" };
            svg.text(class, (x.at_time(at), HEIGHT - 7.0), "middle", &label);
        }
        svg.line("axis", (LEFT, FLOOR), (self.width, FLOOR), "");
        if let Some(onset) = self.onset.filter(|onset| self.interval.contains(*onset)) {
            let at = x.at_time(onset);
            svg.line("onset", (at, 4.0), (at, FLOOR), &format!("since {}", clock(onset, self.zone)));
        }
    }

    fn draw_titles(&self, svg: &mut Svg, x: &Scale) {
        let width =
            (self.width - LEFT) * self.step.as_secs_f64() / self.interval.length().as_secs_f64().max(1.0);
        for stretch in &self.stretches {
            let Some([least, low, median, high, most]) = stretch.quantiles else { continue };
            let title = format!(
                "{}: median {}, middle half {} to {}, 5–95 % {} to {}",
                clock(stretch.at, self.zone),
                text::number(median),
                text::number(low),
                text::number(high),
                text::number(least),
                text::number(most)
            );
            let area = Area { x: x.at_time(stretch.at), y: TOP, width: width.max(2.0), height: FLOOR - TOP };
            svg.rect("hit", area, &title);
        }
    }

    fn table(&self, caption: &str) -> Table {
        let rows = self
            .stretches
            .iter()
            .map(|stretch| {
                let cells = match stretch.quantiles {
                    Some(quantiles) => quantiles.map(text::number).to_vec(),
                    None => vec!["no data".to_owned()],
                };
                std::iter::once(clock(stretch.at, self.zone)).chain(cells).collect()
            })
            .collect();
        let head = ["from", "5 %", "25 %", "median", "75 %", "95 %"].map(str::to_owned).to_vec();
        Table { caption: caption.to_owned(), head, rows }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_value_breaks_a_path(values in prop::collection::vec(prop::option::of(prop::num::f64::ANY), 1..30)) {
            let stretches = values.iter().enumerate().map(|(index, value)| Stretch {
                at: Instant::from_seconds(60 * index as i64),
                quantiles: value.map(|value| [value; 5]),
            }).collect();
            let interval = Interval::new(Instant::EPOCH, Instant::from_seconds(60 * values.len() as i64));
            let step = std::time::Duration::from_secs(60);
            let svg = Quantiles { interval, step, stretches, onset: None, width: 760.0, zone: &TimeZone::UTC }.draw().svg.0;
            prop_assert!(!svg.contains("NaN") && !svg.contains("inf"), "{}", svg);
        }
    }
}
