//! Where PSI comes from: the part of each bar, on the same x axis as the histogram above it.

use super::axis::Scale;
use super::histogram::{LEFT, Places, WIDTH};
use super::{Area, Figure, Svg, Table};
use crate::figures::{Bar, Bars, Contribution};
use crate::text;

const HEIGHT: f64 = 84.0;
const FLOOR: f64 = 74.0;
const TOP: f64 = 8.0;

/// `bars` is what the histogram above was drawn from; `parts` are those that PSI is a sum of, for the table.
pub fn draw(parts: &[Contribution], bars: &Bars) -> Figure {
    let total: f64 = parts.iter().map(|part| part.psi).sum();
    let label = format!("contribution to PSI, {} together", text::number(total));
    let places = Places::of(bars);
    let most = bars.bars.iter().chain(&bars.aside).map(|bar| bar.psi).fold(1e-9, f64::max);
    let y = Scale::new(0.0, most, FLOOR, TOP);
    let mut svg = Svg::new("wide contribution", WIDTH, HEIGHT, &label);
    svg.text("tick", (LEFT - 8.0, TOP + 8.0), "end", &text::number(most));
    svg.text("tick", (LEFT - 8.0, FLOOR), "end", "0");
    for bar in &bars.bars {
        draw_bar(&mut svg, bar, (places.scale.at(bar.low), places.scale.at(bar.high)), &y);
    }
    for (index, bar) in bars.aside.iter().enumerate().filter(|(_, bar)| bar.psi != 0.0) {
        draw_bar(&mut svg, bar, places.aside(index), &y);
    }
    svg.line("axis", (LEFT, FLOOR), (places.right, FLOOR), "");
    Figure { svg: svg.finish(), table: table(parts, label) }
}

fn draw_bar(svg: &mut Svg, bar: &Bar, (left, right): (f64, f64), y: &Scale) {
    let class = if bar.now >= bar.baseline { "up" } else { "down" };
    // A bar may take a little from its part's sum where it moved against it; that is drawn as nothing.
    let top = y.at(bar.psi.max(0.0));
    let title = format!(
        "{}: {} of PSI; {} now, {} in the baseline",
        text::cut(&bar.label, 200),
        text::number(bar.psi),
        text::percent(bar.now),
        text::percent(bar.baseline)
    );
    let area = Area { x: left, y: top, width: (right - left - 1.0).max(1.5), height: (FLOOR - top).max(0.8) };
    svg.rect(class, area, &title);
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

    #[test]
    fn more_than_the_baseline_is_blue_and_less_is_grey() {
        let bar = |place: f64, now: f64| Bar {
            label: String::new(),
            low: place,
            high: place + 1.0,
            baseline: 0.5,
            now,
            psi: 0.1,
        };
        let bars = Bars { numeric: true, bars: vec![bar(0.0, 0.4), bar(1.0, 0.6)], aside: Vec::new() };
        let svg = draw(&[], &bars).svg.0;
        assert_eq!(svg.matches("class=\"up\"").count(), 1);
        assert_eq!(svg.matches("class=\"down\"").count(), 1);
    }
}
