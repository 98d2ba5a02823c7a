//! Why: the signals that are off course, one line each, what explains most first.

use domain::evaluation::Monitor;
use domain::grid::Grid;
use domain::incident::Finding;
use domain::signal::{Role, role, segment, short_name};

use super::Data;
use super::evidence::{self, Compared, MOST_SIGNALS};
use super::words::{begun, called, unit_of, write};
use crate::charts::trend::{self, Trend};
use crate::charts::{histogram, meter};
use crate::figures::{self, Pair};
use crate::text::{self, Markup, counted, escape};
use crate::time_range::TimeRange;
use crate::visit::{Visit, link, signal_path};

/// One signal of an incident.
#[derive(Clone, Debug, PartialEq)]
pub struct Cause {
    /// A number, or an arrow for what came of the others.
    pub rank: String,
    pub name: Markup,
    pub link: String,
    pub sentence: String,
    pub small: Markup,
    pub histogram: Markup,
    pub trend: Markup,
    /// A share or a multiple, with what it is of; empty where neither is known.
    pub figure: String,
    pub meter: Markup,
    pub figure_words: String,
    /// `off` for what stands and pages or leads, else empty; `over` for what has recovered.
    pub class: &'static str,
}

/// The causes, how they are ranked, and those that are only named.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Causes {
    pub shown: Vec<Cause>,
    pub more: Vec<Cause>,
    pub ranked_by: &'static str,
}

/// Beyond this signals are only counted.
const MOST_NAMED: usize = 40;

pub fn causes(data: &Data, visit: &Visit) -> Causes {
    let groups = groups(&data.incident.findings);
    let by_move = is_ranked_by_move(data, &groups);
    let mut groups = groups;
    if by_move {
        // What works against the move explains less of it than what has no part in it.
        let part = |group: &Vec<&Finding>| part_of(data, group).unwrap_or(0.0);
        groups.sort_by(|one, other| part(other).total_cmp(&part(one)));
    }
    // The prediction moves because something else does: it explains nothing, and comes last.
    groups.sort_by_key(|group| is_consequence(group, data));
    let mut all: Vec<Cause> = groups
        .iter()
        .take(MOST_NAMED)
        .enumerate()
        .map(|(index, group)| cause(data, visit, index + 1, group))
        .collect();
    let more = all.split_off(all.len().min(MOST_SIGNALS));
    let ranked_by =
        if by_move { "ranked by what each did to the prediction" } else { "what explains most first" };
    Causes { shown: all, more, ranked_by }
}

/// Findings by signal, in the order in which the alerter keeps them: what explains before what follows.
fn groups(findings: &[Finding]) -> Vec<Vec<&Finding>> {
    let mut groups: Vec<Vec<&Finding>> = Vec::new();
    for finding in findings {
        let known = groups.iter_mut().find(|group| evidence::is_beside(&group[0].subject, &finding.subject));
        match known {
            Some(group) => group.push(finding),
            None => groups.push(vec![finding]),
        }
    }
    groups
}

/// Where values moved and none went missing, the parts of the prediction's move decide.
fn is_ranked_by_move(data: &Data, groups: &[Vec<&Finding>]) -> bool {
    let only_moved = groups.iter().all(|group| group[0].subject.monitor == Monitor::Drift);
    only_moved && groups.iter().any(|group| part_of(data, group).is_some())
}

/// Whether a signal is what the others did: a prediction or an outcome, beside something that could be the cause.
fn is_consequence(group: &[&Finding], data: &Data) -> bool {
    let is_result = |signal: &str| matches!(role(signal), Role::Prediction | Role::Outcome);
    is_result(&group[0].subject.signal)
        && data.incident.findings.iter().any(|other| role(&other.subject.signal) == Role::Feature)
}

fn part_of(data: &Data, group: &[&Finding]) -> Option<f64> {
    data.evidence.parts_of_move.get(&group[0].subject.signal).copied()
}

fn cause(data: &Data, visit: &Visit, rank: usize, group: &[&Finding]) -> Cause {
    let lead = group[0];
    let sentence =
        data.evidence.telling_of(&lead.subject).map_or(&lead.sentence, |telling| &telling.sentence);
    // When it began stands beside it.
    let sentence = sentence.split("; since ").next().unwrap_or_default();
    let (figure, meter, figure_words) = figure(data, group);
    let consequence = is_consequence(group, data);
    Cause {
        rank: if consequence { "→".to_owned() } else { rank.to_string() },
        name: name(lead),
        link: address(data, visit, lead),
        sentence: begun(&text::cut(sentence, 400)),
        small: small(data, &visit.range, group),
        histogram: thumbnail(data, lead),
        trend: history(data, lead),
        figure,
        meter,
        figure_words,
        class: match (lead.standing || !data.incident.is_open(), rank) {
            (false, _) => "over",
            (true, 1) if !consequence => "off",
            (true, _) => "",
        },
    }
}

fn name(finding: &Finding) -> Markup {
    let subject = &finding.subject;
    let what = if subject.signal.is_empty() { subject.monitor.name() } else { subject.signal.as_str() };
    Markup(format!("<code>{}</code>", text::name(what, 60)))
}

/// The signal's own page, over the same stretch of time; a finding about the whole model has the model's.
fn address(data: &Data, visit: &Visit, finding: &Finding) -> String {
    let (model, environment) = (&data.incident.model, &data.incident.environment);
    let range = visit.range.pinned_query();
    if finding.subject.signal.is_empty() {
        return link(&crate::visit::model_path(model, environment), &[range]);
    }
    let segment = match finding.subject.segment.as_str() {
        segment::ALL => String::new(),
        name => format!("segment={}", text::path_part(name)),
    };
    link(&signal_path(model, environment, &finding.subject.signal), &[range, segment])
}

/// Value and limit, how many events, since when, and where else.
fn small(data: &Data, range: &TimeRange, group: &[&Finding]) -> Markup {
    let lead = group[0];
    let telling = data.evidence.telling_of(&lead.subject);
    let (value, limit, n) = telling.map_or((lead.value, lead.threshold, lead.n_current), |latest| {
        (latest.value, latest.threshold, latest.n_current)
    });
    let unit = unit_of(&lead.statistic, lead.subject.monitor);
    let mut parts = vec![
        format!(
            "{} {}{}, limit {}",
            escape(&called(&lead.statistic, lead.subject.monitor)),
            escape(&write(unit, value)),
            data.evidence.when_of(&lead.subject),
            escape(&write(unit, limit))
        ),
        counted(n, "event"),
        format!("since {}", range.time(lead.since)),
    ];
    if is_consequence(group, data) {
        parts.push("what came of it".to_owned());
    } else if is_first_to_move(data, lead) {
        parts.push("first to move".to_owned());
    }
    parts.extend(elsewhere(group));
    if !lead.standing && data.incident.is_open() {
        parts.push("back on course".to_owned());
    }
    Markup(parts.join(" · "))
}

fn is_first_to_move(data: &Data, lead: &Finding) -> bool {
    let findings = &data.incident.findings;
    let others = findings.iter().filter(|other| !evidence::is_beside(&other.subject, &lead.subject));
    let mut others = others.peekable();
    others.peek().is_some() && others.all(|other| lead.since < other.since)
}

/// The other monitors and segments in which the same signal is off course.
fn elsewhere(group: &[&Finding]) -> Option<String> {
    const MOST: usize = 3;
    let mut said: Vec<String> = group[1..]
        .iter()
        .filter(|finding| finding.standing)
        .map(|finding| {
            let of = &finding.subject;
            let monitor = if of.monitor == group[0].subject.monitor { "" } else { of.monitor.name() };
            match (of.segment.as_str(), monitor) {
                (segment::ALL, "") => "all events".to_owned(),
                (segment::ALL, monitor) => escape(monitor),
                (name, "") => text::name(name, 30).to_string(),
                (name, monitor) => format!("{} ({})", text::name(name, 30), escape(monitor)),
            }
        })
        .collect();
    let more = said.len().saturating_sub(MOST);
    said.truncate(MOST);
    if said.is_empty() {
        return None;
    }
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Some(format!("also {}{more}", said.join(", ")))
}

/// The part of the prediction's move, or how many times the limit.
fn figure(data: &Data, group: &[&Finding]) -> (String, Markup, String) {
    let class = "fill";
    let lead = group[0];
    let (value, limit) = data
        .evidence
        .telling_of(&lead.subject)
        .map_or((lead.value, lead.threshold), |latest| (latest.value, latest.threshold));
    if matches!(lead.subject.monitor, Monitor::Missing | Monitor::Invalid) {
        let label = if lead.subject.monitor == Monitor::Missing { "missing" } else { "invalid" };
        let whole = if lead.subject.segment.is_empty() { "all events" } else { "its events" };
        return (text::percent(value), meter::draw(value, class, label), format!("{label}, of {whole}"));
    }
    if let Some(part) = part_of(data, group) {
        // More digits would claim more than a split by bins knows.
        let part = (part * 100.0).round() / 100.0 + 0.0;
        let name = short_name(&data.evidence.prediction);
        let of = if name.chars().count() <= 10 { name } else { "prediction" };
        let words = format!("of the {of}’s move");
        return (text::percent(part), meter::draw(part, class, "part of the prediction's move"), words);
    }
    let times = value / limit;
    if !(times.is_finite() && limit > 0.0) {
        return (String::new(), Markup::default(), String::new());
    }
    let rounded = if times >= 10.0 { times.round() } else { (times * 10.0).round() / 10.0 };
    (format!("{}×", text::number(rounded)), Markup::default(), "its limit".to_owned())
}

fn thumbnail(data: &Data, lead: &Finding) -> Markup {
    let subject = &lead.subject;
    let compared = data
        .evidence
        .compared_of(&subject.signal, &subject.segment)
        .or_else(|| data.evidence.compared_of(&subject.signal, segment::ALL));
    let Some(Compared { grid, baseline, now, .. }) = compared else { return Markup::default() };
    let bars = figures::bars(grid, Pair { baseline, now });
    histogram::small(&bars, &label(grid, baseline.total(), now.total()))
}

fn label(grid: &Grid, baseline: u64, now: u64) -> String {
    format!(
        "{}: baseline of {} and now, {}",
        text::cut(&grid.signal, 80),
        counted(baseline, "event"),
        counted(now, "event")
    )
}

fn history(data: &Data, lead: &Finding) -> Markup {
    let points = data.evidence.history_of(&lead.subject);
    if points.len() < 2 {
        return Markup::default();
    }
    let statistic = called(&lead.statistic, lead.subject.monitor);
    let limit = points.last().map(|point| point.threshold);
    let label = format!(
        "{} over time, limit {}",
        statistic,
        limit.map_or_else(String::new, |limit| write(unit_of(&lead.statistic, lead.subject.monitor), limit))
    );
    trend::draw(&Trend {
        label: &label,
        interval: data.range,
        points: points.iter().map(|point| (point.window_end, point.value)).collect(),
        limit,
        onset: Some(lead.since),
        gap: data.evidence.step.saturating_mul(3).max(longest_gap(&points)),
    })
}

/// Windows end a step of their schedule apart: twice the usual distance is no gap yet.
fn longest_gap(points: &[&sql::pages::incident::HistoryPoint]) -> std::time::Duration {
    let mut apart: Vec<_> =
        points.windows(2).map(|pair| pair[1].window_end.since(pair[0].window_end)).collect();
    apart.sort();
    apart.get(apart.len() / 2).map_or(std::time::Duration::ZERO, |middle| middle.saturating_mul(2))
}
