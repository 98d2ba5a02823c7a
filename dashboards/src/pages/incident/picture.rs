//! The number that hurts, over time: the prediction's mean where values moved, events and failures where the service or
//! its traffic did, else the leading statistic against its limit.

use domain::evaluation::{Cause, Monitor};
use domain::signal::short_name;
use domain::time::Instant;

use super::Data;
use super::words::{called, moved, unit_of, usual_range};
use crate::charts::line::{Line, Marker, Point, Series, Unit};
use crate::text::{self, Markup};
use crate::time_range::TimeRange;

/// A picture and what it shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Picture {
    pub caption: String,
    pub chart: Markup,
}

const HEIGHT: f64 = 168.0;

/// What the line shows: its caption, unit and points, with the band of healthy values and the limit.
struct Shown {
    caption: String,
    label: String,
    unit: Unit,
    points: Vec<Point>,
    band: Option<(f64, f64)>,
    limit: Option<f64>,
    from_zero: bool,
}

/// `None` where nothing of it is kept any more.
pub fn picture(data: &Data, range: &TimeRange) -> Option<Picture> {
    let shown = match data.incident.cause {
        Cause::Data | Cause::Performance => prediction(data).or_else(|| statistic(data)),
        Cause::Traffic => traffic(data).or_else(|| statistic(data)),
        Cause::Service => failures(data).or_else(|| statistic(data)),
        Cause::Staleness | Cause::Trend | Cause::Leeway => statistic(data),
    }?;
    let line = Line {
        label: format!("{} over {}", shown.label, range.in_words()),
        unit: shown.unit,
        interval: data.range,
        step: data.evidence.step,
        series: vec![Series { label: shown.label, points: shown.points }],
        band: shown.band,
        limit: shown.limit,
        onset: Some(data.incident.since),
        markers: markers(data),
        open_from: None,
        from_zero: shown.from_zero,
        width: crate::charts::COLUMN,
        height: HEIGHT,
        zone: range.zone(),
    };
    Some(Picture { caption: shown.caption, chart: line.draw().render() })
}

fn markers(data: &Data) -> Vec<Marker> {
    let mut markers: Vec<Marker> =
        data.changes.iter().map(|change| Marker { at: change.at, label: change.title.clone() }).collect();
    markers
        .extend(data.incident.resolved.as_ref().map(|by| Marker { at: by.at, label: "resolved".to_owned() }));
    markers.sort_by_key(|marker| marker.at);
    markers
}

/// Every step of the range, with a value where one is known.
fn filled(data: &Data, value_at: impl Fn(Instant) -> Option<f64>) -> Vec<Point> {
    let step = data.evidence.step;
    if step.is_zero() {
        return Vec::new();
    }
    std::iter::successors(Some(data.range.start.floor(step)), |at| Some(at.saturating_add(step)))
        .take_while(|at| *at < data.range.end)
        .take(2_000)
        .map(|at| Point { at, value: value_at(at) })
        .collect()
}

/// The prediction's mean, if it moved; one that did not says nothing here.
fn prediction(data: &Data) -> Option<Shown> {
    moved(data).filter(|words| words.starts_with("move"))?;
    let lead = data.incident.findings.first()?.subject.monitor;
    // What went missing is better seen itself.
    if matches!(lead, Monitor::Missing | Monitor::Invalid) {
        return None;
    }
    let means: std::collections::HashMap<Instant, f64> =
        data.evidence.means.iter().filter(|mean| mean.n > 0).map(|mean| (mean.at, mean.mean)).collect();
    let points = filled(data, |at| means.get(&at).copied());
    let name = text::cut(short_name(&data.evidence.prediction), 40);
    let band = healthy_band(data, &points);
    let words = if band.is_some() { "; the band is where it lay before" } else { "" };
    Some(Shown {
        caption: format!("mean {name}, steps of {}{words}", text::duration(data.evidence.step)),
        label: format!("mean {name}"),
        unit: Unit::Number,
        points,
        band,
        limit: None,
        from_zero: false,
    })
}

/// Where the steps before the onset lie.
fn healthy_band(data: &Data, points: &[Point]) -> Option<(f64, f64)> {
    let before =
        points.iter().filter(|point| point.at.saturating_add(data.evidence.step) <= data.incident.since);
    usual_range(before.filter_map(|point| point.value).collect())
}

fn traffic(data: &Data) -> Option<Shown> {
    let events: std::collections::HashMap<Instant, u64> =
        data.evidence.traffic.iter().map(|point| (point.at, point.events)).collect();
    if events.is_empty() {
        return None;
    }
    // No events are what this is about: here a step without any is a zero and no gap.
    let points = filled(data, |at| Some(events.get(&at).copied().unwrap_or(0) as f64));
    let band = healthy_band(data, &points);
    Some(Shown {
        caption: format!("events in steps of {}", text::duration(data.evidence.step)),
        label: "events".to_owned(),
        unit: Unit::Count,
        points,
        band,
        limit: None,
        from_zero: true,
    })
}

fn failures(data: &Data) -> Option<Shown> {
    let lead = data.incident.findings.first()?;
    if lead.subject.monitor != Monitor::Errors {
        return None;
    }
    let shares: std::collections::HashMap<Instant, f64> = data
        .evidence
        .traffic
        .iter()
        .filter(|point| point.events > 0)
        .map(|point| (point.at, point.errors as f64 / point.events as f64))
        .collect();
    Some(Shown {
        caption: format!("predictions that failed, steps of {}", text::duration(data.evidence.step)),
        label: "failed".to_owned(),
        unit: Unit::Share,
        points: filled(data, |at| shares.get(&at).copied()),
        band: None,
        limit: Some(lead.threshold),
        from_zero: true,
    })
}

/// The leading statistic. Windows slide, so each value is drawn at the end of its window.
fn statistic(data: &Data) -> Option<Shown> {
    let lead = data.incident.findings.first()?;
    let history = data.evidence.history_of(&lead.subject);
    history.last()?;
    // Windows with too little in them have no limit.
    let limit = history.iter().rev().map(|point| point.threshold).find(|limit| *limit > 0.0);
    let step = data.evidence.step;
    let values: std::collections::HashMap<Instant, f64> = history
        .iter()
        .map(|point| (Instant::from_millis(point.window_end.millis() - 1).floor(step), point.value))
        .collect();
    let what = called(&lead.statistic, lead.subject.monitor);
    let of = match lead.subject.signal.as_str() {
        "" => String::new(),
        signal => format!(" of {}", text::cut(short_name(signal), 40)),
    };
    let place = match lead.subject.segment.as_str() {
        "" => String::new(),
        segment => format!(" at {}", text::cut(segment, 40)),
    };
    Some(Shown {
        caption: format!("{what}{of}{place}, by the end of each window"),
        label: format!("{what}{of}"),
        unit: unit_of(&lead.statistic, lead.subject.monitor),
        points: joined(filled(data, |at| values.get(&at).copied())),
        band: None,
        limit: Some(limit.unwrap_or(lead.threshold)),
        from_zero: true,
    })
}

/// Windows may end less often than the picture has steps: one that is missing between two is drawn through.
fn joined(points: Vec<Point>) -> Vec<Point> {
    let known: Vec<usize> = points
        .iter()
        .enumerate()
        .filter(|(_, point)| point.value.is_some())
        .map(|(index, _)| index)
        .collect();
    let mut apart: Vec<usize> = known.windows(2).map(|pair| pair[1] - pair[0]).collect();
    apart.sort_unstable();
    let usual = apart.get(apart.len() / 2).copied().unwrap_or(1);
    let mut points = points;
    for pair in known.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        if to - from > 2 * usual {
            continue;
        }
        let (Some(first), Some(last)) = (points[from].value, points[to].value) else { continue };
        for (step, point) in points[from..to].iter_mut().enumerate().skip(1) {
            let part = step as f64 / (to - from) as f64;
            point.value = Some(first + (last - first) * part);
        }
    }
    points
}
