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
