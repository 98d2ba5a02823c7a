//! Where PSI comes from: each part's share, on the same x axis as the histogram above it.

use super::axis::Scale;
use super::histogram::{LEFT, Places, WIDTH};
use super::{Area, Figure, Svg, Table};
use crate::figures::{Bars, Contribution};
use crate::text;

const HEIGHT: f64 = 64.0;
const FLOOR: f64 = 56.0;
const TOP: f64 = 6.0;

/// `bars` is what the histogram above was drawn from.
pub fn draw(parts: &[Contribution], bars: &Bars) -> Figure {
    let total: f64 = parts.iter().map(|part| part.psi).sum();
    let label = format!("contribution of each bin to PSI, {} together", text::number(total));
    let places = Places::of(bars);
    let most = parts.iter().map(|part| part.psi).fold(1e-9, f64::max);
    let y = Scale::new(0.0, most, FLOOR, TOP);
    let mut svg = Svg::new("wide contribution", WIDTH, HEIGHT, &label);
    svg.text("tick", (LEFT - 8.0, TOP + 8.0), "end", &text::number(most));
    svg.text("tick", (LEFT - 8.0, FLOOR), "end", "0");
    for part in parts {
        let Some((left, right)) = span(part, bars, &places) else { continue };
        let class = if part.now >= part.baseline { "up" } else { "down" };
        let top = y.at(part.psi);
        let title = format!(
            "{}: {} of PSI; {} now, {} in the baseline",
            text::cut(&part.label, 200),
            text::number(part.psi),
            text::percent(part.now),
            text::percent(part.baseline)
        );
        let area =
            Area { x: left, y: top, width: (right - left - 1.0).max(1.5), height: (FLOOR - top).max(0.8) };
        svg.rect(class, area, &title);
    }
    svg.line("axis", (LEFT, FLOOR), (places.right, FLOOR), "");
    Figure { svg: svg.finish(), table: table(parts, label) }
}

fn span(part: &Contribution, bars: &Bars, places: &Places) -> Option<(f64, f64)> {
    if bars.numeric {
        let (low, high) = places.scale.domain();
        let (left, right) = (part.low.max(low), part.high.min(high));
        // Parts wholly outside of what is shown stand at its end.
        let (left, right) = if left > right {
            if part.low > high { (high, high) } else { (low, low) }
        } else {
            (left, right)
        };
        return Some((places.scale.at(left), places.scale.at(right)));
    }
    let bar = bars.bars.iter().find(|bar| bar.label == part.label)?;
    Some((places.scale.at(bar.low), places.scale.at(bar.high)))
}

fn table(parts: &[Contribution], caption: String) -> Table {
    let rows = parts
        .iter()
        .map(|part| {
            vec![
                part.label.clone(),
                text::percent(part.baseline),
                text::percent(part.now),
                text::number(part.psi),
            ]
        })
        .collect();
    Table { caption, head: ["bin", "baseline", "now", "of PSI"].map(str::to_owned).to_vec(), rows }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Bar;

    #[test]
    fn more_than_the_baseline_is_blue_and_less_is_grey() {
        let bar =
            |place: f64| Bar { label: String::new(), low: place, high: place + 1.0, baseline: 0.5, now: 0.5 };
        let bars = Bars { numeric: true, bars: vec![bar(0.0), bar(1.0)], aside: Vec::new() };
        let part = |low: f64, high: f64, now| Contribution {
            label: String::new(),
            low,
            high,
            baseline: 0.5,
            now,
            psi: 0.1,
        };
        let parts = [part(f64::NEG_INFINITY, 1.0, 0.4), part(1.0, 5.0, 0.6), part(5.0, f64::INFINITY, 0.6)];
        let svg = draw(&parts, &bars).svg.0;
        assert_eq!(svg.matches("class=\"up\"").count(), 2);
        assert_eq!(svg.matches("class=\"down\"").count(), 1);
        assert!(!svg.contains("inf"), "{svg}");
    }
}
