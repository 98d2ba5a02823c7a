//! Whether events come, and as many as usual (METHODS 4).
//!
//! Usual is what the same stretch of earlier weeks, days or windows brought; how much that varies is part of it. Counts
//! are taken as negative binomial: real traffic comes in clumps, and Poisson's law would cry every night.

use domain::evaluation::Monitor;
use domain::time::{Instant, Interval};

use crate::config::Config;
use crate::counted::Traffic;
use crate::finding::{Finding, numbers};
use crate::threshold::Limits;
use crate::words;

/// Fewer earlier stretches than this make no habit.
pub const LEAST_STRETCHES: usize = 3;
/// Where fewer events than this are usual, their number says nothing.
const LEAST_EXPECTED: f64 = 20.0;

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
        let mut sorted = counts.to_vec();
        sorted.sort_unstable();
        let middle = sorted.len() / 2;
        let expected = match sorted.len() % 2 {
            0 => (sorted[middle - 1] + sorted[middle]) as f64 / 2.0,
            _ => sorted[middle] as f64,
        };
        let n = counts.len() as f64;
        let squares: f64 = counts.iter().map(|count| (*count as f64 - expected).powi(2)).sum();
        let extra = squares / (n - 1.0) - expected;
        let size = if extra > 0.0 { expected * expected / extra } else { f64::INFINITY };
        (expected > 0.0).then_some(Self { expected, size, stretches: counts.len() })
    }

    fn sd(&self) -> f64 {
        (self.expected + self.expected * self.expected / self.size).sqrt()
    }

    /// The chance that no event comes in a part of the stretch: `(k/(k + μg))^k`, `e^{−μg}` for infinite k.
    fn nothing_in(&self, part: f64) -> f64 {
        let expected = self.expected * part;
        if self.size.is_finite() { (1.0 + expected / self.size).powf(-self.size) } else { (-expected).exp() }
    }

    /// The part of the stretch after which silence has probability `level`.
    fn silent_part(&self, level: f64) -> f64 {
        if self.size.is_finite() {
            self.size * (level.powf(-1.0 / self.size) - 1.0) / self.expected
        } else {
            -level.ln() / self.expected
        }
    }
}

/// How many times more or fewer events than usual. Every window has this finding, also before anything is usual.
pub fn volume(config: &Config, traffic: Traffic, usual: Option<Usual>, limits: &Limits) -> Finding {
    let Some(usual) = usual else { return nothing_usual(config, traffic, limits) };
    let (n, expected) = (traffic.events as f64, usual.expected);
    let is_more = n > expected;
    let fold = if is_more { n / expected } else { expected / n.max(0.5) };
    let reach = limits.z() * usual.sd();
    let chance = if is_more { 1.0 + reach / expected } else { expected / (expected - reach).max(0.5) };
    let limit = limits.above(1.0, config.floors.traffic_fold.max(chance), 1.0 + usual.sd() / expected);
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
            ("low", (expected - reach).max(0.0)),
            ("high", expected + reach),
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

/// How long ago the last event was at a window's end, against how long silence can last by chance.
///
/// `usual` is that of the window; `same_stretch` that of the silent stretch itself in earlier days, asked for where the
/// first alone would call it silence: traffic that ends every evening is no fault.
pub fn silence(
    config: &Config,
    window: Interval,
    last_event: Instant,
    usual: Option<Usual>,
    same_stretch: Option<Usual>,
    limits: &Limits,
) -> Finding {
    let seconds = window.end.since(last_event).as_secs_f64();
    let threshold = silence_limit(config, window, usual, limits);
    let confirmed =
        seconds <= threshold || same_stretch.is_some_and(|usual| usual.nothing_in(1.0) < limits.level());
    // A stretch that is often silent moves the limit beyond what was seen.
    let threshold = if confirmed { threshold } else { 1.5 * seconds };
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
        numbers: numbers([("limit_s", threshold)]),
        facts: if seconds > threshold {
            format!("no event for {} (last at {})", words::seconds(seconds), words::when(last_event))
        } else {
            format!("the last event was {} before the window's end", words::seconds(seconds))
        },
    }
}

/// Whether a silence of this length needs the second look of [`silence`].
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
    let by_chance =
        usual.map_or(f64::MAX, |usual| usual.silent_part(limits.level()) * window.length().as_secs_f64());
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
        let silent = silence(&config, window(), last, often, Usual::of(&[1_200, 1_190, 1_210]), &limits());
        assert!(silent.is_beyond(), "{silent:?}");
        assert_eq!(silent.facts, "no event for 20 min (last at 1970-01-01 00:40 UTC)");
        let every_evening = silence(&config, window(), last, often, Usual::of(&[0, 1, 0]), &limits());
        assert!(!every_evening.is_beyond());
        let rare = Usual::of(&[4, 6, 5, 5]);
        assert!(!silence(&config, window(), last, rare, rare, &limits()).is_beyond());
    }
}
