//! Learns from a model's own past how much healthy windows vary.
//!
//! Invariant: no window is compared with counts that it is a part of. Each is held against the rest of what it would have
//! been held against, without its own week (METHODS 12, step 2), and its value is freed of the two sample sizes, so that
//! what was learned from busy hours holds for quiet ones: with the noise `ν` of each window and the wander `w`, the mean of
//! what values hold beyond it,
//!
//! ```text
//! PSI:    u = PSI / (ν + w),               ν = (B−1)(1/n + 1/m),  w  = max(0, mean(PSI − ν))
//! shares: u = (p − p₀) / √(e² + w²),        e the pooled error,   w² = max(0, var(p − p₀) − mean(e²))
//! ```
//!
//! where every window has the same size, a limit on u is the recipe's limit on the statistic itself.

use std::collections::BTreeMap;

use domain::counts::Counts;
use domain::grid::{Bin, Grid};
use domain::time::{DAY, Instant, Interval};
use sql::counts::CountSeries;

use crate::drift::psi::Psi;
use crate::quality::range::Outside;
use crate::quality::stuck::top_share;
use crate::reference::{Healthy, HealthyWindows};
use crate::spread::{Daily, Form, Spread, pooled_shape};
use crate::stats::histogram::Pair;
use crate::stats::proportion::{Share, pooled_error};

const DAY_S: i64 = DAY.as_secs() as i64;
const WEEK_S: i64 = 7 * DAY_S;

/// What a window of the past is held against.
#[derive(Clone, Copy, Debug)]
pub enum Rest<'a> {
    /// These counts, of which the past is a part, without the window's own week; without the window alone where the past
    /// is shorter than two weeks.
    Of(&'a Counts),
    /// The same hours of the other weeks; of the days of other weeks where there are none.
    SameHours,
    /// The same minutes of others.
    Beside(Option<&'a CountSeries>),
}

/// The past of one signal in one segment.
#[derive(Clone, Copy, Debug)]
pub struct Past<'a> {
    pub grid: &'a Grid,
    pub means: &'a BTreeMap<Bin, f64>,
    pub series: &'a CountSeries,
    pub rest: Rest<'a>,
}

/// Which windows of the past are healthy.
#[derive(Clone, Copy, Debug)]
pub struct Window<'a> {
    pub windows: HealthyWindows,
    /// Known-bad stretches: a window that touches one is left out, on both sides.
    pub left_out: &'a [Interval],
    /// Windows of fewer events say nothing.
    pub least_events: u64,
}

/// What one healthy window had, with the noise of its two sample sizes.
#[derive(Clone, Copy, Debug)]
struct Value {
    value: f64,
    noise: f64,
    day: i64,
}

/// The values of one signal: drift, then missing, invalid and unseen, then what is beyond the usual range, then the most
/// frequent value.
#[derive(Default)]
struct Values {
    of: [Vec<Value>; STATISTICS],
    /// The first start and the last end among the windows that had a value.
    span: [Option<(Instant, Instant)>; STATISTICS],
}

/// The spread of each of many signals; the shape of their tails is fitted to all of them together.
pub fn calibrate<'a, K: Ord>(
    pasts: impl IntoIterator<Item = (K, Past<'a>)>,
    over: Window<'_>,
) -> BTreeMap<K, Healthy> {
    let all: Vec<(K, [Freed; STATISTICS])> =
        pasts.into_iter().map(|(key, past)| (key, past.values(over).freed())).collect();
    let shapes: [Option<f64>; STATISTICS] = std::array::from_fn(|statistic| {
        pooled_shape(all.iter().map(|(_, freed)| freed[statistic].values.as_slice()))
    });
    let learned = |freed: [Freed; STATISTICS]| {
        let mut spreads = freed.into_iter().zip(shapes).zip(FORMS).map(|((freed, shape), form)| {
            let independent = over.windows.independent(freed.values.len());
            let spread = Spread::fitted(form, &freed.values, independent, shape)?.with_days(freed.daily);
            Some(Spread { wander: freed.wander, days: freed.days, ..spread })
        });
        let mut next = || spreads.next().flatten();
        Healthy {
            drift: next(),
            missing: next(),
            invalid: next(),
            unseen: next(),
            outside: next(),
            top: next(),
        }
    };
    all.into_iter().map(|(key, freed)| (key, learned(freed))).collect()
}

/// The spread of a share over windows, each with what it is held against, freed of its sample sizes.
pub fn of_rises(rises: impl IntoIterator<Item = (Share, Share)>, independent: u32) -> Option<Spread> {
    let value = |(before, now): (Share, Share)| Value {
        value: now.value() - before.value(),
        noise: pooled_error(before, now),
        day: 0,
    };
    let (values, wander) = free_differences(&rises.into_iter().map(value).collect::<Vec<_>>());
    let values: Vec<f64> = values.into_iter().map(|(_, value)| value).collect();
    let spread = Spread::fitted(Form::Difference, &values, independent, None)?;
    Some(Spread { wander, ..spread })
}

const STATISTICS: usize = 6;
const FORMS: [Form; STATISTICS] =
    [Form::Squares, Form::Difference, Form::Difference, Form::Difference, Form::Difference, Form::Difference];

/// Values freed of their sample sizes.
struct Freed {
    values: Vec<f64>,
    daily: Option<Daily>,
    wander: f64,
    days: f64,
}

impl Values {
    fn push(&mut self, statistic: usize, window: Interval, value: f64, noise: f64) {
        let day = window.start.seconds().div_euclid(DAY_S);
        self.of[statistic].push(Value { value, noise, day });
        let (start, _) = self.span[statistic].unwrap_or((window.start, window.end));
        self.span[statistic] = Some((start, window.end));
    }

    fn freed(self) -> [Freed; STATISTICS] {
        let mut place = 0;
        self.of.map(|values| {
            let span = self.span[place];
            let free = if place == 0 { free_squares } else { free_differences };
            place += 1;
            let (values, wander) = free(&values);
            let days = span.map_or(0.0, |(start, end)| end.since(start).as_secs_f64() / DAY.as_secs_f64());
            let daily = Daily::of(&values);
            Freed { values: values.into_iter().map(|(_, value)| value).collect(), daily, wander, days }
        })
    }
}

/// Values with their days, and their wander.
fn free_squares(values: &[Value]) -> (Vec<(i64, f64)>, f64) {
    let beyond: f64 = values.iter().map(|one| one.value - one.noise).sum();
    let wander = (beyond / values.len().max(1) as f64).max(0.0);
    let varied = values.iter().filter(|one| one.noise + wander > 0.0);
    (varied.map(|one| (one.day, one.value / (one.noise + wander))).collect(), wander)
}

fn free_differences(values: &[Value]) -> (Vec<(i64, f64)>, f64) {
    let n = values.len().max(1) as f64;
    let mean = values.iter().map(|one| one.value).sum::<f64>() / n;
    let variance = values.iter().map(|one| (one.value - mean).powi(2)).sum::<f64>() / n;
    let noise = values.iter().map(|one| one.noise.powi(2)).sum::<f64>() / n;
    let wander = (variance - noise).max(0.0).sqrt();
    let scaled = values.iter().map(|one| {
        let scale = one.noise.hypot(wander);
        (one.day, if scale > 0.0 { one.value / scale } else { 0.0 })
    });
    (scaled.collect(), wander)
}

impl Past<'_> {
    fn values(&self, over: Window<'_>) -> Values {
        let is_clean = |window: &Interval| !over.left_out.iter().any(|bad| bad.overlaps(*window));
        let windows: Vec<Interval> = over.windows.all().filter(is_clean).collect();
        let counts: Vec<Counts> = windows.iter().map(|window| within(self.series, *window)).collect();
        let mut rests = self.rests(&windows, &counts, over);
        let mut values = Values::default();
        for (place, (window, counts)) in windows.iter().zip(&counts).enumerate() {
            let Some(rest) = rests(place) else { continue };
            self.compare(*window, &rest, counts, over.least_events, &mut values);
        }
        values
    }

    /// What each window, by its place, is held against.
    fn rests<'b>(
        &'b self,
        windows: &'b [Interval],
        counts: &'b [Counts],
        over: Window<'_>,
    ) -> Box<dyn FnMut(usize) -> Option<Counts> + 'b> {
        match self.rest {
            Rest::Beside(other) => Box::new(move |place| Some(within(other?, windows[place]))),
            Rest::SameHours => {
                let places = [WEEK_S, DAY_S].map(|period| by_offset(windows, period));
                Box::new(move |place| same_hours(windows, counts, &places, place))
            }
            Rest::Of(whole) => {
                let stretch = over.windows.stretch;
                let has_weeks = stretch.length().as_secs() as i64 >= 2 * WEEK_S;
                let mut last: Option<(Interval, Counts)> = None;
                Box::new(move |place| {
                    let window = windows[place];
                    let own = if has_weeks { week_around(stretch.start, window) } else { window };
                    match &last {
                        Some((known, rest)) if *known == own => Some(rest.clone()),
                        _ => {
                            let rest = without(whole, &within(self.series, own));
                            last = Some((own, rest.clone()));
                            Some(rest)
                        }
                    }
                })
            }
        }
    }

    fn compare(&self, window: Interval, rest: &Counts, counts: &Counts, least: u64, values: &mut Values) {
        if counts.present().min(rest.present()) >= least
            && let Some(pair) = Pair::on(self.grid, rest, counts, self.means)
        {
            let psi = Psi::of(&pair);
            values.push(0, window, psi.value, psi.noise());
        }
        if counts.total().min(rest.total()) < least {
            return;
        }
        for (statistic, bin) in [Bin::MISSING, Bin::INVALID, Bin::OTHER].into_iter().enumerate() {
            let of = |counts: &Counts| match bin {
                Bin::OTHER => Share::of(counts.get(bin), counts.present()),
                _ => Share::of(counts.get(bin), counts.total()),
            };
            if let (Some(before), Some(now)) = (of(rest), of(counts)) {
                values.push(1 + statistic, window, now.value() - before.value(), pooled_error(before, now));
            }
        }
        if let Some(outside) = Outside::of(self.grid, rest, counts) {
            let (before, now) = (outside.chance(), outside.share());
            values.push(4, window, now.value() - before.value(), pooled_error(before, now));
        }
        if let [Some(before), Some(now)] = [rest, counts].map(|counts| top_share(self.grid, counts)) {
            values.push(5, window, now.value() - before.value(), pooled_error(before, now));
        }
    }
}

fn within(series: &CountSeries, window: Interval) -> Counts {
    let from = series.points.partition_point(|point| point.at < window.start);
    let to = series.points.partition_point(|point| point.at < window.end);
    Counts::of(series.points[from..to].iter().map(|point| (point.bin, point.n)))
}

fn without(whole: &Counts, part: &Counts) -> Counts {
    Counts::of(whole.iter().map(|(bin, n)| (bin, n.saturating_sub(part.get(bin)))))
}

/// The week of the stretch in which a window begins, and as far beyond as the window reaches.
fn week_around(start: Instant, window: Interval) -> Interval {
    let week = std::time::Duration::from_secs(WEEK_S.unsigned_abs());
    let before = window.start.since(start).as_secs() / week.as_secs();
    let begin = start.saturating_add(week.saturating_mul(u32::try_from(before).unwrap_or(u32::MAX)));
    Interval::new(begin, begin.saturating_add(week).max(window.end))
}

fn by_offset(windows: &[Interval], period_s: i64) -> BTreeMap<i64, Vec<usize>> {
    let mut places: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    for (place, window) in windows.iter().enumerate() {
        places.entry(window.start.seconds().rem_euclid(period_s)).or_default().push(place);
    }
    places
}

/// The sum of the windows at the same hours of other weeks, or else of the days of other weeks.
fn same_hours(
    windows: &[Interval],
    counts: &[Counts],
    places: &[BTreeMap<i64, Vec<usize>>; 2],
    place: usize,
) -> Option<Counts> {
    let start = |place: usize| windows[place].start.seconds();
    let is_other_week = |other: &usize| (start(*other) - start(place)).abs() >= WEEK_S - DAY_S / 2;
    [WEEK_S, DAY_S].into_iter().zip(places).find_map(|(period, places)| {
        let alike = places.get(&start(place).rem_euclid(period))?;
        let mut rest = Counts::default();
        alike.iter().filter(|other| is_other_week(other)).for_each(|other| rest.merge(&counts[*other]));
        (rest.total() > 0).then_some(rest)
    })
}

#[cfg(test)]
mod tests {
    use domain::grid::{Bins, Edges, GridId, Levels};
    use domain::time::HOUR;
    use sql::counts::CountPoint;

    use super::*;

    fn grid() -> Grid {
        let edges = Edges::try_from((1..10).map(f64::from).collect::<Vec<_>>()).expect("ascending");
        Grid::new("m", "feature.x", Instant::EPOCH, Bins::Numbers(edges))
    }

    /// Hours of 1,000 values, spread over the ten bins as `shape` says of each hour, `missing` of them null.
    fn series(hours: i64, shape: impl Fn(i64, u16) -> u64, missing: impl Fn(i64) -> u64) -> CountSeries {
        let hour = |hour: i64| {
            let at = Instant::from_seconds(hour * 3_600);
            let bins = (0..10).map(|bin| (Bin(Bin::FIRST_VALUE.0 + bin), shape(hour, bin)));
            let all = bins.chain([(Bin::MISSING, missing(hour))]).filter(|(_, n)| *n > 0);
            all.map(move |(bin, n)| CountPoint { at, bin, n }).collect::<Vec<_>>()
        };
        CountSeries {
            segment: String::new(),
            signal: "feature.x".to_owned(),
            grid: GridId(1),
            points: (0..hours).flat_map(hour).collect(),
        }
    }

    fn learned(series: &CountSeries, rest: Rest<'_>, hours: u64, left_out: &[Interval]) -> Healthy {
        learned_on(&grid(), series, rest, hours, left_out)
    }

    fn learned_on(
        grid: &Grid,
        series: &CountSeries,
        rest: Rest<'_>,
        hours: u64,
        left_out: &[Interval],
    ) -> Healthy {
        let means = BTreeMap::new();
        let stretch = Interval::new(Instant::EPOCH, Instant::from_seconds(hours as i64 * 3_600));
        let windows = HealthyWindows { stretch, length: HOUR, stride: HOUR };
        let over = Window { windows, left_out, least_events: 200 };
        let past = Past { grid, means: &means, series, rest };
        calibrate([((), past)], over).remove(&()).expect("one signal")
    }

    fn steady(_: i64, _: u16) -> u64 {
        100
    }

    /// More in the low bins by night, more in the high ones by day.
    fn wave(hour: i64, bin: u16) -> u64 {
        let day = (hour % 24 - 12).unsigned_abs();
        100 + if bin < 5 { 5 * day } else { 60 - 5 * day }
    }

    fn whole(series: &CountSeries) -> Counts {
        Counts::of(series.points.iter().map(|point| (point.bin, point.n)))
    }

    #[test]
    fn the_same_hour_of_other_weeks_knows_a_daily_wave_and_the_whole_does_not() {
        let series = series(28 * 24, wave, |_| 0);
        let hours = learned(&series, Rest::SameHours, 28 * 24, &[]).drift.expect("672 windows");
        let counts = whole(&series);
        let all = learned(&series, Rest::Of(&counts), 28 * 24, &[]).drift.expect("672 windows");
        assert_eq!((hours.windows, hours.wander), (672, 0.0));
        assert!(all.wander > 0.01, "{all:?}");
        assert!((hours.days - 28.0).abs() < 1e-9);
    }

    #[test]
    fn a_week_is_held_against_the_other_weeks_only() {
        // The second week is another distribution altogether: were it part of its own reference, it would be less far off.
        let odd = |hour: i64, bin: u16| if (168..336).contains(&hour) && bin < 5 { 10 } else { 100 };
        let series = series(28 * 24, odd, |_| 0);
        let drift = learned(&series, Rest::SameHours, 28 * 24, &[]).drift.expect("672 windows");
        let pure = Pair::on(
            &grid(),
            &Counts::of((0..10).map(|bin| (Bin(3 + bin), 300))),
            &Counts::of((0..10).map(|bin| (Bin(3 + bin), if bin < 5 { 10 } else { 100 }))),
            &BTreeMap::new(),
        );
        let psi = Psi::of(&pure.expect("values"));
        let greatest = psi.value / (psi.noise() + drift.wander);
        assert!((drift.greatest / greatest - 1.0).abs() < 1e-9, "{drift:?}, {greatest}");
    }

    #[test]
    fn known_bad_stretches_teach_nothing() {
        let odd = |hour: i64, bin: u16| if (200..220).contains(&hour) && bin < 5 { 10 } else { 100 };
        let series = series(28 * 24, odd, |_| 0);
        let bad = Interval::new(Instant::from_seconds(200 * 3_600), Instant::from_seconds(220 * 3_600));
        let with = learned(&series, Rest::SameHours, 28 * 24, &[]).drift.expect("windows");
        let left_out = learned(&series, Rest::SameHours, 28 * 24, &[bad]).drift.expect("windows");
        assert!(with.greatest > 5.0 && left_out.greatest < 1.0, "{with:?} {left_out:?}");
        assert_eq!(left_out.windows, 652);
    }

    #[test]
    fn a_share_that_comes_and_goes_is_learned_as_its_wander() {
        let series = series(28 * 24, steady, |hour| if hour % 50 == 7 { 300 } else { 10 });
        let missing = learned(&series, Rest::SameHours, 28 * 24, &[]).missing.expect("windows");
        assert!(missing.wander > 0.02 && missing.wander < 0.06, "{missing:?}");
        let calm = learned(&self::series(28 * 24, steady, |_| 10), Rest::SameHours, 28 * 24, &[]);
        assert_eq!(calm.missing.expect("windows").wander, 0.0);
    }

    #[test]
    fn hours_of_one_value_are_learned_where_a_bin_is_one_value() {
        let levels = Levels::of((0..10).map(|level| format!("level {level}")));
        let categories = Grid::new("m", "feature.x", Instant::EPOCH, Bins::Categories(levels));
        let sometimes = |hour: i64, bin: u16| match hour % 50 == 7 {
            true => {
                if bin == 3 {
                    1_000
                } else {
                    0
                }
            }
            false => 100,
        };
        let series = series(28 * 24, sometimes, |_| 0);
        let top = learned_on(&categories, &series, Rest::SameHours, 28 * 24, &[]).top.expect("windows");
        assert!(top.wander > 0.1 && top.greatest * top.wander > 0.8, "{top:?}");
        let of_stretches = learned(&series, Rest::SameHours, 28 * 24, &[]).top.expect("windows");
        assert_eq!((of_stretches.wander, of_stretches.greatest), (0.0, 0.0));
    }

    #[test]
    fn a_short_past_leaves_out_the_window_alone() {
        let series = series(48, steady, |_| 0);
        let counts = whole(&series);
        let drift = learned(&series, Rest::Of(&counts), 48, &[]).drift.expect("48 windows");
        assert_eq!((drift.windows, drift.days), (48, 2.0));
    }

    #[test]
    fn others_are_held_against_in_the_same_minutes() {
        let (one, other) = (series(48, wave, |_| 0), series(48, wave, |_| 0));
        let drift = learned(&one, Rest::Beside(Some(&other)), 48, &[]).drift.expect("48 windows");
        assert_eq!(drift.greatest, 0.0);
        assert_eq!(learned(&one, Rest::Beside(None), 48, &[]).drift, None);
    }
}
