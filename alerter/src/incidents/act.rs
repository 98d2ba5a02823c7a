//! What people and programs ask for, as events of the incident: each action once, with who and why.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

use domain::action::{Action, ActionKind};
use domain::incident::{EventKind, IncidentEvent};
use domain::time::Instant;
use serde::Deserialize;

use super::{Doing, Incidents, Look};

/// What a retraining job says of itself, in an action's payload.
#[derive(Deserialize)]
struct Report {
    status: String,
    #[serde(default)]
    detail: String,
}

/// What retraining jobs may report.
const STATUSES: [&str; 4] = ["accepted", "running", "succeeded", "failed"];

/// The longest detail that is kept of a report.
const LONGEST_DETAIL: usize = 500;

impl Incidents {
    /// Carries out an action, unless it was carried out before or changes nothing. Retrainings are decided elsewhere
    /// ([`crate::retraining`]), deliveries sent again by their courier.
    pub fn act(&mut self, action: &Action, now: Instant) -> Vec<IncidentEvent> {
        if self.was_done(&action.id) {
            return Vec::new();
        }
        let Some(case) = self.case(&action.incident) else { return Vec::new() };
        let (open, incident) = (case.is_open(), &case.incident);
        let acknowledged = incident.acknowledged.as_ref().is_some_and(|by| by.actor == action.actor);
        let kinds: &[EventKind] = match action.kind {
            ActionKind::Acknowledge if open && !acknowledged => &[EventKind::Acknowledged],
            ActionKind::Silence if open && action.until.is_some_and(|until| until > now) => {
                &[EventKind::Silenced]
            }
            ActionKind::Unsilence if open && incident.silenced_until.is_some() => &[EventKind::Unsilenced],
            ActionKind::Resolve if open => &[EventKind::Resolved],
            ActionKind::MarkFalse if incident.marked_false.is_some() => &[],
            ActionKind::MarkFalse if open => &[EventKind::MarkedFalse, EventKind::Resolved],
            ActionKind::MarkFalse => &[EventKind::MarkedFalse],
            ActionKind::RetrainingReport => &[EventKind::RetrainingReported],
            _ => &[],
        };
        let reason = match action.kind {
            ActionKind::RetrainingReport => match report(&action.payload) {
                Some(reason) => reason,
                None => return Vec::new(),
            },
            _ => action.reason.clone(),
        };
        kinds.iter().map(|kind| self.say_for(action, *kind, reason.clone(), now)).collect()
    }

    /// Appends an event that an action asked for.
    pub fn say_for(
        &mut self,
        action: &Action,
        kind: EventKind,
        reason: String,
        now: Instant,
    ) -> IncidentEvent {
        let until = action.until.filter(|_| kind == EventKind::Silenced);
        let doing = Doing { at: action.asked_at, actor: &action.actor, reason, action: &action.id, until };
        self.say(&action.incident, kind, doing, Look { end: now, window: Default::default(), now })
    }

    /// Appends an event about a retraining that nobody asked for but Leeway itself.
    pub fn say_by_itself(
        &mut self,
        incident: &str,
        kind: EventKind,
        at: Instant,
        reason: String,
        now: Instant,
    ) -> IncidentEvent {
        let look = Look { end: now, window: Default::default(), now };
        self.say(incident, kind, Doing::by_leeway(at, reason), look)
    }

    /// Ends silences that ran out while their incident stands.
    pub fn end_silences(&mut self, now: Instant) -> Vec<IncidentEvent> {
        let over = |until: Option<Instant>| until.filter(|until| *until <= now);
        let due: Vec<(String, Instant)> = self
            .open()
            .filter_map(|case| Some((case.incident.id.clone(), over(case.incident.silenced_until)?)))
            .collect();
        due.into_iter()
            .map(|(id, until)| {
                let reason = "the silence ran out, the incident stands".to_owned();
                self.say_by_itself(&id, EventKind::Unsilenced, until, reason, now)
            })
            .collect()
    }
}

/// A report in words: `failed: out of memory`. `None` where it is none.
fn report(payload: &str) -> Option<String> {
    let report: Report = serde_json::from_str(payload).ok()?;
    if !STATUSES.contains(&report.status.as_str()) {
        return None;
    }
    let detail: String = report.detail.chars().take(LONGEST_DETAIL).collect();
    Some(if detail.is_empty() { report.status } else { format!("{}: {detail}", report.status) })
}
