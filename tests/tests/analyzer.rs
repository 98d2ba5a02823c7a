//! The analyzer on the real engine: from counted events to verdicts.

mod analyzer {
    pub mod world;
}

use analyzer::world::{World, at, contract, minutes, ten_minutes};

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
    assert!(sentence.starts_with("temp is as in the baseline: PSI 0.0"), "{sentence}");
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
    assert!(told.starts_with("off_course\tpage\ttemp is null in 100 % of"), "{told}");
    assert!(told.contains("at origin=JFK (0"), "{told}");
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
