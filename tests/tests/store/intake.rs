//! The one door: everything of a batch is where it belongs, once, whatever happens on the way.

use domain::time::{HOUR, Instant, Interval};
use sql::Store;
use sql::counts::{Question, Resolution};
use tests::{OwnEngine, fresh_store, text};

use crate::batches::{Batch, START_S};

fn hour(resolution: Resolution) -> Question {
    let start = Instant::from_seconds(START_S);
    Question {
        model: "m".to_owned(),
        environment: "production".to_owned(),
        interval: Interval::new(start, start.saturating_add(HOUR)),
        resolution,
        segments: Vec::new(),
        signals: Vec::new(),
        step_s: 0,
    }
}

/// Rows of events, and what minutes and hours say of counts, moments and traffic.
pub async fn sums(store: &Store) -> String {
    let parts = [
        "(SELECT count() FROM predictions)",
        "(SELECT sum(n) FROM signal_minutes)",
        "(SELECT sum(n) FROM signal_hours)",
        "(SELECT sum(n) FROM signal_moments)",
        "(SELECT sum(n) FROM signal_moment_hours)",
        "(SELECT sum(events) FROM traffic_minutes)",
        "(SELECT sum(events) FROM traffic_hours)",
    ];
    text(store, &format!("SELECT {}", parts.join(", "))).await
}

#[tokio::test]
async fn a_batch_is_stored_counted_and_read_back() {
    let store = fresh_store().await;
    Batch::of_an_hour("m").insert(&store, "one").await;
    assert_eq!(sums(&store).await, "60\t120\t120\t60\t60\t60\t60");
    for resolution in [Resolution::Minutes, Resolution::Hours] {
        let counts = store.counts(&hour(resolution)).await.expect("counts");
        let names: Vec<_> = counts.iter().map(|series| (series.signal.as_str(), series.grid.0)).collect();
        assert_eq!(names, [("feature.c", 2), ("feature.x", 1)], "{resolution:?}");
        for series in &counts {
            let bins: Vec<_> = series.points.iter().map(|point| (point.bin.0, point.n)).collect();
            assert_eq!(bins, [(3, 30), (4, 30)], "{resolution:?}");
        }

        let moments = store.moments(&hour(resolution)).await.expect("moments");
        assert_eq!(moments.len(), 1);
        let moments = moments[0].moments;
        assert_eq!((moments.n, moments.sum, moments.least, moments.greatest), (60, 1_770.0, 0.0, 59.0));

        let traffic = store.traffic(&hour(resolution)).await.expect("traffic");
        assert_eq!(traffic.len(), 1);
        assert_eq!((traffic[0].events, traffic[0].errors, traffic[0].largest_lag_ms), (60, 0, 1_000));
        assert_eq!(traffic[0].first_event, Instant::from_seconds(START_S));
        assert_eq!(traffic[0].last_event, Instant::from_seconds(START_S + 59 * 60));
    }
}

#[tokio::test]
async fn counts_come_by_steps_and_only_of_what_is_asked() {
    let store = fresh_store().await;
    Batch::of_an_hour("m").insert(&store, "one").await;
    Batch::of_an_hour("another").insert(&store, "two").await;
    let question =
        Question { signals: vec!["feature.x".to_owned()], step_s: 600, ..hour(Resolution::Minutes) };
    let counts = store.counts(&question).await.expect("counts");
    assert_eq!(counts.len(), 1);
    let points: Vec<_> = counts[0].points.iter().map(|p| (p.at.seconds() - START_S, p.bin.0, p.n)).collect();
    let wanted = [(0, 3, 10), (600, 3, 10), (1200, 3, 10), (1800, 4, 10), (2400, 4, 10), (3000, 4, 10)];
    assert_eq!(points, wanted);
    // Half-open: the minute at the end does not belong to it.
    let mut half = question.clone();
    half.interval.end = Instant::from_seconds(START_S + 1_800);
    half.step_s = 0;
    let counts = store.counts(&half).await.expect("counts");
    assert_eq!(counts[0].points.iter().map(|p| (p.bin.0, p.n)).collect::<Vec<_>>(), [(3, 30)]);
    let elsewhere = Question { segments: vec!["origin=JFK".to_owned()], ..question };
    assert_eq!(store.counts(&elsewhere).await.expect("none"), []);
}

#[tokio::test]
async fn the_same_batch_under_its_token_changes_nothing_and_under_another_adds() {
    let store = fresh_store().await;
    let batch = Batch::of_an_hour("m");
    for token in ["one", "one", "two", "one", "two", "one"] {
        batch.insert(&store, token).await;
    }
    assert_eq!(sums(&store).await, "120\t240\t240\t120\t120\t120\t120");
}

#[tokio::test]
async fn a_large_batch_is_one_block_and_its_token_covers_all_of_it() {
    let store = fresh_store().await;
    let batch = Batch::of_a_minute("m", "large", 150_000);
    batch.insert(&store, "large").await;
    batch.insert(&store, "large").await;
    let rows = text(&store, "SELECT count(), uniqExact(id) FROM predictions").await;
    assert_eq!(rows, "150000\t150000");
    assert_eq!(text(&store, "SELECT sum(n) FROM signal_hours").await, "150000");
}

#[tokio::test]
async fn batches_that_come_at_once_are_all_there() {
    let store = fresh_store().await;
    let inserts = (0..24).map(|number| {
        let store = store.clone();
        // Each of them twice, as from a collector that did not hear the answer.
        tokio::spawn(
            async move { Batch::of_an_hour("m").insert(&store, &format!("token-{}", number / 2)).await },
        )
    });
    for insert in inserts.collect::<Vec<_>>() {
        insert.await.expect("inserted");
    }
    assert_eq!(sums(&store).await, "720\t1440\t1440\t720\t720\t720\t720");
}

#[tokio::test]
async fn what_cannot_be_stored_is_refused_whole() {
    let store = fresh_store().await;
    let broken = store.insert_batch(sql::intake::Door::Intake, "no arrow".into(), "token").await;
    let error = broken.expect_err("no arrow");
    assert!(!error.is_transient(), "{error}");
    assert_eq!(sums(&store).await, "0\t0\t0\t0\t0\t0\t0");
}

/// The engine is killed in the middle of inserts; whoever got no answer repeats the same batch under the same token.
#[tokio::test]
async fn an_insert_cut_off_by_a_crash_is_completed_by_its_repetition() {
    let own = OwnEngine::start().await;
    let store = own.fresh_store().await;
    let mut cut_off = 0;
    // Few rounds: an engine that dies again and again is given more and more time.
    for round in 0..7_u64 {
        let token = format!("round-{round}");
        let batch = Batch::of_a_minute("m", &token, 20_000);
        let insert = tokio::spawn({
            let (store, batch, token) = (store.clone(), batch.clone(), token.clone());
            async move { batch.try_insert(&store, &token).await }
        });
        tokio::time::sleep(std::time::Duration::from_millis(10 + 15 * round)).await;
        own.kill();
        cut_off += u32::from(insert.await.expect("no panic").is_err());
        tests::eventually("the batch is stored", async || batch.try_insert(&store, &token).await.is_ok())
            .await;
    }
    assert!(cut_off > 0, "the engine was never killed in the middle");
    let exact = "140000\t140000\t140000\t140000\t140000\t140000\t140000";
    assert_eq!(sums(&store).await, exact, "{cut_off} of 7 were cut off");
    own.engine.stop().await.expect("a clean stop");
}
