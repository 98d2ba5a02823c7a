//! What is known of a model beside what moves: its versions, what was changed, what its owner states.

use std::time::Duration;

use super::Data;
use crate::text::{self, Markup, count, duration, milliseconds, name, percent};
use crate::visit::Visit;

pub struct VersionLine {
    pub version: Markup,
    pub events: String,
    pub errors: String,
    pub since: Markup,
    pub until: Markup,
}

pub struct ChangeLine {
    pub at: Markup,
    pub kind: String,
    pub title: Markup,
    pub actor: Markup,
}

pub fn versions(data: &Data, visit: &Visit) -> Vec<VersionLine> {
    data.versions
        .iter()
        .map(|version| VersionLine {
            version: name(if version.version.is_empty() { "(none stated)" } else { &version.version }, 40),
            events: count(version.events),
            errors: percent(version.errors as f64 / version.events.max(1) as f64),
            since: visit.range.time(version.first_event),
            until: visit.range.time(version.last_event),
        })
        .collect()
}

pub fn changes(data: &Data, visit: &Visit) -> Vec<ChangeLine> {
    data.changes
        .iter()
        .take(8)
        .map(|change| ChangeLine {
            at: visit.range.time(change.at),
            kind: text::cut(&change.kind, 30),
            title: name(&change.title, 80),
            actor: name(&change.actor, 40),
        })
        .collect()
}

pub fn facts(data: &Data, visit: &Visit) -> Vec<(String, Markup)> {
    let contract = &data.contract;
    let said = |label: &str, value: &str| {
        (!value.is_empty()).then(|| (label.to_owned(), Markup::escaped(&text::cut(value, 200))))
    };
    let objectives: Vec<String> = [
        contract.objectives.availability.map(|target| format!("{} succeed", percent(target))),
        contract
            .objectives
            .latency
            .map(|it| format!("{} within {}", percent(it.target), milliseconds(it.limit_ms))),
        contract.objectives.quality.map(|target| format!("{} keep the contract", percent(target))),
    ]
    .into_iter()
    .flatten()
    .collect();
    let mut facts: Vec<(String, Markup)> = [
        said("owner", &contract.owner),
        said("objectives", &objectives.join("; ")),
        said("watched by", &contract.segments.join(", ")),
    ]
    .into_iter()
    .flatten()
    .collect();
    for watch in contract.watches() {
        let label = format!("watch {}", text::cut(&watch.name, 24));
        let (window, step) = (Duration::from_secs(watch.window_s), Duration::from_secs(watch.step_s));
        let words = format!(
            "{} every {}, against {}; at least {}{}",
            duration(window),
            duration(step),
            text::cut(&watch.baseline, 40),
            text::counted(watch.least_events, "event"),
            if watch.history { "; recorded history" } else { "" }
        );
        facts.push((label, Markup::escaped(&words)));
    }
    for baseline in data.baselines.iter().take(8) {
        let words = format!(
            "{}, {} to {}, from {}",
            text::counted(baseline.events, "event"),
            visit.range.written(baseline.window.start),
            visit.range.written(baseline.window.end),
            text::cut(&baseline.source, 60)
        );
        facts.push((format!("baseline {}", text::cut(&baseline.name, 30)), Markup::escaped(&words)));
    }
    facts
}
