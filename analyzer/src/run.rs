//! The loop: every model, every watch, every closed window, in order, none without those before it.
//!
//! State is only what `evaluations` says. A window whose insert was not confirmed is judged again, and the later row
//! replaces the earlier one, so a stop at any point leaves neither gap nor repeat.

mod arrivals;
mod causes;
mod habits;
mod heartbeat;
mod labels;
mod late;
mod metrics;
mod objectives;
mod past;
mod performance_hours;
mod quality;
mod reading;
mod replay;
mod selection;
mod shards;
mod slips;
mod storing;
mod trend;
mod watch;

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Router;
use domain::contract::Watch;
use domain::evaluation::Evaluation;
use domain::time::{DAY, Instant};
use service::Context;
use service::backoff::Backoff;
use sql::Store;
use sql::evaluations::ModelSeen;

use crate::config::Config;
use causes::Causes;
use heartbeat::Heartbeat;

use metrics::Metrics;
use performance_hours::Hours;
use shards::Shards;
use trend::Trends;
use watch::{Identity, WatchRun};

pub use replay::{Progress, Replay, Replayed, replay};

/// The name of the readiness check.
const CHECK: &str = "analyzer";
/// How often it is asked which models there are.
const MODELS_EVERY: Duration = Duration::from_secs(10);

/// What one pass did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pass {
    /// Windows judged, those judged again included.
    pub windows: usize,
    /// Whether closed windows are left: the next pass should come at once.
    pub is_more: bool,
    /// When the next window closes.
    pub next_close: Option<Instant>,
}

/// What every watch works with.
pub(crate) struct Work {
    config: Config,
    context: Context,
    store: Store,
    metrics: Metrics,
    shards: Shards,
    last_stamp: Instant,
    /// Takes the verdicts instead of the store, where history is replayed.
    sink: Option<Sink>,
}

/// Takes the verdicts on one window.
pub(crate) type Sink = Box<dyn FnMut(&[Evaluation]) + Send + Sync>;

impl Work {
    fn new(config: Config, context: Context, store: Store) -> Self {
        let metrics = Metrics::new(&context.meter);
        let shards = Shards::new(&config);
        Self { config, context, store, metrics, shards, last_stamp: Instant::EPOCH, sink: None }
    }

    /// Stores the verdicts on one window, or gives them to whoever replays history.
    async fn write(&mut self, evaluations: &[Evaluation], token: &str) -> anyhow::Result<()> {
        match &mut self.sink {
            Some(sink) => sink(evaluations),
            None => self.store.write_evaluations(evaluations, token).await?,
        }
        Ok(())
    }

    fn now(&self) -> Instant {
        self.context.clock.now()
    }

    /// When an evaluation is made: now, and later than every one before it, so that readers see them in order.
    fn stamp(&mut self) -> Instant {
        let next = self.last_stamp.saturating_add(Duration::from_millis(1));
        self.last_stamp = self.now().max(next);
        self.last_stamp
    }

    /// Says that this analyzer lives, where that is due; whether other models are its own now.
    async fn follow_shards(&mut self) -> anyhow::Result<bool> {
        self.shards.follow(&self.config, &self.store).await
    }

    fn is_stopping(&self) -> bool {
        self.context.stopper.is_cancelled()
    }
}

/// The analyzer, to be driven pass by pass.
pub struct Analyzer {
    work: Work,
    watches: BTreeMap<Identity, WatchRun>,
    models: Vec<ModelSeen>,
    models_at: Option<Instant>,
    heartbeat: Heartbeat,
    hours: Hours,
    causes: Causes,
    trends: Trends,
}

impl Analyzer {
    pub fn new(config: Config, context: Context, store: Store) -> Self {
        let heartbeat = Heartbeat::new(&config);
        let work = Work::new(config, context, store);
        Self {
            work,
            watches: BTreeMap::new(),
            models: Vec::new(),
            models_at: None,
            heartbeat,
            hours: Hours::default(),
            causes: Causes::default(),
            trends: Trends::default(),
        }
    }

    /// Judges what has closed, the live watches before those of history, a bounded number of windows of each.
    ///
    /// # Errors
    /// The store's; nothing is lost, the next pass goes on from what was stored.
    pub async fn pass(&mut self) -> anyhow::Result<Pass> {
        let began = std::time::Instant::now();
        if self.work.last_stamp == Instant::EPOCH {
            // Another analyzer's clock may have been ahead of ours.
            self.work.last_stamp = self.work.store.evaluations_latest().await?;
        }
        if self.work.follow_shards().await? {
            self.models_at = None;
        }
        self.look_for_models().await?;
        let baselines = self.work.store.baselines(None).await?;
        let (mut pass, mut failed) = (Pass::default(), None);
        let mut order: Vec<&mut WatchRun> = self.watches.values_mut().collect();
        order.sort_by_key(|run| run.is_history());
        for run in order {
            if self.work.is_stopping() {
                break;
            }
            // A pass over many models takes long; meanwhile others must not think that this analyzer died.
            if self.work.follow_shards().await? {
                self.models_at = None;
            }
            if !self.work.shards.living().holds(run.model()) {
                continue;
            }
            let advance = match run.advance(&mut self.work, &baselines).await {
                Ok(advance) => advance,
                Err(error) if is_transient(&error) => return Err(error),
                Err(error) => {
                    // What is wrong with one model does not keep the others from being watched.
                    tracing::error!(watch = %run.name(), error = format!("{error:#}"), "a watch cannot go on");
                    failed = Some(error.context(format!("{} cannot go on", run.name())));
                    continue;
                }
            };
            pass.windows += advance.windows;
            pass.is_more |= advance.is_more;
            let closes = run.next_close(self.work.now());
            pass.next_close = [pass.next_close, closes].into_iter().flatten().min();
        }
        self.follow_hours().await?;
        self.causes.follow(&mut self.work, &baselines).await?;
        self.follow_trends().await?;
        let behind = self.watches.values().filter_map(|run| run.behind(self.work.now())).max();
        self.work.metrics.behind(behind.unwrap_or_default());
        let now = self.work.now();
        self.work.metrics.left(self.watches.values().map(|run| run.windows_left(now)).sum());
        self.heartbeat.beat(&mut self.work, behind.unwrap_or_default(), self.watches.len()).await?;
        self.work.metrics.pass(began.elapsed(), pass.windows);
        failed.map_or(Ok(pass), Err)
    }

    /// Performance by the hour, once for each model, whatever number of watches it has.
    async fn follow_hours(&mut self) -> anyhow::Result<()> {
        for seen in &self.models {
            let known = self.watches.values().filter(|run| run.is_of(seen)).find_map(WatchRun::known_task);
            if let Some(known) = known {
                self.hours.follow(&mut self.work, seen, known).await?;
            }
        }
        Ok(())
    }

    /// What moves slowly, once a day for each model, with the baseline of its first live watch that has one.
    async fn follow_trends(&mut self) -> anyhow::Result<()> {
        for seen in &self.models {
            let looking = |run: &&WatchRun| run.is_of(seen) && trend::is_looked_at(run);
            if let Some(run) = self.watches.values().find(looking) {
                self.trends.follow(&mut self.work, seen, run).await?;
            }
        }
        Ok(())
    }

    async fn look_for_models(&mut self) -> anyhow::Result<()> {
        let now = self.work.now();
        if self.models_at.is_some_and(|at| now.since(at) < MODELS_EVERY && at <= now) {
            return Ok(());
        }
        self.models = self.work.store.models_seen().await?;
        let living = self.work.shards.living();
        self.models.retain(|seen| living.holds(&seen.model));
        // What another analyzer goes on with begins anew where it comes back: by what is stored then.
        self.watches.retain(|_, run| living.holds(run.model()));
        self.models_at = Some(now);
        for seen in &self.models {
            let contract = self.work.context.contract(&seen.model);
            for watch in contract.watches() {
                let identity = Identity::of(seen, &watch);
                if is_over(&self.work.config, seen, &watch, now) {
                    self.watches.remove(&identity);
                    continue;
                }
                let contract = contract.clone();
                let run = self
                    .watches
                    .entry(identity)
                    .or_insert_with(|| WatchRun::new(&self.work.config, seen, contract, watch));
                run.saw_events(seen);
            }
        }
        Ok(())
    }

    /// How long to wait until there may be something to do.
    fn pause(&self, pass: Pass) -> Duration {
        if pass.is_more {
            return Duration::ZERO;
        }
        let tick = self.work.config.tick();
        pass.next_close
            .map_or(tick, |close| close.since(self.work.now()).clamp(Duration::from_millis(100), tick))
    }
}

/// Whether the store was only away or busy.
fn is_transient(error: &anyhow::Error) -> bool {
    error.downcast_ref::<sql::Error>().is_some_and(sql::Error::is_transient)
}

/// A model that fell silent longer ago than its habits are remembered is no longer looked at, except in its history.
fn is_over(config: &Config, seen: &ModelSeen, watch: &Watch, now: Instant) -> bool {
    let remembered = DAY.saturating_mul(config.traffic_days).max(Duration::from_secs(watch.window_s));
    !watch.history && now.since(seen.last_event) > remembered
}

/// Runs the analyzer until the context's stopper is cancelled.
///
/// # Errors
/// Where the address cannot be listened on. What goes wrong with the store is logged, shown by the readiness check and
/// tried again.
pub async fn run(config: Config, context: Context, store: Store, operations: Router) -> anyhow::Result<()> {
    config.check()?;
    context.health.not_ready(CHECK, "no pass has ended yet");
    let server = match config.listen.as_str() {
        "" => None,
        address => {
            let listener = service::http::listen(address).await?;
            tracing::info!(address = %listener.local_addr()?, "health and metrics of the analyzer are served");
            Some(tokio::spawn(service::http::serve(listener, operations, context.stopper.clone())))
        }
    };
    watch_models(Analyzer::new(config, context.clone(), store), &context).await;
    match server {
        Some(server) => server.await?,
        None => Ok(()),
    }
}

async fn watch_models(mut analyzer: Analyzer, context: &Context) {
    let mut failures = 0;
    loop {
        let pause = match analyzer.pass().await {
            Ok(pass) => {
                failures = 0;
                context.health.ready(CHECK);
                analyzer.pause(pass)
            }
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "a pass failed and is tried again");
                context.health.not_ready(CHECK, format!("{error:#}"));
                failures += 1;
                Backoff::default().random_wait(failures)
            }
        };
        if context.stopper.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return;
        }
    }
}
