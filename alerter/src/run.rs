//! Starts the alerter and keeps it going until asked to stop.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Context as _;
use domain::delivery::Attempt;
use domain::incident::IncidentEvent;
use domain::time::{DAY, Instant};
use service::Context;
use service::backoff::Backoff;
use sql::Store;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::channels;
use crate::config::Config;
use crate::duty::{CHECK, Duty, Wishes};
use crate::heartbeat::Heartbeat;
use crate::incidents::{Incidents, Rules};
use crate::metrics::Metrics;
use crate::notify::{Planner, Policy};
use crate::outbox::Outbox;
use crate::retraining;

/// Runs until the context's stopper fires and the messages that were under way are recorded.
///
/// # Errors
/// Where the configuration names secrets that cannot be read, or the store holds what this build cannot read.
pub async fn run(
    config: Config,
    context: Context,
    store: Store,
    operations: axum::Router,
) -> anyhow::Result<()> {
    context.health.not_ready(CHECK, "reading its incidents");
    let mut tasks = JoinSet::new();
    serve(&config, &context, operations, &mut tasks).await?;
    let metrics = Metrics::new(&context.meter);
    let outbox = Outbox::open(&config, &context, &store, &metrics, &mut tasks)?;
    let mut duty = on_duty(&config, &context, &store, metrics, outbox);
    if let Some((events, attempts)) = read(&config, &context, &store).await? {
        duty.resume(events, attempts).await;
        work(&config, &context, &mut duty).await?;
    }
    drop(duty);
    while tasks.join_next().await.is_some() {}
    Ok(())
}

async fn serve(
    config: &Config,
    context: &Context,
    operations: axum::Router,
    tasks: &mut JoinSet<()>,
) -> anyhow::Result<()> {
    if config.listen.is_empty() {
        return Ok(());
    }
    let listener = service::http::listen(&config.listen).await.context("alerter.listen")?;
    let stopper = context.stopper.clone();
    tasks.spawn(async move {
        if let Err(error) = service::http::serve(listener, operations, stopper).await {
            tracing::error!(%error, "health and metrics of the alerter are no longer served");
        }
    });
    Ok(())
}

async fn work(config: &Config, context: &Context, duty: &mut Duty) -> anyhow::Result<()> {
    let mut tick = tokio::time::interval(config.poll);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while context.stopper.run_until_cancelled(tick.tick()).await.is_some() {
        match duty.turn().await {
            Ok(()) => context.health.ready(CHECK),
            Err(error) if error.is_transient() => {
                tracing::warn!(%error, "the alerter waits for the store");
                context.health.not_ready(CHECK, error.to_string());
            }
            Err(error) => return Err(error).context("the alerter cannot read the store"),
        }
    }
    Ok(())
}

/// What an earlier process left: the events of all incidents and how the recent deliveries stand. Waits for a store that
/// is away; `None` if asked to stop meanwhile.
async fn read(
    config: &Config,
    context: &Context,
    store: &Store,
) -> anyhow::Result<Option<(Vec<IncidentEvent>, Vec<Attempt>)>> {
    let back = Duration::from_secs(config.retries.give_up_after_s) + DAY;
    let backoff = Backoff::default();
    for tries in 0.. {
        let both = async {
            let events = store.incident_events(None).await?;
            let attempts = store.latest_attempts(context.clock.now().saturating_sub(back)).await?;
            Ok::<_, sql::Error>((events, attempts))
        };
        match context.stopper.run_until_cancelled(both).await {
            None => break,
            Some(Ok(found)) => return Ok(Some(found)),
            Some(Err(error)) if error.is_transient() => {
                tracing::warn!(%error, "the alerter waits for the store");
            }
            Some(Err(error)) => return Err(error).context("the incidents cannot be read"),
        }
        let pause = tokio::time::sleep(backoff.random_wait(tries));
        if context.stopper.run_until_cancelled(pause).await.is_none() {
            break;
        }
    }
    Ok(None)
}

fn on_duty(config: &Config, context: &Context, store: &Store, metrics: Metrics, outbox: Outbox) -> Duty {
    let history = history_watches(context);
    let rules = Rules {
        correlation: config.correlation,
        notify_within: config.notify_within,
        history: history.clone(),
        ends: last_windows(context),
    };
    let hears = config.channels.iter().map(|(name, channel)| (name.clone(), channel.hearing())).collect();
    let policy = Policy {
        routes: config.routes.clone(),
        hears,
        notify_within: config.notify_within,
        history,
        base_url: config.base_url.clone(),
        contracts: context.contracts.clone(),
    };
    let now = context.clock.now();
    Duty {
        context: context.clone(),
        store: store.clone(),
        metrics,
        incidents: Incidents::new(rules),
        planner: Planner::new(policy),
        outbox,
        source: None,
        heartbeat: Heartbeat::listening_from(now, config.stalled_after),
        retrainings: retrainings(config),
        notify_within: config.notify_within,
        give_up_after: Duration::from_secs(config.retries.give_up_after_s),
        wishes: Wishes::from(now),
    }
}

fn history_watches(context: &Context) -> BTreeSet<(String, String)> {
    let contracts = context.contracts.current();
    let watches = contracts.iter().flat_map(|(model, contract)| {
        let history = contract.watches().into_iter().filter(|watch| watch.history);
        history.map(move |watch| (model.clone(), watch.name))
    });
    watches.collect()
}

/// When the last window ends of watches that end.
fn last_windows(context: &Context) -> BTreeMap<(String, String), Instant> {
    let contracts = context.contracts.current();
    let watches = contracts.iter().flat_map(|(model, contract)| {
        contract.watches().into_iter().filter_map(move |watch| {
            let last = watch.until?.0.floor(watch.schedule().step);
            Some(((model.clone(), watch.name), last))
        })
    });
    watches.collect()
}

fn retrainings(config: &Config) -> BTreeMap<String, retraining::Policy> {
    let policies = config.channels.iter().filter_map(|(name, channel)| match channel {
        channels::Config::Retraining(channel) => {
            let cooldown = Duration::from_secs(channel.cooldown_s);
            Some((name.clone(), retraining::Policy { causes: channel.causes.clone(), cooldown }))
        }
        _ => None,
    });
    policies.collect()
}
