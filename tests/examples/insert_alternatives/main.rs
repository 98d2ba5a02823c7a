//! What an insert of counted events costs the engine, and what other ways would: CPU of the engine's process for each event
//! while it inserts, and while it merges what was inserted into one part; and events per second.
//!
//! ```text
//! cargo build --release -p tests --bin leeway-under-test --example insert_alternatives --no-default-features --features collector
//! target/release/examples/insert_alternatives [shape|ids|settings|streams|formats|kept] [turns] [batches] [features]
//! ```

mod batches;
mod measure;
mod ways;

use anyhow::Context;
use tests::OwnEngine;

use self::batches::{Counted, ROWS};
use self::measure::{Engine, Figures};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let group = arguments.next().unwrap_or_else(|| "shape".to_owned());
    let turns: usize = arguments.next().map_or(Ok(3), |text| text.parse())?;
    let batches: usize = arguments.next().map_or(Ok(6), |text| text.parse())?;
    let features: usize = arguments.next().map_or(Ok(50), |text| text.parse())?;
    service::http::install_tls();
    let own = OwnEngine::start().await;
    let store = own.fresh_store().await;
    let engine = Engine { pid: own.engine.pid().context("the engine runs")?, store: &store };
    let counted = Counted::of(features)?;
    let ways = ways::of(&group, &store, &counted).await?;
    println!(
        "{ROWS} events of {features} features a batch, {} rows of counts; {batches} batches, least of {turns} turns\n",
        counted.counts().num_rows()
    );
    let mut best = vec![Figures::default(); ways.len()];
    // The engine is slower at first; and each turn begins with another way, so that none is the first always.
    engine.measure(&ways[0], 1).await?;
    for turn in 0..turns {
        for place in (0..ways.len()).map(|place| (place + turn) % ways.len()) {
            let figures = engine.measure(&ways[place], batches).await?;
            best[place] = best[place].better(&figures);
        }
    }
    println!(
        "| way | µs of CPU an event | to merge | events/s | bytes an event |\n|---|---:|---:|---:|---:|"
    );
    for (way, Figures { insert_us, merge_us, rate }) in ways.iter().zip(best) {
        let bytes = way.bytes() / ROWS;
        println!("| {} | {insert_us:.2} | {merge_us:.2} | {rate:.0} | {bytes} |", way.name);
    }
    Ok(())
}
