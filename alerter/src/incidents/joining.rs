//! Where a new alarm goes: into an open incident, into a new one, or nowhere because it is no news.

use std::time::Duration;

use domain::evaluation::{Cause, Evaluation, Monitor};
use domain::incident::{EventKind, Finding, IncidentEvent};
use domain::signal::segment;

use super::case::finding_of;
use super::correlate::{Fit, Scope, fit};
use super::draft::{Draft, best_draft};
use super::{Incidents, LEEWAY, Look, identity, title};

impl Incidents {
    /// Puts new alarms into the open incidents that they fit best, and opens incidents for the rest.
    pub(super) fn sort_in(
        &mut self,
        scope: &Scope,
        alarms: Vec<&Evaluation>,
        look: Look,
        events: &mut Vec<IncidentEvent>,
    ) {
        let span = self.rules.correlation.span(look.window);
        let mut drafts: Vec<Draft<'_>> = Vec::new();
        for alarm in alarms {
            if let Some(id) = self.best_case(scope, alarm, span) {
                if let Some(case) = self.cases.get_mut(&id) {
                    case.join(alarm);
                }
            } else if let Some(draft) = best_draft(&mut drafts, alarm, span) {
                draft.take(alarm);
            } else if !self.is_covered(scope, alarm, span) && !self.is_inhibited(scope, alarm) {
                drafts.push(Draft::begun_by(alarm));
            }
        }
        for draft in drafts {
            events.push(self.open_for(scope, draft, look));
        }
    }

    fn best_case(&self, scope: &Scope, alarm: &Evaluation, span: Duration) -> Option<String> {
        let finding = finding_of(alarm);
        let fits = self.open_ids(scope).into_iter().filter_map(|id| {
            let case = &self.cases[&id];
            // A window from before an incident was opened was looked at before it: it had its chance to join.
            let fit: Fit = (alarm.window.end >= case.incident.opened_at)
                .then(|| fit(&finding, &case.live, span))
                .flatten()?;
            Some((fit, id))
        });
        fits.max_by(|(one, _), (other, _)| one.cmp(other)).map(|(_, id)| id)
    }

    /// Whether a resolved incident was about this alarm already: by its windows, or because a person or the end of the
    /// watch closed it while the very same run of windows stood.
    fn is_covered(&self, scope: &Scope, alarm: &Evaluation, span: Duration) -> bool {
        let ids = self.by_scope.get(scope).map(Vec::as_slice).unwrap_or_default();
        let settled = ids.iter().filter_map(|id| self.cases.get(id)).filter(|case| !case.is_open());
        let finding = finding_of(alarm);
        let view = (scope.model.clone(), scope.watch.clone());
        let ends = self.rules.ends.get(&view).is_some_and(|end| alarm.window.end >= *end);
        settled.into_iter().any(|case| {
            let last_window = case.last_window();
            if alarm.window.end <= last_window {
                return true;
            }
            let by_hand = case.incident.resolved.as_ref().is_some_and(|by| by.actor != LEEWAY);
            let same_run = case.finding(&alarm.subject).is_some_and(|known| alarm.since <= known.since);
            let stood_already = alarm.since.saturating_add(alarm.window.length()) <= last_window;
            (ends && same_run)
                || by_hand && (same_run || (stood_already && fit(&finding, &case.live, span).is_some()))
        })
    }

    /// Where no events come, what the few that came say about values is no news.
    fn is_inhibited(&self, scope: &Scope, alarm: &Evaluation) -> bool {
        if !matches!(scope.cause, Cause::Data | Cause::Staleness) {
            return false;
        }
        let silent = |finding: &Finding| {
            finding.subject.monitor == Monitor::Silence
                && finding.subject.segment == segment::ALL
                && finding.subject.environment == scope.environment
                && finding.since <= alarm.window.end
                && (finding.standing || alarm.window.end < finding.window_end)
        };
        self.of_model(&scope.model).any(|case| case.live.iter().any(silent))
    }

    fn open_for(&mut self, scope: &Scope, draft: Draft<'_>, look: Look) -> IncidentEvent {
        let first = draft.first;
        let slips = draft.slips();
        let mut findings = draft.findings;
        title::worst_first(&mut findings);
        let mut again = 0;
        let mut id = identity::incident(scope, first.since, &first.subject, again);
        while self.ids.contains(&id) {
            again += 1;
            id = identity::incident(scope, first.since, &first.subject, again);
        }
        let event = IncidentEvent {
            incident: id,
            sequence: 1,
            kind: EventKind::Opened,
            model: scope.model.clone(),
            environment: scope.environment.clone(),
            cause: scope.cause,
            severity: draft.severity,
            at: look.end,
            recorded_at: look.now,
            since: first.since,
            actor: LEEWAY.to_owned(),
            reason: String::new(),
            title: title::title(&findings, &slips, look.window),
            findings,
            until: None,
            action: String::new(),
        };
        self.apply(&event);
        if let Some(case) = self.cases.get_mut(&event.incident) {
            case.unit_slips = slips;
        }
        event
    }
}
