//! How events arrive: silences against those of the same time of day, and windows that are not complete yet.

use std::time::Duration;

use domain::contract::Watch;
use domain::evaluation::Monitor;
use domain::time::MINUTE;
use sql::evaluations::Judged;

use crate::world::{World, at, contract, minutes, ten_minutes};

const DAY: i64 = 1_440;

fn hourly() -> Watch {
    Watch { window_s: 3_600, step_s: 3_600, from: None, ..ten_minutes() }
}

#[tokio::test]
async fn a_night_without_events_is_no_fault_and_a_silent_noon_is_a_page() {
    const DAYS: i64 = 4;
    let mut world = World::new(contract(hourly())).await;
    for day in 0..=DAYS {
        let (opens, closes) = (day * DAY + 6 * 60, day * DAY + 22 * 60);
        let closes = if day == DAYS { day * DAY + 12 * 60 } else { closes };
        world.send(opens, closes, 2, |_| ()).await;
    }
    let config = analyzer::Config { first_days: 30, ..analyzer::Config::default() };
    let mut analyzer = analyzer::Analyzer::new(config, world.context.clone(), world.store.clone());
    world.pass(&mut analyzer, DAYS * DAY + 14 * 60).await;
    let judged = world.judged().await;
    let silent: Vec<_> = judged.iter().filter(|judged| judged.monitor == Monitor::Silence).collect();
    let is_noon = |judged: &Judged| judged.window_end > at(DAYS * DAY + 12 * 60);
    assert!(silent.len() > 40, "{}", silent.len());
    let alarms = silent.iter().filter(|judged| judged.verdict.is_alarm() && !is_noon(judged));
    let last = alarms.map(|judged| judged.window_end).max();
    assert!(last < Some(at(DAY + 8 * 60)), "only of the first night nobody knew that it is silent: {last:?}");
    let noon = world.said("verdict, severity, sentence", ["silence", "", ""], DAYS * DAY + 13 * 60).await;
    assert!(noon.starts_with("off_course\tpage\tno event for 60 min"), "{noon}");
    let gap = world.said("numbers['usual_gap_s']", ["silence", "", ""], DAYS * DAY + 13 * 60).await;
    assert_eq!(gap, "30", "two events a minute at noon of the days before");
}

/// A third of the events arrive at once, the rest twenty minutes later.
async fn world_with_late_events() -> World {
    let mut world = World::new(contract(ten_minutes())).await;
    world.send(0, 130, 40, |_| ()).await;
    world.baseline("first", minutes(0, 60)).await;
    world
}

#[tokio::test]
async fn a_fresh_window_is_compared_with_what_earlier_ones_had_after_the_same_delay() {
    let mut world = world_with_late_events().await;
    world.send_received(0, 120, 80, 20 * MINUTE).await;
    let mut analyzer = world.analyzer();
    world.pass(&mut analyzer, 130).await;
    let told = world.said("verdict, round(numbers['complete'], 1)", ["traffic", "", ""], 130).await;
    assert_eq!(told, "on_course\t0.3");
}

#[tokio::test]
async fn many_more_events_than_usual_are_a_ticket() {
    let mut world = World::new(contract(ten_minutes())).await;
    world.send(0, 240, 40, |_| ()).await;
    world.baseline("first", minutes(0, 60)).await;
    world.send(240, 250, 400, |_| ()).await;
    let mut analyzer = world.analyzer();
    world.pass(&mut analyzer, 250).await;
    let told = world.said("verdict, severity, sentence", ["traffic", "", ""], 250).await;
    let expected = "off_course\tticket\t4,000 events came, 10 times more than the usual 400";
    assert!(told.starts_with(expected), "{told}");
}

#[tokio::test]
async fn what_never_came_late_is_low() {
    let mut world = world_with_late_events().await;
    world.send_received(0, 120, 80, Duration::ZERO).await;
    let mut analyzer = world.analyzer();
    world.pass(&mut analyzer, 130).await;
    let told = world.said("verdict, severity, sentence", ["traffic", "", ""], 130).await;
    assert!(
        told.starts_with("suspect\tticket\t400 events came, 3 times fewer than the usual 1,200"),
        "{told}"
    );
}
