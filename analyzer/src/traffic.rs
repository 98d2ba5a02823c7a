//! Whether events come, and as many as usual (METHODS 4).
//!
//! Usual is what the same stretch of earlier weeks, days or windows brought; how much that varies is part of it. Counts
//! are taken as negative binomial: real traffic comes in clumps, and Poisson's law would cry every night.

use domain::evaluation::Monitor;
use domain::time::{Instant, Interval};

use crate::config::Config;
use crate::counted::Traffic;
use crate::finding::{Finding, numbers};
use crate::stats::counts::Clumped;
use crate::threshold::Limits;
use crate::words;

/// Fewer earlier stretches than this make no habit.
pub const LEAST_STRETCHES: usize = 3;
/// Where fewer events than this are usual, their number says nothing.
const LEAST_EXPECTED: f64 = 20.0;
/// A silence is no fault unless it is so many times longer than those of the same time of day.
const LONGER: f64 = 1.5;
/// From so many earlier days on, the longest of their silences may have been a fault itself.
const DAYS_WITH_A_FAULT: usize = 7;
/// A day's total says how much everything has grown, but a day that was half empty was no ordinary day.
const MOST_GROWTH: f64 = 2.0;

/// What earlier stretches of the same length brought.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usual {
    /// The median.
    pub expected: f64,
    /// `k` of the negative binomial, `v = μ + μ²/k`; infinite where the counts vary no more than Poisson's law says.
    pub size: f64,
    pub stretches: usize,
}

impl Usual {
    /// `None` of fewer than three stretches, or where nothing is usual.
    pub fn of(counts: &[u64]) -> Option<Self> {
        if counts.len() < LEAST_STRETCHES {
            return None;
        }
        let expected = median(counts);
        let n = counts.len() as f64;
        let squares: f64 = counts.iter().map(|count| (*count as f64 - expected).powi(2)).sum();
        let extra = squares / (n - 1.0) - expected;
        let size = if extra > 0.0 { expected * expected / extra } else { f64::INFINITY };
        (expected > 0.0).then_some(Self { expected, size, stretches: counts.len() })
    }

    /// The same habit where everything has grown by `level`, or only a `part` of what came has arrived yet.
    pub fn times(self, level: f64) -> Self {
        Self { expected: self.expected * level, ..self }
    }

    fn law(&self) -> Option<Clumped> {
        Clumped::new(self.expected, self.size)
    }

    /// The chance that no event comes in the whole stretch.
    fn nothing(&self) -> f64 {
        self.law().map_or(1.0, Clumped::none)
    }

    /// The part g of the stretch in which nothing comes with probability `level`: `(k/(k + μg))^k = level`, or
    /// `e^{−μg} = level` of Poisson's law.
    fn silent_part(&self, level: f64) -> f64 {
        let level = level.clamp(f64::MIN_POSITIVE, 1.0);
        if self.size.is_infinite() {
            return -level.ln() / self.expected;
        }
        // (1/level)^(1/k) − 1, exact also where k is large.
        self.size * (-level.ln() / self.size).exp_m1() / self.expected
    }
}

/// How much more than usual the day before brought: its total over the median of the same weekday's, within a half and
/// two. One where the weekday is not known.
pub fn growth(yesterday: u64, same_weekdays: &[u64]) -> f64 {
    let usual = if same_weekdays.len() < LEAST_STRETCHES { 0.0 } else { median(same_weekdays) };
    if usual == 0.0 || yesterday == 0 {
        return 1.0;
    }
    (yesterday as f64 / usual).clamp(1.0 / MOST_GROWTH, MOST_GROWTH)
}

/// The longest silence of the same time of day that was no fault. One of seven days or more may have been one, and is
/// not counted; a silence that comes every night is there six more times.
pub fn usual_gap(gaps: &[f64]) -> Option<f64> {
    let mut sorted: Vec<f64> = gaps.iter().copied().filter(|gap| gap.is_finite()).collect();
    sorted.sort_unstable_by(|one, other| other.total_cmp(one));
    let passed_over = usize::from(sorted.len() >= DAYS_WITH_A_FAULT);
    sorted.get(passed_over).copied()
}

fn median(counts: &[u64]) -> f64 {
    let mut sorted = counts.to_vec();
    sorted.sort_unstable();
    let middle = sorted.len() / 2;
    match sorted.len() % 2 {
        _ if sorted.is_empty() => 0.0,
        0 => (sorted[middle - 1] + sorted[middle]) as f64 / 2.0,
        _ => sorted[middle] as f64,
    }
}

/// How many times more or fewer events than usual, two-sided: the limit is what counts reach by chance in either
/// direction, or the practical floor. Every window has this finding, also before anything is usual.
///
/// `usual` is that of the window as it is known so long after its end (see [`Usual::times`]).
pub fn volume(config: &Config, traffic: Traffic, usual: Option<Usual>, limits: &Limits) -> Finding {
    let Some((usual, law)) = usual.and_then(|usual| Some((usual, usual.law()?))) else {
        return nothing_usual(config, traffic, limits);
    };
    let (n, expected) = (traffic.events as f64, usual.expected);
    let is_more = n > expected;
    let fold = if is_more { n / expected } else { expected / n.max(0.5) };
    let tail = limits.level() / 2.0;
    let (low, high) = (law.quantile(tail) as f64, law.quantile(1.0 - tail) as f64);
    let chance = if is_more { high / expected } else { expected / low.max(0.5) };
    let limit =
        limits.above(1.0, config.floors.traffic_fold.max(chance), 1.0 + law.variance().sqrt() / expected);
    let direction = if is_more { "more" } else { "fewer" };
    let facts = if fold > limit.threshold {
        format!(
            "{} came, {} times {direction} than the usual {}",
            words::events(traffic.events),
            words::number(fold),
            words::count(expected.round() as u64)
        )
    } else {
        format!("{} came, {} are usual", words::events(traffic.events), words::count(expected.round() as u64))
    };
    Finding {
        monitor: Monitor::Traffic,
        signal: String::new(),
        segment: String::new(),
        statistic: "fold",
        value: fold,
        limit,
        n_baseline: expected.round() as u64,
        n_current: traffic.events,
        is_enough: expected >= LEAST_EXPECTED,
        is_quiet: false,
        numbers: numbers([
            ("expected", expected),
            ("low", low),
            ("high", high),
            ("stretches", usual.stretches as f64),
        ]),
        facts,
    }
}

fn nothing_usual(config: &Config, traffic: Traffic, limits: &Limits) -> Finding {
    Finding {
        monitor: Monitor::Traffic,
        signal: String::new(),
        segment: String::new(),
        statistic: "fold",
        value: 1.0,
        limit: limits.above(1.0, config.floors.traffic_fold, 1.0),
        n_baseline: 0,
        n_current: traffic.events,
        is_enough: false,
        is_quiet: false,
        numbers: numbers([]),
        facts: format!("{} came; how many are usual is not known yet", words::events(traffic.events)),
    }
}

/// What is known of the silences of a model.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Silences {
    /// What the window usually brings.
    pub of_window: Option<Usual>,
    /// What the silent stretch itself usually brings, at the same time of earlier days. Asked for where the window alone
    /// would call it silence: traffic that ends every evening is no fault.
    pub of_stretch: Option<Usual>,
    /// The longest usual silence at this time of day, in seconds.
    pub longest: Option<f64>,
}

/// How long ago the last event was at a window's end, against how long silence can last by chance: the stretch in which
/// the negative binomial has nothing with the probability of the level, and one and a half times the longest silence of
/// the same time of day.
pub fn silence(
    config: &Config,
    window: Interval,
    last_event: Instant,
    silences: Silences,
    limits: &Limits,
) -> Finding {
    let seconds = window.end.since(last_event).as_secs_f64();
    let usual = silences.of_window;
    let by_chance = silence_limit(config, window, usual, limits);
    let threshold = silences.longest.map_or(by_chance, |longest| by_chance.max(LONGER * longest));
    let confirmed =
        seconds <= by_chance || silences.of_stretch.is_some_and(|usual| usual.nothing() < limits.level());
    // A stretch that is often silent moves the limit beyond what was seen.
    let threshold = if confirmed { threshold } else { threshold.max(1.5 * seconds) };
    Finding {
        monitor: Monitor::Silence,
        signal: String::new(),
        segment: String::new(),
        statistic: "seconds_since_last_event",
        value: seconds,
        limit: limits.above(0.0, threshold, 0.0),
        n_baseline: usual.map_or(0, |usual| usual.expected.round() as u64),
        n_current: 0,
        is_enough: usual.is_some(),
        is_quiet: false,
        numbers: numbers(
            [("limit_s", threshold)].into_iter().chain(silences.longest.map(|gap| ("usual_gap_s", gap))),
        ),
        facts: if seconds > threshold {
            format!("no event for {} (last at {})", words::seconds(seconds), words::when(last_event))
        } else {
            format!("the last event was {} before the window's end", words::seconds(seconds))
        },
    }
}

/// Whether a silence of this length needs the second look of [`Silences`].
pub fn is_long_silence(
    config: &Config,
    window: Interval,
    last_event: Instant,
    usual: Option<Usual>,
    limits: &Limits,
) -> bool {
    window.end.since(last_event).as_secs_f64() > silence_limit(config, window, usual, limits)
}

fn silence_limit(config: &Config, window: Interval, usual: Option<Usual>, limits: &Limits) -> f64 {
    let part = usual.map(|usual| usual.silent_part(limits.level()));
    let by_chance = part.map_or(f64::MAX, |part| part * window.length().as_secs_f64());
    by_chance.max(config.least_silence_s as f64)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn limits() -> Limits {
        Limits::shared_over(&Config::default(), 20, Duration::from_secs(60))
    }

    fn window() -> Interval {
        Interval::new(Instant::from_seconds(0), Instant::from_seconds(3_600))
    }

    fn found(events: u64, before: &[u64]) -> Finding {
        let traffic = Traffic { events, errors: 0, last_event: None };
        volume(&Config::default(), traffic, Usual::of(before), &limits())
    }

    #[test]
    fn as_many_as_usual_is_no_finding_and_a_third_is() {
        let before = [1_010, 990, 1_000, 1_020];
        assert!(!found(1_100, &before).is_beyond());
        assert!(found(330, &before).is_beyond());
        let much = found(3_300, &before);
        assert!(much.is_beyond());
        assert_eq!(much.facts, "3,300 events came, 3.28 times more than the usual 1,005");
    }

    #[test]
    fn traffic_that_always_varies_may_vary() {
        assert!(!found(30, &[100, 900, 50, 400, 1_200, 80]).is_beyond());
    }

    #[test]
    fn three_stretches_make_a_habit() {
        assert_eq!(Usual::of(&[5, 5]), None);
        assert_eq!(Usual::of(&[0, 0, 0, 0]), None);
    }

    #[test]
    fn silence_is_judged_by_how_many_events_should_have_come() {
        let config = Config::default();
        let last = Instant::from_seconds(2_400);
        let often = Usual::of(&[3_600, 3_650, 3_580, 3_620]);
        let known = |of_stretch, longest| Silences { of_window: often, of_stretch, longest };
        let steady = Usual::of(&[1_200, 1_190, 1_210]);
        let silent = silence(&config, window(), last, known(steady, None), &limits());
        assert!(silent.is_beyond(), "{silent:?}");
        assert_eq!(silent.facts, "no event for 20 min (last at 1970-01-01 00:40 UTC)");
        let every_evening = silence(&config, window(), last, known(Usual::of(&[0, 1, 0]), None), &limits());
        assert!(!every_evening.is_beyond());
        let rare = Usual::of(&[4, 6, 5, 5]);
        let rare = Silences { of_window: rare, of_stretch: rare, longest: None };
        assert!(!silence(&config, window(), last, rare, &limits()).is_beyond());
        let gap_of = |gap| silence(&config, window(), last, known(steady, Some(gap)), &limits());
        assert!(gap_of(700.0).is_beyond(), "twenty minutes are more than 1.5 × 700 s");
        assert!(!gap_of(900.0).is_beyond(), "twenty minutes are less than 1.5 × 900 s");
    }

    #[test]
    fn one_outage_of_the_past_does_not_hide_the_next() {
        assert_eq!(usual_gap(&[]), None);
        assert_eq!(usual_gap(&[40.0, 10_800.0, 50.0]), Some(10_800.0));
        let steady = [40.0, 45.0, 10_800.0, 50.0, 42.0, 47.0, 44.0];
        assert_eq!(usual_gap(&steady), Some(50.0));
        assert_eq!(usual_gap(&[36_000.0; 8]), Some(36_000.0));
    }

    #[test]
    fn clumps_make_silence_less_surprising() {
        let usual = |size| Usual { expected: 30.0, size, stretches: 4 };
        for size in [1.0, 50.0, 1e6, f64::INFINITY] {
            let usual = usual(size);
            let silent = usual.times(usual.silent_part(1e-4));
            assert!((silent.nothing() / 1e-4 - 1.0).abs() < 1e-6, "{size}: {}", silent.nothing());
        }
        assert!(usual(1.0).silent_part(1e-4) > 100.0 * usual(f64::INFINITY).silent_part(1e-4));
    }

    #[test]
    fn growth_is_yesterday_over_the_same_weekdays_within_bounds() {
        assert_eq!(growth(1_500, &[1_000, 1_010, 990, 1_000]), 1.5);
        assert_eq!(growth(9_000, &[1_000, 1_010, 990, 1_000]), 2.0);
        assert_eq!(growth(0, &[1_000; 4]), 1.0);
        assert_eq!(growth(1_500, &[1_000]), 1.0);
    }

    #[test]
    fn a_window_of_which_half_has_arrived_is_not_low() {
        let traffic = Traffic { events: 450, errors: 0, last_event: None };
        let usual = Usual::of(&[1_010, 990, 1_000, 1_020]);
        let config = Config::default();
        assert!(volume(&config, traffic, usual, &limits()).is_beyond());
        let known_by_now = usual.map(|usual| usual.times(0.45));
        assert!(!volume(&config, traffic, known_by_now, &limits()).is_beyond());
    }
}
