//! The quality of data: what is stuck, gone, of another kind or incomplete is told, and extremes are no alarm.

use std::cell::Cell;

use domain::grid::{Bins, Edges, Grid, Levels};
use domain::time::Instant;
use sql::changes::ChangesAsked;

use crate::world::{MODEL, World, at, contract, minutes, ten_minutes};

const TEMP: &str = "feature.temp";
const WIND: &str = "feature.wind_speed";

async fn healthy_world() -> World {
    let mut world = World::new(contract(ten_minutes())).await;
    world.send(0, 120, 120, |_| ()).await;
    world.baseline("first", minutes(0, 60)).await;
    world
}

#[tokio::test]
async fn a_sensor_that_stands_still_is_a_ticket() {
    let mut world = healthy_world().await;
    world.send(120, 140, 120, |flight| flight.wind_speed = Some(12.5)).await;
    world.pass(&mut world.analyzer(), 140).await;
    let told = world.said("verdict, severity, sentence", ["stuck", WIND, ""], 140).await;
    assert!(told.starts_with("off_course\tticket\twind_speed is 12.5 in 100 % of events; "), "{told}");
    assert_eq!(world.verdicts("stuck", TEMP, "").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_signal_that_disappeared_is_told_and_stands_among_the_changes() {
    let mut world = healthy_world().await;
    world.send(120, 150, 120, |flight| flight.wind_speed = None).await;
    world.pass(&mut world.analyzer(), 150).await;
    let told = world.said("verdict, sentence", ["schema", WIND, ""], 140).await;
    assert!(
        told.starts_with("off_course\twind_speed disappeared; not one of 1,200 events carries it"),
        "{told}"
    );
    let asked = ChangesAsked {
        model: MODEL.to_owned(),
        kind: "schema".to_owned(),
        interval: minutes(0, 200),
        most: 10,
    };
    let changes = world.store.changes(&asked).await.expect("the store answers");
    let said: Vec<(&str, Instant)> =
        changes.iter().map(|change| (change.title.as_str(), change.at)).collect();
    assert_eq!(said, [("wind_speed disappeared", at(120))]);
    let points =
        world.said("round(numbers['points']), numbers['points_low'] > 99", ["missing", WIND, ""], 140).await;
    assert_eq!(points, "100\t1", "the rise in points, and its interval");
}

#[tokio::test]
async fn numbers_that_come_as_texts_are_of_another_kind_and_events_without_them_incomplete() {
    let mut world = healthy_world().await;
    let turn = Cell::new(0_u32);
    world
        .send(120, 180, 120, |flight| {
            turn.set(turn.get() + 1);
            if turn.get().is_multiple_of(4) {
                flight.categories.push(("feature.wind_speed", "12.5".to_owned()));
                flight.wind_speed = None;
            }
            if turn.get().is_multiple_of(5) {
                flight.temp = None;
            }
        })
        .await;
    world.pass(&mut world.analyzer(), 180).await;
    let kinds = world.said("verdict, sentence", ["types", WIND, ""], 180).await;
    let expected =
        "wind_speed is of the kind \"number in a text\" in 25 % of events, usually 0 %; 1,200 events";
    assert!(kinds.contains(expected) && !kinds.starts_with("on_course"), "{kinds}");
    let incomplete = world.said("verdict, sentence", ["completeness", "", ""], 180).await;
    assert!(
        incomplete.contains("of events lack a feature that is nearly always there, usually 0"),
        "{incomplete}"
    );
    assert_eq!(world.verdicts("duplicates", "", "").await, Vec::<String>::new());
}

#[tokio::test]
async fn outcomes_that_come_later_than_usual_are_told() {
    let mut world = healthy_world().await;
    world.outcomes(minutes(0, 60), at(65), 0.95, |score| score).await;
    for from in (60..120).step_by(10) {
        world.outcomes(minutes(from, from + 10), at(from + 20), 0.95, |score| score).await;
    }
    world.send(120, 240, 120, |_| ()).await;
    world.pass(&mut world.analyzer(), 240).await;
    let told = world.said("verdict, severity, sentence", ["label_lag", "", ""], 240).await;
    assert!(told.starts_with("off_course\tticket\t100 % of predictions have no outcome after"), "{told}");
    assert_eq!(
        world.said("verdict", ["label_lag", "", ""], 120).await,
        "",
        "nothing is said of what is in time"
    );
}

/// A constant, a column of ids, one of which 95 % are missing, and a single value of a milliard; then an event alone, and
/// windows without any.
#[tokio::test]
async fn extremes_have_right_verdicts_and_nothing_is_ever_no_number() {
    let mut world = World::new(contract(ten_minutes())).await;
    let numbers = |name: &str, sample: Vec<f64>| {
        Grid::new(MODEL, name, Instant::EPOCH, Bins::Numbers(Edges::of_sample(sample)))
    };
    world.count(numbers("feature.constant", vec![1.0; 5_000])).await;
    world.count(numbers("feature.rare", (0..250).map(f64::from).collect())).await;
    let ids = Levels::of((0..5_000).map(|id| format!("id-{id}")));
    world.count(Grid::new(MODEL, "feature.id", Instant::EPOCH, Bins::Categories(ids))).await;
    let turn = Cell::new(0_u32);
    let extreme = |flight: &mut crate::world::Flight| {
        let n = turn.get();
        turn.set(n + 1);
        flight.numbers.push(("feature.constant", 1.0));
        if n.is_multiple_of(20) {
            flight.numbers.push(("feature.rare", f64::from(n / 20 % 250)));
        }
        flight.categories.push(("feature.id", format!("id-{n}")));
        if n == 14_500 {
            flight.temp = Some(1e9);
        }
    };
    world.send(0, 130, 120, extreme).await;
    world.baseline("first", minutes(0, 60)).await;
    world.send(150, 151, 1, extreme).await;
    world.send(170, 180, 120, extreme).await;
    world.pass(&mut world.analyzer(), 180).await;
    let judged = world.judged().await;
    let alarms: Vec<_> = judged
        .iter()
        .filter(|one| one.verdict.is_alarm() && !["silence", "traffic"].contains(&one.monitor.name()))
        .collect();
    assert!(alarms.is_empty(), "{alarms:?}");
    for (signal, verdict) in
        [(TEMP, "on_course"), ("feature.constant", "on_course"), ("feature.id", "on_course")]
    {
        assert_eq!(world.said("verdict", ["drift", signal, ""], 130).await, verdict, "{signal}");
    }
    assert_eq!(world.said("verdict", ["drift", "feature.rare", ""], 130).await, "too_little_data");
    for minute in [140, 150, 160] {
        assert_eq!(world.said("verdict", ["drift", TEMP, ""], minute).await, "too_little_data", "{minute}");
    }
}
