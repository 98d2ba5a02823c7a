//! What is counted again of a model whose values are, or were, only counted: what its raw events say, and no more.

use std::collections::BTreeMap;

use collector::Config;
use domain::contract::Contract;
use domain::time::{Clock, HOUR};
use serde_json::{Value, json};
use tests::{eventually, fresh_store, text};

use crate::contracts::contracts;
use crate::recounted::{
    CONTRACT, NONE, breaches, broken, counted, damage, differing, filled, lately, looked_at_late, recounted,
};
use crate::running::{Running, soon};

fn counts_only() -> BTreeMap<String, Contract> {
    contracts(&format!("{CONTRACT}\n[privacy]\ncounts_only = true"))
}

/// What is told of a model whose values are only counted: traffic and breaches by its events, hours by their minutes.
const COUNTS_DAMAGED: [&[&str]; 3] = [
    &[
        "ALTER TABLE traffic_minutes DELETE WHERE segment = ''",
        "ALTER TABLE breach_minutes DELETE WHERE rule = 'amount.range'",
    ],
    &[
        "ALTER TABLE traffic_hours DELETE WHERE segment = 'country=BR'",
        "ALTER TABLE signal_hours DELETE WHERE signal = 'feature.amount'",
        "INSERT INTO signal_moment_hours SELECT * FROM signal_moment_hours WHERE segment = ''",
        "INSERT INTO breach_hours SELECT * FROM breach_hours",
    ],
    &["INSERT INTO traffic_minutes SELECT * FROM traffic_minutes WHERE segment = ''"],
];

#[tokio::test(flavor = "multi_thread")]
async fn of_a_model_that_is_counts_only_everything_is_mended_but_bins_by_the_minute() {
    let store = fresh_store().await;
    let collector = filled(&store, counts_only()).await;
    let right = counted(&store).await;
    assert_eq!(breaches(&store, "breach_minutes").await, broken(&store).await);
    let kept = "SELECT count() > 0, countIf(notEmpty(numbers)) FROM predictions";
    assert_eq!(text(&store, kept).await, "1\t0");
    let looked = recounted(&store, counts_only(), true).await;
    assert!(looked.is_clean() && looked.without_values, "{looked}");
    let said = looked.to_string();
    assert!(said.contains("every count that can be compared is right"), "{said}");
    assert!(said.contains("by the minute were not compared: the model is counts only"), "{said}");
    for statements in COUNTS_DAMAGED {
        for mend_late in [false, true] {
            for statement in statements {
                damage(&store, statement).await;
            }
            assert_ne!(differing(&store, &right).await, NONE, "{statements:?}");
            if mend_late {
                looked_at_late(&store).await;
            } else {
                let report = recounted(&store, counts_only(), false).await;
                assert!(!report.is_clean() && report.signals.is_empty() && report.moments == 0, "{report}");
            }
            assert_eq!(differing(&store, &right).await, NONE, "{statements:?}, late: {mend_late}");
        }
    }
    // What cannot be known is not made up, and not taken away either.
    let minutes = "SELECT sum(n) > 0 FROM signal_minutes";
    assert_eq!(text(&store, minutes).await, "1");
    collector.stop().await;
}

/// Events with a signal that none had before.
fn with_more(range: std::ops::Range<usize>) -> Vec<Value> {
    let mut events = lately(range);
    for (n, event) in events.iter_mut().enumerate() {
        event["features"]["more"] = json!(n);
    }
    events
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_model_that_was_counts_only_nothing_is_taken_away_and_nothing_made_up() {
    let store = fresh_store().await;
    filled(&store, counts_only()).await.stop().await;
    assert_eq!(text(&store, "SELECT DISTINCT model FROM counts_only_hours").await, "fraud");
    // Should the hour end meanwhile.
    let next = Clock::System.now().saturating_add(HOUR);
    store.note_counts_only("fraud", next).await.expect("noted");

    let config = Config { grids: soon(), ..Config::default() };
    let collector = Running::start_with(&store, config, contracts(CONTRACT)).await;
    assert_eq!(collector.predictions(&with_more(800..900)).await.status, 200);
    eventually("its grid is counted back", async || {
        let counted =
            "SELECT countIf(recounted_at IS NOT NULL) FROM grids FINAL WHERE signal = 'feature.more'";
        text(&store, counted).await == "1"
    })
    .await;
    let more = "SELECT sum(n) FROM signal_minutes WHERE signal = 'feature.more' AND segment = ''";
    assert_eq!(
        text(&store, more).await,
        "0",
        "of what came before, some had values and some had lost theirs"
    );
    assert_eq!(collector.predictions(&with_more(900..940)).await.status, 200);
    assert_eq!(text(&store, more).await, "30", "a quarter was refused");

    let right = counted(&store).await;
    looked_at_late(&store).await;
    assert_eq!(differing(&store, &right).await, NONE);
    for statements in COUNTS_DAMAGED {
        for statement in statements {
            damage(&store, statement).await;
        }
        let report = recounted(&store, contracts(CONTRACT), false).await;
        assert!(!report.is_clean() && report.signals.is_empty() && report.moments == 0, "{report}");
        assert!(report.to_string().contains("received while the model was counts only"), "{report}");
        assert_eq!(differing(&store, &right).await, NONE, "{statements:?}");
    }
    collector.stop().await;
    // What was received at other times is held against its values.
    let earlier = "INSERT INTO predictions SELECT * REPLACE (timestamp - toIntervalHour(5) AS timestamp, \
                   received_at - toIntervalHour(5) AS received_at) FROM predictions WHERE mapContains(numbers, 'feature.more')";
    damage(&store, earlier).await;
    let report = recounted(&store, contracts(CONTRACT), false).await;
    assert_eq!(report.signals["feature.more"].lacking, 105, "{report}");
    assert_eq!(text(&store, more).await, "135");
}
