//! A store is migrated while batches are in flight: what was inserted before, and is repeated after, is there once.

use sql::Store;
use sql::migrate::migrate;
use tests::{OwnEngine, before_rules_were_kept, eventually, text};

use crate::batches::Batch;

/// Rows of events, and what everything that is counted by minutes and hours comes to, breaches last.
async fn sums(store: &Store) -> String {
    let breaches = "SELECT (SELECT sum(n) FROM breach_minutes), (SELECT sum(n) FROM breach_hours)";
    format!("{}\t{}", crate::intake::sums(store).await, text(store, breaches).await)
}

async fn restarted(own: &OwnEngine, store: &Store) {
    own.kill();
    eventually("the engine is back", async || store.ping().await.is_ok()).await;
}

const ONCE: &str = "60\t120\t120\t60\t60\t60\t60\t1\t1";
const TWICE: &str = "120\t240\t240\t120\t120\t120\t120\t2\t2";

/// What a token means to the table behind a view must not change by a migration, nor by the start after it (decision 2).
#[tokio::test]
async fn a_batch_of_before_a_migration_is_there_once_however_often_it_comes_after_it() {
    let own = OwnEngine::start().await;
    let store = own.fresh_store().await;
    before_rules_were_kept(&store).await;
    let batch = Batch::of_an_hour("m");
    batch.insert_without_rules(&store, "before").await;
    restarted(&own, &store).await;
    batch.insert_without_rules(&store, "before").await;
    assert_eq!(sums(&store).await, ONCE, "before the migration");

    assert!(!migrate(&store).await.expect("applied").applied.is_empty());
    batch.insert_without_rules(&store, "before").await;
    assert_eq!(sums(&store).await, ONCE, "after the migration");
    batch.insert(&store, "after").await;
    assert_eq!(sums(&store).await, TWICE);
    for _ in 0..2 {
        restarted(&own, &store).await;
        batch.insert_without_rules(&store, "before").await;
        batch.insert(&store, "after").await;
        assert_eq!(sums(&store).await, TWICE, "after another start");
    }
    let kept = "SELECT countIf(rules = ['?']), countIf(rules = ['x.range']), count() FROM broken_rules";
    assert_eq!(text(&store, kept).await, "60\t1\t61", "the table that is new gets it once as well");
}

/// The migration comes between an insert and its repetition, and the server starts again only after both.
#[tokio::test]
async fn a_batch_in_flight_during_a_migration_is_there_once_after_the_next_start() {
    let own = OwnEngine::start().await;
    let store = own.fresh_store().await;
    before_rules_were_kept(&store).await;
    let batch = Batch::of_an_hour("m");
    batch.insert_without_rules(&store, "before").await;
    migrate(&store).await.expect("applied");
    restarted(&own, &store).await;
    batch.insert_without_rules(&store, "before").await;
    assert_eq!(sums(&store).await, ONCE);
}
