//! Looks at an event by the terms of its model's contract.
//!
//! Invariant: an event breaks a rule at most once, however many of its values do.

use std::collections::{HashMap, HashSet};

use domain::contract::signal::full_name;
use domain::contract::{Contract, SignalTerms, SignalType, rule};
use domain::signal::{AGE, FEATURE, PREDICTION};

use super::{Broken, Carried};
use crate::event::Name;

/// A contract's terms, ready to be looked up by signal.
#[derive(Debug)]
pub struct Terms {
    /// By full name.
    signals: HashMap<String, Signal>,
    /// By the names of ages.
    ages: HashMap<String, (f64, Rule)>,
    required: usize,
    environments: Vec<String>,
    environment: Rule,
    unknown: Rule,
}

/// A rule by name, and whether its breach keeps an event out.
#[derive(Clone, Debug)]
struct Rule {
    name: Name,
    rejects: bool,
    /// What would be right.
    remedy: String,
}

#[derive(Debug)]
struct Signal {
    field: String,
    kind: Option<(SignalType, Rule)>,
    least: f64,
    greatest: f64,
    range: Option<Rule>,
    allowed: Option<(HashSet<String>, Rule)>,
    /// Its place among those that must be there, and the rule.
    required: Option<(usize, Rule)>,
}

/// What was found so far.
struct Found<'t> {
    breaches: Vec<Name>,
    first_rejecting: Option<(String, &'t Rule)>,
}

impl<'t> Found<'t> {
    fn add(&mut self, rule: &'t Rule, field: impl FnOnce() -> String) {
        if !self.breaches.contains(&rule.name) {
            self.breaches.push(rule.name.clone());
        }
        if rule.rejects && self.first_rejecting.is_none() {
            self.first_rejecting = Some((field(), rule));
        }
    }
}

/// A value as the terms of a signal see it.
enum Seen<'a> {
    Number(f64),
    Text(&'a str),
    Vector(&'a [f32]),
    List(&'a [String]),
}

impl Terms {
    /// `None` where the contract states nothing about events.
    pub fn of(contract: &Contract) -> Option<Self> {
        if contract.signals.is_empty() && contract.environments.is_empty() {
            return None;
        }
        let rule = |name: String, remedy: String| Rule {
            rejects: contract.rejects(&name),
            name: Name::from(name),
            remedy,
        };
        let mut terms = Self {
            signals: HashMap::new(),
            ages: HashMap::new(),
            required: 0,
            environments: contract.environments.clone(),
            environment: rule(
                rule::ENVIRONMENT.to_owned(),
                format!("it may be {}", contract.environments.join(", ")),
            ),
            unknown: rule(
                rule::UNKNOWN_SIGNAL.to_owned(),
                "name it in the contract's signals, or do not send it".to_owned(),
            ),
        };
        for (named, stated) in &contract.signals {
            let of = |term: &str, remedy: String| rule(format!("{named}.{term}"), remedy);
            if let Some(limit) = stated.freshness_s {
                let remedy = format!("it may be {limit} s old at most");
                terms.ages.insert(format!("{AGE}{named}"), (limit, of("freshness", remedy)));
            }
            let signal = signal(named, stated, terms.required, of);
            terms.required += usize::from(signal.required.is_some());
            terms.signals.insert(full_name(named), signal);
        }
        Some(terms)
    }

    /// The rules that an event breaks and is stored all the same.
    ///
    /// # Errors
    /// Where it breaks one that keeps it out.
    pub fn breaches(&self, event: &Carried<'_>) -> Result<Vec<Name>, Broken> {
        let mut found = Found { breaches: Vec::new(), first_rejecting: None };
        if !self.environments.is_empty() && !self.environments.iter().any(|known| known == event.environment)
        {
            found.add(&self.environment, || "environment".to_owned());
        }
        if !self.signals.is_empty() {
            self.look_at_signals(event, &mut found);
        }
        match found.first_rejecting {
            None => Ok(found.breaches),
            Some((field, rule)) => Err(Broken {
                field,
                reason: format!("breaks the rule {} of the model's contract: {}", rule.name, rule.remedy),
                rules: found.breaches,
            }),
        }
    }

    fn look_at_signals<'t>(&'t self, event: &Carried<'_>, found: &mut Found<'t>) {
        let mut is_there = vec![false; self.required];
        for (name, value) in &*event.numbers {
            if let Some((limit, rule)) = self.ages.get(name.as_str())
                && *value > *limit
            {
                found.add(rule, || format!("feature_timestamps.{}", name.trim_start_matches(AGE)));
            }
            if !is_derived(name, event) {
                self.look_at(name, Seen::Number(*value), &mut is_there, found);
            }
        }
        for (name, value) in &*event.categories {
            self.look_at(name, Seen::Text(value), &mut is_there, found);
        }
        for (name, values) in &*event.vectors {
            self.look_at(name, Seen::Vector(values), &mut is_there, found);
        }
        for (name, values) in &*event.lists {
            self.look_at(name, Seen::List(values), &mut is_there, found);
        }
        for signal in self.signals.values() {
            if let Some((place, rule)) = &signal.required
                && is_there.get(*place) == Some(&false)
            {
                found.add(rule, || signal.field.clone());
            }
        }
    }

    fn look_at<'t>(&'t self, name: &Name, value: Seen<'_>, is_there: &mut [bool], found: &mut Found<'t>) {
        let Some(signal) = self.signals.get(name.as_str()) else {
            if name.starts_with(FEATURE) || name.starts_with(PREDICTION) {
                found.add(&self.unknown, || field_of(name));
            }
            return;
        };
        if let Some((place, _)) = &signal.required
            && let Some(there) = is_there.get_mut(*place)
        {
            *there = true;
        }
        signal.look_at(&value, found);
    }
}

fn signal(
    named: &str,
    stated: &SignalTerms,
    next_required: usize,
    rule: impl Fn(&str, String) -> Rule,
) -> Signal {
    let range = match (stated.least, stated.greatest) {
        (None, None) => None,
        (Some(least), None) => Some(format!("it must be at least {least}")),
        (None, Some(greatest)) => Some(format!("it must be at most {greatest}")),
        (Some(least), Some(greatest)) => Some(format!("it must lie between {least} and {greatest}")),
    };
    let unit = if stated.unit.is_empty() { String::new() } else { format!(" ({})", stated.unit) };
    let allowed: HashSet<String> = stated.allowed.iter().cloned().collect();
    Signal {
        field: field_of(&full_name(named)),
        kind: stated.kind.map(|kind| (kind, rule("type", format!("it must be a {}", kind.name())))),
        least: stated.least.unwrap_or(f64::NEG_INFINITY),
        greatest: stated.greatest.unwrap_or(f64::INFINITY),
        range: range.map(|remedy| rule("range", remedy + &unit)),
        allowed: (!allowed.is_empty()).then(|| {
            (allowed, rule("allowed", "it must be one of the values that the contract allows".to_owned()))
        }),
        required: (!stated.nullable)
            .then(|| (next_required, rule("nullable", "it must be there".to_owned()))),
    }
}

impl Signal {
    fn look_at<'t>(&'t self, value: &Seen<'_>, found: &mut Found<'t>) {
        if let Some((kind, rule)) = &self.kind
            && !is_of(*kind, value)
        {
            found.add(rule, || self.field.clone());
        }
        if let Some(rule) = &self.range {
            let is_inside = |x: f64| x.is_nan() || (self.least..=self.greatest).contains(&x);
            let is_inside = match value {
                Seen::Number(x) => is_inside(*x),
                Seen::Vector(values) => values.iter().all(|x| is_inside(f64::from(*x))),
                Seen::Text(_) | Seen::List(_) => true,
            };
            if !is_inside {
                found.add(rule, || self.field.clone());
            }
        }
        if let Some((allowed, rule)) = &self.allowed {
            let is_allowed = match value {
                Seen::Text(text) => allowed.contains(*text),
                Seen::List(items) => items.iter().all(|item| allowed.contains(item)),
                Seen::Number(_) | Seen::Vector(_) => true,
            };
            if !is_allowed {
                found.add(rule, || self.field.clone());
            }
        }
    }
}

/// NaN and infinities are of no type: as numbers they mean nothing.
fn is_of(kind: SignalType, value: &Seen<'_>) -> bool {
    match (kind, value) {
        (SignalType::Number, Seen::Number(x)) => x.is_finite(),
        (SignalType::Integer, Seen::Number(x)) => x.is_finite() && *x == x.trunc(),
        (SignalType::Category, Seen::Text(_)) => true,
        (SignalType::Boolean, Seen::Text(text)) => matches!(*text, "true" | "false"),
        (SignalType::Vector, Seen::Vector(_)) | (SignalType::List, Seen::List(_)) => true,
        // An empty array shows no type.
        (SignalType::List, Seen::Vector([])) => true,
        _ => false,
    }
}

/// Whether a number stands for an array that lies beside it.
pub fn is_derived(name: &str, event: &Carried<'_>) -> bool {
    let base = name.strip_suffix(".norm").or_else(|| name.strip_suffix(".length"));
    base.is_some_and(|base| {
        event.vectors.iter().any(|(name, _)| name.as_str() == base)
            || event.lists.iter().any(|(name, _)| name.as_str() == base)
    })
}

/// Where the signal stood in the event.
fn field_of(signal: &str) -> String {
    match signal.strip_prefix(FEATURE) {
        Some(feature) => format!("features.{feature}"),
        None => signal.to_owned(),
    }
}
