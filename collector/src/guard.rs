//! Stands between an event that was understood and everything else: what its model's contract says is looked at, and
//! what must not be kept is redacted, before the event is stored, logged or counted.
//!
//! Invariants: the terms are looked at on the values as they came, and what is said of a breach never repeats a value;
//! behind the guard nobody sees what was redacted.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

mod patterns;
mod redaction;
mod terms;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use domain::contract::{Action, Contract, Pattern};
use domain::time::Instant;
use service::Secret;
use service::context::Contracts;

use self::redaction::{Key, Redaction};
use self::terms::Terms;
use crate::event::{Name, cut_payload};

/// What the guard found out about a stored event. Most events have nothing to be noted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Marks {
    /// The rules that it breaks, each once.
    pub breaches: Vec<Name>,
    /// Whether its values are only counted: no column of the stored row holds them.
    pub counts_only: bool,
}

/// Why a contract keeps an event out.
#[derive(Clone, Debug, PartialEq)]
pub struct Broken {
    pub field: String,
    /// Says the rule and what would be right, and no value.
    pub reason: String,
    /// All rules that it breaks.
    pub rules: Vec<Name>,
}

/// Where an event that was kept out belongs, and which rules it broke: counted with those of the stored events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptOut {
    pub version: Name,
    pub environment: Name,
    pub happened_at: Instant,
    pub rules: Vec<Name>,
}

/// What of an event the guard looks at and changes, wherever it was read.
#[derive(Debug)]
pub struct Carried<'a> {
    pub environment: &'a str,
    pub id: &'a mut String,
    pub numbers: &'a mut Vec<(Name, f64)>,
    pub categories: &'a mut Vec<(Name, Name)>,
    pub vectors: &'a mut Vec<(Name, Vec<f32>)>,
    pub lists: &'a mut Vec<(Name, Vec<String>)>,
    pub tags: &'a mut Vec<(Name, String)>,
    pub error: &'a mut String,
    pub trace_id: &'a mut String,
}

/// What holds for all models, beside their contracts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    pub key: Secret,
    pub patterns: Vec<Pattern>,
    pub classes: BTreeMap<String, Action>,
}

impl Settings {
    /// What a contract wants to be hashed needs a key, and a class somebody who says what is done with it.
    pub fn check(&self, model: &str, contract: &Contract) -> Result<(), String> {
        if contract.privacy.needs_key() && self.key.is_empty() {
            return Err(format!(
                "models.{model}.privacy hashes (also ids in which a pattern is found), which needs a key: set \
                 collector.privacy.key or key_file to what `openssl rand -hex 32` prints"
            ));
        }
        let is_known = |class: &str| {
            class.is_empty()
                || contract.privacy.classes.contains_key(class)
                || self.classes.contains_key(class)
        };
        match contract.signals.iter().find(|(_, terms)| !is_known(&terms.privacy_class)) {
            Some((named, terms)) => Err(format!(
                "models.{model}.signals.{named}.privacy_class: nobody says what is done with the class \"{class}\": set \
                 models.{model}.privacy.classes.{class} or collector.privacy.classes.{class} (keep, drop, hash, mask, \
                 {{ truncate = 4 }}, {{ bucket = 10.0 }})",
                class = terms.privacy_class
            )),
            None => Ok(()),
        }
    }
}

/// The guards of all models, made once of their contracts.
#[derive(Debug, Default)]
pub struct Guards {
    models: HashMap<String, Guard>,
    /// For models without a contract, where patterns are looked for everywhere.
    others: Guard,
    /// Whether anything is redacted of any model: an event whose model cannot be read might be one of it.
    any_redacts: bool,
}

#[derive(Debug, Default)]
struct Guard {
    terms: Option<Terms>,
    redaction: Option<Redaction>,
    counts_only: bool,
}

impl Guard {
    fn of(contract: &Contract, settings: &Settings, key: &Key) -> Self {
        Self {
            terms: Terms::of(contract),
            redaction: Redaction::of(contract, settings, key),
            counts_only: contract.privacy.counts_only,
        }
    }
}

impl Guards {
    pub fn of(contracts: &BTreeMap<String, Contract>, settings: &Settings) -> Self {
        let key = Key::of(&settings.key);
        let models: HashMap<String, Guard> = contracts
            .iter()
            .map(|(model, contract)| (model.clone(), Guard::of(contract, settings, &key)))
            .collect();
        let others = Guard::of(&Contract::default(), settings, &key);
        let redacts = |guard: &Guard| guard.redaction.is_some() || guard.counts_only;
        let any_redacts = redacts(&others) || models.values().any(redacts);
        Self { models, others, any_redacts }
    }

    fn of_model(&self, model: &str) -> &Guard {
        self.models.get(model).unwrap_or(&self.others)
    }

    /// Looks at a prediction and redacts it. The one call of whoever makes events. An id that is left out is empty
    /// afterwards: events without one cannot be told apart, so whoever made the event makes another one.
    ///
    /// # Errors
    /// Where the model's contract keeps it out.
    pub fn prediction(&self, model: &str, mut carried: Carried<'_>) -> Result<Option<Box<Marks>>, Broken> {
        let guard = self.of_model(model);
        let breaches = match &guard.terms {
            Some(terms) => terms.breaches(&carried)?,
            None => Vec::new(),
        };
        if let Some(redaction) = &guard.redaction {
            redaction.redact(&mut carried);
        }
        if guard.counts_only {
            // Texts that are counted nowhere are needed nowhere.
            carried.error.truncate(carried.error.len().min(1));
            carried.error.replace_range(.., if carried.error.is_empty() { "" } else { "error" });
            carried.trace_id.clear();
        }
        let marks = Marks { breaches, counts_only: guard.counts_only };
        Ok((marks != Marks::default()).then(|| Box::new(marks)))
    }

    /// What is left of a tag that came beside the event, such as a header of its message.
    pub fn tag(&self, model: &str, name: &str, value: &str) -> Option<String> {
        match &self.of_model(model).redaction {
            Some(redaction) => redaction.tag(name, value),
            None => Some(value.to_owned()),
        }
    }

    /// Redacts an outcome. `lists` are those whose items stand among the numbers as names.
    pub fn outcome(
        &self,
        model: &str,
        id: &mut String,
        numbers: &mut Vec<(Name, f64)>,
        categories: &mut Vec<(Name, Name)>,
        lists: &[Name],
    ) {
        if let Some(redaction) = &self.of_model(model).redaction {
            redaction.redact_outcome(id, numbers, categories, lists);
        }
    }

    /// Whether a refused event may be kept as it came. `model` is empty where it could not be read.
    pub fn keeps_payload(&self, model: &str) -> bool {
        if model.is_empty() {
            return !self.any_redacts;
        }
        let guard = self.of_model(model);
        guard.redaction.is_none() && !guard.counts_only
    }

    /// What is kept of a refused event: its beginning, or nothing.
    pub fn kept_payload(&self, model: &str, payload: &[u8]) -> String {
        if self.keeps_payload(model) { cut_payload(payload) } else { String::new() }
    }

    /// The id that a sender gave to a refused event, as far as it may be told.
    pub fn told_id<'a>(&self, model: &str, id: &'a str) -> &'a str {
        if self.keeps_payload(model) { id } else { "…" }
    }

    /// What is wrong with an event, as it may be told and kept: what a reason quotes may be a value.
    pub fn told(&self, model: &str, reason: String) -> String {
        if self.keeps_payload(model) { reason } else { without_quotes(&reason) }
    }
}

/// Whether a signal's name lies behind another's: `outcome.chosen.B7` within `outcome.chosen`.
pub fn is_within(name: &str, outer: &str) -> bool {
    name.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.'))
}

fn without_quotes(reason: &str) -> String {
    match (reason.find('"'), reason.rfind('"')) {
        (Some(first), Some(last)) if first < last => {
            let (before, after) = (reason.get(..first), reason.get(last + 1..));
            format!("{}\"…\"{}", before.unwrap_or_default(), after.unwrap_or_default())
        }
        _ => reason.to_owned(),
    }
}

/// The guards in force: made again when a contract changes.
#[derive(Clone)]
pub struct GuardBook {
    shared: Arc<Shared>,
}

struct Shared {
    contracts: Contracts,
    settings: Settings,
    made: RwLock<Made>,
}

struct Made {
    of: Arc<BTreeMap<String, Contract>>,
    guards: Arc<Guards>,
}

impl GuardBook {
    pub fn new(contracts: Contracts, settings: Settings) -> Self {
        let of = contracts.current();
        let guards = Arc::new(Guards::of(&of, &settings));
        let made = RwLock::new(Made { of, guards });
        Self { shared: Arc::new(Shared { contracts, settings, made }) }
    }

    /// Says what is missing to do what a contract wants.
    pub fn check(&self, model: &str, contract: &Contract) -> Result<(), String> {
        let settings = &self.shared.settings;
        settings.check(model, contract)
    }

    /// Guards of the contracts as they stand now.
    pub fn current(&self) -> Arc<Guards> {
        let Shared { contracts, settings, made } = &*self.shared;
        let now = contracts.current();
        {
            let made = made.read().unwrap_or_else(PoisonError::into_inner);
            if Arc::ptr_eq(&made.of, &now) {
                return made.guards.clone();
            }
        }
        let guards = Arc::new(Guards::of(&now, settings));
        *made.write().unwrap_or_else(PoisonError::into_inner) = Made { of: now, guards: guards.clone() };
        guards
    }
}

#[cfg(test)]
mod tests;
