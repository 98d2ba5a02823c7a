//! What people ask for.

use super::*;

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
