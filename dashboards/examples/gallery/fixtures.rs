//! Invented rows: what the pages look like with some of everything.

use std::collections::BTreeMap;
use std::time::Duration;

use askama::Template;
use dashboards::charts::strip::Mark;
use dashboards::figures::{self, Pair, SegmentPart};
use dashboards::layout::{Layout, Section};
use dashboards::pages::{model, overview, signal};
use dashboards::visit::{Now, Session, Visit};
use domain::baseline::Baseline;
use domain::contract::{Contract, LatencyObjective, Objectives, Watch};
use domain::counts::Counts;
use domain::evaluation::{Cause, Evaluation, Monitor, Severity, Subject, Verdict};
use domain::grid::{Bin, Bins, Edges, Grid, Levels};
use domain::incident::{Finding, Incident};
use domain::time::{DAY, HOUR, Instant, Interval};
use sql::changes::Change;
use sql::pages::OpenIncidents;
use sql::pages::model::{Known, PerformancePoint, Version};
use sql::pages::overview::{Latest, Performance};
use sql::pages::signal::{SegmentSeen, WatchSeen};

pub fn now() -> Instant {
    "2026-11-20T14:43:10Z".parse().expect("a literal instant")
}

pub fn visit(address: &str) -> Visit {
    let now = Now { at: now(), usual: HOUR * 6 };
    Visit::parse(&address.parse().expect("an address"), Session::default(), now)
        .expect("an address that is understood")
}

/// Numbers that look random and are the same each time.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Between 0 and 1.
    pub fn roll(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// About the normal law: mean 0, spread 1.
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.roll()).sum::<f64>() - 6.0
    }
}

/// Every page with its file name.
pub fn pages() -> askama::Result<Vec<(&'static str, String)>> {
    let open = OpenIncidents { pages: 1, tickets: 1, false_pages: 1 };
    let rendered = |address: &str, title: &str, open| {
        (visit(address), Layout::new(&visit(address), Section::Models, title, open))
    };
    let overview = |address: &str, data: overview::Data| {
        let (visit, layout) = rendered(address, "Models", data.open);
        overview::Overview::new(layout, &visit, &data, "http://127.0.0.1:4800").render()
    };
    let model = |address: &str, data: model::Data| {
        let (visit, layout) = rendered(address, "flights", open);
        model::Model::new(layout, &visit, &data).render()
    };
    let signal = |address: &str, data: signal::Data| {
        let (visit, layout) = rendered(address, "feature.wind_speed of flights", open);
        signal::Signal::new(layout, &visit, &data).render()
    };
    Ok(vec![
        ("overview", overview("/", overview_data())?),
        ("overview-calm", overview("/", calm())?),
        ("overview-empty", overview("/", nothing())?),
        ("overview-hostile", overview("/", hostile())?),
        ("model", model("/models/flights/production", model_data())?),
        ("model-new", model("/models/flights/production", new_model())?),
        (
            "signal",
            signal(
                "/models/flights/production/signals/feature.wind_speed?segment=origin%3DJFK",
                signal_data(),
            )?,
        ),
        ("signal-category", signal("/models/flights/production/signals/feature.carrier", category_data())?),
        ("signal-unjudged", signal("/models/flights/production/signals/feature.wind_speed", unjudged())?),
    ])
}

fn range() -> Interval {
    visit("/").range.interval()
}

fn line(name: &str, about: (&str, &str), seed: u64, rate: f64) -> overview::ModelLine {
    let mut dice = Dice::new(seed);
    let traffic: Vec<Option<f64>> = (0..73)
        .map(|k| Some(rate / 12.0 * (1.0 + 0.15 * (k as f64 / 9.0).sin() + 0.03 * dice.normal())))
        .collect();
    let events = traffic.iter().flatten().sum::<f64>() as u64;
    overview::ModelLine {
        model: name.to_owned(),
        environment: "production".to_owned(),
        description: about.0.to_owned(),
        owner: about.1.to_owned(),
        last_event: now().saturating_sub(Duration::from_secs(3 + seed * 9)),
        events_ever: events * 40,
        events,
        errors: events / 5_000,
        events_an_hour: rate,
        traffic,
        p95_ms: Some(7.0 + 6.0 * seed as f64),
        verdicts: vec![Some(Mark::OnCourse); 49],
        latest: vec![Latest {
            watch: "hourly".to_owned(),
            window_end: now(),
            too_little: 0,
            on_course: 40,
            suspect: 0,
            off_course: 0,
            events: 900,
            sentence: "amount is as in the baseline: PSI 0.01 (limit 0.10), 900 events".to_owned(),
        }],
        performance: Some(Performance {
            metric: "auc".to_owned(),
            mean: 0.724 + 0.04 * seed as f64,
            standard_error: 0.006,
            labelled: 4_000,
            predictions: 9_000,
            latest: now(),
        }),
    }
}

fn finding(subject: Subject, value: f64, sentence: &str) -> Finding {
    Finding {
        subject,
        severity: Severity::Ticket,
        since: now().saturating_sub(Duration::from_secs(65 * 60)),
        window_end: now(),
        statistic: "psi".to_owned(),
        value,
        threshold: 0.1,
        n_current: 2_744,
        sentence: sentence.to_owned(),
        standing: true,
    }
}

fn subject(model: &str, monitor: Monitor, signal: &str, segment: &str) -> Subject {
    Subject {
        model: model.to_owned(),
        environment: "production".to_owned(),
        watch: "hourly".to_owned(),
        monitor,
        signal: signal.to_owned(),
        segment: segment.to_owned(),
    }
}

fn incident(id: &str, model: &str, severity: Severity, title: &str, ago: Duration) -> Incident {
    let since = now().saturating_sub(ago);
    let sentence = "wind_speed at origin=JFK reads 1.61 times too high, mean 16.5 (10.4 before), PSI 1.69 (limit 0.10), 2,744 events";
    Incident {
        id: id.to_owned(),
        model: model.to_owned(),
        environment: "production".to_owned(),
        cause: Cause::Data,
        severity,
        title: title.to_owned(),
        since,
        opened_at: since,
        updated_at: now(),
        acknowledged: None,
        silenced_until: None,
        resolved: None,
        marked_false: None,
        retraining_requested_at: None,
        findings: vec![finding(
            subject(model, Monitor::Drift, "feature.wind_speed", "origin=JFK"),
            1.69,
            sentence,
        )],
        events: 3,
    }
}

pub fn overview_data() -> overview::Data {
    let mut flights = line("flights", ("late arrivals", "ops-forecast"), 1, 12_460.0);
    for (cell, mark) in flights.verdicts.iter_mut().rev().take(8).enumerate() {
        *mark = Some(if cell < 6 { Mark::Page } else { Mark::Suspect });
    }
    let mut loans = line("car-loan", ("default risk", "credit"), 4, 3_225.0);
    loans.verdicts.iter_mut().skip(30).for_each(|mark| *mark = Some(Mark::Ticket));
    let mut people = line("employment", ("eligibility", "people"), 7, 239.0);
    people.verdicts = vec![Some(Mark::TooLittle); 49];
    people.performance = None;
    people.latest[0].on_course = 0;
    people.latest[0].too_little = 4;
    people.latest[0].sentence = "age: 61 values are too few to compare (at least 200)".to_owned();
    overview::Data {
        range: range(),
        now: now(),
        open: OpenIncidents { pages: 1, tickets: 1, false_pages: 1 },
        incidents: vec![
            incident("7f3c", "flights", Severity::Page, "wind_speed at JFK reads 1.6 times too high", HOUR),
            incident("81aa", "car-loan", Severity::Ticket, "salary_range has moved", DAY * 22),
        ],
        models: vec![
            line("cards-fraud", ("decisions", "risk"), 2, 69_827.0),
            loans,
            people,
            flights,
            line("home-ranking", ("candidates", "personalization"), 3, 296_802.0),
        ],
    }
}

pub fn calm() -> overview::Data {
    let mut data = overview_data();
    data.incidents.clear();
    data.open = OpenIncidents::default();
    data.models.truncate(2);
    data.models.iter_mut().for_each(|model| model.verdicts = vec![Some(Mark::OnCourse); 49]);
    data
}

pub fn nothing() -> overview::Data {
    overview::Data {
        incidents: Vec::new(),
        models: Vec::new(),
        open: OpenIncidents::default(),
        ..overview_data()
    }
}

/// Names as an attacker or an accident would choose them.
pub fn hostile() -> overview::Data {
    let mut data = overview_data();
    let names =
        ["<script>alert(1)</script>".to_owned(), "x".repeat(4_000), "\u{202e}נהג\u{202e} \"'&".to_owned()];
    for (line, name) in data.models.iter_mut().zip(&names) {
        line.model.clone_from(name);
        line.description = "<img src=x onerror=alert(1)>".to_owned();
    }
    data.incidents[0].model.clone_from(&names[0]);
    data.incidents[0].title = format!("<b>{}</b>", "long ".repeat(400));
    data
}

fn contract() -> Contract {
    Contract {
        owner: "ops-forecast".to_owned(),
        description: "Will this flight arrive late?".to_owned(),
        playbook: "https://wiki.example.com/flights".to_owned(),
        segments: vec!["origin".to_owned(), "carrier".to_owned()],
        objectives: Objectives {
            latency: Some(LatencyObjective { limit_ms: 50.0, target: 0.99 }),
            availability: Some(0.999),
        },
        note: "Invented flights, for looking at the page.".to_owned(),
        ..Contract::default()
    }
}

fn evaluation(
    subject: Subject,
    value: f64,
    verdict: Verdict,
    severity: Severity,
    sentence: &str,
) -> Evaluation {
    let numbers = [
        ("ks_low", 0.287),
        ("ks_high", 0.291),
        ("wasserstein", 6.1),
        ("wasserstein_sd", 0.86),
        ("mean_baseline", 10.4),
        ("mean_current", 16.5),
        ("outside", 0.019),
    ];
    Evaluation {
        subject,
        window: Interval::ending_at(now().floor(Duration::from_secs(300)), HOUR),
        baseline: "profile, Jan–Mar".to_owned(),
        statistic: "psi".to_owned(),
        value,
        threshold: 0.1,
        recovery: 0.07,
        noise: 0.01,
        n_baseline: 80_000,
        n_current: 2_744,
        verdict,
        severity,
        since: now().saturating_sub(Duration::from_secs(65 * 60)),
        streak: 3,
        numbers: numbers.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<BTreeMap<_, _>>(),
        sentence: sentence.to_owned(),
        evaluated_at: now(),
    }
}

/// The bins of wind in miles an hour, and counts of winds around `centre`.
fn wind(centre: f64, n: usize, missing: u64, seed: u64) -> (Grid, Counts) {
    let mut dice = Dice::new(5);
    let sample: Vec<f64> = (0..5_000).map(|_| (10.4 + 5.0 * dice.normal()).abs().round() * 1.15).collect();
    let grid =
        Grid::new("flights", "feature.wind_speed", Instant::EPOCH, Bins::Numbers(Edges::of_sample(sample)));
    let mut dice = Dice::new(seed);
    let mut counts = Counts::default();
    for _ in 0..n {
        let value = (centre + 0.48 * centre * dice.normal()).abs().round() * 1.15;
        counts.add(grid.bin_of_number(value), 1);
    }
    counts.add(Bin::MISSING, missing);
    (grid, counts)
}

fn marks(bad: usize, mark: Mark) -> Vec<Option<Mark>> {
    (0..73).map(|cell| Some(if cell >= 73 - bad { mark } else { Mark::OnCourse })).collect()
}

pub fn model_data() -> model::Data {
    let (grid, before) = wind(10.4, 40_000, 20, 7);
    let (_, after) = wind(16.5, 2_744, 0, 8);
    let bars = figures::bars(&grid, Pair { baseline: &before, now: &after });
    let calm = figures::bars(&grid, Pair { baseline: &before, now: &before });
    let evaluations = vec![
        evaluation(
            subject("flights", Monitor::Drift, "prediction.score", ""),
            0.31,
            Verdict::OffCourse,
            Severity::Page,
            "prediction score moved: mean 0.24 (0.18 before), PSI 0.31 (limit 0.10), 7,840 events",
        ),
        evaluation(
            subject("flights", Monitor::Drift, "feature.wind_speed", "origin=JFK"),
            1.69,
            Verdict::OffCourse,
            Severity::Ticket,
            "wind_speed at origin=JFK reads 1.61 times too high, mean 16.5 (10.4 before), PSI 1.69 (limit 0.10), 2,744 events",
        ),
        evaluation(
            subject("flights", Monitor::Drift, "feature.temp", ""),
            0.06,
            Verdict::OnCourse,
            Severity::Ticket,
            "temp is as in the baseline: PSI 0.06 (limit 0.10), 7,840 events",
        ),
    ];
    let names = [
        "prediction.score",
        "feature.wind_speed",
        "feature.temp",
        "feature.visib",
        "feature.precip",
        "feature.carrier",
        "feature.origin",
        "feature.dest",
        "feature.distance",
        "latency_ms",
    ];
    let row = |(index, name): (usize, &&str)| model::SignalRow {
        name: (*name).to_owned(),
        is_monitor: false,
        peak: if index < 2 { 3.1 } else { 0.6 / (index as f64) },
        marks: match index {
            0 => marks(12, Mark::Page),
            1 => marks(13, Mark::Ticket),
            4 => vec![Some(Mark::TooLittle); 73],
            _ => marks(0, Mark::OnCourse),
        },
    };
    let mut dice = Dice::new(3);
    let starts: Vec<Instant> = (0..73_u32)
        .map(|k| range().start.floor(Duration::from_secs(300)).saturating_add(Duration::from_secs(300) * k))
        .collect();
    let traffic = starts.iter().map(|at| model::Traffic {
        at: *at,
        events: (1_000.0 + 60.0 * dice.normal()) as u64,
        errors: (dice.roll() * 3.0) as u64,
    });
    let traffic: Vec<model::Traffic> = traffic.collect();
    let latency = starts
        .iter()
        .map(|at| model::Latency {
            at: *at,
            p50: 5.0 + 0.4 * dice.normal(),
            p95: 11.0 + dice.normal(),
            slow: Some(0.002),
        })
        .collect();
    let performance = (0..21_u32).map(|day| PerformancePoint {
        metric: "auc".to_owned(),
        at: now().floor(DAY).saturating_sub(DAY * (20 - day)),
        mean: if day > 18 { f64::NAN } else { 0.72 + 0.01 * dice.normal() },
        standard_error: 0.008,
        labelled: if day > 15 { 200 } else { 900 },
        predictions: 960,
    });
    model::Data {
        model: "flights".to_owned(),
        environment: "production".to_owned(),
        environments: vec![known("production"), known("shadow")],
        contract: contract(),
        watch: String::new(),
        range: range(),
        now: now(),
        open: OpenIncidents { pages: 1, tickets: 1, false_pages: 0 },
        incidents: vec![incident(
            "7f3c",
            "flights",
            Severity::Page,
            "wind_speed at JFK reads 1.6 times too high",
            HOUR,
        )],
        movers: evaluations
            .iter()
            .enumerate()
            .map(|(index, evaluation)| model::Mover {
                evaluation: evaluation.clone(),
                bars: Some(if index < 2 { bars.clone() } else { calm.clone() }),
            })
            .collect(),
        latest: evaluations,
        rows: names.iter().enumerate().map(row).collect(),
        found: names.len(),
        step_s: 300,
        traffic,
        latency,
        performance: performance.collect(),
        performance_step_s: 86_400,
        versions: vec![
            Version {
                version: "2026-11-01".to_owned(),
                first_event: range().start,
                last_event: now(),
                events: 71_240,
                errors: 14,
            },
            Version {
                version: "2026-10-02".to_owned(),
                first_event: range().start,
                last_event: range().start.saturating_add(HOUR),
                events: 812,
                errors: 0,
            },
        ],
        changes: vec![Change {
            id: "1".to_owned(),
            at: now().saturating_sub(Duration::from_secs(72 * 60)),
            model: "flights".to_owned(),
            environment: "production".to_owned(),
            kind: "deployment".to_owned(),
            title: "weather-feed 4.2".to_owned(),
            detail: String::new(),
            actor: "ci".to_owned(),
            link: String::new(),
        }],
        baselines: baselines(),
    }
}

pub fn new_model() -> model::Data {
    model::Data {
        incidents: Vec::new(),
        latest: Vec::new(),
        rows: Vec::new(),
        found: 0,
        movers: Vec::new(),
        latency: Vec::new(),
        performance: Vec::new(),
        changes: Vec::new(),
        baselines: Vec::new(),
        contract: Contract::default(),
        environments: vec![Known { events: 61, ..known("production") }],
        traffic: model_data()
            .traffic
            .into_iter()
            .enumerate()
            .map(|(index, step)| model::Traffic { events: if index > 66 { 9 } else { 0 }, errors: 0, ..step })
            .collect(),
        ..model_data()
    }
}

fn known(environment: &str) -> Known {
    Known {
        environment: environment.to_owned(),
        first_event: now().saturating_sub(DAY * 200),
        last_event: now().saturating_sub(Duration::from_secs(12)),
        events: 3_000_000,
    }
}

fn baselines() -> Vec<Baseline> {
    ["initial", "profile, Jan–Mar"]
        .map(|name| Baseline {
            model: "flights".to_owned(),
            environment: "production".to_owned(),
            name: name.to_owned(),
            window: Interval::ending_at(now().saturating_sub(DAY * 200), DAY * 90),
            source: "file flights.parquet".to_owned(),
            events: 80_789,
            created_at: now(),
        })
        .to_vec()
}

pub fn signal_data() -> signal::Data {
    let (grid, before) = wind(10.4, 40_000, 20, 7);
    let (_, after) = wind(16.5, 2_744, 30, 8);
    let drift = subject("flights", Monitor::Drift, "feature.wind_speed", "origin=JFK");
    let sentence = "wind_speed at origin=JFK reads 1.61 times too high, mean 16.5 (10.4 before), PSI 1.69 (limit 0.10), 2,744 events";
    let judged = vec![evaluation(drift, 1.69, Verdict::OffCourse, Severity::Ticket, sentence)];
    let mut dice = Dice::new(11);
    let start = range().start.floor(Duration::from_secs(300));
    let at = |k: u32| start.saturating_add(Duration::from_secs(300) * k);
    let history = (1..=72_u32).map(|k| signal::Judged {
        monitor: Monitor::Drift,
        window_end: at(k),
        value: if k > 60 { 1.4 + 0.1 * dice.normal() } else { 0.03 + 0.008 * dice.normal().abs() },
        threshold: 0.1,
        verdict: if k > 60 { Verdict::OffCourse } else { Verdict::OnCourse },
        events: 2_700,
    });
    let history: Vec<signal::Judged> = history.collect();
    let over_time = (0..73_u32).map(|k| {
        let factor = if k > 60 { 1.6 } else { 1.0 } * (1.0 + 0.02 * dice.normal());
        signal::Step {
            at: at(k),
            events: if k == 30 { 0 } else { 230 },
            quantiles: (k != 30).then(|| [3.4, 6.9, 10.4, 13.8, 20.7].map(|value| value * factor)),
            missing: if k > 40 { 0.02 * dice.roll() } else { 0.0 },
            invalid: 0.0,
            other: 0.0,
            levels: Vec::new(),
        }
    });
    let pair = Pair { baseline: &before, now: &after };
    let contributions = figures::contributions(&grid, pair);
    signal::Data {
        model: "flights".to_owned(),
        environment: "production".to_owned(),
        signal: "feature.wind_speed".to_owned(),
        segment: "origin=JFK".to_owned(),
        segments: ["", "origin=EWR", "origin=JFK", "origin=LGA"]
            .map(|segment| SegmentSeen { segment: segment.to_owned(), n: 900 })
            .to_vec(),
        watch: Watch::default(),
        watches: vec![WatchSeen {
            watch: "hourly".to_owned(),
            baseline: "initial".to_owned(),
            windows: 72,
            compared: 72,
        }],
        baseline: "profile, Jan–Mar".to_owned(),
        baselines: baselines(),
        range: range(),
        now: now(),
        open: OpenIncidents::default(),
        window: Interval::ending_at(now().floor(Duration::from_secs(300)), HOUR),
        judged,
        numeric: true,
        made_from: "5,000 events".to_owned(),
        compared: Some(signal::Compared {
            events_now: after.total(),
            events_baseline: before.total(),
            bars: figures::bars(&grid, pair),
            psi: contributions.iter().map(|part| part.psi).sum(),
            contributions,
            mean: signal::Sides { baseline: Some(10.4), now: Some(16.5) },
            missing: signal::Sides { baseline: Some(0.0005), now: Some(0.0108) },
            invalid: signal::Sides { baseline: Some(0.0), now: Some(0.0) },
            other: signal::Sides { baseline: Some(0.0), now: Some(0.0) },
            outside: Some(0.019),
        }),
        history,
        step_s: 300,
        over_time: over_time.collect(),
        levels: Vec::new(),
        parts: vec![signal::Dimension {
            dimension: "origin".to_owned(),
            parts: [("origin=JFK", 0.94, 0.35), ("origin=EWR", 0.03, 0.36), ("origin=LGA", 0.03, 0.29)]
                .map(|(segment, shift, traffic)| SegmentPart { segment: segment.to_owned(), shift, traffic })
                .to_vec(),
        }],
        since: Some(now().saturating_sub(Duration::from_secs(65 * 60))),
    }
}

pub fn category_data() -> signal::Data {
    let names = ["UA", "B6", "EV", "DL", "AA", "MQ", "US", "9E", "WN", "VX"];
    let grid = Grid::new(
        "flights",
        "feature.carrier",
        Instant::EPOCH,
        Bins::Categories(Levels::of(names.map(str::to_owned))),
    );
    let counts = |total: f64, other: u64, tilt: f64| {
        let mut counts =
            Counts::of(names.iter().enumerate().map(|(index, name)| {
                (grid.bin_of_category(name), (total / (1.5 + index as f64 * tilt)) as u64)
            }));
        counts.add(Bin::OTHER, other);
        counts
    };
    let (before, after) = (counts(9_000.0, 40, 1.0), counts(900.0, 60, 0.6));
    let pair = Pair { baseline: &before, now: &after };
    let contributions = figures::contributions(&grid, pair);
    let base = signal_data();
    signal::Data {
        signal: "feature.carrier".to_owned(),
        segment: String::new(),
        numeric: false,
        since: None,
        judged: vec![evaluation(
            subject("flights", Monitor::Drift, "feature.carrier", ""),
            0.04,
            Verdict::OnCourse,
            Severity::Ticket,
            "carrier is as in the baseline: PSI 0.04 (limit 0.10), 2,744 events",
        )],
        history: base.history.iter().filter(|it| it.verdict == Verdict::OnCourse).copied().collect(),
        levels: names[..4].iter().map(|name| (*name).to_owned()).collect(),
        over_time: base
            .over_time
            .iter()
            .map(|step| signal::Step {
                quantiles: None,
                levels: vec![0.31, 0.2, 0.15, 0.12],
                other: 0.01,
                ..step.clone()
            })
            .collect(),
        compared: Some(signal::Compared {
            events_now: after.total(),
            events_baseline: before.total(),
            bars: figures::bars(&grid, pair),
            psi: contributions.iter().map(|part| part.psi).sum(),
            contributions,
            mean: signal::Sides::default(),
            missing: signal::Sides { baseline: Some(0.0), now: Some(0.0) },
            invalid: signal::Sides::default(),
            other: signal::Sides { baseline: Some(0.001), now: Some(0.02) },
            outside: None,
        }),
        ..base
    }
}

pub fn unjudged() -> signal::Data {
    signal::Data {
        segment: String::new(),
        judged: Vec::new(),
        history: Vec::new(),
        watches: Vec::new(),
        baselines: Vec::new(),
        compared: None,
        parts: Vec::new(),
        since: None,
        ..signal_data()
    }
}
