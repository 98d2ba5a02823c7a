//! A ClickHouse server of somebody's own dies in the middle of inserts: it remembers their tokens and has lost the rows of some
//! tables. What was answered with 200 is there all the same, once, raw and counted.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use collector::Config;
use domain::contract::Contract;
use serde_json::json;
use sql::Store;
use tempfile::TempDir;
use tests::{Link, OwnEngine, eventually, text};

use crate::counted::{grids_are_counted_back, holds_exactly, wait_for_stored};
use crate::running::{Running, events, soon, spooled};

/// Waits until `n` events, outcomes and rejections are stored, and everything that was to be compared agrees: minutes that are
/// counted again count in their hours as well, which are compared after them.
async fn is_settled(store: &Store, [n, outcomes, rejections]: [usize; 3]) {
    wait_for_stored(store, n).await;
    let stored = "SELECT (SELECT count() FROM outcomes FINAL), (SELECT count() FROM rejected_events), \
                  (SELECT count() FROM late_stretches FINAL WHERE settled_at = 0)";
    let expected = format!("{outcomes}\t{rejections}\t0");
    eventually(&format!("{expected} are stored"), async || text(store, stored).await == expected).await;
}

fn config() -> Config {
    Config { grids: soon(), ..Config::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_a_plain_server_lost_with_its_life_are_inserted_again() {
    let own = OwnEngine::start().await;
    let direct = own.plain_store().await;
    let (link, store) = Link::to(&direct).await;
    let collector = Running::start_with(&store, config(), BTreeMap::new()).await;
    assert_eq!(collector.predictions(&events("k", 0..100)).await.status, 200);
    grids_are_counted_back(&direct).await;
    let deaths: [&[&str]; 2] = [
        &["predictions", "signal_moments", "signal_hours", "traffic_hours", "rejected_events"],
        &["outcomes", "signal_minutes", "signal_moment_hours", "traffic_minutes"],
    ];
    for (round, lost) in deaths.into_iter().enumerate() {
        let first = 100 + round * 100;
        own.stop_merges(&direct).await;
        link.lose_answers();
        let mut sent = events("k", first..first + 100);
        sent.push(json!({"model": "k", "features": 7}));
        let outcomes = [json!({"id": format!("k-{first}"), "model": "k", "outcome": 1.0})];
        let die = async {
            eventually("all three have been stored", async || link.lost() == 3).await;
            own.forget_rows(&direct, lost).await;
            link.cut();
        };
        let (predictions, outcomes, ()) =
            tokio::join!(collector.predictions(&sent), collector.outcomes(&outcomes), die);
        assert_eq!((predictions.status, outcomes.status), (200, 200), "{predictions:?} {outcomes:?}");
    }
    is_settled(&direct, [300, 2, 2]).await;
    collector.stop().await;
    holds_exactly(&direct, 300).await;
}

/// A quarter of the events is refused, and of the others some have too large an amount.
const CONTRACT: &str = r#"
    reject = ["country.allowed"]
    [signals.amount]
    greatest = 50.0
    [signals.country]
    allowed = ["BR", "DE", "FR"]
    [signals."day.hour"]
    greatest = 23.0
    [signals."prediction.value"]
    type = "number"
"#;

/// How many of these events are refused, and how many that are stored or refused break the range.
fn broken(range: std::ops::Range<usize>) -> [usize; 3] {
    let is_refused = |n: &usize| n % 4 == 3;
    let is_broken = |n: &usize| !n.is_multiple_of(7) && n * 37 % 1_000 > 500;
    let of = |refused: bool| range.clone().filter(is_broken).filter(|n| is_refused(n) == refused).count();
    [range.clone().filter(is_refused).count(), of(false), of(true)]
}

/// Of a model whose values are kept, and of one whose values are only counted.
#[tokio::test(flavor = "multi_thread")]
async fn breaches_and_traffic_that_a_plain_server_lost_agree_again() {
    let own = OwnEngine::start().await;
    let direct = own.plain_store().await;
    let (link, store) = Link::to(&direct).await;
    let contract = |text: &str| toml::from_str::<Contract>(text).expect("a contract");
    let counts_only = format!("{CONTRACT}\n[privacy]\ncounts_only = true");
    let contracts = [("kept", contract(CONTRACT)), ("counted", contract(&counts_only))];
    let contracts: BTreeMap<_, _> = contracts.map(|(model, it)| (model.to_owned(), it)).into();
    let collector = Running::start_with(&store, config(), contracts).await;
    let deaths: [&[&str]; 3] = [
        &["broken_rules", "breach_minutes", "traffic_hours"],
        &["rejected_events", "breach_hours", "traffic_minutes"],
        &["predictions", "broken_rules"],
    ];
    for (round, lost) in deaths.into_iter().enumerate() {
        let range = round * 100..(round + 1) * 100;
        own.stop_merges(&direct).await;
        link.lose_answers();
        let sent = [events("kept", range.clone()), events("counted", range)].concat();
        let die = async {
            eventually("both have been stored", async || link.lost() == 2).await;
            own.forget_rows(&direct, lost).await;
            link.cut();
        };
        let (answer, ()) = tokio::join!(collector.predictions(&sent), die);
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let all = 0..deaths.len() * 100;
    let [refused, of_stored, of_refused] = broken(all.clone());
    is_settled(&direct, [2 * (all.len() - refused), 0, 2 * refused]).await;
    collector.stop().await;

    let kept = "SELECT model, count(), uniqExact(id) FROM broken_rules GROUP BY model ORDER BY model";
    assert_eq!(
        text(&direct, kept).await,
        format!("counted\t{of_stored}\t{of_stored}\nkept\t{of_stored}\t{of_stored}")
    );
    for table in ["breach_minutes", "breach_hours"] {
        let counted = format!(
            "SELECT model, rule, sum(b.n) AS x, sum(b.refused) FROM {table} AS b GROUP BY model, rule HAVING x != 0 \
             ORDER BY model, rule"
        );
        let of_model = |model| {
            let range = of_stored + of_refused;
            format!(
                "{model}\tamount.range\t{range}\t{of_refused}\n{model}\tcountry.allowed\t{refused}\t{refused}"
            )
        };
        let expected = ["counted", "kept"].map(of_model).join("\n");
        eventually(table, async || text(&direct, &counted).await == expected).await;
    }
    let traffic = |table: &str| {
        format!("SELECT model, sum(events) FROM {table} WHERE segment = '' GROUP BY model ORDER BY model")
    };
    for table in ["traffic_minutes", "traffic_hours"] {
        let stored = all.len() - refused;
        let expected = format!("counted\t{stored}\nkept\t{stored}");
        assert_eq!(text(&direct, &traffic(table)).await, expected, "{table}");
    }
}

/// What a collector leaves behind that dies while the answer to its first batch is under way.
async fn left_behind(link: &Link, store: &Store, config: Config) -> Arc<TempDir> {
    let collector = Running::start_with(store, config, BTreeMap::new()).await;
    link.lose_answers();
    let request = collector.post("/v1/predictions").json(&events("k", 0..100)).send();
    let unanswered = tokio::spawn(request);
    eventually("the batch is stored", async || link.lost() == 1).await;
    let spool = collector.crash();
    link.cut();
    assert!(unanswered.await.expect("no panic").is_err(), "nobody was there to answer");
    spool
}

/// The batch in a spool.
fn batch_in(spool: &TempDir) -> PathBuf {
    let mut files =
        std::fs::read_dir(spool.path()).expect("a folder").map(|file| file.expect("a file").path());
    files.find(|path| path.extension().is_some_and(|it| it == "arrow")).expect("a batch")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_collector_and_plain_server_died_in_is_completed_by_the_next_collector_however_often() {
    let own = OwnEngine::start().await;
    let direct = own.plain_store().await;
    let (link, store) = Link::to(&direct).await;
    let spool = left_behind(&link, &store, config()).await;
    let batch = batch_in(&spool);
    let bytes = std::fs::read(&batch).expect("readable");
    own.forget_rows(&direct, &["predictions", "signal_moments"]).await;
    // The second time it forgets what was inserted again, and one collector more dies before it has cleared its spool.
    for round in 0..2 {
        let collector = Running::start_on(&store, config(), BTreeMap::new(), spool.clone()).await;
        eventually("the spool is finished", async || spooled(collector.spool()) == 0).await;
        is_settled(&direct, [100, 0, 0]).await;
        collector.stop().await;
        holds_exactly(&direct, 100).await;
        if round == 0 {
            own.stop_merges(&direct).await;
            own.forget_rows(&direct, &["predictions"]).await;
            std::fs::write(&batch, &bytes).expect("written");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_was_begun_before_the_server_started_is_compared() {
    let own = OwnEngine::start().await;
    let direct = own.plain_store().await;
    let (link, store) = Link::to(&direct).await;
    let spool = left_behind(&link, &store, Config::default()).await;
    let batch = batch_in(&spool);
    let bytes = std::fs::read(&batch).expect("readable");
    let later = SystemTime::UNIX_EPOCH + Duration::from_secs(100 * 365 * 86_400);
    for (begun_at, compared) in [(later, "0"), (SystemTime::UNIX_EPOCH, "1")] {
        std::fs::write(&batch, &bytes).expect("written");
        let file = File::options().write(true).open(&batch).expect("a file");
        file.set_modified(begun_at).expect("its time can be set");
        let collector = Running::start_on(&store, Config::default(), BTreeMap::new(), spool.clone()).await;
        eventually("the spool is finished", async || spooled(collector.spool()) == 0).await;
        let noted = text(&direct, "SELECT count() FROM late_stretches FINAL").await;
        assert_eq!(noted, compared, "begun at {begun_at:?}");
        collector.stop().await;
    }
    assert_eq!(text(&direct, "SELECT count() FROM predictions").await, "100");
}
