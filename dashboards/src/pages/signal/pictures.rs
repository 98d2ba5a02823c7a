//! The pictures of a signal's page over time: the statistic with its limit, the values, what is missing.

use std::time::Duration;

use domain::evaluation::{Monitor, Verdict};
use domain::time::Instant;

use super::{Data, Judged, Step, steps};
use crate::charts::HALF;
use crate::charts::line::{Line, Point, Series, Unit};
use crate::charts::quantiles::{Quantiles, Stretch};
use crate::text::{self, Markup, duration};
use crate::visit::Visit;

pub struct Chart {
    pub title: String,
    pub note: String,
    pub picture: Markup,
}

/// What has a line of its own where it was ever not on course.
const SHOWN: [Monitor; 8] = [
    Monitor::Missing,
    Monitor::Invalid,
    Monitor::Unseen,
    Monitor::Staleness,
    Monitor::Range,
    Monitor::Stuck,
    Monitor::Cardinality,
    Monitor::Contract,
];

pub fn charts(data: &Data, visit: &Visit) -> Vec<Chart> {
    let mut charts = Vec::new();
    charts.extend(statistic_chart(data, visit, Monitor::Drift));
    charts.push(values_chart(data, visit));
    for monitor in SHOWN {
        charts.extend(statistic_chart(data, visit, monitor).filter(|_| is_interesting(data, monitor)));
    }
    // What is judged already shows what is missing; the rest is shown where there is any.
    let judged = is_interesting(data, Monitor::Missing);
    if !judged || data.over_time.iter().any(|step| step.invalid > 0.0 || step.other > 0.0) {
        charts.push(presence_chart(data, visit));
    }
    charts
}

fn is_interesting(data: &Data, monitor: Monitor) -> bool {
    data.history.iter().any(|it| {
        it.monitor == monitor && it.verdict != Verdict::OnCourse && it.verdict != Verdict::TooLittleData
    })
}

fn line<'a>(data: &Data, visit: &'a Visit, label: String, unit: Unit, series: Vec<Series>) -> Line<'a> {
    Line {
        label,
        unit,
        interval: steps(data.range, super::POINTS).interval,
        step: Duration::from_secs(data.step_s),
        series,
        band: None,
        limit: None,
        onset: data.since,
        markers: Vec::new(),
        open_from: None,
        from_zero: true,
        width: HALF,
        height: 170.0,
        zone: visit.range.zone(),
    }
}

fn statistic_chart(data: &Data, visit: &Visit, monitor: Monitor) -> Option<Chart> {
    let of: Vec<&Judged> = data.history.iter().filter(|it| it.monitor == monitor).collect();
    let last = of.last()?;
    let (word, unit) = match monitor {
        Monitor::Drift => ("PSI", Unit::Number),
        Monitor::Missing => ("Missing", Unit::Share),
        Monitor::Invalid => ("Invalid", Unit::Share),
        Monitor::Unseen => ("Unseen", Unit::Share),
        Monitor::Range => ("Beyond the usual range", Unit::Share),
        Monitor::Stuck => ("The most frequent value", Unit::Share),
        Monitor::Cardinality => ("Times more or fewer different values", Unit::Number),
        Monitor::Contract => ("Beyond the contract", Unit::Share),
        _ => ("Too old", Unit::Share),
    };
    let step = data.watch.schedule().step;
    let series = vec![Series { label: word.to_owned(), points: with_gaps(&of, step) }];
    let mut line = line(data, visit, format!("{word} over time with its limit"), unit, series);
    // A window is drawn where it ends.
    line.step = Duration::ZERO;
    line.limit = Some(last.threshold).filter(|limit| limit.is_finite());
    line.band = band(&of);
    let note = match line.band {
        Some(_) => format!(
            "a point each window of {}, drawn at its end; the band holds nineteen of twenty windows on course",
            duration(data.watch.schedule().length)
        ),
        None => {
            format!("a point each window of {}, drawn at its end", duration(data.watch.schedule().length))
        }
    };
    Some(Chart { title: format!("{word} over time"), note, picture: line.draw().render() })
}

/// Windows as points; a missing one, or one with too little data, is a gap.
fn with_gaps(of: &[&Judged], step: Duration) -> Vec<Point> {
    let usual = of
        .windows(2)
        .map(|pair| pair[1].window_end.since(pair[0].window_end))
        .min()
        .unwrap_or(step)
        .max(step);
    let mut points: Vec<Point> = Vec::with_capacity(of.len());
    let mut before: Option<Instant> = None;
    for judged in of {
        if let Some(before) = before.filter(|before| judged.window_end.since(*before) > usual * 2) {
            points.push(Point { at: before.saturating_add(usual), value: None });
        }
        let enough = judged.verdict != Verdict::TooLittleData;
        points.push(Point { at: judged.window_end, value: enough.then_some(judged.value) });
        before = Some(judged.window_end);
    }
    points
}

/// Where the values of windows on course lie: from zero to what one in twenty exceeds.
fn band(of: &[&Judged]) -> Option<(f64, f64)> {
    const LEAST: usize = 20;
    let mut healthy: Vec<f64> = of
        .iter()
        .filter(|it| it.verdict == Verdict::OnCourse && it.value.is_finite())
        .map(|it| it.value)
        .collect();
    if healthy.len() < LEAST {
        return None;
    }
    healthy.sort_by(f64::total_cmp);
    healthy.get(healthy.len() * 19 / 20).map(|high| (0.0, *high))
}

fn values_chart(data: &Data, visit: &Visit) -> Chart {
    if data.numeric {
        let stretches =
            data.over_time.iter().map(|step| Stretch { at: step.at, quantiles: step.quantiles }).collect();
        let picture = Quantiles {
            interval: steps(data.range, super::POINTS).interval,
            step: Duration::from_secs(data.step_s),
            stretches,
            onset: data.since,
            width: HALF,
            zone: visit.range.zone(),
        }
        .draw()
        .render();
        let step = duration(Duration::from_secs(data.step_s));
        return Chart {
            title: "Values over time".to_owned(),
            note: format!("median, middle half, 5 to 95 % of every {step}"),
            picture,
        };
    }
    let series = data
        .levels
        .iter()
        .enumerate()
        .map(|(index, level)| Series {
            label: text::cut(level, 60),
            points: data
                .over_time
                .iter()
                .map(|step| Point {
                    at: step.at,
                    value: step.levels.get(index).copied().filter(|_| step.events > 0),
                })
                .collect(),
        })
        .collect();
    let line = line(data, visit, "shares of the most frequent categories".to_owned(), Unit::Share, series);
    let first =
        data.levels.first().map(|level| format!("; {} in blue", text::cut(level, 30))).unwrap_or_default();
    Chart {
        title: "Shares over time".to_owned(),
        note: format!("the most frequent categories{first}"),
        picture: line.draw().render(),
    }
}

fn presence_chart(data: &Data, visit: &Visit) -> Chart {
    let series = |label: &str, of: fn(&Step) -> f64| Series {
        label: label.to_owned(),
        points: data
            .over_time
            .iter()
            .map(|step| Point { at: step.at, value: (step.events > 0).then(|| of(step)) })
            .collect(),
    };
    let any = |of: fn(&Step) -> f64| data.over_time.iter().any(|step| of(step) > 0.0);
    let mut shown = vec![series("missing", |step| step.missing)];
    if any(|step| step.invalid) {
        shown.push(series("invalid", |step| step.invalid));
    }
    if any(|step| step.other) {
        shown.push(series("other", |step| step.other));
    }
    let words: Vec<&str> = shown.iter().map(|series| series.label.as_str()).collect();
    let note = format!("share of all events: {}", words.join(", "));
    let line = line(data, visit, "missing and unseen values over time".to_owned(), Unit::Share, shown);
    Chart { title: "Missing and unseen".to_owned(), note, picture: line.draw().render() }
}
