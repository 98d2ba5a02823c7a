//! How often healthy models would be told to be off course, and how soon broken ones are: invented weeks of counts, judged
//! by the very code that judges real ones, without a store.
//!
//! Invariant: whatever is drawn follows from the seed, so a figure can be had again.

mod best;
mod fault;
mod outcome;
mod streams;

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::baseline::SignalBaseline;
use domain::contract::{Contract, Watch};
use domain::counts::Counts;
use domain::evaluation::{Evaluation, Monitor, Severity, Verdict};
use domain::grid::Grid;
use domain::time::{HOUR, Instant, Interval};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sql::baselines::BySignal;
use sql::counts::{CountPoint, CountSeries};
use sql::grids::StoredGrid;

use crate::calibrate::{self, Past, Rest};
use crate::config::Config;
use crate::counted::{self, Counted};
use crate::finding::{Context, Finding};
use crate::inhibition;
use crate::reference::{HealthyWindows, Learned, Reference};
use crate::signals::{self, Sides};
use crate::standings::{Key, Standings};
use crate::threshold::{Rules, Standing, judge};

pub use best::Sees;
pub use fault::Fault;
pub use outcome::{Found, Outcome};
pub use streams::{Habit, categories, numbers};

const WEEK: usize = 7 * 24;
/// So many weeks say what is usual.
const WEEKS: usize = 4;
/// A fault is followed for so many windows.
const FOLLOWED: usize = 6;
/// Alarms that begin no more windows apart are of one cause.
const TOGETHER: usize = 2;
const MODEL: &str = "simulated";

/// Counts of one hour of a signal, with a fault or without.
pub type Draw = Box<dyn Fn(usize, Fault, &mut StdRng) -> Counts>;

/// One stream of values.
pub struct Signal {
    pub name: String,
    pub grid: Grid,
    pub draw: Draw,
}

/// What is tried.
#[derive(Clone, Debug)]
pub struct Plan {
    pub config: Config,
    /// How many days are judged, after four weeks of history.
    pub days: usize,
    pub faults: Vec<Fault>,
    /// One in so many days the faults are tried, at an hour of chance.
    pub probe_days: usize,
    pub seed: u64,
}

/// Judges `plan.days` healthy days of one model that has these signals, and tries the faults beside them.
pub fn run(plan: &Plan, model: &[Signal]) -> Outcome {
    let mut random = StdRng::seed_from_u64(plan.seed);
    let hours = WEEKS * WEEK + 24 * plan.days;
    let drawn: Vec<Vec<Counts>> = model
        .iter()
        .map(|signal| (0..hours).map(|hour| (signal.draw)(hour, Fault::None, &mut random)).collect())
        .collect();
    let world = World { plan, model, drawn };
    let mut outcome = Outcome {
        signals: model.len(),
        months: plan.days as f64 / 30.0,
        found: vec![Found::default(); plan.faults.len()],
        ..Outcome::default()
    };
    let base = world.base();
    let mut standings = Standings::new(Rules::from(&plan.config));
    let mut learned = Arc::new(Learned::new());
    let mut last_page = None;
    for hour in WEEKS * WEEK..hours {
        if (hour - WEEKS * WEEK).is_multiple_of(WEEK) {
            learned = Arc::new(world.learned(hour));
        }
        let reference = world.reference(&base, &learned, hour);
        if world.judge(&reference, hour, &mut standings, &mut outcome) {
            outcome.pages += usize::from(last_page.is_none_or(|last| hour > last + TOGETHER));
            last_page = Some(hour);
        }
        let is_probed = (hour / 24).is_multiple_of(plan.probe_days) && random.random_ratio(1, 24);
        if is_probed && hour + FOLLOWED <= hours {
            world.probe(&base, &learned, hour, &mut outcome, &mut random);
        }
    }
    outcome
}

struct World<'a> {
    plan: &'a Plan,
    model: &'a [Signal],
    drawn: Vec<Vec<Counts>>,
}

impl World<'_> {
    /// Grids and budget, without anything to compare with yet.
    fn base(&self) -> Reference {
        let stored = |signal: &Signal| StoredGrid {
            grid: signal.grid.clone(),
            made_from: String::new(),
            made_of: 0,
            announced_at: Instant::EPOCH,
            recounted_at: None,
        };
        let grids = self.model.iter().map(stored).collect();
        Reference::new(&self.plan.config, &Contract::default(), &watch(), None, grids)
    }

    fn learned(&self, hour: usize) -> Learned {
        let first = hour - WEEKS * WEEK;
        let series: Vec<CountSeries> = self
            .model
            .iter()
            .zip(&self.drawn)
            .map(|(signal, drawn)| CountSeries {
                segment: String::new(),
                signal: signal.name.clone(),
                grid: signal.grid.id,
                points: (first..hour).flat_map(|hour| points(hour, &drawn[hour])).collect(),
            })
            .collect();
        let windows =
            HealthyWindows { stretch: Interval::new(at(first), at(hour)), length: HOUR, stride: HOUR };
        let least_events = watch().least_events;
        let none = BTreeMap::new();
        let pasts = self.model.iter().zip(&series).map(|(signal, series)| {
            let past = Past { grid: &signal.grid, means: &none, series, rest: Rest::SameHours };
            ((String::new(), signal.name.clone()), past)
        });
        calibrate::calibrate(pasts, calibrate::Window { windows, left_out: &[], least_events })
    }

    fn reference(&self, base: &Reference, learned: &Arc<Learned>, hour: usize) -> Reference {
        let mut signals = BySignal::new();
        for (signal, drawn) in self.model.iter().zip(&self.drawn) {
            let mut counts = Counts::default();
            (1..=WEEKS).for_each(|ago| counts.merge(&drawn[hour - ago * WEEK]));
            let counted = SignalBaseline { grid: signal.grid.id, counts, ..SignalBaseline::default() };
            signals.insert((String::new(), signal.name.clone()), counted);
        }
        base.learned(learned.clone()).with(signals, "the same hours of 4 weeks".to_owned())
    }

    fn counted(&self, hour: usize) -> counted::BySignal {
        let counted = self.model.iter().zip(&self.drawn).map(|(signal, drawn)| {
            let counted = Counted { counts: drawn[hour].clone(), ..Counted::default() };
            ((String::new(), signal.name.clone()), counted)
        });
        counted.collect()
    }

    /// Whether something began to page.
    fn judge(
        &self,
        reference: &Reference,
        hour: usize,
        standings: &mut Standings,
        outcome: &mut Outcome,
    ) -> bool {
        let mut findings = signals::findings(reference, &watch(), &self.counted(hour));
        inhibition::attribute(&mut findings);
        outcome.beyond += findings.iter().filter(|finding| finding.is_beyond()).count();
        outcome.windows += findings.iter().filter(|finding| finding.is_enough).count();
        let is_number = |name: &str| self.model.iter().any(|one| one.name == name && one.grid.is_numeric());
        let drift = findings.iter().filter(|one| one.monitor == Monitor::Drift && is_number(&one.signal));
        let compared: Vec<bool> = drift.filter(|one| one.is_enough).map(Finding::is_beyond).collect();
        outcome.compared += compared.len();
        outcome.drifted += compared.into_iter().filter(|is_beyond| *is_beyond).count();
        let context = Context {
            model: MODEL,
            environment: "production",
            watch: "hourly",
            baseline: &reference.called,
            window: Interval::new(at(hour), at(hour + 1)),
            evaluated_at: at(hour + 1),
        };
        let evaluations = standings.judge(findings, &context, &[]);
        let is_new = |evaluation: &&Evaluation| {
            let before = standings.get(&Key::of(evaluation)).map(|standing| standing.verdict);
            evaluation.verdict == Verdict::OffCourse && !before.is_some_and(Verdict::is_alarm)
        };
        let mut pages = false;
        for evaluation in evaluations.iter().filter(is_new) {
            if evaluation.severity == Severity::Page {
                pages = true;
                outcome.sentences.push(evaluation.sentence.clone());
            } else {
                *outcome.tickets.entry(evaluation.subject.monitor.name()).or_default() += 1;
            }
        }
        standings.take(&evaluations);
        pages
    }

    /// Tries each fault on each signal for some hours from `hour` on.
    fn probe(
        &self,
        base: &Reference,
        learned: &Arc<Learned>,
        hour: usize,
        outcome: &mut Outcome,
        random: &mut StdRng,
    ) {
        let references: Vec<(usize, Reference)> =
            (hour..hour + FOLLOWED).map(|hour| (hour, self.reference(base, learned, hour))).collect();
        for (fault, found) in self.plan.faults.iter().zip(&mut outcome.found) {
            for signal in self.model.iter().filter(|signal| fault.applies_to(&signal.grid)) {
                self.follow(signal, *fault, &references, found, random);
            }
        }
    }

    fn follow(
        &self,
        signal: &Signal,
        fault: Fault,
        references: &[(usize, Reference)],
        found: &mut Found,
        random: &mut StdRng,
    ) {
        let rules = Rules::from(&self.plan.config);
        let mut standing: Option<Standing> = None;
        let mut is_told = false;
        found.tried += 1;
        for (after, (hour, reference)) in references.iter().enumerate() {
            let counts = (signal.draw)(*hour, fault, random);
            if counts.total() < watch().least_events {
                continue;
            }
            let moments = fault.moments(counts.present());
            let finding = found_by(fault.monitor(), reference, signal, Counted { counts, moments });
            let is_beyond = finding.as_ref().is_some_and(Finding::is_beyond);
            found.windows += 1;
            found.beyond += usize::from(is_beyond);
            found.at_once += usize::from(is_beyond && after == 0);
            if let Some(finding) = finding.filter(|finding| finding.is_enough) {
                standing = Some(judge(rules, standing.as_ref(), &finding.reading(at(*hour))));
            }
            if !is_told && standing.is_some_and(|standing| standing.verdict.is_alarm()) {
                is_told = true;
                found.delays.push(after + 1);
            }
        }
    }
}

/// What one monitor finds of a signal that has these counts.
fn found_by(monitor: Monitor, reference: &Reference, signal: &Signal, current: Counted) -> Option<Finding> {
    let key = (String::new(), signal.name.clone());
    let baseline = reference.signals.get(&key)?;
    let sides = Sides { grid: &signal.grid, baseline, current: &current };
    signals::of_signal(reference, &watch(), &key, sides)
        .into_iter()
        .find(|finding| finding.monitor == monitor)
}

fn watch() -> Watch {
    Watch { step_s: HOUR.as_secs(), ..Watch::default() }
}

fn at(hour: usize) -> Instant {
    Instant::from_seconds(i64::try_from(hour).unwrap_or(i64::MAX / 3_600) * 3_600)
}

fn points(hour: usize, counts: &Counts) -> Vec<CountPoint> {
    counts.iter().map(|(bin, n)| CountPoint { at: at(hour), bin, n }).collect()
}

#[cfg(test)]
mod tests {
    use domain::grid::{Bin, Bins, Edges, Levels};

    use super::*;

    fn plan(days: usize, faults: &[Fault]) -> Plan {
        Plan { config: Config::default(), days, faults: faults.to_vec(), probe_days: 1, seed: 5 }
    }

    /// A small run of what docs/trust.md reports: nothing is told of ten healthy days, and what breaks is found.
    #[test]
    fn ten_healthy_days_are_quiet_and_small_faults_are_found() {
        for habit in [Habit::Independent, Habit::Wander, Habit::WaveAndWander] {
            let mut random = StdRng::seed_from_u64(3);
            let hours = WEEKS * WEEK + 10 * 24;
            let mut model = vec![numbers("prediction.score", habit, 2_000, hours, &mut random)];
            model.push(numbers("feature.a", habit, 2_000, hours, &mut random));
            model.push(categories("feature.b", habit, 2_000, hours, &mut random));
            let faults = [
                Fault::Shift(0.5),
                Fault::Nulls(0.05),
                Fault::NewCategory(0.02),
                Fault::Unit(1.609_344),
                Fault::Stuck,
            ];
            let outcome = run(&plan(10, &faults), &model);
            assert_eq!((outcome.pages, &outcome.tickets), (0, &BTreeMap::new()), "{habit:?}: {outcome:?}");
            assert!(outcome.windows > 10 * 24 * 3, "{habit:?}: {outcome:?}");
            for (fault, found) in faults.iter().zip(&outcome.found) {
                let power = found.power().expect("it was tried");
                assert!(power > 0.95, "{habit:?} {fault:?}: {power}");
                assert!(found.median_delay().is_some_and(|delay| delay <= 2), "{habit:?} {fault:?}");
            }
        }
    }

    /// A stream that is healthy but for some hours in which all of its values are gone.
    fn gone_within(hours: std::ops::Range<usize>, signal: Signal) -> Signal {
        let drawn = signal.draw;
        let draw: Draw = Box::new(move |hour, fault, random| {
            drawn(hour, if hours.contains(&hour) { Fault::Nulls(0.99) } else { fault }, random)
        });
        Signal { draw, ..signal }
    }

    #[test]
    fn signals_that_are_gone_within_two_windows_are_one_page_and_a_later_one_is_another() {
        let mut random = StdRng::seed_from_u64(4);
        let hours = WEEKS * WEEK + 2 * 24;
        let mut gone = |name: &str, first: usize| {
            let signal = numbers(name, Habit::Independent, 1_000, hours, &mut random);
            let from = WEEKS * WEEK + first;
            gone_within(from..from + 4, signal)
        };
        let together = [gone("feature.a", 5), gone("feature.b", 6)];
        let outcome = run(&plan(2, &[]), &together);
        assert_eq!((outcome.pages, outcome.sentences.len()), (1, 2), "{:#?}", outcome.sentences);
        let apart = [gone("feature.a", 5), gone("feature.b", 30)];
        let outcome = run(&plan(2, &[]), &apart);
        assert_eq!((outcome.pages, outcome.sentences.len()), (2, 2), "{:#?}", outcome.sentences);
    }

    /// A signal of which every hour is `usual`, and `changed` where all of its values are another.
    fn extreme(name: &str, bins: Bins, usual: Counts, changed: Counts) -> Signal {
        let grid = Grid::new(MODEL, name, Instant::EPOCH, bins);
        let draw: Draw = Box::new(move |_, fault, _| match fault {
            Fault::Stuck => changed.clone(),
            _ => usual.clone(),
        });
        Signal { name: name.to_owned(), grid, draw }
    }

    /// One value of a milliard in each hour, 95 % nulls, a constant, ids, one row, none.
    fn extremes() -> Vec<Signal> {
        let edges = |sample: Vec<f64>| Edges::of_sample(sample);
        let counted = |edges: &Edges, values: &[(f64, u64)], missing: u64| {
            let bins = values.iter().map(|(value, n)| {
                let place = edges.position(*value);
                (Bin(Bin::FIRST_VALUE.0 + u16::try_from(place).expect("few bins")), *n)
            });
            Counts::of(bins.chain([(Bin::MISSING, missing)]))
        };
        let (spread, one) = (edges((0..5_000).map(f64::from).collect()), edges(vec![1.0; 5_000]));
        let values: Vec<(f64, u64)> = (0..1_000).map(|place| (f64::from(place) * 5.0, 1)).collect();
        let moved: Vec<(f64, u64)> = values.iter().map(|(value, n)| (value + 1_000.0, *n)).collect();
        let wild = |values: &[(f64, u64)]| counted(&spread, &[values, &[(1e9, 1)]].concat(), 0);
        let sparse = counted(&spread, &values[..50], 950);
        let ids = Levels::of((0..100).map(|id| format!("id-{id}")));
        let others = |n: u64| Counts::of([(Bin::OTHER, n)]);
        let numbers = |edges: &Edges| Bins::Numbers(edges.clone());
        vec![
            extreme("feature.wild", numbers(&spread), wild(&values), wild(&moved)),
            extreme("feature.sparse", numbers(&spread), sparse, counted(&spread, &[], 1_000)),
            extreme(
                "feature.constant",
                numbers(&one),
                counted(&one, &[(1.0, 1_000)], 0),
                counted(&one, &[(2.0, 1_000)], 0),
            ),
            extreme("feature.id", Bins::Categories(ids), others(1_000), others(900)),
            extreme("feature.single", numbers(&one), counted(&one, &[(1.0, 1)], 0), Counts::default()),
            extreme("feature.nothing", numbers(&one), Counts::default(), counted(&one, &[(1.0, 1)], 0)),
        ]
    }

    #[test]
    fn extremes_are_quiet_where_they_are_usual_told_where_they_change_and_every_number_is_one() {
        let (plan, model) = (plan(2, &[]), extremes());
        let outcome = run(&plan, &model);
        assert_eq!((outcome.pages, &outcome.tickets), (0, &BTreeMap::new()), "{outcome:?}");
        let mut random = StdRng::seed_from_u64(1);
        let hours = WEEKS * WEEK + 1;
        let of = |fault: Fault, random: &mut StdRng, signal: &Signal| -> Vec<Counts> {
            let fault = |hour: usize| if hour + 1 == hours { fault } else { Fault::None };
            (0..hours).map(|hour| (signal.draw)(hour, fault(hour), random)).collect()
        };
        for (fault, expected) in [
            (Fault::None, vec![]),
            (
                Fault::Stuck,
                vec![
                    "drift feature.constant",
                    "drift feature.wild",
                    "missing feature.sparse",
                    "range feature.constant",
                    "schema feature.sparse",
                ],
            ),
        ] {
            let drawn = model.iter().map(|signal| of(fault, &mut random, signal)).collect();
            let world = World { plan: &plan, model: &model, drawn };
            let learned = Arc::new(world.learned(hours - 1));
            let reference = world.reference(&world.base(), &learned, hours - 1);
            let found = signals::findings(&reference, &watch(), &world.counted(hours - 1));
            let beyond = found.iter().filter(|one| one.is_beyond());
            let mut named: Vec<String> =
                beyond.map(|one| format!("{} {}", one.monitor.name(), one.signal)).collect();
            named.sort();
            assert_eq!(named, expected, "{fault:?}");
            for finding in found {
                let limit = finding.limit;
                let all = [finding.value, limit.threshold, limit.recovery, limit.urgent, limit.noise];
                let all = all.into_iter().chain(finding.numbers.values().copied());
                assert!(all.into_iter().all(f64::is_finite), "{finding:?}");
                assert!(!finding.facts.contains("NaN"), "{}", finding.facts);
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_figures() {
        let outcome = || {
            let mut random = StdRng::seed_from_u64(8);
            let hours = WEEKS * WEEK + 24;
            let model = [numbers("feature.a", Habit::Wander, 300, hours, &mut random)];
            run(&plan(1, &[Fault::Shift(0.2)]), &model)
        };
        assert_eq!(outcome(), outcome());
    }
}
