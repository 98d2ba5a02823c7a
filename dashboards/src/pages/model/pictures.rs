//! The pictures of a model's page: signals over time, traffic, errors, latency, performance.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::evaluation::Verdict;
use domain::time::{Instant, Interval};
use sql::pages::model::PerformancePoint;

use super::{Data, Latency, SignalRow, movers, steps};
use crate::charts::heatmap::{HeatMap, Row};
use crate::charts::line::{Line, Marker, Point, Series, Unit};
use crate::charts::{HALF, WHOLE};
use crate::text::{self, Markup, duration, milliseconds, percent};
use crate::visit::{Visit, signal_path};

pub struct Chart {
    pub title: &'static str,
    pub note: String,
    pub picture: Markup,
}

/// The metrics that are shown, and in which order.
pub fn metrics(points: &[PerformancePoint]) -> Vec<&str> {
    const FIRST: [&str; 6] = ["auc", "ndcg", "accuracy", "rmse", "mae", "brier"];
    let known: BTreeSet<&str> = points.iter().map(|point| point.metric.as_str()).collect();
    let others = known.iter().copied().filter(|metric| !FIRST.contains(metric));
    FIRST.into_iter().filter(|metric| known.contains(metric)).chain(others).collect()
}

pub fn heat_step(data: &Data) -> Duration {
    let cells = data.rows.first().map_or(1, |row| row.marks.len()).max(1);
    steps(data.range, super::CELLS).interval.length() / cells as u32
}

pub fn heat(data: &Data, visit: &Visit) -> Markup {
    let now = |row: &SignalRow| {
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
                Some(it) if it.verdict == Verdict::TooLittleData => "too few".to_owned(),
                Some(it) if movers::times_limit(it).is_finite() => {
                    format!("{:.1}× limit", movers::times_limit(it))
                }
                Some(_) => "beyond".to_owned(),
                None => format!("at most {:.1}×", row.peak),
            },
            cells: row.marks.clone(),
        })
        .collect();
    let interval = steps(data.range, super::CELLS).interval;
    let markers = data.changes.iter().map(|change| change.at).collect();
    HeatMap { interval, rows, width: WHOLE, zone: visit.range.zone(), markers }.draw().render()
}

/// A line over the range without anything but itself.
fn plain<'a>(data: &Data, visit: &'a Visit, label: &str, unit: Unit, series: Vec<Series>) -> Line<'a> {
    Line {
        label: label.to_owned(),
        unit,
        interval: steps(data.range, super::POINTS).interval,
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

pub fn charts(data: &Data, visit: &Visit) -> Vec<Chart> {
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
    let series = |label: &str, of: fn(&Latency) -> f64| Series {
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
        interval: Interval::new(start, end),
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
            "{word} of every {} of predictions, with its 95 % interval; hatched where outcomes are still missing",
            duration(step)
        ),
        picture: line.draw_between(&ends).render(),
    }
}

/// From when on fewer than four fifths of the predictions have their outcome.
fn immature_from(points: &[&PerformancePoint]) -> Option<Instant> {
    let mature = points.iter().rposition(|point| point.labelled as f64 >= 0.8 * point.predictions as f64);
    match mature {
        Some(last) => points.get(last + 1).map(|point| point.at),
        None => points.first().map(|point| point.at),
    }
}
