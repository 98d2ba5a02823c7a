//! What becomes of findings: a pure state machine from evaluations and actions to the events of incidents.
//!
//! Invariants: the state is a fold over the events it returned, so one that is folded again from them goes on as if
//! nothing had happened; an evaluation or action that was taken before changes nothing; nothing here asks the time.
//!
//! Reading order: [`correlate`] says what belongs together, [`case`] is one incident in work, `joining` finds the place of
//! new alarms (a `draft` is an incident about to be opened), [`title`] is its sentence, [`identity`] its name, [`act`]
//! what people ask for.

pub mod act;
pub mod case;
pub mod correlate;
mod draft;
pub mod identity;
mod joining;
pub mod title;

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use domain::evaluation::{Cause, Evaluation, Verdict};
use domain::incident::{EventKind, IncidentEvent};
use domain::time::Instant;

use crate::notify;
use case::{Case, Mark};
use correlate::{Correlation, Scope};

/// Who acts where no person does.
pub const LEEWAY: &str = "leeway";
/// The signal by which the analyzer's stall stands beside its own word about its delay.
pub const HEARTBEAT: &str = "heartbeat";

/// So many resolved incidents of a scope are remembered, to know which evaluations they covered.
const MOST_SETTLED: usize = 50;

/// Causes in the order in which a window's findings are looked at: what silences others comes before them.
const ORDER: [Cause; 6] =
    [Cause::Leeway, Cause::Traffic, Cause::Service, Cause::Performance, Cause::Staleness, Cause::Data];

/// What the state machine goes by.
#[derive(Clone, Debug)]
pub struct Rules {
    pub correlation: Correlation,
    /// Who is told of an event hears of it at most so long after it happened.
    pub notify_within: Duration,
    /// Watches that look at recorded history, by model and name: nobody is told of what they find.
    pub history: BTreeSet<(String, String)>,
    /// The end of the last window that a watch looks at, by model and name: what stands then is over, because no window
    /// will ever say that it recovered.
    pub ends: BTreeMap<(String, String), Instant>,
}

/// All incidents as they stand.
#[derive(Clone, Debug)]
pub struct Incidents {
    rules: Rules,
    cases: BTreeMap<String, Case>,
    /// In the order in which they were opened.
    by_scope: BTreeMap<Scope, Vec<String>>,
    /// Every id there ever was: a new incident must not take one.
    ids: HashSet<String>,
    /// The actions that were carried out.
    done: HashSet<String>,
    /// The marks of the events that were written last.
    last_marks: Vec<Mark>,
}

/// Who does something, when, why, and the action that asked for it.
#[derive(Clone, Debug)]
struct Doing<'a> {
    at: Instant,
    actor: &'a str,
    reason: String,
    action: &'a str,
    until: Option<Instant>,
}

impl Doing<'_> {
    fn by_leeway(at: Instant, reason: impl Into<String>) -> Self {
        Self { at, actor: LEEWAY, reason: reason.into(), action: "", until: None }
    }
}

/// One watch's look at one window: the evaluations that are taken together.
#[derive(Clone, Copy)]
struct Look {
    end: Instant,
    window: Duration,
    now: Instant,
}

impl Incidents {
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            cases: BTreeMap::new(),
            by_scope: BTreeMap::new(),
            ids: HashSet::new(),
            done: HashSet::new(),
            last_marks: Vec::new(),
        }
    }

    /// Takes an event that was written before into account, in the order of its incident's sequence.
    pub fn apply(&mut self, event: &IncidentEvent) {
        if !event.action.is_empty() {
            self.done.insert(event.action.clone());
        }
        match self.cases.get_mut(&event.incident) {
            Some(case) => case.apply(event),
            None => self.remember(Case::begun_by(event)),
        }
        let current = event.recorded_at.since(event.at) <= self.rules.notify_within;
        if let (true, Some(case)) =
            (current && notify::begins(event.kind), self.cases.get_mut(&event.incident))
        {
            case.was_current = true;
        }
        self.mark(event);
        if event.kind == EventKind::Resolved {
            self.let_go_of_old(&event.incident);
        }
    }

    fn mark(&mut self, event: &IncidentEvent) {
        let watch = self.cases.get(&event.incident).map_or("", |case| case.watch());
        let Some(mark) = Mark::of(event, watch) else { return };
        let last = self.last_marks.first().map(|mark| mark.recorded_at);
        if last < Some(mark.recorded_at) {
            self.last_marks.clear();
        }
        if last <= Some(mark.recorded_at) {
            self.last_marks.push(mark);
        }
    }

    fn remember(&mut self, case: Case) {
        let id = case.incident.id.clone();
        self.by_scope.entry(scope_of(&case)).or_default().push(id.clone());
        self.ids.insert(id.clone());
        self.cases.insert(id, case);
    }

    /// Keeps the memory of resolved incidents within its bound.
    fn let_go_of_old(&mut self, resolved: &str) {
        let Some(scope) = self.cases.get(resolved).map(scope_of) else { return };
        let Some(ids) = self.by_scope.get_mut(&scope) else { return };
        let is_settled = |id: &String| self.cases.get(id).is_some_and(|case| !case.is_open());
        let settled = ids.iter().filter(|id| is_settled(id)).count();
        if settled <= MOST_SETTLED {
            return;
        }
        if let Some(oldest) = ids.iter().position(is_settled) {
            self.cases.remove(&ids.remove(oldest));
        }
    }

    pub fn case(&self, incident: &str) -> Option<&Case> {
        self.cases.get(incident)
    }

    pub fn open(&self) -> impl Iterator<Item = &Case> {
        self.cases.values().filter(|case| case.is_open())
    }

    /// All incidents of a model that are remembered.
    pub fn of_model<'a>(&'a self, model: &'a str) -> impl Iterator<Item = &'a Case> {
        self.cases.values().filter(move |case| case.incident.model == model)
    }

    pub fn was_done(&self, action: &str) -> bool {
        self.done.contains(action)
    }

    /// Whether an incident is about recorded history, of which nobody is told.
    pub fn is_history(&self, case: &Case) -> bool {
        self.rules.history.contains(&(case.incident.model.clone(), case.watch().to_owned()))
    }

    /// The windows from which on evaluations must be read again after a start: the last ones of which anything was
    /// said, and those of the incidents that are open, of which something may be known that was not said yet.
    pub fn marks(&self) -> Vec<&Mark> {
        self.last_marks.iter().chain(self.open().filter_map(|case| case.mark.as_ref())).collect()
    }

    /// Takes evaluations into account, in any order, and returns the events that come of them.
    pub fn take(&mut self, mut evaluations: Vec<Evaluation>, now: Instant) -> Vec<IncidentEvent> {
        evaluations.retain(|evaluation| evaluation.verdict != Verdict::TooLittleData);
        evaluations.sort_by(|one, other| {
            let key = |e: &Evaluation| (e.window.end, e.evaluated_at);
            (one.window.end.cmp(&other.window.end))
                .then_with(|| view(one).cmp(&view(other)))
                .then_with(|| one.subject.cmp(&other.subject))
                .then_with(|| key(one).cmp(&key(other)))
        });
        // Of one subject's evaluations of one window the last one holds.
        evaluations.reverse();
        evaluations.dedup_by(|one, other| one.window.end == other.window.end && one.subject == other.subject);
        evaluations.reverse();
        let mut events = Vec::new();
        let same = |one: &Evaluation, other: &Evaluation| {
            one.window.end == other.window.end && view(one) == view(other)
        };
        for group in evaluations.chunk_by(same) {
            self.take_window(group, now, &mut events);
        }
        events
    }

    fn take_window(&mut self, group: &[Evaluation], now: Instant, events: &mut Vec<IncidentEvent>) {
        let Some(first) = group.first() else { return };
        let look = Look { end: first.window.end, window: first.window.length(), now };
        for cause in ORDER {
            let scope = Scope { cause, ..Scope::of(&first.subject) };
            let evaluations: Vec<&Evaluation> = group.iter().filter(|e| e.cause() == cause).collect();
            let unknown = self.observe(&scope, &evaluations);
            self.sort_in(&scope, unknown, look, events);
            for id in self.open_ids(&scope) {
                self.conclude(&id, look, events);
            }
        }
    }

    fn open_ids(&self, scope: &Scope) -> Vec<String> {
        let ids = self.by_scope.get(scope).map(Vec::as_slice).unwrap_or_default();
        ids.iter().filter(|id| self.cases.get(*id).is_some_and(Case::is_open)).cloned().collect()
    }

    /// Tells open incidents of the later windows of their subjects; returns the alarms that none of them knows, in the
    /// order in which they began.
    fn observe<'a>(&mut self, scope: &Scope, evaluations: &[&'a Evaluation]) -> Vec<&'a Evaluation> {
        let open = self.open_ids(scope);
        let mut unknown = Vec::new();
        for evaluation in evaluations {
            let mut known = false;
            for id in &open {
                let Some(case) = self.cases.get_mut(id) else { continue };
                if case.finding(&evaluation.subject).is_some() {
                    case.observe(evaluation);
                    known = true;
                }
            }
            if !known && evaluation.verdict == Verdict::OffCourse {
                unknown.push(*evaluation);
            }
        }
        unknown.sort_by(|one, other| {
            (one.since, &one.subject.segment).cmp(&(other.since, &other.subject.segment))
        });
        unknown
    }

    /// Says of an open incident what its windows up to now make of it: resolved, escalated, updated, or nothing new.
    fn conclude(&mut self, id: &str, look: Look, events: &mut Vec<IncidentEvent>) {
        let history = self.cases.get(id).is_some_and(|case| self.is_history(case));
        let Some(case) = self.cases.get_mut(id) else { return };
        let forgotten = case.forget(look.end, look.window);
        let view = (case.incident.model.clone(), case.watch().to_owned());
        let is_last = self.rules.ends.get(&view).is_some_and(|end| look.end >= *end);
        let untold = !history && !case.was_current && look.now.since(look.end) <= self.rules.notify_within;
        let (kind, reason) = if case.standing().next().is_none() {
            (EventKind::Resolved, over(case.live.len(), forgotten))
        } else if is_last {
            (EventKind::Resolved, "what this watch looks at ends here; it still stood".to_owned())
        } else if case.severity() > case.incident.severity {
            (EventKind::Escalated, String::new())
        } else if case.is_update_due(look.end, look.window) {
            (EventKind::Updated, String::new())
        } else if untold {
            (EventKind::Updated, "found late, while catching up; it still stands".to_owned())
        } else {
            return;
        };
        events.push(self.say(id, kind, Doing::by_leeway(look.end, reason), look));
    }

    /// Appends an event to an incident that is known.
    fn say(&mut self, id: &str, kind: EventKind, doing: Doing<'_>, look: Look) -> IncidentEvent {
        let case = &self.cases[id];
        let tells = matches!(kind, EventKind::Updated | EventKind::Escalated | EventKind::Resolved);
        let mut findings = if tells { case.live.clone() } else { Vec::new() };
        title::worst_first(&mut findings);
        let title = match kind {
            EventKind::Updated | EventKind::Escalated => {
                title::title(&case.at_worst(), &case.unit_slips, look.window)
            }
            _ => case.incident.title.clone(),
        };
        let event = IncidentEvent {
            incident: id.to_owned(),
            sequence: case.incident.events + 1,
            kind,
            model: case.incident.model.clone(),
            environment: case.incident.environment.clone(),
            cause: case.incident.cause,
            severity: case.severity(),
            at: doing.at,
            recorded_at: look.now,
            since: case.since(),
            actor: doing.actor.to_owned(),
            reason: doing.reason,
            title,
            findings,
            until: doing.until,
            action: doing.action.to_owned(),
        };
        self.apply(&event);
        event
    }
}

fn over(findings: usize, forgotten: bool) -> String {
    match findings {
        _ if forgotten => "what was left of it is no longer looked at".to_owned(),
        1 => "it is back on course".to_owned(),
        n => format!("all {n} findings are back on course"),
    }
}

fn scope_of(case: &Case) -> Scope {
    Scope {
        model: case.incident.model.clone(),
        environment: case.incident.environment.clone(),
        watch: case.watch().to_owned(),
        cause: case.incident.cause,
    }
}

/// Whose look at which model.
fn view(evaluation: &Evaluation) -> (&str, &str, &str) {
    let subject = &evaluation.subject;
    (&subject.model, &subject.environment, &subject.watch)
}

/// Events in the order in which a process that never stopped wrote them, as far as the order matters: incidents as they
/// were opened, each one's events together.
pub fn in_order_of_opening(events: &[IncidentEvent]) -> Vec<IncidentEvent> {
    let same = |one: &IncidentEvent, other: &IncidentEvent| one.incident == other.incident;
    let mut incidents: Vec<&[IncidentEvent]> = events.chunk_by(same).collect();
    incidents.sort_by(|one, other| {
        let key = |events: &[IncidentEvent]| (events[0].at, events[0].since);
        key(one).cmp(&key(other)).then_with(|| one[0].incident.cmp(&other[0].incident))
    });
    incidents.concat()
}
