//! The state machine as a table of what windows say and what becomes of it, and its laws.

mod actions;
mod laws;
mod titles;

use domain::action::{Action, ActionKind};
use domain::evaluation::{Basis, Evaluation, Monitor, Severity, Subject, Verdict};
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
            evaluation.severity = Severity::of(
                evaluation.subject.monitor,
                &evaluation.subject.signal,
                evaluation.value,
                Basis::Learned,
            );
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

fn kinds(events: &[IncidentEvent]) -> Vec<EventKind> {
    events.iter().map(|event| event.kind).collect()
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

/// What the next process knows: the events as the store gives them, each incident's together.
fn resumed(events: &[IncidentEvent]) -> Incidents {
    let mut incidents = Incidents::new(rules());
    let mut stored = events.to_vec();
    stored.sort_by(|one, other| (&one.incident, one.sequence).cmp(&(&other.incident, other.sequence)));
    in_order_of_opening(&stored).iter().for_each(|event| incidents.apply(event));
    incidents
}
