//! What did people and machines change? Deployments, retrainings, configuration, and what people did about incidents: the
//! audit trail, latest first, by whom and why.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use domain::incident::{EventKind, IncidentEvent};
use domain::time::{DAY, Instant, Interval};
use serde::Serialize;
use sql::changes::{self as questions, Change, ChangesAsked};
use sql::pages::OpenIncidents;

use crate::error::PageError;
use crate::layout::{Choice, Layout, Section};
use crate::pages::answer;
use crate::run::App;
use crate::text::{self, Markup, counted, escape};
use crate::time_range::TimeRange;
use crate::visit::{Visit, incident_path, model_path};

/// No list is longer; a shorter range or a filter shows others.
const MOST: u32 = 300;
/// Where the address names no range.
const USUAL: std::time::Duration = DAY.saturating_mul(30);

/// What a person is looking for: the name in the address, what stands on the choice, and the kinds of changes.
const KINDS: [(&str, &str, &[&str]); 5] = [
    ("deployments", "Deployments", &["deployment"]),
    ("retrainings", "Retrainings", &["retraining"]),
    ("people", "Acts on incidents", &[]),
    ("data", "Data", &["grid", "baseline", "import", "schema"]),
    ("configuration", "Configuration", &["configuration"]),
];

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Data {
    pub now: Instant,
    pub open: OpenIncidents,
    pub changes: Vec<Change>,
    /// What people did about incidents, and what became of retrainings.
    pub acts: Vec<IncidentEvent>,
}

/// `GET /changes`
pub async fn page(State(app): State<App>, mut visit: Visit) -> Result<Response, PageError> {
    let now = visit.range.now();
    if visit.range.is_by_page() {
        visit.range = visit.range.chosen_by_page(Interval::ending_at(now, USUAL));
    }
    let kinds = kinds(&visit)?;
    let asked = ChangesAsked {
        model: visit.get("model").unwrap_or_default().to_owned(),
        kind: String::new(),
        interval: interval(&visit),
        most: MOST,
    };
    let (changes, acts, open) = tokio::join!(
        app.store.changes(&asked),
        app.store.people_events(&asked),
        app.store.open_incidents_count(now),
    );
    let mut data = Data { now, open: open?, changes: changes?, acts: acts? };
    data.keep(kinds, visit.get("who"));
    let questions = [questions::changes(&asked).asked(), questions::people_events(&asked).asked()];
    let layout = Layout::new(&visit, Section::Changes, "Changes", data.open);
    answer(&visit, &data, &questions, || ChangesPage::new(layout, &visit, &data))
}

/// Clocks of two machines differ: what was written a moment ago is not left out.
fn interval(visit: &Visit) -> Interval {
    let range = visit.range.interval();
    if visit.range.is_live() { Interval::new(range.start, range.end.saturating_add(DAY)) } else { range }
}

/// The kind that the address names.
fn kinds(visit: &Visit) -> Result<Option<&'static str>, PageError> {
    let Some(asked) = visit.get("kind") else { return Ok(None) };
    let known = KINDS.iter().find(|(name, _, _)| *name == asked);
    known.map(|(name, _, _)| Some(*name)).ok_or_else(|| {
        let known: Vec<&str> = KINDS.iter().map(|(name, _, _)| *name).collect();
        PageError::wrong(format!(
            "kind \"{}\" does not exist (known: {})",
            text::cut(asked, 40),
            known.join(", ")
        ))
    })
}

impl Data {
    fn keep(&mut self, kind: Option<&str>, who: Option<&str>) {
        if let Some((name, _, of)) = KINDS.iter().find(|(name, _, _)| Some(*name) == kind) {
            self.changes.retain(|change| of.contains(&change.kind.as_str()));
            let retrainings = *name == "retrainings";
            self.acts.retain(|act| (retrainings && is_retraining(act.kind)) || *name == "people");
        }
        if let Some(who) = who {
            self.changes.retain(|change| change.actor == who);
            self.acts.retain(|act| act.actor == who);
        }
    }
}

fn is_retraining(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::RetrainingRequested | EventKind::RetrainingHeldBack | EventKind::RetrainingReported
    )
}

#[derive(Template)]
#[template(path = "changes.html")]
pub struct ChangesPage {
    layout: Layout,
    headline: String,
    sub: String,
    kinds: Vec<Choice>,
    who: String,
    model: String,
    without_filters: String,
    is_filtered: bool,
    lines: Vec<Line>,
    json: String,
    is_full: bool,
}

struct Line {
    at: Instant,
    time: Markup,
    who: Markup,
    who_link: String,
    what: Markup,
    detail: Markup,
    model: Markup,
    model_link: String,
}

impl ChangesPage {
    pub fn new(layout: Layout, visit: &Visit, data: &Data) -> Self {
        let of_changes = data.changes.iter().map(|change| of_change(change, visit));
        let mut lines: Vec<Line> = of_changes.chain(data.acts.iter().map(|act| of_act(act, visit))).collect();
        lines.sort_by_key(|line| std::cmp::Reverse(line.at));
        let current = visit.get("kind").unwrap_or_default();
        let choice = |name: &str, label: &str| Choice {
            label: label.to_owned(),
            link: visit.with("kind", name),
            current: current == name,
        };
        let all = std::iter::once(choice("", "All"));
        let over = match visit.range.is_by_page() {
            true => format!("the last {}", text::duration(USUAL)),
            false => visit.range.in_words(),
        };
        Self {
            headline: match lines.len() {
                0 => "Nothing was changed".to_owned(),
                n => counted(n, "change"),
            },
            sub: format!("What people and machines did, in {over}."),
            kinds: all.chain(KINDS.iter().map(|(name, label, _)| choice(name, label))).collect(),
            who: visit.get("who").unwrap_or_default().to_owned(),
            model: visit.get("model").unwrap_or_default().to_owned(),
            without_filters: visit.to("/changes"),
            is_filtered: ["kind", "who", "model"].iter().any(|key| visit.get(key).is_some()),
            json: visit.as_form("json"),
            is_full: data.changes.len().max(data.acts.len()) >= MOST as usize,
            lines,
            layout,
        }
    }
}

fn line(visit: &Visit, at: Instant, actor: &str, of: (&str, &str), what: Markup, detail: &str) -> Line {
    let (model, environment) = of;
    Line {
        at,
        time: visit.range.time(at),
        who: if actor.is_empty() { Markup::escaped("–") } else { text::name(actor, 40) },
        who_link: if actor.is_empty() { String::new() } else { visit.with("who", actor) },
        what,
        detail: if detail.is_empty() { Markup::default() } else { text::name(detail, 240) },
        model: if model.is_empty() { Markup::escaped("all models") } else { text::name(model, 30) },
        model_link: if model.is_empty() || environment.is_empty() {
            String::new()
        } else {
            visit.to(&model_path(model, environment))
        },
    }
}

fn of_change(change: &Change, visit: &Visit) -> Line {
    let title = text::name(&change.title, 120);
    let is_web = change.link.starts_with("https://") || change.link.starts_with("http://");
    let title = if is_web {
        format!("<a href=\"{}\" rel=\"noreferrer\">{title}</a>", escape(&change.link))
    } else {
        title.to_string()
    };
    let what = Markup(format!("<b>{title}</b> <small>{}</small>", escape(&text::cut(&change.kind, 30))));
    let of = (change.model.as_str(), change.environment.as_str());
    line(visit, change.at, &change.actor, of, what, &change.detail)
}

fn of_act(act: &IncidentEvent, visit: &Visit) -> Line {
    let done = done(act, &visit.range);
    let incident = incident_path(&act.incident);
    let what = Markup(format!(
        "<b>{done}</b> <small><a href=\"{incident}\">{}</a></small>",
        text::name(crate::pages::incident::words::without_since(&act.title), 90)
    ));
    let of = (act.model.as_str(), act.environment.as_str());
    line(visit, act.at, &act.actor, of, what, &act.reason)
}

/// What was done, as HTML.
fn done(act: &IncidentEvent, range: &TimeRange) -> String {
    match act.kind {
        EventKind::Opened => "opened".to_owned(),
        EventKind::Updated => "updated".to_owned(),
        EventKind::Escalated => "made a page".to_owned(),
        EventKind::Acknowledged => "acknowledged".to_owned(),
        EventKind::Silenced => {
            let until = act.until.map(|until| format!(" until {}", range.time(until)));
            format!("silenced{}", until.unwrap_or_default())
        }
        EventKind::Unsilenced => "ended the silence".to_owned(),
        EventKind::RetrainingRequested => "retraining requested".to_owned(),
        EventKind::RetrainingHeldBack => "retraining held back".to_owned(),
        EventKind::RetrainingReported => "retraining reported".to_owned(),
        EventKind::MarkedFalse => "marked as false".to_owned(),
        EventKind::Resolved => "resolved".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use domain::evaluation::{Cause, Severity};
    use domain::time::HOUR;

    use super::*;
    use crate::pages::incident::tests::words_of;
    use crate::visit::{Now, Session};

    fn now() -> Instant {
        "2026-11-20T14:43:10Z".parse().expect("an instant")
    }

    fn visit(address: &str) -> Visit {
        let now = Now { at: now(), usual: HOUR * 6 };
        Visit::parse(&address.parse().expect("an address"), Session::default(), now).expect("a visit")
    }

    fn change(kind: &str, title: &str, link: &str) -> Change {
        Change {
            id: title.to_owned(),
            at: now().saturating_sub(HOUR),
            model: "flights".to_owned(),
            environment: "production".to_owned(),
            kind: kind.to_owned(),
            title: title.to_owned(),
            detail: "rolled out to all".to_owned(),
            actor: "ci".to_owned(),
            link: link.to_owned(),
        }
    }

    fn act(kind: EventKind, actor: &str) -> IncidentEvent {
        IncidentEvent {
            incident: "7f3c".to_owned(),
            sequence: 2,
            kind,
            model: "flights".to_owned(),
            environment: "production".to_owned(),
            cause: Cause::Data,
            severity: Severity::Page,
            at: now(),
            recorded_at: now(),
            since: now(),
            actor: actor.to_owned(),
            reason: "known maintenance".to_owned(),
            title: "temp is missing since 13:43 UTC, 20 November".to_owned(),
            findings: Vec::new(),
            until: Some(now().saturating_add(HOUR * 4)),
            action: String::new(),
        }
    }

    fn data() -> Data {
        Data {
            now: now(),
            open: OpenIncidents::default(),
            changes: vec![
                change("deployment", "fraud 2026-11-20", "https://ci.example.com/1"),
                change("grid", "<script>alert(1)</script>", "javascript:alert(1)"),
            ],
            acts: vec![act(EventKind::Silenced, "ada"), act(EventKind::RetrainingHeldBack, "leeway")],
        }
    }

    fn html(address: &str, data: &Data) -> String {
        let visit = visit(address);
        let layout = Layout::new(&visit, Section::Changes, "Changes", data.open);
        ChangesPage::new(layout, &visit, data).render().expect("a page")
    }

    #[test]
    fn who_did_what_when_and_why() {
        let html = html("/changes", &data());
        insta::assert_snapshot!(words_of(&html));
        assert!(!html.contains("<script>alert") && !html.contains("javascript:"), "{html}");
    }

    #[test]
    fn kinds_and_people_can_be_looked_at_alone() {
        let kept = |kind, who| {
            let mut data = data();
            data.keep(kind, who);
            (data.changes.len(), data.acts.len())
        };
        assert_eq!(kept(None, None), (2, 2));
        assert_eq!(kept(Some("deployments"), None), (1, 0));
        assert_eq!(kept(Some("retrainings"), None), (0, 1));
        assert_eq!(kept(Some("people"), None), (0, 2));
        assert_eq!(kept(None, Some("ada")), (0, 1));
        assert!(
            kinds(&visit("/changes?kind=weather"))
                .expect_err("no kind")
                .to_string()
                .contains("known: deployments")
        );
    }
}
