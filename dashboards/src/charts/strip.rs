//! A line of verdicts: one stretch of time, worst of everything, at a glance.

use domain::evaluation::{Severity, Verdict};
use domain::time::{Instant, Interval};
use jiff::tz::TimeZone;

use super::line::clock;
use super::{Area, Svg};
use crate::text::Markup;

/// The worst that was found in a stretch of time, ordered from the least bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    TooLittle,
    OnCourse,
    Suspect,
    Recovering,
    Ticket,
    Page,
}

impl Mark {
    pub fn of(verdict: Verdict, severity: Severity) -> Self {
        match (verdict, severity) {
            (Verdict::TooLittleData, _) => Self::TooLittle,
            (Verdict::OnCourse, _) => Self::OnCourse,
            (Verdict::Suspect, _) => Self::Suspect,
            (Verdict::Recovering, _) => Self::Recovering,
            (Verdict::OffCourse, Severity::Ticket) => Self::Ticket,
            (Verdict::OffCourse, Severity::Page) => Self::Page,
        }
    }

    /// From the number by which the store orders verdicts.
    pub fn from_rank(rank: u8) -> Self {
        match rank {
            0 => Self::TooLittle,
            1 => Self::OnCourse,
            2 => Self::Suspect,
            3 => Self::Recovering,
            4 => Self::Ticket,
            _ => Self::Page,
        }
    }

    pub fn class(self) -> &'static str {
        match self {
            Self::TooLittle => "v-none",
            Self::OnCourse => "v-ok",
            Self::Suspect => "v-suspect",
            Self::Recovering => "v-recovering",
            Self::Ticket => "v-ticket",
            Self::Page => "v-page",
        }
    }

    pub fn words(self) -> &'static str {
        match self {
            Self::TooLittle => "too little data",
            Self::OnCourse => "on course",
            Self::Suspect => "beyond its limit once",
            Self::Recovering => "recovering",
            Self::Ticket => "off course (ticket)",
            Self::Page => "off course (page)",
        }
    }

    pub fn is_bad(self) -> bool {
        self >= Self::Suspect
    }
}

/// Neighbouring cells of one mark: `first..end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    pub first: usize,
    pub end: usize,
    pub mark: Mark,
}

pub fn runs(cells: &[Option<Mark>]) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut first = 0;
    for group in cells.chunk_by(|a, b| a == b) {
        if let Some(Some(mark)) = group.first() {
            runs.push(Run { first, end: first + group.len(), mark: *mark });
        }
        first += group.len();
    }
    runs
}

const WIDTH: f64 = 192.0;
const HEIGHT: f64 = 14.0;

/// `name` is whose verdicts these are, for those who do not see the picture.
pub fn draw(cells: &[Option<Mark>], interval: Interval, name: &str, zone: &TimeZone) -> Markup {
    let worst = cells.iter().flatten().max();
    let label = match worst {
        None => format!("{name}: no verdicts in this range"),
        Some(worst) => format!("{name}: at worst {}", worst.words()),
    };
    let mut svg = Svg::new("strip", WIDTH, HEIGHT, &label).stretched();
    let cell = WIDTH / cells.len().max(1) as f64;
    let length = interval.length().as_millis() as i64;
    let at = |index: usize| {
        let share = length * index as i64 / cells.len().max(1) as i64;
        Instant::from_millis(interval.start.millis() + share)
    };
    for run in runs(cells) {
        let area = Area {
            x: cell * run.first as f64,
            y: 0.0,
            width: cell * (run.end - run.first) as f64,
            height: HEIGHT,
        };
        let title =
            format!("{}, {} to {}", run.mark.words(), clock(at(run.first), zone), clock(at(run.end), zone));
        svg.rect(run.mark.class(), area, &title);
    }
    // The gaps between cells are one mark over all of them.
    svg.raw(&format!("<path class=\"gaps\" d=\"{}\"/>", gaps(cells.len())));
    svg.finish()
}

fn gaps(cells: usize) -> String {
    let cell = WIDTH / cells.max(1) as f64;
    (1..cells).map(|index| format!("M{} 0v14", super::n(cell * index as f64))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_of_one_mark_run_together_and_gaps_part_them() {
        use Mark::{OnCourse, Page};
        let cells = [Some(OnCourse), Some(OnCourse), None, Some(OnCourse), Some(Page)];
        let found = runs(&cells);
        assert_eq!(found.len(), 3);
        assert_eq!(found[1], Run { first: 3, end: 4, mark: OnCourse });
        assert!(runs(&[]).is_empty());
    }

    #[test]
    fn the_order_of_marks_is_the_order_of_the_store() {
        for rank in 0..=5_u8 {
            assert_eq!(Mark::from_rank(rank) as u8, rank);
        }
        assert!(Mark::Page > Mark::Ticket && Mark::Ticket > Mark::OnCourse);
    }
}
