//! The timeline: what was changed, what was seen, who was told and who did what, in one order of time.

use std::collections::BTreeMap;

use domain::delivery::{Attempt, State};
use domain::incident::{EventKind, IncidentEvent};
use domain::time::{Instant, MINUTE};

use super::Data;
use super::forms::asked_for;
use crate::text::{self, Markup, count, duration, escape, milliseconds};
use crate::time_range::TimeRange;

#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub time: Markup,
    pub words: Markup,
    /// The small print; empty for none.
    pub small: Markup,
    /// `on` for what hurts, `bad` for what failed, `now` for how it stands, else empty.
    pub class: &'static str,
}

/// Longer timelines leave out their middle, and say so.
const MOST: usize = 26;
/// How much of both ends stays.
const KEPT: (usize, usize) = (12, 12);
/// An action that waits longer than this makes one ask whether the alerter runs.
const WAITS_LONG: std::time::Duration = MINUTE;

pub fn timeline(data: &Data, range: &TimeRange) -> Vec<Entry> {
    let mut entries: Vec<(Instant, Entry)> = Vec::new();
    entries.extend(changes(data, range));
    entries.extend(first_window(data, range));
    entries.extend(events(data, range));
    entries.extend(deliveries(data, range));
    entries.extend(waiting(data, range));
    entries.sort_by_key(|(at, _)| *at);
    let mut entries: Vec<Entry> = entries.into_iter().map(|(_, entry)| entry).collect();
    shorten(&mut entries);
    entries.extend(standing(data, range));
    entries
}

fn entry(
    range: &TimeRange,
    at: Instant,
    words: String,
    small: String,
    class: &'static str,
) -> (Instant, Entry) {
    (at, Entry { time: range.time(at), words: Markup(words), small: Markup(small), class })
}

fn shorten(entries: &mut Vec<Entry>) {
    if entries.len() <= MOST {
        return;
    }
    let left_out = entries.len() - KEPT.0 - KEPT.1;
    let end = entries.len() - KEPT.1;
    let note = Entry {
        time: Markup::default(),
        words: Markup(format!(
            "<span class=\"dim\">{} more, all of them in the JSON</span>",
            count(left_out)
        )),
        small: Markup::default(),
        class: "",
    };
    entries.splice(KEPT.0..end, [note]);
}

fn changes<'a>(data: &'a Data, range: &'a TimeRange) -> impl Iterator<Item = (Instant, Entry)> + 'a {
    data.changes.iter().map(|change| {
        let by = if change.actor.is_empty() {
            String::new()
        } else {
            format!(", by {}", text::name(&change.actor, 40))
        };
        let small = format!("a change: {}{by}", escape(&text::cut(&change.kind, 30)));
        entry(range, change.at, text::name(&change.title, 90).to_string(), small, "")
    })
}

fn first_window(data: &Data, range: &TimeRange) -> Option<(Instant, Entry)> {
    let incident = &data.incident;
    let words = "first window beyond its limit begins".to_owned();
    (incident.since < incident.opened_at).then(|| entry(range, incident.since, words, String::new(), "on"))
}

/// Events, with runs of updates told as one.
fn events<'a>(data: &'a Data, range: &'a TimeRange) -> Vec<(Instant, Entry)> {
    let mut told = Vec::new();
    let mut known = 0;
    for event in &data.events {
        let stands = event.findings.iter().filter(|finding| finding.standing).count();
        match event.kind {
            EventKind::Updated if stands > known => {
                let more = text::counted(stands - known, "finding");
                told.push(entry(range, event.at, format!("{more} more joined"), String::new(), "on"));
            }
            EventKind::Updated => {}
            _ => told.push(event_entry(event, range)),
        }
        if !event.findings.is_empty() {
            known = stands;
        }
    }
    told
}

fn event_entry(event: &IncidentEvent, range: &TimeRange) -> (Instant, Entry) {
    let who =
        if event.actor == "leeway" { String::new() } else { format!(" by {}", text::name(&event.actor, 40)) };
    let (words, class) = match event.kind {
        EventKind::Opened => ("<b>incident opened</b>".to_owned(), "on"),
        EventKind::Escalated => ("<b>grew to a page</b>".to_owned(), "on"),
        EventKind::Updated => ("numbers changed".to_owned(), ""),
        EventKind::Acknowledged => (format!("<b>acknowledged</b>{who}"), ""),
        EventKind::Silenced => {
            let until = event.until.map(|until| format!(" until {}", range.time(until))).unwrap_or_default();
            (format!("<b>silenced</b>{until}{who}"), "")
        }
        EventKind::Unsilenced => (format!("silence ended{who}"), ""),
        EventKind::RetrainingRequested => (format!("<b>retraining requested</b>{who}"), ""),
        EventKind::RetrainingHeldBack => ("retraining held back".to_owned(), ""),
        EventKind::RetrainingReported => (format!("the retraining reported{who}"), ""),
        EventKind::MarkedFalse => (format!("<b>marked as false</b>{who}"), ""),
        EventKind::Resolved => (format!("<b>resolved</b>{who}"), "ok"),
    };
    entry(range, event.at, words, escape(&text::cut(&event.reason, 300)), class)
}

/// Deliveries of one event through one channel are one line: how many of them arrived.
fn deliveries(data: &Data, range: &TimeRange) -> Vec<(Instant, Entry)> {
    let mut lines: BTreeMap<(u32, &str), BTreeMap<&str, Vec<&Attempt>>> = BTreeMap::new();
    for attempt in &data.deliveries {
        let line = lines.entry((attempt.sequence, attempt.channel.as_str())).or_default();
        line.entry(attempt.delivery.as_str()).or_default().push(attempt);
    }
    lines.values().filter_map(|line| delivery_entry(line, range)).collect()
}

fn delivery_entry(line: &BTreeMap<&str, Vec<&Attempt>>, range: &TimeRange) -> Option<(Instant, Entry)> {
    let last: Vec<&Attempt> = line.values().filter_map(|attempts| attempts.last().copied()).collect();
    let worst = last.iter().max_by_key(|attempt| (worse(attempt.state), attempt.at))?;
    let first_at = line.values().flatten().map(|attempt| attempt.at).min()?;
    let arrived = last.iter().filter(|attempt| attempt.state == State::Delivered).count();
    let told = match worst.state {
        State::Delivered => "told",
        State::HeldBack => "not told",
        State::Retrying => "not reached yet",
        State::Failed => "<b>not reached</b>",
    };
    let words = format!("{} {told}{}", whom(worst), by_kind(worst));
    let small = match worst.state {
        State::Delivered if last.len() == 1 => {
            format!("delivered in {}", escape(&milliseconds(f64::from(worst.took_ms))))
        }
        State::Delivered => format!("{arrived} of {} delivered", last.len()),
        State::HeldBack => escape(&text::cut(or(&worst.error, "silenced"), 160)),
        State::Retrying => {
            let next =
                worst.next_attempt_at.map(|at| format!(", next try {}", range.time(at))).unwrap_or_default();
            format!("{}{next}", escape(&text::cut(or(&worst.error, "no answer"), 160)))
        }
        State::Failed => escape(&text::cut(or(&worst.error, "no answer"), 160)),
    };
    let class = if worst.state == State::Failed { "bad" } else { "" };
    Some(entry(range, first_at, words, small, class))
}

fn or<'a>(text: &'a str, otherwise: &'a str) -> &'a str {
    if text.is_empty() { otherwise } else { text }
}

fn worse(state: State) -> u8 {
    match state {
        State::Delivered => 0,
        State::HeldBack => 1,
        State::Retrying => 2,
        State::Failed => 3,
    }
}

/// Who is told: the channel's name, or its kind where the name is the kind.
pub fn whom(attempt: &Attempt) -> String {
    if is_named_by_kind(attempt) {
        escape(&text::capitalised(&kind_of(&attempt.kind)))
    } else {
        text::name(&attempt.channel, 40).to_string()
    }
}

fn by_kind(attempt: &Attempt) -> String {
    if is_named_by_kind(attempt) { String::new() } else { format!(" by {}", escape(&kind_of(&attempt.kind))) }
}

pub fn is_named_by_kind(attempt: &Attempt) -> bool {
    attempt.channel.is_empty() || attempt.channel.eq_ignore_ascii_case(&attempt.kind)
}

pub fn kind_of(kind: &str) -> String {
    match kind {
        "pagerduty" => "PagerDuty".to_owned(),
        "email" => "e-mail".to_owned(),
        "webhook" => "webhook".to_owned(),
        "retraining" => "retraining job".to_owned(),
        other => text::cut(other, 40),
    }
}

fn waiting<'a>(data: &'a Data, range: &'a TimeRange) -> impl Iterator<Item = (Instant, Entry)> + 'a {
    data.waiting.iter().map(|action| {
        let long = range.now().since(action.asked_at);
        let small = if long > WAITS_LONG {
            format!("waits for the alerter for {}: is it running?", duration(long))
        } else {
            "waits for the alerter".to_owned()
        };
        let words = format!("{} asked for by {}", asked_for(action), text::name(&action.actor, 40));
        entry(range, action.asked_at, words, small, "asked")
    })
}

fn standing(data: &Data, range: &TimeRange) -> Option<Entry> {
    let incident = &data.incident;
    if !incident.is_open() {
        return None;
    }
    let words = match &incident.acknowledged {
        None => "still open, nobody has acknowledged",
        Some(_) => "still open",
    };
    let (_, entry) = entry(range, range.now(), words.to_owned(), String::new(), "now");
    Some(entry)
}
