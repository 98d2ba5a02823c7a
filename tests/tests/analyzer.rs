//! The analyzer on the real engine: from counted events to verdicts.

#[path = "analyzer/estimated.rs"]
mod estimated;
#[path = "analyzer/predicted.rs"]
mod predicted;
#[path = "analyzer/trends.rs"]
mod trends;
#[allow(dead_code, reason = "each test binary uses a part of the world")]
#[path = "analyzer/world.rs"]
mod world;

use world::{Flight, World, at, contract, minutes, ten_minutes};

const TEMP: &str = "feature.temp";
const WIND: &str = "feature.wind_speed";
const JFK: &str = "origin=JFK";

/// A healthy hour as the baseline, and a healthy hour after it.
async fn healthy_world() -> World {
    let mut world = World::new(contract(ten_minutes())).await;
    world.send(0, 120, 120, |_| ()).await;
    world.baseline("first", minutes(0, 60)).await;
    world
}

#[tokio::test]
async fn a_healthy_model_is_on_course() {
    let world = healthy_world().await;
    let mut analyzer = world.analyzer();
    let windows = world.pass(&mut analyzer, 120).await;
    assert_eq!(windows, 6);
    for signal in [TEMP, WIND, "prediction.score", "feature.origin"] {
        assert_eq!(world.verdicts("drift", signal, "").await, ["on_course"; 6], "{signal}");
    }
    let judged = world.judged().await;
    let alarms: Vec<_> = judged.iter().filter(|judged| judged.verdict.is_alarm()).collect();
    assert!(alarms.is_empty(), "{alarms:?}");
    let sentence = world.said("sentence", ["drift", TEMP, ""], 120).await;
    assert!(sentence.starts_with("temp is as usual; PSI 0.0"), "{sentence}");
}

#[tokio::test]
async fn a_null_collapse_at_one_airport_is_told_in_the_first_window() {
    let mut world = healthy_world().await;
    world
        .send(120, 130, 120, |flight| {
            if flight.origin == "JFK" {
                flight.temp = None;
            }
        })
        .await;
    world.send(130, 180, 120, |_| ()).await;
    let mut analyzer = world.analyzer();
    world.pass(&mut analyzer, 180).await;
    let told = world.said("verdict, severity, sentence", ["missing", TEMP, JFK], 130).await;
    assert!(
        told.starts_with("off_course\tpage\ttemp is missing in 100 % of events at origin=JFK, usually 0"),
        "{told}"
    );
    let whole = world.said("sentence", ["missing", TEMP, ""], 130).await;
    assert!(whole.contains("of it at origin=JFK"), "{whole}");
    let expected = ["off_course", "recovering", "recovering", "on_course"];
    assert_eq!(world.verdicts("missing", TEMP, JFK).await[..4], expected);
    let part: f64 = world
        .said("numbers['segment.origin=JFK']", ["missing", TEMP, ""], 130)
        .await
        .parse()
        .expect("a number");
    assert!(part > 0.95 && part < 1.05, "{part}");
}

#[tokio::test]
async fn a_changed_unit_is_named() {
    let mut world = healthy_world().await;
    world
        .send(120, 140, 120, |flight| {
            if flight.origin == "JFK" {
                flight.wind_speed = flight.wind_speed.map(|mph| 1.609_344 * mph);
            }
        })
        .await;
    let mut analyzer = world.analyzer();
    world.pass(&mut analyzer, 140).await;
    let told = world.said("verdict, sentence", ["drift", WIND, JFK], 140).await;
    let expected = "off_course\twind_speed at origin=JFK looks multiplied by 1.61 (mph to km/h, or miles to km?); mean 1";
    assert!(told.starts_with(expected), "{told}");
    let factor = world.said("numbers['unit_factor']", ["drift", WIND, JFK], 140).await;
    assert_eq!(factor, "1.609344");
    let elsewhere = world.said("verdict", ["drift", WIND, "origin=LGA"], 140).await;
    assert_eq!(elsewhere, "on_course");
}

#[tokio::test]
async fn a_season_is_a_ticket_that_says_what_it_did_to_the_prediction() {
    let mut world = healthy_world().await;
    world.send(120, 150, 120, |flight| flight.temp = flight.temp.map(|temp| temp + 6.0)).await;
    let mut analyzer = world.analyzer();
    world.pass(&mut analyzer, 150).await;
    let verdicts = world.verdicts("drift", TEMP, "").await;
    assert_eq!(verdicts[6..], ["suspect", "off_course", "off_course"]);
    let told = world.said("severity, sentence", ["drift", TEMP, ""], 150).await;
    assert!(told.starts_with("ticket\ttemp moved: mean 6"), "{told}");
    assert!(told.contains("; since 2026-03-02 02:00 UTC"), "{told}");
    let share: f64 =
        world.said("numbers['prediction_share']", ["drift", TEMP, ""], 150).await.parse().expect("a number");
    assert!(share > 0.8 && share < 1.2, "temp alone moves the score, and by all of its move: {share}");
    let severity = world.said("verdict, severity", ["drift", "prediction.score", ""], 150).await;
    assert_eq!(severity, "off_course\tticket", "nobody is paged for movement within the first days");
}

/// Everything that was said, in an order that does not depend on when it was said. For how many windows a subject has
/// been on course decides nothing and is not told again when earlier windows are.
async fn everything_said(world: &World, monitors: &str) -> Vec<String> {
    let statement = format!(
        "SELECT monitor, signal, segment, window_end, statistic, value, threshold, verdict, severity, \
                     if(verdict = 'on_course', 0, streak), since, sentence FROM evaluations FINAL WHERE watch = 'live' \
         AND match(monitor, '{monitors}') ORDER BY monitor, signal, segment, window_end"
    );
    tests::text(&world.store, &statement).await.lines().map(str::to_owned).collect()
}

/// Says which lines differ, rather than all of them.
fn assert_same(left: &[String], right: &[String]) {
    let only = |one: &[String], other: &[String]| -> Vec<String> {
        one.iter().filter(|line| !other.contains(line)).cloned().collect()
    };
    let (left_only, right_only) = (only(left, right), only(right, left));
    assert!(left_only.is_empty() && right_only.is_empty(), "{left_only:#?}\nand\n{right_only:#?}");
}

async fn eventful_world() -> World {
    let mut world = healthy_world().await;
    world
        .send(120, 145, 120, |flight| {
            if flight.origin == "LGA" {
                flight.temp = None;
            }
        })
        .await;
    world.send(145, 200, 120, |_| ()).await;
    world
}

#[tokio::test]
async fn a_restart_after_every_window_changes_nothing() {
    let (often, once) = (eventful_world().await, eventful_world().await);
    let mut windows = 0;
    for minute in (70..=200).step_by(10) {
        let mut analyzer = often.analyzer();
        windows += often.pass(&mut analyzer, minute).await;
    }
    let mut analyzer = once.analyzer();
    assert_eq!(once.pass(&mut analyzer, 200).await, windows);
    assert_same(&everything_said(&often, ".").await, &everything_said(&once, ".").await);
    let again = once.pass(&mut analyzer, 200).await;
    assert_eq!(again, 0, "what was judged is not judged again");
}

#[tokio::test]
async fn events_that_come_late_change_the_verdicts_that_they_would_have_changed() {
    let (mut late, mut punctual) = (healthy_world().await, healthy_world().await);
    late.send(120, 180, 120, |_| ()).await;
    let mut analyzer = late.analyzer();
    late.pass(&mut analyzer, 180).await;
    assert_eq!(late.verdicts("missing", TEMP, JFK).await, Vec::<String>::new());
    let broken = |flight: &mut Flight| (flight.origin, flight.temp) = ("JFK", None);
    late.send_late(125, 400, broken).await;
    late.pass(&mut analyzer, 185).await;
    punctual.send(120, 180, 120, |_| ()).await;
    punctual.send_late(125, 400, broken).await;
    punctual.pass(&mut punctual.analyzer(), 185).await;
    let verdicts = late.verdicts("missing", TEMP, JFK).await;
    assert_eq!(verdicts, ["off_course", "recovering", "recovering", "on_course"]);
    // Later windows whose verdicts stay are left as they were told, though what is usual for traffic changed a little.
    let data = "^(drift|missing|invalid|unseen)$";
    assert_same(&everything_said(&late, data).await, &everything_said(&punctual, data).await);
    assert_eq!(late.pass(&mut analyzer, 187).await, 0, "what was judged again stays judged");
}

#[tokio::test]
async fn too_few_rows_are_a_verdict_of_their_own() {
    let mut world = healthy_world().await;
    world.send(120, 130, 3, |flight| flight.temp = Some(200.0)).await;
    let mut analyzer = world.analyzer();
    world.pass(&mut analyzer, 130).await;
    let told = world.said("verdict, sentence", ["drift", TEMP, ""], 130).await;
    assert_eq!(told, "too_little_data\ttemp has too few values to compare; 30 of at least 200");
}

#[tokio::test]
async fn traffic_is_watched_before_there_is_a_baseline_and_drift_from_then_on() {
    let mut world = World::new(contract(ten_minutes())).await;
    world.send(0, 120, 120, |_| ()).await;
    let mut analyzer = world.analyzer();
    world.pass(&mut analyzer, 110).await;
    assert_eq!(world.verdicts("drift", TEMP, "").await.len(), 0);
    let traffic = world.verdicts("traffic", "", "").await;
    assert_eq!(traffic, ["too_little_data", "too_little_data", "too_little_data", "on_course", "on_course"]);
    world.baseline("first", minutes(0, 60)).await;
    world.pass(&mut analyzer, 120).await;
    assert_eq!(world.verdicts("drift", TEMP, "").await, ["on_course"]);
}

#[tokio::test]
async fn events_that_stop_are_a_page() {
    let world = healthy_world().await;
    let mut analyzer = world.analyzer();
    world.pass(&mut analyzer, 140).await;
    let told = world.said("verdict, severity, sentence", ["silence", "", ""], 130).await;
    assert!(
        told.starts_with("off_course\tpage\tno event for 10 min (last at 2026-03-02 01:59 UTC)"),
        "{told}"
    );
    assert_eq!(world.said("verdict", ["silence", "", ""], 120).await, "on_course");
}

#[tokio::test]
async fn a_history_is_judged_by_the_same_code_once_its_baseline_is_there() {
    let watch = domain::contract::Watch {
        history: true,
        until: Some(domain::contract::Rfc3339(at(120))),
        ..ten_minutes()
    };
    let mut world = World::new(contract(watch)).await;
    world.send(0, 180, 120, |_| ()).await;
    let mut analyzer = world.analyzer();
    assert_eq!(world.pass(&mut analyzer, 100_000).await, 0, "there is no baseline yet");
    world.baseline("first", minutes(0, 60)).await;
    assert_eq!(world.pass(&mut analyzer, 100_001).await, 6, "no window after the stated end is looked at");
    assert_eq!(world.verdicts("drift", TEMP, "").await, ["on_course"; 6]);
}

#[tokio::test]
async fn the_last_window_of_a_history_is_judged_after_the_outcomes_of_those_before_it() {
    let watch = domain::contract::Watch {
        history: true,
        until: Some(domain::contract::Rfc3339(at(120))),
        ..ten_minutes()
    };
    let mut world = World::new(contract(watch)).await;
    world.send(0, 130, 120, |_| ()).await;
    world.outcomes(minutes(0, 130), at(135), 1.0, |score| score).await;
    world.baseline("first", minutes(0, 60)).await;
    world.pass(&mut world.analyzer(), 140).await;
    // What stands in the last window of a watch is over for whoever tells people, so nothing may be told of earlier ones then.
    let order = format!(
        "SELECT uniqExactIf(window_end, monitor = 'performance'), maxIf(evaluated_at, monitor = 'performance' AND window_end < last) \
         < minIf(evaluated_at, monitor = 'drift' AND window_end = last) FROM \
         (SELECT monitor, window_end, evaluated_at, fromUnixTimestamp64Milli({}) AS last FROM evaluations FINAL)",
        at(120).millis()
    );
    assert_eq!(tests::text(&world.store, &order).await, "6\t1");
}

#[tokio::test]
async fn a_model_whose_outcomes_get_worse_is_a_page_once_they_have_come() {
    let mut world = healthy_world().await;
    world.send(120, 160, 120, |_| ()).await;
    world.outcomes(minutes(0, 120), at(125), 0.95, |score| score).await;
    world.baseline("first", minutes(0, 60)).await;
    let mut analyzer = world.analyzer();
    world.pass(&mut analyzer, 165).await;
    let judged = "SELECT window_end, verdict FROM evaluations FINAL WHERE monitor = 'performance' \
                  AND statistic = 'auc_fall' ORDER BY window_end";
    let before = tests::text(&world.store, judged).await;
    assert_eq!(before.lines().count(), 6, "windows whose outcomes have not come wait:\n{before}");
    assert!(before.lines().all(|line| line.ends_with("on_course")), "{before}");
    world.outcomes(minutes(120, 160), at(165), 0.95, |_| 0.5).await;
    world.pass(&mut analyzer, 170).await;
    let told = world.said("verdict, severity, sentence", ["performance", "prediction.score", ""], 150).await;
    assert!(told.starts_with("off_course\tpage\tAUC is 0."), "{told}");
    assert!(told.contains(" % of 1,200 predictions known; since 2026-03-02 02:00 UTC"), "{told}");
    let estimated = "SELECT count(), min(value) > 0.6, max(standard_error) < 0.05 FROM performance_hours FINAL \
                     WHERE metric = 'auc_estimated'";
    let estimated = tests::text(&world.store, estimated).await;
    assert_eq!(estimated.trim(), "2\t1\t1", "the closed hours are estimated, whatever comes of them");
    let hours = "SELECT round(value, 2), predictions, labelled > 0.9 * predictions FROM performance_hours FINAL \
                 WHERE metric = 'auc' ORDER BY hour";
    let hours = tests::text(&world.store, hours).await;
    let hours: Vec<&str> = hours.lines().collect();
    assert_eq!(hours.len(), 3, "{hours:?}");
    assert!(hours[0].ends_with("\t7200\t1") && hours[2].starts_with("0.5"), "{hours:?}");
}

#[tokio::test]
async fn the_analyzer_says_every_minute_how_far_it_is_behind() {
    let world = healthy_world().await;
    let mut analyzer = world.analyzer();
    world.pass(&mut analyzer, 119).await;
    world.pass(&mut analyzer, 120).await;
    let beats = "SELECT watch, statistic, value, verdict, severity FROM evaluations FINAL WHERE model = 'leeway' ORDER BY window_end";
    let beats = tests::text(&world.store, beats).await;
    assert_eq!(beats.lines().collect::<Vec<_>>(), ["analyzer\tseconds_behind\t0\ton_course\tpage"; 2]);
}

#[tokio::test]
async fn the_role_judges_until_it_is_stopped() {
    let world = healthy_world().await;
    world.clock.set(at(121));
    let stopper = world.context.stopper.clone();
    let config = analyzer::Config { listen: String::new(), ..analyzer::Config::default() };
    let role =
        tokio::spawn(analyzer::run(config, world.context.clone(), world.store.clone(), axum::Router::new()));
    tests::eventually("six windows are judged", async || world.verdicts("drift", TEMP, "").await.len() == 6)
        .await;
    tests::eventually("it is ready", async || world.context.health.problems().is_empty()).await;
    stopper.cancel();
    role.await.expect("no panic").expect("it ends without an error");
}
