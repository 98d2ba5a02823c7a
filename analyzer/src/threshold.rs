//! Where a limit lies, and what becomes of a value that crosses it.
//!
//! Two parts that know nothing of each other: [`Limits`] says how large a value must be, [`judge`] what a run of
//! readings makes of a subject. A limit is the greatest of a practical floor, what the two sample sizes explain, and how
//! much healthy windows of the very subject vary ([`Spread`], METHODS 12(4)). Before that is known from enough days, it is
//! φ times what independent rows would, from a higher floor (METHODS 12(8)).

use std::time::Duration;

use domain::evaluation::{Basis, Evaluation, Verdict};
use domain::signal::{Role, role};
use domain::time::Instant;

use crate::budget::{Budget, Subjects};
use crate::config::Config;
use crate::drift::psi::Psi;
use crate::spread::Spread;
use crate::stats::proportion::{Share, pooled_error};
use crate::stats::{chi_squared, normal};

/// The limits of one value.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limit {
    /// Beyond this a window is off course.
    pub threshold: f64,
    /// An alarm ends below this.
    pub recovery: f64,
    /// Beyond this one window is enough.
    pub urgent: f64,
    /// The part of the value that sampling alone explains.
    pub noise: f64,
    /// How much is too little to matter; 0 where the limit itself was stated.
    pub floor: f64,
    pub basis: Basis,
    /// How often healthy windows reach a value, where a law for that is known.
    pub law: Law,
}

/// How a statistic behaves in healthy windows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Law {
    #[default]
    Unknown,
    /// `value / scale` is χ² with `df` degrees of freedom.
    ChiSquared { df: u32, scale: f64 },
    /// `(value − base) / scale` is standard normal.
    Normal { base: f64, scale: f64 },
    /// `(value − base) / scale` is spread as it was seen.
    Learned { spread: Spread, base: f64, scale: f64 },
}

impl Law {
    /// How likely a healthy window reaches `value`; `None` where no law is known.
    pub fn chance(&self, value: f64) -> Option<f64> {
        match *self {
            Self::Unknown => None,
            Self::ChiSquared { df, scale } if df > 0 && scale > 0.0 => {
                Some(chi_squared::sf(value / scale, df))
            }
            Self::Normal { base, scale } if scale > 0.0 => Some(normal::sf((value - base) / scale)),
            Self::Learned { spread, base, scale } if scale > 0.0 => {
                Some(spread.chance((value - base) / scale))
            }
            _ => None,
        }
    }
}

/// How large a value must be, for one watch of one model.
#[derive(Clone, Debug)]
pub struct Limits {
    config: Config,
    budget: Budget,
    /// Upper quantiles of χ² by degrees of freedom, at the level of pages and of tickets.
    quantiles: [Vec<f64>; 2],
}

/// Groups of a comparison never exceed the categories of a grid and *other*.
const MOST_DF: u32 = 128;
/// Fewer bad events than this are chance or one hiccup, whatever share they are.
const LEAST_BAD: f64 = 5.0;
/// A value of which no more than this part of what was usual is left is all but gone …
const GONE: f64 = 0.05;
/// … if so many would have been left, that this is no chance.
const LEAST_LEFT: f64 = 50.0;

impl Limits {
    pub fn new(config: &Config, budget: Budget) -> Self {
        let quantiles = |level: f64| (0..=MOST_DF).map(|df| chi_squared::upper_quantile(level, df)).collect();
        Self { quantiles: [quantiles(budget.page), quantiles(budget.ticket)], budget, config: config.clone() }
    }

    /// Limits of `subjects`, each of which may page and is looked at once a `step`.
    pub fn shared_over(config: &Config, subjects: usize, step: Duration) -> Self {
        Self::new(config, Budget::split(config, Subjects { pages: subjects, tickets: subjects }, step))
    }

    /// The chance that one look at one subject that may page is a false alarm.
    pub fn level(&self) -> f64 {
        self.budget.page
    }

    /// The chance that one look at one subject that may only make a ticket is a false alarm.
    pub fn ticket_level(&self) -> f64 {
        self.budget.ticket
    }

    /// Whether enough days were seen for `spread` to say how healthy windows vary.
    fn is_learned(&self, spread: &Spread) -> bool {
        spread.days >= f64::from(self.config.history_days)
    }

    /// PSI: `max(floor + (B−1)s, s·χ²_{B−1}(level), ((B−1)s + w)·q(level))`, so that what remains without noise reaches
    /// the floor, chance does not reach the limit, and neither do healthy windows: `w` is their wander and `q` the
    /// quantile of their values freed of sample sizes ([`crate::calibrate`]). Before that is learned, `φ·s·χ²` and the
    /// floor of the start take its place.
    pub fn drift(&self, signal: &str, psi: &Psi, healthy: Option<&Spread>) -> Limit {
        let is_prediction = role(signal) == Role::Prediction;
        let (level, quantiles, floor) = match is_prediction {
            true => (self.budget.page, &self.quantiles[0], self.config.floors.prediction_psi),
            false => (self.budget.ticket, &self.quantiles[1], self.config.floors.feature_psi),
        };
        let chance = psi.s * quantiles[psi.df.min(MOST_DF) as usize];
        let scale = psi.noise() + healthy.map_or(0.0, |spread| spread.wander);
        let usual = healthy.map_or(0.0, |spread| scale * spread.upper_quantile(level));
        let learned = healthy.filter(|spread| self.is_learned(spread));
        let (floor, usual, basis, law) = match learned {
            Some(spread) => {
                let law = Law::Learned { spread: *spread, base: 0.0, scale };
                (floor, usual.max(chance), Basis::Learned, law)
            }
            None => {
                let phi = self.config.phi;
                let law = Law::ChiSquared { df: psi.df, scale: phi * psi.s };
                (floor.max(self.config.floors.start_psi), usual.max(phi * chance), Basis::Assumed, law)
            }
        };
        let limit = self.above(0.0, (floor + psi.noise()).max(usual), psi.noise());
        Limit { floor, basis, law, ..limit }
    }

    /// A share that must not rise: `baseline + max(floor, z(level)·error, √(error² + w²)·q(level), 5 events)` with the
    /// pooled error of both sides, and w and q as healthy windows have them; `z(level)·√φ·error` before that is learned.
    /// What is all but gone is beyond the limit wherever healthy windows never were so.
    pub fn share(&self, baseline: Share, current: Share, healthy: Option<&Spread>) -> Limit {
        let level = self.budget.ticket;
        let (error, z) = (pooled_error(baseline, current), normal::upper_quantile(level));
        let least = LEAST_BAD / current.n() as f64;
        let base = baseline.value();
        let scale = error.hypot(healthy.map_or(0.0, |spread| spread.wander));
        let seen = healthy.map_or(0.0, |spread| scale * spread.upper_quantile(level));
        let (usual, basis, law) = match healthy.filter(|spread| self.is_learned(spread)) {
            Some(spread) => {
                (seen.max(z * error), Basis::Learned, Law::Learned { spread: *spread, base, scale })
            }
            None => {
                let wide = self.config.phi.sqrt() * error;
                (seen.max(z * wide), Basis::Assumed, Law::Normal { base, scale: wide })
            }
        };
        let rise = self.config.floors.share.max(usual).max(least);
        let expected_left = (1.0 - base) * current.n() as f64;
        let is_told = expected_left >= LEAST_LEFT && !was_gone(baseline, current, healthy);
        let threshold = if is_told { all_but_gone(base).min(base + rise) } else { base + rise };
        let limit = self.above(base, threshold, error);
        Limit { floor: self.config.floors.share, basis, law, ..limit }
    }

    /// A number that must not rise above `base` by more than `floor`, what its standard error explains, and what healthy
    /// windows do.
    pub fn rise(&self, base: f64, floor: f64, error: f64, healthy: Option<&Spread>) -> Limit {
        let usual = healthy.map_or(0.0, |spread| spread.upper_quantile(self.budget.page));
        let law = match healthy {
            Some(spread) => Law::Learned { spread: *spread, base, scale: 1.0 },
            None => Law::Normal { base, scale: error },
        };
        let limit = self.above(base, base + floor.max(usual).max(self.z() * error), error);
        Limit { floor, law, ..limit }
    }

    /// How many standard errors chance reaches at the level of pages.
    pub fn z(&self) -> f64 {
        normal::upper_quantile(self.budget.page)
    }

    /// A share that must stay below a stated `allowed` one, by more than a few events.
    pub fn allowance(&self, allowed: f64, n: u64) -> Limit {
        let noise = (self.config.phi * allowed * (1.0 - allowed) / n.max(1) as f64).sqrt();
        let threshold = allowed + (3.0 * noise).max(LEAST_BAD / n.max(1) as f64);
        self.above(0.0, threshold, noise)
    }

    /// Values that start from `base` and are off course beyond `threshold`.
    pub fn above(&self, base: f64, threshold: f64, noise: f64) -> Limit {
        let room = threshold - base;
        Limit {
            threshold,
            recovery: base + self.config.recovery_level * room,
            urgent: base + self.config.urgent_factor * room,
            noise,
            ..Limit::default()
        }
    }
}

/// From this share of events without a value on, no more than a twentieth of what was usual is left.
fn all_but_gone(usual: f64) -> f64 {
    1.0 - GONE * (1.0 - usual)
}

/// Whether healthy windows were without a value that most of the baseline's have, all but a few: what comes and goes has
/// not gone.
pub fn was_gone(baseline: Share, current: Share, healthy: Option<&Spread>) -> bool {
    let scale = pooled_error(baseline, current).hypot(healthy.map_or(0.0, |spread| spread.wander));
    let most = healthy.map(|spread| baseline.value() + scale * spread.greatest);
    most.is_some_and(|most| most >= all_but_gone(baseline.value()))
}

/// What one window says about a subject.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    pub value: f64,
    pub limit: Limit,
    /// Whether there was enough to say anything.
    pub is_enough: bool,
    pub window_start: Instant,
}

/// Where a subject stands after its windows so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub verdict: Verdict,
    /// How many windows in a row led to it.
    pub streak: u32,
    /// The start of the first window of the run beyond the limit; the window's own start when on course.
    pub since: Instant,
}

impl Standing {
    pub fn of(evaluation: &Evaluation) -> Self {
        Self { verdict: evaluation.verdict, streak: evaluation.streak, since: evaluation.since }
    }

    /// Whether the next standing goes on from this one: too little data changes nothing.
    pub fn counts(&self) -> bool {
        self.verdict != Verdict::TooLittleData
    }
}

/// How many windows it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    pub confirm_windows: u32,
    pub recover_windows: u32,
}

impl From<&Config> for Rules {
    fn from(config: &Config) -> Self {
        Self { confirm_windows: config.confirm_windows, recover_windows: config.recover_windows }
    }
}

/// What a subject that stood at `previous` is after one more reading.
///
/// `previous` is its last standing that [`counts`](Standing::counts); a reading of too little data is returned as such
/// and is not to be taken as the next `previous`.
pub fn judge(rules: Rules, previous: Option<&Standing>, reading: &Reading) -> Standing {
    let previous = previous.copied().filter(Standing::counts);
    let fresh = |verdict| Standing { verdict, streak: 1, since: reading.window_start };
    if !reading.is_enough {
        let since = previous.map_or(reading.window_start, |standing| standing.since);
        return Standing { verdict: Verdict::TooLittleData, streak: 0, since };
    }
    match previous {
        Some(standing) if standing.verdict.is_alarm() => alarmed(rules, standing, reading),
        _ if reading.value <= reading.limit.threshold => match previous {
            Some(Standing { verdict: Verdict::OnCourse, streak, .. }) => {
                Standing { streak: streak.saturating_add(1), ..fresh(Verdict::OnCourse) }
            }
            _ => fresh(Verdict::OnCourse),
        },
        _ => beyond(rules, previous, reading),
    }
}

fn beyond(rules: Rules, previous: Option<Standing>, reading: &Reading) -> Standing {
    let (streak, since) = match previous {
        Some(Standing { verdict: Verdict::Suspect, streak, since }) => (streak.saturating_add(1), since),
        _ => (1, reading.window_start),
    };
    let is_alarm = streak >= rules.confirm_windows || reading.value > reading.limit.urgent;
    Standing { verdict: if is_alarm { Verdict::OffCourse } else { Verdict::Suspect }, streak, since }
}

/// A standing alarm ends after enough windows in a row below the recovery level, and in no other way.
fn alarmed(rules: Rules, standing: Standing, reading: &Reading) -> Standing {
    let streak = |verdict| if standing.verdict == verdict { standing.streak.saturating_add(1) } else { 1 };
    if reading.value >= reading.limit.recovery {
        return Standing { verdict: Verdict::OffCourse, streak: streak(Verdict::OffCourse), ..standing };
    }
    let recovering =
        Standing { verdict: Verdict::Recovering, streak: streak(Verdict::Recovering), ..standing };
    if recovering.streak < rules.recover_windows {
        return recovering;
    }
    Standing { verdict: Verdict::OnCourse, streak: 1, since: reading.window_start }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RULES: Rules = Rules { confirm_windows: 2, recover_windows: 3 };
    const LIMIT: Limit = Limit {
        threshold: 1.0,
        recovery: 0.7,
        urgent: 3.0,
        noise: 0.0,
        floor: 0.0,
        basis: Basis::Stated,
        law: Law::Unknown,
    };

    fn run(values: &[Option<f64>]) -> Vec<Standing> {
        let mut previous = None;
        let readings = values.iter().enumerate().map(|(place, value)| Reading {
            value: value.unwrap_or(0.0),
            limit: LIMIT,
            is_enough: value.is_some(),
            window_start: Instant::from_seconds(place as i64),
        });
        readings
            .map(|reading| {
                let standing = judge(RULES, previous.as_ref(), &reading);
                if standing.counts() {
                    previous = Some(standing);
                }
                standing
            })
            .collect()
    }

    fn verdicts(values: &[Option<f64>]) -> Vec<Verdict> {
        run(values).into_iter().map(|standing| standing.verdict).collect()
    }

    #[test]
    fn two_windows_in_a_row_are_an_alarm_that_ends_after_three_below_the_recovery_level() {
        use Verdict::*;
        let values = [0.1, 1.2, 1.2, 0.9, 0.5, 0.5, 0.5, 0.5].map(Some);
        let expected = [OnCourse, Suspect, OffCourse, OffCourse, Recovering, Recovering, OnCourse, OnCourse];
        assert_eq!(verdicts(&values), expected);
        assert_eq!(run(&values)[4].since, Instant::from_seconds(1));
    }

    #[test]
    fn one_window_far_beyond_is_an_alarm_at_once() {
        assert_eq!(verdicts(&[Some(3.1)]), [Verdict::OffCourse]);
    }

    #[test]
    fn a_single_window_beyond_is_forgotten() {
        use Verdict::*;
        assert_eq!(verdicts(&[1.2, 0.9, 1.2].map(Some)), [Suspect, OnCourse, Suspect]);
    }

    #[test]
    fn too_little_data_changes_nothing() {
        use Verdict::*;
        let values = [Some(1.2), None, Some(1.2), None, Some(0.1), None, Some(0.1), Some(0.1)];
        let expected = [
            Suspect,
            TooLittleData,
            OffCourse,
            TooLittleData,
            Recovering,
            TooLittleData,
            Recovering,
            OnCourse,
        ];
        assert_eq!(verdicts(&values), expected);
    }

    #[test]
    fn a_relapse_starts_the_recovery_again_and_keeps_the_onset() {
        use Verdict::*;
        let values = [1.2, 1.2, 0.5, 0.5, 0.8, 0.5, 0.5, 0.5].map(Some);
        let standings = run(&values);
        let got: Vec<_> = standings.iter().map(|standing| standing.verdict).collect();
        assert_eq!(
            got,
            [Suspect, OffCourse, Recovering, Recovering, OffCourse, Recovering, Recovering, OnCourse]
        );
        assert_eq!(standings[6].since, Instant::from_seconds(0));
    }

    /// A healthy spread over four weeks of a statistic that is `scale` times χ² with 9 degrees of freedom over its mean.
    fn spread(wander: f64) -> Spread {
        let at = |k: u32| chi_squared::upper_quantile((f64::from(k) + 0.5) / 672.0, 9) / 9.0;
        let values: Vec<f64> = (0..672).map(at).collect();
        let spread =
            Spread::fitted(crate::spread::Form::Squares, &values, 672, None).expect("enough windows");
        Spread { days: 28.0, wander, ..spread }
    }

    #[test]
    fn effect_and_noise_are_both_needed() {
        let limits = Limits::shared_over(&Config::default(), 50, Duration::from_secs(300));
        let psi = |s: f64| Psi { value: 0.0, df: 9, s };
        for (healthy, floor) in [(None, 0.1), (Some(spread(0.0)), 0.01)] {
            let many = limits.drift("feature.x", &psi(1e-6), healthy.as_ref());
            assert!((many.threshold - floor).abs() < 1e-3, "with many rows the floor decides: {many:?}");
            let few = limits.drift("feature.x", &psi(0.01), healthy.as_ref());
            assert!(few.threshold > 0.3, "with few rows the noise decides: {few:?}");
        }
    }

    #[test]
    fn before_there_is_history_limits_are_wide_and_say_so() {
        let limits = Limits::shared_over(&Config::default(), 50, Duration::from_secs(3_600));
        let psi = Psi { value: 0.0, df: 9, s: 1e-3 };
        let start = limits.drift("feature.x", &psi, None);
        let learned = limits.drift("feature.x", &psi, Some(&spread(0.0)));
        assert_eq!((start.basis, learned.basis), (Basis::Assumed, Basis::Learned));
        assert!(start.threshold > 2.0 * learned.threshold, "{start:?} {learned:?}");
        let young = limits.drift("feature.x", &psi, Some(&Spread { days: 13.0, ..spread(0.0) }));
        assert_eq!((young.basis, young.threshold), (Basis::Assumed, start.threshold));
    }

    #[test]
    fn a_limit_says_how_often_chance_reaches_it() {
        let limits = Limits::shared_over(&Config::default(), 50, Duration::from_secs(3_600));
        let psi = Psi { value: 0.0, df: 9, s: 5e-3 };
        let limit = limits.drift("feature.x", &psi, Some(&spread(0.0)));
        let chance = limit.law.chance(limit.threshold).expect("a law");
        assert!(chance <= 1.01 * limits.budget.ticket, "{chance} of {}", limits.budget.ticket);
        assert!(limit.law.chance(psi.noise()).expect("a law") > 0.1);
    }

    #[test]
    fn what_healthy_windows_wander_moves_the_limit() {
        let limits = Limits::shared_over(&Config::default(), 50, Duration::from_secs(3_600));
        let psi = Psi { value: 0.0, df: 9, s: 1e-4 };
        let steady = limits.drift("feature.x", &psi, Some(&spread(0.0)));
        let wandering = limits.drift("feature.x", &psi, Some(&spread(0.01)));
        assert!(wandering.threshold > 2.0 * steady.threshold, "{steady:?} {wandering:?}");
    }

    #[test]
    fn a_share_may_rise_a_little_above_a_large_one() {
        let limits = Limits::shared_over(&Config::default(), 50, Duration::from_secs(300));
        let share = |hits, n| Share::of(hits, n).expect("events");
        let limit = limits.share(share(81, 81_000), share(780, 812), None);
        assert!(limit.threshold > 0.011 && limit.threshold < 0.2, "{limit:?}");
        let limit = limits.share(share(6_700, 10_000), share(700, 1_000), None);
        assert!(limit.threshold > 0.7, "{limit:?}");
    }

    #[test]
    fn a_value_that_is_mostly_missing_anyway_can_still_be_gone() {
        let limits = Limits::shared_over(&Config::default(), 50, Duration::from_secs(300));
        let share = |hits, n| Share::of(hits, n).expect("events");
        let limit = limits.share(share(6_700, 10_000), share(300, 300), None);
        assert!(limit.threshold < 1.0, "{limit:?}");
    }

    proptest! {
        #[test]
        fn an_alarm_needs_its_windows_and_ends_only_by_recovering(
            values in prop::collection::vec(prop::option::weighted(0.9, 0.0_f64..4.0), 1..60)
        ) {
            let standings = run(&values);
            let known: Vec<(f64, Standing)> = values.iter().zip(&standings)
                .filter_map(|(value, standing)| Some(((*value)?, *standing))).collect();
            for (place, (value, standing)) in known.iter().enumerate() {
                let before = place.checked_sub(1).map(|before| known[before].1.verdict);
                let was_alarm = before.is_some_and(Verdict::is_alarm);
                match standing.verdict {
                    Verdict::OffCourse if !was_alarm => {
                        prop_assert!(*value > LIMIT.threshold);
                        prop_assert!(*value > LIMIT.urgent || before == Some(Verdict::Suspect));
                    }
                    Verdict::OnCourse if was_alarm => {
                        let last = known[place.saturating_sub(2)..=place].iter();
                        prop_assert!(last.clone().count() == 3 && last.clone().all(|(value, _)| *value < LIMIT.recovery));
                    }
                    Verdict::Suspect => prop_assert!(!was_alarm),
                    Verdict::Recovering => prop_assert!(was_alarm && *value < LIMIT.recovery),
                    _ => {}
                }
                prop_assert!(standing.streak >= 1);
            }
        }

        #[test]
        fn the_same_readings_judged_in_two_runs_are_judged_the_same(
            values in prop::collection::vec(prop::option::weighted(0.8, 0.0_f64..4.0), 2..40),
            stop in 1_usize..39,
        ) {
            // What a restart keeps is the last standing that counts.
            let whole = run(&values);
            let stop = stop.min(values.len() - 1);
            let mut previous = whole[..stop].iter().copied().rfind(Standing::counts);
            for (place, value) in values.iter().enumerate().skip(stop) {
                let reading = Reading {
                    value: value.unwrap_or(0.0), limit: LIMIT, is_enough: value.is_some(),
                    window_start: Instant::from_seconds(place as i64),
                };
                let standing = judge(RULES, previous.as_ref(), &reading);
                prop_assert_eq!(standing, whole[place]);
                if standing.counts() { previous = Some(standing); }
            }
        }
    }
}
