//! What a title says.

use super::*;

#[test]
fn a_title_says_what_where_and_since_when() {
    let courses = [
        course(Monitor::Missing, TEMP, "origin=JFK", "............!!"),
        course(Monitor::Drift, WIND, "", "............!!"),
        course(Monitor::Missing, WIND, "", "............!!"),
    ];
    let titles: Vec<String> = story(&courses).into_iter().map(|event| event.title).collect();
    assert_eq!(titles, ["temp is missing at origin = JFK (and 1 more signal) since 06:40 UTC, 21 November"]);
}

#[test]
fn a_title_speaks_of_the_worst_also_when_it_gets_better() {
    let missing = |n, value: f64, verdict| {
        let mut evaluation = evaluation(subject(Monitor::Missing, TEMP, "origin=JFK"), verdict, 0, n);
        evaluation.value = value;
        evaluation.severity = Severity::of(Monitor::Missing, TEMP, value, Basis::Learned);
        evaluation
    };
    let mut incidents = Incidents::new(rules());
    let mut titles = Vec::new();
    let windows = [(0.049, Verdict::OffCourse), (1.0, Verdict::OffCourse), (0.4, Verdict::Recovering)];
    for (n, (value, verdict)) in (0..).zip(windows.into_iter().chain([(0.002, Verdict::OnCourse)])) {
        let events = incidents.take(vec![missing(n, value, verdict)], now(n));
        titles.extend(
            events
                .into_iter()
                .map(|event| (event.kind, event.title.split(" since").next().unwrap_or("").to_owned())),
        );
    }
    let at = |what: &str| format!("temp is {what} at origin = JFK");
    let expected = [
        (EventKind::Opened, at("missing in 4.9 % of events")),
        (EventKind::Escalated, at("missing")),
        (EventKind::Resolved, at("missing")),
    ];
    assert_eq!(titles, expected);
}

#[test]
fn a_title_says_when_it_looks_like_another_unit_also_after_a_restart() {
    let slipped = |n, factor: f64, offset: f64| {
        let mut evaluation =
            evaluation(subject(Monitor::Drift, WIND, "origin=JFK"), Verdict::OffCourse, 0, n);
        evaluation.numbers.insert("unit_factor".to_owned(), factor);
        evaluation.numbers.insert("unit_offset".to_owned(), offset);
        evaluation
    };
    let title = |factor, offset| {
        let opened = Incidents::new(rules()).take(vec![slipped(0, factor, offset)], now(0));
        opened[0].title.split(" at ").next().unwrap_or_default().to_owned()
    };
    assert_eq!(title(1.609_344, 0.0), "wind_speed reads 1.6 times too high");
    assert_eq!(title(0.01, 0.0), "wind_speed reads 1 % of what it should");
    assert_eq!(title(1.8, 32.0), "wind_speed reads in another unit");

    let score = evaluation(subject(Monitor::Drift, SCORE, ""), Verdict::OffCourse, 0, 0);
    let opened = Incidents::new(rules()).take(vec![score, slipped(0, 1.609_344, 0.0)], now(0));
    assert!(
        opened[0]
            .title
            .starts_with("wind_speed reads 1.6 times too high at origin = JFK (and 1 more signal) since"),
        "{}",
        opened[0].title
    );

    let mut incidents = Incidents::new(rules());
    let opened = incidents.take(vec![slipped(0, 1.609_344, 0.0)], now(0));
    let mut after = resumed(&opened);
    assert_eq!(after.take(vec![slipped(0, 1.609_344, 0.0)], now(0)), []);
    assert_eq!(
        after.open().next().and_then(|case| case.data_fault()),
        Some("values look like another unit of the same thing")
    );
}

#[test]
fn forty_thousand_alarms_at_once_are_one_incident_that_tells_of_the_worst() {
    let alarms = (0..40_000).map(|signal| {
        let monitor = if signal == 39_999 { Monitor::Missing } else { Monitor::Drift };
        evaluation(subject(monitor, &format!("feature.f{signal:05}"), ""), Verdict::OffCourse, 0, 0)
    });
    let events = Incidents::new(rules()).take(alarms.collect(), now(0));
    assert_eq!(kinds(&events), [EventKind::Opened]);
    assert_eq!(events[0].findings.len(), super::super::case::MOST_FINDINGS);
    assert_eq!(events[0].findings[0].subject.signal, "feature.f39999", "the only page");
}
