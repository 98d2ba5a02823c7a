//! What a model's page says.

use std::collections::BTreeSet;
use std::time::Duration;

use askama::Template;
use domain::contract::Contract;
use domain::evaluation::{Evaluation, Severity, Verdict};
use domain::incident::Incident;
use sql::pages::model::PerformancePoint;

use super::{Data, Mover, SIGNALS_A_PAGE, movers};
use crate::charts::heatmap::{HeatMap, Row};
use crate::charts::histogram;
use crate::charts::line::{Line, Marker, Point, Series, Unit};
use crate::charts::meter;
use crate::charts::strip::Mark;
use crate::charts::{HALF, WHOLE};
use crate::layout::{Choice, Layout};
use crate::text::{self, Markup, count, duration, milliseconds, name, number, percent};
use crate::visit::{Visit, incident_path, model_path, signal_path};

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

/// A signal that moves, ranked.
pub struct Cause {
    pub rank: usize,
    pub class: &'static str,
    pub name: Markup,
    pub link: String,
    pub sentence: String,
    pub detail: String,
    pub picture: Markup,
    pub times: String,
    pub meter: Markup,
}

pub struct Chart {
    pub title: &'static str,
    pub note: String,
    pub picture: Markup,
}

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

/// The metrics that are shown, and in which order.
fn metrics(points: &[PerformancePoint]) -> Vec<&str> {
    const FIRST: [&str; 6] = ["auc", "ndcg", "accuracy", "rmse", "mae", "brier"];
    let known: BTreeSet<&str> = points.iter().map(|point| point.metric.as_str()).collect();
    let others = known.iter().copied().filter(|metric| !FIRST.contains(metric));
    FIRST.into_iter().filter(|metric| known.contains(metric)).chain(others).collect()
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

fn causes(data: &Data, visit: &Visit) -> Vec<Cause> {
    let most = data
        .movers
        .iter()
        .map(|mover| movers::times_limit(&mover.evaluation))
        .filter(|it| it.is_finite())
        .fold(1.0, f64::max);
    data.movers.iter().enumerate().map(|(index, mover)| cause(index, mover, most, visit)).collect()
}

fn cause(index: usize, mover: &Mover, most: f64, visit: &Visit) -> Cause {
    let evaluation = &mover.evaluation;
    let subject = &evaluation.subject;
    let times = movers::times_limit(evaluation);
    let class = match Mark::of(evaluation.verdict, evaluation.severity) {
        Mark::Page => "off",
        Mark::Ticket | Mark::Recovering => "moved",
        _ => "",
    };
    let shown = if subject.signal.is_empty() { subject.monitor.name() } else { &subject.signal };
    let words = if times.is_finite() { format!("{times:.1}×") } else { "beyond".to_owned() };
    Cause {
        rank: index + 1,
        class,
        name: name(shown, 60),
        link: match subject.signal.as_str() {
            "" => String::new(),
            signal => subject_link(visit, subject, signal),
        },
        sentence: text::cut(&evaluation.sentence, 220),
        detail: cause_detail(evaluation, visit),
        picture: mover
            .bars
            .as_ref()
            .map(|bars| histogram::small(bars, &format!("{}, baseline and now", text::cut(shown, 60))))
            .unwrap_or_default(),
        meter: meter::draw(
            times / most,
            if class == "off" { "fill first" } else { "fill" },
            &format!("{words} its limit"),
        ),
        times: words,
    }
}

fn subject_link(visit: &Visit, subject: &domain::evaluation::Subject, signal: &str) -> String {
    let path = signal_path(&subject.model, &subject.environment, signal);
    let mut link = visit.to(&path);
    for (key, value) in [("segment", &subject.segment), ("watch", &subject.watch)] {
        if !value.is_empty() {
            link.push_str(if link.contains('?') { "&" } else { "?" });
            link.push_str(&format!("{key}={}", text::path_part(value)));
        }
    }
    link
}

fn cause_detail(evaluation: &Evaluation, visit: &Visit) -> String {
    let subject = &evaluation.subject;
    let mut parts = vec![format!(
        "{} {}, limit {}",
        text::statistic(&evaluation.statistic),
        number(evaluation.value),
        number(evaluation.threshold)
    )];
    if !subject.segment.is_empty() {
        parts.push(text::cut(&subject.segment, 60));
    }
    parts.push(text::counted(evaluation.n_current, "event"));
    if evaluation.verdict.is_alarm() {
        parts.push(format!("since {}", visit.range.written(evaluation.since)));
    }
    if evaluation.verdict == Verdict::Recovering {
        parts.push("recovering".to_owned());
    }
    parts.join(" · ")
}

fn heat_step(data: &Data) -> Duration {
    let cells = data.rows.first().map_or(1, |row| row.marks.len()).max(1);
    super::steps(data.range, super::CELLS).interval.length() / cells as u32
}

fn heat(data: &Data, visit: &Visit) -> Markup {
    let now = |row: &super::SignalRow| {
        data.latest
            .iter()
            .filter(|it| {
                if row.is_monitor {
                    it.subject.monitor.name() == row.name
                } else {
                    it.subject.signal == row.name
                }
            })
            .max_by(|a, b| movers::times_limit(a).total_cmp(&movers::times_limit(b)))
    };
    let rows = data
        .rows
        .iter()
        .map(|row| Row {
            name: row.name.clone(),
            link: if row.is_monitor {
                String::new()
            } else {
                visit.to(&signal_path(&data.model, &data.environment, &row.name))
            },
            note: match now(row) {
                Some(it) if movers::times_limit(it).is_finite() => {
                    format!("{:.1}× limit", movers::times_limit(it))
                }
                Some(_) => "beyond".to_owned(),
                None => format!("at most {:.1}×", row.peak),
            },
            cells: row.marks.clone(),
        })
        .collect();
    let interval = super::steps(data.range, super::CELLS).interval;
    let markers = data.changes.iter().map(|change| change.at).collect();
    HeatMap { interval, rows, width: WHOLE, zone: visit.range.zone(), markers }.draw().render()
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

/// A line over the range without anything but itself.
fn plain<'a>(data: &Data, visit: &'a Visit, label: &str, unit: Unit, series: Vec<Series>) -> Line<'a> {
    Line {
        label: label.to_owned(),
        unit,
        interval: super::steps(data.range, super::POINTS).interval,
        step: Duration::from_secs(data.step_s),
        series,
        band: None,
        limit: None,
        onset: None,
        markers: data
            .changes
            .iter()
            .map(|change| Marker { at: change.at, label: text::cut(&change.title, 40) })
            .collect(),
        open_from: None,
        from_zero: true,
        width: HALF,
        height: 170.0,
        zone: visit.range.zone(),
    }
}

fn charts(data: &Data, visit: &Visit) -> Vec<Chart> {
    let mut charts = vec![traffic_chart(data, visit), errors_chart(data, visit)];
    charts.extend(latency_chart(data, visit));
    charts.extend(performance_charts(data, visit));
    charts
}

fn traffic_chart(data: &Data, visit: &Visit) -> Chart {
    let points = data
        .traffic
        .iter()
        .map(|step| Point { at: step.at, value: (step.events > 0).then_some(step.events as f64) })
        .collect();
    let step = duration(Duration::from_secs(data.step_s));
    let series = vec![Series { label: "events".to_owned(), points }];
    let mut line = plain(data, visit, &format!("events a {step}"), Unit::Count, series);
    line.open_from = visit.range.is_live().then(|| data.now.saturating_sub(Duration::from_secs(data.step_s)));
    Chart { title: "Traffic", note: format!("events every {step}"), picture: line.draw().render() }
}

fn errors_chart(data: &Data, visit: &Visit) -> Chart {
    let points = data
        .traffic
        .iter()
        .map(|step| Point {
            at: step.at,
            value: (step.events > 0).then(|| step.errors as f64 / step.events as f64),
        })
        .collect();
    let series = vec![Series { label: "errors".to_owned(), points }];
    let mut line = plain(data, visit, "share of predictions that failed", Unit::Share, series);
    line.limit = data.contract.objectives.availability.map(|target| 1.0 - target);
    line.markers.clear();
    Chart {
        title: "Errors",
        note: "share of predictions that failed".to_owned(),
        picture: line.draw().render(),
    }
}

fn latency_chart(data: &Data, visit: &Visit) -> Option<Chart> {
    if data.latency.is_empty() {
        return None;
    }
    let series = |label: &str, of: fn(&super::Latency) -> f64| Series {
        label: label.to_owned(),
        points: data
            .traffic
            .iter()
            .map(|step| Point { at: step.at, value: data.latency.iter().find(|it| it.at == step.at).map(of) })
            .collect(),
    };
    let both = vec![series("p95", |it| it.p95), series("median", |it| it.p50)];
    let mut line = plain(data, visit, "latency: median and 95 %", Unit::Milliseconds, both);
    let objective = data.contract.objectives.latency;
    line.limit = objective.map(|objective| objective.limit_ms);
    line.markers.clear();
    let note = match objective {
        Some(it) => format!(
            "p95 in blue, median in grey; {} must be below {}",
            percent(it.target),
            milliseconds(it.limit_ms)
        ),
        None => "p95 in blue, median in grey".to_owned(),
    };
    Some(Chart { title: "Latency", note, picture: line.draw().render() })
}

fn performance_charts(data: &Data, visit: &Visit) -> Vec<Chart> {
    metrics(&data.performance)
        .into_iter()
        .take(2)
        .map(|metric| performance_chart(data, visit, metric))
        .collect()
}

fn performance_chart(data: &Data, visit: &Visit, metric: &str) -> Chart {
    let of: Vec<&PerformancePoint> = data.performance.iter().filter(|point| point.metric == metric).collect();
    let word = text::statistic(metric);
    let step = Duration::from_secs(data.performance_step_s);
    let (start, end) = match (of.first(), of.last()) {
        (Some(first), Some(last)) => (first.at, last.at.saturating_add(step)),
        _ => (data.range.start, data.range.end),
    };
    let line = Line {
        label: format!("{word} with its 95 % interval"),
        unit: Unit::Number,
        interval: domain::time::Interval::new(start, end),
        step,
        series: vec![Series {
            label: word.clone(),
            points: of
                .iter()
                .map(|point| Point { at: point.at, value: Some(point.mean).filter(|it| it.is_finite()) })
                .collect(),
        }],
        band: None,
        limit: None,
        onset: None,
        markers: Vec::new(),
        open_from: immature_from(&of),
        from_zero: false,
        width: HALF,
        height: 170.0,
        zone: visit.range.zone(),
    };
    let ends: Vec<Option<(f64, f64)>> = of
        .iter()
        .map(|point| {
            let reach = 1.96 * point.standard_error;
            (point.mean.is_finite() && reach.is_finite()).then_some((point.mean - reach, point.mean + reach))
        })
        .collect();
    Chart {
        title: "Performance",
        note: format!(
            "{word} by the {} of the prediction, with its 95 % interval; hatched where outcomes are still missing",
            if step.as_secs() == 86_400 { "day" } else { "hour" }
        ),
        picture: line.draw_between(&ends).render(),
    }
}

/// From when on fewer than four fifths of the predictions have their outcome.
fn immature_from(points: &[&PerformancePoint]) -> Option<domain::time::Instant> {
    let mature = points.iter().rposition(|point| point.labelled as f64 >= 0.8 * point.predictions as f64);
    match mature {
        Some(last) => points.get(last + 1).map(|point| point.at),
        None => points.first().map(|point| point.at),
    }
}

fn versions(data: &Data, visit: &Visit) -> Vec<VersionLine> {
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

fn changes(data: &Data, visit: &Visit) -> Vec<ChangeLine> {
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

fn facts(data: &Data, visit: &Visit) -> Vec<(String, Markup)> {
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
