//! Why an incident came about: a known cause is found first, with where, since when and what else changed.

use std::cell::Cell;
use std::collections::BTreeMap;

use domain::contract::{Against, DEFAULT_ENVIRONMENT, Rfc3339, Watch};
use domain::evaluation::{Cause, Monitor, Severity, Subject};
use domain::grid::{Bins, Grid, Levels};
use domain::incident::{EventKind, Finding, IncidentEvent};
use domain::time::Instant;
use domain::why::Why;
use sql::changes::Change;

use crate::world::{Flight, MODEL, World, at, contract, minutes, ten_minutes};

const TEMP: &str = "feature.temp";
const WIND: &str = "feature.wind_speed";
const SCORE: &str = "prediction.score";
const CARRIERS: [&str; 3] = ["AA", "UA", "DL"];

/// Flights of three carriers, a healthy hour as the baseline and another one after it.
async fn world() -> (World, impl Fn(&mut Flight)) {
    let mut world = World::new(contract(ten_minutes())).await;
    let carriers = Levels::of(CARRIERS.map(str::to_owned));
    let grid = Grid::new(MODEL, "feature.carrier", Instant::EPOCH, Bins::Categories(carriers));
    world.count(grid).await;
    let turn = Cell::new(0_usize);
    let with_carrier = move |flight: &mut Flight| {
        turn.set(turn.get() + 1);
        flight.categories.push(("feature.carrier", CARRIERS[turn.get() % 3].to_owned()));
    };
    world.send(0, 120, 120, &with_carrier).await;
    world.baseline("first", minutes(0, 60)).await;
    (world, with_carrier)
}

/// An incident as the alerter opens it, about a subject that the analyzer found off course.
async fn incident(
    world: &World,
    monitor: Monitor,
    signal: &str,
    segment: &str,
    minute: i64,
) -> IncidentEvent {
    let told = world.said("verdict, statistic, sentence", [monitor.name(), signal, segment], minute).await;
    let parts: Vec<&str> = told.split('\t').collect();
    assert!(["suspect", "off_course"].contains(&parts[0]), "{told}");
    let mut opened = opened(monitor, [signal, segment], [120, minute]);
    let finding = &mut opened.findings[0];
    (finding.statistic, finding.sentence) = (parts[1].to_owned(), parts[2].to_owned());
    opened
}

/// An incident about a subject that is off course since a minute.
fn opened(monitor: Monitor, [signal, segment]: [&str; 2], [since, minute]: [i64; 2]) -> IncidentEvent {
    let finding = Finding {
        subject: Subject {
            model: MODEL.to_owned(),
            environment: DEFAULT_ENVIRONMENT.to_owned(),
            watch: "live".to_owned(),
            monitor,
            signal: signal.to_owned(),
            segment: segment.to_owned(),
        },
        severity: Severity::Page,
        since: at(since),
        window_end: at(minute),
        statistic: "psi".to_owned(),
        value: 1.0,
        threshold: 0.1,
        n_current: 1_000,
        sentence: format!("{signal} moved"),
        standing: true,
    };
    IncidentEvent {
        incident: "7f3c".to_owned(),
        sequence: 1,
        kind: EventKind::Opened,
        model: MODEL.to_owned(),
        environment: DEFAULT_ENVIRONMENT.to_owned(),
        cause: Cause::of(monitor),
        severity: Severity::Page,
        at: at(minute),
        recorded_at: at(minute),
        since: at(since),
        actor: "leeway".to_owned(),
        reason: String::new(),
        title: "something is off course".to_owned(),
        findings: vec![finding],
        until: None,
        action: String::new(),
    }
}

fn change(id: &str, minute: i64, model: &str, title: &str) -> Change {
    Change {
        id: id.to_owned(),
        at: at(minute),
        model: model.to_owned(),
        environment: DEFAULT_ENVIRONMENT.to_owned(),
        kind: "deployment".to_owned(),
        title: title.to_owned(),
        detail: String::new(),
        actor: "ci".to_owned(),
        link: String::new(),
    }
}

async fn why(world: &World, opened: IncidentEvent, minute: i64) -> Why {
    world.store.write_incident_events(&[opened]).await.expect("the incident is stored");
    let mut analyzer = world.analyzer();
    world.pass(&mut analyzer, minute + 1).await;
    world.store.causes_of("7f3c").await.expect("the store answers").expect("causes were worked out")
}

#[tokio::test]
async fn a_known_cause_in_one_segment_of_two_dimensions_is_found_first() {
    let (mut world, with_carrier) = world().await;
    for (from, to, windy) in [(120, 150, false), (150, 170, true)] {
        world
            .send(from, to, 240, |flight| {
                with_carrier(flight);
                let is_broken = flight.origin == "JFK" && flight.categories[0].1 == "AA";
                if is_broken {
                    flight.temp = flight.temp.map(|temp| temp + 25.0);
                }
                if windy {
                    flight.wind_speed = flight.wind_speed.map(|wind| 2.0 * wind);
                }
            })
            .await;
    }
    let changes = [
        change("c1", 20, MODEL, "an old deployment"),
        change("c2", 115, MODEL, "weather-feed 4.2"),
        change("c3", 140, MODEL, "a deployment after it began"),
        change("c4", 116, "another model", "somebody else's"),
    ];
    world.store.write_changes(&changes).await.expect("the changes are stored");
    world.pass(&mut world.analyzer(), 170).await;
    let opened = incident(&world, Monitor::Drift, TEMP, "origin=JFK", 170).await;
    let why = why(&world, opened, 170).await;

    let temp = &why.signals[0];
    assert_eq!(temp.signal, TEMP, "{:#?}", why.signals);
    assert!(temp.part_of_move.is_some_and(|part| part > 0.7 && part < 1.3), "{temp:?}");
    assert!((temp.mix.unwrap_or(0.0) + temp.within.unwrap_or(0.0)) > 0.0, "{temp:?}");
    assert_eq!((temp.segment.as_str(), temp.changed_at, temp.is_after), ("origin=JFK", Some(at(120)), false));
    let wind = why.signals.iter().find(|signal| signal.signal == WIND).expect("wind moved as well");
    assert_eq!((wind.changed_at, wind.is_after), (Some(at(150)), true), "{wind:?}");
    assert!(wind.sentence.contains("after the prediction did: no cause"), "{}", wind.sentence);
    assert!(why.signals.last().is_some_and(|signal| signal.signal == SCORE && signal.is_consequence));

    let measure = why.measure.expect("the prediction moved");
    assert_eq!((measure.name.as_str(), measure.is_split), ("mean of prediction score", true));
    let expected = BTreeMap::from(
        [("origin", "JFK"), ("carrier", "AA")].map(|(one, other)| (one.to_owned(), other.to_owned())),
    );
    let first = &why.segments[0];
    assert_eq!(first.values, expected, "{:#?}", why.segments);
    assert!(first.part > 0.8 && first.part < 1.2 && first.within > first.mix && first.z > 4.0, "{first:?}");
    assert!((first.support - 1.0 / 9.0).abs() < 0.02 && first.p < 1e-4, "{first:?}");

    let titles: Vec<&str> = why.changes.iter().map(|change| change.title.as_str()).collect();
    assert_eq!(titles, ["weather-feed 4.2", "an old deployment", "a deployment after it began"]);
    assert_eq!(why.changes[0].before_s, 300);
    assert!(
        why.sentence.starts_with("temp moved")
            && why.sentence.ends_with("5 min before it began: weather-feed 4.2 (deployment)"),
        "{}",
        why.sentence
    );
    assert_eq!(why.examples.len(), 5);
    assert!(
        why.examples.iter().all(|one| one.categories["feature.origin"] == "JFK" && one.numbers[TEMP] > 60.0),
        "{:?}",
        why.examples
    );
    assert!(
        temp.link.starts_with("/models/flights/production/signals/feature.temp?from=2026-03-02T01:10:00"),
        "{}",
        temp.link
    );
    assert!(temp.link.ends_with("&segment=origin%3DJFK"), "{}", temp.link);
}

#[tokio::test]
async fn a_version_that_appeared_and_a_feature_that_became_old_stand_among_what_changed() {
    let mut world = World::new(contract(ten_minutes())).await;
    world.count(Grid::of_duration(MODEL, "age_s.temp", &[3_600.0])).await;
    let with = |version: &'static str, age_s: f64, warmer: f64| {
        move |flight: &mut Flight| {
            flight.version = version;
            flight.numbers.push(("age_s.temp", age_s));
            flight.temp = flight.temp.map(|temp| temp + warmer);
        }
    };
    world.send(0, 115, 120, with("1", 60.0, 0.0)).await;
    world.baseline("first", minutes(0, 60)).await;
    world.send(115, 120, 120, with("2", 60.0, 0.0)).await;
    world.send(120, 150, 120, with("2", 7_200.0, 25.0)).await;
    world.pass(&mut world.analyzer(), 150).await;
    let opened = incident(&world, Monitor::Drift, TEMP, "", 150).await;
    let why = why(&world, opened, 150).await;
    let found: Vec<(&str, &str, Instant)> =
        why.changes.iter().map(|change| (change.kind.as_str(), change.title.as_str(), change.at)).collect();
    let expected = [("freshness", "temp became older", at(120)), ("version", "version 2 appeared", at(115))];
    assert_eq!(found, expected, "the first version of all is no change: {:#?}", why.changes);
    assert_eq!(why.changes[0].detail, "2 h old when it is used, usually 60 s");
}

#[tokio::test]
async fn a_null_collapse_is_told_with_where_it_is() {
    let (mut world, with_carrier) = world().await;
    world
        .send(120, 150, 120, |flight| {
            with_carrier(flight);
            if flight.origin == "LGA" {
                flight.temp = None;
            }
        })
        .await;
    world.pass(&mut world.analyzer(), 150).await;
    let opened = incident(&world, Monitor::Missing, TEMP, "origin=LGA", 150).await;
    let why = why(&world, opened, 150).await;
    let temp = &why.signals[0];
    assert_eq!((temp.signal.as_str(), temp.segment.as_str()), (TEMP, "origin=LGA"), "{:#?}", why.signals);
    assert!(temp.missing_rise > 0.3 && temp.segment_part > 0.95, "{temp:?}");
    assert_eq!(temp.changed_at, Some(at(120)));
    assert!(why.sentence.starts_with("temp is null or no number in 33 % of events"), "{}", why.sentence);
    assert_eq!(why.segments[0].values, BTreeMap::from([("origin".to_owned(), "LGA".to_owned())]));
    assert!((why.segments[0].current - 1.0).abs() < 1e-9, "{:?}", why.segments[0]);
    assert!(why.examples.iter().all(|one| !one.numbers.contains_key(TEMP)), "{:?}", why.examples);
}

#[tokio::test]
async fn a_challenger_is_explained_against_the_champion_in_the_same_minutes() {
    let against = Some(Against::Version { version: "1".to_owned() });
    let mut world = World::new(contract(Watch { against, ..ten_minutes() })).await;
    let turn = Cell::new(0_usize);
    let of_both = |flight: &mut Flight| {
        turn.set(turn.get() + 1);
        flight.version = if turn.get().is_multiple_of(2) { "1" } else { "2" };
    };
    world.send(0, 120, 240, of_both).await;
    // From now on it is warmer everywhere, which both versions see; at JFK the challenger misreads it.
    world
        .send(120, 170, 240, |flight| {
            of_both(flight);
            let misread = if flight.version == "2" && flight.origin == "JFK" { 25.0 } else { 0.0 };
            flight.temp = flight.temp.map(|temp| temp + 5.0 + misread);
        })
        .await;
    world.pass(&mut world.analyzer(), 170).await;
    let opened = incident(&world, Monitor::Drift, TEMP, "origin=JFK", 170).await;
    let why = why(&world, opened, 170).await;
    let temp = &why.signals[0];
    assert_eq!((temp.signal.as_str(), temp.segment.as_str()), (TEMP, "origin=JFK"), "{:#?}", why.signals);
    let first = &why.segments[0];
    let expected = BTreeMap::from([("origin".to_owned(), "JFK".to_owned())]);
    assert_eq!(first.values, expected, "the version is no segment here: {:#?}", why.segments);
    assert!(first.part > 0.8 && first.part < 1.2 && first.within > first.mix, "{first:?}");
    assert!((first.support - 1.0 / 3.0).abs() < 0.05, "{first:?}");
    assert_eq!(why.baseline, "version 1");
}

/// At this hour of the week it is always warm, which the first hour of all does not know: what is unusual is the wind at JFK.
#[tokio::test]
async fn an_hour_is_explained_against_the_same_hours_of_the_weeks_before() {
    const WEEK: i64 = 7 * 24 * 60;
    let watch = Watch { from: Some(Rfc3339(at(3 * WEEK))), ..ten_minutes() };
    let mut world = World::new(contract(Watch { baseline: "initial".to_owned(), ..watch })).await;
    world.send(60, 120, 240, |_| ()).await;
    world.baseline("initial", minutes(60, 120)).await;
    let warm = |flight: &mut Flight| flight.temp = flight.temp.map(|temp| temp + 20.0);
    for week in 0..3 {
        world.send(week * WEEK, week * WEEK + 60, 240, warm).await;
    }
    let now = 3 * WEEK;
    world
        .send(now, now + 60, 240, |flight| {
            warm(flight);
            if flight.origin == "JFK" {
                flight.wind_speed = flight.wind_speed.map(|wind| 2.0 * wind);
            }
        })
        .await;
    let opened = opened(Monitor::Drift, [WIND, "origin=JFK"], [now, now + 60]);
    let why = why(&world, opened, now + 60).await;
    assert_eq!(why.baseline, "the same hours of 4 weeks");
    assert_eq!(why.signals[0].signal, WIND, "{:#?}", why.signals);
    assert!(why.signals.iter().all(|one| one.signal != TEMP || one.psi < 0.01), "{:#?}", why.signals);
    let first = why.segments.first().expect("it is split by the raw events of a week ago");
    assert_eq!(
        first.values,
        BTreeMap::from([("origin".to_owned(), "JFK".to_owned())]),
        "{:#?}",
        why.segments
    );
    assert!(first.part > 0.8 && first.within > first.mix, "{first:?}");
}

#[tokio::test]
async fn fewer_events_are_attributed_to_the_segment_that_stopped() {
    let (mut world, with_carrier) = world().await;
    let events = Cell::new(0_usize);
    world
        .send(120, 150, 40, |flight| {
            with_carrier(flight);
            events.set(events.get() + 1);
            flight.origin = if events.get().is_multiple_of(2) { "LGA" } else { "EWR" };
        })
        .await;
    world.pass(&mut world.analyzer(), 150).await;
    let opened = incident(&world, Monitor::Traffic, "", "", 130).await;
    let why = why(&world, opened, 150).await;
    assert_eq!(why.window, minutes(120, 130));
    let stopped = &why.segments[0];
    assert_eq!(
        stopped.values,
        BTreeMap::from([("origin".to_owned(), "JFK".to_owned())]),
        "{:#?}",
        why.segments
    );
    assert!(stopped.current == 0.0 && stopped.part > 0.4 && stopped.z < -10.0, "{stopped:?}");
}

#[tokio::test]
async fn what_is_known_holds_until_the_incident_has_grown_and_is_worked_out_then() {
    let (mut world, with_carrier) = world().await;
    world
        .send(120, 190, 120, |flight| {
            with_carrier(flight);
            flight.temp = None;
        })
        .await;
    world.pass(&mut world.analyzer(), 150).await;
    let opened = incident(&world, Monitor::Missing, TEMP, "", 150).await;
    let mut grown = IncidentEvent { sequence: 2, kind: EventKind::Updated, ..opened.clone() };
    let first = why(&world, opened, 150).await;
    let mut analyzer = world.analyzer();
    world.pass(&mut analyzer, 165).await;
    let still = world.store.causes_of("7f3c").await.expect("the store answers").expect("still known");
    assert_eq!(still, first, "it has not grown");
    (grown.recorded_at, grown.at) = (at(170), at(170));
    grown.findings[0].window_end = at(170);
    world.store.write_incident_events(&[grown]).await.expect("stored");
    world.pass(&mut analyzer, 175).await;
    let again = world.store.causes_of("7f3c").await.expect("the store answers").expect("known");
    assert!(again.computed_at > first.computed_at && again.window.end == at(170), "{again:?}");
}
