//! Counts of what came before a grid, on a ClickHouse server of somebody's own that was killed while they were written: it
//! knows their tokens and has lost some of them.

use collector::Config;
use collector::config::Grids;
use domain::time::{Clock, DAY, HOUR, Interval};
use sql::Store;
use sql::baselines::BySignal;
use sql::grids::{StoredGrid, in_force};
use sql::late_stretches::LateStretch;
use tests::{OwnEngine, client, eventually};

use crate::grids::{all_counted_back, contracts, counted, expected, quick};
use crate::running::{Running, events};

async fn run(store: &Store, statement: &str) {
    client(store).query(statement).execute().await.expect("done");
}

/// The baseline that the model got by itself.
async fn initial(store: &Store) -> BySignal {
    let baselines = store.baselines(Some("m")).await.expect("baselines");
    let Some(initial) = baselines.iter().find(|baseline| baseline.name == "initial") else {
        return BySignal::new();
    };
    store.baseline_counts(initial).await.expect("its counts")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_that_was_begun_to_be_counted_back_is_noted_until_it_is_counted_and_compared() {
    let own = OwnEngine::start().await;
    let store = own.plain_store().await;
    let config = quick();
    let grids = Grids { settle_ms: 3_000, ..config.grids.clone() };
    let collector = Running::start_with(&store, Config { grids, ..config }, contracts()).await;
    assert_eq!(collector.predictions(&events("m", 0..1_000)).await.status, 200);
    eventually("every grid is announced", async || {
        in_force(store.grids(Some("m")).await.expect("grids")).len() == 6
    })
    .await;
    run(&store, "RENAME TABLE signal_minutes TO hidden").await;
    let notes = async || store.late_stretches().await.expect("notes");
    eventually("the day that cannot be counted is noted", async || !notes().await.is_empty()).await;
    assert!(initial(&store).await.is_empty(), "nothing is summed of counts that are not there");
    run(&store, "RENAME TABLE hidden TO signal_minutes").await;
    all_counted_back(&store).await;
    eventually("the notes are settled", async || notes().await.is_empty()).await;
    let grids = in_force(store.grids(Some("m")).await.expect("grids"));
    assert_eq!(counted(&store, "signal_minutes", "minute").await, expected(&store, &grids).await);
    eventually("the baseline that waited is there", async || !initial(&store).await.is_empty()).await;
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_that_a_plain_server_lost_are_put_right_and_only_then_a_baseline_is_made_of_them() {
    let own = OwnEngine::start().await;
    let store = own.plain_store().await;
    let collector = Running::start_with(&store, quick(), contracts()).await;
    assert_eq!(collector.predictions(&events("m", 0..1_000)).await.status, 200);
    all_counted_back(&store).await;
    eventually("there is a baseline", async || !initial(&store).await.is_empty()).await;
    collector.stop().await;
    let grids = in_force(store.grids(Some("m")).await.expect("grids"));
    let right = expected(&store, &grids).await;
    assert_eq!(counted(&store, "signal_minutes", "minute").await, right);
    let baseline = initial(&store).await;

    // As though collector and server had died before any of it was marked.
    for table in ["baselines", "baseline_bins", "baseline_moments"] {
        run(&store, &format!("TRUNCATE TABLE {table}")).await;
    }
    let unmarked: Vec<StoredGrid> =
        grids.iter().map(|stored| StoredGrid { recounted_at: None, ..stored.clone() }).collect();
    store.write_grids(&unmarked).await.expect("written");
    let now = Clock::System.now();
    let interval = Interval::new(now.saturating_sub(HOUR), now.saturating_add(HOUR)).widened_to(DAY);
    let note = LateStretch { model: "m".to_owned(), interval, noted_at: now };
    store.note_late_stretches(&[note]).await.expect("noted");
    own.forget_rows(&store, &["signal_minutes"]).await;
    eventually("the server is back", async || store.ping().await.is_ok()).await;
    assert_ne!(counted(&store, "signal_minutes", "minute").await, right);

    let collector = Running::start_with(&store, quick(), contracts()).await;
    all_counted_back(&store).await;
    // Grids that were not made together have their signals in it one after the other.
    eventually("the baseline is what it was", async || initial(&store).await == baseline).await;
    assert_eq!(counted(&store, "signal_minutes", "minute").await, right);
    eventually("the note is settled", async || store.late_stretches().await.expect("notes").is_empty()).await;
    collector.stop().await;
}
