//! The demonstration's year: loaded like any file, and the two baselines that it is compared with.

use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;
use collector::baseline::{Request, of_stored};
use collector::import::progress::Drawn;
use collector::import::{Format, Mapping, Observer, Plan, Source, load};
use domain::contract::DEFAULT_ENVIRONMENT;
use domain::time::Interval;
use service::Context;
use sql::Store;

use super::state::State;
use super::{MODEL, flights, say, settings};
use crate::config::Config;

const MAPPING: &str = include_str!("../../data/flights-mapping.toml");

/// Loads the year where it is not there yet, and makes its baselines.
///
/// # Errors
/// Where the store is away; the next start goes on where this one stopped.
pub async fn load_year(
    config: &Config,
    context: &Context,
    store: &Store,
    state: &State,
) -> anyhow::Result<()> {
    let source =
        Source::bytes("nyc_flights_scored.parquet", Format::Parquet, Bytes::from_static(flights::FILE));
    let mapping: Mapping = toml::from_str(MAPPING).context("the demonstration's own mapping")?;
    let plan = Plan { end_at: Some(state.end_at), ..Plan::new(source, MODEL, mapping) };
    let drawn = Arc::new(Drawn::default());
    let shown = drawn.clone();
    let observer = Observer::new(move |progress| shown.show(progress));
    let report = load(plan, &config.collector, context, store, observer).await;
    drawn.end();
    let report = report?;
    match report.already {
        Some(_) => say("The year of flights is there already"),
        None => say(&format!("{} flights are stored and counted", report.stored)),
    }
    make_baseline("january-march", settings::winter(state), context, store).await?;
    make_baseline("recent", settings::recent(state), context, store).await
}

/// Sums a baseline of what is stored, unless an earlier start did.
async fn make_baseline(name: &str, window: Interval, context: &Context, store: &Store) -> anyhow::Result<()> {
    if store.baselines(Some(MODEL)).await?.iter().any(|baseline| baseline.name == name) {
        return Ok(());
    }
    let request = Request {
        model: MODEL.to_owned(),
        environment: DEFAULT_ENVIRONMENT.to_owned(),
        name: name.to_owned(),
        window: Some(window),
        version: String::new(),
    };
    let (baseline, counts) = of_stored(&request, context, store).await?;
    store.write_baseline(&baseline, &counts).await.context("the baseline cannot be stored")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mapping_in_the_program_is_in_order() {
        let mapping: Mapping = toml::from_str(MAPPING).expect("a mapping");
        assert_eq!(mapping.predictions["score"], "score");
    }
}
