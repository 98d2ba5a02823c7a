//! A model whose counts of many weeks are written straight into the tables: a feature and a score, by the hour.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use analyzer::{Analyzer, Config};
use domain::contract::{Contract, DEFAULT_ENVIRONMENT, Watch};
use domain::grid::{Bin, Bins, Edges, Grid};
use domain::time::{Clock, HOUR, Instant, ManualClock};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sql::Store;
use sql::grids::StoredGrid;

pub const MODEL: &str = "payments";
pub const AMOUNT: &str = "feature.amount";
pub const SCORE: &str = "prediction.score";
pub const ROWS: usize = 2_000;

pub struct Recorded {
    pub store: Store,
    pub context: service::Context,
    pub clock: ManualClock,
    grids: Vec<Grid>,
    random: StdRng,
    /// Standard normal values, to be drawn from.
    pool: Vec<f64>,
}

/// Whole hours since the recording began, on a Monday.
pub fn at(hour: i64) -> Instant {
    let begin: Instant = "2026-03-02T00:00:00Z".parse().expect("an instant");
    begin.saturating_add(HOUR * u32::try_from(hour).expect("after the beginning"))
}

pub fn day(day: i64) -> i64 {
    24 * day
}

/// A daily wave of half a standard deviation.
pub fn wave(hour: i64) -> f64 {
    0.5 * (std::f64::consts::TAU * hour as f64 / 24.0).sin()
}

/// Windows of an hour, one each hour, from `first` on.
pub fn hourly(first: i64) -> Watch {
    Watch {
        name: "live".to_owned(),
        window_s: 3_600,
        step_s: 3_600,
        grace_s: 10,
        from: Some(domain::contract::Rfc3339(at(first))),
        ..Watch::default()
    }
}

impl Recorded {
    pub async fn new(contract: Contract) -> Self {
        let store = tests::fresh_store().await;
        let clock = ManualClock::starting_at(at(0));
        let contracts = BTreeMap::from([(MODEL.to_owned(), contract)]);
        let context = service::Context::quiet(Clock::Manual(clock.clone()), contracts);
        let edges: Vec<f64> = (1..20).map(|edge| f64::from(edge) * 0.3 - 3.0).collect();
        let grid = |signal: &str| {
            let edges = Edges::try_from(edges.clone()).expect("ascending");
            Grid::new(MODEL, signal, Instant::EPOCH, Bins::Numbers(edges))
        };
        let grids = vec![grid(AMOUNT), grid(SCORE)];
        let stored = |grid: &Grid| StoredGrid {
            grid: grid.clone(),
            made_from: "test".to_owned(),
            made_of: 5_000,
            announced_at: Instant::EPOCH,
            recounted_at: Some(Instant::EPOCH),
        };
        store.write_grids(&grids.iter().map(stored).collect::<Vec<_>>()).await.expect("grids are stored");
        let mut random = StdRng::seed_from_u64(11);
        let normal = |_| (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0;
        let pool = (0..20_000).map(normal).collect();
        Self { store, context, clock, grids, random, pool }
    }

    /// Writes the hours from `from` to `to` of the usual version, whose values have the mean `mean`.
    pub async fn write(&mut self, from: i64, to: i64, mean: impl Fn(i64) -> f64) {
        self.write_of(from, to, "1", DEFAULT_ENVIRONMENT, mean).await;
    }

    pub async fn write_of(
        &mut self,
        from: i64,
        to: i64,
        version: &str,
        environment: &str,
        mean: impl Fn(i64) -> f64,
    ) {
        let (mut counts, mut traffic) = (String::new(), String::new());
        for hour in from..to {
            let second = at(hour).seconds();
            for grid in self.grids.clone() {
                for (bin, n) in self.drawn(&grid, mean(hour)).iter() {
                    let (id, signal, bin) = (grid.id.0, &grid.signal, bin.0);
                    let _ = write!(
                        counts,
                        "('{MODEL}','{version}','{environment}',{id},'','{signal}',{second},{bin},{n}),"
                    );
                }
            }
            let (first, last) = (format!("{second}.000"), format!("{}.000", second + 3_599));
            let _ = write!(
                traffic,
                "('{MODEL}','{version}','{environment}','',{second},{ROWS},0,'{first}','{last}',0,'{last}'),"
            );
        }
        let counted = "model, version, environment, grid, segment, signal, minute, bin, n";
        self.insert(&format!("signal_minutes ({counted})"), &counts).await;
        let came = "model, version, environment, segment, minute, events, errors, first_event, last_event, \
                    largest_lag_ms, last_received_at";
        self.insert(&format!("traffic_minutes ({came})"), &traffic).await;
    }

    async fn insert(&self, into: &str, rows: &str) {
        tests::text(&self.store, &format!("INSERT INTO {into} VALUES {}", rows.trim_end_matches(','))).await;
    }

    fn drawn(&mut self, grid: &Grid, mean: f64) -> domain::counts::Counts {
        let mut counts = domain::counts::Counts::default();
        for _ in 0..ROWS {
            let value = self.pool[self.random.random_range(0..self.pool.len())];
            counts.add(grid.bin_of_number(value + mean), 1);
        }
        counts.add(Bin::MISSING, 2);
        counts
    }

    /// What a program needs to find this store and look at the model by the hour, and `more`.
    pub fn configuration(&self, more: &str) -> String {
        self.connection() + &format!("[[models.{MODEL}.watches]]\nname = \"live\"\nstep_s = 3600\n{more}")
    }

    /// A configuration that only says where the store is.
    pub fn connection(&self) -> String {
        let sql::Config { url, user, password, database, .. } = self.store.config();
        format!(
            "[clickhouse]\nurl = \"{url}\"\nuser = \"{user}\"\npassword = \"{password}\"\ndatabase = \"{database}\"\n"
        )
    }

    pub fn analyzer(&self) -> Analyzer {
        self.analyzer_of(Config::default())
    }

    pub fn analyzer_of(&self, config: Config) -> Analyzer {
        Analyzer::new(config, self.context.clone(), self.store.clone())
    }

    /// Moves the clock to `hour` and a little beyond, and lets the analyzer do what there is to do.
    pub async fn pass(&self, analyzer: &mut Analyzer, hour: i64) {
        self.turn_to(hour);
        while analyzer.pass().await.expect("a pass").is_more {}
    }

    pub fn turn_to(&self, hour: i64) {
        self.clock.set(at(hour).saturating_add(Duration::from_secs(15)));
    }

    /// Columns of the evaluations of drift of a signal, one line a window, from the one that ends at `from` on.
    pub async fn said(&self, columns: &str, signal: &str, from: i64) -> Vec<String> {
        let statement = format!(
            "SELECT {columns} FROM evaluations FINAL WHERE model = '{MODEL}' AND environment = '{DEFAULT_ENVIRONMENT}' \
             AND monitor = 'drift' AND signal = '{signal}' AND segment = '' \
             AND window_end >= fromUnixTimestamp64Milli({}) ORDER BY window_end",
            at(from).millis()
        );
        tests::text(&self.store, &statement).await.lines().map(str::to_owned).collect()
    }
}
