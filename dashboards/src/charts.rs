//! Pictures drawn on the server: plain SVG, one file a kind, no script and no inline style.
//!
//! Every picture has a label, marks with titles, at most five ticks an axis, and the same numbers as a table. Gaps in
//! data are gaps. Colour comes from classes alone, so that light, dark and print need no second drawing.

pub mod axis;
pub mod contribution;
pub mod heatmap;
pub mod histogram;
pub mod line;
pub mod meter;
pub mod quantiles;
pub mod segments;
pub mod sparkline;
pub mod strip;
pub mod trend;

use std::fmt::Write;

/// Widths of pictures, in the pixels that they have on a screen of the usual size, so that their text has its size: over
/// the whole page, over the main column, over half the page.
pub const WHOLE: f64 = 1_140.0;
pub const COLUMN: f64 = 820.0;
pub const HALF: f64 = 540.0;

use crate::text::{Markup, escape};

/// A picture with the table that says the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    pub svg: Markup,
    pub table: Table,
}

/// The numbers of a picture. Cells are plain text; they are escaped here.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    pub caption: String,
    pub head: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

/// No table is longer: a picture of more marks says so instead. The page's JSON holds all of them.
const MOST_ROWS: usize = 120;

impl Figure {
    pub fn render(&self) -> Markup {
        let mut html = String::with_capacity(self.svg.0.len() + 4_096);
        html.push_str("<figure class=\"chart\">");
        html.push_str(&self.svg.0);
        html.push_str("<details class=\"as-table\"><summary>Show as table</summary><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"");
        html.push_str(&escape(&self.table.caption));
        html.push_str("\"><table><caption>");
        html.push_str(&escape(&self.table.caption));
        html.push_str("</caption><thead><tr>");
        for cell in &self.table.head {
            let _ = write!(html, "<th scope=\"col\">{}</th>", escape(cell));
        }
        html.push_str("</tr></thead><tbody>");
        for row in self.table.rows.iter().take(MOST_ROWS) {
            html.push_str("<tr>");
            for (index, cell) in row.iter().enumerate() {
                let cell = escape(&crate::text::cut(cell, 80));
                let _ = match index {
                    0 => write!(html, "<th scope=\"row\">{cell}</th>"),
                    _ => write!(html, "<td>{cell}</td>"),
                };
            }
            html.push_str("</tr>");
        }
        html.push_str("</tbody></table></div></details></figure>");
        Markup(html)
    }
}

/// An SVG under construction.
pub(crate) struct Svg {
    out: String,
}

impl Svg {
    /// `class` says how it is laid out, `label` what it shows for those who do not see it.
    pub(crate) fn new(class: &str, width: f64, height: f64, label: &str) -> Self {
        let (w, h) = (n(width), n(height));
        Self {
            out: format!(
                "<svg class=\"{class}\" viewBox=\"0 0 {w} {h}\" width=\"{w}\" height=\"{h}\" role=\"img\" aria-label=\"{}\">",
                escape(&crate::text::cut(label, 300))
            ),
        }
    }

    /// For pictures without words, which may take any width.
    pub(crate) fn stretched(mut self) -> Self {
        self.out.pop();
        self.out.push_str(" preserveAspectRatio=\"none\">");
        self
    }

    /// For pictures that hold links, which a plain image hides from those who listen.
    pub(crate) fn with_links(mut self) -> Self {
        self.out = self.out.replacen("role=\"img\"", "role=\"group\"", 1);
        self
    }

    /// For pictures with a time axis: what the cross-hair needs to know.
    pub(crate) fn with_time(mut self, left: f64, right: f64, interval: domain::time::Interval) -> Self {
        self.out.pop();
        let _ = write!(
            self.out,
            " data-left=\"{}\" data-right=\"{}\" data-from=\"{}\" data-to=\"{}\">",
            n(left),
            n(right),
            interval.start.millis(),
            interval.end.millis()
        );
        self
    }

    pub(crate) fn raw(&mut self, text: &str) -> &mut Self {
        self.out.push_str(text);
        self
    }

    pub(crate) fn rect(&mut self, class: &str, area: Area, title: &str) -> &mut Self {
        let Area { x, y, width, height } = area;
        let _ = write!(
            self.out,
            "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"",
            n(x),
            n(y),
            n(width.max(0.0)),
            n(height.max(0.0))
        );
        self.close_with_title("rect", title)
    }

    pub(crate) fn path(&mut self, class: &str, d: &str, title: &str) -> &mut Self {
        let _ = write!(self.out, "<path class=\"{class}\" d=\"{d}\"");
        self.close_with_title("path", title)
    }

    pub(crate) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64), title: &str) -> &mut Self {
        let _ = write!(
            self.out,
            "<line class=\"{class}\" x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"",
            n(from.0),
            n(from.1),
            n(to.0),
            n(to.1)
        );
        self.close_with_title("line", title)
    }

    /// `anchor` is one of SVG's: start, middle, end.
    pub(crate) fn text(&mut self, class: &str, at: (f64, f64), anchor: &str, text: &str) -> &mut Self {
        let _ = write!(
            self.out,
            "<text class=\"{class}\" x=\"{}\" y=\"{}\" text-anchor=\"{anchor}\">{}</text>",
            n(at.0),
            n(at.1),
            escape(text)
        );
        self
    }

    fn close_with_title(&mut self, element: &str, title: &str) -> &mut Self {
        if title.is_empty() {
            self.out.push_str("/>");
        } else {
            let _ = write!(self.out, "><title>{}</title></{element}>", escape(title));
        }
        self
    }

    pub(crate) fn finish(mut self) -> Markup {
        self.out.push_str("</svg>");
        Markup(self.out)
    }
}

/// A rectangle of a picture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Area {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

/// A coordinate with one decimal; what is not finite would break a path and becomes 0.
pub(crate) fn n(value: f64) -> String {
    if !value.is_finite() {
        return "0".to_owned();
    }
    let rounded = (value * 10.0).round() / 10.0;
    if rounded == rounded.trunc() { format!("{}", rounded.trunc() as i64) } else { format!("{rounded:.1}") }
}

/// Lines through points; a missing point ends one line and begins the next, and a lone point is a dot.
pub(crate) fn path_with_gaps(points: impl IntoIterator<Item = Option<(f64, f64)>>) -> String {
    let mut d = String::new();
    let mut run = 0;
    for point in points {
        match point {
            Some((x, y)) if x.is_finite() && y.is_finite() => {
                let _ = write!(d, "{}{},{}", if run == 0 { "M" } else { "L" }, n(x), n(y));
                run += 1;
            }
            _ => {
                if run == 1 {
                    d.push_str("h0.1");
                }
                run = 0;
            }
        }
    }
    if run == 1 {
        d.push_str("h0.1");
    }
    d
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_a_gap_and_a_lone_point_a_dot() {
        let points = [Some((0.0, 1.0)), Some((1.0, 2.0)), None, Some((3.0, 1.0)), None];
        assert_eq!(path_with_gaps(points), "M0,1L1,2M3,1h0.1");
        assert_eq!(path_with_gaps([Some((f64::NAN, 1.0))]), "");
    }

    #[test]
    fn the_table_of_a_picture_is_escaped() {
        let table = Table {
            caption: "<b>".to_owned(),
            head: vec!["bin".to_owned()],
            rows: vec![vec!["<script>".to_owned()]],
        };
        let html = Figure { svg: Markup::default(), table }.render().0;
        assert!(!html.contains("<script") && !html.contains("<b>"), "{html}");
    }
}
