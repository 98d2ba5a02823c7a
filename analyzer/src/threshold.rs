//! Where a limit lies, and what becomes of a value that crosses it.
//!
//! Two parts that know nothing of each other: [`Limits`] says how large a value must be, [`judge`] what a run of
//! readings makes of a subject. A limit is the greatest of a practical floor, what the two sample sizes explain, and how
//! much healthy windows vary: as much as the baseline's own windows where it is long enough to have some
//! ([`Spread`]), else φ times what independent rows would (METHODS 12(8)). Thresholds fitted to a signal's history beyond
//! its baseline take the place of `Spread`, which is made in one place only ([`crate::reference`]).

use std::time::Duration;

use domain::evaluation::{Evaluation, Verdict};
use domain::signal::{Role, role};
use domain::time::{DAY, Instant};

use crate::config::Config;
use crate::drift::psi::Psi;
use crate::spread::Spread;
use crate::stats::proportion::{Share, pooled_error};
use crate::stats::{chi_squared, normal};

/// The limits of one value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    /// Beyond this a window is off course.
    pub threshold: f64,
    /// An alarm ends below this.
    pub recovery: f64,
    /// Beyond this one window is enough.
    pub urgent: f64,
    /// The part of the value that sampling alone explains.
    pub noise: f64,
}

/// How large a value must be, for one watch of one model.
#[derive(Clone, Debug)]
pub struct Limits {
    config: Config,
    level: f64,
    z: f64,
    /// Upper quantiles of χ² at `level`, by degrees of freedom.
    quantiles: Vec<f64>,
}

/// Groups of a comparison never exceed the categories of a grid and *other*.
const MOST_DF: u32 = 128;
const MONTH: Duration = Duration::from_secs(30 * DAY.as_secs());
/// Fewer bad events than this are chance or one hiccup, whatever share they are.
const LEAST_BAD: f64 = 5.0;
/// So many times rarer are alarms where two windows in a row are asked for: measured 3 to 17 (METHODS 12, e9).
const IN_A_ROW: f64 = 5.0;
/// A value of which no more than this part of what was usual is left is all but gone …
const GONE: f64 = 0.05;
/// … if so many would have been left, that this is no chance.
const LEAST_LEFT: f64 = 50.0;

impl Limits {
    /// Limits whose level is shared over everything that may raise a false alarm: `subjects` (signals in segments),
    /// each looked at once a `step`.
    pub fn shared_over(config: &Config, subjects: usize, step: Duration) -> Self {
        let looks = MONTH.as_secs_f64() / step.as_secs_f64().max(1.0);
        let target = config.false_alarms_a_month / (looks * subjects.max(1) as f64);
        let level = (target * if config.confirm_windows > 1 { IN_A_ROW } else { 1.0 }).min(0.5);
        Self {
            level,
            z: normal::upper_quantile(level),
            quantiles: (0..=MOST_DF).map(|df| chi_squared::upper_quantile(level, df)).collect(),
            config: config.clone(),
        }
    }

    /// The chance that one look at one subject is a false alarm under the noise law.
    pub fn level(&self) -> f64 {
        self.level
    }

    /// PSI: `max(floor + (B−1)s, φ·s·χ²_{B−1}(level))`, so that what remains without noise reaches the floor, and chance
    /// does not reach the limit. A known spread takes the place of φ.
    pub fn drift(&self, signal: &str, psi: &Psi, healthy: Option<&Spread>) -> Limit {
        let floor = match role(signal) {
            Role::Prediction => self.config.floors.prediction_psi,
            _ => self.config.floors.feature_psi,
        };
        let chance = psi.s * self.quantiles[psi.df.min(MOST_DF) as usize];
        let usual = healthy
            .map_or(self.config.phi * chance, |spread| chance.max(spread.scaled_chi_squared(self.level)));
        self.above(0.0, (floor + psi.noise()).max(usual), psi.noise())
    }

    /// A share that must not rise: `baseline + max(floor, z(level)·√φ·pooled error, 5 events)`. A known spread takes the
    /// place of φ. What is all but gone is beyond the limit wherever healthy windows never were so.
    pub fn share(&self, baseline: Share, current: Share, healthy: Option<&Spread>) -> Limit {
        let error = pooled_error(baseline, current);
        let least = LEAST_BAD / current.n() as f64;
        let usual = match healthy {
            None => self.z * self.config.phi.sqrt() * error,
            Some(spread) => self.z * error.max(spread.sd()),
        };
        let rise = self.config.floors.share.max(usual).max(least);
        let base = baseline.value();
        let expected_left = (1.0 - base) * current.n() as f64;
        let collapse = 1.0 - GONE * (1.0 - base);
        let was_so = healthy.is_some_and(|spread| base + spread.greatest >= collapse);
        let threshold =
            if expected_left >= LEAST_LEFT && !was_so { collapse.min(base + rise) } else { base + rise };
        self.above(base, threshold, error)
    }

    /// A number that must not rise above `base` by more than `floor` and what its standard error explains.
    pub fn rise(&self, base: f64, floor: f64, error: f64, healthy: Option<&Spread>) -> Limit {
        let usual = healthy.map_or(self.z * error, |spread| self.z * error.max(spread.sd()));
        self.above(base, base + floor.max(usual), error)
    }

    /// How many standard errors chance reaches at the level.
    pub fn z(&self) -> f64 {
        self.z
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
        }
    }
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
    const LIMIT: Limit = Limit { threshold: 1.0, recovery: 0.7, urgent: 3.0, noise: 0.0 };

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

    #[test]
    fn effect_and_noise_are_both_needed() {
        let limits = Limits::shared_over(&Config::default(), 50, Duration::from_secs(300));
        let psi = |s: f64| Psi { value: 0.0, df: 9, s };
        let many = limits.drift("feature.x", &psi(1e-6), None);
        assert!((many.threshold - 0.1).abs() < 1e-3, "with many rows the floor decides: {many:?}");
        let few = limits.drift("feature.x", &psi(0.01), None);
        assert!(few.threshold > 1.0, "with few rows the noise decides: {few:?}");
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
    fn what_healthy_windows_do_anyway_is_no_alarm() {
        let limits = Limits::shared_over(&Config::default(), 18, DAY);
        let wide: Vec<f64> = (0..90).map(|n| 2.0 + f64::from(n % 10) / 5.0).collect();
        let spread = Spread::of(&wide, 90).expect("enough windows");
        let psi = Psi { value: 0.0, df: 9, s: 1e-3 };
        assert!(limits.drift("feature.temp", &psi, Some(&spread)).threshold > spread.greatest);
        assert!(limits.drift("feature.temp", &psi, None).threshold < 0.2);
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
