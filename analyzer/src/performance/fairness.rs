//! Groups of people against each other: are they told right alike (METHODS 11)? Whether they are selected alike needs no
//! outcome and is judged before ([`super::selection`]).
//!
//! Invariant: a verdict comes from a group against all others together, and only where both are large enough; gaps between
//! the extremes of many groups are shown, never judged, because chance alone widens them.

use std::collections::BTreeMap;

use domain::evaluation::Monitor;
use domain::signal::segment;
use sql::performance::ScoreCell;

use super::estimate::labelled;
use super::{Decision, Judging, Measured, Realised};
use crate::finding::{Finding, numbers};
use crate::stats::confusion::Confusion;
use crate::stats::fairness::{AgainstRest, Criterion, Gaps, against_rest};
use crate::stats::ranking::Estimate;
use crate::threshold::Limit;
use crate::words;

/// Predictions of one value of a dimension.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// `sex=F`.
    pub segment: String,
    pub realised: Realised,
    /// Of the predictions whose outcome has come.
    pub decided: Confusion,
}

/// The groups of a dimension that have most predictions, and one of all others.
pub fn groups<'a>(
    dimension: &str,
    cells: impl IntoIterator<Item = &'a ScoreCell>,
    decision: Decision,
) -> Vec<Group> {
    let mut by_value: BTreeMap<&str, Vec<&ScoreCell>> = BTreeMap::new();
    for cell in cells {
        let value = if cell.part.is_empty() { segment::MISSING } else { &cell.part };
        by_value.entry(value).or_default().push(cell);
    }
    let mut parts: Vec<(&str, Vec<&ScoreCell>)> = by_value.into_iter().collect();
    let rows = |cells: &[&ScoreCell]| cells.iter().map(|cell| cell.predictions).sum::<u64>();
    parts.sort_by_key(|(_, cells)| std::cmp::Reverse(rows(cells)));
    if parts.len() > segment::MOST {
        let rest = parts.split_off(segment::MOST).into_iter().flat_map(|(_, cells)| cells).collect();
        parts.push((segment::OTHER, rest));
    }
    let group = |(value, cells): (&str, Vec<&ScoreCell>)| Group {
        segment: segment::name(dimension, value),
        decided: labelled(cells.iter().copied())
            .map_or_else(Confusion::default, |it| it.confusion(decision.threshold)),
        realised: Realised::of_scores(cells.into_iter(), decision),
    };
    parts.into_iter().map(group).collect()
}

impl Group {
    /// What is stored of a group: all metrics of its predictions, and the rates that groups are compared by.
    pub fn metrics(&self) -> Vec<Measured> {
        let rates = [
            ("selection_rate", self.decided.selection_rate()),
            ("false_positive_rate", self.decided.false_positive_rate()),
        ];
        self.realised.metrics.iter().copied().chain(Measured::known(rates)).collect()
    }
}

/// What lies between the groups that have least and most, with the standard error of both ends together.
pub fn gaps(groups: &[Group]) -> Vec<Measured> {
    let decided: Vec<Confusion> = groups.iter().map(|group| group.decided).collect();
    let Some(gaps) = Gaps::of(&decided).filter(|_| groups.len() > 1) else { return Vec::new() };
    let error = |rate: fn(&Confusion) -> Option<Estimate>| {
        let mut rates: Vec<Estimate> = decided.iter().filter_map(rate).collect();
        rates.sort_by(|one, other| one.value.total_cmp(&other.value));
        rates.first().zip(rates.last()).map_or(0.0, |(low, high)| low.error.hypot(high.error))
    };
    let opportunity = error(Confusion::recall);
    let all = [
        ("selection_gap", gaps.selection, error(Confusion::selection_rate)),
        ("opportunity_gap", gaps.opportunity, opportunity),
        ("odds_gap", gaps.odds, opportunity.max(error(Confusion::false_positive_rate))),
    ];
    all.into_iter().map(|(metric, value, error)| Measured { metric, value, error }).collect()
}

pub(super) const fn statistic(criterion: Criterion) -> &'static str {
    match criterion {
        Criterion::DemographicParity => "selection_gap",
        Criterion::EqualOpportunity => "opportunity_gap",
        Criterion::FalsePositives => "false_positive_gap",
    }
}

impl Judging<'_> {
    /// Of each group the criterion by which it is farthest beyond what the contract allows. Equalised odds are both
    /// criteria together.
    pub fn unfair(&self, groups: &[Group], most_gap: f64) -> Vec<Finding> {
        let decided: Vec<Confusion> = groups.iter().map(|group| group.decided).collect();
        let compared = Criterion::OF_OUTCOMES.map(|criterion| (criterion, against_rest(&decided, criterion)));
        let one = |(place, group): (usize, &Group)| {
            let of_group: Vec<(Criterion, AgainstRest)> =
                compared.iter().filter_map(|(criterion, all)| Some((*criterion, all[place]?))).collect();
            let beyond = |against: &AgainstRest| {
                (against.rate - against.rest).abs() / self.gap_limit(most_gap, against).threshold
            };
            let worst = of_group.iter().max_by(|(_, one), (_, other)| beyond(one).total_cmp(&beyond(other)));
            worst.map(|(criterion, against)| self.unlike(group, *criterion, against, &of_group, most_gap))
        };
        groups.iter().enumerate().filter_map(one).collect()
    }

    /// What the contract allows, and at least what chance makes of groups of these sizes.
    fn gap_limit(&self, most_gap: f64, against: &AgainstRest) -> Limit {
        self.limits.above(0.0, most_gap.max(self.limits.z() * against.error), against.error)
    }

    fn unlike(
        &self,
        group: &Group,
        criterion: Criterion,
        against: &AgainstRest,
        of_group: &[(Criterion, AgainstRest)],
        most_gap: f64,
    ) -> Finding {
        let mut all = numbers([
            ("labelled", group.realised.labelled as f64),
            ("predictions", group.realised.predictions as f64),
            ("positives", group.decided.positives()),
        ]);
        all.extend(of_group.iter().flat_map(|(criterion, against)| compared(*criterion, against)));
        Finding {
            monitor: Monitor::Fairness,
            signal: self.task.prediction.clone(),
            segment: group.segment.clone(),
            statistic: statistic(criterion),
            value: (against.rate - against.rest).abs(),
            limit: self.gap_limit(most_gap, against),
            n_baseline: 0,
            n_current: group.realised.labelled,
            is_enough: against.is_enough,
            is_quiet: false,
            numbers: all,
            facts: facts(group, criterion, against),
        }
    }
}

/// What is said of a group in either way.
pub(super) fn apart(segment: &str, criterion: Criterion, against: &AgainstRest) -> String {
    let what = match criterion {
        Criterion::DemographicParity => "a yes is predicted for",
        Criterion::EqualOpportunity => "a yes is predicted where it came for",
        Criterion::FalsePositives => "a yes is predicted where a no came for",
    };
    let points = |share: f64| words::number(100.0 * share);
    format!(
        "{}: {what} {}, for all others {}; apart by {} points ({} to {})",
        words::cut(segment),
        words::percent(against.rate),
        words::percent(against.rest),
        points(against.rate - against.rest),
        points(against.difference.low),
        points(against.difference.high),
    )
}

fn facts(group: &Group, criterion: Criterion, against: &AgainstRest) -> String {
    format!(
        "{}, outcomes of {} of {} known",
        apart(&group.segment, criterion, against),
        words::percent(group.realised.labels().map_or(0.0, |labels| labels.value())),
        words::predictions(group.realised.predictions)
    )
}

/// The numbers of one criterion by name.
pub(super) fn compared(criterion: Criterion, against: &AgainstRest) -> [(String, f64); 4] {
    let name = statistic(criterion);
    let parts = [
        ("rate", against.rate),
        ("rest", against.rest),
        ("low", against.difference.low),
        ("high", against.difference.high),
    ];
    parts.map(|(part, value)| (format!("{name}_{part}"), value))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use domain::contract::Contract;
    use domain::time::Instant;

    use super::*;
    use crate::config::Config;
    use crate::performance::{Kind, Task, Usual};
    use crate::threshold::Limits;

    fn cell(part: &str, mean_score: f64, negatives: u64, positives: u64) -> ScoreCell {
        ScoreCell {
            at: Instant::EPOCH,
            version: String::new(),
            part: part.to_owned(),
            mean_score,
            predictions: negatives + positives,
            negatives,
            positives,
            squares: 0.0,
            fourths: 0.0,
        }
    }

    fn found(cells: &[ScoreCell]) -> Vec<Finding> {
        let decision = Decision::of(&Contract::default());
        let config = Config::default();
        let limits = Limits::shared_over(&config, 20, Duration::from_secs(3_600));
        let task = Task::new("prediction.score", "outcome.paid", Kind::Binary, &Contract::default());
        let usual = Usual::default();
        let judging =
            Judging { config: &config, limits: &limits, task: &task, usual: &usual, least_events: 200 };
        judging.unfair(&groups("sex", cells, decision), 0.1)
    }

    #[test]
    fn a_group_that_is_passed_over_is_found_and_said() {
        let fair = [
            cell("F", 0.2, 300, 50),
            cell("F", 0.8, 50, 300),
            cell("M", 0.2, 310, 50),
            cell("M", 0.8, 50, 290),
        ];
        assert!(found(&fair).iter().all(|finding| !finding.is_beyond()));
        let unfair = [
            cell("F", 0.2, 330, 200),
            cell("F", 0.8, 20, 150),
            cell("M", 0.2, 310, 50),
            cell("M", 0.8, 50, 290),
        ];
        let told = found(&unfair);
        assert!(
            told.iter().all(Finding::is_beyond),
            "of two groups either is apart from the other: {told:?}"
        );
        let women = told.iter().find(|finding| finding.segment == "sex=F").expect("a finding");
        assert_eq!(women.statistic, "opportunity_gap");
        assert!(
            women.facts.starts_with("sex=F: a yes is predicted where it came for 43 %, for all others 85 %"),
            "{}",
            women.facts
        );
        assert!(women.facts.ends_with("outcomes of 100 % of 700 predictions known"), "{}", women.facts);
    }

    #[test]
    fn a_small_group_is_shown_and_not_judged() {
        let cells = [cell("X", 0.2, 10, 30), cell("M", 0.2, 310, 50), cell("M", 0.8, 50, 290)];
        assert!(
            found(&cells)
                .iter()
                .filter(|finding| finding.segment == "sex=X")
                .all(|finding| !finding.is_enough)
        );
        let groups = groups("sex", &cells, Decision::of(&Contract::default()));
        let gaps = gaps(&groups);
        assert_eq!(gaps[0].metric, "selection_gap");
        assert!(gaps[0].value > 0.4 && gaps[0].error > 0.0, "{gaps:?}");
    }

    #[test]
    fn rare_values_are_one_group_and_none_is_missing() {
        let cells: Vec<ScoreCell> = (0..30).map(|n| cell(&format!("v{n:02}"), 0.5, 40 - n, 10)).collect();
        let all = groups("x", &cells, Decision::of(&Contract::default()));
        assert_eq!((all.len(), all[20].segment.as_str(), all[0].segment.as_str()), (21, "x=other", "x=v00"));
        let missing = groups("x", &[cell("", 0.5, 1, 1)], Decision::of(&Contract::default()));
        assert_eq!(missing[0].segment, "x=missing");
        assert_eq!(gaps(&missing), []);
    }
}
