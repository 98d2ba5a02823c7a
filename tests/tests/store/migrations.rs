//! The schema: applied once, by whoever comes first, and never on top of a newer one.

use std::time::Duration;

use clickhouse::Row;
use domain::time::{HOUR, Instant, Interval};
use serde::{Deserialize, Serialize};
use sql::migrate::{VERSION, migrate, rendered, wait_for_schema};
use sql::{Error, Store};
use tests::{client, fresh_config, fresh_store, text};

use crate::batches::{Batch, START_S};

#[derive(Row, Serialize, Deserialize)]
struct Applied {
    version: u32,
    name: String,
}

async fn record(store: &Store, version: u32) {
    let mut insert = client(store).insert::<Applied>("schema_migrations").await.expect("begun");
    insert.write(&Applied { version, name: format!("{version:04}_of_a_test") }).await.expect("written");
    insert.end().await.expect("inserted");
}

fn migration_files() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../sql/migrations");
    let names = std::fs::read_dir(folder).expect("the folder of migrations").flatten();
    let mut names: Vec<String> =
        names.map(|entry| entry.file_name().to_string_lossy().trim_end_matches(".sql").to_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn every_migration_applies_once_and_a_second_run_does_nothing() {
    let store = Store::connect(&fresh_config()).expect("a sound configuration");
    let first = migrate(&store).await.expect("applied");
    assert_eq!(first.applied, migration_files());
    assert_eq!((first.version, first.retained.as_slice()), (VERSION, [].as_slice()));
    let second = migrate(&store).await.expect("nothing to do");
    assert_eq!((second.applied.as_slice(), second.retained.as_slice()), ([].as_slice(), [].as_slice()));
}

#[tokio::test]
async fn a_migration_that_was_not_recorded_is_applied_again_without_harm() {
    let store = fresh_store().await;
    tests::client(&store)
        .query("ALTER TABLE schema_migrations DELETE WHERE version > 3 SETTINGS mutations_sync = 2")
        .execute()
        .await
        .expect("forgotten");
    let again = migrate(&store).await.expect("applied again");
    assert_eq!(again.applied.len(), migration_files().len() - 3);
}

#[tokio::test]
async fn two_that_migrate_at_once_both_succeed() {
    let config = fresh_config();
    let stores: Vec<Store> =
        (0..4).map(|_| Store::connect(&config).expect("a sound configuration")).collect();
    let runs = stores.iter().map(|store| {
        let store = store.clone();
        tokio::spawn(async move { migrate(&store).await })
    });
    for run in runs.collect::<Vec<_>>() {
        run.await.expect("no panic").expect("migrated");
    }
    let recorded = text(&stores[0], "SELECT uniqExact(version) FROM schema_migrations").await;
    assert_eq!(recorded, VERSION.to_string());
    wait_for_schema(&stores[0], Duration::ZERO).await.expect("it is there");
}

#[tokio::test]
async fn a_newer_schema_is_refused_by_whoever_meets_it() {
    let store = fresh_store().await;
    record(&store, VERSION + 1).await;
    let refused = migrate(&store).await.expect_err("it is newer");
    assert!(matches!(refused, Error::NewerSchema { .. }) && !refused.is_transient(), "{refused}");
    // It is no use to wait for it to become older.
    let refused = wait_for_schema(&store, Duration::from_secs(600)).await.expect_err("it is newer");
    assert!(refused.to_string().contains("update Leeway"), "{refused}");
}

#[tokio::test]
async fn a_role_waits_for_the_schema_and_says_what_it_waited_for() {
    let store = Store::connect(&fresh_config()).expect("a sound configuration");
    let error = wait_for_schema(&store, Duration::ZERO).await.expect_err("nothing is there");
    assert!(matches!(error, Error::OlderSchema { found: 0, .. }), "{error}");
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { wait_for_schema(&store, Duration::from_secs(30)).await }
    });
    migrate(&store).await.expect("applied");
    waiting.await.expect("no panic").expect("it came");
}

#[tokio::test]
async fn of_what_an_older_collector_stores_nobody_knows_which_rules_it_broke() {
    let store = fresh_store().await;
    tests::before_rules_were_kept(&store).await;
    let older = "INSERT INTO intake (id, model, timestamp, received_at) VALUES ('{}', 'm', now(), now())";
    text(&store, &older.replace("{}", "before")).await;
    let new = ["0050_add_rules_to_intake", "0051_create_broken_rules", "0052_view_intake_to_broken_rules"];
    let applied = migrate(&store).await.expect("applied").applied;
    assert_eq!(applied[..3], new);
    Batch::of_an_hour("m").insert(&store, "new").await;
    text(&store, &older.replace("{}", "during")).await;
    let kept = "SELECT id, rules FROM broken_rules ORDER BY id";
    assert_eq!(text(&store, kept).await, "during\t['?']\ne0\t['x.range']");
    assert_eq!(text(&store, "SELECT count() FROM predictions").await, "62");
}

/// An hour of events, one a minute, each received a second after it happened; the migration was over in the middle.
#[tokio::test]
async fn rules_are_unknown_of_what_was_received_until_a_minute_after_the_migration() {
    let store = fresh_store().await;
    Batch::of_an_hour("m").insert(&store, "one").await;
    let start = Instant::from_seconds(START_S);
    let hour = Interval::new(start, start.saturating_add(HOUR));
    let unknown = async || store.minutes_of_unknown_rules("m", hour).await.expect("answered");
    assert_eq!(unknown().await, 0, "the store was made with them");

    tests::before_rules_were_kept(&store).await;
    migrate(&store).await.expect("applied");
    let over = format!("fromUnixTimestamp64Milli({}, 'UTC')", (START_S + 30 * 60) * 1_000);
    for statement in [
        format!(
            "INSERT INTO schema_migrations (version, name, applied_at) SELECT version, name, {over} \
             FROM schema_migrations WHERE version > 49"
        ),
        format!("ALTER TABLE schema_migrations DELETE WHERE version > 49 AND applied_at != {over}"),
    ] {
        client(&store).query(&statement).with_setting("mutations_sync", "2").execute().await.expect("done");
    }
    // Those of the minutes 0 to 29, and of the one after.
    assert_eq!(unknown().await, 31);
}

#[tokio::test]
async fn retention_follows_the_configuration() {
    let config = fresh_config();
    let store = Store::connect(&config).expect("a sound configuration");
    migrate(&store).await.expect("applied");
    let mut shorter = config.clone();
    shorter.retention.events_days = 7;
    let shorter = Store::connect(&shorter).expect("a sound configuration");
    let outcome = migrate(&shorter).await.expect("changed");
    assert_eq!(outcome.retained, ["predictions", "broken_rules", "counts_only_hours", "outcomes"]);
    let definition =
        "SELECT create_table_query FROM system.tables WHERE database = currentDatabase() AND name = ";
    let predictions = text(&store, &format!("{definition}'predictions'")).await;
    assert!(predictions.contains("toIntervalDay(7)"), "{predictions}");
    let minutes = text(&store, &format!("{definition}'signal_minutes'")).await;
    assert!(minutes.contains("toIntervalDay(7000)"), "{minutes}");
    assert!(migrate(&shorter).await.expect("nothing to do").retained.is_empty());
}

/// History that is imported tells of long ago; it is kept as long as everything else that was written today.
#[tokio::test]
async fn rows_expire_by_when_they_were_written_and_not_by_what_they_tell_of() {
    let mut config = fresh_config();
    config.retention.events_days = 30;
    let store = Store::connect(&config).expect("a sound configuration");
    migrate(&store).await.expect("applied");
    let client = client(&store);
    let insert = "INSERT INTO predictions (id, model, timestamp, received_at) SELECT {id:String}, 'm', \
                  now() - toIntervalDay(4000), now() - toIntervalDay({days:UInt32})";
    for (id, days) in [("old", 31), ("new", 29)] {
        client.query(insert).param("id", id).param("days", days).execute().await.expect("inserted");
    }
    client.query("OPTIMIZE TABLE predictions FINAL").execute().await.expect("merged");
    assert_eq!(text(&store, "SELECT id FROM predictions").await, "new");
}

/// On a cluster the same files become replicated and distributed tables; the engine reads every one of them.
#[tokio::test]
async fn what_a_cluster_is_sent_is_sound() {
    let store = fresh_store().await;
    let cluster = sql::Config {
        url: "http://clickhouse:8123".to_owned(),
        password: "it's".to_owned(),
        cluster: "main".to_owned(),
        embedded: false,
        ..store.config().clone()
    };
    let statements = rendered(&cluster).expect("rendered");
    assert!(statements.len() > migration_files().len());
    for statement in statements {
        assert!(statement.contains("ON CLUSTER main"), "{statement}");
        let explain = client(&store).query_raw(&format!("EXPLAIN AST {statement}")).fetch_bytes("TSV");
        explain.expect("a query").collect().await.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
}

#[tokio::test]
async fn a_store_that_is_away_is_told_from_one_that_refuses() {
    let away = sql::Config { url: "http://127.0.0.1:1".to_owned(), ..fresh_config() };
    let error =
        Store::connect(&away).expect("a sound configuration").ping().await.expect_err("nobody is there");
    assert!(error.is_transient(), "{error}");
    let stranger = sql::Config { password: "guess".to_owned(), ..fresh_config() };
    let error = Store::connect(&stranger).expect("a sound configuration").ping().await.expect_err("refused");
    assert!(!error.is_transient() && error.to_string().contains("516"), "{error}");
}
