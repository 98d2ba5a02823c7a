//! What moves: the subjects that stand worst, each with its baseline and its now.

use std::collections::BTreeSet;

use domain::baseline::SignalBaseline;
use domain::contract::Contract;
use domain::evaluation::Evaluation;
use serde::Serialize;
use sql::Store;
use sql::counts::CountSeries;
use sql::grids::StoredGrid;
use sql::pages::{Ask, Asked};

use super::{counted, window_question};
use crate::charts::strip::Mark;
use crate::figures::{Bars, Pair, bars};
use crate::pages::grids::grid_of;

/// A signal, or what a monitor watches of the whole model, with its worst evaluation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mover {
    pub evaluation: Evaluation,
    /// The distribution of the signal, where it has one.
    pub bars: Option<Bars>,
}

/// How many are shown.
const MOST: usize = 5;

/// How many times its limit a value is; infinite for a value beyond a limit of zero. A share that is always high is
/// measured from where the baseline has it: 85 % of an allowed 99 % is little where 83 % are usual.
pub fn times_limit(evaluation: &Evaluation) -> f64 {
    let usual = evaluation.numbers.get("share_baseline").copied().unwrap_or(0.0);
    match (evaluation.value - usual, evaluation.threshold - usual) {
        (moved, _) if !moved.is_finite() || moved <= 0.0 => 0.0,
        (moved, allowed) if allowed > 0.0 => moved / allowed,
        _ => f64::INFINITY,
    }
}

/// Of each signal the subject that stands worst; the worst first.
pub fn worst(latest: &[Evaluation]) -> Vec<&Evaluation> {
    let rank = |evaluation: &Evaluation| {
        (Mark::of(evaluation.verdict, evaluation.severity), times_limit(evaluation))
    };
    let mut ordered: Vec<&Evaluation> =
        latest.iter().filter(|it| Mark::of(it.verdict, it.severity) != Mark::TooLittle).collect();
    ordered.sort_by(|a, b| {
        rank(b)
            .partial_cmp(&rank(a))
            .unwrap_or(std::cmp::Ordering::Equal)
            .then_with(|| a.subject.cmp(&b.subject))
    });
    let mut seen = BTreeSet::new();
    ordered.retain(|evaluation| {
        let subject = &evaluation.subject;
        let name = if subject.signal.is_empty() { subject.monitor.name() } else { subject.signal.as_str() };
        seen.insert(name)
    });
    ordered.truncate(MOST);
    ordered
}

/// The signals among them.
fn signals(latest: &[Evaluation]) -> Vec<String> {
    let names: BTreeSet<&str> = worst(latest)
        .into_iter()
        .map(|it| it.subject.signal.as_str())
        .filter(|name| !name.is_empty())
        .collect();
    names.into_iter().map(str::to_owned).collect()
}

/// Reads the distributions: one question for each watch, since its windows and its baseline are the same.
pub async fn load(
    store: &Store,
    contract: &Contract,
    latest: &[Evaluation],
) -> Result<(Vec<Mover>, Vec<Asked>), sql::Error> {
    let worst = worst(latest);
    let Some(first) = worst.first() else { return Ok(Default::default()) };
    let grids = store.grids_of(&first.subject.model, &signals(latest)).await?;
    let windows: BTreeSet<(&str, i64, i64)> = worst.iter().map(|it| window_of(it)).collect();
    let (mut found, mut asked) = (Vec::new(), Vec::new());
    for window in windows {
        let of_window: Vec<&Evaluation> = worst
            .iter()
            .copied()
            .filter(|it| window_of(it) == window && !it.subject.signal.is_empty())
            .collect();
        let Some(first) = of_window.first() else { continue };
        let signals = distinct(of_window.iter().map(|it| it.subject.signal.as_str()));
        let segments = distinct(of_window.iter().map(|it| it.subject.segment.as_str()));
        let question = window_question(first, signals.clone(), segments.clone());
        let watch = contract.watches().into_iter().find(|watch| watch.name == first.subject.watch);
        let name = of_window.iter().map(|it| it.baseline.as_str()).find(|name| !name.is_empty());
        let name = name.map(str::to_owned).or(watch.map(|watch| watch.baseline)).unwrap_or_default();
        let of = (first.subject.model.as_str(), first.subject.environment.as_str(), name.as_str());
        let (now, baseline) =
            tokio::try_join!(store.counts(&question), store.baseline_counts_of(of, &signals, &segments))?;
        asked.push(Ask::counts(&question));
        for evaluation in of_window {
            let key = (evaluation.subject.segment.clone(), evaluation.subject.signal.clone());
            let bars = baseline.get(&key).and_then(|base| drawn(evaluation, contract, base, &now, &grids));
            found.push((evaluation.subject.clone(), bars));
        }
    }
    let mover = |evaluation: &Evaluation| Mover {
        evaluation: evaluation.clone(),
        bars: found
            .iter()
            .find(|(subject, _)| *subject == evaluation.subject)
            .and_then(|(_, bars)| bars.clone()),
    };
    Ok((worst.into_iter().map(mover).collect(), asked))
}

fn window_of(evaluation: &Evaluation) -> (&str, i64, i64) {
    let window = evaluation.window;
    (&evaluation.subject.watch, window.start.millis(), window.end.millis())
}

fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    names.collect::<BTreeSet<_>>().into_iter().map(str::to_owned).collect()
}

fn drawn(
    evaluation: &Evaluation,
    contract: &Contract,
    baseline: &SignalBaseline,
    now: &[CountSeries],
    grids: &[StoredGrid],
) -> Option<Bars> {
    let subject = &evaluation.subject;
    let (series, counts) = counted(now, &subject.signal, &subject.segment)?;
    if series.grid != baseline.grid {
        return None;
    }
    let grid = grid_of(grids, &subject.model, &subject.signal, contract, series.grid)?;
    Some(bars(&grid, Pair { baseline: &baseline.counts, now: &counts }))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use domain::evaluation::{Monitor, Severity, Subject, Verdict};
    use domain::time::{HOUR, Instant, Interval};

    use super::*;

    fn evaluation(value: f64, threshold: f64, usual: Option<f64>) -> Evaluation {
        Evaluation {
            subject: Subject {
                model: "m".to_owned(),
                environment: "production".to_owned(),
                watch: "hourly".to_owned(),
                monitor: Monitor::Missing,
                signal: "feature.x".to_owned(),
                segment: String::new(),
            },
            window: Interval::ending_at(Instant::from_seconds(3_600), HOUR),
            baseline: String::new(),
            statistic: "missing_share".to_owned(),
            value,
            threshold,
            recovery: 0.0,
            noise: 0.0,
            n_baseline: 0,
            n_current: 0,
            verdict: Verdict::OnCourse,
            severity: Severity::Ticket,
            since: Instant::EPOCH,
            streak: 0,
            numbers: usual
                .map(|usual| ("share_baseline".to_owned(), usual))
                .into_iter()
                .collect::<BTreeMap<_, _>>(),
            sentence: String::new(),
            evaluated_at: Instant::EPOCH,
        }
    }

    #[test]
    fn a_share_is_measured_from_where_it_usually_is() {
        assert_eq!(times_limit(&evaluation(0.3, 0.1, None)).round(), 3.0);
        assert!(times_limit(&evaluation(0.85, 0.99, Some(0.83))) < 0.2);
        assert_eq!(times_limit(&evaluation(0.2, 0.99, Some(0.83))), 0.0);
        assert!(times_limit(&evaluation(0.1, 0.0, None)).is_infinite());
        assert_eq!(times_limit(&evaluation(f64::NAN, 0.1, None)), 0.0);
    }
}
