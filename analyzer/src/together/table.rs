//! Events in columns, by signal.

use std::collections::{BTreeMap, BTreeSet};

use domain::signal::{Role, role};
use sql::sampled_events::SampledEvent;

/// The events of one side.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    pub rows: usize,
    /// Not a number where an event has none.
    pub numbers: BTreeMap<String, Vec<f64>>,
    /// `None` where an event has none.
    pub categories: BTreeMap<String, Vec<Option<String>>>,
    /// Empty where an event has none.
    pub vectors: BTreeMap<String, Vec<Vec<f64>>>,
}

impl Table {
    pub fn of(events: &[SampledEvent]) -> Self {
        let rows = events.len();
        let mut table = Self { rows, ..Self::default() };
        for (row, event) in events.iter().enumerate() {
            for (signal, value) in &event.numbers {
                column(&mut table.numbers, signal, rows, || f64::NAN)[row] = *value;
            }
            for (signal, value) in &event.categories {
                column(&mut table.categories, signal, rows, || None)[row] = Some(value.clone());
            }
            for (signal, vector) in &event.vectors {
                let vector = vector.iter().map(|value| f64::from(*value)).collect();
                column(&mut table.vectors, signal, rows, Vec::new)[row] = vector;
            }
        }
        table
    }

    /// The numbers of one role.
    pub fn numbers_of(&self, wanted: Role) -> impl Iterator<Item = &String> {
        self.numbers.keys().filter(move |signal| role(signal) == wanted)
    }
}

fn column<'a, T: Clone>(
    columns: &'a mut BTreeMap<String, Vec<T>>,
    signal: &str,
    rows: usize,
    nothing: impl Fn() -> T,
) -> &'a mut Vec<T> {
    if !columns.contains_key(signal) {
        columns.insert(signal.to_owned(), vec![nothing(); rows]);
    }
    columns.get_mut(signal).expect("it was inserted")
}

/// Two samples that are compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Sides {
    pub baseline: Table,
    pub current: Table,
}

impl Sides {
    /// The features and outputs that are numbers on both sides.
    pub fn shared_numbers(&self) -> Vec<String> {
        let is_wanted = |signal: &&String| matches!(role(signal), Role::Feature | Role::Prediction);
        let both = self.baseline.numbers.keys().filter(|signal| self.current.numbers.contains_key(*signal));
        both.filter(is_wanted).cloned().collect()
    }

    /// The names on either side of what `of` takes from each.
    pub fn either<'a, T: 'a>(
        &'a self,
        of: impl Fn(&'a Table) -> &'a BTreeMap<String, T>,
    ) -> BTreeSet<&'a String> {
        of(&self.baseline).keys().chain(of(&self.current).keys()).collect()
    }
}
