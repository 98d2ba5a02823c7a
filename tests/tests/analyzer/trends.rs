//! What moves slowly, on the real engine: a month of days, a slope, a step and a loss that comes by and by.

use std::time::Duration;

use domain::contract::Watch;
use domain::time::{DAY, HOUR};

use crate::world::{MODEL, World, at, contract, minutes, ten_minutes};

const DAYS: i64 = 28;
const FLIGHTS: u32 = 400;
/// One minute of each day has flights.
const NOON: i64 = 720;

fn daily() -> Watch {
    Watch { window_s: DAY.as_secs(), step_s: DAY.as_secs(), ..ten_minutes() }
}

/// The score rises from the first day, a part of the wind's values is gone from the eighteenth, and the score says less
/// and less about what comes.
async fn slow_world() -> World {
    let mut world = World::new(contract(daily())).await;
    world.send(0, 60, 120, |_| ()).await;
    world.outcomes(minutes(0, 60), at(60), 0.95, |score| score).await;
    world.baseline("first", minutes(0, 60)).await;
    for day in 1..=DAYS {
        let minute = 1_440 * day + NOON;
        let mut counted = std::cell::Cell::new(0);
        world
            .send(minute, minute + 1, FLIGHTS, |flight| {
                let place = counted.get();
                counted.set(place + 1);
                flight.temp = flight.temp.map(|temp| temp + 0.3 * day as f64);
                if day >= 18 && u32::is_multiple_of(place, 12) {
                    flight.wind_speed = None;
                }
            })
            .await;
        assert_eq!(*counted.get_mut(), FLIGHTS);
        let lost = day as f64 / DAYS as f64;
        let chance = |score: f64| (1.0 - lost) * score + lost * 0.5;
        world.outcomes(minutes(minute, minute + 1), at(minute + 60), 0.95, chance).await;
    }
    world
}

/// One column of what was said on the last day.
async fn said(world: &World, column: &str, signal: &str) -> String {
    let statement = format!(
        "SELECT {column} FROM evaluations FINAL WHERE model = '{MODEL}' AND watch = 'trend' AND monitor = 'trend' \
         AND signal = '{signal}' ORDER BY window_end DESC LIMIT 1"
    );
    tests::text(&world.store, &statement).await
}

#[tokio::test]
async fn what_moves_slowly_is_a_ticket_that_says_since_when_and_how_fast() {
    let world = slow_world().await;
    let mut analyzer = world.analyzer();
    let minute_of = |day: i64| 1_440 * day + 70;
    world.pass(&mut analyzer, minute_of(DAYS)).await;
    world.pass(&mut analyzer, minute_of(DAYS + 1)).await;

    let score = said(&world, "verdict, severity, sentence", "prediction.score").await;
    assert!(
        score.starts_with("off_course\tticket\tthe mean of prediction score has risen by 0.00"),
        "{score}"
    );
    assert!(score.contains(" a day since 2026-03-0") && score.contains("a slope, not a step"), "{score}");

    let wind = said(&world, "verdict, severity, sentence", "feature.wind_speed").await;
    let step = "off_course\tticket\tthe share of events without wind_speed rose by 8";
    assert!(wind.starts_with(step), "{wind}");
    assert!(wind.contains(" on 2026-03-20; a step, not a slope: 0 % before, 8"), "{wind}");

    let auc = said(&world, "verdict, severity, sentence", "").await;
    // Its hours are known from the second day on, so one day has spoken.
    assert!(auc.starts_with("suspect\tticket\tthe "), "{auc}");
    assert!(auc.contains(" a day since 2026-03-"), "{auc}");
    let origin = said(&world, "verdict", "feature.origin").await;
    assert!(origin.is_empty() || origin.starts_with("on_course"), "what stays says nothing: {origin}");
}

#[tokio::test]
async fn a_day_is_looked_at_once_whoever_asks_and_a_restart_goes_on() {
    let world = slow_world().await;
    let minute = 1_440 * DAYS + 70;
    world.pass(&mut world.analyzer(), minute).await;
    let rows = "SELECT count() FROM evaluations WHERE watch = 'trend'";
    let once = tests::text(&world.store, rows).await;
    assert_ne!(once.trim(), "0");
    let mut restarted = world.analyzer();
    world.pass(&mut restarted, minute + 60).await;
    assert_eq!(tests::text(&world.store, rows).await, once, "the day was looked at before the restart");
    world.pass(&mut restarted, minute + 1_440).await;
    let verdict = said(&world, "verdict, window_end", "prediction.score").await;
    assert!(verdict.starts_with("off_course\t2026-03-31 00:00:00"), "{verdict}");
    // A model that no longer speaks has no new days.
    let later = minute + 3 * 1_440;
    world.clock.set(at(later).saturating_add(Duration::from_secs(HOUR.as_secs())));
    world.pass(&mut restarted, later).await;
    assert_eq!(said(&world, "verdict, window_end", "prediction.score").await, verdict);
}
