//! Objectives: budgets that burn fast are pages at once, slowly burning ones are tickets.

use domain::contract::{Contract, LatencyObjective, Objectives, SignalTerms};
use domain::grid::Grid;

use crate::world::{MODEL, World, contract, minutes, ten_minutes};

async fn world_with(objectives: Objectives) -> World {
    let contract = Contract { objectives, ..contract(ten_minutes()) };
    let mut world = World::new(contract).await;
    world.send(0, 120, 120, |_| ()).await;
    world.baseline("first", minutes(0, 60)).await;
    world
}

async fn number(world: &World, name: &str, subject: [&str; 3], minute: i64) -> f64 {
    let said = world.said(&format!("numbers['{name}']"), subject, minute).await;
    said.parse().unwrap_or_else(|_| panic!("{name} of {subject:?} is {said:?}"))
}

#[tokio::test]
async fn a_budget_that_burns_fast_is_a_page_in_its_first_window_and_over_when_the_short_windows_are_good() {
    let mut world = world_with(Objectives { availability: Some(0.99), ..Objectives::default() }).await;
    world.send(120, 130, 120, |flight| flight.error = true).await;
    world.send(130, 190, 120, |_| ()).await;
    world.pass(&mut world.analyzer(), 190).await;
    let told = world.said("verdict, severity, statistic, sentence", ["errors", "", ""], 130).await;
    assert!(told.starts_with("off_course\tpage\tburn_rate\tfailed in 17 %: budget burns 16."), "{told}");
    assert!(
        told.contains("; 7,200 predictions over 60 min (1 % allowed)")
            && told.contains("the budget of 30 days is overspent"),
        "{told}"
    );
    let left = number(&world, "budget_left", ["errors", "", ""], 130).await;
    assert!((left + 6.8).abs() < 0.3, "1,200 of the 156 bad events that 15,600 may have: {left}");
    let verdicts = world.verdicts("errors", "", "").await;
    assert_eq!(verdicts[6..9], ["off_course"; 3], "the half hour of the second rule still holds the outage");
    assert_eq!(verdicts[9..], ["recovering", "recovering", "on_course", "on_course"]);
}

#[tokio::test]
async fn a_budget_that_burns_slowly_is_a_ticket() {
    let mut world = world_with(Objectives { availability: Some(0.99), ..Objectives::default() }).await;
    world.pass(&mut world.analyzer(), 120).await;
    assert_eq!(
        world.verdicts("slow_burn", "", "").await,
        Vec::<String>::new(),
        "what is well leaves no rows"
    );
    let sent = std::cell::Cell::new(0);
    world
        .send(120, 300, 120, |flight| {
            sent.set(sent.get() + 1);
            flight.error = sent.get() % 18 == 0;
        })
        .await;
    world.pass(&mut world.analyzer(), 300).await;
    let told = world.said("verdict, severity, sentence", ["slow_burn", "", ""], 300).await;
    assert!(told.starts_with("off_course\tticket\tfailed in 3.") && told.contains("over 24 h"), "{told}");
    let fast = world.verdicts("errors", "", "").await;
    assert!(fast.iter().all(|verdict| verdict == "on_course"), "{fast:?}");
}

#[tokio::test]
async fn slow_answers_burn_the_budget_of_latency_and_percentiles_have_intervals() {
    let latency = Some(LatencyObjective { limit_ms: 50.0, target: 0.99 });
    let mut world = world_with(Objectives { latency, ..Objectives::default() }).await;
    world.send(120, 140, 120, |flight| flight.latency_ms = 80.0).await;
    world.pass(&mut world.analyzer(), 140).await;
    let told = world.said("verdict, severity, sentence", ["latency", "latency_ms", ""], 140).await;
    assert!(told.starts_with("off_course\tpage\ttook longer than 50 ms in 33 %: budget burns"), "{told}");
    let subject = ["latency", "latency_ms", ""];
    let [low, p95, high] = [
        number(&world, "p95_low_ms", subject, 120).await,
        number(&world, "p95_ms", subject, 120).await,
        number(&world, "p95_high_ms", subject, 120).await,
    ];
    assert!(low <= 29.5 && (29.0..=31.5).contains(&p95) && p95 <= high, "{low} {p95} {high}");
}

#[tokio::test]
async fn a_feature_that_is_too_old_or_has_no_time_burns_the_budget_of_freshness() {
    let contract = Contract {
        objectives: Objectives { freshness: Some(0.99), ..Objectives::default() },
        freshness_s: [("spend".to_owned(), 60.0)].into(),
        ..contract(ten_minutes())
    };
    let mut world = World::new(contract).await;
    world.count(Grid::of_duration(MODEL, "age_s.spend", &[60.0])).await;
    world.send(0, 120, 120, |flight| flight.numbers.push(("age_s.spend", 12.0))).await;
    world.baseline("first", minutes(0, 60)).await;
    world.send(120, 130, 120, |flight| flight.numbers.push(("age_s.spend", 300.0))).await;
    world.send(130, 140, 120, |_| ()).await;
    world.pass(&mut world.analyzer(), 140).await;
    let old = world.said("verdict, severity, sentence", ["freshness", "age_s.spend", ""], 130).await;
    assert!(old.starts_with("off_course\tpage\tspend is older than 60 s in 17 %: budget burns"), "{old}");
    let without = world.said("verdict, sentence", ["freshness", "age_s.spend", ""], 140).await;
    assert!(without.starts_with("off_course\tspend is older than 60 s in 33 %: budget burns"), "{without}");
    assert_eq!(world.verdicts("staleness", "age_s.spend", "").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_signal_that_breaks_the_contract_burns_the_budget_of_quality() {
    let terms = SignalTerms { greatest: Some(150.0), ..SignalTerms::default() };
    let contract = Contract {
        objectives: Objectives { quality: Some(0.99), ..Objectives::default() },
        signals: [("temp".to_owned(), terms.clone()), ("wind_speed".to_owned(), terms)].into(),
        ..contract(ten_minutes())
    };
    let mut world = World::new(contract).await;
    world.send(0, 120, 120, |_| ()).await;
    world.baseline("first", minutes(0, 60)).await;
    world.send(120, 130, 120, |flight| flight.breaks.push("temp.range")).await;
    world.send(130, 190, 120, |_| ()).await;
    world.pass(&mut world.analyzer(), 190).await;
    let temp = ["quality", "feature.temp", ""];
    let told = world.said("verdict, severity, sentence", temp, 130).await;
    assert!(
        told.starts_with("off_course\tpage\ttemp breaks the contract in 17 %: budget burns 16."),
        "{told}"
    );
    let left = number(&world, "budget_left", temp, 130).await;
    assert!((left + 6.7).abs() < 0.1, "1,200 of the 156 bad events that 15,600 may have: {left}");
    assert_eq!(world.said("verdict", temp, 190).await, "on_course");
    assert_eq!(world.said("verdict", ["quality", "feature.wind_speed", ""], 130).await, "on_course");
}

#[tokio::test]
async fn a_watch_that_looks_once_a_day_judges_the_share_in_its_window() {
    let watch =
        domain::contract::Watch { window_s: 3 * 3_600, step_s: 3 * 3_600, from: None, ..ten_minutes() };
    let objectives = Objectives { availability: Some(0.99), ..Objectives::default() };
    let contract = Contract { objectives, ..contract(watch) };
    let mut world = World::new(contract).await;
    world.send(0, 170, 120, |_| ()).await;
    world.send(170, 180, 120, |flight| flight.error = true).await;
    world.baseline("first", minutes(0, 60)).await;
    world.pass(&mut world.analyzer(), 180).await;
    let told = world.said("statistic, sentence", ["errors", "", ""], 180).await;
    assert!(told.starts_with("error_share\t5.6 % of 21,600 predictions failed (1 % are allowed)"), "{told}");
}
