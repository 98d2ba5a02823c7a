//! An event while it is read: what was understood so far, or the first thing that is wrong with it.

use std::str::FromStr;

use domain::contract::DEFAULT_ENVIRONMENT;
use domain::signal::{AGE, ATTRIBUTION, FEATURE, LATENCY, OUTCOME, PREDICTION};
use domain::time::Instant;

use super::names::Names;
use super::values::Array;
use super::{Problem, Rules, nonfinite};
use crate::event::{Kind, Name, Outcome, Prediction};

/// The longest category, in bytes. Longer texts are no categories.
const TEXT_BYTES: usize = 4_096;
/// The longest id, error or tag, in bytes.
const LABEL_BYTES: usize = 8_192;

/// A part of an event that holds signals or tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    Features,
    Prediction,
    Attributions,
    FeatureTimestamps,
    Tags,
    Outcome,
}

impl Section {
    const SIGNALS: [Self; 5] =
        [Self::Features, Self::Prediction, Self::Attributions, Self::FeatureTimestamps, Self::Outcome];

    /// Its name in the event.
    pub fn field(self) -> &'static str {
        match self {
            Self::Features => "features",
            Self::Prediction => "prediction",
            Self::Attributions => "attributions",
            Self::FeatureTimestamps => "feature_timestamps",
            Self::Tags => "tags",
            Self::Outcome => "outcome",
        }
    }

    /// What the names of its signals begin with.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Features => FEATURE,
            Self::Prediction => PREDICTION,
            Self::Attributions => ATTRIBUTION,
            Self::FeatureTimestamps => AGE,
            Self::Tags => "",
            Self::Outcome => OUTCOME,
        }
    }

    pub fn may_be_bare(self) -> bool {
        matches!(self, Self::Prediction | Self::Outcome)
    }
}

#[derive(Debug)]
pub struct Draft<'n> {
    pub kind: Kind,
    names: &'n mut Names,
    problem: Option<Problem>,
    pub id: Option<String>,
    pub model: Option<Name>,
    pub version: Option<Name>,
    pub environment: Option<Name>,
    pub timestamp: Option<Instant>,
    pub error: String,
    pub trace_id: String,
    /// Which sections came with a value.
    pub sections: Vec<Section>,
    numbers: Vec<(Name, f64)>,
    categories: Vec<(Name, Name)>,
    vectors: Vec<(Name, Vec<f32>)>,
    lists: Vec<(Name, Vec<String>)>,
    tags: Vec<(Name, String)>,
    ages: Vec<(Name, Instant)>,
}

impl<'n> Draft<'n> {
    pub fn new(kind: Kind, names: &'n mut Names) -> Self {
        names.begin();
        let (numbers, categories) = names.expected;
        Self {
            kind,
            names,
            problem: None,
            id: None,
            model: None,
            version: None,
            environment: None,
            timestamp: None,
            error: String::new(),
            trace_id: String::new(),
            sections: Vec::new(),
            numbers: Vec::with_capacity(numbers),
            categories: Vec::with_capacity(categories),
            vectors: Vec::new(),
            lists: Vec::new(),
            tags: Vec::new(),
            ages: Vec::new(),
        }
    }

    pub fn into_names(self) -> &'n mut Names {
        self.names
    }

    pub fn model_name(&self) -> String {
        self.model.as_ref().map(Name::to_string).unwrap_or_default()
    }

    pub fn path(&mut self) -> &mut String {
        &mut self.names.path
    }

    pub fn has_problem(&self) -> bool {
        self.problem.is_some()
    }

    /// Notes what is wrong; the first of several is told.
    pub fn problem(&mut self, field: &str, error: impl Into<String>) {
        if self.problem.is_none() {
            self.problem = Some(Problem::of(field, error));
        }
    }

    /// Notes what is wrong with the value at the present path.
    fn problem_here(&mut self, section: Section, error: impl Into<String>) {
        let name = self.names.path.strip_prefix(section.prefix()).unwrap_or_default();
        let name: String = name.chars().take(64).collect();
        self.problem(&format!("{}.{name}", section.field()), error);
    }

    /// A name that stands by itself: a model, a version, an environment.
    pub fn name(&mut self, field: &str, text: &str) -> Option<Name> {
        match self.names.name(text) {
            Ok(name) => Some(name),
            Err(bad) => {
                self.problem(field, bad.error());
                None
            }
        }
    }

    /// The signal at the present path.
    fn signal(&mut self, section: Section) -> Option<Name> {
        if self.names.path.len() == section.prefix().len() {
            self.problem_here(section, "has an empty name; every value needs one");
            return None;
        }
        match self.names.signal() {
            Ok(name) => Some(name),
            Err(bad) => {
                self.problem_here(section, bad.error());
                None
            }
        }
    }

    pub fn number(&mut self, section: Section, value: f64) {
        match section {
            Section::Tags => self.tag(section, &value.to_string()),
            Section::FeatureTimestamps => {
                self.problem_here(section, "must be RFC 3339 text such as 2026-11-20T18:00:00Z");
            }
            _ => {
                if let Some(name) = self.signal(section) {
                    self.numbers.push((name, value));
                }
            }
        }
    }

    pub fn flag(&mut self, section: Section, value: &str) {
        match section {
            Section::Tags => self.tag(section, value),
            Section::Attributions | Section::FeatureTimestamps => self.refuse_kind(section, "a boolean"),
            _ => self.category(section, value),
        }
    }

    pub fn text(&mut self, section: Section, value: &str) {
        match section {
            Section::Tags => self.tag(section, value),
            Section::FeatureTimestamps => self.age(section, value),
            _ => match nonfinite::number(value) {
                Some(number) => self.number(section, number),
                None if section == Section::Attributions => self.refuse_kind(section, "a string"),
                None => self.category(section, value),
            },
        }
    }

    fn category(&mut self, section: Section, value: &str) {
        if value.len() > TEXT_BYTES {
            let error = format!("is longer than {TEXT_BYTES} bytes; send a category, a hash or a length");
            return self.problem_here(section, error);
        }
        if let Some(name) = self.signal(section) {
            let value = self.names.category(value);
            self.categories.push((name, value));
        }
    }

    fn tag(&mut self, section: Section, value: &str) {
        if value.len() > LABEL_BYTES {
            return self.problem_here(section, format!("is longer than {LABEL_BYTES} bytes"));
        }
        let path = std::mem::take(&mut self.names.path);
        let name = self.names.name(&path);
        self.names.path = path;
        match name {
            Ok(name) => self.tags.push((name, value.to_owned())),
            Err(bad) => self.problem_here(section, bad.error()),
        }
    }

    fn age(&mut self, section: Section, value: &str) {
        match instant(value) {
            Some(at) => {
                if let Some(name) = self.signal(section) {
                    self.ages.push((name, at));
                }
            }
            None => self.problem_here(section, no_instant(value)),
        }
    }

    fn refuse_kind(&mut self, section: Section, kind: &str) {
        let right = if section == Section::Attributions { "a number" } else { "RFC 3339 text" };
        self.problem_here(section, format!("must be {right}, not {kind}"));
    }

    pub fn array(&mut self, section: Section, array: Array) {
        if !matches!(section, Section::Features | Section::Prediction) {
            return self.problem_here(section, "must not be an array");
        }
        if let Some(kind) = array.bad {
            let error = format!("holds {kind}; an array must hold only numbers or only strings");
            return self.problem_here(section, error);
        }
        if !array.numbers.is_empty() && !array.texts.is_empty() {
            let error = "mixes numbers and strings; an array must hold only numbers or only strings";
            return self.problem_here(section, error);
        }
        let Some(name) = self.signal(section) else { return };
        let length = array.numbers.len() + array.texts.len();
        if array.texts.is_empty() {
            let norm = array.numbers.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt();
            self.derived(section, "norm", norm);
            self.vectors.push((name, array.numbers));
        } else {
            self.lists.push((name, array.texts));
        }
        self.derived(section, "length", length as f64);
    }

    /// A number that stands for an array, beside it: `feature.embedding.norm`.
    fn derived(&mut self, section: Section, what: &str, value: f64) {
        let length = self.names.path.len();
        self.names.path.push('.');
        self.names.path.push_str(what);
        self.number(section, value);
        self.names.path.truncate(length);
    }

    pub fn latency(&mut self, value: f64) {
        self.names.path.clear();
        self.names.path.push_str(LATENCY);
        if let Ok(name) = self.names.signal() {
            self.numbers.push((name, value));
        }
    }

    pub fn label(&mut self, field: &str, value: &str) -> String {
        if value.len() > LABEL_BYTES {
            self.problem(field, format!("is longer than {LABEL_BYTES} bytes"));
            return String::new();
        }
        value.to_owned()
    }

    pub fn prediction(mut self, rules: &Rules) -> Result<Prediction, (Problem, String)> {
        let timestamp = self.check(rules);
        let carries = [Section::Features, Section::Prediction];
        if !self.sections.iter().any(|section| carries.contains(section)) {
            self.problem("features", "is missing, and so is prediction; send at least one of them");
        }
        let ages = std::mem::take(&mut self.ages);
        let age = |at: Instant| timestamp.millis().saturating_sub(at.millis()) as f64 / 1_000.0;
        self.numbers.extend(ages.into_iter().map(|(name, at)| (name, age(at))));
        self.find_twins();
        self.names.expected = (self.numbers.len(), self.categories.len());
        let environment = match self.environment.take() {
            Some(environment) => Some(environment),
            None => self.name("environment", DEFAULT_ENVIRONMENT),
        };
        let model_name = self.model_name();
        match (self.problem, self.model, environment) {
            (None, Some(model), Some(environment)) => Ok(Prediction {
                id: self.id.unwrap_or_else(|| uuid::Uuid::now_v7().to_string()),
                model,
                version: self.version.unwrap_or_default(),
                environment,
                timestamp,
                received_at: rules.received_at,
                numbers: self.numbers,
                categories: self.categories,
                vectors: self.vectors,
                lists: self.lists,
                tags: self.tags,
                error: self.error,
                trace_id: self.trace_id,
                source: rules.source.clone(),
            }),
            (problem, ..) => Err((problem.unwrap_or_else(|| missing("model")), model_name)),
        }
    }

    pub fn outcome(mut self, rules: &Rules) -> Result<Outcome, (Problem, String)> {
        let timestamp = self.check(rules);
        if self.id.is_none() {
            self.problem("id", "is missing; send the id of the prediction that this is the truth about");
        }
        if self.numbers.is_empty() && self.categories.is_empty() {
            self.problem("outcome", "is missing or empty; send what came of the prediction");
        }
        self.find_twins();
        let model_name = self.model_name();
        match (self.problem, self.id, self.model) {
            (None, Some(id), Some(model)) => Ok(Outcome {
                id,
                model,
                timestamp,
                received_at: rules.received_at,
                numbers: self.numbers,
                categories: self.categories,
                source: rules.source.clone(),
            }),
            (problem, ..) => Err((problem.unwrap_or_else(|| missing("model")), model_name)),
        }
    }

    /// What holds for both kinds; the event's time.
    fn check(&mut self, rules: &Rules) -> Instant {
        match &self.model {
            None => self.problem("model", "is missing; name the model that predicted"),
            Some(model)
                if !rules.models.is_empty() && !rules.models.iter().any(|known| *known == **model) =>
            {
                if self.problem.is_none() {
                    let error = format!("\"{model}\" must not be written with this token");
                    self.problem = Some(Problem { forbidden: true, ..Problem::of("model", error) });
                }
            }
            Some(_) => {}
        }
        let timestamp = self.timestamp.unwrap_or(rules.received_at);
        if timestamp < rules.oldest {
            let error =
                format!("{timestamp} is older than events are kept (since {}); import it", rules.oldest);
            self.problem("timestamp", error);
        } else if timestamp > rules.newest {
            let error =
                format!("{timestamp} lies in the future (now {}); check the clock", rules.received_at);
            self.problem("timestamp", error);
        }
        timestamp
    }

    /// Notes a signal that came twice, such as by `"a.b"` beside `"a": {"b": …}`.
    fn find_twins(&mut self) {
        if !self.names.is_irregular() {
            return;
        }
        let numbers = self.numbers.iter().map(|(name, _)| name);
        let categories = self.categories.iter().map(|(name, _)| name);
        let vectors = self.vectors.iter().map(|(name, _)| name);
        let lists = self.lists.iter().map(|(name, _)| name);
        let mut all: Vec<&Name> = numbers.chain(categories).chain(vectors).chain(lists).collect();
        all.sort_unstable_by_key(|name| name.address());
        let twin = all.windows(2).find_map(|pair| match pair {
            [one, other] if one.address() == other.address() => Some(one.to_string()),
            _ => None,
        });
        if let Some(twin) = twin {
            let section = Section::SIGNALS.into_iter().find(|section| twin.starts_with(section.prefix()));
            let field = section.map_or(twin.clone(), |section| {
                format!("{}.{}", section.field(), twin.get(section.prefix().len()..).unwrap_or_default())
            });
            self.problem(&field, "comes twice; name each value once");
        }
    }
}

fn missing(field: &str) -> Problem {
    Problem::of(field, "is missing")
}

/// RFC 3339 with an offset. A date alone is no time.
pub fn instant(text: &str) -> Option<Instant> {
    if text.len() <= 10 { None } else { Instant::from_str(text).ok() }
}

pub fn no_instant(text: &str) -> String {
    let start: String = text.chars().take(40).collect();
    format!("\"{start}\" is not RFC 3339 with an offset; send text such as 2026-11-20T18:00:00Z")
}
