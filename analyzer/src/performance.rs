//! How good predictions were, once their outcomes are known (METHODS 7).
//!
//! Everything is made of sums that add up over time: predictions and outcomes by score, or powers of the error. So an
//! hour, a day and a baseline are the same computation.

mod classes;
mod estimate;
mod fairness;
mod realised;
pub mod selection;

pub use classes::{Chance, ClassEstimator, realised_chances};
pub use estimate::Estimator;
pub use fairness::{Group, gaps, groups};
pub use realised::{Measured, Realised, Step, Sums, shown};

use std::collections::BTreeMap;

use domain::contract::{Contract, Ranking};
use domain::evaluation::Monitor;
use domain::signal::{OUTCOME, PREDICTION, short_name};
use sql::performance::OutcomeKind;

use crate::calibrate;
use crate::config::Config;
use crate::finding::{Finding, numbers};
use crate::spread::Spread;
use crate::stats::confusion::Worth;
use crate::stats::proportion::Share;
use crate::threshold::Limits;
use crate::words;

/// Which prediction is held against which outcome, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    pub prediction: String,
    pub outcome: String,
    pub kind: Kind,
    pub decision: Decision,
    pub ranking: Ranking,
    /// Of each class, where the prediction is one of several and tells them.
    pub chances: Vec<Chance>,
}

/// From which score on a prediction is a yes, and what decisions are worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decision {
    pub threshold: f64,
    pub worth: Option<Worth>,
}

impl Decision {
    /// What the contract states; one half, and worth nothing, where it does not.
    pub fn of(contract: &Contract) -> Self {
        contract.decision.map_or(Self { threshold: 0.5, worth: None }, |stated| Self {
            threshold: stated.threshold,
            worth: Some(Worth {
                true_positive: stated.true_positive,
                false_positive: stated.false_positive,
                false_negative: stated.false_negative,
                true_negative: stated.true_negative,
            }),
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A score against yes or no.
    Binary,
    /// A number against a number.
    Regression,
    /// A category against a category.
    Categories,
    /// A ranked list against what was wanted of it.
    Lists,
}

/// What the number of items is called that an outcome's list held.
const LENGTH: &str = ".length";

/// What is known of the prediction's values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Output {
    Number { least: f64, greatest: f64 },
    Category,
    List,
}

impl Task {
    pub fn new(prediction: &str, outcome: &str, kind: Kind, contract: &Contract) -> Self {
        Self {
            prediction: prediction.to_owned(),
            outcome: outcome.to_owned(),
            kind,
            decision: Decision::of(contract),
            ranking: contract.ranking,
            chances: Vec::new(),
        }
    }

    /// The outcome that is named as the prediction is, else the only one of the right kind, else the first; `None`
    /// where no outcome fits.
    pub fn of(
        prediction: &str,
        output: Output,
        outcomes: &[OutcomeKind],
        contract: &Contract,
    ) -> Option<Self> {
        let kind_of = |outcome: &OutcomeKind| match output {
            Output::Number { least, greatest } if outcome.is_binary && least >= 0.0 && greatest <= 1.0 => {
                Some(Kind::Binary)
            }
            Output::Number { .. } => outcome.is_number.then_some(Kind::Regression),
            Output::Category => (!outcome.is_number).then_some(Kind::Categories),
            // What was wanted is one item, or a list, which has a length.
            Output::List => (!outcome.is_number || outcome.name.ends_with(LENGTH)).then_some(Kind::Lists),
        };
        let namesake = format!("{OUTCOME}{}", prediction.strip_prefix(PREDICTION).unwrap_or(prediction));
        let mut fitting: Vec<(&OutcomeKind, Kind)> =
            outcomes.iter().filter_map(|outcome| Some((outcome, kind_of(outcome)?))).collect();
        fitting.sort_by(|(one, _), (other, _)| {
            let is_other = |name: &str| name.strip_suffix(LENGTH).unwrap_or(name) != namesake;
            (is_other(&one.name), &one.name).cmp(&(is_other(&other.name), &other.name))
        });
        let (outcome, kind) = fitting.first()?;
        let name = match kind {
            Kind::Lists => outcome.name.strip_suffix(LENGTH).unwrap_or(&outcome.name),
            _ => &outcome.name,
        };
        Some(Self::new(prediction, name, *kind, contract))
    }
}

/// A metric whose getting worse is a finding: by how much it did.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Loss {
    metric: &'static str,
    statistic: &'static str,
    is_better_high: bool,
    /// Whether it is told of the prediction (how well it tells cases apart) or of the outcome (how far it was off).
    is_of_prediction: bool,
}

const fn loss(
    metric: &'static str,
    statistic: &'static str,
    is_better_high: bool,
    is_of_prediction: bool,
) -> Loss {
    Loss { metric, statistic, is_better_high, is_of_prediction }
}

fn losses(kind: Kind) -> &'static [Loss] {
    const BINARY: &[Loss] = &[loss("auc", "auc_fall", true, true), loss("brier", "brier_rise", false, false)];
    const REGRESSION: &[Loss] = &[loss("mae", "mae_rise", false, true)];
    const CATEGORIES: &[Loss] =
        &[loss("accuracy", "accuracy_fall", true, true), loss("f1_macro", "f1_macro_fall", true, false)];
    const LISTS: &[Loss] =
        &[loss("ndcg", "ndcg_fall", true, true), loss("hit_rate", "hit_rate_fall", true, false)];
    match kind {
        Kind::Lists => LISTS,
        Kind::Binary => BINARY,
        Kind::Regression => REGRESSION,
        Kind::Categories => CATEGORIES,
    }
}

/// The statistic of outcomes that have not come.
const UNLABELLED: &str = "missing_share";

/// What windows are held against.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Usual {
    pub baseline: Realised,
    /// How much healthy windows vary, by statistic.
    pub healthy: BTreeMap<&'static str, Spread>,
}

impl Usual {
    /// From the baseline as a whole and its own windows, of which `independent` do not overlap.
    pub fn of(kind: Kind, baseline: Realised, windows: &[Realised], independent: u32) -> Self {
        let healthy = losses(kind).iter().filter_map(|loss| {
            let values: Vec<f64> =
                windows.iter().filter_map(|window| Some(worse(*loss, &baseline, window)?.value)).collect();
            Some((loss.statistic, Spread::of(&values, independent)?))
        });
        let gaps = without(&baseline)
            .into_iter()
            .flat_map(|before| windows.iter().filter_map(move |window| Some((before, without(window)?))));
        let gaps = calibrate::of_rises(gaps, independent).map(|spread| (UNLABELLED, spread));
        Self { healthy: healthy.chain(gaps).collect(), baseline }
    }

    /// Whether as many outcomes of a window are known as usual, nearly.
    pub fn is_mature(&self, config: &Config, window: &Realised) -> bool {
        let usual = self.baseline.labels().map_or(1.0, Share::value);
        window.labels().is_none_or(|labels| labels.value() >= config.label_maturity * usual)
    }
}

/// How much worse a window is than the baseline, with the standard error of both together.
fn worse(loss: Loss, baseline: &Realised, window: &Realised) -> Option<Measured> {
    let (before, now) = (baseline.metric(loss.metric)?, window.metric(loss.metric)?);
    let rise = if loss.is_better_high { before.value - now.value } else { now.value - before.value };
    Some(Measured { metric: loss.statistic, value: rise, error: before.error.hypot(now.error) })
}

/// By what windows of one watch are judged.
#[derive(Clone, Copy, Debug)]
pub struct Judging<'a> {
    pub config: &'a Config,
    pub limits: &'a Limits,
    pub task: &'a Task,
    pub usual: &'a Usual,
    /// Fewer outcomes than this are too little to say anything.
    pub least_events: u64,
}

impl Judging<'_> {
    /// What is found in a window whose outcomes have come as far as they will: each metric that matters, and the share
    /// of outcomes itself.
    pub fn findings(&self, window: &Realised) -> Vec<Finding> {
        let losses = losses(self.task.kind).iter().map(|loss| self.lost(*loss, window));
        losses.chain(unlabelled(self.task, self.usual, window, self.limits)).collect()
    }

    fn lost(&self, loss: Loss, window: &Realised) -> Finding {
        let Self { config, limits, task, usual, least_events } = *self;
        let nothing = Measured { metric: loss.statistic, value: 0.0, error: 0.0 };
        let worse = worse(loss, &usual.baseline, window);
        let found = worse.unwrap_or(nothing);
        let floor = match loss.metric {
            "auc" | "accuracy" | "f1_macro" | "ndcg" | "hit_rate" => config.floors.auc,
            metric => {
                config.floors.error_rise * usual.baseline.metric(metric).map_or(1.0, |it| it.value.abs())
            }
        };
        Finding {
            monitor: Monitor::Performance,
            signal: if loss.is_of_prediction { task.prediction.clone() } else { task.outcome.clone() },
            segment: String::new(),
            statistic: loss.statistic,
            value: found.value,
            limit: limits.rise(0.0, floor, found.error, usual.healthy.get(loss.statistic)),
            n_baseline: usual.baseline.labelled,
            n_current: window.labelled,
            is_enough: worse.is_some() && window.labelled.min(usual.baseline.labelled) >= least_events,
            is_quiet: false,
            numbers: loss_numbers(loss, &usual.baseline, window),
            facts: loss_facts(loss, &usual.baseline, window),
        }
    }
}

fn loss_facts(loss: Loss, baseline: &Realised, window: &Realised) -> String {
    let name = words::metric(loss.metric);
    let labels = format!(
        "outcomes of {} of {} known",
        words::percent(window.labels().map_or(0.0, Share::value)),
        words::predictions(window.predictions)
    );
    match (window.metric(loss.metric), baseline.metric(loss.metric)) {
        (Some(now), Some(before)) => format!(
            "{name} is {} ± {}, usually {}; {labels}",
            words::number(now.value),
            words::number(1.96 * now.error),
            words::number(before.value)
        ),
        _ => format!("{name} cannot be told; {labels}"),
    }
}

/// Every metric of both sides, `auc_current` and `auc_baseline`, and what they are made of.
fn loss_numbers(loss: Loss, baseline: &Realised, window: &Realised) -> BTreeMap<String, f64> {
    let error = window.metric(loss.metric).map(|now| ("standard_error", now.error));
    let counts = [("labelled", window.labelled as f64), ("predictions", window.predictions as f64)];
    let mut all = numbers(counts.into_iter().chain(error));
    for (side, realised) in [("current", window), ("baseline", baseline)] {
        let finite = realised.metrics.iter().filter(|measured| measured.value.is_finite());
        all.extend(finite.map(|measured| (format!("{}_{side}", measured.metric), measured.value)));
    }
    all
}

/// The share of predictions whose outcome never came.
fn unlabelled(task: &Task, usual: &Usual, window: &Realised, limits: &Limits) -> Option<Finding> {
    let (before, now) = (without(&usual.baseline)?, without(window)?);
    Some(Finding {
        monitor: Monitor::Missing,
        signal: task.outcome.clone(),
        segment: String::new(),
        statistic: UNLABELLED,
        value: now.value(),
        limit: limits.share(before, now, usual.healthy.get(UNLABELLED)),
        n_baseline: before.n(),
        n_current: now.n(),
        is_enough: now.n() >= 30,
        is_quiet: before.hits() == 0 && now.hits() == 0,
        numbers: numbers([("share_baseline", before.value()), ("share_current", now.value())]),
        facts: format!(
            "no outcome {} came for {} of predictions, usually {}; {}",
            short_name(&task.outcome),
            words::percent(now.value()),
            words::percent(before.value()),
            words::predictions(now.n())
        ),
    })
}

/// The predictions whose outcome has not come.
fn without(realised: &Realised) -> Option<Share> {
    Share::of(realised.predictions.saturating_sub(realised.labelled), realised.predictions)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use domain::time::Instant;
    use sql::performance::{ErrorSums, ScoreCell};

    use super::*;

    fn cell(mean_score: f64, negatives: u64, positives: u64) -> ScoreCell {
        let squares = negatives as f64 * mean_score.powi(2) + positives as f64 * (1.0 - mean_score).powi(2);
        let fourths = negatives as f64 * mean_score.powi(4) + positives as f64 * (1.0 - mean_score).powi(4);
        ScoreCell {
            at: Instant::EPOCH,
            version: String::new(),
            part: String::new(),
            mean_score,
            predictions: negatives + positives,
            negatives,
            positives,
            squares,
            fourths,
        }
    }

    fn kind(name: &str, is_number: bool, is_binary: bool) -> OutcomeKind {
        OutcomeKind { name: name.to_owned(), is_number, is_binary, n: 10 }
    }

    #[test]
    fn the_outcome_is_the_namesake_or_the_first_that_fits() {
        let score = Output::Number { least: 0.01, greatest: 0.97 };
        let outcomes = [kind("outcome.delay", true, false), kind("outcome.late", true, true)];
        let task = Task::of("prediction.late", score, &outcomes, &Contract::default()).expect("an outcome");
        assert_eq!((task.outcome.as_str(), task.kind), ("outcome.late", Kind::Binary));
        let price = Output::Number { least: 10.0, greatest: 900.0 };
        let task = Task::of("prediction.value", price, &outcomes, &Contract::default()).expect("an outcome");
        assert_eq!((task.outcome.as_str(), task.kind), ("outcome.delay", Kind::Regression));
        assert_eq!(Task::of("prediction.decision", Output::Category, &outcomes, &Contract::default()), None);
        let outcomes = [kind("outcome.chosen.B7", true, true), kind("outcome.chosen.length", true, false)];
        let task = Task::of("prediction.items", Output::List, &outcomes, &Contract::default());
        assert_eq!(
            task.map(|task| (task.outcome, task.kind)),
            Some(("outcome.chosen".to_owned(), Kind::Lists))
        );
    }

    #[test]
    fn scores_that_tell_nothing_apart_are_a_finding() {
        let decision = Decision::of(&Contract::default());
        let (good, bad) =
            ([cell(0.2, 800, 100), cell(0.8, 100, 400)], [cell(0.2, 500, 300), cell(0.8, 400, 250)]);
        let usual = Usual { baseline: Realised::of_scores(good.iter(), decision), healthy: BTreeMap::new() };
        let window = Realised::of_scores(bad.iter(), decision);
        let task = Task::new("prediction.score", "outcome.late", Kind::Binary, &Contract::default());
        let limits = Limits::shared_over(&Config::default(), 20, Duration::from_secs(3_600));
        let config = Config::default();
        let judging =
            Judging { config: &config, limits: &limits, task: &task, usual: &usual, least_events: 200 };
        let found = judging.findings(&window);
        assert!(found[0].is_beyond() && found[1].is_beyond(), "{found:?}");
        assert!(found[0].facts.starts_with("AUC is 0.505 ± 0.03"), "{}", found[0].facts);
        assert!(!found[2].is_beyond());
        let same = judging.findings(&usual.baseline);
        assert!(same.iter().all(|finding| !finding.is_beyond()));
    }

    #[test]
    fn days_without_some_outcomes_are_no_finding_where_such_days_are_usual() {
        let day = |labelled: u64| Realised { predictions: 1_000, labelled, metrics: Vec::new() };
        let windows: Vec<Realised> = (0..90).map(|n| day(980 - 12 * (n % 7))).collect();
        let labelled = windows.iter().map(|window| window.labelled).sum();
        let baseline = Realised { predictions: 90_000, labelled, metrics: Vec::new() };
        let task = Task::new("prediction.score", "outcome.late", Kind::Binary, &Contract::default());
        let limits = Limits::shared_over(&Config::default(), 20, domain::time::DAY);
        let bad_day = day(910);
        let beyond = |usual: &Usual, window: &Realised| {
            unlabelled(&task, usual, window, &limits).expect("predictions").is_beyond()
        };
        let unaware = Usual { baseline: baseline.clone(), healthy: BTreeMap::new() };
        let learned = Usual::of(Kind::Binary, baseline, &windows, 90);
        assert!(beyond(&unaware, &bad_day) && !beyond(&learned, &bad_day));
        assert!(beyond(&learned, &day(400)), "a day that has lost its outcomes is still a finding");
    }

    #[test]
    fn what_decisions_are_worth_is_said_where_the_contract_states_it() {
        let decision = "[decision]\nthreshold = 0.7\ntrue_positive = 100.0\nfalse_positive = -20.0";
        let contract: Contract = toml::from_str(decision).expect("a contract");
        let cells = [cell(0.2, 800, 100), cell(0.8, 100, 400)];
        let realised = Realised::of_scores(cells.iter(), Decision::of(&contract));
        let value = realised.metric("value").expect("a worth");
        assert_eq!(value.value, (400.0 * 100.0 - 100.0 * 20.0) / 1_400.0);
        let unstated = Realised::of_scores(cells.iter(), Decision::of(&Contract::default()));
        assert_eq!(unstated.metric("value"), None);
        let said = ["average_precision", "log_loss", "precision", "recall", "f1", "mcc", "calibration_slope"];
        assert!(said.iter().all(|metric| unstated.metric(metric).is_some_and(|it| it.value.is_finite())));
    }

    #[test]
    fn errors_of_numbers_have_a_mean_and_its_error() {
        let sums = ErrorSums {
            at: Instant::EPOCH,
            version: String::new(),
            predictions: 5,
            labelled: 4,
            total: 0.0,
            absolute: 4.0,
            squares: 4.0,
            fourths: 4.0,
            relative: 0.5,
            relative_squares: 0.07,
            zeros: 0,
            outcomes: 40.0,
            outcome_squares: 440.0,
        };
        let realised = Realised::of_errors([&sums].into_iter());
        let values: Vec<(&str, f64)> = realised.metrics.iter().map(|one| (one.metric, one.value)).collect();
        // The outcomes' variance is 110 − 100, of which the errors' mean square is a tenth.
        assert_eq!(values, [("mae", 1.0), ("rmse", 1.0), ("bias", 0.0), ("r2", 0.9), ("mape", 0.125)]);
        let with_zero = ErrorSums { zeros: 1, ..sums };
        assert_eq!(Realised::of_errors([&with_zero].into_iter()).metric("mape"), None, "a share of nothing");
        assert_eq!(realised.labels().map(Share::value), Some(0.8));
    }
}
