//! What the page says in sentences: the headline, how it stands, how sure it is, what to do.

use domain::contract::Contract;
use domain::evaluation::{Cause, Evaluation, Monitor, Severity};
use domain::incident::{Finding, Incident};
use domain::signal::{Role, role, segment, short_name};
use domain::time::{Instant, Interval, MINUTE};

use super::Data;
use super::evidence::{Evidence, Mean};
use crate::charts::line::Unit;
use crate::text::{self, Markup, counted, duration, escape};
use crate::time_range::TimeRange;

/// The title without its time, which stands beside it.
pub fn headline(incident: &Incident) -> String {
    begun(&text::cut(without_since(&incident.title), 200))
}

/// A title as the alerter writes it, without the time at its end.
pub fn without_since(title: &str) -> &str {
    title.rsplit_once(" since ").map_or(title, |(what, _)| what)
}

/// Words of ours that a title or sentence may begin with; anything else is a name and is written as it is.
const BEGINNINGS: [&str; 11] =
    ["the", "no", "too", "traffic", "predictions", "nothing", "age", "latency", "events", "outcomes", "an"];

/// A sentence with its first letter in upper case, unless it begins with a name.
pub fn begun(sentence: &str) -> String {
    let first = sentence.split([' ', '\u{a0}']).next().unwrap_or_default();
    if BEGINNINGS.contains(&first) { text::capitalised(sentence) } else { sentence.to_owned() }
}

/// A value of a statistic: two decimals where it is a number on a scale of its own.
pub fn write(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Number if (0.01..100.0).contains(&value.abs()) => format!("{value:.2}").replace('-', "−"),
        _ => unit.write(value),
    }
}

/// In which unit a statistic is written.
pub fn unit_of(statistic: &str, monitor: Monitor) -> Unit {
    match monitor {
        Monitor::Missing | Monitor::Invalid | Monitor::Unseen => Unit::Share,
        Monitor::Errors | Monitor::Latency if statistic.contains("share") => Unit::Share,
        Monitor::Staleness if statistic.contains("share") => Unit::Share,
        Monitor::Silence | Monitor::Analyzer => Unit::Seconds,
        _ if statistic.contains("share") => Unit::Share,
        _ => Unit::Number,
    }
}

/// What a statistic is called in a sentence.
pub fn called(statistic: &str, monitor: Monitor) -> String {
    match monitor {
        Monitor::Missing => "missing".to_owned(),
        Monitor::Invalid => "invalid".to_owned(),
        Monitor::Unseen => "never seen before".to_owned(),
        Monitor::Silence => "silent for".to_owned(),
        // How fast the budget burns, or the share itself where no objective is stated.
        Monitor::Errors if statistic == "error_share" => "failed".to_owned(),
        Monitor::Latency if statistic == "slow_share" => "too slow".to_owned(),
        Monitor::Staleness => "stale".to_owned(),
        _ => text::statistic(statistic),
    }
}

/// ` at origin = JFK`, or nothing for all events.
pub fn at_segment(name: &str) -> Markup {
    match segment::parts(name) {
        None => Markup::default(),
        Some((dimension, value)) => Markup(format!(
            " at <b>{} = {}</b>",
            text::name(dimension.strip_prefix("tag.").unwrap_or(dimension), 40),
            text::name(value, 40)
        )),
    }
}

/// How the incident stands, in one line under the headline.
pub fn standing(data: &Data, range: &TimeRange) -> Markup {
    let incident = &data.incident;
    let mut parts = vec![since(incident, range)];
    parts.extend(moved(data).map(|words| escape(&words)));
    let lead = incident.findings.first().and_then(|finding| data.evidence.telling_of(&finding.subject));
    parts.extend(lead.map(|lead| {
        let place = if lead.subject.segment.is_empty() { "" } else { " there" };
        let past = !data.evidence.when_of(&lead.subject).is_empty();
        let window = if past { "its worst window" } else { "the last window" };
        escape(&format!("{} in {window}{place}", counted(lead.n_current, "event")))
    }));
    if incident.is_silenced_at(range.now()) {
        let until = incident.silenced_until.unwrap_or_default();
        parts.push(format!("silenced until {}", range.time(until)));
    }
    if let Some(by) = &incident.acknowledged {
        parts.push(format!("acknowledged by <b>{}</b> {}", text::name(&by.actor, 40), range.time(by.at)));
    }
    if let Some(by) = &incident.marked_false {
        parts.push(format!("marked as false by <b>{}</b>", text::name(&by.actor, 40)));
    }
    Markup(parts.join(" · "))
}

fn since(incident: &Incident, range: &TimeRange) -> String {
    let begun = range.time(incident.since);
    match &incident.resolved {
        None => format!("open since <b>{begun}</b>, {}", duration(range.now().since(incident.since))),
        Some(by) => {
            let who = if by.actor == "leeway" {
                "by itself".to_owned()
            } else {
                format!("by <b>{}</b>", text::name(&by.actor, 40))
            };
            let length = duration(by.at.since(incident.since));
            format!("resolved {} {who}, after {length} · began <b>{begun}</b>", range.time(by.at))
        }
    }
}

/// Weighted mean and standard error of the prediction over part of the range.
fn mean_over(means: &[Mean], interval: Interval) -> Option<(f64, f64)> {
    let within: Vec<&Mean> = means.iter().filter(|mean| interval.contains(mean.at)).collect();
    let n: f64 = within.iter().map(|mean| mean.n as f64).sum();
    if n < 30.0 {
        return None;
    }
    let mean = within.iter().map(|one| one.n as f64 * one.mean).sum::<f64>() / n;
    let square =
        within.iter().map(|one| one.n as f64 * (one.sd * one.sd + (one.mean - mean).powi(2))).sum::<f64>();
    Some((mean, (square / n / n).sqrt()))
}

/// Fewer steps before the onset say nothing about what is usual.
const ENOUGH_BEFORE: usize = 8;

/// Where the middle 95 % of the values before the onset lie; `None` for too few.
pub fn usual_range(mut before: Vec<f64>) -> Option<(f64, f64)> {
    if before.len() < ENOUGH_BEFORE {
        return None;
    }
    before.sort_by(f64::total_cmp);
    let at = |share: f64| before[((before.len() - 1) as f64 * share).round() as usize];
    Some((at(0.025), at(0.975)))
}

/// Whether the prediction moved with the onset, in words; `None` where too little is known to say. It moved if its mean
/// since then lies where few steps before lay, and the number of events does not explain it.
pub fn moved(data: &Data) -> Option<String> {
    let Evidence { means, prediction, .. } = &data.evidence;
    let incident = &data.incident;
    if matches!(incident.cause, Cause::Traffic | Cause::Leeway | Cause::Service) {
        return None;
    }
    let end = incident.resolved.as_ref().map_or(data.now, |resolved| resolved.at);
    let earlier = Interval::new(data.range.start, incident.since);
    let (before, error_before) = mean_over(means, earlier)?;
    let (after, error_after) = mean_over(means, Interval::new(incident.since, end))?;
    let steps = means.iter().filter(|mean| earlier.contains(mean.at)).map(|mean| mean.mean);
    let (low, high) = usual_range(steps.collect())?;
    let name = text::cut(short_name(prediction), 40);
    let error = (error_before.powi(2) + error_after.powi(2)).sqrt();
    let is_moved = (after - before).abs() > 4.0 * error && !(low..=high).contains(&after);
    Some(match is_moved {
        true => {
            let verb = if incident.is_open() { "moves" } else { "moved" };
            format!("{verb} the {name} from {} to {}", text::number(before), text::number(after))
        }
        false => format!("the {name} has not moved ({})", text::number(after)),
    })
}

/// How sure it is that something is wrong: the value against what noise explains, what was healthy, and the limit.
pub fn how_sure(data: &Data) -> Option<Markup> {
    let finding = data.incident.findings.first()?;
    let Some(latest) = data.evidence.telling_of(&finding.subject) else {
        return Some(Markup(escape(&said(finding))));
    };
    let unit = unit_of(&latest.statistic, latest.subject.monitor);
    let write = |value: f64| escape(&write(unit, value));
    let mut sentences = vec![format!(
        "{} <b>{}</b>{} over {}{}.",
        escape(&text::capitalised(&called(&latest.statistic, latest.subject.monitor))),
        write(latest.value),
        data.evidence.when_of(&latest.subject),
        counted(latest.n_current, "event"),
        if latest.n_baseline > 0 {
            format!(", against {} in the baseline", text::count(latest.n_baseline))
        } else {
            String::new()
        },
    )];
    let mut limits = Vec::new();
    if latest.noise > 0.0 {
        limits.push(format!("Noise explains up to {}", write(latest.noise)));
    }
    if let Some(healthy) = healthy(data, latest) {
        limits.push(format!("healthy windows before it reached {}", write(healthy)));
    }
    limits.push(format!("the limit is {}", write(latest.threshold)));
    // What stands first is a word of ours, never a name.
    sentences.push(format!("{}.", text::capitalised(&limits.join(", "))));
    if latest.threshold > 0.0 && latest.value.is_finite() {
        let times = latest.value / latest.threshold;
        if times >= 2.0 {
            sentences.push(format!("That is {} times the limit.", escape(&text::number(round_times(times)))));
        }
    }
    sentences.push(match latest.streak {
        0 | 1 => "Seen in one window.".to_owned(),
        n => format!("Seen in {} in a row.", counted(n, "window")),
    });
    if latest.recovery > 0.0 && data.incident.is_open() {
        sentences.push(format!("It is over below {}.", write(latest.recovery)));
    }
    Some(Markup(sentences.join(" ")))
}

fn round_times(times: f64) -> f64 {
    if times >= 10.0 { times.round() } else { (times * 10.0).round() / 10.0 }
}

fn said(finding: &Finding) -> String {
    let unit = unit_of(&finding.statistic, finding.subject.monitor);
    format!(
        "{} {} over {}, the limit is {}.",
        text::capitalised(&called(&finding.statistic, finding.subject.monitor)),
        write(unit, finding.value),
        counted(finding.n_current, "event"),
        write(unit, finding.threshold)
    )
}

/// The greatest value of the windows before the onset, where there were enough to say.
fn healthy(data: &Data, latest: &Evaluation) -> Option<f64> {
    const ENOUGH: usize = 5;
    let before: Vec<f64> = data
        .evidence
        .history_of(&latest.subject)
        .into_iter()
        .filter(|point| point.window_end <= data.incident.since)
        .map(|point| point.value)
        .filter(|value| value.is_finite())
        .collect();
    (before.len() >= ENOUGH).then(|| before.into_iter().fold(f64::NEG_INFINITY, f64::max))
}

/// A change within this time before the onset may be what caused it.
const SUSPICIOUS: std::time::Duration = MINUTE.saturating_mul(120);

/// What to do, in the order in which one would.
pub fn what_to_do(data: &Data, contract: &Contract, range: &TimeRange) -> Vec<Markup> {
    let mut steps = Vec::new();
    if contract.playbook.starts_with("https://") || contract.playbook.starts_with("http://") {
        steps.push(Markup(format!(
            "<a href=\"{}\" rel=\"noreferrer\">Playbook</a>",
            escape(&contract.playbook)
        )));
    } else if !contract.playbook.is_empty() {
        steps.push(Markup::escaped(&text::cut(&contract.playbook, 400)));
    }
    let since = data.incident.since;
    let suspect = data
        .changes
        .iter()
        .filter(|change| change.at <= since && since.since(change.at) <= SUSPICIOUS)
        .max_by_key(|change| change.at);
    if let Some(change) = suspect {
        steps.push(Markup(format!(
            "<b>{}</b> came {} before it began ({}): look there first, and take it back if it fits.",
            text::name(&change.title, 80),
            duration(since.since(change.at)),
            range.time(change.at)
        )));
    }
    if let Some(finding) = data.incident.findings.first() {
        steps.push(Markup(advice(finding)));
    }
    if contract.playbook.is_empty() {
        steps.push(Markup(format!(
            "<small>No playbook is stated: <code>models.{}.playbook</code> would stand here.</small>",
            escape(&text::cut(&data.incident.model, 60))
        )));
    }
    steps
}

fn advice(finding: &Finding) -> String {
    let name = text::name(short_name(&finding.subject.signal), 60);
    let place = at_segment(&finding.subject.segment);
    match finding.subject.monitor {
        Monitor::Missing => format!(
            "Find out why <code>{name}</code> is not filled{place}: the feed, the join, or the code that reads it. A fault in the data: a \
             retraining would learn it."
        ),
        Monitor::Invalid => format!(
            "Look at the raw values of <code>{name}</code>{place}: NaN, infinities or another type. A fault in the data: a retraining would \
             learn it."
        ),
        Monitor::Schema | Monitor::Types => format!(
            "See what the producer of <code>{name}</code> changed: a name, a type, a release. A fault in the data: a retraining would learn \
             it."
        ),
        Monitor::Range => format!("Look at the values of <code>{name}</code>{place} beyond the usual: a fault, or a new extreme."),
        Monitor::Stuck => format!("See whether what measures <code>{name}</code>{place} still does, or a default took its place."),
        Monitor::Cardinality => {
            format!("Ask what the values of <code>{name}</code>{place} are made of: a code list, an id, a text that was cut.")
        }
        Monitor::Duplicates => {
            "See what sends events again: a retry without an idempotency key, a replayed topic, two writers.".to_owned()
        }
        Monitor::Contract | Monitor::Quality => "Look at the rule in the contract: either the data are wrong, or it is out of date.".to_owned(),
        Monitor::Completeness => "See which features are missing together: a feature view or a join that failed.".to_owned(),
        Monitor::LabelLag => "See when the pipeline that brings outcomes last ran: performance is known that much later.".to_owned(),
        Monitor::Unseen => format!("Ask what the new values of <code>{name}</code>{place} are: a new code list, or a new market."),
        Monitor::Drift => match role(&finding.subject.signal) {
            Role::Prediction => {
                "Look at the signals above: one that moved first, or most, is the likely cause. If the world has changed and not the data, \
                 request a retraining."
                    .to_owned()
            }
            _ => format!(
                "Ask whether <code>{name}</code>{place} has changed at its source (a unit, a code, a filter) or in the world. The first is \
                 mended there; the second is what a retraining is for."
            ),
        },
        Monitor::Silence | Monitor::Traffic => {
            "See whether the service gets requests, and whether the log of its predictions reaches the collector (refused events stand in \
             rejected_events)."
                .to_owned()
        }
        Monitor::Staleness | Monitor::Freshness => {
            format!("See when the pipeline that makes <code>{name}</code> last ran.")
        }
        Monitor::Errors | Monitor::Latency | Monitor::SlowBurn => {
            "Look at the service that predicts: its log, its last deployment, its load.".to_owned()
        }
        Monitor::Performance => {
            "Look at what moved at the same time, and which segments got worse. If the world has changed, request a retraining.".to_owned()
        }
        Monitor::Fairness | Monitor::Selection => {
            "Nothing is urgent. Look at how the group's scores and its outcomes differ from the others': a threshold of its own, missing \
             features or few examples in training are the usual reasons."
                .to_owned()
        }
        Monitor::Trend => {
            "Nothing is urgent. See whether it is the season, the world or a slow fault at the source; a step has a day, so look at what \
             was changed then. If the world has changed, request a retraining."
                .to_owned()
        }
        Monitor::Analyzer => {
            "Leeway itself is behind: see whether its analyzer runs and the store answers. Other verdicts are old until it has caught up."
                .to_owned()
        }
    }
}

/// What the word on the chip is.
pub fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Page => "Page",
        Severity::Ticket => "Ticket",
    }
}

/// How long an incident lasted or lasts.
pub fn lasted(incident: &Incident, now: Instant) -> String {
    let end = incident.resolved.as_ref().map_or(now, |resolved| resolved.at);
    duration(end.since(incident.since))
}
