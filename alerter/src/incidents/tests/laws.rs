//! What holds whatever the windows say, and whenever the process ends.

use proptest::prelude::*;

use super::*;

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
