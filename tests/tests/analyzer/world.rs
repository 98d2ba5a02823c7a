//! A model of flights, small enough to be sent by the minute: three airports, weather, a score and what came of it.

use std::collections::BTreeMap;
use std::time::Duration;

use analyzer::{Analyzer, Config};
use collector::baseline::{self, Request};
use collector::event::{Name, Outcome, Prediction};
use collector::guard::Marks;
use collector::intake::Intake;
use collector::known::Grids;
use domain::contract::{Contract, DEFAULT_ENVIRONMENT, Watch};
use domain::grid::{Bins, Edges, Grid, Levels};
use domain::time::{Clock, Instant, Interval, MINUTE, ManualClock};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sql::Store;
use sql::evaluations::{Judged, Watched};
use sql::grids::StoredGrid;

pub const MODEL: &str = "flights";
pub const ORIGINS: [&str; 3] = ["JFK", "LGA", "EWR"];

/// One flight, before it is sent.
#[derive(Clone, Debug)]
pub struct Flight {
    pub version: &'static str,
    pub origin: &'static str,
    pub temp: Option<f64>,
    pub wind_speed: Option<f64>,
    pub error: bool,
    pub latency_ms: f64,
    /// What it carries beside these.
    pub numbers: Vec<(&'static str, f64)>,
    pub categories: Vec<(&'static str, String)>,
    pub lists: Vec<(&'static str, Vec<String>)>,
    /// The rules that it breaks.
    pub breaks: Vec<&'static str>,
}

/// What came of a prediction.
#[derive(Clone, Debug, Default)]
pub struct Came {
    pub numbers: Vec<(String, f64)>,
    pub categories: Vec<(String, String)>,
}

impl Flight {
    fn score(&self) -> f64 {
        1.0 / (1.0 + (-(self.temp.unwrap_or(55.0) - 60.0) / 12.0).exp())
    }
}

pub struct World {
    pub store: Store,
    pub context: service::Context,
    pub clock: ManualClock,
    intake: Intake,
    random: StdRng,
    sent: u64,
}

/// Whole minutes since the world began.
pub fn at(minute: i64) -> Instant {
    "2026-03-02T00:00:00Z".parse::<Instant>().expect("an instant").saturating_add(MINUTE * minute as u32)
}

pub fn minutes(from: i64, to: i64) -> Interval {
    Interval::new(at(from), at(to))
}

/// Windows of ten minutes, one each ten minutes, from the first hour's end on.
pub fn ten_minutes() -> Watch {
    Watch {
        name: "live".to_owned(),
        window_s: 600,
        step_s: 600,
        grace_s: 10,
        baseline: "first".to_owned(),
        from: Some(domain::contract::Rfc3339(at(60))),
        ..Watch::default()
    }
}

pub fn contract(watch: Watch) -> Contract {
    Contract { segments: vec!["origin".to_owned()], watches: vec![watch], ..Contract::default() }
}

impl World {
    /// A store with the model's grids, and nothing else.
    pub async fn new(contract: Contract) -> Self {
        let store = tests::fresh_store().await;
        let clock = ManualClock::starting_at(at(0));
        let contracts = BTreeMap::from([(MODEL.to_owned(), contract)]);
        let context = service::Context::quiet(Clock::Manual(clock.clone()), contracts);
        let mut random = StdRng::seed_from_u64(7);
        let sample: Vec<Flight> = (0..5_000).map(|_| flight(&mut random)).collect();
        store.write_grids(&grids(&sample)).await.expect("the grids are stored");
        let grids = Grids::new(store.clone(), &context, Duration::ZERO);
        let intake = Intake::new(store.clone(), grids, &context);
        Self { store, context, clock, intake, random, sent: 0 }
    }

    /// Counts one more signal from now on.
    pub async fn count(&self, grid: Grid) {
        self.store.write_grids(&[stored(grid)]).await.expect("the grid is stored");
    }

    /// Sends `per_minute` flights in each minute from `from` to `to`, after `change` had its way with each.
    pub async fn send(&mut self, from: i64, to: i64, per_minute: u32, change: impl Fn(&mut Flight)) {
        let mut events = Vec::new();
        for minute in from..to {
            for place in 0..per_minute {
                let mut flight = flight(&mut self.random);
                change(&mut flight);
                let within = Duration::from_millis(u64::from(place * 60_000 / per_minute));
                events.push(self.prediction(&flight, at(minute).saturating_add(within), None));
            }
        }
        self.insert(events).await;
    }

    /// Sends flights of one minute as late as the clock now stands.
    pub async fn send_late(&mut self, minute: i64, count: u32, change: impl Fn(&mut Flight)) {
        let received_at = self.clock_now();
        let mut events = Vec::new();
        for _ in 0..count {
            let mut flight = flight(&mut self.random);
            change(&mut flight);
            events.push(self.prediction(&flight, at(minute), Some(received_at)));
        }
        self.insert(events).await;
    }

    /// Sends flights that are received some time after they took off.
    pub async fn send_received(&mut self, from: i64, to: i64, per_minute: u32, delay: Duration) {
        let mut events = Vec::new();
        for minute in from..to {
            for place in 0..per_minute {
                let flight = flight(&mut self.random);
                let took_off =
                    at(minute).saturating_add(Duration::from_millis(u64::from(place * 60_000 / per_minute)));
                events.push(self.prediction(&flight, took_off, Some(took_off.saturating_add(delay))));
            }
        }
        self.insert(events).await;
    }

    fn clock_now(&self) -> Instant {
        self.context.clock.now()
    }

    async fn insert(&mut self, events: Vec<Prediction>) {
        let token = format!("batch {}", self.sent);
        for (part, events) in events.chunks(20_000).enumerate() {
            self.intake
                .insert(events.to_vec(), &format!("{token} {part}"))
                .await
                .expect("the events are stored");
        }
    }

    fn prediction(
        &mut self,
        flight: &Flight,
        timestamp: Instant,
        received_at: Option<Instant>,
    ) -> Prediction {
        self.sent += 1;
        let mut numbers = vec![
            (Name::from("prediction.score"), flight.score()),
            (Name::from("latency_ms"), flight.latency_ms),
        ];
        numbers.extend(flight.temp.map(|temp| (Name::from("feature.temp"), temp)));
        numbers.extend(flight.wind_speed.map(|wind| (Name::from("feature.wind_speed"), wind)));
        numbers.extend(flight.numbers.iter().map(|(name, value)| (Name::from(*name), *value)));
        let mut categories = vec![(Name::from("feature.origin"), Name::from(flight.origin))];
        let more =
            flight.categories.iter().map(|(name, value)| (Name::from(*name), Name::from(value.as_str())));
        categories.extend(more);
        Prediction {
            id: format!("flight-{}", self.sent),
            version: Name::from(flight.version),
            timestamp,
            numbers,
            categories,
            lists: flight.lists.iter().map(|(name, items)| (Name::from(*name), items.clone())).collect(),
            error: if flight.error { "timeout".to_owned() } else { String::new() },
            marks: (!flight.breaks.is_empty()).then(|| {
                let breaches = flight.breaks.iter().map(|rule| Name::from(*rule)).collect();
                Box::new(Marks { breaches, ..Marks::default() })
            }),
            ..Prediction::empty(Name::from(MODEL), received_at.unwrap_or(timestamp))
        }
    }

    /// What came of the flights of the stretch, as known at `known_at`: what `came` makes of what `column` holds of each.
    pub async fn outcomes_by(
        &mut self,
        stretch: Interval,
        known_at: Instant,
        column: &str,
        came: impl Fn(&str, &mut StdRng) -> Came,
    ) {
        let statement = format!(
            "SELECT id, {column} FROM predictions WHERE model = '{MODEL}' \
             AND timestamp >= fromUnixTimestamp64Milli({}) AND timestamp < fromUnixTimestamp64Milli({}) ORDER BY id",
            stretch.start.millis(),
            stretch.end.millis()
        );
        let mut outcomes = Vec::new();
        for line in tests::text(&self.store, &statement).await.lines() {
            let (id, held) = line.split_once('\t').expect("two columns");
            let Came { numbers, categories } = came(held, &mut self.random);
            outcomes.push(Outcome {
                id: id.to_owned(),
                model: Name::from(MODEL),
                timestamp: known_at,
                received_at: known_at,
                numbers: numbers.into_iter().map(|(name, value)| (Name::from(name), value)).collect(),
                categories: categories
                    .into_iter()
                    .map(|(name, value)| (Name::from(name), Name::from(value)))
                    .collect(),
                lists: Vec::new(),
                source: Name::from("test"),
            });
        }
        self.sent += 1;
        let token = format!("outcomes {}", self.sent);
        self.intake.insert_outcomes(outcomes, &token).await.expect("the outcomes are stored");
    }

    /// Whether each flight of the stretch was late, as known at `known_at`: with the chance that `chance` makes of its
    /// score. A part of them never arrives.
    pub async fn outcomes(
        &mut self,
        stretch: Interval,
        known_at: Instant,
        arriving: f64,
        chance: impl Fn(f64) -> f64,
    ) {
        let statement = format!(
            "SELECT id, numbers['prediction.score'] FROM predictions WHERE model = '{MODEL}' \
             AND timestamp >= fromUnixTimestamp64Milli({}) AND timestamp < fromUnixTimestamp64Milli({}) ORDER BY id",
            stretch.start.millis(),
            stretch.end.millis()
        );
        let mut outcomes = Vec::new();
        for line in tests::text(&self.store, &statement).await.lines() {
            let (id, score) = line.split_once('\t').expect("two columns");
            let score: f64 = score.parse().expect("a number");
            let late = f64::from(u8::from(self.random.random_bool(chance(score))));
            if self.random.random_bool(arriving) {
                outcomes.push(Outcome {
                    id: id.to_owned(),
                    model: Name::from(MODEL),
                    timestamp: known_at,
                    received_at: known_at,
                    numbers: vec![(Name::from("outcome.late"), late)],
                    categories: Vec::new(),
                    lists: Vec::new(),
                    source: Name::from("test"),
                });
            }
        }
        self.sent += 1;
        let token = format!("outcomes {}", self.sent);
        self.intake.insert_outcomes(outcomes, &token).await.expect("the outcomes are stored");
    }

    pub async fn baseline(&self, name: &str, window: Interval) {
        let request = Request {
            model: MODEL.to_owned(),
            environment: DEFAULT_ENVIRONMENT.to_owned(),
            name: name.to_owned(),
            window: Some(window),
            version: String::new(),
        };
        let (baseline, counts) =
            baseline::of_stored(&request, &self.context, &self.store).await.expect("a baseline");
        self.store.write_baseline(&baseline, &counts).await.expect("the baseline is stored");
    }

    pub fn analyzer(&self) -> Analyzer {
        Analyzer::new(Config::default(), self.context.clone(), self.store.clone())
    }

    /// Moves the clock to `minute` and a little beyond, and lets the analyzer do what there is to do.
    pub async fn pass(&self, analyzer: &mut Analyzer, minute: i64) -> usize {
        self.clock.set(at(minute).saturating_add(Duration::from_secs(15)));
        let mut windows = 0;
        loop {
            let pass = analyzer.pass().await.expect("a pass");
            windows += pass.windows;
            if !pass.is_more {
                self.all_is_well_said().await;
                return windows;
            }
        }
    }

    /// Every sentence begins with what was found, in a line; no number anywhere is none.
    async fn all_is_well_said(&self) {
        let badly = "SELECT monitor, sentence FROM evaluations WHERE lengthUTF8(splitByString('; ', sentence)[1]) > 80 \
                     OR match(sentence, 'NaN|inf ') OR NOT isFinite(value) OR NOT isFinite(threshold) \
                     OR NOT isFinite(noise) OR arrayExists(number -> NOT isFinite(number), mapValues(numbers))";
        assert_eq!(tests::text(&self.store, badly).await, "");
    }

    /// What was said of a subject, window by window, as `verdict`.
    pub async fn verdicts(&self, monitor: &str, signal: &str, segment: &str) -> Vec<String> {
        let rows = self.judged().await.into_iter().filter(|judged| {
            judged.monitor.name() == monitor && judged.signal == signal && judged.segment == segment
        });
        rows.map(|judged| judged.verdict.name().to_owned()).collect()
    }

    pub async fn judged(&self) -> Vec<Judged> {
        let watched = Watched {
            model: MODEL.to_owned(),
            environment: DEFAULT_ENVIRONMENT.to_owned(),
            watch: "live".to_owned(),
            performance: false,
        };
        let all = Interval::new(Instant::EPOCH, at(1_000_000));
        self.store.evaluations_judged(&watched, all).await.expect("the store answers")
    }

    /// One column of the evaluations of a subject in the window that ends at `minute`.
    pub async fn said(&self, column: &str, subject: [&str; 3], minute: i64) -> String {
        let [monitor, signal, segment] = subject;
        let statement = format!(
            "SELECT {column} FROM evaluations FINAL WHERE model = '{MODEL}' AND monitor = '{monitor}' \
             AND signal = '{signal}' AND segment = '{segment}' AND window_end = fromUnixTimestamp64Milli({})",
            at(minute).millis()
        );
        tests::text(&self.store, &statement).await
    }
}

fn flight(random: &mut StdRng) -> Flight {
    let normal: f64 = (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0;
    let wind: f64 = (0..3).map(|_| -4.0 * random.random::<f64>().max(1e-9).ln()).sum();
    Flight {
        version: "1",
        origin: ORIGINS[random.random_range(0..ORIGINS.len())],
        temp: random.random_bool(0.999).then_some(55.0 + 12.0 * normal),
        wind_speed: Some(wind),
        error: random.random_bool(0.001),
        latency_ms: 20.0 + 10.0 * random.random::<f64>(),
        numbers: Vec::new(),
        categories: Vec::new(),
        lists: Vec::new(),
        breaks: Vec::new(),
    }
}

fn grids(sample: &[Flight]) -> Vec<StoredGrid> {
    let numbers = |name: &str, value: fn(&Flight) -> Option<f64>| {
        let edges = Edges::of_sample(sample.iter().filter_map(value).collect());
        Grid::new(MODEL, name, Instant::EPOCH, Bins::Numbers(edges))
    };
    let levels = Levels::of(ORIGINS.map(str::to_owned));
    let all = [
        numbers("feature.temp", |flight| flight.temp),
        numbers("feature.wind_speed", |flight| flight.wind_speed),
        numbers("prediction.score", |flight| Some(flight.score())),
        Grid::of_duration(MODEL, "latency_ms", &[50.0]),
        Grid::new(MODEL, "feature.origin", Instant::EPOCH, Bins::Categories(levels)),
    ];
    all.into_iter().map(stored).collect()
}

fn stored(grid: Grid) -> StoredGrid {
    StoredGrid {
        grid,
        made_from: "test".to_owned(),
        made_of: 5_000,
        announced_at: Instant::EPOCH,
        recounted_at: Some(Instant::EPOCH),
    }
}
