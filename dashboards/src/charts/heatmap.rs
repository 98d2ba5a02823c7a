//! Signals over time, a row each: where it went off course, for how long, and together with what.
//!
//! Neighbouring cells of one verdict are one mark, so that a month of thirty signals stays a small page.

use domain::time::{Instant, Interval};
use jiff::tz::TimeZone;

use super::axis::{Scale, time_ticks};
use super::line::clock;
use super::strip::{Mark, runs};
use super::{Area, Figure, Svg, Table};
use crate::text;

#[derive(Clone, Debug)]
pub struct HeatMap<'a> {
    pub interval: Interval,
    pub rows: Vec<Row>,
    pub width: f64,
    pub zone: &'a TimeZone,
    /// When something was changed.
    pub markers: Vec<Instant>,
}

#[derive(Clone, Debug)]
pub struct Row {
    pub name: String,
    pub link: String,
    /// A word on it: its value against its limit.
    pub note: String,
    pub cells: Vec<Option<Mark>>,
}

const LEFT: f64 = 230.0;
/// Room for the notes.
const NOTES: f64 = 96.0;
const ROW: f64 = 22.0;
const TOP: f64 = 4.0;

impl HeatMap<'_> {
    /// Where the notes begin.
    fn right(&self) -> f64 {
        self.width - NOTES
    }

    pub fn draw(&self) -> Figure {
        let height = TOP + ROW * self.rows.len() as f64 + 26.0;
        let label = format!("verdicts of {} signals over time", self.rows.len());
        let mut svg = Svg::new("wide heatmap", self.width, height, &label).with_links().with_time(
            LEFT,
            self.right(),
            self.interval,
        );
        let x = Scale::of_time(self.interval, LEFT, self.right());
        for (index, row) in self.rows.iter().enumerate() {
            self.draw_row(&mut svg, row, TOP + ROW * index as f64);
        }
        let floor = height - 24.0;
        for marker in self.markers.iter().filter(|at| self.interval.contains(**at)) {
            let at = x.at_time(*marker);
            svg.line("change", (at, TOP), (at, floor), &format!("a change, {}", clock(*marker, self.zone)));
        }
        for (index, (at, label)) in time_ticks(self.interval, self.zone).into_iter().enumerate() {
            let class = if index % 2 == 1 { "tick minor" } else { "tick" };
            svg.text(class, (x.at_time(at), height - 7.0), "middle", &label);
        }
        svg.line("cross", (0.0, TOP), (0.0, floor), "");
        Figure { svg: svg.finish(), table: self.table() }
    }

    fn draw_row(&self, svg: &mut Svg, row: &Row, top: f64) {
        let cell = (self.right() - LEFT) / row.cells.len().max(1) as f64;
        if !row.link.is_empty() {
            svg.raw(&format!("<a href=\"{}\">", text::escape(&row.link)));
        }
        svg.raw(&format!(
            "<text class=\"row-name\" x=\"{}\" y=\"{}\" text-anchor=\"end\"><title>{}</title>{}</text>{}",
            LEFT - 10.0,
            super::n(top + 15.0),
            text::escape(&row.name),
            text::escape(&text::cut(&row.name, 29)),
            if row.link.is_empty() { "" } else { "</a>" },
        ));
        for run in runs(&row.cells) {
            let title = format!(
                "{}: {}, {} to {}",
                text::cut(&row.name, 60),
                run.mark.words(),
                clock(self.at(run.first, row.cells.len()), self.zone),
                clock(self.at(run.end, row.cells.len()), self.zone)
            );
            let area = Area {
                x: LEFT + cell * run.first as f64,
                y: top + 1.0,
                width: cell * (run.end - run.first) as f64 - 0.6,
                height: ROW - 3.0,
            };
            svg.rect(run.mark.class(), area, &title);
        }
        svg.text("tick", (self.right() + 10.0, top + 15.0), "start", &text::cut(&row.note, 14));
    }

    /// When the cell `index` of `of` begins.
    fn at(&self, index: usize, of: usize) -> Instant {
        let length = self.interval.length().as_millis() as i64;
        Instant::from_millis(self.interval.start.millis() + length * index as i64 / of.max(1) as i64)
    }

    fn table(&self) -> Table {
        let rows = self
            .rows
            .iter()
            .flat_map(|row| {
                runs(&row.cells).into_iter().filter(|run| run.mark.is_bad()).map(|run| {
                    let of = row.cells.len();
                    vec![
                        row.name.clone(),
                        run.mark.words().to_owned(),
                        clock(self.at(run.first, of), self.zone),
                        clock(self.at(run.end, of), self.zone),
                    ]
                })
            })
            .collect();
        Table {
            caption: "when signals were beyond their limits".to_owned(),
            head: ["signal", "verdict", "from", "to"].map(str::to_owned).to_vec(),
            rows,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_neighbours_are_one_mark_and_gaps_stay_empty() {
        let cells = vec![Some(Mark::OnCourse), Some(Mark::OnCourse), None, Some(Mark::Page)];
        let row = Row { name: "<x>".to_owned(), link: "/a?b&c".to_owned(), note: "1.7".to_owned(), cells };
        let interval = Interval::new(Instant::from_seconds(0), Instant::from_seconds(3_600));
        let map =
            HeatMap { interval, rows: vec![row], width: 1_140.0, zone: &TimeZone::UTC, markers: Vec::new() };
        let figure = map.draw();
        assert_eq!(figure.svg.0.matches("<rect").count(), 2);
        assert!(!figure.svg.0.contains("<x>") && figure.svg.0.contains("/a?b&amp;c"));
        assert_eq!(figure.table.rows.len(), 1);
    }
}
