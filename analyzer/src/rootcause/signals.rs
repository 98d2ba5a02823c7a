//! Signals by what they did to the prediction, and by how far they moved.
//!
//! What moved the model's output comes before what merely moved (METHODS 0(4)): a season takes the temperature far and the
//! prediction nowhere.

use domain::signal::{Role, role, segment};

use crate::counted::BySignal;
use crate::drift::psi::Psi;
use crate::explain;
use crate::reference::Reference;
use crate::stats::histogram::Pair;

/// A movement that chance reaches more often than this is none.
const BY_CHANCE: f64 = 1e-3;
/// A share of missing values that rose by less is none.
const LEAST_RISE: f64 = 0.01;
/// The mean prediction has moved where it did so by so many standard errors, and by this part of its spread.
const MOVED_ERRORS: f64 = 4.0;
const MOVED_SPREAD: f64 = 0.02;

/// The move of the prediction's mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Move {
    pub baseline: f64,
    pub current: f64,
}

impl Move {
    pub fn total(self) -> f64 {
        self.current - self.baseline
    }

    /// `None` where the prediction is not known on both sides, or has not moved.
    pub fn of(reference: &Reference, current: &BySignal) -> Option<Self> {
        let key = (segment::ALL.to_owned(), reference.prediction.clone()?);
        let (before, now) = (&reference.signals.get(&key)?.moments, &current.get(&key)?.moments);
        let moved = Self { baseline: before.mean()?, current: now.mean()? };
        let (sd, sd_now) = (before.sd()?, now.sd()?);
        let error = (sd * sd / before.n as f64 + sd_now * sd_now / now.n as f64).sqrt();
        let total = moved.total().abs();
        (total > MOVED_ERRORS * error && total > MOVED_SPREAD * sd).then_some(moved)
    }
}

/// One signal over all events.
#[derive(Clone, Debug, PartialEq)]
pub struct Moved {
    pub signal: String,
    pub is_consequence: bool,
    /// PSI without its noise.
    pub psi: f64,
    pub shift_sd: f64,
    pub missing: [f64; 2],
    pub means: Option<[f64; 2]>,
    /// What its movement alone does to the mean prediction: `Σ (q − p)·(m − M)` over its bins.
    pub mix: Option<f64>,
    /// `mix` over the prediction's whole move; `None` where that has not moved.
    pub part: Option<f64>,
}

impl Moved {
    pub fn missing_rise(&self) -> f64 {
        self.missing[1] - self.missing[0]
    }

    /// The greater, the sooner one should look at it: its part of the prediction's move, what is no longer there, and at
    /// last how far it moved, which alone never outweighs an eighth of the prediction's move.
    pub fn weight(&self) -> f64 {
        let part = self.part.map_or(0.0, |part| part.abs().min(1.5));
        let far = self.psi.sqrt().min(4.0) / 4.0;
        let far = if self.part.is_some() { far / 8.0 } else { far };
        part + self.missing_rise().max(0.0) + far
    }
}

/// Every signal that moved, the weightiest first; what came of it last.
pub fn moved(reference: &Reference, current: &BySignal) -> Vec<Moved> {
    let total = Move::of(reference, current).map(Move::total);
    let whole = reference.signals.iter().filter(|((segment, _), _)| segment == segment::ALL);
    let mut all: Vec<Moved> = whole
        .filter_map(|(key, baseline)| {
            let now = current.get(key)?;
            let grid = reference.grid(&key.1, baseline.grid)?;
            let psi =
                Pair::on(grid, &baseline.counts, &now.counts, &baseline.means).map(|pair| Psi::of(&pair));
            let gone = |counts: &domain::counts::Counts| {
                (counts.missing() + counts.invalid()) as f64 / counts.total().max(1) as f64
            };
            let mix = explain::prediction_move(baseline, &now.counts);
            let is_consequence = matches!(role(&key.1), Role::Prediction | Role::Outcome);
            let moved = Moved {
                signal: key.1.clone(),
                is_consequence,
                psi: psi.map_or(0.0, |psi| (psi.value - psi.noise()).max(0.0)),
                shift_sd: psi.map_or(0.0, |psi| psi.shift_sd()),
                missing: [gone(&baseline.counts), gone(&now.counts)],
                means: baseline.moments.mean().zip(now.moments.mean()).map(|(before, now)| [before, now]),
                mix: mix.filter(|_| !is_consequence),
                part: mix.zip(total).map(|(mix, total)| mix / total).filter(|_| !is_consequence),
            };
            let has_moved = psi.is_some_and(|psi| psi.p() < BY_CHANCE) || moved.missing_rise() > LEAST_RISE;
            has_moved.then_some(moved)
        })
        .collect();
    all.sort_by(|one, other| {
        let order = one.is_consequence.cmp(&other.is_consequence);
        order.then(other.weight().total_cmp(&one.weight())).then_with(|| one.signal.cmp(&other.signal))
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(part: Option<f64>, psi: f64, missing: f64) -> Moved {
        Moved {
            signal: "feature.x".to_owned(),
            is_consequence: false,
            psi,
            shift_sd: psi.sqrt(),
            missing: [0.0, missing],
            means: None,
            mix: part,
            part,
        }
    }

    #[test]
    fn what_moved_the_prediction_outweighs_what_moved_far() {
        assert!(moved(Some(0.3), 0.2, 0.0).weight() > moved(Some(0.02), 9.9, 0.0).weight());
        assert!(moved(Some(-0.6), 0.2, 0.0).weight() > moved(Some(0.3), 0.2, 0.0).weight());
        assert!(moved(None, 1.0, 0.4).weight() > moved(None, 1.0, 0.0).weight());
        assert!(moved(None, 4.0, 0.0).weight() > moved(None, 1.0, 0.0).weight());
    }
}
