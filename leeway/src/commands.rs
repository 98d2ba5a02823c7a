//! Commands that end by themselves.

pub mod backtest;
pub mod compare;
pub mod drift;
pub mod hash_password;
pub mod sql;
pub mod token;
pub mod why;

use domain::time::Clock;
use service::Context;

use crate::config::Config;
use crate::system::{self, Opened};

/// `leeway check`: reading the configuration was the check; this says what holds.
pub fn check(config: &Config) -> anyhow::Result<()> {
    let store = match config.clickhouse.is_embedded() {
        true => format!("embedded ClickHouse in \"{}\"", config.data_dir.display()),
        false => format!("ClickHouse at {}", config.clickhouse.url),
    };
    println!("The configuration is in order.");
    println!("  store: {store}, database \"{}\"", config.clickhouse.database);
    let models: Vec<&str> = config.models.keys().map(String::as_str).collect();
    let described =
        if models.is_empty() { "none (every model gets the defaults)".to_owned() } else { models.join(", ") };
    println!("  models with a contract: {described}");
    Ok(())
}

/// `leeway migrate`.
pub async fn migrate(config: &Config) -> anyhow::Result<()> {
    let opened = system::open(config).await?;
    let outcome = ::sql::migrate::migrate(&opened.store).await;
    opened.close().await?;
    let outcome = outcome?;
    for name in &outcome.applied {
        println!("applied {name}");
    }
    for table in &outcome.retained {
        println!("changed the retention of {table}");
    }
    println!("The schema is at version {}.", outcome.version);
    Ok(())
}

/// Opens the store with an up-to-date schema, for a command that writes.
async fn open_for_writing(config: &Config) -> anyhow::Result<(Opened, Context)> {
    let opened = system::open(config).await?;
    ::sql::migrate::migrate(&opened.store).await?;
    let context = Context::quiet(Clock::System, config.models.clone());
    // What was stated by the API holds here, too: above all what must not be kept.
    collector::contracts::take_up(&opened.store, &context.contracts).await?;
    Ok((opened, context))
}

/// `leeway import`.
pub async fn import(config: &Config, args: collector::import::Args) -> anyhow::Result<()> {
    let (opened, context) = open_for_writing(config).await?;
    let outcome = collector::import::run(args, &config.collector, &context, &opened.store).await;
    opened.close().await?;
    outcome
}

/// `leeway baseline …`.
pub async fn baseline(config: &Config, command: collector::baseline::Command) -> anyhow::Result<()> {
    let (opened, context) = open_for_writing(config).await?;
    let outcome = collector::baseline::run(command, &context, &opened.store).await;
    opened.close().await?;
    outcome
}

/// `leeway recount`.
pub async fn recount(config: &Config, args: collector::recount::Args) -> anyhow::Result<()> {
    let (opened, context) = open_for_writing(config).await?;
    let outcome = collector::recount::run(args, &context, &opened.store).await;
    opened.close().await?;
    outcome
}
