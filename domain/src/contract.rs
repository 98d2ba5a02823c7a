//! What the owner of a model states about it: who to tell, what to watch, which objectives hold.
//!
//! A model needs none: every field has a default, and a model that nobody described is watched all the same.

pub mod judged;
pub mod privacy;
pub mod signal;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::baseline;
use crate::evaluation::Monitor;
use crate::objective::{self, PERIOD_DAYS};
use crate::signal::{PREDICTION, Role, role};
use crate::time::{DAY, HOUR, Instant};
use crate::window::Schedule;
pub use judged::{Fairness, Ranking};
pub use privacy::{Action, Pattern, Privacy};
use signal::TERMS;
pub use signal::{Criticality, SignalTerms, SignalType};

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

/// What share of events must be good over `period_days`. How fast the rest may be used up is in [`crate::objective`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Objectives {
    pub latency: Option<LatencyObjective>,
    /// The share of predictions that must succeed, such as 0.999.
    pub availability: Option<f64>,
    /// The share of predictions whose feature must be no older than `freshness_s` allows, for each feature.
    pub freshness: Option<f64>,
    /// The share of predictions that must keep what the contract states about a signal, for each signal it names.
    pub quality: Option<f64>,
    /// Over how many days a budget of bad events lasts.
    pub period_days: u32,
}

impl Default for Objectives {
    fn default() -> Self {
        Self { latency: None, availability: None, freshness: None, quality: None, period_days: PERIOD_DAYS }
    }
}

impl Objectives {
    pub fn period(&self) -> Duration {
        DAY.saturating_mul(self.period_days)
    }

    /// Every stated share with its key.
    fn targets(&self) -> impl Iterator<Item = (&'static str, f64)> {
        [
            ("objectives.availability", self.availability),
            ("objectives.latency.target", self.latency.map(|latency| latency.target)),
            ("objectives.freshness", self.freshness),
            ("objectives.quality", self.quality),
        ]
        .into_iter()
        .filter_map(|(key, target)| Some((key, target?)))
    }
}

/// At least `target` of the predictions take no longer than `limit_ms`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LatencyObjective {
    pub limit_ms: f64,
    pub target: f64,
}

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

/// One way of looking at a model: windows of one schedule against one baseline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Watch {
    pub name: String,
    pub window_s: u64,
    pub step_s: u64,
    /// How long after its end a window waits for late events.
    pub grace_s: u64,
    pub baseline: String,
    /// What windows are compared with; see [`Watch::against`] for what holds where nothing is stated.
    pub against: Option<Against>,
    /// Fewer events than this in a window are too little to say anything.
    pub least_events: u64,
    /// Windows that end at or before this instant are not looked at.
    pub from: Option<Rfc3339>,
    /// Windows that end after this instant are not looked at.
    pub until: Option<Rfc3339>,
    /// Whether the pages say that this watch looks at recorded history.
    pub history: bool,
    /// What is looked at; empty for everything. A day of weather says nothing about drift, and much about gaps.
    pub monitors: Vec<Monitor>,
    /// The population stability index below which movement does not matter here, where the usual one does not fit.
    pub drift_floor: Option<f64>,
}

impl Default for Watch {
    fn default() -> Self {
        let schedule = Schedule::default();
        Self {
            name: "hourly".to_owned(),
            window_s: HOUR.as_secs(),
            step_s: schedule.step.as_secs(),
            grace_s: schedule.grace.as_secs(),
            baseline: baseline::INITIAL.to_owned(),
            against: None,
            least_events: 200,
            from: None,
            until: None,
            history: false,
            monitors: Vec::new(),
            drift_floor: None,
        }
    }
}

/// What the windows of a watch are compared with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Against {
    /// The baseline that the watch names.
    Named,
    /// The last so many whole days before the window's own day.
    Rolling { days: u32 },
    /// The same hours of the last so many weeks; the same hours of all days where those are too few, then all hours.
    SameHour { weeks: u32 },
    /// The same minutes of one version, the champion; the window holds all other versions.
    Version { version: String },
    /// The same minutes of another environment.
    Environment { environment: String },
    /// A stretch of time.
    Window { from: Rfc3339, to: Rfc3339 },
}

impl Against {
    /// By default so many weeks say what is usual.
    pub const WEEKS: u32 = 4;
    /// Counts by the hour are kept for about a year.
    const MOST_WEEKS: u32 = 52;

    /// How a sentence calls it; empty for a named baseline, which has a name.
    pub fn words(&self) -> String {
        match self {
            Self::Named => String::new(),
            Self::Rolling { days } => format!("the last {days} days"),
            Self::SameHour { weeks } => format!("the same hours of {weeks} weeks"),
            Self::Version { version } => format!("version {version}"),
            Self::Environment { environment } => format!("environment {environment}"),
            Self::Window { from, to } => format!("{} to {}", from.0, to.0),
        }
    }

    fn problem(&self) -> Option<&'static str> {
        let wrong = match self {
            Self::Named => false,
            Self::Rolling { days } => return (*days == 0).then_some("needs days of at least 1, such as 28"),
            Self::SameHour { weeks } => {
                let is_wrong = !(2..=Self::MOST_WEEKS).contains(weeks);
                return is_wrong.then_some("needs weeks between 2 and 52, such as 4");
            }
            Self::Version { version } => version.is_empty(),
            Self::Environment { environment } => environment.is_empty(),
            Self::Window { from, to } => {
                return (from.0 >= to.0).then_some("needs a from that lies before its to");
            }
        };
        wrong.then_some("needs the name of what windows are compared with")
    }
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

impl Watch {
    /// Whether this watch looks at `monitor`.
    pub fn looks_at(&self, monitor: Monitor) -> bool {
        self.monitors.is_empty() || self.monitors.contains(&monitor)
    }

    /// What windows are compared with: what is stated; else a baseline that somebody named, or the same hours of past
    /// weeks, for which the `initial` baseline stands in until there are enough of them.
    pub fn against(&self) -> Against {
        match &self.against {
            Some(against) => against.clone(),
            None if self.baseline != baseline::INITIAL => Against::Named,
            None => Against::SameHour { weeks: Against::WEEKS },
        }
    }

    pub fn schedule(&self) -> Schedule {
        Schedule {
            length: Duration::from_secs(self.window_s),
            step: Duration::from_secs(self.step_s),
            grace: Duration::from_secs(self.grace_s),
        }
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
        let wrong = |key: String, problem: &str| {
            Err(ContractError { model: model.to_owned(), key, problem: problem.to_owned() })
        };
        let objectives = &self.objectives;
        if !(7..=90).contains(&objectives.period_days) {
            return wrong("objectives.period_days".to_owned(), "must lie between 7 and 90, such as 30");
        }
        for (key, target) in objectives.targets() {
            if let Some(reason) = objective::refusal(target, objectives.period()) {
                return wrong(key.to_owned(), &reason);
            }
        }
        if objectives.latency.is_some_and(|latency| !(latency.limit_ms.is_finite() && latency.limit_ms > 0.0))
        {
            return wrong("objectives.latency.limit_ms".to_owned(), "must be greater than 0");
        }
        if self.false_pages_a_month.is_some_and(|pages| !(pages.is_finite() && pages > 0.0)) {
            return wrong("false_pages_a_month".to_owned(), "must be greater than 0, such as 1.0");
        }
        if let Some(index) = self.known_bad.iter().position(|bad| bad.from.0 >= bad.to.0) {
            return wrong(format!("known_bad[{index}].to"), "must lie after its from");
        }
        if let Some(decision) = self.decision {
            if !(decision.threshold > 0.0 && decision.threshold < 1.0) {
                return wrong("decision.threshold".to_owned(), "must lie between 0 and 1, such as 0.5");
            }
            let worth = [
                decision.true_positive,
                decision.false_positive,
                decision.false_negative,
                decision.true_negative,
            ];
            if worth.iter().any(|worth| !worth.is_finite()) {
                return wrong(
                    "decision".to_owned(),
                    "must state finite worths, such as false_negative = -200",
                );
            }
        }
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
            return Err(ContractError {
                model: model.to_owned(),
                key: "reject".to_owned(),
                problem: format!(
                    "names \"{stated}\", which is no rule (known: {}, environment, unknown_signal, *)",
                    self.signals.keys().map(|named| format!("{named}.*")).collect::<Vec<_>>().join(", ")
                ),
            });
        }
        self.privacy.check(model)
    }

    fn check_watches(&self, model: &str) -> Result<(), ContractError> {
        let wrong = |key: String, problem: &str| {
            Err(ContractError { model: model.to_owned(), key, problem: problem.to_owned() })
        };
        let mut names = std::collections::HashSet::new();
        for (index, watch) in self.watches.iter().enumerate() {
            let key = |field: &str| format!("watches[{index}].{field}");
            if !names.insert(&watch.name) {
                return wrong(key("name"), "is the name of another watch of this model");
            }
            if watch.step_s == 0 || watch.step_s % 60 != 0 {
                return wrong(
                    key("step_s"),
                    "must be whole minutes, such as 300: counts are kept by the minute",
                );
            }
            if watch.window_s == 0 || watch.window_s % watch.step_s != 0 {
                return wrong(key("window_s"), "must be a whole multiple of step_s");
            }
            if let Some(problem) = watch.against.as_ref().and_then(Against::problem) {
                return wrong(key("against"), problem);
            }
            if watch.drift_floor.is_some_and(|floor| !(floor.is_finite() && floor > 0.0)) {
                return wrong(key("drift_floor"), "must be greater than 0, such as 0.1");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn what_windows_are_compared_with_can_be_stated_and_has_a_default() {
        let watch = |text: &str| toml::from_str::<Watch>(text).expect("well-formed");
        assert_eq!(watch("").against(), Against::SameHour { weeks: 4 });
        assert_eq!(watch("baseline = \"winter\"").against(), Against::Named);
        let stated = [
            ("kind = \"named\"", Against::Named),
            ("kind = \"rolling\", days = 14", Against::Rolling { days: 14 }),
            ("kind = \"same_hour\", weeks = 8", Against::SameHour { weeks: 8 }),
            ("kind = \"version\", version = \"7\"", Against::Version { version: "7".to_owned() }),
            (
                "kind = \"environment\", environment = \"staging\"",
                Against::Environment { environment: "staging".to_owned() },
            ),
        ];
        for (text, expected) in stated {
            assert_eq!(watch(&format!("against = {{ {text} }}")).against(), expected);
        }
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
    fn an_objective_that_cannot_fire_is_refused_by_its_key() {
        let read = |text: &str| toml::from_str::<Contract>(text).expect("well-formed").check("m");
        for key in ["availability", "freshness", "quality"] {
            let error = read(&format!("[objectives]\n{key} = 0.9")).expect_err("14.4 × 0.1 is more than 1");
            assert!(
                error.to_string().starts_with(&format!("models.m.objectives.{key}: is so low")),
                "{error}"
            );
        }
        let slow = "[objectives]\nlatency = { limit_ms = 50.0, target = 0.5 }";
        assert_eq!(read(slow).expect_err("never fires").key, "objectives.latency.target");
        assert_eq!(
            read("[objectives]\nperiod_days = 1").expect_err("too short").key,
            "objectives.period_days"
        );
        assert_eq!(read("[objectives]\navailability = 0.9\nperiod_days = 7"), Ok(()));
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
