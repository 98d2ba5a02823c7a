//! A value over time, with where healthy values lie, its limit, when it began to hurt and what was changed.

use std::time::Duration;

use domain::time::{Instant, Interval};
use jiff::tz::TimeZone;

use super::axis::{Scale, rounded_up, time_ticks};
use super::{Area, Figure, Svg, Table, n, path_with_gaps};
use crate::text;

/// How the values of an axis are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Number,
    Share,
    Milliseconds,
    Count,
    Seconds,
}

impl Unit {
    pub fn write(self, value: f64) -> String {
        match self {
            Self::Number | Self::Count => text::number(value),
            Self::Share => text::percent(value),
            Self::Milliseconds => text::milliseconds(value),
            Self::Seconds if value.is_finite() => {
                text::duration(Duration::from_secs_f64(value.clamp(0.0, 1e9)))
            }
            Self::Seconds => "–".to_owned(),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    pub label: String,
    pub points: Vec<Point>,
}

/// A value of the stretch that begins at `at`; `None` where nothing is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    pub at: Instant,
    pub value: Option<f64>,
}

/// Something that people or machines did.
#[derive(Clone, Debug, PartialEq)]
pub struct Marker {
    pub at: Instant,
    pub label: String,
}

#[derive(Clone, Debug)]
pub struct Line<'a> {
    pub label: String,
    pub unit: Unit,
    pub interval: Interval,
    /// How long the stretch of one point is.
    pub step: Duration,
    /// The first is drawn strongest.
    pub series: Vec<Series>,
    /// Where healthy values lie.
    pub band: Option<(f64, f64)>,
    pub limit: Option<f64>,
    pub onset: Option<Instant>,
    pub markers: Vec<Marker>,
    /// From here on the numbers may still change.
    pub open_from: Option<Instant>,
    /// Whether the axis begins at zero.
    pub from_zero: bool,
    pub width: f64,
    pub height: f64,
    pub zone: &'a TimeZone,
}

const LEFT: f64 = 52.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 26.0;

impl Line<'_> {
    pub fn draw(&self) -> Figure {
        self.draw_between(&[])
    }

    /// With an interval around each point of the first series; `None` where none is known.
    pub fn draw_between(&self, ends: &[Option<(f64, f64)>]) -> Figure {
        let mut table = self.table();
        if !ends.is_empty() {
            table.head.push("interval".to_owned());
            for (row, ends) in table.rows.iter_mut().zip(ends) {
                row.push(match ends {
                    Some((low, high)) => format!("{} to {}", self.unit.write(*low), self.unit.write(*high)),
                    None => "–".to_owned(),
                });
            }
        }
        Figure { svg: self.svg(ends), table }
    }

    fn svg(&self, ends: &[Option<(f64, f64)>]) -> text::Markup {
        let x = Scale::of_time(self.interval, LEFT, self.width);
        let y = self.value_scale(ends);
        let mut svg = Svg::new("wide line-chart", self.width, self.height, &self.label).with_time(
            LEFT,
            self.width,
            self.interval,
        );
        self.draw_ground(&mut svg, &x, &y);
        self.draw_axes(&mut svg, &x, &y);
        self.draw_interval(&mut svg, (&x, &y), ends);
        self.draw_series(&mut svg, &x, &y);
        self.draw_events(&mut svg, &x);
        svg.line("cross", (0.0, TOP), (0.0, self.height - BOTTOM), "");
        svg.finish()
    }

    fn floor(&self) -> f64 {
        self.height - BOTTOM
    }

    fn value_scale(&self, ends: &[Option<(f64, f64)>]) -> Scale {
        let values = self.series.iter().flat_map(|series| &series.points).filter_map(|point| point.value);
        let marked = self.limit.into_iter().chain(self.band.into_iter().flat_map(|(low, high)| [low, high]));
        let marked = marked.chain(ends.iter().flatten().flat_map(|(low, high)| [*low, *high]));
        let known: Vec<f64> = values.chain(marked).filter(|value| value.is_finite()).collect();
        let least = known.iter().copied().fold(f64::INFINITY, f64::min);
        let most = known.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (low, high) = match () {
            () if known.is_empty() => (0.0, 1.0),
            // A share that is always nothing needs no axis up to everything.
            () if self.from_zero && most <= 0.0 && self.unit == Unit::Share => (0.0, 0.01),
            () if self.from_zero => (0.0, rounded_up(most)),
            () => {
                let air = (most - least).max(most.abs() * 0.02).max(1e-9) * 0.15;
                let low = if least >= 0.0 { (least - air).max(0.0) } else { least - air };
                (low, most + air)
            }
        };
        Scale::new(low, high, self.floor(), TOP)
    }

    fn draw_ground(&self, svg: &mut Svg, x: &Scale, y: &Scale) {
        if let Some((low, high)) = self.band {
            let (top, bottom) = (y.within(high), y.within(low));
            let area = Area { x: LEFT, y: top, width: self.width - LEFT, height: bottom - top };
            let title = format!("healthy: {} to {}", self.unit.write(low), self.unit.write(high));
            svg.rect("band", area, &title);
        }
        if let Some(open) = self.open_from.filter(|open| *open < self.interval.end) {
            let left = x.at_time(open.max(self.interval.start));
            let area = Area { x: left, y: TOP, width: self.width - left, height: self.floor() - TOP };
            svg.rect("open", area, "not closed yet: these numbers may still change");
        }
    }

    fn draw_axes(&self, svg: &mut Svg, x: &Scale, y: &Scale) {
        for tick in y.ticks() {
            let at = y.at(tick);
            svg.line("grid", (LEFT, at), (self.width, at), "");
            svg.text("tick", (LEFT - 8.0, at + 4.0), "end", &self.unit.write(tick));
        }
        for (index, (at, label)) in time_ticks(self.interval, self.zone).into_iter().enumerate() {
            let class = if index % 2 == 1 { "tick minor" } else { "tick" };
            let place = x.at_time(at);
            let anchor = if place > self.width - 24.0 { "end" } else { "middle" };
            svg.text(class, (place, self.height - 7.0), anchor, &label);
        }
        svg.line("axis", (LEFT, self.floor()), (self.width, self.floor()), "");
        if let Some(limit) = self.limit.filter(|limit| limit.is_finite()) {
            let at = y.within(limit);
            let words = format!("limit {}", self.unit.write(limit));
            svg.line("limit", (LEFT, at), (self.width, at), &words);
            svg.text("tick limit-text", (LEFT + 6.0, at - 5.0), "start", &words);
        }
    }

    /// One closed shape for each run without a gap.
    fn draw_interval(&self, svg: &mut Svg, (x, y): (&Scale, &Scale), ends: &[Option<(f64, f64)>]) {
        let Some(first) = self.series.first() else { return };
        let places: Vec<Option<(f64, f64, f64)>> = first
            .points
            .iter()
            .zip(ends)
            .map(|(point, ends)| {
                let (low, high) = (*ends)?;
                Some((x.at_time(point.at.saturating_add(self.step / 2)), y.at(low), y.at(high)))
            })
            .collect();
        let mut d = String::new();
        for run in places.chunk_by(|a, b| a.is_some() == b.is_some()) {
            let there = run.iter().flatten().map(|(x, _, high)| (*x, *high));
            let back = run.iter().flatten().rev().map(|(x, low, _)| (*x, *low));
            for (index, (x, y)) in there.chain(back).enumerate() {
                d.push_str(&format!("{}{},{}", if index == 0 { "M" } else { "L" }, n(x), n(y)));
            }
            if run.iter().any(Option::is_some) {
                d.push('Z');
            }
        }
        if !d.is_empty() {
            svg.path("interval", &d, "95 % interval");
        }
    }

    fn draw_series(&self, svg: &mut Svg, x: &Scale, y: &Scale) {
        let middle = self.step / 2;
        for (index, series) in self.series.iter().enumerate().rev() {
            let class = if index == 0 { "line strong" } else { "line" };
            let points = series
                .points
                .iter()
                .map(|point| Some((x.at_time(point.at.saturating_add(middle)), y.at(point.value?))));
            svg.path(class, &path_with_gaps(points), &series.label);
        }
        if self.series.len() > 1 {
            self.draw_names(svg, x, y);
        }
        let Some(first) = self.series.first() else { return };
        let width =
            (self.width - LEFT) * self.step.as_secs_f64() / self.interval.length().as_secs_f64().max(1.0);
        for (index, point) in first.points.iter().enumerate() {
            let Some(title) = self.title_at(index) else { continue };
            let area =
                Area { x: x.at_time(point.at), y: TOP, width: width.max(2.0), height: self.floor() - TOP };
            svg.rect("hit", area, &title);
        }
    }

    /// The name of each series above its last point; one that would write over another is left to titles and table.
    fn draw_names(&self, svg: &mut Svg, x: &Scale, y: &Scale) {
        const APART: f64 = 13.0;
        let mut taken: Vec<f64> = Vec::new();
        for series in &self.series {
            let Some(last) = series.points.iter().rev().find(|point| point.value.is_some()) else { continue };
            let place = y.at(last.value.unwrap_or_default()) - 5.0;
            if taken.iter().any(|other| (other - place).abs() < APART) {
                continue;
            }
            taken.push(place);
            let end = x.at_time(last.at.saturating_add(self.step / 2)).min(self.width);
            svg.text("tick series-name", (end, place.max(10.0)), "end", &text::cut(&series.label, 24));
        }
    }

    /// What all series say at one place; `None` in a gap.
    fn title_at(&self, index: usize) -> Option<String> {
        let at = self.series.first()?.points.get(index)?.at;
        let values: Vec<String> = self
            .series
            .iter()
            .filter_map(|series| {
                let value = series.points.get(index)?.value?;
                Some(format!("{} {}", series.label, self.unit.write(value)))
            })
            .collect();
        (!values.is_empty()).then(|| format!("{}: {}", clock(at, self.zone), values.join(", ")))
    }

    fn draw_events(&self, svg: &mut Svg, x: &Scale) {
        // Marks that lie close together would write over each other: the later one keeps its line and its title.
        let mut last_label_end = f64::NEG_INFINITY;
        for marker in self.markers.iter().filter(|marker| self.interval.contains(marker.at)) {
            let at = x.at_time(marker.at);
            let words = format!("{}, {}", marker.label, clock(marker.at, self.zone));
            svg.line("change", (at, TOP + 12.0), (at, self.floor()), &words);
            svg.raw(&format!(
                "<circle class=\"change\" cx=\"{}\" cy=\"{}\" r=\"4\"/>",
                n(at),
                n(self.floor())
            ));
            let label = text::cut(&marker.label, 36);
            let width = label.chars().count() as f64 * 6.2;
            let (place, anchor, start) = if at - 8.0 - width > LEFT {
                (at - 8.0, "end", at - 8.0 - width)
            } else {
                (at + 8.0, "start", at + 8.0)
            };
            if start > last_label_end && start + width < self.width {
                svg.text("tick change-text", (place, self.floor() - 6.0), anchor, &label);
                last_label_end = start + width;
            }
        }
        let Some(onset) = self.onset.filter(|onset| self.interval.contains(*onset)) else { return };
        let at = x.at_time(onset);
        let words = format!("since {}", self.short_clock(onset));
        svg.line("onset", (at, 4.0), (at, self.floor()), &words);
        let (place, anchor) = if at > LEFT + 100.0 { (at - 6.0, "end") } else { (at + 6.0, "start") };
        svg.text("onset-text", (place, 13.0), anchor, &words);
    }

    /// The time of day where the axis holds a day or less.
    fn short_clock(&self, at: Instant) -> String {
        if self.interval.length() > domain::time::DAY {
            return clock(at, self.zone);
        }
        crate::time_range::zoned(at, self.zone)
            .map_or_else(|| at.to_string(), |zoned| zoned.strftime("%H:%M").to_string())
    }

    fn table(&self) -> Table {
        let head =
            std::iter::once("from".to_owned()).chain(self.series.iter().map(|series| series.label.clone()));
        let rows = self.series.first().map(|first| {
            first
                .points
                .iter()
                .enumerate()
                .map(|(index, point)| {
                    let values = self.series.iter().map(|series| {
                        let value = series.points.get(index).and_then(|point| point.value);
                        value.map_or_else(|| "no data".to_owned(), |value| self.unit.write(value))
                    });
                    std::iter::once(clock(point.at, self.zone)).chain(values).collect()
                })
                .collect()
        });
        Table { caption: self.label.clone(), head: head.collect(), rows: rows.unwrap_or_default() }
    }
}

/// A time in titles and tables: with its day, since a table has no axis beside it.
pub(crate) fn clock(at: Instant, zone: &TimeZone) -> String {
    crate::time_range::zoned(at, zone)
        .map_or_else(|| at.to_string(), |zoned| zoned.strftime("%-d %b %H:%M").to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn line(values: Vec<Option<f64>>) -> Line<'static> {
        static UTC: TimeZone = TimeZone::UTC;
        let step = Duration::from_secs(300);
        let at = |index: usize| Instant::from_seconds(1_700_000_100 + 300 * index as i64);
        let end = at(values.len().max(1));
        let points =
            values.into_iter().enumerate().map(|(index, value)| Point { at: at(index), value }).collect();
        Line {
            label: "mean score".to_owned(),
            unit: Unit::Number,
            interval: Interval::new(at(0), end),
            step,
            series: vec![Series { label: "score".to_owned(), points }],
            band: Some((0.1, 0.2)),
            limit: Some(0.25),
            onset: Some(at(1)),
            markers: vec![Marker { at: at(1), label: "<deployed>".to_owned() }],
            open_from: Some(at(2)),
            from_zero: false,
            width: 760.0,
            height: 190.0,
            zone: &UTC,
        }
    }

    #[test]
    fn limit_band_onset_change_and_open_end_are_drawn() {
        let figure = line(vec![Some(0.1), None, Some(0.3), Some(0.4)]).draw();
        let svg = &figure.svg.0;
        for part in
            ["class=\"band\"", "class=\"limit\"", "class=\"onset\"", "class=\"open\"", "&lt;deployed&gt;"]
        {
            assert!(svg.contains(part), "{part} in {svg}");
        }
        assert!(svg.contains("role=\"img\"") && svg.contains("aria-label=\"mean score\""));
        assert_eq!(figure.table.rows[1][1], "no data");
    }

    proptest! {
        #[test]
        fn no_value_breaks_a_path(values in prop::collection::vec(prop::option::of(prop::num::f64::ANY), 0..40)) {
            let svg = line(values).draw().svg.0;
            prop_assert!(!svg.contains("NaN") && !svg.contains("inf"), "{}", svg);
        }
    }
}
