//! How often healthy windows raise an alarm: windows drawn from the same population as the baseline, as the live part of
//! the demonstration draws its events. And how soon what is broken does.

use std::time::Duration;

use analyzer::Config;
use analyzer::counted::{BySignal, Counted};
use analyzer::finding::Context;
use analyzer::reference::Reference;
use analyzer::signals;
use analyzer::standings::Standings;
use analyzer::threshold::Rules;
use analyzer::units;
use domain::baseline::{Baseline, SignalBaseline};
use domain::contract::{Contract, Watch};
use domain::evaluation::{Evaluation, Verdict};
use domain::grid::{Bin, Bins, Edges, Grid, Levels};
use domain::time::{Instant, Interval, MINUTE};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sql::grids::StoredGrid;

const ORIGINS: [&str; 3] = ["JFK", "LGA", "EWR"];
const ROWS: usize = 1_200;

/// Signals of many shapes, from one event: numbers by name, `None` where missing.
type Event = Vec<(&'static str, Option<f64>)>;

fn normal(random: &mut StdRng) -> f64 {
    (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0
}

fn event(random: &mut StdRng) -> (usize, Event) {
    let temp = 55.0 + 12.0 * normal(random);
    let wind: f64 = (0..3).map(|_| -4.0 * random.random::<f64>().max(1e-9).ln()).sum();
    let gust = random.random_bool(0.33).then_some(wind * 1.4);
    let hour = f64::from(random.random_range(5..24));
    let rain = if random.random_bool(0.9) { 0.0 } else { random.random::<f64>() };
    let mut event: Event = vec![
        ("feature.temp", random.random_bool(0.999).then_some(temp)),
        ("feature.wind_speed", Some(wind)),
        ("feature.wind_gust", gust),
        ("feature.hour", Some(hour)),
        ("feature.precip", Some(rain)),
        ("feature.constant", Some(1.0)),
        ("feature.heavy", Some((2.0 * normal(random)).exp())),
        ("prediction.score", Some(1.0 / (1.0 + (-(temp - 60.0) / 12.0).exp()))),
    ];
    const MORE: [&str; 9] = [
        "feature.a",
        "feature.b",
        "feature.c",
        "feature.d",
        "feature.e",
        "feature.f",
        "feature.g",
        "feature.h",
        "feature.i",
    ];
    event.extend(MORE.map(|name| (name, Some(normal(random)))));
    (random.random_range(0..ORIGINS.len()), event)
}

/// A category with a long tail: the k-th of many is about 1/k as frequent as the first.
fn destination(random: &mut StdRng) -> u32 {
    (120.0_f64.powf(random.random::<f64>())) as u32
}

/// One event of the pool: where it happened, its values, and the bins that they fall into.
struct Row {
    origin: usize,
    event: Event,
    bins: Vec<Bin>,
}

/// The events that baseline and windows are drawn from.
struct Population {
    names: Vec<&'static str>,
    grids: Vec<Grid>,
    pool: Vec<Row>,
    random: StdRng,
}

const DESTINATION: &str = "feature.dest";
const POOL: usize = 40_000;

impl Population {
    fn new() -> Self {
        let mut random = StdRng::seed_from_u64(20_260_514);
        let events: Vec<(usize, Event)> = (0..POOL).map(|_| event(&mut random)).collect();
        let names: Vec<&'static str> =
            events[0].1.iter().map(|(name, _)| *name).chain([DESTINATION]).collect();
        let numbers = (0..names.len() - 1).map(|place| {
            let sample = events.iter().take(5_000).filter_map(|(_, event)| event[place].1).collect();
            Grid::new("m", names[place], Instant::EPOCH, Bins::Numbers(Edges::of_sample(sample)))
        });
        let levels = Levels::of((1..100).map(|level| level.to_string()));
        let category = Grid::new("m", DESTINATION, Instant::EPOCH, Bins::Categories(levels));
        let grids: Vec<Grid> = numbers.chain([category]).collect();
        let row = |(origin, event): (usize, Event)| {
            let destination = destination(&mut random).to_string();
            let mut bins = binned(&grids, &event);
            bins.push(grids[event.len()].bin_of_category(&destination));
            Row { origin, event, bins }
        };
        let pool = events.into_iter().map(row).collect();
        Self { names, grids, pool, random }
    }

    fn window(&mut self, rows: usize) -> BySignal {
        let drawn: Vec<usize> = (0..rows).map(|_| self.random.random_range(0..POOL)).collect();
        self.counted(drawn.iter().map(|place| &self.pool[*place]))
    }

    /// The same after `change` had its way with every event.
    fn changed_window(&mut self, rows: usize, change: impl Fn(usize, &mut Event)) -> BySignal {
        let changed: Vec<Row> = (0..rows)
            .map(|_| {
                let Row { origin, event, bins } = &self.pool[self.random.random_range(0..POOL)];
                let mut event = event.clone();
                change(*origin, &mut event);
                let mut now = binned(&self.grids, &event);
                now.extend(bins.last());
                Row { origin: *origin, event, bins: now }
            })
            .collect();
        self.counted(changed.iter())
    }

    fn counted<'a>(&self, rows: impl Iterator<Item = &'a Row>) -> BySignal {
        let mut sums = vec![vec![Counted::default(); self.names.len()]; 1 + ORIGINS.len()];
        for row in rows {
            for (place, bin) in row.bins.iter().enumerate() {
                for segment in [0, 1 + row.origin] {
                    let counted = &mut sums[segment][place];
                    counted.counts.add(*bin, 1);
                    let value = row.event.get(place).and_then(|(_, value)| *value);
                    value.into_iter().for_each(|value| counted.moments.add(value));
                }
            }
        }
        let segments = [String::new()].into_iter().chain(ORIGINS.map(|origin| format!("origin={origin}")));
        let keyed = segments.zip(sums).flat_map(|(segment, counted)| {
            let named = self.names.iter().zip(counted);
            named.map(move |(name, counted)| ((segment.clone(), (*name).to_owned()), counted))
        });
        keyed.collect()
    }

    fn reference(&self, watch: &Watch) -> Reference {
        let grid_of =
            |signal: &str| self.grids[self.names.iter().position(|name| *name == signal).expect("known")].id;
        let signals = self.counted(self.pool.iter()).into_iter().map(|((segment, signal), counted)| {
            let grid = grid_of(&signal);
            let Counted { counts, moments } = counted;
            ((segment, signal), SignalBaseline { grid, counts, moments, ..SignalBaseline::default() })
        });
        let baseline = Baseline {
            model: "m".to_owned(),
            environment: "production".to_owned(),
            name: "first".to_owned(),
            window: Interval::new(Instant::EPOCH, Instant::from_seconds(60)),
            source: String::new(),
            events: POOL as u64,
            created_at: Instant::EPOCH,
        };
        let stored = |grid: &Grid| StoredGrid {
            grid: grid.clone(),
            made_from: String::new(),
            made_of: 0,
            announced_at: Instant::EPOCH,
            recounted_at: None,
        };
        let grids = self.grids.iter().map(stored).collect();
        let named = Some((baseline, signals.collect()));
        Reference::new(&Config::default(), &Contract::default(), watch, named, grids)
    }
}

fn binned(grids: &[Grid], event: &Event) -> Vec<Bin> {
    let bins = event
        .iter()
        .zip(grids)
        .map(|((_, value), grid)| value.map_or(Bin::MISSING, |value| grid.bin_of_number(value)));
    bins.collect()
}

fn minute_watch() -> Watch {
    Watch { window_s: 60, step_s: 60, ..Watch::default() }
}

fn judged(
    standings: &mut Standings,
    reference: &Reference,
    minute: i64,
    window: &BySignal,
) -> Vec<Evaluation> {
    let end = Instant::EPOCH.saturating_add(MINUTE * (minute + 1) as u32);
    let context = Context {
        model: "m",
        environment: "production",
        watch: "live",
        baseline: "first",
        window: Interval::ending_at(end, Duration::from_secs(60)),
        evaluated_at: end,
    };
    let mut findings = signals::findings(reference, &minute_watch(), window);
    for finding in &mut findings {
        // The watch asks the minutes before whether it came at once; here everything does.
        if let Some(slip) = units::candidate(finding) {
            units::settle(finding, slip, true);
        }
    }
    let evaluations = standings.judge(findings, &context, &[]);
    standings.take(&evaluations);
    evaluations
}

#[test]
fn a_thousand_healthy_minutes_raise_no_alarm() {
    let mut population = Population::new();
    let reference = population.reference(&minute_watch());
    let mut standings = Standings::new(Rules::from(&Config::default()));
    let (mut alarms, mut suspects) = (Vec::new(), 0);
    for minute in 0..1_000 {
        let window = population.window(ROWS);
        for evaluation in judged(&mut standings, &reference, minute, &window) {
            match evaluation.verdict {
                Verdict::OffCourse => alarms.push(evaluation.sentence),
                Verdict::Suspect => suspects += 1,
                _ => {}
            }
        }
    }
    assert!(alarms.is_empty(), "{alarms:?}");
    assert!(suspects <= 2, "{suspects} single windows beyond their limit");
}

/// How many windows it takes, and what is said.
fn windows_until_alarm(change: impl Fn(usize, &mut Event)) -> (i64, Vec<String>) {
    let mut population = Population::new();
    let reference = population.reference(&minute_watch());
    let mut standings = Standings::new(Rules::from(&Config::default()));
    for minute in 0..10 {
        let window = population.changed_window(ROWS, &change);
        let evaluations = judged(&mut standings, &reference, minute, &window);
        let alarms = evaluations.into_iter().filter(|evaluation| evaluation.verdict == Verdict::OffCourse);
        let sentences: Vec<String> = alarms.map(|evaluation| evaluation.sentence).collect();
        if !sentences.is_empty() {
            return (minute + 1, sentences);
        }
    }
    panic!("no alarm in ten windows");
}

fn set(event: &mut Event, name: &str, change: impl Fn(Option<f64>) -> Option<f64>) {
    for (_, value) in event.iter_mut().filter(|(signal, _)| *signal == name) {
        *value = change(*value);
    }
}

#[test]
fn nulls_at_one_airport_are_told_in_the_first_minute() {
    let (windows, told) = windows_until_alarm(|origin, event| {
        if origin == 0 {
            set(event, "feature.temp", |_| None);
        }
    });
    assert_eq!(windows, 1);
    assert!(told.iter().any(|said| said.starts_with("temp is missing in 100 % of")), "{told:?}");
}

#[test]
fn another_unit_at_one_airport_is_told_within_three_minutes() {
    let (windows, told) = windows_until_alarm(|origin, event| {
        if origin == 0 {
            set(event, "feature.wind_speed", |value| value.map(|mph| 1.609_344 * mph));
        }
    });
    assert!(windows <= 3, "{windows}");
    assert!(told.iter().any(|said| said.contains("(mph to km/h")), "{told:?}");
}

#[test]
fn a_few_nulls_more_are_told_in_two_minutes() {
    let (windows, told) = windows_until_alarm(|origin, event| {
        let keep = event[2].1.is_some() || origin > 0;
        set(event, "feature.temp", |value| value.filter(|_| keep));
    });
    assert!(
        windows <= 2 && told.iter().any(|said| said.starts_with("temp is missing")),
        "{windows} {told:?}"
    );
}
