//! The quality of data: what is stuck, gone, of another kind or incomplete is told, and extremes are no alarm.

use std::cell::Cell;
use std::collections::BTreeMap;

use domain::contract::SignalTerms;
use domain::grid::{Bins, Edges, Grid, Levels};
use domain::time::Instant;
use sql::changes::ChangesAsked;

use crate::world::{Flight, MODEL, World, at, contract, minutes, ten_minutes};

const TEMP: &str = "feature.temp";
const WIND: &str = "feature.wind_speed";

async fn healthy_world() -> World {
    usual_world(|_| ()).await
}

/// Two hours of flights with what is usual for them, the first of them the baseline.
async fn usual_world(usual: impl Fn(&mut Flight)) -> World {
    let mut world = World::new(contract(ten_minutes())).await;
    world.send(0, 120, 120, usual).await;
    world.baseline("first", minutes(0, 60)).await;
    world
}

/// Does something to one flight in so many.
fn one_in(so_many: u32, change: impl Fn(&mut Flight)) -> impl Fn(&mut Flight) {
    let turn = Cell::new(0_u32);
    move |flight| {
        turn.set(turn.get() + 1);
        if turn.get().is_multiple_of(so_many) {
            change(flight);
        }
    }
}

#[tokio::test]
async fn values_beyond_all_usual_ones_are_a_ticket() {
    let mut world = healthy_world().await;
    world.send(120, 140, 120, one_in(20, |flight| flight.wind_speed = Some(500.0))).await;
    world.pass(&mut world.analyzer(), 140).await;
    let told = world.said("verdict, severity, sentence", ["range", WIND, ""], 140).await;
    assert!(
        told.starts_with("off_course\tticket\twind_speed is beyond its usual range in 5 % of events; "),
        "{told}"
    );
    assert!(told.contains(" to 500 now"), "{told}");
    assert_eq!(world.verdicts("range", TEMP, "").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_new_code_of_a_closed_list_is_told_in_the_first_window() {
    let mut world = healthy_world().await;
    world.send(120, 130, 120, one_in(20, |flight| flight.origin = "SFO")).await;
    world.pass(&mut world.analyzer(), 130).await;
    let told = world.said("verdict, severity, sentence", ["unseen", "feature.origin", ""], 130).await;
    let expected =
        "off_course\tticket\torigin has unknown values in 5 % of events, usually 0 %; 1,200 events";
    assert!(told.starts_with(expected), "{told}");
    let expected = world.said("numbers['unseen_p'] < 1e-6", ["unseen", "feature.origin", ""], 130).await;
    assert_eq!(expected, "1", "Good and Turing expect less than one of them");
}

#[tokio::test]
async fn a_list_of_codes_that_becomes_ids_has_too_many_different_values() {
    let turn = Cell::new(0_u32);
    let of = |codes: u32| {
        let turn = &turn;
        move |flight: &mut Flight| {
            turn.set(turn.get() + 1);
            flight.categories.push(("feature.tail", format!("N{}", turn.get() % codes)));
        }
    };
    let mut world = usual_world(of(200)).await;
    world.send(120, 180, 120, of(100_000)).await;
    world.pass(&mut world.analyzer(), 180).await;
    let told = world.said("verdict, severity, sentence", ["cardinality", "feature.tail", ""], 180).await;
    let expected =
        "off_course\tticket\ttail has 6 times more different values than usual; 1,200 in 1,200 events";
    assert!(told.starts_with(expected), "{told}");
    assert_eq!(world.said("verdict", ["cardinality", "feature.tail", ""], 120).await, "");
}

#[tokio::test]
async fn events_that_came_again_are_told_as_the_collector_counted_them() {
    let mut world = healthy_world().await;
    world.send(120, 130, 120, one_in(10, |flight| flight.breaks.push("duplicate"))).await;
    world.send(130, 180, 120, |_| ()).await;
    world.pass(&mut world.analyzer(), 180).await;
    let told = world.said("verdict, severity, sentence", ["duplicates", "", ""], 130).await;
    assert!(told.starts_with("off_course\tticket\t10 % of events came again; 120 of 1,200 events"), "{told}");
    assert_eq!(world.said("verdict", ["duplicates", "", ""], 180).await, "recovering");
}

#[tokio::test]
async fn rows_that_lie_in_the_store_twice_are_told_from_a_sample() {
    let mut world = healthy_world().await;
    world.send(120, 180, 120, |_| ()).await;
    let doubled = format!(
        "INSERT INTO predictions SELECT * FROM predictions WHERE model = '{MODEL}' \
         AND timestamp >= fromUnixTimestamp64Milli({}) AND cityHash64(id) % 5 = 0",
        at(170).millis()
    );
    tests::text(&world.store, &doubled).await;
    world.pass(&mut world.analyzer(), 180).await;
    let told = world.said("verdict, sentence", ["duplicates", "", ""], 180).await;
    assert!(told.contains(" of events came again under the same id, usually 0 %; "), "{told}");
    assert!(!told.starts_with("on_course"), "{told}");
}

#[tokio::test]
async fn a_broken_rule_of_the_contract_is_told_in_the_first_window_and_ends() {
    let mut contract = contract(ten_minutes());
    contract
        .signals
        .insert("temp".to_owned(), SignalTerms { greatest: Some(150.0), ..SignalTerms::default() });
    let mut world = World::new(contract).await;
    world.send(0, 120, 120, |_| ()).await;
    world.baseline("first", minutes(0, 60)).await;
    world.send(120, 130, 120, one_in(50, |flight| flight.breaks.push("temp.range"))).await;
    world.send(130, 170, 120, |_| ()).await;
    world.pass(&mut world.analyzer(), 170).await;
    let told = world.said("verdict, severity, sentence", ["contract", TEMP, ""], 130).await;
    assert!(
        told.starts_with("off_course\tticket\t2 % of events break temp.range; 24 of 1,200 events"),
        "{told}"
    );
    let course = ["off_course", "recovering", "recovering", "on_course"];
    assert_eq!(world.verdicts("contract", TEMP, "").await, course);
}

#[tokio::test]
async fn a_signal_of_another_type_and_one_that_appears_stand_among_the_changes() {
    let mut world = healthy_world().await;
    let gusts = (0..5_000).map(|place| f64::from(place % 500)).collect();
    let gust = Grid::new(MODEL, "feature.gust", at(121), Bins::Numbers(Edges::of_sample(gusts)));
    world.count(gust).await;
    world
        .send(122, 150, 120, |flight| {
            flight.wind_speed = None;
            flight.categories.push(("feature.wind_speed", "calm".to_owned()));
            flight.numbers.push(("feature.gust", 12.0));
        })
        .await;
    world.pass(&mut world.analyzer(), 150).await;
    let told = world.said("sentence", ["schema", WIND, ""], 150).await;
    assert!(told.starts_with("wind_speed has another type; not one of 1,200 events has a usable"), "{told}");
    let asked = ChangesAsked {
        model: MODEL.to_owned(),
        kind: "schema".to_owned(),
        interval: minutes(0, 200),
        most: 10,
    };
    let changes = world.store.changes(&asked).await.expect("the store answers");
    let mut titles: Vec<&str> = changes.iter().map(|change| change.title.as_str()).collect();
    titles.sort_unstable();
    assert_eq!(titles, ["gust appeared", "wind_speed has another type"]);
}

#[tokio::test]
async fn a_unit_that_changed_at_once_is_named_and_a_season_that_grew_as_far_is_not() {
    let mut world = healthy_world().await;
    for part in 0..36 {
        // Within five hours the wind grows as strong as if it were told in km/h; at JFK it is so at once.
        let grown = 1.0 + 0.609_344 * f64::from(part.min(30)) / 30.0;
        let from = 120 + 10 * i64::from(part);
        let change = |flight: &mut Flight| {
            let factor = if flight.origin == "JFK" { 1.609_344 } else { grown };
            flight.wind_speed = flight.wind_speed.map(|wind| factor * wind);
        };
        world.send(from, from + 10, 120, change).await;
    }
    world.pass(&mut world.analyzer(), 480).await;
    for minute in [140, 300, 480] {
        let said = world.said("sentence", ["drift", WIND, "origin=JFK"], minute).await;
        let expected =
            "wind_speed at origin=JFK looks multiplied by 1.61 (mph to km/h, or miles to km?); mean";
        assert!(said.starts_with(expected), "{minute}: {said}");
    }
    let season = world.said("verdict, sentence", ["drift", WIND, "origin=LGA"], 480).await;
    assert!(season.starts_with("off_course\twind_speed at origin=LGA moved: mean 1"), "{season}");
    let named = "SELECT DISTINCT segment FROM evaluations WHERE mapContains(numbers, 'unit_factor')";
    assert_eq!(tests::text(&world.store, named).await, "origin=JFK");
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

/// The same extremes where they are faults: a shift that an outlier in the baseline must not hide, a constant that becomes
/// another, values of which one in twenty is left.
#[tokio::test]
async fn extremes_that_are_faults_are_told_and_every_answer_is_made_of_numbers() {
    let mut world = World::new(contract(ten_minutes())).await;
    let numbers = |name: &str, sample: Vec<f64>| {
        Grid::new(MODEL, name, Instant::EPOCH, Bins::Numbers(Edges::of_sample(sample)))
    };
    world.count(numbers("feature.constant", vec![1.0; 5_000])).await;
    world.count(numbers("feature.sparse", (0..250).map(f64::from).collect())).await;
    let turn = Cell::new(0_u32);
    let with = |constant: f64, every: u32, warmer: f64| {
        let turn = &turn;
        move |flight: &mut Flight| {
            let n = turn.get();
            turn.set(n + 1);
            flight.numbers.push(("feature.constant", constant));
            if n.is_multiple_of(every) {
                flight.numbers.push(("feature.sparse", f64::from(n / every % 250)));
            }
            flight.temp = flight.temp.map(|temp| if n == 500 { 1e9 } else { temp + warmer });
        }
    };
    world.send(0, 120, 120, with(1.0, 1, 0.0)).await;
    world.baseline("first", minutes(0, 60)).await;
    world.send(120, 140, 120, with(2.0, 20, 24.0)).await;
    world.pass(&mut world.analyzer(), 140).await;
    for (subject, before, expected) in [
        (["drift", TEMP, ""], "on_course", "off_course\tticket\ttemp moved: mean 7"),
        (
            ["drift", "feature.constant", ""],
            "on_course",
            "off_course\tticket\tconstant moved: mean 2, usually 1; PSI ",
        ),
        (
            ["missing", "feature.sparse", ""],
            "",
            "off_course\tpage\tsparse is missing in 95 % of events, usually 0 %; ",
        ),
    ] {
        assert_eq!(world.said("verdict", subject, 120).await, before, "{subject:?}");
        let told = world.said("verdict, severity, sentence", subject, 140).await;
        assert!(told.starts_with(expected), "{subject:?}: {told}");
    }
    let few = world.said("verdict", ["drift", "feature.sparse", ""], 140).await;
    assert_eq!(few, "too_little_data", "of what is left nothing is said");
    let rows =
        "SELECT toJSONString(mapApply((name, value) -> (name, toString(value)), numbers)) FROM evaluations";
    let rows = tests::text(&world.store, rows).await;
    assert!(rows.lines().count() > 20, "{rows}");
    for row in rows.lines() {
        let numbers: BTreeMap<String, String> =
            serde_json::from_str(row).unwrap_or_else(|error| panic!("{error}: {row}"));
        let is_number = |value: &String| value.parse::<f64>().is_ok_and(f64::is_finite);
        assert!(numbers.values().all(is_number), "{row}");
    }
}
