//! Opens the store and runs roles in this process until it is asked to stop.

use std::time::Duration;

use anyhow::Context as _;
use domain::time::Clock;
use engine::{Engine, EngineConfig};
use service::telemetry::Telemetry;
use service::{Context, Health};
use sql::Store;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::Config;

/// How long a role waits for a store that is still coming up, or for somebody to migrate it.
const PATIENCE: Duration = Duration::from_secs(60);

/// The roles of a system; each can run in a process of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Collector,
    Analyzer,
    Alerter,
    Dashboards,
}

impl Role {
    pub const ALL: [Self; 4] = [Self::Collector, Self::Analyzer, Self::Alerter, Self::Dashboards];

    pub fn name(self) -> &'static str {
        match self {
            Self::Collector => "collector",
            Self::Analyzer => "analyzer",
            Self::Alerter => "alerter",
            Self::Dashboards => "dashboards",
        }
    }
}

/// A store, and the engine behind it where this process started one.
pub struct Opened {
    pub store: Store,
    engine: Option<Engine>,
}

impl Opened {
    /// Whether this process started the engine, so that nobody else keeps its schema up to date.
    pub fn is_own_engine(&self) -> bool {
        self.engine.is_some()
    }

    /// Stops the engine if this process started it; everything it answered for is on disk.
    pub async fn close(self) -> anyhow::Result<()> {
        match self.engine {
            Some(engine) => Ok(engine.stop().await?),
            None => Ok(()),
        }
    }
}

/// Opens the store that the configuration names: the server at `clickhouse.url`; or the embedded engine that already
/// serves the data directory; or one started for this process.
pub async fn open(config: &Config) -> anyhow::Result<Opened> {
    if !config.clickhouse.is_embedded() {
        return Ok(Opened { store: Store::connect(&config.clickhouse)?, engine: None });
    }
    if let Some(running) = engine::running(&config.data_dir) {
        let store = connect_embedded(config, running.url, running.user, running.password)?;
        return Ok(Opened { store, engine: None });
    }
    start_engine(config).await
}

/// Opens the store for a whole system and brings its schema up to date.
pub async fn open_and_migrate(config: &Config) -> anyhow::Result<Opened> {
    let opened =
        if config.clickhouse.is_embedded() { start_engine(config).await? } else { open(config).await? };
    sql::migrate::migrate(&opened.store).await?;
    Ok(opened)
}

/// The store for a single role: one that somebody else runs.
pub fn attach(config: &Config) -> anyhow::Result<Opened> {
    if !config.clickhouse.is_embedded() {
        return Ok(Opened { store: Store::connect(&config.clickhouse)?, engine: None });
    }
    let running = engine::running(&config.data_dir).with_context(|| {
        format!(
            "a role that runs alone needs a store: set clickhouse.url, or start `leeway up` on the data directory \"{}\"",
            config.data_dir.display()
        )
    })?;
    let store = connect_embedded(config, running.url, running.user, running.password)?;
    Ok(Opened { store, engine: None })
}

/// Starts the embedded engine for this process.
///
/// # Errors
/// Says who holds the data directory where another process does.
pub async fn start_engine(config: &Config) -> anyhow::Result<Opened> {
    let engine =
        Engine::start(EngineConfig { data_dir: config.data_dir.clone(), ..config.engine.clone() }).await?;
    let (url, user, password) = (engine.url(), engine.user(), engine.password());
    let store = connect_embedded(config, url.to_owned(), user.to_owned(), password.to_owned())?;
    Ok(Opened { store, engine: Some(engine) })
}

fn connect_embedded(config: &Config, url: String, user: String, password: String) -> anyhow::Result<Store> {
    let embedded =
        sql::Config { url, user, password, password_file: None, embedded: true, ..config.clickhouse.clone() };
    Ok(Store::connect(&embedded)?)
}

/// What roles are given. Stops with the process's signals.
pub fn context(config: &Config, telemetry: &Telemetry, stopper: CancellationToken) -> Context {
    Context {
        stopper,
        clock: Clock::System,
        meter: telemetry.meter(),
        health: Health::default(),
        contracts: config.models.clone().into(),
    }
}

/// Runs `roles` until the context's stopper is cancelled or one of them fails; then all of them stop.
///
/// # Errors
/// The first failure, naming the role.
pub async fn run_roles(
    roles: &[Role],
    config: &Config,
    context: &Context,
    store: &Store,
    telemetry: &Telemetry,
) -> anyhow::Result<()> {
    sql::migrate::wait_for_schema(store, PATIENCE).await?;
    if !roles.contains(&Role::Collector) {
        // A collector follows them by itself, and all roles of a process share them.
        collector::contracts::take_up(store, &context.contracts).await?;
        let (told, _) = tokio::sync::watch::channel(true);
        let (contracts, stopper) = (context.contracts.clone(), context.stopper.clone());
        tokio::spawn(collector::contracts::follow(store.clone(), contracts, told, stopper));
    }
    let mut running = JoinSet::new();
    for role in roles.iter().copied() {
        let (config, context, store) = (config.clone(), context.clone(), store.clone());
        let operations = service::http::operations(context.health.clone(), telemetry.registry());
        running.spawn(async move {
            run_role(role, config, context, store, operations)
                .await
                .with_context(|| format!("the {} ended", role.name()))
        });
    }
    let mut outcome = Ok(());
    while let Some(ended) = running.join_next().await {
        let ended = ended.map_err(anyhow::Error::from).and_then(|result| result);
        // One role that ends takes the others with it: half a system looks healthy and is not.
        context.stopper.cancel();
        if let (Err(error), true) = (ended, outcome.is_ok()) {
            outcome = Err(error);
        }
    }
    outcome
}

async fn run_role(
    role: Role,
    config: Config,
    context: Context,
    store: Store,
    operations: axum::Router,
) -> anyhow::Result<()> {
    match role {
        Role::Collector => {
            let spool_dir = config.data_dir.join(&config.collector.spool_dir);
            let config = collector::Config { spool_dir, ..config.collector };
            collector::run(config, context, store, operations).await
        }
        Role::Analyzer => analyzer::run(config.analyzer, context, store, operations).await,
        Role::Alerter => alerter::run(config.alerter, context, store, operations).await,
        Role::Dashboards => dashboards::run(config.dashboards, context, store, operations).await,
    }
}
