//! The traffic of earlier times, asked once for windows that follow each other.

use std::time::Duration;

use domain::time::{DAY, HOUR, Instant, Interval, MINUTE};
use sql::Store;
use sql::traffic_before::{Before, Earlier};
use tests::{fresh_store, text};

const START: &str = "2026-03-02T00:00:00Z";
/// An event more in each five minutes, so that no two stretches have the same number.
const EVERY_S: i64 = 300;

fn start() -> Instant {
    START.parse().expect("an instant")
}

/// What a stretch holds: an event for each five minutes since the start, one in ten of them failed.
fn expected(stretch: Interval) -> Earlier {
    let (from, to) = (stretch.start.since(start()).as_secs(), stretch.end.since(start()).as_secs());
    let places = from.div_ceil(EVERY_S as u64)..to.div_ceil(EVERY_S as u64);
    places.fold(Earlier::default(), |sum, place| Earlier {
        events: sum.events + place,
        errors: sum.errors + place / 10,
    })
}

async fn traffic_of(days: u32) -> Store {
    let store = fresh_store().await;
    let (places, start) = (u64::from(days) * DAY.as_secs() / EVERY_S as u64, start().seconds());
    let rows = format!(
        "INSERT INTO traffic_minutes (model, version, environment, segment, minute, events, errors, first_event, last_event, \
         largest_lag_ms, last_received_at) SELECT 'm', '1', 'production', '', toDateTime({start} + {EVERY_S} * number, 'UTC') \
         AS at, number, intDiv(number, 10), at, at, 0, at FROM numbers({places})"
    );
    text(&store, &rows).await;
    store
}

/// Asks for `count` windows of a `length`, one each `step`, that begin so many days after the start.
async fn assert_all(store: &Store, days: u32, [length, step, period]: [Duration; 3], not_before: Instant) {
    let first = start().saturating_add(DAY * days);
    let windows: Vec<Interval> = (0..30)
        .map(|place| first.saturating_add(step * place))
        .map(|from| Interval::new(from, from.saturating_add(length)))
        .collect();
    let stretch = Interval::new(first, windows[29].end);
    let before = Before { stretch, step, period, periods: 9, not_before };
    let traffic = store.traffic_before("m", "production", before).await.expect("the store answers");
    for window in windows {
        let ago = |periods: u32| {
            let back = period * periods;
            Interval::new(window.start.saturating_sub(back), window.end.saturating_sub(back))
        };
        let whole = (1..=9).map(ago).take_while(|one| one.start >= not_before).map(expected);
        assert_eq!(traffic.of(window), whole.collect::<Vec<_>>(), "{window:?} in steps of {step:?}");
        assert_eq!(traffic.sum(window), expected(window), "{window:?} itself");
    }
}

#[tokio::test]
async fn windows_are_given_the_same_stretches_of_earlier_days() {
    let store = traffic_of(16).await;
    assert_all(&store, 11, [HOUR, HOUR, DAY], start()).await;
    assert_all(&store, 11, [10 * MINUTE, 5 * MINUTE, DAY], start()).await;
    assert_all(&store, 11, [HOUR, 20 * MINUTE, HOUR], start()).await;
    assert_all(&store, 1, [6 * HOUR, 6 * HOUR, DAY], start()).await;
    assert_all(&store, 11, [HOUR, HOUR, DAY], start().saturating_add(5 * DAY + 3 * HOUR)).await;
}

#[tokio::test]
async fn one_stretch_alone_is_one_step_a_period() {
    let store = traffic_of(12).await;
    let not_before = start();
    for (from, length) in [(DAY * 10, HOUR), (DAY * 10 + 25 * MINUTE, 15 * MINUTE), (DAY * 8, 3 * DAY)] {
        let from = start().saturating_add(from);
        let stretch = Interval::new(from, from.saturating_add(length));
        let period = length.max(DAY);
        let before = Before { stretch, step: period, period, periods: 4, not_before };
        let traffic = store.traffic_before("m", "production", before).await.expect("the store answers");
        let ago = |periods: u32| {
            let back = period * periods;
            expected(Interval::new(stretch.start.saturating_sub(back), stretch.end.saturating_sub(back)))
        };
        let fit = u32::try_from(from.since(start()).as_secs() / period.as_secs()).expect("few").min(4);
        assert_eq!(traffic.of(stretch), (1..=fit).map(ago).collect::<Vec<_>>(), "{stretch:?}");
    }
}
