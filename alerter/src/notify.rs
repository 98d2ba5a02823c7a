//! Who is told of an event: pure decisions over the events of incidents.
//!
//! Invariant: the decision about an event depends on nothing but the events of its incident up to it and the
//! configuration, so that it is the same after a restart.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use domain::contract::Contract;
use domain::evaluation::Severity;
use domain::incident::{EventKind, Finding, Incident, IncidentEvent, fold};

use crate::incidents::case::grew;
use crate::notice::Notice;
use crate::routes::Routes;

/// What decides who is told.
#[derive(Clone, Debug)]
pub struct Policy {
    pub routes: Routes,
    /// Which events each channel hears of.
    pub hears: BTreeMap<String, Hearing>,
    pub notify_within: Duration,
    /// Watches that look at recorded history, by model and name.
    pub history: BTreeSet<(String, String)>,
    pub base_url: String,
    pub contracts: service::context::Contracts,
}

/// What a channel hears of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hearing {
    pub kinds: Vec<EventKind>,
    /// Events that quieten somebody who was called before: they are sent in a silence as well.
    pub quietens: Vec<EventKind>,
    /// Whether it follows every update; others hear of those that bring something worse.
    pub follows: bool,
}

/// One channel that hears of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub channel: String,
    /// The incident is silenced: it is recorded that nobody was told.
    pub held_back: bool,
}

/// What is known of an incident as far as telling goes.
struct Known {
    incident: Incident,
    severities: BTreeSet<Severity>,
    history: bool,
    /// Somebody was or could have been told that it stands.
    begun: bool,
    /// The last event that was planned.
    planned: u32,
}

/// Decides, event by event.
pub struct Planner {
    policy: Policy,
    known: BTreeMap<String, Known>,
}

/// What an event brings.
#[derive(Clone, Copy)]
struct News {
    /// The first word about the incident.
    first: bool,
    worse: bool,
}

/// Whether an event brings a finding that did not stand before, or one whose number grew.
fn is_worse(before: &Incident, event: &IncidentEvent) -> bool {
    let is_known = |finding: &Finding| {
        let same = before.findings.iter().find(|known| known.subject == finding.subject && known.standing);
        same.is_some_and(|known| !grew(known.value, finding.value))
    };
    event.findings.iter().any(|finding| finding.standing && !is_known(finding))
}

/// Whether an event says that an incident stands, so that whoever hears it first learns of the incident.
pub fn begins(kind: EventKind) -> bool {
    matches!(kind, EventKind::Opened | EventKind::Updated | EventKind::Escalated | EventKind::Unsilenced)
}

impl Planner {
    pub fn new(policy: Policy) -> Self {
        Self { policy, known: BTreeMap::new() }
    }

    /// Takes the next event of an incident into account and says who is told of it.
    pub fn plan(&mut self, event: &IncidentEvent) -> Vec<Told> {
        let policy = &self.policy;
        let known =
            self.known.entry(event.incident.clone()).or_insert_with(|| Known::begun_by(event, policy));
        if event.sequence <= known.planned {
            return Vec::new();
        }
        known.planned = event.sequence;
        let worse = is_worse(&known.incident, event);
        known.incident.apply(event);
        known.severities.insert(event.severity);
        let current = event.recorded_at.since(event.at) <= policy.notify_within;
        if !current {
            return Vec::new();
        }
        let first = begins(event.kind) && !known.begun && !known.history;
        let news = News { first, worse };
        known.begun |= first;
        // A retraining may be asked for because of what history shows.
        if known.begun || event.kind == EventKind::RetrainingRequested {
            return policy.told(known, event, news);
        }
        Vec::new()
    }

    /// The notice of the event that was planned last of its incident.
    pub fn notice(&self, event: &IncidentEvent) -> Notice {
        let incident = match self.known.get(&event.incident) {
            Some(known) => known.incident.clone(),
            None => fold([event]).pop().expect("one event makes one incident"),
        };
        self.policy.notice(event, incident)
    }

    /// The notice of the last of `events`, which are all of one incident's up to it.
    pub fn notice_of_last(&self, events: &[IncidentEvent]) -> Option<Notice> {
        let incident = fold(events).pop()?;
        Some(self.policy.notice(events.last()?, incident))
    }

    /// The channels that hear of a model's incidents of this severity.
    pub fn routed(&self, model: &str, severity: Severity) -> BTreeSet<&str> {
        self.policy.routed(model, severity)
    }
}

impl Known {
    fn begun_by(event: &IncidentEvent, policy: &Policy) -> Self {
        let incident = fold([event]).pop().expect("one event makes one incident");
        let watch = incident.findings.first().map_or("", |finding| finding.subject.watch.as_str());
        let history = policy.history.contains(&(incident.model.clone(), watch.to_owned()));
        Self { incident, severities: BTreeSet::new(), history, begun: false, planned: 0 }
    }
}

impl Policy {
    /// Those that any severity the incident had so far led to: who heard of a ticket hears that it became a page.
    fn channels(&self, known: &Known) -> BTreeSet<&str> {
        let of = |severity: &Severity| self.routed(&known.incident.model, *severity);
        known.severities.iter().flat_map(of).collect()
    }

    fn routed(&self, model: &str, severity: Severity) -> BTreeSet<&str> {
        let owner = self.contract(model).map(|contract| contract.owner).unwrap_or_default();
        self.routes.channels(model, &owner, severity)
    }

    fn told(&self, known: &Known, event: &IncidentEvent, news: News) -> Vec<Told> {
        let silenced = known.incident.is_silenced_at(event.recorded_at);
        let hears = self.channels(known).into_iter().filter_map(|channel| {
            let hearing = self.hears.get(channel)?;
            let wants = |kind| hearing.kinds.contains(&kind);
            let idle = event.kind == EventKind::Updated && !news.worse && !hearing.follows;
            // Whoever wants to hear of beginnings hears of the first word, whatever its kind.
            let heard = (wants(event.kind) && !idle) || (news.first && wants(EventKind::Opened));
            let held_back = silenced && !hearing.quietens.contains(&event.kind);
            heard.then(|| Told { channel: channel.to_owned(), held_back })
        });
        hears.collect()
    }

    fn contract(&self, model: &str) -> Option<Contract> {
        self.contracts.get(model)
    }

    fn notice(&self, event: &IncidentEvent, incident: Incident) -> Notice {
        let contract = self.contract(&incident.model);
        let (url, callback_url) = match self.base_url.trim_end_matches('/') {
            "" => (String::new(), String::new()),
            base => (
                format!("{base}/incidents/{}", incident.id),
                format!("{base}/v1/incidents/{}/actions", incident.id),
            ),
        };
        Notice {
            owner: contract.as_ref().map(|contract| contract.owner.clone()).unwrap_or_default(),
            playbook: contract.map(|contract| contract.playbook).unwrap_or_default(),
            event: event.clone(),
            incident,
            url,
            callback_url,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incidents::samples;
    use domain::time::{HOUR, Instant};

    fn policy() -> Policy {
        let all = |quietens: &[EventKind]| Hearing {
            kinds: EventKind::ALL.to_vec(),
            quietens: quietens.to_vec(),
            follows: true,
        };
        Policy {
            routes: Routes {
                routes: vec![crate::routes::Route {
                    severities: vec![Severity::Page],
                    channels: vec!["oncall".to_owned()],
                    ..Default::default()
                }],
                default: vec!["mail".to_owned()],
            },
            hears: BTreeMap::from([
                ("oncall".to_owned(), all(&[EventKind::Resolved])),
                ("mail".to_owned(), all(&[])),
            ]),
            notify_within: HOUR,
            history: BTreeSet::from([("flights".to_owned(), "days".to_owned())]),
            base_url: "https://leeway.example.com/".to_owned(),
            contracts: Default::default(),
        }
    }

    fn told(planner: &mut Planner, event: &IncidentEvent) -> Vec<(String, bool)> {
        planner.plan(event).into_iter().map(|told| (told.channel, told.held_back)).collect()
    }

    #[test]
    fn who_heard_of_the_ticket_hears_of_the_page_too() {
        let mut planner = Planner::new(policy());
        let opened = samples::event(1, EventKind::Opened);
        let escalated = IncidentEvent { severity: Severity::Page, ..samples::event(2, EventKind::Escalated) };
        assert_eq!(told(&mut planner, &opened), [("mail".to_owned(), false)]);
        assert_eq!(told(&mut planner, &opened), [], "an event that was planned is not planned again");
        assert_eq!(told(&mut planner, &escalated).len(), 2);
        assert_eq!(told(&mut planner, &escalated), []);
        assert_eq!(
            planner.notice(&escalated).url,
            format!("https://leeway.example.com/incidents/{}", opened.incident)
        );
    }

    #[test]
    fn in_a_silence_only_what_quietens_is_sent() {
        let mut planner = Planner::new(policy());
        let page =
            |sequence, kind| IncidentEvent { severity: Severity::Page, ..samples::event(sequence, kind) };
        let silenced = IncidentEvent {
            until: Some(Instant::from_seconds(i64::from(u32::MAX))),
            ..page(2, EventKind::Silenced)
        };
        told(&mut planner, &page(1, EventKind::Opened));
        told(&mut planner, &silenced);
        assert_eq!(told(&mut planner, &page(3, EventKind::Updated)), [("oncall".to_owned(), true)]);
        assert_eq!(told(&mut planner, &page(4, EventKind::Resolved)), [("oncall".to_owned(), false)]);
    }

    #[test]
    fn nobody_is_told_of_history_nor_of_the_end_of_what_nobody_heard_of() {
        let mut planner = Planner::new(policy());
        let mut history = samples::event(1, EventKind::Opened);
        history.incident = "history".to_owned();
        history.findings[0].subject.watch = "days".to_owned();
        assert_eq!(told(&mut planner, &history), []);

        let mut late = samples::event(1, EventKind::Opened);
        late.recorded_at = late.at.saturating_add(2 * HOUR);
        assert_eq!(told(&mut planner, &late), []);
        assert_eq!(told(&mut planner, &samples::event(2, EventKind::Resolved)), []);
    }

    #[test]
    fn who_wants_no_updates_hears_of_one_that_is_the_first_word() {
        let mut policy = policy();
        let kinds = vec![EventKind::Opened, EventKind::Resolved];
        policy.hears.insert("mail".to_owned(), Hearing { kinds, quietens: Vec::new(), follows: true });
        let mut planner = Planner::new(policy);
        let mut late = samples::event(1, EventKind::Opened);
        late.recorded_at = late.at.saturating_add(2 * HOUR);
        assert_eq!(told(&mut planner, &late), []);
        assert_eq!(told(&mut planner, &samples::event(2, EventKind::Updated)).len(), 1);
        assert_eq!(told(&mut planner, &samples::event(3, EventKind::Updated)), []);
        assert_eq!(told(&mut planner, &samples::event(4, EventKind::Resolved)).len(), 1);
    }

    #[test]
    fn people_hear_of_updates_that_bring_something_worse() {
        let mut policy = policy();
        if let Some(hearing) = policy.hears.get_mut("mail") {
            hearing.follows = false;
        }
        let mut planner = Planner::new(policy);
        told(&mut planner, &samples::event(1, EventKind::Opened));
        let mut better = samples::event(2, EventKind::Updated);
        better.findings[0].standing = false;
        assert_eq!(told(&mut planner, &better), []);
        let worse = samples::event(3, EventKind::Updated);
        assert_eq!(told(&mut planner, &worse).len(), 1, "it stands again");
        let mut grown = samples::event(4, EventKind::Updated);
        grown.findings[2].value *= 2.0;
        assert_eq!(told(&mut planner, &grown).len(), 1);
    }
}
