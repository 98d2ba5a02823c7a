//! How the groups that a contract names are treated, as a table.

use std::collections::BTreeMap;

use sql::pages::model::GroupMetric;

use super::Data;
use crate::text::percent;

/// A group, and the rates by which groups are compared, each with its 95 % interval.
pub struct GroupLine {
    pub name: String,
    pub predictions: String,
    pub known: String,
    pub rates: Vec<String>,
}

/// In the order of the table's columns.
const RATES: [&str; 3] = ["selection_rate", "recall", "false_positive_rate"];

/// One line a group; what lies between the extremes is data for programs, because chance alone widens it.
pub fn groups(data: &Data) -> Vec<GroupLine> {
    let mut by_group: BTreeMap<&str, Vec<&GroupMetric>> = BTreeMap::new();
    for metric in data.groups.iter().filter(|metric| metric.segment.contains('=')) {
        by_group.entry(&metric.segment).or_default().push(metric);
    }
    by_group.into_iter().map(|(name, metrics)| line(name, &metrics)).collect()
}

fn line(name: &str, metrics: &[&GroupMetric]) -> GroupLine {
    let rate = |wanted: &str| match metrics.iter().find(|metric| metric.metric == wanted) {
        Some(rate) => format!("{} ± {}", percent(rate.mean), percent(1.96 * rate.standard_error)),
        None => "–".to_owned(),
    };
    // Every metric of a group says how many predictions it is about; the largest number is about all of them.
    let all = metrics.iter().max_by_key(|metric| metric.predictions);
    let (predictions, labelled) = all.map_or((0, 0), |metric| (metric.predictions, metric.labelled));
    GroupLine {
        name: name.to_owned(),
        predictions: predictions.to_string(),
        known: percent(labelled as f64 / predictions.max(1) as f64),
        rates: RATES.map(rate).to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_a_line_with_its_rates() {
        let metric = |metric: &str, mean, labelled| GroupMetric {
            segment: "sex=F".to_owned(),
            metric: metric.to_owned(),
            mean,
            standard_error: 0.01,
            labelled,
            predictions: 1_000,
        };
        let (selected, recall) = (metric("selection_rate", 0.25, 950), metric("recall", 0.5, 950));
        let line = line("sex=F", &[&selected, &recall]);
        assert_eq!((line.predictions.as_str(), line.known.as_str()), ("1000", percent(0.95).as_str()));
        let expected = [
            format!("{} ± {}", percent(0.25), percent(0.0196)),
            format!("{} ± {}", percent(0.5), percent(0.0196)),
            "–".to_owned(),
        ];
        assert_eq!(line.rates, expected);
    }
}
