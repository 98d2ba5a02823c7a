//! Baseline and now drawn over each other: the baseline filled grey, now a blue outline.

use super::axis::Scale;
use super::{Area, Figure, Svg, Table, n};
use crate::figures::{Bar, Bars};
use crate::text;

/// Where things lie in a big histogram; the contributions under it share the same x axis.
pub(crate) const WIDTH: f64 = super::WHOLE;
pub(crate) const LEFT: f64 = 52.0;
const HEIGHT: f64 = 300.0;
const TOP: f64 = 10.0;
const FLOOR: f64 = 272.0;

/// The x places of a set of bars: values or categories first, what has no value aside.
pub(crate) struct Places {
    pub scale: Scale,
    pub right: f64,
    aside_width: f64,
}

impl Places {
    pub(crate) fn of(bars: &Bars) -> Self {
        let aside_width = if bars.aside.is_empty() { 0.0 } else { 66.0 };
        let right =
            WIDTH - aside_width * bars.aside.len() as f64 - if bars.aside.is_empty() { 0.0 } else { 18.0 };
        let low = bars.bars.first().map_or(0.0, |bar| bar.low);
        let high = bars.bars.last().map_or(1.0, |bar| bar.high);
        Self { scale: Scale::new(low, high, LEFT, right), right, aside_width }
    }

    pub(crate) fn aside(&self, index: usize) -> (f64, f64) {
        let left = self.right + 18.0 + self.aside_width * index as f64;
        (left + 6.0, left + self.aside_width - 6.0)
    }
}

/// The large drawing with axes, table and titles.
pub fn draw(bars: &Bars, label: &str) -> Figure {
    let places = Places::of(bars);
    let most = bars.bars.iter().chain(&bars.aside).map(|bar| bar.baseline.max(bar.now)).fold(0.0, f64::max);
    let y = Scale::new(0.0, super::axis::rounded_up(most), FLOOR, TOP);
    let mut svg = Svg::new("wide histogram", WIDTH, HEIGHT, label);
    for tick in y.ticks() {
        svg.line("grid", (LEFT, y.at(tick)), (WIDTH, y.at(tick)), "");
        svg.text("tick", (LEFT - 8.0, y.at(tick) + 4.0), "end", &text::percent(tick));
    }
    let spans: Vec<(f64, f64, &Bar)> =
        bars.bars.iter().map(|bar| (places.scale.at(bar.low), places.scale.at(bar.high), bar)).collect();
    layers(&mut svg, &spans, &y, FLOOR);
    for (index, bar) in bars.aside.iter().enumerate() {
        let (left, right) = places.aside(index);
        layers(&mut svg, &[(left, right, bar)], &y, FLOOR);
        svg.text("tick", ((left + right) / 2.0, HEIGHT - 12.0), "middle", &bar.label);
    }
    svg.line("axis", (LEFT, FLOOR), (places.right, FLOOR), "");
    labels(&mut svg, bars, &places);
    Figure { svg: svg.finish(), table: table(bars, label) }
}

/// A drawing of a thumb's size, without axes: its numbers stand beside it.
pub fn small(bars: &Bars, label: &str) -> text::Markup {
    const SMALL: (f64, f64) = (150.0, 44.0);
    let all: Vec<&Bar> = bars.bars.iter().chain(&bars.aside).collect();
    let most = all.iter().map(|bar| bar.baseline.max(bar.now)).fold(0.0, f64::max);
    let y = Scale::new(0.0, most.max(1e-9), SMALL.1 - 2.0, 3.0);
    let width = SMALL.0 / all.len().max(1) as f64;
    let spans: Vec<(f64, f64, &Bar)> = all
        .into_iter()
        .enumerate()
        .map(|(index, bar)| (width * index as f64, width * (index + 1) as f64, bar))
        .collect();
    let mut svg = Svg::new("hist", SMALL.0, SMALL.1, label);
    let mut grey = String::new();
    for (left, right, bar) in &spans {
        let top = y.at(bar.baseline);
        grey.push_str(&format!(
            "M{},{}V{}H{}V{}Z",
            n(*left),
            n(SMALL.1 - 2.0),
            n(top),
            n(*right),
            n(SMALL.1 - 2.0)
        ));
    }
    svg.path("base", &grey, "baseline");
    outline(&mut svg, &spans, &y, SMALL.1 - 2.0, "now");
    svg.finish()
}

fn layers(svg: &mut Svg, spans: &[(f64, f64, &Bar)], y: &Scale, floor: f64) {
    for (left, right, bar) in spans {
        let top = y.at(bar.baseline);
        let gap = if right - left > 6.0 { 1.0 } else { 0.0 };
        svg.rect("base", Area { x: *left, y: top, width: right - left - gap, height: floor - top }, "");
    }
    outline(svg, spans, y, floor, "");
    for (left, right, bar) in spans {
        let title = format!(
            "{}: {} now, {} in the baseline",
            text::cut(&bar.label, 200),
            text::percent(bar.now),
            text::percent(bar.baseline)
        );
        svg.rect("hit", Area { x: *left, y: TOP, width: right - left, height: floor - TOP }, &title);
    }
}

fn outline(svg: &mut Svg, spans: &[(f64, f64, &Bar)], y: &Scale, floor: f64, title: &str) {
    let Some((left, _, _)) = spans.first() else { return };
    let mut steps = format!("M{},{}", n(*left), n(floor));
    for (_, right, bar) in spans {
        steps.push_str(&format!("V{}H{}", n(y.at(bar.now)), n(*right)));
    }
    steps.push_str(&format!("V{}", n(floor)));
    svg.path("cur-fill", &format!("{steps}Z"), "");
    svg.path("cur", &steps, title);
}

fn labels(svg: &mut Svg, bars: &Bars, places: &Places) {
    if bars.numeric {
        for tick in places.scale.ticks() {
            svg.text("tick", (places.scale.at(tick), HEIGHT - 12.0), "middle", &text::number(tick));
        }
        return;
    }
    let count = bars.bars.len().max(1);
    let room = ((places.right - LEFT) / count as f64 / 6.4) as usize;
    // With little room only some of the names are written; titles and the table hold all of them.
    let every = if room >= 5 { 1 } else { count.div_ceil(super::axis::MOST_TICKS) };
    for bar in bars.bars.iter().step_by(every) {
        let middle = places.scale.at((bar.low + bar.high) / 2.0);
        svg.text(
            "tick",
            (middle, HEIGHT - 12.0),
            "middle",
            &text::cut(&bar.label, (room * every).clamp(3, 16)),
        );
    }
}

fn table(bars: &Bars, label: &str) -> Table {
    let rows = bars
        .bars
        .iter()
        .chain(&bars.aside)
        .map(|bar| vec![bar.label.clone(), text::percent(bar.baseline), text::percent(bar.now)])
        .collect();
    Table { caption: label.to_owned(), head: ["bin", "baseline", "now"].map(str::to_owned).to_vec(), rows }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bars(numeric: bool) -> Bars {
        let bar = |place: f64, baseline, now| Bar {
            label: format!("<{place}>"),
            low: place,
            high: place + 1.0,
            baseline,
            now,
            psi: 0.0,
        };
        let missing = Bar {
            label: "missing".to_owned(),
            low: f64::NAN,
            high: f64::NAN,
            baseline: 0.0,
            now: 0.2,
            psi: 0.0,
        };
        Bars { numeric, bars: vec![bar(0.0, 0.5, 0.1), bar(1.0, 0.5, 0.7)], aside: vec![missing] }
    }

    #[test]
    fn baseline_is_filled_and_now_an_outline_on_the_same_axis() {
        for numeric in [true, false] {
            let figure = draw(&bars(numeric), "wind_speed");
            let svg = &figure.svg.0;
            assert_eq!(svg.matches("class=\"base\"").count(), 3);
            assert_eq!(svg.matches("class=\"cur\"").count(), 2);
            assert_eq!(svg.matches("<title>").count(), 3);
            assert!(!svg.contains("NaN") && !svg.contains("<0>"), "{svg}");
            assert_eq!(figure.table.rows.len(), 3);
        }
    }

    #[test]
    fn no_bars_are_an_empty_picture_and_no_panic() {
        let empty = draw(&Bars::default(), "nothing");
        assert!(empty.table.rows.is_empty());
        assert!(small(&Bars::default(), "nothing").0.contains("<svg"));
    }
}
