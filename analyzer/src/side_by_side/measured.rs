//! Every statistic of one signal, with what is needed to judge and to describe it; the counts are gone by then.

use serde::Serialize;

use crate::drift::cramer_von_mises::CramerVonMises;
use crate::drift::ks::Ks;
use crate::drift::psi::{self, Psi};
use crate::drift::wasserstein::Wasserstein;
use crate::drift::{hellinger, jensen_shannon, total_variation};
use crate::side_by_side::{Kind, Signal, Standing, Tally, Unseen};
use crate::stats::contingency::{self, Contingency};
use crate::stats::groups::Groups;
use crate::stats::histogram::{Axis, Pair, Sides};

/// What is written for a signal; `None` where a statistic does not apply. The names are those of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Statistics {
    pub psi: Option<f64>,
    pub jensen_shannon_distance: Option<f64>,
    pub hellinger: Option<f64>,
    pub total_variation: Option<f64>,
    pub ks: Option<f64>,
    pub ks_p: Option<f64>,
    pub wasserstein: Option<f64>,
    pub wasserstein_sd: Option<f64>,
    pub cramer_von_mises: Option<f64>,
    pub chi2: Option<f64>,
    pub chi2_p: Option<f64>,
    pub cramers_v: Option<f64>,
    pub unseen_share: Option<f64>,
}

/// A signal that was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    pub name: String,
    pub kind: Kind,
    pub baseline: Tally,
    pub current: Tally,
    pub standing: Standing,
    pub statistics: Statistics,
    pub unseen: Option<Unseen>,
    pub drift: Option<Drift>,
    /// Every row has a value of its own: nothing that has a distribution.
    pub is_identifier: bool,
    pub facts: Facts,
}

/// How far the values moved, and how likely that is by chance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drift {
    /// The shift of a normal signal, in standard deviations, that would move it as far: `√PSI_c`.
    pub shift_sd: f64,
    /// How likely at least this is when nothing changed and rows are independent.
    pub p: f64,
    /// Large enough to matter, whatever the number of rows.
    pub is_large: bool,
}

/// What a sentence is made of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    pub means: Option<Sides>,
    /// The only value of the baseline, and the share of the current values that are another.
    pub constant: Option<(String, f64)>,
    /// The category whose share changed most.
    pub level: Option<(String, Sides)>,
    /// Values of the current side far outside the baseline's range, and the farthest of them.
    pub far: Option<(u64, f64)>,
    /// The upper bound of KS where it is not exact.
    pub ks_high: Option<f64>,
}

/// A movement is worth a word from a tenth of a standard deviation on (METHODS 1.8).
pub const LEAST_SHIFT_SD: f64 = 0.1;
/// The mean of W1 over the standard deviation when nothing changed, over `√(1/n + 1/m)`, for a normal signal (1.5).
const NOISE_OF_WASSERSTEIN: f64 = 1.29;
/// With fewer rows than this a column whose values are all different may well have a distribution.
const LEAST_ROWS_OF_AN_IDENTIFIER: u64 = 50;

impl Measured {
    pub fn of(signal: Signal) -> Self {
        let Signal { name, kind, baseline, current, standing, pair, levels, unseen, means } = signal;
        let mut measured = Self {
            name,
            kind,
            baseline,
            current,
            standing,
            statistics: Statistics::default(),
            unseen,
            drift: None,
            is_identifier: false,
            facts: Facts { means, ..Facts::default() },
        };
        if let Some(pair) = pair {
            match kind {
                Kind::Number => measured.measure_numbers(&pair),
                Kind::Category => measured.measure_categories(&pair, &levels),
            }
        }
        measured
    }

    fn measure_numbers(&mut self, pair: &Pair) {
        let Axis::Ordered { places, .. } = &pair.axis else { return };
        let (psi, ks) = (Psi::of(pair), Ks::of(pair));
        let moved = Wasserstein::of(pair);
        let over_sd = moved.as_ref().and_then(Wasserstein::over_sd);
        self.statistics = Statistics {
            ks: ks.map(|ks| ks.low),
            ks_p: ks.map(|ks| ks.p),
            wasserstein: moved.map(|moved| moved.distance).filter(|distance| distance.is_finite()),
            wasserstein_sd: over_sd,
            cramer_von_mises: CramerVonMises::of(pair).and_then(|cvm| cvm.t),
            ..Self::on_groups(&pair.groups)
        };
        // Two looks at the same movement: twice the smaller p-value.
        let p = (2.0 * ks.map_or(1.0, |ks| ks.p).min(psi.p())).min(1.0);
        let beyond_noise = over_sd.map_or(0.0, |over_sd| over_sd - NOISE_OF_WASSERSTEIN * pair.s().sqrt());
        let is_large = psi.shift_sd() >= LEAST_SHIFT_SD || beyond_noise >= LEAST_SHIFT_SD;
        self.drift = Some(Drift { shift_sd: psi.shift_sd(), p, is_large });
        self.is_identifier = is_sequence(pair, places);
        self.facts.means = self.facts.means.or_else(|| means(pair, places));
        self.facts.constant = constant(pair, places);
        self.facts.far = far(pair, places);
        self.facts.ks_high = ks.filter(|ks| ks.high > ks.low).map(|ks| ks.high);
    }

    fn measure_categories(&mut self, pair: &Pair, levels: &[String]) {
        let counts: Vec<[u64; 2]> = pair
            .baseline
            .counts()
            .iter()
            .zip(pair.current.counts())
            .map(|(below, now)| [*below, *now])
            .collect();
        let table = Contingency::of(&contingency::pooled(&counts));
        let unseen = self.unseen.map(|unseen| unseen.rows as f64 / pair.current.n() as f64);
        self.statistics = Statistics {
            chi2: Some(table.statistic),
            chi2_p: Some(table.p),
            cramers_v: Some(table.cramers_v),
            unseen_share: unseen,
            ..Self::on_groups(&Groups::of_counts(counts))
        };
        // The size is that of the pooled groups: with a group for each rare category PSI is mostly noise (METHODS 1.7).
        let shift_sd = Psi::of(pair).shift_sd();
        self.drift = Some(Drift { shift_sd, p: table.p, is_large: shift_sd >= LEAST_SHIFT_SD });
        self.is_identifier = self.unseen.is_some_and(|unseen| {
            let sides = [(unseen.different[0], pair.baseline.n()), (unseen.different[1], pair.current.n())];
            sides.iter().all(|(different, n)| *n >= LEAST_ROWS_OF_AN_IDENTIFIER && different * 2 > *n)
        });
        self.facts.level = most_changed(pair, levels);
    }

    /// What is measured on groups, of numbers as of categories.
    fn on_groups(groups: &Groups) -> Statistics {
        Statistics {
            psi: Some(psi::of_groups(groups)),
            jensen_shannon_distance: Some(jensen_shannon::of_groups(groups)),
            hellinger: Some(hellinger::of_groups(groups)),
            total_variation: Some(total_variation::of_groups(groups)),
            ..Statistics::default()
        }
    }

    pub fn shift_sd(&self) -> Option<f64> {
        self.drift.map(|drift| drift.shift_sd)
    }
}

fn means(pair: &Pair, places: &[f64]) -> Option<Sides> {
    let mean = |histogram: &crate::stats::histogram::Histogram| {
        let n = histogram.n() as f64;
        histogram.counts().iter().zip(places).map(|(count, place)| *count as f64 / n * place).sum::<f64>()
    };
    let sides = Sides { baseline: mean(&pair.baseline), current: mean(&pair.current) };
    (sides.baseline.is_finite() && sides.current.is_finite()).then_some(sides)
}

/// Whole numbers, each once, in a range not much longer than there are of them: a row number, on both sides.
fn is_sequence(pair: &Pair, places: &[f64]) -> bool {
    [&pair.baseline, &pair.current].into_iter().all(|histogram| {
        let n = histogram.n();
        if n < LEAST_ROWS_OF_AN_IDENTIFIER || histogram.counts().iter().any(|count| *count > 1) {
            return false;
        }
        let first = histogram.counts().iter().position(|count| *count > 0).unwrap_or(0);
        let last = histogram.counts().iter().rposition(|count| *count > 0).unwrap_or(0);
        let range = places[last] - places[first] + 1.0;
        range <= 2.0 * n as f64 && places.iter().all(|place| place.fract() == 0.0)
    })
}

fn constant(pair: &Pair, places: &[f64]) -> Option<(String, f64)> {
    let place = pair.baseline.counts().iter().position(|count| *count == pair.baseline.n())?;
    let others = pair.current.n() - pair.current.counts()[place];
    Some((crate::words::number(places[place]), others as f64 / pair.current.n() as f64))
}

/// Beyond the fence `[Q.001 − 3·IQR, Q.999 + 3·IQR]` of the baseline, which has one only where its middle half varies
/// (METHODS 3).
fn far(pair: &Pair, places: &[f64]) -> Option<(u64, f64)> {
    let [low, lower, upper, high] =
        pair.baseline.quantile_bins([1, 250, 750, 999], 1_000).map(|bin| places[bin]);
    let reach = 3.0 * (upper - lower);
    if reach.is_nan() || reach <= 0.0 {
        return None;
    }
    let beyond = |place: f64| (low - reach - place).max(place - high - reach);
    let outside = pair
        .current
        .counts()
        .iter()
        .zip(places)
        .filter(|(count, place)| **count > 0 && beyond(**place) > 0.0);
    let rows = outside.clone().map(|(count, _)| *count).sum();
    let farthest =
        outside.map(|(_, place)| *place).max_by(|one, other| beyond(*one).total_cmp(&beyond(*other)))?;
    Some((rows, farthest))
}

fn most_changed(pair: &Pair, levels: &[String]) -> Option<(String, Sides)> {
    let (n, m) = (pair.baseline.n() as f64, pair.current.n() as f64);
    let shares = pair.baseline.counts().iter().zip(pair.current.counts());
    let shares = shares.map(|(below, now)| Sides { baseline: *below as f64 / n, current: *now as f64 / m });
    let change = |sides: &Sides| (sides.current - sides.baseline).abs();
    let (place, sides) =
        shares.enumerate().max_by(|one, other| change(&one.1).total_cmp(&change(&other.1)))?;
    let name =
        levels.get(place).map_or("all other values", |name| if name.is_empty() { "\"\"" } else { name });
    Some((name.to_owned(), sides))
}
