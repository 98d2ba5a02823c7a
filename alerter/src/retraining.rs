//! When to ask for a new model: by itself where a channel says so, or because a person asked; at most once a cool-down.

use std::time::Duration;

use domain::action::Action;
use domain::evaluation::Cause;
use domain::incident::{EventKind, IncidentEvent};
use domain::time::Instant;

use crate::incidents::Incidents;
use crate::incidents::case::Case;

/// What the retraining channels of an incident say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Causes for which a retraining is asked for without a person.
    pub causes: Vec<Cause>,
    pub cooldown: Duration,
}

/// Decides for an incident that was just opened or has grown; at most one event.
pub fn consider(
    incidents: &mut Incidents,
    incident: &str,
    policy: &Policy,
    now: Instant,
) -> Option<IncidentEvent> {
    let case = incidents.case(incident)?;
    let decided = case.incident.retraining_requested_at.is_some() || case.held_back.is_some();
    if decided || !case.is_open() || !policy.causes.contains(&case.incident.cause) {
        return None;
    }
    let at = case.incident.updated_at;
    let fault = case
        .data_fault()
        .map(|fault| format!("a data fault, not drift: {fault}, and a new model would learn it"));
    let (kind, reason) =
        match fault.or_else(|| cooling(incidents, &case.incident.model, policy.cooldown, now)) {
            Some(reason) => (EventKind::RetrainingHeldBack, reason),
            None => (EventKind::RetrainingRequested, case.incident.title.clone()),
        };
    Some(incidents.say_by_itself(incident, kind, at, reason, now))
}

/// Carries out a person's wish. The cool-down holds for people as well: two who press the button get one training.
pub fn ask(
    incidents: &mut Incidents,
    action: &Action,
    policy: Option<&Policy>,
    now: Instant,
) -> Option<IncidentEvent> {
    if incidents.was_done(&action.id) {
        return None;
    }
    let model = incidents.case(&action.incident)?.incident.model.clone();
    let held_back = match policy {
        None => Some("no retraining channel is configured for this model".to_owned()),
        Some(policy) => cooling(incidents, &model, policy.cooldown, now),
    };
    let (kind, reason) = match held_back {
        Some(reason) => (EventKind::RetrainingHeldBack, reason),
        None => (EventKind::RetrainingRequested, action.reason.clone()),
    };
    Some(incidents.say_for(action, kind, reason, now))
}

/// Why it is too early for another retraining of `model`. One that failed does not count.
fn cooling(incidents: &Incidents, model: &str, cooldown: Duration, now: Instant) -> Option<String> {
    let counts = |case: &&Case| !case.retraining_failed;
    let last = incidents
        .of_model(model)
        .filter(counts)
        .filter_map(|case| case.incident.retraining_requested_at)
        .max()?;
    let end = last.saturating_add(cooldown);
    (now < end)
        .then(|| format!("the last one was asked for at {last}, the next may be asked for from {end} on"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incidents::samples::{at, evaluation, rules, subject};
    use domain::action::ActionKind;
    use domain::evaluation::{Evaluation, Monitor, Verdict};
    use domain::time::{DAY, HOUR};

    fn policy() -> Policy {
        Policy { causes: vec![Cause::Performance, Cause::Data], cooldown: DAY }
    }

    fn opened(incidents: &mut Incidents, evaluations: Vec<Evaluation>) -> String {
        incidents.take(evaluations, at(1))[0].incident.clone()
    }

    fn alarm(monitor: Monitor, signal: &str) -> Evaluation {
        evaluation(subject(monitor, signal, ""), Verdict::OffCourse, 0, 0)
    }

    #[test]
    fn lost_performance_asks_for_a_new_model_once() {
        let mut incidents = Incidents::new(rules());
        let id = opened(&mut incidents, vec![alarm(Monitor::Performance, "")]);
        let event = consider(&mut incidents, &id, &policy(), at(1)).expect("an event");
        assert_eq!(event.kind, EventKind::RetrainingRequested);
        assert_eq!(consider(&mut incidents, &id, &policy(), at(2)), None);
    }

    #[test]
    fn a_data_fault_is_nothing_that_a_new_model_should_learn() {
        for monitor in [Monitor::Missing, Monitor::Invalid] {
            let mut incidents = Incidents::new(rules());
            let moved = alarm(Monitor::Drift, "feature.wind_speed");
            let id = opened(&mut incidents, vec![moved, alarm(monitor, "feature.temp")]);
            let event = consider(&mut incidents, &id, &policy(), at(1)).expect("an event");
            assert_eq!(event.kind, EventKind::RetrainingHeldBack);
            assert!(event.reason.starts_with("a data fault, not drift"), "{}", event.reason);
        }
        let mut slipped = alarm(Monitor::Drift, "feature.wind_speed");
        slipped.numbers.insert("unit_factor".to_owned(), 1.6);
        let mut incidents = Incidents::new(rules());
        let id = opened(&mut incidents, vec![slipped]);
        let event = consider(&mut incidents, &id, &policy(), at(1)).expect("an event");
        assert_eq!(event.kind, EventKind::RetrainingHeldBack);
    }

    #[test]
    fn a_cause_that_nobody_named_asks_for_nothing() {
        let mut incidents = Incidents::new(rules());
        let id = opened(&mut incidents, vec![alarm(Monitor::Errors, "")]);
        assert_eq!(consider(&mut incidents, &id, &policy(), at(1)), None);
    }

    #[test]
    fn the_cool_down_holds_for_all_incidents_of_a_model_and_for_people() {
        let mut incidents = Incidents::new(rules());
        let first = opened(&mut incidents, vec![alarm(Monitor::Performance, "")]);
        consider(&mut incidents, &first, &policy(), at(1)).expect("an event");
        let second = opened(&mut incidents, vec![alarm(Monitor::Drift, "feature.temp")]);
        let event = consider(&mut incidents, &second, &policy(), at(2)).expect("an event");
        assert_eq!(event.kind, EventKind::RetrainingHeldBack);
        let action = |id: &str, asked_at| Action {
            id: id.to_owned(),
            incident: second.clone(),
            kind: ActionKind::Retrain,
            actor: "ann".to_owned(),
            reason: "the season".to_owned(),
            until: None,
            payload: String::new(),
            asked_at,
        };
        let mut asked =
            |id, now| ask(&mut incidents, &action(id, now), Some(&policy()), now).map(|event| event.kind);
        assert_eq!(asked("a", at(3)), Some(EventKind::RetrainingHeldBack));
        assert_eq!(asked("a", at(3)), None, "an action counts once");
        assert_eq!(asked("b", at(3).saturating_add(DAY + HOUR)), Some(EventKind::RetrainingRequested));
    }
}
