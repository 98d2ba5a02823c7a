//! An event while it is read: what was understood so far, or the first thing that is wrong with it.

mod finish;

use std::str::FromStr;

use domain::signal::{LATENCY, MAX_NAME_BYTES};
use domain::time::Instant;

use super::array::Array;
use super::names::{Names, Spare};
use super::row::Row;
use super::section::Section;
use super::{Problem, nonfinite};
use crate::event::{Kind, Name};

/// Each item of an outcome's list is a name of its own.
const MOST_WANTED: usize = 1_000;
/// The longest category, in bytes. Longer texts are no categories.
const TEXT_BYTES: usize = 4_096;
/// The longest id, error or tag, in bytes.
const LABEL_BYTES: usize = 8_192;

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
    numbers: Row<f64>,
    categories: Row<Name>,
    vectors: Vec<(Name, Vec<f32>)>,
    lists: Vec<(Name, Vec<String>)>,
    tags: Vec<(Name, String)>,
    ages: Vec<(Name, Instant)>,
    /// The lists of an outcome whose items became names.
    wanted: Vec<Name>,
}

impl<'n> Draft<'n> {
    pub fn new(kind: Kind, names: &'n mut Names) -> Self {
        names.begin();
        let Spare { sections, numbers, categories } = std::mem::take(&mut names.spare);
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
            sections,
            numbers: Row::over(numbers),
            categories: Row::over(categories),
            vectors: Vec::new(),
            lists: Vec::new(),
            tags: Vec::new(),
            ages: Vec::new(),
            wanted: Vec::new(),
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

    /// Whether the present path names a value; notes where it does not.
    fn is_named(&mut self, section: Section) -> bool {
        let is_named = self.names.path.len() > section.prefix().len();
        if !is_named {
            self.problem_here(section, "has an empty name; every value needs one");
        }
        is_named
    }

    /// The signal at the present path.
    fn signal(&mut self, section: Section) -> Option<Name> {
        if !self.is_named(section) {
            return None;
        }
        match self.names.signal() {
            Ok(name) => Some(name.clone()),
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
            _ if self.is_named(section) => match self.names.signal() {
                Ok(name) => self.numbers.put(name, value),
                Err(bad) => self.problem_here(section, bad.error()),
            },
            _ => {}
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
            self.categories.put(&name, value);
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
        if section == Section::Outcome && array.bad.is_none() && array.numbers.is_empty() {
            return self.wanted(array.texts);
        }
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

    /// What was wanted of a list: 1 for each item, by name (`outcome.chosen.B7`), and how many there are.
    fn wanted(&mut self, mut items: Vec<String>) {
        items.sort_unstable();
        items.dedup();
        if items.len() > MOST_WANTED {
            let error = format!("holds more than {MOST_WANTED} items; send those that were wanted most");
            return self.problem_here(Section::Outcome, error);
        }
        let path = std::mem::take(&mut self.names.path);
        let list = self.names.name(&path);
        let mut are_named = list.is_ok();
        for item in &items {
            self.names.path = format!("{path}.{item}");
            match self.names.signal() {
                Ok(name) => self.numbers.put(name, 1.0),
                Err(_) => are_named = false,
            }
        }
        self.names.path = path;
        self.wanted.extend(list);
        self.derived(Section::Outcome, "length", items.len() as f64);
        if !are_named {
            // The list is named, not the item: that is a value.
            let error = format!(
                "holds an item that cannot be a name: {MAX_NAME_BYTES} bytes with the list's own, printable"
            );
            self.problem_here(Section::Outcome, error);
        }
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
            self.numbers.put(name, value);
        }
    }

    pub fn label(&mut self, field: &str, value: &str) -> String {
        if value.len() > LABEL_BYTES {
            self.problem(field, format!("is longer than {LABEL_BYTES} bytes"));
            return String::new();
        }
        value.to_owned()
    }
}

/// RFC 3339 with an offset. A date alone is no time.
pub fn instant(text: &str) -> Option<Instant> {
    if text.len() <= 10 { None } else { Instant::from_str(text).ok() }
}

pub fn no_instant(text: &str) -> String {
    let start: String = text.chars().take(40).collect();
    format!("\"{start}\" is not RFC 3339 with an offset; send text such as 2026-11-20T18:00:00Z")
}
