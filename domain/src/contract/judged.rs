//! What a contract states about how predictions are judged: as decisions, between groups of people, and as ranked lists.

use serde::{Deserialize, Serialize};

use super::ContractError;

/// From which score on a prediction is a yes, and what each kind of decision is worth, in any unit: a cost is negative.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Decision {
    pub threshold: f64,
    pub true_positive: f64,
    pub false_positive: f64,
    pub false_negative: f64,
    pub true_negative: f64,
}

impl Default for Decision {
    fn default() -> Self {
        Self {
            threshold: 0.5,
            true_positive: 0.0,
            false_positive: 0.0,
            false_negative: 0.0,
            true_negative: 0.0,
        }
    }
}

impl Decision {
    pub(super) fn check(&self, model: &str) -> Result<(), ContractError> {
        let wrong = |key: &str, problem: &str| Err(ContractError::new(model, key, problem));
        if !(self.threshold > 0.0 && self.threshold < 1.0) {
            return wrong("decision.threshold", "must lie between 0 and 1, such as 0.5");
        }
        let Self { true_positive, false_positive, false_negative, true_negative, .. } = self;
        match [true_positive, false_positive, false_negative, true_negative].iter().all(|it| it.is_finite()) {
            true => Ok(()),
            false => wrong("decision", "must state finite worths, such as false_negative = -200"),
        }
    }
}

/// Groups that the model has to treat alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fairness {
    /// Names of categorical features (`sex`) or of tags (`tag.region`); none, and nothing is compared.
    pub dimensions: Vec<String>,
    /// By how much a group may be apart from all others: in selection, true positive or false positive rate, in points of
    /// a share.
    pub most_gap: f64,
}

impl Default for Fairness {
    fn default() -> Self {
        Self { dimensions: Vec::new(), most_gap: 0.1 }
    }
}

/// How ranked lists are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ranking {
    /// How many places of a list count: the k of NDCG@k.
    pub places: u32,
    /// How many items there are to be shown; without it nothing is said of coverage.
    pub catalogue: Option<u64>,
}

impl Default for Ranking {
    fn default() -> Self {
        Self { places: 10, catalogue: None }
    }
}

impl Fairness {
    pub(super) fn check(&self, model: &str) -> Result<(), ContractError> {
        let wrong =
            |key: &str, problem: &str| Err(ContractError::new(model, format!("fairness.{key}"), problem));
        if !(self.most_gap > 0.0 && self.most_gap < 1.0) {
            return wrong("most_gap", "must lie between 0 and 1, such as 0.1");
        }
        match self.dimensions.iter().any(|dimension| dimension.is_empty() || dimension.contains('=')) {
            true => wrong("dimensions", "must name features or tags, such as \"sex\" or \"tag.region\""),
            false => Ok(()),
        }
    }
}

impl Ranking {
    /// Lists are not looked at beyond this place.
    const MOST_PLACES: u32 = 100;

    pub(super) fn check(&self, model: &str) -> Result<(), ContractError> {
        let wrong =
            |key: &str, problem: &str| Err(ContractError::new(model, format!("ranking.{key}"), problem));
        if !(1..=Self::MOST_PLACES).contains(&self.places) {
            return wrong("places", "must lie between 1 and 100, such as 10");
        }
        match self.catalogue {
            Some(0) => wrong("catalogue", "must be at least 1; leave it out where it is not known"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_judged_is_refused_by_its_key() {
        let key = |checked: Result<(), ContractError>| checked.expect_err("it is wrong").key;
        assert_eq!(key(Fairness { most_gap: 0.0, ..Fairness::default() }.check("m")), "fairness.most_gap");
        let fairness = Fairness { dimensions: vec!["sex=F".to_owned()], ..Fairness::default() };
        assert_eq!(key(fairness.check("m")), "fairness.dimensions");
        assert_eq!(key(Ranking { places: 0, catalogue: None }.check("m")), "ranking.places");
        assert_eq!(key(Ranking { places: 5, catalogue: Some(0) }.check("m")), "ranking.catalogue");
        assert_eq!((Fairness::default().check("m"), Ranking::default().check("m")), (Ok(()), Ok(())));
    }
}
