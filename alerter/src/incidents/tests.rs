//! The state machine as a table of what windows say and what becomes of it, and its laws.

use proptest::prelude::*;

use domain::action::{Action, ActionKind};
use domain::evaluation::{Evaluation, Monitor, Severity, Subject, Verdict};
use domain::incident::{EventKind, IncidentEvent, fold};
use domain::time::{HOUR, Instant};

use super::samples::{at, evaluation, rules, subject};
use super::{Incidents, LEEWAY, in_order_of_opening};

const TEMP: &str = "feature.temp";
const WIND: &str = "feature.wind_speed";
const SCORE: &str = "prediction.score";

/// What a watch says of a subject from one window to another, one letter a window, as the analyzer would judge:
/// `.` on course, `!` off course, `*` off course by as much as the window's number says, `~` recovering, ` ` nothing.
struct Course {
    subject: Subject,
    verdicts: &'static str,
}

fn course(monitor: Monitor, signal: &str, segment: &str, verdicts: &'static str) -> Course {
    Course { subject: subject(monitor, signal, segment), verdicts }
}

impl Course {
    fn at(&self, n: u32) -> Option<Evaluation> {
        let letters = self.verdicts.as_bytes();
        let verdict = match letters.get(n as usize)? {
            b'!' | b'*' => Verdict::OffCourse,
            b'~' => Verdict::Recovering,
            b'.' => Verdict::OnCourse,
            _ => return None,
        };
        let run = letters[..=n as usize].iter().rev().take_while(|letter| **letter != b'.').count() as u32;
        let mut evaluation = evaluation(self.subject.clone(), verdict, (n + 1).saturating_sub(run.max(1)), n);
        if letters[n as usize] == b'*' {
            evaluation.value = 0.2 * f64::from((n * 7 + 3) % 11 + 1);
            evaluation.severity =
                Severity::of(evaluation.subject.monitor, &evaluation.subject.signal, evaluation.value);
        }
        Some(evaluation)
    }
}

/// A moment after the evaluations of window `n` were written.
fn now(n: u32) -> Instant {
    at(n).saturating_add(std::time::Duration::from_secs(31))
}

fn window(courses: &[Course], n: u32) -> Vec<Evaluation> {
    courses.iter().filter_map(|course| course.at(n)).collect()
}

/// Runs windows `0..n` one by one.
fn sail(incidents: &mut Incidents, courses: &[Course], windows: std::ops::Range<u32>) -> Vec<IncidentEvent> {
    windows.flat_map(|n| incidents.take(window(courses, n), now(n))).collect()
}

fn story(courses: &[Course]) -> Vec<IncidentEvent> {
    let windows = courses.iter().map(|course| course.verdicts.len()).max().unwrap_or(0) as u32;
    sail(&mut Incidents::new(rules()), courses, 0..windows)
}

/// `3 opened, 7 resolved`: what happened in which window, one line an incident.
fn lines(events: &[IncidentEvent]) -> Vec<String> {
    let number = |instant: Instant| instant.since(at(0)).as_secs() / 300;
    let incidents = fold(events);
    let of = |id: &str| {
        let events = events.iter().filter(|event| event.incident == id);
        events.map(|event| format!("{} {}", number(event.at), event.kind)).collect::<Vec<_>>().join(", ")
    };
    incidents.iter().map(|incident| of(&incident.id)).collect()
}

#[test]
fn windows_and_what_becomes_of_them() {
    use Monitor::{Drift, Missing, Silence, Unseen};
    let cases: Vec<(&str, Vec<Course>, Vec<&str>)> = vec![
        ("nothing is wrong", vec![course(Drift, TEMP, "", "......")], vec![]),
        (
            "one signal goes off course and comes back",
            vec![course(Drift, TEMP, "", "..!!~~.")],
            vec!["2 opened, 6 resolved"],
        ),
        (
            "two signals at once are one incident, over when both are",
            vec![course(Drift, TEMP, "", ".!!.."), course(Drift, WIND, "", ".!!!!.")],
            vec!["1 opened, 4 updated, 5 resolved"],
        ),
        (
            "a later signal joins while its onset is near",
            vec![course(Drift, TEMP, "", ".!!!!!!!!!!."), course(Drift, WIND, "", "...!!!!!!!!.")],
            vec!["1 opened, 4 updated, 11 resolved"],
        ),
        (
            "a signal that begins much later is an incident of its own",
            vec![
                course(Drift, TEMP, "", "!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!"),
                course(Drift, WIND, "", "...............................!!!!!!."),
            ],
            vec!["0 opened", "31 opened, 37 resolved"],
        ),
        (
            "the same signal in a segment belongs to the whole, however late",
            vec![
                course(Drift, TEMP, "", "!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!"),
                course(Drift, TEMP, "origin=JFK", "...............................!!!!!!!"),
            ],
            vec!["0 opened, 31 updated"],
        ),
        (
            "a prediction that moves makes a page of a ticket",
            vec![course(Drift, TEMP, "", ".!!!!."), course(Drift, SCORE, "", "..!!!.")],
            vec!["1 opened, 2 escalated, 5 resolved"],
        ),
        (
            "the drift of what is missing is no news",
            vec![course(Missing, TEMP, "", ".!!!!!."), course(Drift, TEMP, "", "..!!!..")],
            vec!["1 opened, 6 resolved"],
        ),
        (
            "where no events come, what the last of them say is no news",
            vec![course(Silence, "", "", ".!!!."), course(Drift, TEMP, "", "..!!.")],
            vec!["1 opened, 4 resolved"],
        ),
        (
            "what still stands when events come again is",
            vec![course(Silence, "", "", ".!!.."), course(Drift, TEMP, "", "..!!!!.")],
            vec!["1 opened, 3 resolved", "3 opened, 6 resolved"],
        ),
        (
            "too little data changes nothing",
            vec![course(Unseen, TEMP, "", "!!   !!.")],
            vec!["0 opened, 7 resolved"],
        ),
        (
            "off course again is another incident",
            vec![course(Drift, TEMP, "", "!!..!!.")],
            vec!["0 opened, 2 resolved", "4 opened, 6 resolved"],
        ),
    ];
    for (what, courses, expected) in cases {
        assert_eq!(lines(&story(&courses)), expected, "{what}");
    }
}

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
        evaluation.severity = Severity::of(Monitor::Missing, TEMP, value);
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
    assert_eq!(events[0].findings.len(), super::case::MOST_FINDINGS);
    assert_eq!(events[0].findings[0].subject.signal, "feature.f39999", "the only page");
}

fn action(id: &str, kind: ActionKind, incident: &str, n: u32) -> Action {
    Action {
        id: id.to_owned(),
        incident: incident.to_owned(),
        kind,
        actor: "ann".to_owned(),
        reason: "I look at it".to_owned(),
        until: Some(now(n).saturating_add(HOUR)),
        payload: "{\"status\": \"failed\", \"detail\": \"out of memory\"}".to_owned(),
        asked_at: now(n),
    }
}

fn kinds(events: &[IncidentEvent]) -> Vec<EventKind> {
    events.iter().map(|event| event.kind).collect()
}

/// An incident that stands, and what one action makes of it.
fn standing() -> (Incidents, String, [Course; 1]) {
    let courses = [course(Monitor::Drift, TEMP, "", "!!!!!!!!!!!!!!!!..!!")];
    let mut incidents = Incidents::new(rules());
    let opened = sail(&mut incidents, &courses, 0..3);
    (incidents, opened[0].incident.clone(), courses)
}

#[test]
fn an_action_is_carried_out_once_with_who_and_why() {
    let (mut incidents, id, _) = standing();
    let events = incidents.act(&action("a", ActionKind::Acknowledge, &id, 3), now(3));
    assert_eq!(kinds(&events), [EventKind::Acknowledged]);
    assert_eq!((events[0].actor.as_str(), events[0].reason.as_str()), ("ann", "I look at it"));
    assert_eq!(events[0].action, "a");
    assert_eq!(incidents.act(&action("a", ActionKind::Acknowledge, &id, 3), now(4)), []);
    assert_eq!(incidents.act(&action("b", ActionKind::Acknowledge, &id, 4), now(4)), []);
    assert_eq!(incidents.act(&action("c", ActionKind::Acknowledge, "unknown", 4), now(4)), []);
}

#[test]
fn what_a_person_closed_stays_closed_until_it_was_over() {
    for kind in [ActionKind::Resolve, ActionKind::MarkFalse] {
        let (mut incidents, id, courses) = standing();
        let events = incidents.act(&action("a", kind, &id, 3), now(3));
        assert_eq!(events.last().map(|event| event.kind), Some(EventKind::Resolved));
        assert_eq!(sail(&mut incidents, &courses, 3..18), [], "the same run of windows");
        let again = sail(&mut incidents, &courses, 18..20);
        assert_eq!(kinds(&again), [EventKind::Opened]);
        assert_ne!(again[0].incident, id);
    }
}

#[test]
fn a_silence_ends_by_itself_and_says_so_once() {
    let (mut incidents, id, _) = standing();
    let events = incidents.act(&action("a", ActionKind::Silence, &id, 3), now(3));
    assert_eq!(kinds(&events), [EventKind::Silenced]);
    assert_eq!(incidents.end_silences(now(14)), []);
    let ended = incidents.end_silences(now(15));
    assert_eq!(kinds(&ended), [EventKind::Unsilenced]);
    assert_eq!(ended[0].actor, LEEWAY);
    assert_eq!(incidents.end_silences(now(16)), []);

    incidents.act(&action("b", ActionKind::Silence, &id, 17), now(17));
    incidents.act(&action("c", ActionKind::Resolve, &id, 18), now(18));
    assert_eq!(incidents.act(&action("d", ActionKind::Unsilence, &id, 19), now(19)), [], "it is over");
    assert_eq!(incidents.end_silences(now(40)), []);
}

#[test]
fn a_report_of_a_retraining_job_stands_in_the_timeline() {
    let (mut incidents, id, _) = standing();
    let events = incidents.act(&action("a", ActionKind::RetrainingReport, &id, 3), now(3));
    assert_eq!(kinds(&events), [EventKind::RetrainingReported]);
    assert_eq!(events[0].reason, "failed: out of memory");
    let nonsense = Action {
        payload: "{\"status\": \"tired\"}".to_owned(),
        ..action("b", ActionKind::RetrainingReport, &id, 3)
    };
    assert_eq!(incidents.act(&nonsense, now(3)), []);
}

#[test]
fn a_subject_that_nobody_judges_any_more_is_let_go() {
    let day = std::time::Duration::from_secs(86_400);
    let mut incidents = Incidents::new(rules());
    let gone = evaluation(subject(Monitor::Drift, TEMP, ""), Verdict::OffCourse, 0, 0);
    assert_eq!(kinds(&incidents.take(vec![gone], now(0))), [EventKind::Opened]);
    let other = |days: u32| {
        let mut evaluation = evaluation(subject(Monitor::Drift, WIND, ""), Verdict::OnCourse, 0, 0);
        evaluation.window.end = evaluation.window.end.saturating_add(day * days);
        evaluation.window.start = evaluation.window.start.saturating_add(day * days);
        evaluation
    };
    assert_eq!(incidents.take(vec![other(6)], now(0)), []);
    let resolved = incidents.take(vec![other(7)], now(0));
    assert_eq!(kinds(&resolved), [EventKind::Resolved]);
    assert_eq!(resolved[0].reason, "what was left of it is no longer looked at");
}

#[test]
fn what_is_found_late_and_still_stands_is_said_when_the_present_is_reached() {
    let courses = [course(Monitor::Drift, TEMP, "", "!!!!!!")];
    let mut incidents = Incidents::new(rules());
    let present = at(3).saturating_add(6 * HOUR);
    let events: Vec<IncidentEvent> =
        (0..6).flat_map(|n| incidents.take(window(&courses, n), present)).collect();
    assert_eq!(kinds(&events), [EventKind::Opened, EventKind::Updated]);
    assert_eq!(events[1].at, at(3), "the first window of which people are told");
}

#[test]
fn a_page_stays_a_page() {
    let courses = [course(Monitor::Drift, TEMP, "", "!!!!!"), course(Monitor::Drift, SCORE, "", "!!...")];
    let mut incidents = Incidents::new(rules());
    sail(&mut incidents, &courses, 0..5);
    assert!(incidents.open().all(|case| case.incident.severity == Severity::Page));
}

/// Courses of a handful of subjects over some windows.
fn courses() -> impl Strategy<Value = Vec<(Subject, Vec<u8>)>> {
    let letters =
        prop_oneof![3 => Just(b'!'), 2 => Just(b'*'), 3 => Just(b'.'), 1 => Just(b'~'), 1 => Just(b' ')];
    // Runs, as there are in life: each letter stands for a few windows.
    let runs = prop::collection::vec((letters, 1_usize..8), 1..8);
    let verdicts = runs.prop_map(|runs| {
        runs.into_iter().flat_map(|(letter, length)| std::iter::repeat_n(letter, length)).collect::<Vec<u8>>()
    });
    let subjects = [
        subject(Monitor::Drift, TEMP, ""),
        subject(Monitor::Drift, TEMP, "origin=JFK"),
        subject(Monitor::Missing, TEMP, ""),
        subject(Monitor::Drift, WIND, ""),
        subject(Monitor::Drift, SCORE, ""),
        subject(Monitor::Silence, "", ""),
        subject(Monitor::Errors, "", ""),
    ];
    prop::collection::vec(verdicts, subjects.len())
        .prop_map(move |verdicts| subjects.iter().cloned().zip(verdicts).collect())
}

fn leak(courses: Vec<(Subject, Vec<u8>)>) -> Vec<Course> {
    let text = |verdicts: Vec<u8>| String::from_utf8(verdicts).expect("letters").leak() as &'static str;
    courses.into_iter().map(|(subject, verdicts)| Course { subject, verdicts: text(verdicts) }).collect()
}

/// What the next process knows: the events as the store gives them, each incident's together.
fn resumed(events: &[IncidentEvent]) -> Incidents {
    let mut incidents = Incidents::new(rules());
    let mut stored = events.to_vec();
    stored.sort_by(|one, other| (&one.incident, one.sequence).cmp(&(&other.incident, other.sequence)));
    in_order_of_opening(&stored).iter().for_each(|event| incidents.apply(event));
    incidents
}

/// The first window that the next process reads again.
fn read_again_from(incidents: &Incidents) -> u32 {
    let ends = incidents.marks().into_iter().map(|mark| mark.window_end).min();
    ends.map_or(0, |end| (end.since(at(0)).as_secs() / 300) as u32)
}

fn without_recording(events: &[IncidentEvent]) -> Vec<IncidentEvent> {
    let forget = |event: &IncidentEvent| IncidentEvent { recorded_at: Instant::EPOCH, ..event.clone() };
    events.iter().map(forget).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn a_replay_comes_to_the_same_events(courses in courses()) {
        let courses = leak(courses);
        prop_assert_eq!(story(&courses), story(&courses));
    }

    #[test]
    fn taking_everything_again_changes_nothing(courses in courses()) {
        let courses = leak(courses);
        let mut incidents = Incidents::new(rules());
        sail(&mut incidents, &courses, 0..60);
        prop_assert_eq!(sail(&mut incidents, &courses, 0..60), vec![]);
    }

    #[test]
    fn a_restart_at_any_point_changes_nothing(courses in courses(), stop in 0_u32..60) {
        let courses = leak(courses);
        let whole = story(&courses);
        let before = sail(&mut Incidents::new(rules()), &courses, 0..stop);
        // The next process reads again from long before, and then goes on.
        let mut after = resumed(&before);
        let repeated = sail(&mut after, &courses, 0..stop);
        prop_assert_eq!(&repeated, &vec![], "what was said before is not said again");
        let rest = sail(&mut after, &courses, stop..60);
        let all = [before, rest].concat();
        prop_assert_eq!(without_recording(&all), without_recording(&whole));
    }

    #[test]
    fn it_is_enough_to_read_again_from_the_marks(courses in courses(), stop in 0_u32..60, act in any::<bool>()) {
        let courses = leak(courses);
        let mut before = Incidents::new(rules());
        let mut written = sail(&mut before, &courses, 0..stop);
        let open: Vec<String> = before.open().map(|case| case.incident.id.clone()).collect();
        for id in open.iter().filter(|_| act) {
            written.extend(before.act(&action("a", ActionKind::Acknowledge, id, stop), now(stop)));
        }
        let mut after = resumed(&written);
        let from = read_again_from(&after);
        let repeated = sail(&mut after, &courses, from..stop);
        prop_assert_eq!(repeated, vec![]);
        let (expected, rest) = (sail(&mut before, &courses, stop..60), sail(&mut after, &courses, stop..60));
        prop_assert_eq!(rest, expected);
    }

    #[test]
    fn batches_of_any_size_come_to_the_same_events(courses in courses(), size in 1_u32..20) {
        let courses = leak(courses);
        let whole = story(&courses);
        let mut incidents = Incidents::new(rules());
        let mut batched = Vec::new();
        for first in (0..60).step_by(size as usize) {
            let batch: Vec<Evaluation> = (first..first + size).flat_map(|n| window(&courses, n)).collect();
            batched.extend(incidents.take(batch, now(first + size - 1)));
        }
        prop_assert_eq!(without_recording(&batched), without_recording(&whole));
    }

    #[test]
    fn the_events_of_an_incident_are_in_order_and_end_with_its_end(courses in courses()) {
        let courses = leak(courses);
        let events = story(&courses);
        for incident in fold(&events) {
            let own: Vec<_> = events.iter().filter(|event| event.incident == incident.id).collect();
            prop_assert!(own.iter().enumerate().all(|(place, event)| event.sequence as usize == place + 1));
            prop_assert!(own.windows(2).all(|pair| pair[0].at <= pair[1].at));
            prop_assert_eq!(own[0].kind, EventKind::Opened);
            let ends = own.iter().filter(|event| event.kind == EventKind::Resolved).count();
            prop_assert_eq!(ends, usize::from(!incident.is_open()));
            prop_assert!(incident.is_open() || own[own.len() - 1].kind == EventKind::Resolved);
        }
    }
}

#[test]
fn what_stands_in_the_last_window_of_a_watch_is_over() {
    let mut rules = rules();
    rules.ends.insert(("flights".to_owned(), "hourly".to_owned()), at(3));
    let mut incidents = Incidents::new(rules);
    let subject = subject(Monitor::Drift, TEMP, "");
    let taken = (1..=3).flat_map(|n| {
        let evaluation = evaluation(subject.clone(), Verdict::OffCourse, 1, n);
        incidents.take(vec![evaluation], at(n))
    });
    let kinds: Vec<EventKind> = taken.map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::Opened, EventKind::Resolved]);
    let again = evaluation(subject, Verdict::OffCourse, 1, 4);
    assert_eq!(incidents.take(vec![again], at(4)), [], "what goes on after the end is no news");
}
