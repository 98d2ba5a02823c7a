//! From a draft to an event, or to what is wrong with it as a whole.

use domain::contract::DEFAULT_ENVIRONMENT;
use domain::time::Instant;

use super::Draft;
use crate::decode::section::Section;
use crate::decode::{Problem, Rules};
use crate::event::{Name, Outcome, Prediction};
use crate::guard::{Broken, Carried, KeptOut, Marks, is_within};

impl Draft<'_> {
    pub fn prediction(mut self, rules: &Rules) -> Result<Prediction, (Problem, String)> {
        let timestamp = self.check(rules);
        let carries = [Section::Features, Section::Prediction];
        if !self.sections.iter().any(|section| carries.contains(section)) {
            self.problem("features", "is missing, and so is prediction; send at least one of them");
        }
        let ages = std::mem::take(&mut self.ages);
        let age = |at: Instant| timestamp.millis().saturating_sub(at.millis()) as f64 / 1_000.0;
        ages.into_iter().for_each(|(name, at)| self.numbers.put(&name, age(at)));
        self.find_twins();
        self.sections.clear();
        self.names.spare.sections = std::mem::take(&mut self.sections);
        let environment = match self.environment.take() {
            Some(environment) => Some(environment),
            None => self.name("environment", DEFAULT_ENVIRONMENT),
        };
        let model_name = self.model_name();
        let marks = self.guarded(rules, environment.as_ref(), timestamp);
        match (self.problem, self.model, environment) {
            (None, Some(model), Some(environment)) => Ok(Prediction {
                id: self.id.unwrap_or_default(),
                model,
                version: self.version.unwrap_or_default(),
                environment,
                timestamp,
                received_at: rules.received_at,
                numbers: std::mem::take(self.numbers.entries()),
                categories: std::mem::take(self.categories.entries()),
                vectors: self.vectors,
                lists: self.lists,
                tags: self.tags,
                error: self.error,
                trace_id: self.trace_id,
                source: rules.source.clone(),
                marks,
            }),
            (problem, ..) => Err((problem.unwrap_or_else(|| missing("model")), model_name)),
        }
    }

    /// Has the guard look at the event, unless something is wrong with it already; gives it an id before.
    fn guarded(
        &mut self,
        rules: &Rules,
        environment: Option<&Name>,
        timestamp: Instant,
    ) -> Option<Box<Marks>> {
        let (None, Some(model), Some(environment)) = (&self.problem, &self.model, environment) else {
            return None;
        };
        let carried = Carried {
            environment,
            id: self.id.get_or_insert_with(|| self.names.made_up_id()),
            numbers: self.numbers.entries(),
            categories: self.categories.entries(),
            vectors: &mut self.vectors,
            lists: &mut self.lists,
            tags: &mut self.tags,
            error: &mut self.error,
            trace_id: &mut self.trace_id,
        };
        match rules.guards.prediction(model, carried) {
            Ok(marks) => {
                // An id of the place where one was left out, as where none was stated: the same whenever it is read again.
                self.id = self.id.take().filter(|id| !id.is_empty());
                self.id.get_or_insert_with(|| self.names.made_up_id());
                marks
            }
            Err(Broken { field, reason, rules }) => {
                let kept_out = KeptOut {
                    version: self.version.clone().unwrap_or_default(),
                    environment: environment.clone(),
                    happened_at: timestamp,
                    rules,
                };
                let kept_out = Some(Box::new(kept_out));
                self.problem = Some(Problem { kept_out, ..Problem::of(field, reason) });
                None
            }
        }
    }

    pub fn outcome(mut self, rules: &Rules) -> Result<Outcome, (Problem, String)> {
        let timestamp = self.check(rules);
        if self.id.is_none() {
            self.problem("id", "is missing; send the id of the prediction that this is the truth about");
        }
        if self.numbers.entries().is_empty() && self.categories.entries().is_empty() {
            self.problem("outcome", "is missing or empty; send what came of the prediction");
        }
        self.find_twins();
        let model_name = self.model_name();
        match (self.problem, self.id, self.model) {
            (None, Some(mut id), Some(model)) => {
                let (numbers, categories) = (self.numbers.entries(), self.categories.entries());
                rules.guards.outcome(&model, &mut id, numbers, categories, &self.wanted);
                Ok(Outcome {
                    id,
                    model,
                    timestamp,
                    received_at: rules.received_at,
                    numbers: std::mem::take(numbers),
                    categories: std::mem::take(categories),
                    lists: self.wanted,
                    source: rules.source.clone(),
                })
            }
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
        let numbers = self.numbers.entries().iter().map(|(name, _)| name);
        let categories = self.categories.entries().iter().map(|(name, _)| name);
        let vectors = self.vectors.iter().map(|(name, _)| name);
        let lists = self.lists.iter().map(|(name, _)| name);
        let mut all: Vec<&Name> = numbers.chain(categories).chain(vectors).chain(lists).collect();
        all.sort_unstable_by_key(|name| name.address());
        let twins = all.windows(2).filter_map(|pair| match pair {
            [one, other] if one.address() == other.address() => Some(one.to_string()),
            _ => None,
        });
        // The same one each time: where names lie is chance.
        let twin = twins.min();
        if let Some(twin) = twin {
            // An item of a list is a value, which is not told.
            let list = self.wanted.iter().find(|list| is_within(&twin, list)).map(Name::to_string);
            let twin = list.unwrap_or(twin);
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
