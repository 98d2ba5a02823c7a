//! How predictions that are no single score are judged once outcomes come: numbers, classes, ranked lists, and groups of
//! people.

use domain::contract::{Contract, Fairness, Ranking};
use domain::grid::{Bins, Edges, Grid, Levels};
use domain::time::Instant;
use rand::RngExt;

use crate::world::{Came, Flight, MODEL, World, at, contract, minutes, ten_minutes};

const CLASSES: [&str; 3] = ["early", "late", "on_time"];
const DECISION: &str = "prediction.decision";

const DELAY: &str = "prediction.delay";

/// Predicts a number that varies as the temperature does.
fn forecast(flight: &mut Flight) {
    flight.numbers.push((DELAY, 100.0 + flight.temp.unwrap_or(55.0)));
}

/// What comes is off by as much as `most`, to either side alike.
async fn delays_come(world: &mut World, from: i64, to: i64, most: f64) {
    world
        .outcomes_by(minutes(from, to), at(to + 5), "numbers['prediction.delay']", |told, random| {
            let told: f64 = told.parse().expect("a number");
            let came = told + most * (2.0 * random.random::<f64>() - 1.0);
            Came { numbers: vec![("outcome.delay".to_owned(), came)], ..Came::default() }
        })
        .await;
}

#[tokio::test]
async fn numbers_are_measured_by_the_hour_and_are_a_page_when_they_are_farther_off() {
    let contract = Contract { prediction: "delay".to_owned(), ..contract(ten_minutes()) };
    let mut world = World::new(contract).await;
    let edges = Edges::of_sample((0..5_000).map(|n| 120.0 + f64::from(n) / 70.0).collect());
    world.count(Grid::new(MODEL, DELAY, Instant::EPOCH, Bins::Numbers(edges))).await;
    world.send(0, 160, 120, forecast).await;
    delays_come(&mut world, 0, 120, 6.0).await;
    world.baseline("first", minutes(0, 60)).await;
    let mut analyzer = world.analyzer();
    world.pass(&mut analyzer, 125).await;
    delays_come(&mut world, 120, 160, 12.0).await;
    world.pass(&mut analyzer, 170).await;
    let hours = "SELECT metric, round(value, 2) AS value, standard_error > 0 AND standard_error < 0.1, predictions, labelled \
                 FROM performance_hours FINAL WHERE hour = (SELECT min(hour) FROM performance_hours) ORDER BY metric";
    let hours = tests::text(&world.store, hours).await;
    let mut found = Vec::new();
    for line in hours.lines() {
        let parts: Vec<&str> = line.split('\t').collect();
        assert_eq!(parts[2..], ["1", "7200", "7200"], "{hours}");
        found.push((parts[0], parts[1].parse::<f64>().expect("a number")));
    }
    // Uniform over ±6: mean size 3, mean square 12; the outcomes' variance is 144 and that.
    let expected = [("bias", 0.0), ("mae", 3.0), ("mape", 0.02), ("r2", 0.92), ("rmse", 3.46)];
    for ((metric, value), (name, expected)) in found.iter().zip(expected) {
        assert!(*metric == name && (value - expected).abs() < 0.15, "{hours}");
    }
    assert_eq!(found.len(), expected.len(), "{hours}");
    let subject = ["performance", DELAY, ""];
    assert_eq!(world.said("verdict, statistic", subject, 120).await.trim(), "on_course\tmae_rise");
    let told = world.said("verdict, severity, sentence", subject, 150).await;
    assert!(told.starts_with("off_course\tpage\tmean absolute error is "), "{told}");
    assert!(told.contains(", usually "), "{told}");
}

/// Predicts one of three classes with a chance between 0.5 and 0.9.
fn classify(flight: &mut Flight) {
    let temp = flight.temp.unwrap_or(55.0).abs();
    let class = temp as usize % 3;
    let best = 0.5 + 0.4 * temp.fract();
    flight.categories.push((DECISION, CLASSES[class].to_owned()));
    let names = ["prediction.chance.early", "prediction.chance.late", "prediction.chance.on_time"];
    let chances = names.into_iter().enumerate();
    let chance = |place: usize| if place == class { best } else { (1.0 - best) / 2.0 };
    flight.numbers.extend(chances.map(|(place, name)| (name, chance(place))));
}

/// The class that was told comes with the chance that `chance` makes of the one told.
async fn classes_come(world: &mut World, from: i64, to: i64, chance: impl Fn(f64) -> f64) {
    let column = "concat(categories['prediction.decision'], ' ', \
                  toString(numbers[concat('prediction.chance.', categories['prediction.decision'])]))";
    world
        .outcomes_by(minutes(from, to), at(to + 5), column, |held, random| {
            let (told, best) = held.split_once(' ').expect("a class and its chance");
            let others: Vec<&str> = CLASSES.into_iter().filter(|class| *class != told).collect();
            let is_right = random.random_bool(chance(best.parse().expect("a chance")));
            let class = if is_right { told } else { others[random.random_range(0..2)] };
            Came { categories: vec![("outcome.decision".to_owned(), class.to_owned())], ..Came::default() }
        })
        .await;
}

#[tokio::test]
async fn the_accuracy_of_classes_is_estimated_until_it_has_been_wrong_twice() {
    let contract = Contract { prediction: "decision".to_owned(), ..contract(ten_minutes()) };
    let mut world = World::new(contract).await;
    let levels = Levels::of(CLASSES.map(str::to_owned));
    world.count(Grid::new(MODEL, DECISION, Instant::EPOCH, Bins::Categories(levels))).await;
    world.send(0, 160, 120, classify).await;
    classes_come(&mut world, 0, 120, |best| best).await;
    world.baseline("first", minutes(0, 60)).await;
    let mut analyzer = world.analyzer();
    world.pass(&mut analyzer, 165).await;
    let estimated = "SELECT metric, round(value, 1), standard_error < 0.02, predictions FROM performance_hours FINAL \
                     WHERE endsWith(metric, '_estimated') ORDER BY metric, hour";
    let estimated = tests::text(&world.store, estimated).await;
    let expected = ["accuracy_estimated\t0.7", "accuracy_estimated\t0.7", "auc_estimated", "auc_estimated"];
    for (line, expected) in estimated.lines().zip(expected) {
        assert!(line.starts_with(expected) && line.ends_with("\t1\t7200"), "{estimated}");
    }
    assert_eq!(estimated.lines().count(), 6, "two hours and three metrics:\n{estimated}");
    let realised = "SELECT metric, round(value, 1), standard_error > 0, labelled FROM performance_hours FINAL \
                    WHERE hour = (SELECT min(hour) FROM performance_hours) AND NOT endsWith(metric, '_estimated') \
                    ORDER BY metric";
    let realised = tests::text(&world.store, realised).await;
    let expected = [
        "accuracy\t0.7\t1\t7200",
        "auc\t0.",
        "brier\t0.4\t1\t7200",
        "calibration_error\t0\t0\t7200",
        "calibration_error_by_chance\t0\t0\t7200",
        "f1_macro\t0.7\t1\t7200",
        "f1_weighted\t0.7\t1\t7200",
        "log_loss\t0.8\t1\t7200",
        "recall_macro\t0.7\t1\t7200",
    ];
    assert_eq!(realised.lines().count(), expected.len(), "{realised}");
    assert!(realised.lines().zip(expected).all(|(line, expected)| line.starts_with(expected)), "{realised}");
    let subject = ["performance", DECISION, ""];
    let told = "verdict, round(numbers['accuracy_estimated'], 1), round(numbers['accuracy_current'], 1)";
    assert_eq!(world.said(told, subject, 120).await.trim(), "on_course\t0.7\t0.7");

    classes_come(&mut world, 120, 160, |_| 0.34).await;
    world.pass(&mut analyzer, 170).await;
    let is_estimated = "verdict, mapContains(numbers, 'accuracy_estimated')";
    let said = [
        world.said(is_estimated, subject, 130).await,
        world.said(is_estimated, subject, 140).await,
        world.said(is_estimated, subject, 160).await,
    ];
    assert!(said[0].trim().ends_with("\t1"), "one wrong window may be chance: {said:?}");
    assert_eq!(said[1].trim(), "off_course\t0", "two are none: {said:?}");
    assert_eq!(said[2].trim(), "off_course\t0", "and it stays hidden: {said:?}");
    let told = world
        .said("verdict, severity, statistic, sentence", ["performance", "outcome.decision", ""], 140)
        .await;
    assert!(told.starts_with("off_course\tpage\tf1_macro_fall\tmacro F1 is 0.3"), "{told}");
}

/// Shows five of fifty items, those of a flight's own corner first.
fn rank(flight: &mut Flight) {
    let corner = flight.wind_speed.unwrap_or(0.0) as usize % 10;
    flight.lists.push(("prediction.items", (0..5).map(|place| format!("B{}", 5 * corner + place)).collect()));
}

/// The item wanted is the first that was shown with a chance, else one that was not shown at all.
async fn items_are_chosen(world: &mut World, from: i64, to: i64, chance: f64) {
    world
        .outcomes_by(minutes(from, to), at(to + 5), "lists['prediction.items'][1]", |first, random| {
            let item = if random.random_bool(chance) { first } else { "B99" };
            let numbers = [(format!("outcome.items.{item}"), 1.0), ("outcome.items.length".to_owned(), 1.0)];
            Came { numbers: numbers.to_vec(), ..Came::default() }
        })
        .await;
}

#[tokio::test]
async fn ranked_lists_are_measured_by_the_hour_and_are_a_page_when_they_get_worse() {
    let contract = Contract {
        prediction: "items".to_owned(),
        ranking: Ranking { places: 5, catalogue: Some(100) },
        ..contract(ten_minutes())
    };
    let mut world = World::new(contract).await;
    world.send(0, 160, 120, rank).await;
    items_are_chosen(&mut world, 0, 120, 0.8).await;
    world.baseline("first", minutes(0, 60)).await;
    let mut analyzer = world.analyzer();
    world.pass(&mut analyzer, 125).await;
    items_are_chosen(&mut world, 120, 160, 0.5).await;
    world.pass(&mut analyzer, 170).await;
    let hours = "SELECT metric, round(value, 1), standard_error > 0, predictions, labelled FROM performance_hours FINAL \
                 WHERE hour = (SELECT min(hour) FROM performance_hours) AND metric != 'exposure_inequality' ORDER BY metric";
    let hours = tests::text(&world.store, hours).await;
    let expected = [
        "coverage\t0.5\t0\t7200\t7200",
        "diversity\t",
        "hit_rate\t0.8\t1\t7200\t7200",
        "map\t0.8\t1\t7200\t7200",
        "mrr\t0.8\t1\t7200\t7200",
        "ndcg\t0.8\t1\t7200\t7200",
        "precision\t0.2\t1\t7200\t7200",
    ];
    assert_eq!(hours.lines().count(), expected.len(), "{hours}");
    assert!(hours.lines().zip(expected).all(|(line, expected)| line.starts_with(expected)), "{hours}");
    let subject = ["performance", "prediction.items", ""];
    assert_eq!(world.said("verdict, statistic", subject, 120).await.trim(), "on_course\tndcg_fall");
    let told = world.said("verdict, severity, sentence", subject, 150).await;
    assert!(told.starts_with("off_course\tpage\tNDCG is 0."), "{told}");
    assert!(
        told.contains(", usually 0.") && told.contains("; outcomes of 100 % of 1,200 predictions known"),
        "{told}"
    );
}

#[tokio::test]
async fn a_group_that_is_selected_less_is_told_before_any_outcome_has_come() {
    let fairness = Fairness { dimensions: vec!["origin".to_owned()], most_gap: 0.1 };
    let mut world = World::new(Contract { fairness, ..contract(ten_minutes()) }).await;
    world.send(0, 180, 120, |_| ()).await;
    world
        .send(180, 300, 120, |flight| {
            if flight.origin == "JFK" {
                flight.temp = flight.temp.map(|temp| temp - 20.0);
            }
        })
        .await;
    world.baseline("first", minutes(0, 60)).await;
    let mut analyzer = world.analyzer();
    world.pass(&mut analyzer, 300).await;
    let at_jfk = ["selection", "prediction.score", "origin=JFK"];
    let fair = world.said("verdict, numbers['selection_gap_rate'] > 0.25", at_jfk, 180).await;
    assert_eq!(fair.trim(), "on_course\t1");
    let told = world.said("verdict, severity, statistic, sentence", at_jfk, 300).await;
    let expected = "off_course\tticket\tselection_gap\torigin=JFK: a yes is predicted for ";
    assert!(told.starts_with(expected) && told.contains("; apart by −3"), "{told}");
    assert_eq!(world.verdicts("fairness", "prediction.score", "origin=JFK").await, Vec::<String>::new());
    let none = tests::text(&world.store, "SELECT count() FROM outcomes").await;
    assert_eq!(none.trim(), "0", "no outcome was waited for");
}

#[tokio::test]
async fn a_group_that_is_told_wrong_more_than_the_contract_allows_is_a_ticket() {
    let fairness = Fairness { dimensions: vec!["origin".to_owned()], most_gap: 0.1 };
    let mut world = World::new(Contract { fairness, ..contract(ten_minutes()) }).await;
    world.send(0, 120, 120, |_| ()).await;
    let colder = |flight: &mut Flight| {
        if flight.origin == "JFK" {
            flight.temp = flight.temp.map(|temp| temp - 20.0);
        }
    };
    world.send(120, 160, 120, colder).await;
    world.outcomes(minutes(0, 160), at(165), 0.95, |score| score).await;
    world.baseline("first", minutes(0, 60)).await;
    let mut analyzer = world.analyzer();
    world.pass(&mut analyzer, 170).await;
    let at_jfk = ["fairness", "prediction.score", "origin=JFK"];
    assert_eq!(world.said("verdict", at_jfk, 120).await.trim(), "on_course");
    let told = world.said("verdict, severity, statistic, sentence", at_jfk, 150).await;
    assert!(told.starts_with("off_course\tticket\t"), "{told}");
    assert!(told.contains("origin=JFK: a yes is predicted") && told.contains("; apart by −"), "{told}");
    assert!(told.contains(", outcomes of 9") && told.contains(" predictions known"), "{told}");
    let groups = "SELECT segment, metric, value > 0.3, value < 0.45, standard_error > 0, labelled > 0.9 * predictions \
                  FROM performance_hours FINAL WHERE hour = (SELECT min(hour) FROM performance_hours) \
                  AND metric = 'selection_rate' ORDER BY segment";
    let groups = tests::text(&world.store, groups).await;
    let expected = ["EWR", "JFK", "LGA"].map(|origin| format!("origin={origin}\tselection_rate\t1\t1\t1\t1"));
    assert_eq!(groups.lines().collect::<Vec<_>>(), expected);
    let gaps = "SELECT metric, value < 0.1, standard_error > 0 FROM performance_hours FINAL \
                WHERE hour = (SELECT min(hour) FROM performance_hours) AND segment = 'origin' ORDER BY metric";
    let gaps = tests::text(&world.store, gaps).await;
    assert_eq!(
        gaps.lines().collect::<Vec<_>>(),
        ["odds_gap\t1\t1", "opportunity_gap\t1\t1", "selection_gap\t1\t1"]
    );
    let all = "SELECT count() FROM performance_hours FINAL WHERE metric = 'auc' AND segment = ''";
    assert_eq!(tests::text(&world.store, all).await.trim(), "3", "the whole model's hours stay as they were");
}
