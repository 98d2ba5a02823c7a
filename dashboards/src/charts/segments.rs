//! A segment's part of the shift as a bar, with a tick at its part of the traffic.

use super::{Area, Svg};
use crate::figures::SegmentPart;
use crate::text::{Markup, percent};

const WIDTH: f64 = 130.0;
const HEIGHT: f64 = 14.0;

pub fn draw(part: &SegmentPart, first: bool) -> Markup {
    let label = format!("{} of the shift, {} of the traffic", percent(part.shift), percent(part.traffic));
    let scale = |share: f64| if share.is_finite() { share.clamp(0.0, 1.0) * WIDTH } else { 0.0 };
    let mut svg = Svg::new("segment-bar", WIDTH, HEIGHT, &label);
    let class = if first { "fill first" } else { "fill" };
    svg.rect(class, Area { x: 0.0, y: 3.0, width: scale(part.shift).max(1.5), height: 8.0 }, &label);
    let tick = scale(part.traffic);
    svg.line("traffic", (tick, 0.0), (tick, HEIGHT), &label);
    svg.finish()
}
