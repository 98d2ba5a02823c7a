//! Runs the collector: opens its doors, stores what comes, makes grids; on the way out stores what it holds.

use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use service::Context;
use sql::Store;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::contracts;
use crate::duplicates::Duplicates;
use crate::guard::GuardBook;
use crate::intake::{Intake, Patience};
use crate::known::Grids;
use crate::maker::Maker;
use crate::payloads;
use crate::queue::Queue;
use crate::sources::http::{Http, Queues};
use crate::sources::kafka::Kafka;
use crate::sources::kafka::gateway::Gateway;
use crate::spool::{Entry, Spool};

/// How long a store that is away is still asked when the process is to stop; then batches stay in the spool. Leaves
/// time for an orderly end within [`service::stop::DEADLINE`].
const LAST_PATIENCE: Duration = Duration::from_secs(10);

/// The name of the readiness check.
const CHECK: &str = "collector";

/// Runs until the context's stopper is cancelled and everything accepted is stored or lies in the spool.
///
/// # Errors
/// Where the configuration, the spool or the address cannot be used.
pub async fn run(config: Config, context: Context, store: Store, operations: Router) -> anyhow::Result<()> {
    config.check().context("the section [collector] is not in order")?;
    let listener = service::http::listen(&config.listen).await?;
    let (spool, left) = Spool::open(&config.spool_dir)?;
    let grids = Grids::new(store.clone(), &context, config.grids.freshness());
    let patience = Patience::UntilStopped(context.stopper.clone(), LAST_PATIENCE);
    let guards = GuardBook::new(context.contracts.clone(), config.privacy.settings()?);
    let intake = Intake::new(store.clone(), grids.clone(), &context)
        .with_guards(guards)
        .with_duplicates(Duplicates::new(config.duplicates.clone()))
        .with_spool(spool, patience)
        .with_grids(&config.grids);
    let repeatable = Patience::UntilStopped(context.stopper.clone(), LAST_PATIENCE);
    let repeating = intake.clone().without_spool(repeatable);
    let kafka = Kafka::join(&config.kafka, &config.limits, store.clone(), repeating, &context)?;
    let is_told = learn(&store, &intake, &left, &context).await;
    let (finished, after_finish) = oneshot::channel();
    let finishing = tokio::spawn(finish(intake.clone(), left, finished));
    let closing = CancellationToken::new();
    let (queues, mut stored) = queues(&config, &intake, &closing);
    let kept_days = store.config().retention.events_days;
    let (payloads, worker) = payloads::worker::open(&config, kept_days, &intake, &context, &closing)?;
    stored.push(tokio::spawn(worker.run(after_finish, is_told.clone())));
    let gateway = Gateway::open(&config.gateway, &config.kafka, &config.limits, &context.health)?;
    let http = Http::new(&config, &context, queues, intake.clone(), payloads, is_told.clone())?
        .with_gateway(gateway);
    let maker = Maker::new(store, grids, &config.grids, &context, &intake);
    let making = tokio::spawn(maker.run(context.stopper.clone()));
    let consuming = kafka.map(|kafka| tokio::spawn(consume(kafka, is_told.clone(), context.stopper.clone())));
    tracing::info!(address = %listener.local_addr()?, "the collector listens");
    context.health.ready(CHECK);
    let router = http.router().merge(operations);
    service::http::serve_within(config.limits.bounds(), listener, router, context.stopper.clone()).await?;
    context.health.not_ready(CHECK, "is stopping");
    // Each queue stores what it holds and ends, whatever connections are still open.
    closing.cancel();
    for queue in stored {
        queue.await.context("a queue ended badly")?;
    }
    if let Some(consuming) = consuming {
        consuming.await.context("the consumer of Kafka ended badly")?;
    }
    finishing.abort();
    making.await.context("the maker of grids ended badly")?;
    tracing::info!("the collector has stored everything it accepted");
    Ok(())
}

fn queues(config: &Config, intake: &Intake, closing: &CancellationToken) -> (Queues, Vec<JoinHandle<()>>) {
    let batch = config.batch.clone();
    let into = intake.clone();
    let (predictions, first) = Queue::start(batch.clone(), closing.clone(), move |events, token| {
        let into = into.clone();
        async move { into.insert_new(events, &token).await }
    });
    let into = intake.clone();
    let (outcomes, second) = Queue::start(batch.clone(), closing.clone(), move |events, token| {
        let into = into.clone();
        async move { into.insert_outcomes(events, &token).await }
    });
    let into = intake.clone();
    let (rejections, third) = Queue::start(batch, closing.clone(), move |events, token| {
        let into = into.clone();
        async move { into.insert_rejections(events, &token).await }
    });
    (Queues { predictions, outcomes, rejections }, vec![first, second, third])
}

/// Learns what contracts say, and goes on learning, and what came before. What is given says whether both are known: a
/// store that is away is waited for behind open doors, which then take nothing that would have to be understood.
async fn learn(store: &Store, intake: &Intake, left: &[Entry], context: &Context) -> watch::Receiver<bool> {
    if let Err(error) = intake.remember_left(left) {
        let error = anyhow::Error::from(error);
        tracing::warn!(
            error = format!("{error:#}"),
            "repetitions of what lies in the spool are taken for new"
        );
    }
    let (told, contracts_told) = watch::channel(false);
    let (contracts, stopper) = (context.contracts.clone(), context.stopper.clone());
    tokio::spawn(contracts::follow(store.clone(), contracts, told, stopper));
    let (all_told, mut is_told) = watch::channel(false);
    tokio::spawn(remember(intake.clone(), contracts_told, all_told));
    // Nobody has to wait behind open doors where the store is there.
    let _ = tokio::time::timeout(FIRST_READING, is_told.wait_for(|told| *told)).await;
    is_told
}

/// How long the first reading may hold up a start.
const FIRST_READING: Duration = Duration::from_secs(5);

/// Remembers what earlier processes stored, and then says so as soon as contracts are known.
async fn remember(intake: Intake, mut contracts_told: watch::Receiver<bool>, told: watch::Sender<bool>) {
    if let Err(error) = intake.remember_stored().await {
        let error = anyhow::Error::from(error);
        tracing::warn!(
            error = format!("{error:#}"),
            "repetitions of what came before this start are taken for new"
        );
    }
    if contracts_told.wait_for(|told| *told).await.is_ok() {
        told.send_replace(true);
    }
}

/// Consumes once all that has to be known is.
async fn consume(kafka: Kafka, mut is_told: watch::Receiver<bool>, stopper: CancellationToken) {
    let told = async { is_told.wait_for(|told| *told).await.is_ok() };
    if stopper.run_until_cancelled(told).await == Some(true) {
        kafka.run(stopper.clone()).await;
    }
}

/// Finishes batches that an earlier process left behind, and says when.
async fn finish(intake: Intake, left: Vec<Entry>, finished: oneshot::Sender<()>) {
    finish_all(intake, left).await;
    // Nobody waits where the process is to end.
    let _ = finished.send(());
}

async fn finish_all(intake: Intake, left: Vec<Entry>) {
    if left.is_empty() {
        return;
    }
    let batches = left.len();
    match intake.finish(left).await {
        Ok(()) => tracing::info!(batches, "finished batches of an earlier run"),
        Err(error) => {
            let error = anyhow::Error::from(error);
            tracing::error!(error = format!("{error:#}"), "batches of an earlier run stay in the spool");
        }
    }
}
