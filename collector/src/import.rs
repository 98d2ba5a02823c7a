//! `leeway import`: recorded predictions and outcomes from Parquet, CSV or NDJSON files, stored and counted like live
//! ones.
//!
//! Reading order: [`mapping`] says what the columns mean, [`args`] is the command line, [`plan`] is what both come to.
//! [`source`] reads [`row`]s of [`cell`]s; [`bind`] makes events of them, [`events`] does so for every format. [`survey`] is
//! the first pass, from whose [`sample`]s the [`grids`] are made; [`load`](mod@load) is the second, and [`report`] says
//! what came of it. [`directory`] does all of that for many files.

pub mod args;
pub mod bind;
pub mod cell;
mod csv_rows;
pub mod directory;
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

pub use args::{Args, Plans};
pub use directory::load_all;
pub use load::load;
pub use mapping::Mapping;
pub use plan::Plan;
pub use progress::{Observer, Progress, Stage};
pub use report::Report;
pub use source::{Format, Source};

use self::directory::{Follower, Place};
use self::progress::Drawn;
use crate::config::Config;

/// Imports what the command line says, draws how far it is, and prints what came of it. A signal stops it between two
/// batches.
///
/// # Errors
/// Names the file, the column and what to change.
pub async fn run(args: Args, config: &Config, context: &Context, store: &Store) -> anyhow::Result<()> {
    let Plans { model, is_directory, plans, left_out } = args.plans(context.clock.now())?;
    service::stop::on_signals(context.stopper.clone())?;
    let mut told = Told { drawn: Arc::default(), is_directory };
    let outcome = load_all(plans, config, context, store, &mut told).await;
    told.drawn.end();
    let totals = outcome?;
    if is_directory {
        println!("{totals}");
    }
    if let Some(first) = left_out.first() {
        println!(
            "Left out, for their names do not say what they are: {} files, such as {first}",
            left_out.len()
        );
    }
    if store.baselines(Some(&model)).await?.is_empty() {
        println!(
            "There is nothing yet to compare {model} with: `leeway baseline create --model {model} --window A..B`"
        );
    }
    Ok(())
}

/// Who runs the command.
struct Told {
    drawn: Arc<Drawn>,
    is_directory: bool,
}

impl Follower for Told {
    fn begins(&mut self, place: Place<'_>) -> Observer {
        if self.is_directory {
            self.drawn.begin(&place.to_string());
        }
        let drawn = self.drawn.clone();
        Observer::new(move |progress| drawn.show(progress))
    }

    fn ended(&mut self, report: &Report) {
        self.drawn.end();
        println!("{}", report.to_string().trim_end());
    }
}
