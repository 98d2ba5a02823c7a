//! A comparison as a table for a terminal: one line a signal, its sentence below.

use std::fmt::Write as _;

use analyzer::side_by_side::judged::Verdict;
use analyzer::side_by_side::report::Report;

use super::{HEADS, cells, summary};

/// The longest name of a signal that keeps its place in the column.
const LONGEST_NAME: usize = 40;

pub fn drawn(report: &Report, is_coloured: bool) -> String {
    let rows: Vec<[String; 6]> = report.signals.iter().map(cells).collect();
    let mut widths = HEADS.map(|head| head.chars().count());
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count().min(LONGEST_NAME));
        }
    }
    let mut text = format!("{}\n\n", summary(report));
    if !rows.is_empty() {
        text.push_str(&line(&HEADS.map(str::to_owned), &widths));
    }
    for (row, judged) in rows.iter().zip(&report.signals) {
        let drawn = line(row, &widths);
        match (is_coloured, colour(judged.verdict)) {
            (true, Some(colour)) => {
                let _ = writeln!(text, "\x1b[{colour}m{}\x1b[0m", drawn.trim_end());
            }
            _ => text.push_str(&drawn),
        }
        let _ = writeln!(text, "    {}.", judged.sentence);
    }
    text
}

/// Names to the left, numbers to the right.
fn line(cells: &[String; 6], widths: &[usize; 6]) -> String {
    let [name, verdict, numbers @ ..] = cells;
    let mut text = format!("{name:<0$}  {verdict:<1$}", widths[0], widths[1]);
    for (cell, width) in numbers.iter().zip(&widths[2..]) {
        let _ = write!(text, "  {cell:>width$}");
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

fn colour(verdict: Verdict) -> Option<u8> {
    match verdict {
        Verdict::OffCourse => Some(31),
        Verdict::TooLittleData | Verdict::NotComparable => Some(33),
        Verdict::OnCourse => None,
    }
}
