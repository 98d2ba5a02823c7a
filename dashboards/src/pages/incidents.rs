//! What happened lately: open incidents first, then those that are over, each with its duration, cause and who acted.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use domain::action::Action;
use domain::evaluation::{Severity, UnknownWord};
use domain::incident::{Incident, fold};
use domain::time::{DAY, Instant, Interval};
use serde::Serialize;
use sql::pages::OpenIncidents;
use sql::pages::incident::{self as questions, IncidentsAsked};

use crate::error::PageError;
use crate::layout::{Choice, Layout, Section};
use crate::pages::answer;
use crate::pages::incident::words;
use crate::run::App;
use crate::text::{self, Markup, count, counted};
use crate::time_range::TimeRange;
use crate::visit::{Visit, incident_path, link, model_path};

/// Where the address names no range, all of this is looked through.
const KEPT: std::time::Duration = DAY.saturating_mul(400);
/// No list is longer; a shorter range shows what is older.
const MOST: u32 = 200;
/// What was asked for longer ago was forgotten.
const WAITS_AT_MOST: std::time::Duration = DAY.saturating_mul(30);

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Data {
    pub now: Instant,
    pub open: OpenIncidents,
    /// Open ones first, then the latest.
    pub incidents: Vec<Incident>,
    pub waiting: Vec<Action>,
}

/// `GET /incidents`
pub async fn page(State(app): State<App>, mut visit: Visit) -> Result<Response, PageError> {
    let now = visit.range.now();
    if visit.range.is_by_page() {
        // What happened last may be long ago.
        visit.range = visit.range.chosen_by_page(Interval::ending_at(now, KEPT));
    }
    let asked = asked(&visit)?;
    let since = now.saturating_sub(WAITS_AT_MOST);
    let (events, waiting, open) = tokio::join!(
        app.store.incident_heads(&asked),
        app.store.actions_waiting("", since),
        app.store.open_incidents_count(now),
    );
    let mut incidents = fold(&events?);
    sort(&mut incidents);
    let data = Data { now, open: open?, incidents, waiting: waiting? };
    let questions = [questions::heads(&asked).asked(), questions::waiting("", since).asked()];
    let layout = Layout::new(&visit, Section::Incidents, "Incidents", data.open);
    answer(&visit, &data, &questions, || IncidentsPage::new(layout, &visit, &data))
}

/// What the address asks for.
fn asked(visit: &Visit) -> Result<IncidentsAsked, PageError> {
    let wrong = |error: UnknownWord| PageError::wrong(error.to_string());
    let severity = visit.get("severity").map(str::parse::<Severity>).transpose().map_err(wrong)?;
    let open = match visit.get("state") {
        None => None,
        Some("open") => Some(true),
        Some("resolved") => Some(false),
        Some(other) => {
            let other = text::cut(other, 40);
            return Err(PageError::wrong(format!(
                "state \"{other}\" does not exist (known: open, resolved)"
            )));
        }
    };
    // Clocks of two machines differ: what was written a moment ago is not left out.
    let range = visit.range.interval();
    let interval =
        if visit.range.is_live() { Interval::new(range.start, range.end.saturating_add(DAY)) } else { range };
    let model = visit.get("model").unwrap_or_default().to_owned();
    Ok(IncidentsAsked { model, severity, open, interval, most: MOST })
}

/// Open before resolved, pages before tickets among the open ones, then the latest.
fn sort(incidents: &mut [Incident]) {
    incidents.sort_by(|one, other| {
        let open = |incident: &Incident| incident.is_open().then_some(incident.severity);
        open(other)
            .cmp(&open(one))
            .then_with(|| other.opened_at.cmp(&one.opened_at))
            .then_with(|| one.id.cmp(&other.id))
    });
}

#[derive(Template)]
#[template(path = "incidents.html")]
pub struct IncidentsPage {
    layout: Layout,
    headline: String,
    sub: String,
    open: Vec<Line>,
    resolved: Vec<Line>,
    states: Vec<Choice>,
    severities: Vec<Choice>,
    /// The filter by model, as the address states it.
    model: String,
    all_models: String,
    kept: Vec<(String, String)>,
    range_words: String,
    all_times: String,
    is_full: bool,
}

/// One incident.
struct Line {
    link: String,
    title: String,
    severity: &'static str,
    severity_class: &'static str,
    model: Markup,
    model_link: String,
    environment: Markup,
    since: Markup,
    lasted: String,
    cause: &'static str,
    acted: Markup,
    mark_false: String,
}

impl IncidentsPage {
    pub fn new(layout: Layout, visit: &Visit, data: &Data) -> Self {
        let line = |incident: &Incident| Line::new(incident, data, visit);
        let (open, resolved): (Vec<&Incident>, Vec<&Incident>) =
            data.incidents.iter().partition(|incident| incident.is_open());
        let choice = |key: &'static str, value: &'static str, label: &str| Choice {
            label: label.to_owned(),
            link: visit.with(key, value),
            current: visit.get(key).unwrap_or_default() == value,
        };
        let by_page = visit.range.is_by_page();
        Self {
            headline: headline(&data.open),
            sub: sub(data),
            open: open.into_iter().map(line).collect(),
            resolved: resolved.into_iter().map(line).collect(),
            states: [("", "All"), ("open", "Open"), ("resolved", "Resolved")]
                .map(|(value, label)| choice("state", value, label))
                .into(),
            severities: [("", "Pages and tickets"), ("page", "Pages"), ("ticket", "Tickets")]
                .map(|(value, label)| choice("severity", value, label))
                .into(),
            model: visit.get("model").unwrap_or_default().to_owned(),
            all_models: visit.with("model", ""),
            kept: kept(visit),
            range_words: if by_page { "all times".to_owned() } else { visit.range.in_words() },
            all_times: if by_page {
                String::new()
            } else {
                link(visit.path(), &[visit.kept_except(&["page", "format"])])
            },
            is_full: data.incidents.len() >= MOST as usize,
            layout,
        }
    }
}

/// The hidden fields of the filter by model.
fn kept(visit: &Visit) -> Vec<(String, String)> {
    let range = visit.range.query();
    let ranges = url::form_urlencoded::parse(range.as_bytes()).into_owned();
    let others =
        visit.kept(&["model", "page", "format"]).map(|(key, value)| (key.to_owned(), value.to_owned()));
    ranges.chain(others).collect()
}

fn headline(open: &OpenIncidents) -> String {
    match (open.pages, open.tickets) {
        (0, 0) => "Nothing is open".to_owned(),
        (pages, 0) => format!("{} open", counted(pages, "page")),
        (0, tickets) => format!("{} open, nothing that pages", counted(tickets, "ticket")),
        (pages, tickets) => format!("{} and {} open", counted(pages, "page"), counted(tickets, "ticket")),
    }
}

fn sub(data: &Data) -> String {
    match data.open.false_pages {
        0 => "No page of the last 90 days was marked as false.".to_owned(),
        n => format!("{} of the last 90 days marked as false.", counted(n, "page")),
    }
}

impl Line {
    fn new(incident: &Incident, data: &Data, visit: &Visit) -> Self {
        let page = incident.severity == Severity::Page;
        Self {
            link: incident_path(&incident.id),
            title: words::headline(incident),
            severity: words::severity(incident.severity),
            severity_class: if page { "page" } else { "ticket" },
            model: text::name(&incident.model, 30),
            model_link: visit.to(&model_path(&incident.model, &incident.environment)),
            environment: text::name(&incident.environment, 20),
            since: visit.range.time(incident.since),
            lasted: words::lasted(incident, data.now),
            cause: text::cause(incident.cause),
            acted: acted(incident, &data.waiting, &visit.range),
            mark_false: match incident.marked_false {
                Some(_) => String::new(),
                None => format!("{}?do=mark_false", incident_path(&incident.id)),
            },
        }
    }
}

/// Who did what about it last, and what is asked for.
fn acted(incident: &Incident, waiting: &[Action], range: &TimeRange) -> Markup {
    let by = |what: &str, by: &domain::incident::By| {
        format!("{what} by {} <small>{}</small>", text::name(&by.actor, 30), range.time(by.at))
    };
    let mut parts = Vec::new();
    if let Some(who) = &incident.marked_false {
        parts.push(format!("<b>{}</b>", by("false alarm, said", who)));
    }
    match (&incident.resolved, &incident.acknowledged) {
        (Some(who), _) if who.actor != "leeway" && incident.marked_false.is_none() => {
            parts.push(by("resolved", who))
        }
        (_, Some(who)) => parts.push(by("acknowledged", who)),
        (None, None) if incident.is_silenced_at(range.now()) => parts.push("silenced".to_owned()),
        (None, None) => parts.push("<span class=\"dim\">nobody yet</span>".to_owned()),
        (Some(_), None) if incident.marked_false.is_none() => {
            parts.push("<span class=\"dim\">ended by itself</span>".to_owned());
        }
        _ => {}
    }
    let waits = waiting.iter().filter(|action| action.incident == incident.id).count();
    if waits > 0 && incident.is_open() {
        parts.push(format!("<small>{} asked for</small>", count(waits)));
    }
    Markup(parts.join("<br>"))
}

#[cfg(test)]
mod tests {
    use domain::action::ActionKind;
    use domain::evaluation::Cause;
    use domain::incident::By;
    use domain::time::HOUR;

    use super::*;
    use crate::pages::incident::tests::words_of;
    use crate::visit::{Now, Session};

    fn now() -> Instant {
        "2026-11-20T14:43:10Z".parse().expect("an instant")
    }

    fn visit(address: &str) -> Visit {
        let session = Session { csrf: "token".to_owned(), ..Session::default() };
        let now = Now { at: now(), usual: HOUR * 6 };
        Visit::parse(&address.parse().expect("an address"), session, now).expect("a visit")
    }

    fn incident(id: &str, title: &str, hours_ago: u32) -> Incident {
        let since = now().saturating_sub(HOUR * hours_ago);
        Incident {
            id: id.to_owned(),
            model: "flights".to_owned(),
            environment: "production".to_owned(),
            cause: Cause::Data,
            severity: Severity::Page,
            title: title.to_owned(),
            since,
            opened_at: since,
            updated_at: since,
            acknowledged: None,
            silenced_until: None,
            resolved: None,
            marked_false: None,
            retraining_requested_at: None,
            findings: Vec::new(),
            events: 1,
        }
    }

    fn by(actor: &str, hours_ago: u32) -> Option<By> {
        Some(By {
            at: now().saturating_sub(HOUR * hours_ago),
            actor: actor.to_owned(),
            reason: String::new(),
        })
    }

    fn data() -> Data {
        let open = incident("a", "wind_speed moved at origin = JFK since 13:43 UTC, 20 November", 1);
        let ticket = Incident {
            severity: Severity::Ticket,
            ..incident("b", "traffic is not as usual since 12:43 UTC", 2)
        };
        let ended = Incident {
            acknowledged: by("ada", 29),
            resolved: by("leeway", 28),
            ..incident("c", "temp is missing since 08:43 UTC, 19 November", 30)
        };
        let wrong = Incident {
            resolved: by("ada", 47),
            marked_false: by("ada", 47),
            ..incident("d", "<script>alert(1)</script> since 18 November 2026", 50)
        };
        let mut incidents = vec![wrong, ticket, ended, open];
        sort(&mut incidents);
        let waiting = Action {
            id: "w".to_owned(),
            incident: "a".to_owned(),
            kind: ActionKind::Acknowledge,
            actor: "ada".to_owned(),
            reason: String::new(),
            until: None,
            payload: String::new(),
            asked_at: now(),
        };
        let open = OpenIncidents { pages: 1, tickets: 1, false_pages: 1 };
        Data { now: now(), open, incidents, waiting: vec![waiting] }
    }

    fn html(address: &str, data: &Data) -> String {
        let visit = visit(address);
        let layout = Layout::new(&visit, Section::Incidents, "Incidents", data.open);
        IncidentsPage::new(layout, &visit, data).render().expect("a page")
    }

    #[test]
    fn open_pages_come_first_and_each_says_who_acted() {
        let html = html("/incidents?model=flights", &data());
        insta::assert_snapshot!(words_of(&html));
        assert!(!html.contains("<script>alert"), "{html}");
        assert!(html.contains("/incidents/c?do=mark_false") && !html.contains("/incidents/d?do=mark_false"));
    }

    #[test]
    fn an_empty_list_says_so() {
        let html =
            html("/incidents", &Data { incidents: Vec::new(), open: OpenIncidents::default(), ..data() });
        assert!(html.contains("Nothing is open") && html.contains("No incident fits"), "{html}");
    }

    #[test]
    fn what_the_address_asks_for_is_checked() {
        assert_eq!(
            asked(&visit("/incidents?state=open&severity=page")).expect("understood").open,
            Some(true)
        );
        assert!(asked(&visit("/incidents?state=ajar")).is_err());
        assert!(
            asked(&visit("/incidents?severity=loud"))
                .expect_err("no severity")
                .to_string()
                .contains("known: ticket")
        );
    }
}
