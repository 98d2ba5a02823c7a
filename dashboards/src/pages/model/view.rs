//! What a model's page says.

use std::collections::BTreeSet;
use std::time::Duration;

use askama::Template;
use domain::contract::Contract;
use domain::evaluation::{Evaluation, Severity, Verdict};
use domain::incident::Incident;
use sql::pages::model::PerformancePoint;

use super::causes::{Cause, causes};
use super::facts::{ChangeLine, VersionLine, changes, facts, versions};
use super::groups::{GroupLine, groups};
use super::pictures::{Chart, charts, heat, heat_step, metrics};
use super::{Data, SIGNALS_A_PAGE};
use crate::layout::{Choice, Layout};
use crate::text::{self, Markup, count, duration, milliseconds, name, number, percent};
use crate::visit::{Visit, incident_path, model_path};

#[derive(Template)]
#[template(path = "model.html")]
pub struct Model {
    layout: Layout,
    name: Markup,
    environment: String,
    environments: Vec<Choice>,
    note: String,
    /// Where the recorded history is, for a model that has some.
    history_link: String,
    about: Markup,
    playbook: String,
    state: Standing,
    watches: Vec<WatchChoice>,
    kept: Vec<(String, String)>,
    cards: Vec<Card>,
    stats: Vec<Stat>,
    moving: String,
    movers: Vec<Cause>,
    heat: Option<Markup>,
    heat_words: String,
    search: String,
    searchable: bool,
    pager: Vec<Choice>,
    charts: Vec<Chart>,
    groups: Vec<GroupLine>,
    versions: Vec<VersionLine>,
    changes: Vec<ChangeLine>,
    facts: Vec<(String, Markup)>,
    learning: String,
}

/// How the model stands, in a sentence.
pub struct Standing {
    pub class: &'static str,
    pub chip: &'static str,
    pub sentence: String,
}

pub struct WatchChoice {
    pub value: String,
    pub label: String,
    pub current: bool,
}

pub struct Card {
    pub class: &'static str,
    pub word: &'static str,
    pub link: String,
    pub title: String,
    pub lasting: String,
}

/// A number with what it is measured against.
pub struct Stat {
    pub label: &'static str,
    pub value: String,
    pub class: &'static str,
    pub note: String,
}

impl Model {
    pub fn new(layout: Layout, visit: &Visit, data: &Data) -> Self {
        let path = |environment: &str| visit.to(&model_path(&data.model, environment));
        Self {
            name: name(&data.model, 80),
            environment: text::cut(&data.environment, 40),
            environments: data
                .environments
                .iter()
                .filter(|known| known.environment != data.environment)
                .map(|known| Choice {
                    label: text::cut(&known.environment, 40),
                    link: path(&known.environment),
                    current: false,
                })
                .collect(),
            note: data.contract.note.clone(),
            history_link: history_link(data, visit),
            about: about(&data.contract),
            playbook: web_address(&data.contract.playbook),
            state: standing(data, visit),
            watches: watches(data),
            kept: visit
                .hidden(&["watch", "page", "format"])
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
            cards: data.incidents.iter().rev().take(6).map(|incident| card(incident, visit)).collect(),
            stats: stats(data, visit),
            moving: moving(data),
            movers: causes(data, visit),
            heat: (!data.rows.is_empty()).then(|| heat(data, visit)),
            heat_words: format!(
                "the worst of every {}, over {}",
                duration(heat_step(data)),
                visit.range.in_words()
            ),
            search: visit.get("q").unwrap_or_default().to_owned(),
            searchable: data.found > SIGNALS_A_PAGE || visit.get("q").is_some(),
            pager: pager(data, visit),
            charts: charts(data, visit),
            groups: groups(data),
            versions: versions(data, visit),
            changes: changes(data, visit),
            facts: facts(data, visit),
            learning: learning(data),
            layout,
        }
    }
}

/// The same page over a year, where a watch looks at recorded history and the range shows little of it.
fn history_link(data: &Data, visit: &Visit) -> String {
    const MUCH: Duration = Duration::from_secs(60 * 86_400);
    let has_history = data.contract.watches().iter().any(|watch| watch.history);
    match has_history && data.range.length() < MUCH {
        true => visit.over("-365d"),
        false => String::new(),
    }
}

fn about(contract: &Contract) -> Markup {
    let said: Vec<String> = [&contract.description, &contract.owner]
        .into_iter()
        .filter(|part| !part.is_empty())
        .map(|part| text::cut(part, 160))
        .collect();
    Markup::escaped(&said.join(" · "))
}

/// An address that may be a link: no other scheme than the web's.
pub fn web_address(text: &str) -> String {
    let is_web = ["http://", "https://"].iter().any(|scheme| text.starts_with(scheme));
    if is_web { text.to_owned() } else { String::new() }
}

fn beyond(data: &Data) -> (usize, usize) {
    let signals = |wanted: fn(&Evaluation) -> bool| -> usize {
        let names: BTreeSet<&str> = data
            .latest
            .iter()
            .filter(|it| !it.subject.signal.is_empty() && wanted(it))
            .map(|it| it.subject.signal.as_str())
            .collect();
        names.len()
    };
    (signals(|it| it.verdict.is_alarm()), signals(|_| true))
}

fn standing(data: &Data, visit: &Visit) -> Standing {
    let worst = data.incidents.iter().max_by_key(|incident| (incident.severity, incident.opened_at));
    if let Some(incident) = worst {
        let (class, chip) = severity_words(incident.severity);
        let (beyond, judged) = beyond(data);
        let open = text::counted(data.incidents.len() as u64, "open incident");
        let moved = match judged {
            0 => String::new(),
            _ => format!("; {beyond} of {} beyond their limits", text::counted(judged as u64, "signal")),
        };
        let since = visit.range.written(incident.since);
        return Standing { class, chip, sentence: format!("since {since}, {open}{moved}") };
    }
    let (beyond, judged) = beyond(data);
    let suspects = data.latest.iter().filter(|it| it.verdict == Verdict::Suspect).count();
    let enough = data.latest.iter().any(|it| it.verdict != Verdict::TooLittleData);
    match () {
        () if beyond > 0 => Standing {
            class: "ticket",
            chip: "Beyond its limits",
            sentence: format!(
                "{beyond} of {} moved in the last window of this range",
                text::counted(judged as u64, "signal")
            ),
        },
        () if suspects > 0 => Standing {
            class: "quiet",
            chip: "On course so far",
            sentence: format!(
                "{} beyond a limit once; one window alone is no alarm",
                text::counted(suspects as u64, "subject")
            ),
        },
        () if enough => Standing {
            class: "ok",
            chip: "On course",
            sentence: format!("{} judged, all within their limits", text::counted(judged as u64, "signal")),
        },
        () if !data.latest.is_empty() => Standing {
            class: "quiet",
            chip: "Too little data",
            sentence: data.latest.first().map(|it| text::cut(&it.sentence, 160)).unwrap_or_default(),
        },
        () => Standing {
            class: "quiet",
            chip: "No verdict",
            sentence: "nothing was judged in this range".to_owned(),
        },
    }
}

fn severity_words(severity: Severity) -> (&'static str, &'static str) {
    match severity {
        Severity::Page => ("page", "Off course"),
        Severity::Ticket => ("ticket", "Drifting"),
    }
}

/// Without any verdict: what is needed until there is one.
fn learning(data: &Data) -> String {
    if !data.rows.is_empty() || !data.latest.is_empty() {
        return String::new();
    }
    let events: u64 =
        data.environments.iter().filter(|it| it.environment == data.environment).map(|it| it.events).sum();
    if data.baselines.is_empty() {
        return format!(
            "{} so far. The bins of each signal and the model's first baseline are made from its first values; verdicts \
             begin with the first whole window after that.",
            text::capitalised(&text::counted(events, "event"))
        );
    }
    "There is a baseline, and no window in this range was judged. Verdicts come when a window has closed."
        .to_owned()
}

fn watches(data: &Data) -> Vec<WatchChoice> {
    let watches = data.contract.watches();
    if watches.len() < 2 {
        return Vec::new();
    }
    let all = WatchChoice { value: String::new(), label: "all".to_owned(), current: data.watch.is_empty() };
    let one = |watch: &domain::contract::Watch| WatchChoice {
        value: watch.name.clone(),
        label: format!(
            "{}: {} against {}{}",
            text::cut(&watch.name, 30),
            duration(Duration::from_secs(watch.window_s)),
            text::cut(&watch.baseline, 30),
            if watch.history { ", history" } else { "" }
        ),
        current: watch.name == data.watch,
    };
    std::iter::once(all).chain(watches.iter().map(one)).collect()
}

fn card(incident: &Incident, visit: &Visit) -> Card {
    let (class, word) = match incident.severity {
        Severity::Page => ("page", "Page"),
        Severity::Ticket => ("ticket", "Ticket"),
    };
    Card {
        class,
        word,
        link: visit.to(&incident_path(&incident.id)),
        title: text::cut(&incident.title, 160),
        lasting: duration(visit.range.now().since(incident.since)),
    }
}

fn stats(data: &Data, visit: &Visit) -> Vec<Stat> {
    let events: u64 = data.traffic.iter().map(|step| step.events).sum();
    let errors: u64 = data.traffic.iter().map(|step| step.errors).sum();
    let share = errors as f64 / events.max(1) as f64;
    let allowed = data.contract.objectives.availability.map(|target| 1.0 - target);
    let (beyond, judged) = beyond(data);
    let last = data.environments.iter().find(|it| it.environment == data.environment);
    let (latency, latency_note, latency_class) = latency_stat(data);
    let mut stats = vec![
        Stat {
            label: "events",
            value: count(events),
            class: if events == 0 { "quiet" } else { "" },
            note: last
                .map(|it| format!("the last {} ago", duration(data.now.since(it.last_event))))
                .unwrap_or_default(),
        },
        Stat {
            label: "errors",
            value: if events > 0 { percent(share) } else { "–".to_owned() },
            class: if allowed.is_some_and(|allowed| share > allowed) { "page" } else { "" },
            note: allowed
                .map_or_else(|| "no objective".to_owned(), |allowed| format!("limit {}", percent(allowed))),
        },
        Stat { label: "latency, p95", value: latency, class: latency_class, note: latency_note },
    ];
    stats.extend(performance_stat(data));
    stats.push(Stat {
        label: "beyond their limits",
        value: format!("{beyond} of {judged}"),
        class: match (beyond, judged) {
            (_, 0) => "quiet",
            (0, _) => "",
            _ => "ticket",
        },
        note: format!("signals, {}", last_window(data, visit)),
    });
    stats
}

fn last_window(data: &Data, visit: &Visit) -> String {
    match data.latest.iter().map(|it| it.window.end).max() {
        Some(end) => format!("window to {}", visit.range.written(end)),
        None => "no window yet".to_owned(),
    }
}

fn latency_stat(data: &Data) -> (String, String, &'static str) {
    let Some(last) = data.latency.last() else {
        return ("–".to_owned(), "no latency logged".to_owned(), "quiet");
    };
    let objective = data.contract.objectives.latency;
    let missed = objective.zip(last.slow).is_some_and(|(objective, slow)| slow > 1.0 - objective.target);
    let note = match (objective, last.slow) {
        (Some(objective), Some(slow)) => {
            format!(
                "{} over {}, limit {}",
                percent(slow),
                milliseconds(objective.limit_ms),
                percent(1.0 - objective.target)
            )
        }
        _ => format!("median {}", milliseconds(last.p50)),
    };
    (milliseconds(last.p95), note, if missed { "page" } else { "" })
}

fn performance_stat(data: &Data) -> Option<Stat> {
    let metric = *metrics(&data.performance).first()?;
    let of: Vec<&PerformancePoint> =
        data.performance.iter().filter(|point| point.metric == metric && point.mean.is_finite()).collect();
    let (labelled, predictions) =
        of.iter().fold((0, 0), |sum, it| (sum.0 + it.labelled, sum.1 + it.predictions));
    let weight = labelled.max(1) as f64;
    let mean = of.iter().map(|it| it.mean * it.labelled as f64).sum::<f64>() / weight;
    let error =
        of.iter().map(|it| (it.standard_error * it.labelled as f64).powi(2)).sum::<f64>().sqrt() / weight;
    Some(Stat {
        label: "performance",
        value: if labelled > 0 {
            format!("{} {}", text::statistic(metric), number(mean))
        } else {
            "–".to_owned()
        },
        class: if labelled > 0 { "" } else { "quiet" },
        note: format!(
            "± {}, outcomes of {}",
            number(1.96 * error),
            percent(labelled as f64 / predictions.max(1) as f64)
        ),
    })
}

fn moving(data: &Data) -> String {
    let (beyond, judged) = beyond(data);
    match (beyond, judged) {
        (_, 0) => "no signal was judged".to_owned(),
        (0, _) => "nothing is beyond its limit; these come nearest".to_owned(),
        _ => "in the last window, ranked by how far beyond the limit".to_owned(),
    }
}

fn pager(data: &Data, visit: &Visit) -> Vec<Choice> {
    let pages = data.found.div_ceil(SIGNALS_A_PAGE);
    let current = visit.page_number().min(pages.max(1));
    if pages < 2 {
        return Vec::new();
    }
    (1..=pages)
        .map(|page| Choice {
            label: page.to_string(),
            link: visit.with("page", &page.to_string()),
            current: page == current,
        })
        .collect()
}
