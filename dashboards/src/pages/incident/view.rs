//! What the page shows, said and drawn: from what is known to what the template writes.

use askama::Template;
use domain::contract::Contract;
use domain::evaluation::Severity;
use domain::signal::{FEATURE, PREDICTION, segment, short_name};
use sql::pages::incident::Example;

use super::causes::{Causes, causes};
use super::evidence::Part;
use super::forms::{Form, asked_for, forms};
use super::picture::{Picture, picture};
use super::timeline::{Entry, timeline};
use super::{Data, words};
use crate::charts::segments;
use crate::figures::SegmentPart;
use crate::layout::Layout;
use crate::text::{self, Markup, number, percent};
use crate::visit::{Visit, link, model_path, signal_path};

#[derive(Template)]
#[template(path = "incident.html")]
pub struct IncidentPage {
    layout: Layout,
    id: String,
    model: Markup,
    model_link: String,
    environment: Markup,
    headline: String,
    severity: &'static str,
    severity_class: &'static str,
    is_open: bool,
    standing: Markup,
    waiting: Vec<String>,
    forms: Vec<Form>,
    csrf: String,
    back: String,
    post_to: String,
    picture: Option<Picture>,
    causes: Causes,
    segments: Vec<SegmentLine>,
    /// Whether no segment carries more than its share.
    is_even: bool,
    examples: Examples,
    timeline: Vec<Entry>,
    how_sure: Option<Markup>,
    to_do: Vec<Markup>,
    owner: Markup,
    note: String,
    deliveries_link: String,
    problem: String,
}

struct SegmentLine {
    name: Markup,
    link: String,
    bar: Markup,
    shift: String,
    traffic: String,
}

/// Events as a small table: what stands in each column is chosen by what the incident is about.
#[derive(Default)]
struct Examples {
    head: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

struct Column {
    name: Markup,
    numeric: bool,
}

struct Cell {
    text: Markup,
    class: &'static str,
}

impl IncidentPage {
    pub fn new(layout: Layout, visit: &Visit, data: &Data, contract: &Contract) -> Self {
        let (incident, range) = (&data.incident, &visit.range);
        let (model, environment) = (&incident.model, &incident.environment);
        Self {
            id: text::cut(&incident.id, 40),
            model: text::name(model, 40),
            model_link: visit.to(&model_path(model, environment)),
            environment: text::name(environment, 30),
            headline: words::headline(incident),
            severity: words::severity(incident.severity),
            severity_class: if incident.severity == Severity::Page { "page" } else { "ticket" },
            is_open: incident.is_open(),
            standing: words::standing(data, range),
            waiting: data.waiting.iter().map(|action| waits(action, data)).collect(),
            forms: forms(incident, &data.waiting, range, visit.get("do")),
            csrf: visit.session.csrf.clone(),
            back: visit.with("do", ""),
            post_to: format!("{}/actions", crate::visit::incident_path(&incident.id)),
            picture: picture(data, range),
            causes: causes(data, visit),
            segments: data
                .evidence
                .segments
                .iter()
                .enumerate()
                .map(|(index, part)| line(data, visit, index, part))
                .collect(),
            is_even: is_even(&data.evidence.segments),
            examples: examples(data, visit),
            timeline: timeline(data, range),
            how_sure: words::how_sure(data),
            to_do: words::what_to_do(data, contract, range),
            owner: if contract.owner.is_empty() {
                Markup::default()
            } else {
                text::name(&contract.owner, 60)
            },
            note: text::cut(&contract.note, 300),
            deliveries_link: visit.to(&format!("/deliveries?incident={}", text::path_part(&incident.id))),
            problem: data.evidence.problem.clone(),
            layout,
        }
    }
}

fn waits(action: &domain::action::Action, data: &Data) -> String {
    let long = text::duration(data.now.since(action.asked_at));
    format!(
        "{} asked for by {} {long} ago",
        text::capitalised(asked_for(action)),
        text::cut(&action.actor, 40)
    )
}

fn line(data: &Data, visit: &Visit, index: usize, part: &Part) -> SegmentLine {
    let signal = data.incident.findings.first().map_or("", |finding| finding.subject.signal.as_str());
    let path = signal_path(&data.incident.model, &data.incident.environment, signal);
    let figure = SegmentPart { segment: part.segment.clone(), shift: part.shift, traffic: part.traffic };
    SegmentLine {
        name: text::name(&part.segment.replacen('=', " = ", 1), 30),
        link: link(
            &path,
            &[visit.range.pinned_query(), format!("segment={}", text::path_part(&part.segment))],
        ),
        bar: segments::draw(&figure, index == 0),
        shift: percent(part.shift),
        traffic: percent(part.traffic),
    }
}

/// A segment that carries this much more than its share of the traffic stands out.
const STANDS_OUT: f64 = 0.1;

fn is_even(parts: &[Part]) -> bool {
    parts.iter().all(|part| part.shift - part.traffic < STANDS_OUT)
}

/// How many further signals a row of examples shows.
const FURTHER: usize = 1;

fn examples(data: &Data, visit: &Visit) -> Examples {
    if data.evidence.examples.is_empty() {
        return Examples::default();
    }
    let lead = data.incident.findings.first().map_or("", |finding| finding.subject.signal.as_str());
    let mut signals: Vec<String> = Vec::new();
    let dimension = data
        .incident
        .findings
        .first()
        .and_then(|finding| segment::parts(&finding.subject.segment))
        .filter(|(dimension, _)| !dimension.starts_with("tag."))
        .map(|(dimension, _)| format!("{FEATURE}{dimension}"));
    let others = data.incident.findings.iter().map(|finding| finding.subject.signal.clone());
    let others = others.filter(|signal| signal != lead && !signal.starts_with(PREDICTION)).take(FURTHER);
    let wanted = dimension
        .into_iter()
        .chain([lead.to_owned()])
        .chain(others)
        .chain([data.evidence.prediction.clone()]);
    for signal in wanted.filter(|signal| !signal.is_empty()) {
        if !signals.contains(&signal) {
            signals.push(signal);
        }
    }
    let is_number =
        |signal: &str| data.evidence.examples.iter().any(|example| example.numbers.contains_key(signal));
    let fixed =
        [("id", false), ("at", false)].map(|(name, numeric)| Column { name: Markup::escaped(name), numeric });
    let named = signals
        .iter()
        .map(|signal| Column { name: text::name(short_name(signal), 18), numeric: is_number(signal) });
    let head = fixed.into_iter().chain(named).collect();
    let rows = data.evidence.examples.iter().map(|example| cells(example, &signals, lead, visit)).collect();
    Examples { head, rows }
}

fn cells(example: &Example, signals: &[String], lead: &str, visit: &Visit) -> Vec<Cell> {
    let id = Markup(format!("<code>{}</code>", text::name(&example.id, 12)));
    let mut cells =
        vec![Cell { text: id, class: "" }, Cell { text: visit.range.time(example.at), class: "" }];
    cells.extend(signals.iter().map(|signal| {
        let number_of = example.numbers.get(signal).map(|value| Markup::escaped(&number(*value)));
        let category_of = example.categories.get(signal).map(|value| text::name(value, 18));
        let is_numeric = number_of.is_some();
        let class = match (signal == lead, is_numeric) {
            (true, true) => "num hot",
            (true, false) => "hot",
            (false, true) => "num",
            (false, false) => "",
        };
        Cell { text: number_of.or(category_of).unwrap_or_else(|| Markup::escaped("missing")), class }
    }));
    cells
}
