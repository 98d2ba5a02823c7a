//! Follows the contracts that are stated by the API, so that a change holds within seconds and without a restart.
//!
//! Invariant: a collector takes no event before it has read the contracts once: what they redact is redacted from the
//! first event on.

use std::time::Duration;

use service::context::Contracts;
use sql::Store;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How often it is asked whether there is anything new.
const EVERY: Duration = Duration::from_secs(1);

/// Takes up what the store says now.
pub async fn take_up(store: &Store, contracts: &Contracts) -> Result<bool, sql::Error> {
    let stored = store.contracts(None).await?;
    Ok(contracts.take_up(stored.into_iter().map(|stored| (stored.model, stored.contract)).collect()))
}

/// Takes up every change until stopped.
///
/// Says through `told` when they have been read.
pub async fn follow(
    store: Store,
    contracts: Contracts,
    told: watch::Sender<bool>,
    stopper: CancellationToken,
) {
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut known = None;
    while stopper.run_until_cancelled(tick.tick()).await.is_some() {
        let look = async {
            let version = store.contracts_version().await?;
            if known != Some(version) && take_up(&store, &contracts).await? {
                tracing::info!("contracts changed");
            }
            Ok::<_, sql::Error>(version)
        };
        match stopper.run_until_cancelled(look).await {
            Some(Ok(version)) => {
                known = Some(version);
                told.send_replace(true);
            }
            Some(Err(error)) => tracing::debug!(%error, "contracts cannot be read now; tried again soon"),
            None => break,
        }
    }
}
