//! Did the message arrive? Every delivery with its attempts, those that failed or are still tried first.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use domain::action::{Action, ActionKind};
use domain::delivery::{Attempt, State as Standing};
use domain::evaluation::UnknownWord;
use domain::time::{DAY, Instant, Interval};
use serde::Serialize;
use sql::pages::OpenIncidents;
use sql::pages::deliveries::{self as questions, DeliveriesAsked, Tally};
use sql::pages::incident::waiting;

use crate::error::PageError;
use crate::layout::{Choice, Layout, Section};
use crate::pages::answer;
use crate::pages::incident::timeline::{is_named_by_kind, kind_of, whom};
use crate::run::App;
use crate::text::{self, Markup, count, counted, milliseconds};
use crate::time_range::TimeRange;
use crate::visit::{Visit, incident_path};

/// No list is longer; a shorter range or a filter shows others.
const MOST: u32 = 200;
/// Where the address names no range: what was sent last may be some days ago.
const USUAL: std::time::Duration = DAY.saturating_mul(7);
/// Asking again this long ago was forgotten.
const WAITS_AT_MOST: std::time::Duration = DAY;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Data {
    pub now: Instant,
    pub open: OpenIncidents,
    pub attempts: Vec<Attempt>,
    #[serde(skip)]
    pub tally: Vec<Tally>,
    pub waiting: Vec<Action>,
}

/// `GET /deliveries`
pub async fn page(State(app): State<App>, mut visit: Visit) -> Result<Response, PageError> {
    let now = visit.range.now();
    if visit.range.is_by_page() {
        visit.range = visit.range.chosen_by_page(Interval::ending_at(now, USUAL));
    }
    let asked = asked(&visit)?;
    let tally_over = asked.interval;
    let since = now.saturating_sub(WAITS_AT_MOST);
    let (attempts, tally, waits, open) = tokio::join!(
        app.store.deliveries_page(&asked),
        app.store.deliveries_tally(&asked.model, tally_over),
        app.store.actions_waiting("", since),
        app.store.open_incidents_count(now),
    );
    let waits = waits?.into_iter().filter(|action| action.kind == ActionKind::SendAgain).collect();
    let data = Data { now, open: open?, attempts: attempts?, tally: tally?, waiting: waits };
    let questions = [
        questions::deliveries(&asked).asked(),
        questions::tally(&asked.model, tally_over).asked(),
        waiting("", since).asked(),
    ];
    let layout = Layout::new(&visit, Section::Deliveries, "Deliveries", data.open);
    answer(&visit, &data, &questions, || DeliveriesPage::new(layout, &visit, &data))
}

fn asked(visit: &Visit) -> Result<DeliveriesAsked, PageError> {
    let wrong = |error: UnknownWord| PageError::wrong(error.to_string());
    let text = |key: &str| visit.get(key).unwrap_or_default().to_owned();
    let incident = text("incident");
    // All of an incident's deliveries are wanted, however long ago it was.
    let interval = if incident.is_empty() {
        visit.range.interval()
    } else {
        DeliveriesAsked::of_incident(&incident, visit.range.now()).interval
    };
    Ok(DeliveriesAsked {
        incident,
        model: text("model"),
        channel: text("channel"),
        state: visit.get("state").map(str::parse).transpose().map_err(wrong)?,
        interval,
        most: MOST,
    })
}

#[derive(Template)]
#[template(path = "deliveries.html")]
pub struct DeliveriesPage {
    layout: Layout,
    headline: String,
    sub: String,
    states: Vec<Choice>,
    channels: Vec<Choice>,
    lines: Vec<Line>,
    incident: String,
    incident_link: String,
    without_incident: String,
    csrf: String,
    back: String,
    is_filtered: bool,
    is_full: bool,
}

/// One delivery with its attempts, latest first.
struct Line {
    state: &'static str,
    state_class: &'static str,
    to: Markup,
    kind: String,
    target: Markup,
    about: &'static str,
    incident: String,
    incident_id: String,
    incident_link: String,
    model: Markup,
    at: Markup,
    answer: Markup,
    attempts: Vec<Try>,
    attempts_words: String,
    /// Empty where it cannot be sent again, or was asked for.
    again: String,
    again_id: String,
    asked: bool,
}

struct Try {
    at: Markup,
    number: String,
    state: &'static str,
    answer: Markup,
    took: String,
}

impl DeliveriesPage {
    pub fn new(layout: Layout, visit: &Visit, data: &Data) -> Self {
        let incident = visit.get("incident").unwrap_or_default();
        let filters = ["incident", "model", "channel", "state"];
        Self {
            headline: headline(&data.tally),
            sub: sub(&data.tally, &visit.range),
            states: states(visit, &data.tally),
            channels: channels(visit, &data.tally),
            lines: lines(data, visit),
            incident: text::cut(incident, 40),
            incident_link: incident_path(incident),
            without_incident: visit.with("incident", ""),
            csrf: visit.session.csrf.clone(),
            back: visit.with("", ""),
            is_filtered: filters.iter().any(|key| visit.get(key).is_some()),
            is_full: data
                .attempts
                .iter()
                .map(|attempt| attempt.delivery.as_str())
                .collect::<std::collections::HashSet<_>>()
                .len()
                >= MOST as usize,
            layout,
        }
    }
}

fn total(tally: &[Tally], state: Option<Standing>) -> u64 {
    tally
        .iter()
        .filter(|line| state.is_none_or(|state| line.state == state))
        .map(|line| line.deliveries)
        .sum()
}

fn headline(tally: &[Tally]) -> String {
    let (failed, retrying) = (total(tally, Some(Standing::Failed)), total(tally, Some(Standing::Retrying)));
    match (failed, retrying, total(tally, None)) {
        (0, 0, 0) => "Nobody had to be told anything".to_owned(),
        (0, 0, _) => "Every message arrived".to_owned(),
        (0, n, _) => format!("{} not arrived yet", counted(n, "message")),
        (n, 0, _) => format!("{} did not arrive", counted(n, "message")),
        (n, m, _) => format!("{} did not arrive, {} still tried", counted(n, "message"), count(m)),
    }
}

fn sub(tally: &[Tally], range: &TimeRange) -> String {
    let delivered = total(tally, Some(Standing::Delivered));
    let held = total(tally, Some(Standing::HeldBack));
    let held = if held > 0 { format!(", {} held back", count(held)) } else { String::new() };
    let over =
        if range.is_by_page() { format!("the last {}", text::duration(USUAL)) } else { range.in_words() };
    format!("{} delivered{held} in {over}.", count(delivered))
}

fn states(visit: &Visit, tally: &[Tally]) -> Vec<Choice> {
    let current = visit.get("state").unwrap_or_default();
    let all = Choice { label: "All".to_owned(), link: visit.with("state", ""), current: current.is_empty() };
    let one = |state: Standing| Choice {
        label: format!("{} {}", text::capitalised(state_words(state)), count(total(tally, Some(state)))),
        link: visit.with("state", state.name()),
        current: current == state.name(),
    };
    let order = [Standing::Failed, Standing::Retrying, Standing::Delivered, Standing::HeldBack];
    std::iter::once(all).chain(order.map(one)).collect()
}

fn channels(visit: &Visit, tally: &[Tally]) -> Vec<Choice> {
    let current = visit.get("channel").unwrap_or_default();
    let mut names: Vec<&str> = tally.iter().map(|line| line.channel.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    if names.len() < 2 && current.is_empty() {
        return Vec::new();
    }
    let all = Choice {
        label: "All channels".to_owned(),
        link: visit.with("channel", ""),
        current: current.is_empty(),
    };
    let one = |name: &str| Choice {
        label: text::cut(name, 30),
        link: visit.with("channel", name),
        current: current == name,
    };
    std::iter::once(all).chain(names.into_iter().map(one)).collect()
}

fn state_words(state: Standing) -> &'static str {
    match state {
        Standing::Delivered => "delivered",
        Standing::Retrying => "still tried",
        Standing::Failed => "failed",
        Standing::HeldBack => "held back",
    }
}

fn state_class(state: Standing) -> &'static str {
    match state {
        Standing::Delivered => "ok",
        Standing::Retrying => "ticket",
        Standing::Failed => "page",
        Standing::HeldBack => "none",
    }
}

/// What a message tells of, by the kind of its event.
fn about(event: &str) -> &'static str {
    match event {
        "opened" => "an incident opened",
        "updated" => "its numbers changed",
        "escalated" => "it grew to a page",
        "acknowledged" => "it was acknowledged",
        "resolved" => "it was resolved",
        "marked_false" => "it was marked as false",
        "silenced" => "it was silenced",
        "unsilenced" => "its silence ended",
        "retraining_requested" => "a retraining is requested",
        _ => "it changed",
    }
}

fn lines(data: &Data, visit: &Visit) -> Vec<Line> {
    let mut by_delivery: BTreeMap<&str, Vec<&Attempt>> = BTreeMap::new();
    for attempt in &data.attempts {
        by_delivery.entry(&attempt.delivery).or_default().push(attempt);
    }
    let mut deliveries: Vec<Vec<&Attempt>> = by_delivery.into_values().collect();
    // Failed for good, then still tried, then the rest; the latest of each first.
    let rank = |attempts: &[&Attempt]| match attempts.last().map(|last| last.state) {
        Some(Standing::Failed) => 0,
        Some(Standing::Retrying) => 1,
        _ => 2,
    };
    let latest = |attempts: &[&Attempt]| std::cmp::Reverse(attempts.last().map(|last| last.at));
    deliveries.sort_by_key(|attempts| (rank(attempts), latest(attempts)));
    deliveries.iter().filter_map(|attempts| line(attempts, data, &visit.range)).collect()
}

fn line(attempts: &[&Attempt], data: &Data, range: &TimeRange) -> Option<Line> {
    let last = attempts.last()?;
    let is_asked = data
        .waiting
        .iter()
        .any(|action| action.payload.contains(&last.delivery) && action.asked_at >= last.at);
    let can_again = !is_asked && last.state != Standing::Retrying;
    let tried = attempts.iter().filter(|attempt| attempt.attempt > 0).count();
    Some(Line {
        state: state_words(last.state),
        state_class: state_class(last.state),
        to: Markup(format!("<b>{}</b>", whom(last))),
        kind: if is_named_by_kind(last) { String::new() } else { format!("{} · ", kind_of(&last.kind)) },
        target: text::name(&last.target, 60),
        about: about(&last.event),
        incident: text::cut(&last.incident, 12),
        incident_id: last.incident.clone(),
        incident_link: incident_path(&last.incident),
        model: text::name(&last.model, 30),
        at: range.time(last.at),
        answer: answer_of(last, range),
        attempts: attempts.iter().rev().map(|attempt| try_of(attempt, range)).collect(),
        attempts_words: if tried == 0 { "not tried".to_owned() } else { counted(tried, "attempt") },
        again: if can_again {
            format!("/deliveries/{}/again", text::path_part(&last.delivery))
        } else {
            String::new()
        },
        again_id: uuid::Uuid::new_v4().to_string(),
        asked: is_asked,
    })
}

/// What the other side said, or why it was not asked.
fn said(attempt: &Attempt) -> Markup {
    let said = if attempt.error.is_empty() { &attempt.answer } else { &attempt.error };
    let code = attempt.answer_code.to_string();
    let is_said = attempt.answer_code == 0 || said.contains(&code);
    let code = if is_said { String::new() } else { format!("{code} ") };
    Markup(format!("{code}{}", text::name(said, 120)))
}

/// The same of the last attempt, with when the next one comes.
fn answer_of(last: &Attempt, range: &TimeRange) -> Markup {
    match (last.state, last.next_attempt_at) {
        (Standing::Retrying, Some(at)) => Markup(format!("{} · next try {}", said(last), range.time(at))),
        _ => said(last),
    }
}

fn try_of(attempt: &Attempt, range: &TimeRange) -> Try {
    Try {
        at: range.time(attempt.at),
        number: if attempt.attempt == 0 { "–".to_owned() } else { count(attempt.attempt) },
        state: state_words(attempt.state),
        answer: said(attempt),
        took: if attempt.attempt == 0 { "–".to_owned() } else { milliseconds(f64::from(attempt.took_ms)) },
    }
}

#[cfg(test)]
mod tests {
    use domain::time::{HOUR, MINUTE};

    use super::*;
    use crate::pages::incident::tests::words_of;
    use crate::visit::{Now, Session};

    fn now() -> Instant {
        "2026-11-20T14:43:10Z".parse().expect("an instant")
    }

    fn attempt(channel: (&str, &str), number: u32, state: Standing, minutes_ago: u32) -> Attempt {
        let failed = matches!(state, Standing::Failed | Standing::Retrying);
        let at = now().saturating_sub(MINUTE * minutes_ago);
        Attempt {
            delivery: format!("msg_{}", channel.1),
            attempt: number,
            incident: "7f3c".to_owned(),
            sequence: 1,
            model: "flights".to_owned(),
            channel: channel.1.to_owned(),
            kind: channel.0.to_owned(),
            event: "opened".to_owned(),
            state,
            target: "hooks.example.com".to_owned(),
            answer_code: if failed { 503 } else { 202 },
            answer: "<b>taken</b>".to_owned(),
            error: if failed { "answered 503 Service Unavailable".to_owned() } else { String::new() },
            next_attempt_at: (state == Standing::Retrying).then(|| at.saturating_add(MINUTE * 2)),
            took_ms: 412,
            at,
        }
    }

    fn data() -> Data {
        let tally = |channel: &str, kind: &str, state, deliveries| Tally {
            channel: channel.to_owned(),
            kind: kind.to_owned(),
            state,
            deliveries,
        };
        Data {
            now: now(),
            open: OpenIncidents { pages: 1, ..OpenIncidents::default() },
            attempts: vec![
                attempt(("pagerduty", "pagerduty"), 1, Standing::Delivered, 30),
                attempt(("webhook", "lake"), 1, Standing::Retrying, 20),
                attempt(("webhook", "lake"), 2, Standing::Retrying, 10),
                attempt(("email", "ops"), 0, Standing::HeldBack, 5),
                attempt(("webhook", "<script>"), 6, Standing::Failed, 40),
            ],
            tally: vec![
                tally("lake", "webhook", Standing::Retrying, 1),
                tally("<script>", "webhook", Standing::Failed, 1),
                tally("pagerduty", "pagerduty", Standing::Delivered, 41),
                tally("ops", "email", Standing::HeldBack, 1),
            ],
            waiting: Vec::new(),
        }
    }

    fn html(data: &Data) -> String {
        let session = Session { csrf: "token".to_owned(), ..Session::default() };
        let now = Now { at: now(), usual: HOUR * 6 };
        let visit = Visit::parse(&"/deliveries".parse().expect("a path"), session, now).expect("a visit");
        let layout = Layout::new(&visit, Section::Deliveries, "Deliveries", data.open);
        DeliveriesPage::new(layout, &visit, data).render().expect("a page")
    }

    #[test]
    fn what_failed_comes_first_with_its_answers_and_next_try() {
        let html = html(&data());
        insta::assert_snapshot!(words_of(&html));
        assert!(
            !html.contains("<script>\"") && !html.contains("<b>taken") && !html.contains("<bdi><script>"),
            "{html}"
        );
    }

    #[test]
    fn what_was_asked_for_again_is_not_offered_again() {
        let action = Action {
            id: "a".to_owned(),
            incident: "7f3c".to_owned(),
            kind: ActionKind::SendAgain,
            actor: "ada".to_owned(),
            reason: String::new(),
            until: None,
            payload: r#"{"delivery":"msg_pagerduty"}"#.to_owned(),
            asked_at: now(),
        };
        let html = html(&Data { waiting: vec![action], ..data() });
        assert!(html.contains("asked for, waiting for the alerter"), "{html}");
        assert!(!html.contains("/deliveries/msg_pagerduty/again"));
        assert!(!html.contains("/deliveries/msg_lake/again"), "it is still tried by itself");
        assert!(html.contains("/deliveries/msg_ops/again"));
    }

    #[test]
    fn nothing_sent_says_so() {
        let html = html(&Data { attempts: Vec::new(), tally: Vec::new(), ..data() });
        assert!(
            html.contains("Nobody had to be told anything") && html.contains("Nothing was sent"),
            "{html}"
        );
    }
}
