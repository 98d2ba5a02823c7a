//! What goes wrong with an invented or recorded signal, and whose task it is to find it.

use std::fmt;

use domain::baseline::Moments;
use domain::evaluation::Monitor;
use domain::grid::Grid;

/// What goes wrong with a signal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    None,
    /// All values move by so many standard deviations.
    Shift(f64),
    /// So large a share of the values becomes null.
    Nulls(f64),
    /// So large a share of the values becomes a category that was never seen.
    NewCategory(f64),
    /// All values are told in another unit: so many times as large.
    Unit(f64),
    /// One value takes the place of all others.
    Stuck,
}

impl Fault {
    pub(super) fn applies_to(self, grid: &Grid) -> bool {
        match self {
            Self::None => false,
            Self::Shift(_) | Self::Unit(_) => grid.is_numeric(),
            Self::Nulls(_) | Self::Stuck => true,
            Self::NewCategory(_) => !grid.is_numeric(),
        }
    }

    /// Whose task it is to find the fault.
    pub(super) fn monitor(self) -> Monitor {
        match self {
            Self::None | Self::Shift(_) | Self::Unit(_) => Monitor::Drift,
            Self::Nulls(_) => Monitor::Missing,
            Self::NewCategory(_) => Monitor::Unseen,
            Self::Stuck => Monitor::Stuck,
        }
    }

    /// What is known beside the counts: that all of `n` values are one.
    pub(super) fn moments(self, n: u64) -> Moments {
        let mut moments = Moments::default();
        if self == Self::Stuck {
            (0..n).for_each(|_| moments.add(1.0));
        }
        moments
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => write!(out, "nothing"),
            Self::Shift(sd) => write!(out, "{sd} sd"),
            Self::Nulls(share) => write!(out, "nulls 0 → {} %", 100.0 * share),
            Self::NewCategory(share) => write!(out, "new category {} %", 100.0 * share),
            Self::Unit(factor) => write!(out, "unit × {factor:.2}"),
            Self::Stuck => write!(out, "stuck value"),
        }
    }
}
