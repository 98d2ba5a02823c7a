//! `leeway import`: recorded predictions and outcomes from a Parquet, CSV or NDJSON file, stored and counted like live
//! ones.
//!
//! Reading order: [`mapping`] says what the columns mean, [`args`] is the command line, [`plan`] is what both come to.
//! [`source`] reads [`row`]s of [`cell`]s; [`bind`] makes events of them, [`events`] does so for every format. [`survey`] is
//! the first pass, from whose [`sample`]s the [`grids`] are made; [`load`](mod@load) is the second, and [`report`] says
//! what came of it.

pub mod args;
pub mod bind;
pub mod cell;
mod csv_rows;
pub mod events;
pub mod grids;
mod lines;
pub mod load;
pub mod mapping;
mod native;
mod ndjson_rows;
mod parquet_rows;
pub mod plan;
pub mod progress;
pub mod report;
pub mod row;
pub mod sample;
pub mod source;
pub mod survey;

use std::sync::Arc;

use service::Context;
use sql::Store;

pub use args::Args;
pub use load::load;
pub use mapping::Mapping;
pub use plan::Plan;
pub use progress::{Observer, Progress, Stage};
pub use report::Report;
pub use source::{Format, Source};

use crate::config::Config;

/// Imports what the command line says, draws how far it is, and prints what came of it. A signal stops it between two
/// batches.
///
/// # Errors
/// Names the file, the column and what to change.
pub async fn run(args: Args, config: &Config, context: &Context, store: &Store) -> anyhow::Result<()> {
    let plan = args.plan(context.clock.now())?;
    let model = plan.model.clone();
    service::stop::on_signals(context.stopper.clone())?;
    let drawn = Arc::new(progress::Drawn::default());
    let observer = Observer::new({
        let drawn = drawn.clone();
        move |progress| drawn.show(progress)
    });
    let outcome = load(plan, config, context, store, observer).await;
    drawn.end();
    println!("{}", outcome?.to_string().trim_end());
    if store.baselines(Some(&model)).await?.is_empty() {
        println!(
            "There is nothing yet to compare {model} with: `leeway baseline create --model {model} --window A..B`"
        );
    }
    Ok(())
}
