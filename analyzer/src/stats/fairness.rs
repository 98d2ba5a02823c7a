//! Groups held against each other: are they selected, and are they told right, alike?
//!
//! Gaps of many small groups are wide by chance alone. So a verdict comes from each group against all others, and only
//! from groups that are large enough; the gaps themselves are shown.

use crate::stats::confusion::Confusion;
use crate::stats::normal;
use crate::stats::proportion::{Between, Share, newcombe, pooled_error, z};
use crate::stats::ranking::Estimate;

/// Fewer rows than this, or fewer positives, and a group is shown but raises no alarm (METHODS 11).
pub const LEAST_ROWS: f64 = 100.0;
pub const LEAST_POSITIVES: f64 = 20.0;

/// The gaps between the groups that have least and most, in points of a share (fairlearn's definitions).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gaps {
    /// Demographic parity: of the selection rate.
    pub selection: f64,
    /// The least selection rate over the greatest; `None` where nobody is selected.
    pub selection_ratio: Option<f64>,
    /// Equal opportunity: of the true positive rate.
    pub opportunity: f64,
    /// Equalised odds: the larger of the gaps of true and of false positive rate.
    pub odds: f64,
}

impl Gaps {
    /// A rate that divides by nothing counts as 0. `None` without a group that has rows.
    pub fn of(groups: &[Confusion]) -> Option<Self> {
        let groups: Vec<&Confusion> = groups.iter().filter(|group| group.rows() > 0.0).collect();
        if groups.is_empty() {
            return None;
        }
        let ends = |rate: fn(&Confusion) -> Option<Estimate>| {
            let rates = groups.iter().map(|group| rate(group).map_or(0.0, |rate| rate.value));
            rates.fold((f64::INFINITY, 0.0_f64), |(low, high), rate| (low.min(rate), high.max(rate)))
        };
        let gap = |(low, high): (f64, f64)| high - low;
        let selected = ends(Confusion::selection_rate);
        let opportunity = gap(ends(Confusion::recall));
        Some(Self {
            selection: gap(selected),
            selection_ratio: (selected.1 > 0.0).then(|| selected.0 / selected.1),
            opportunity,
            odds: opportunity.max(gap(ends(Confusion::false_positive_rate))),
        })
    }
}

/// What is compared between groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Criterion {
    DemographicParity,
    EqualOpportunity,
    /// The part of equalised odds beyond equal opportunity.
    FalsePositives,
}

impl Criterion {
    /// Those of equalised odds, which need outcomes.
    pub const OF_OUTCOMES: [Self; 2] = [Self::EqualOpportunity, Self::FalsePositives];

    /// Hits and cases of a group.
    fn share(self, group: &Confusion) -> Option<Share> {
        let (hits, all) = match self {
            Self::DemographicParity => (group.selected(), group.rows()),
            Self::EqualOpportunity => (group.true_positives, group.positives()),
            Self::FalsePositives => (group.false_positives, group.negatives()),
        };
        Share::of(hits.round() as u64, all.round() as u64)
    }

    /// Whether a group of `all` is large enough to raise an alarm: rows, and positives among them; for demographic parity,
    /// which knows of no outcome, as many as would be selected at everyone's rate.
    fn is_enough(self, group: &Confusion, all: &Confusion) -> bool {
        let positives = match self {
            Self::DemographicParity => all.selection_rate().map_or(0.0, |rate| rate.value * group.rows()),
            Self::EqualOpportunity | Self::FalsePositives => group.positives(),
        };
        group.rows() >= LEAST_ROWS && positives >= LEAST_POSITIVES
    }
}

/// One group against all others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AgainstRest {
    /// The group's rate and that of all others together.
    pub rate: f64,
    pub rest: f64,
    /// Newcombe's interval of the difference, 95 %.
    pub difference: Between,
    /// The standard error of the difference where there is none.
    pub error: f64,
    /// Two-sided; to be taken together over groups and criteria.
    pub p: f64,
    /// Whether the group is large enough to raise an alarm.
    pub is_enough: bool,
}

/// Each group against the rest, in their order; `None` where one side has no case.
///
/// ```
/// use analyzer::stats::confusion::Confusion;
/// use analyzer::stats::fairness::{Criterion, against_rest};
/// let group = |tp: f64, fn_: f64| Confusion { true_positives: tp, false_negatives: fn_, false_positives: 50.0, true_negatives: 450.0 };
/// let found = against_rest(&[group(80.0, 20.0), group(50.0, 50.0)], Criterion::EqualOpportunity);
/// let second = found[1].unwrap();
/// assert_eq!((second.rate, second.rest), (0.5, 0.8));
/// assert!(second.p < 0.001 && second.is_enough && second.difference.high < 0.0);
/// ```
pub fn against_rest(groups: &[Confusion], criterion: Criterion) -> Vec<Option<AgainstRest>> {
    let all = groups.iter().fold(Confusion::default(), |sum, group| add(&sum, group, 1.0));
    let one = |group: &Confusion| {
        let rest = add(&all, group, -1.0);
        let (own, others) = (criterion.share(group)?, criterion.share(&rest)?);
        Some(AgainstRest {
            rate: own.value(),
            rest: others.value(),
            difference: newcombe(own, others, 1.959_963_984_540_054),
            error: pooled_error(own, others),
            p: z(own, others).map_or(1.0, |z| (2.0 * normal::sf(z.abs())).min(1.0)),
            is_enough: criterion.is_enough(group, &all),
        })
    };
    groups.iter().map(one).collect()
}

fn add(sum: &Confusion, group: &Confusion, sign: f64) -> Confusion {
    Confusion {
        true_positives: sum.true_positives + sign * group.true_positives,
        false_positives: sum.false_positives + sign * group.false_positives,
        false_negatives: sum.false_negatives + sign * group.false_negatives,
        true_negatives: sum.true_negatives + sign * group.true_negatives,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_group_is_shown_and_not_alarmed() {
        let large = Confusion {
            true_positives: 400.0,
            false_negatives: 100.0,
            false_positives: 50.0,
            true_negatives: 450.0,
        };
        let small = Confusion {
            true_positives: 0.0,
            false_negatives: 19.0,
            false_positives: 1.0,
            true_negatives: 500.0,
        };
        let found = against_rest(&[large, small], Criterion::EqualOpportunity);
        assert!(found[1].is_some_and(|one| !one.is_enough && one.p < 1e-6));
        assert!(found[0].is_some_and(|one| one.is_enough));
    }

    #[test]
    fn a_group_that_is_never_selected_is_enough_for_parity_where_others_are() {
        let group = |selected: f64, rest: f64| Confusion {
            true_positives: selected,
            true_negatives: rest,
            ..Confusion::default()
        };
        let of = |groups: &[Confusion]| {
            against_rest(groups, Criterion::DemographicParity)
                .into_iter()
                .map(|one| one.expect("rows").is_enough)
        };
        assert!(of(&[group(0.0, 200.0), group(300.0, 500.0)]).all(|is_enough| is_enough));
        // Of 200 three would be selected: that none was says nothing.
        assert_eq!(of(&[group(0.0, 200.0), group(12.0, 788.0)]).collect::<Vec<_>>(), [false, false]);
    }

    #[test]
    fn groups_without_rows_have_no_gap() {
        assert_eq!(Gaps::of(&[]), None);
        assert_eq!(Gaps::of(&[Confusion::default()]), None);
        assert_eq!(against_rest(&[Confusion::default()], Criterion::DemographicParity), vec![None]);
    }
}
