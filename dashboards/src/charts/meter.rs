//! A part of a whole as a bar, beside its number in words.

use super::{Area, Svg};
use crate::text::Markup;

/// `class` is `fill` or `fill first`.
pub fn draw(share: f64, class: &str, label: &str) -> Markup {
    let width = if share.is_finite() { share.clamp(0.0, 1.0) * 100.0 } else { 0.0 };
    let mut svg = Svg::new("meter-bar", 100.0, 8.0, label);
    svg.raw("<rect class=\"rail\" width=\"100\" height=\"8\" rx=\"4\"/>");
    if width > 0.0 {
        svg.rect(class, Area { x: 0.0, y: 0.0, width: width.max(2.0), height: 8.0 }, label);
    }
    svg.finish()
}
