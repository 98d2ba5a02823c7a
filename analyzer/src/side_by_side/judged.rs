//! Which signals are off course, once all of them are measured: large enough to matter, and more than chance in a
//! family of so many tests (METHODS 1.8).

use domain::evaluation::Verdict as Watched;
use serde::Serialize;
use statrs::distribution::{Binomial, DiscreteCDF, Hypergeometric};

use crate::side_by_side::measured::Measured;
use crate::side_by_side::{Standing, sentence};
use crate::stats::multiple::{Adjustment, believed};
use crate::stats::normal;
use crate::stats::proportion::{self, Share};

/// Of all signals that are called off course, no more than this part is false on average, if rows are independent.
pub const LEVEL: f64 = 0.05;
/// A share of nulls, invalid or unseen values must have risen by so much.
const LEAST_RISE: f64 = 0.01;
/// The normal law of a difference of shares holds from so many expected hits on.
const LEAST_EXPECTED_HITS: f64 = 5.0;
/// With fewer values on a side than this, finding nothing means little.
pub const LEAST_VALUES: u64 = 30;

/// In the words that a watch uses, and one that only a file needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    OffCourse,
    TooLittleData,
    /// A column of identifiers: it has no distribution.
    NotComparable,
    OnCourse,
}

impl Verdict {
    pub const ALL: [Self; 4] = [Self::OffCourse, Self::TooLittleData, Self::NotComparable, Self::OnCourse];

    pub fn name(self) -> &'static str {
        match self {
            Self::OffCourse => Watched::OffCourse.name(),
            Self::TooLittleData => Watched::TooLittleData.name(),
            Self::NotComparable => "not_comparable",
            Self::OnCourse => Watched::OnCourse.name(),
        }
    }
}

/// What was found about a signal; each is a condition of a rule, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Found {
    /// Only in the baseline.
    Absent,
    /// Only in the current data.
    New,
    /// Values of another type.
    OtherType,
    /// More nulls.
    Missing,
    /// More values that are none.
    Invalid,
    /// Categories that the baseline does not have.
    Unseen,
    /// Its values moved.
    Drift,
}

impl Found {
    pub const ALL: [Self; 7] =
        [Self::Absent, Self::New, Self::OtherType, Self::Missing, Self::Invalid, Self::Unseen, Self::Drift];

    /// As it stands in a rule.
    pub fn name(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::New => "new",
            Self::OtherType => "other_type",
            Self::Missing => "missing",
            Self::Invalid => "invalid",
            Self::Unseen => "unseen",
            Self::Drift => "drift",
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    pub measured: Measured,
    pub found: Vec<Found>,
    pub verdict: Verdict,
    pub sentence: String,
}

/// Judges all signals together, and puts what is off course and moved farthest first.
pub fn judge(signals: Vec<Measured>, adjustment: Adjustment, level: f64) -> Vec<Judged> {
    let tests: Vec<(usize, Test)> = signals
        .iter()
        .enumerate()
        .flat_map(|(place, signal)| tests(signal).into_iter().map(move |test| (place, test)))
        .collect();
    let p_values: Vec<f64> = tests.iter().map(|(_, test)| test.p).collect();
    let is_believed = believed(&p_values, adjustment, level);
    let mut found: Vec<Vec<Found>> = signals.iter().map(|signal| standing(&signal.standing)).collect();
    for ((place, test), _) in tests.iter().zip(is_believed).filter(|((_, test), is)| *is && test.is_large) {
        found[*place].push(test.of);
    }
    let mut judged: Vec<Judged> =
        signals.into_iter().zip(found).map(|(measured, found)| judge_one(measured, found)).collect();
    judged.sort_by(|one, other| {
        let kind = |judged: &Judged| (judged.verdict, judged.found.first().copied() >= Some(Found::Missing));
        let by_kind = kind(one).cmp(&kind(other));
        by_kind.then_with(|| size(&other.measured).total_cmp(&size(&one.measured)))
    });
    judged
}

fn judge_one(measured: Measured, mut found: Vec<Found>) -> Judged {
    found.sort_unstable();
    if measured.is_identifier {
        found.retain(|found| !matches!(found, Found::Drift | Found::Unseen));
    }
    let verdict = match () {
        () if !found.is_empty() => Verdict::OffCourse,
        () if measured.standing == Standing::OtherGrid || measured.is_identifier => Verdict::NotComparable,
        () if measured.baseline.n.min(measured.current.n) < LEAST_VALUES => Verdict::TooLittleData,
        () => Verdict::OnCourse,
    };
    let sentence = sentence::of(&measured, &found, verdict);
    Judged { measured, found, verdict, sentence }
}

fn standing(standing: &Standing) -> Vec<Found> {
    match standing {
        Standing::Both | Standing::OtherGrid => Vec::new(),
        Standing::BaselineOnly => vec![Found::Absent],
        Standing::CurrentOnly => vec![Found::New],
        Standing::OtherType { .. } => vec![Found::OtherType],
    }
}

/// One question about one signal.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Test {
    of: Found,
    p: f64,
    is_large: bool,
}

fn tests(signal: &Measured) -> Vec<Test> {
    if !matches!(signal.standing, Standing::Both) {
        return Vec::new();
    }
    let mut tests = Vec::with_capacity(4);
    if let Some(drift) = signal.drift.filter(|_| !signal.is_identifier) {
        tests.push(Test { of: Found::Drift, p: drift.p, is_large: drift.is_large });
    }
    let (before, now) = (signal.baseline, signal.current);
    let shares =
        [(Found::Missing, before.missing, now.missing), (Found::Invalid, before.invalid, now.invalid)];
    for (of, was, is) in shares {
        let sides = (Share::of(was, before.rows()), Share::of(is, now.rows()));
        if let (Some(was), Some(is)) = sides {
            // What is null on neither side is no test, and costs the others nothing.
            if was.hits() + is.hits() > 0 {
                let is_large = is.value() - was.value() >= LEAST_RISE;
                tests.push(Test { of, p: rise_p(was, is), is_large });
            }
        }
    }
    if let Some(unseen) =
        signal.unseen.filter(|unseen| unseen.rows > 0 && before.n > 0 && !signal.is_identifier)
    {
        let is_large = unseen.rows as f64 / now.n.max(1) as f64 >= LEAST_RISE;
        tests.push(Test {
            of: Found::Unseen,
            p: unseen_p(unseen.rows, unseen.once, before.n, now.n),
            is_large,
        });
    }
    tests
}

/// How likely so much more is by chance: two proportions, two-sided; by the hypergeometric law where hits are few.
fn rise_p(was: Share, is: Share) -> f64 {
    let hits = was.hits() + is.hits();
    let all = was.n() + is.n();
    let expected = hits.min(all - hits) as f64 * was.n().min(is.n()) as f64 / all as f64;
    if expected >= LEAST_EXPECTED_HITS {
        return proportion::z(is, was).map_or(1.0, |z| (2.0 * normal::sf(z.abs())).min(1.0));
    }
    let Ok(law) = Hypergeometric::new(all, hits, is.n()) else { return 1.0 };
    let at_least = is.hits().checked_sub(1).map_or(1.0, |below| law.sf(below));
    (2.0 * at_least.min(law.cdf(is.hits()))).clamp(0.0, 1.0)
}

/// How likely so many rows of unseen categories are by chance: the next row has one with probability `N₁/n` (Good 1953),
/// at least `1/n`; a binomial tail (METHODS 3).
fn unseen_p(rows: u64, once: u64, n: u64, m: u64) -> f64 {
    let share = once.max(1) as f64 / n as f64;
    Binomial::new(share.min(1.0), m).map_or(1.0, |law| law.sf(rows.saturating_sub(1))).clamp(0.0, 1.0)
}

/// How far a signal is off, over all that can be wrong with it, in standard deviations or what is like them: a change
/// of a share counts by Cohen's h, `2·asin√q − 2·asin√p`.
pub fn size(signal: &Measured) -> f64 {
    let angle = |hits: u64, rows: u64| 2.0 * (hits as f64 / rows.max(1) as f64).sqrt().asin();
    let (before, now) = (signal.baseline, signal.current);
    let of_missing = angle(now.missing, now.rows()) - angle(before.missing, before.rows());
    let of_invalid = angle(now.invalid, now.rows()) - angle(before.invalid, before.rows());
    signal.shift_sd().unwrap_or(0.0).max(of_missing.abs()).max(of_invalid.abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::side_by_side::{Kind, Signal, Tally, Unseen};
    use crate::stats::sample;

    fn close(found: f64, expected: f64) {
        assert!((found / expected - 1.0).abs() < 1e-9, "{found}, expected {expected}");
    }

    #[test]
    fn few_hits_are_judged_by_their_exact_law() {
        let share = |hits, n| Share::of(hits, n).expect("rows");
        // scipy.stats.hypergeom.sf(2, 1200, 3, 200), twice
        close(rise_p(share(0, 1_000), share(3, 200)), 0.009_143_679_833_361_415);
        assert_eq!(rise_p(share(5, 100), share(5, 100)), 1.0);
    }

    #[test]
    fn unseen_categories_are_no_surprise_where_single_ones_are_common() {
        // scipy.stats.binom.sf(6, 500, 2/1000)
        close(unseen_p(7, 2, 1_000, 500), 8.071_132_145_037_55e-5);
        assert!(unseen_p(40, 100, 1_000, 500) > 0.9);
        assert!(unseen_p(10, 0, 1_000, 500) < 1e-6);
    }

    fn numbers(name: &str, by: f64, missing: u64) -> Measured {
        let values: Vec<f64> = (0..400).map(|n| f64::from(n % 80)).collect();
        let current: Vec<f64> = values.iter().map(|value| value + by).collect();
        let (before, now) = (Tally { n: 400, ..Tally::default() }, Tally { n: 400, missing, invalid: 0 });
        let pair = sample::pair(&values, &current);
        Measured::of(Signal { pair, ..Signal::new(name, Kind::Number, before, now) })
    }

    #[test]
    fn what_is_off_course_stands_first_and_farther_before_nearer() {
        let gone = Measured { standing: Standing::BaselineOnly, ..numbers("gone", 0.0, 0) };
        let signals = vec![numbers("same", 0.0, 0), numbers("near", 20.0, 0), gone, numbers("far", 70.0, 0)];
        let judged = judge(signals, Adjustment::default(), LEVEL);
        let order: Vec<&str> = judged.iter().map(|judged| judged.measured.name.as_str()).collect();
        assert_eq!(order, ["gone", "far", "near", "same"]);
        assert_eq!(judged[3].verdict, Verdict::OnCourse);
    }

    #[test]
    fn a_signal_can_be_off_course_in_more_than_one_way() {
        let judged = judge(vec![numbers("x", 50.0, 100)], Adjustment::default(), LEVEL).remove(0);
        assert_eq!(judged.found, [Found::Missing, Found::Drift]);
        assert!(
            judged.sentence.contains("null in 20 %") && judged.sentence.contains("; moved"),
            "{}",
            judged.sentence
        );
    }

    #[test]
    fn identifiers_are_not_judged_by_their_values() {
        let unseen = Unseen { rows: 300, once: 0, different: [300, 300] };
        let tally = Tally { n: 300, ..Tally::default() };
        let pair = crate::stats::histogram::Pair::new(
            [vec![1; 300], vec![0; 301]].concat(),
            [vec![0; 300], vec![1; 300], vec![0]].concat(),
            crate::stats::histogram::Axis::Unordered,
        );
        let signal = Signal { pair, unseen: Some(unseen), ..Signal::new("id", Kind::Category, tally, tally) };
        let judged = judge(vec![Measured::of(signal)], Adjustment::default(), LEVEL).remove(0);
        assert_eq!((judged.verdict, judged.found), (Verdict::NotComparable, Vec::new()));
    }
}
