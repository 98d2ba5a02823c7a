//! What the owner of a model states about it: who to tell, what to watch, which objectives hold.
//!
//! A model needs none: every field has a default, and a model that nobody described is watched all the same.

pub mod judged;
pub mod objectives;
pub mod privacy;
pub mod signal;
pub mod watch;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::signal::{PREDICTION, Role, role};
use crate::time::Instant;
pub use judged::{Decision, Fairness, Ranking};
pub use objectives::{LatencyObjective, Objectives};
pub use privacy::{Action, Pattern, Privacy};
use signal::TERMS;
pub use signal::{Criticality, SignalTerms, SignalType};
pub use watch::{Against, Watch};

/// The environment of events that state none.
pub const DEFAULT_ENVIRONMENT: &str = "production";

/// Rules that are about no single signal.
pub mod rule {
    /// The environment is not one that the contract names.
    pub const ENVIRONMENT: &str = "environment";
    /// A feature or an output that the contract does not name.
    pub const UNKNOWN_SIGNAL: &str = "unknown_signal";
    /// The same event came before; no contract needs to say so.
    pub const DUPLICATE: &str = "duplicate";
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Contract {
    /// Who is told: a team's name, matched by the alerter's routes.
    pub owner: String,
    /// What the model does, in a few words.
    pub description: String,
    /// Where it says what to do when the model is off course.
    pub playbook: String,
    /// The environments it may run in; empty for any.
    pub environments: Vec<String>,
    /// What is stated about signals, by name. Where anything is, a signal that is not named here is unknown.
    pub signals: BTreeMap<String, SignalTerms>,
    /// Rules whose breach keeps an event out: `amount.range`, all of a signal's (`amount.*`), or all (`*`).
    pub reject: Vec<String>,
    pub privacy: Privacy,
    /// Which output is *the* prediction; by default the first of `score`, `value` and whatever else comes.
    pub prediction: String,
    /// What the values of an instance are called, in their order, where payload logs do not name them.
    pub inputs: Vec<String>,
    /// The same for the values of an answer.
    pub outputs: Vec<String>,
    /// Dimensions watched separately: names of categorical features (`origin`) or of tags (`tag.region`).
    pub segments: Vec<String>,
    pub objectives: Objectives,
    /// Greatest age of a feature at prediction time, in seconds, by the feature's name.
    pub freshness_s: BTreeMap<String, f64>,
    /// How the model is looked at; by default an hour sliding by five minutes against the `initial` baseline.
    pub watches: Vec<Watch>,
    /// What a score decides and what that is worth; without it one half decides, and nothing is said of worth.
    pub decision: Option<Decision>,
    pub fairness: Fairness,
    pub ranking: Ranking,
    /// A note that the pages show beside the model's name, such as what its data are.
    pub note: String,
    /// How many pages a month chance may cause; the analyzer's own figure where none is stated.
    pub false_pages_a_month: Option<f64>,
    /// Stretches in which something was wrong, and from which nothing usual is learned. Acknowledged incidents are left
    /// out without being named here.
    pub known_bad: Vec<Bad>,
}

/// A stretch of time in which the model's data were not as they should be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bad {
    pub from: Rfc3339,
    pub to: Rfc3339,
    /// What was wrong, for people.
    #[serde(default)]
    pub why: String,
}

/// An instant that configuration writes as RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rfc3339(pub Instant);

impl TryFrom<String> for Rfc3339 {
    type Error = crate::time::ParseInstantError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

impl From<Rfc3339> for String {
    fn from(instant: Rfc3339) -> Self {
        instant.0.to_string()
    }
}

/// What is wrong with a contract, by the key that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("models.{model}.{key}: {problem}")]
pub struct ContractError {
    pub model: String,
    pub key: String,
    pub problem: String,
}

impl ContractError {
    fn new(model: &str, key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { model: model.to_owned(), key: key.into(), problem: problem.into() }
    }
}

impl Contract {
    /// The watches that hold: those stated, or the default one.
    pub fn watches(&self) -> Vec<Watch> {
        if self.watches.is_empty() { vec![Watch::default()] } else { self.watches.clone() }
    }

    /// Limits in milliseconds that must be edges of the latency's bins, so that good and bad are counted exactly.
    pub fn duration_limits(&self, signal: &str) -> Vec<f64> {
        match role(signal) {
            Role::Latency => self.objectives.latency.iter().map(|objective| objective.limit_ms).collect(),
            Role::Age => {
                let feature = crate::signal::short_name(signal);
                self.freshness_limits().get(feature).copied().into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    /// The greatest age of each feature that has one, in seconds, wherever the contract states it.
    pub fn freshness_limits(&self) -> BTreeMap<String, f64> {
        let stated = self.signals.iter().filter_map(|(name, terms)| Some((name.clone(), terms.freshness_s?)));
        self.freshness_s.clone().into_iter().chain(stated).collect()
    }

    /// Every rule that an event can break, by name: those of the signals, then those of the whole event.
    pub fn rules(&self) -> Vec<String> {
        let of_signals = self.signals.keys().flat_map(|named| TERMS.map(|term| format!("{named}.{term}")));
        let of_events = [rule::ENVIRONMENT, rule::UNKNOWN_SIGNAL].map(str::to_owned);
        of_signals.chain(of_events).collect()
    }

    /// Whether the breach of a rule keeps an event out.
    pub fn rejects(&self, rule: &str) -> bool {
        self.reject.iter().any(|stated| match stated.strip_suffix('*') {
            Some(start) => rule.starts_with(start),
            None => stated == rule,
        })
    }

    /// Which of a model's signals is *the* prediction.
    pub fn prediction_signal<'a>(&self, signals: impl IntoIterator<Item = &'a str>) -> Option<String> {
        if !self.prediction.is_empty() {
            return Some(format!("{PREDICTION}{}", self.prediction));
        }
        let outputs: Vec<&str> =
            signals.into_iter().filter(|signal| role(signal) == Role::Prediction).collect();
        ["prediction.score", "prediction.value"]
            .into_iter()
            .find(|usual| outputs.contains(usual))
            .or_else(|| outputs.into_iter().min())
            .map(str::to_owned)
    }

    /// Says what is wrong, naming the key.
    pub fn check(&self, model: &str) -> Result<(), ContractError> {
        let wrong = |key: String, problem: &str| Err(ContractError::new(model, key, problem));
        self.objectives.check(model)?;
        if self.false_pages_a_month.is_some_and(|pages| !(pages.is_finite() && pages > 0.0)) {
            return wrong("false_pages_a_month".to_owned(), "must be greater than 0, such as 1.0");
        }
        if let Some(index) = self.known_bad.iter().position(|bad| bad.from.0 >= bad.to.0) {
            return wrong(format!("known_bad[{index}].to"), "must lie after its from");
        }
        self.decision.map_or(Ok(()), |decision| decision.check(model))?;
        self.fairness.check(model)?;
        self.ranking.check(model)?;
        self.check_terms(model)?;
        self.check_watches(model)
    }

    fn check_terms(&self, model: &str) -> Result<(), ContractError> {
        for (named, terms) in &self.signals {
            terms.check(model, named)?;
        }
        let rules = self.rules();
        let is_known = |stated: &str| match stated.strip_suffix('*') {
            Some(start) => rules.iter().any(|rule| rule.starts_with(start)),
            None => rules.iter().any(|rule| rule == stated),
        };
        if let Some(stated) = self.reject.iter().find(|stated| !is_known(stated)) {
            let known = self.signals.keys().map(|named| format!("{named}.*")).collect::<Vec<_>>().join(", ");
            let problem = format!(
                "names \"{stated}\", which is no rule (known: {known}, environment, unknown_signal, *)"
            );
            return Err(ContractError::new(model, "reject", problem));
        }
        self.privacy.check(model)
    }

    fn check_watches(&self, model: &str) -> Result<(), ContractError> {
        let mut names = std::collections::HashSet::new();
        for (index, watch) in self.watches.iter().enumerate() {
            let wrong = |field: &str, problem: &str| {
                ContractError::new(model, format!("watches[{index}].{field}"), problem)
            };
            if !names.insert(&watch.name) {
                return Err(wrong("name", "is the name of another watch of this model"));
            }
            if let Some((field, problem)) = watch.problem() {
                return Err(wrong(field, problem));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::Schedule;

    #[test]
    fn a_model_that_nobody_described_is_watched_hourly() {
        let contract = Contract::default();
        assert_eq!(contract.watches()[0].schedule(), Schedule::default());
        assert_eq!(contract.check("m"), Ok(()));
    }

    #[test]
    fn the_prediction_is_the_stated_one_or_the_usual_one() {
        let signals = ["feature.a", "prediction.decision", "prediction.score"];
        assert_eq!(Contract::default().prediction_signal(signals), Some("prediction.score".to_owned()));
        let stated = Contract { prediction: "decision".to_owned(), ..Contract::default() };
        assert_eq!(stated.prediction_signal(signals), Some("prediction.decision".to_owned()));
        assert_eq!(Contract::default().prediction_signal(["feature.a"]), None);
    }

    #[test]
    fn what_is_stated_about_signals_is_read_and_named_by_rule() {
        let contract: Contract = toml::from_str(
            "reject = [\"amount.*\"]\n[signals.amount]\ntype = \"number\"\nunit = \"EUR\"\nleast = 0.0\n\
             freshness_s = 60.0\nnullable = false\ncriticality = \"high\"",
        )
        .expect("well-formed");
        assert_eq!(contract.check("m"), Ok(()));
        assert_eq!(contract.signals["amount"].criticality, Criticality::High);
        assert_eq!(contract.freshness_limits().get("amount"), Some(&60.0));
        assert!(contract.rules().contains(&"amount.range".to_owned()));
        assert!(contract.rejects("amount.range") && !contract.rejects("environment"));
        assert!(!Contract::default().rejects("environment"));
    }

    #[test]
    fn terms_that_contradict_each_other_are_named_with_their_remedy() {
        let wrong = |text: &str| {
            let contract: Contract = toml::from_str(text).expect("well-formed");
            contract.check("m").expect_err(text).to_string()
        };
        let cases = [
            ("[signals.a]\nleast = 2.0\ngreatest = 1.0", "models.m.signals.a.least: must not lie above"),
            ("[signals.a]\ntype = \"category\"\nleast = 2.0", "needs a type of numbers"),
            ("[signals.a]\ntype = \"integer\"\nallowed = [\"x\"]", "needs a type of texts"),
            ("[signals.a]\nfreshness_s = 0.0", "signals.a.freshness_s: must be greater than 0"),
            (
                "reject = [\"b.range\"]\n[signals.a]",
                "reject: names \"b.range\", which is no rule (known: a.*",
            ),
        ];
        for (text, expected) in cases {
            assert!(wrong(text).contains(expected), "{text}: {}", wrong(text));
        }
        assert!(toml::from_str::<Contract>("[signals.a]\ntype = \"text\"").is_err());
    }

    #[test]
    fn a_comparison_that_cannot_be_made_is_refused_by_its_key() {
        let problem = |text: &str| {
            let contract: Contract = toml::from_str(text).expect("well-formed");
            contract.check("m").expect_err("it cannot be").to_string()
        };
        let watch = |against: &str| problem(&format!("[[watches]]\nagainst = {{ {against} }}"));
        assert_eq!(
            watch("kind = \"same_hour\", weeks = 1"),
            "models.m.watches[0].against: needs weeks between 2 and 52, such as 4"
        );
        assert!(watch("kind = \"rolling\", days = 0").contains("days of at least 1"));
        assert!(watch("kind = \"version\", version = \"\"").contains("needs the name"));
        let window = "kind = \"window\", from = \"2026-03-02T00:00:00Z\", to = \"2026-03-01T00:00:00Z\"";
        assert!(watch(window).contains("lies before its to"));
        assert!(problem("false_pages_a_month = 0.0").starts_with("models.m.false_pages_a_month: must be"));
        let bad = "[[known_bad]]\nfrom = \"2026-03-02T00:00:00Z\"\nto = \"2026-03-02T00:00:00Z\"";
        assert!(problem(bad).starts_with("models.m.known_bad[0].to: must lie after"));
    }

    #[test]
    fn a_wrong_contract_names_the_key() {
        let contract: Contract =
            toml::from_str("[[watches]]\nname = \"a\"\nwindow_s = 150\nstep_s = 60").expect("well-formed");
        let error = contract.check("flights").expect_err("150 is no multiple of 60");
        assert_eq!(
            error.to_string(),
            "models.flights.watches[0].window_s: must be a whole multiple of step_s"
        );
        assert!(toml::from_str::<Contract>("ownr = \"x\"").is_err());
        let contract: Contract = toml::from_str("[decision]\nthreshold = 1.5").expect("well-formed");
        let error = contract.check("flights").expect_err("no share is 1.5").to_string();
        assert_eq!(error, "models.flights.decision.threshold: must lie between 0 and 1, such as 0.5");
    }
}
