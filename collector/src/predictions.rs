//! Predictions in columns: what the events of a request become as they are read, and what a batch is made of. No event
//! takes memory of its own, and a batch goes to the store without another copy of its values.
//!
//! Invariant: every column has a row for each event, and every number of a name lies within its dictionary.

mod parts;

use domain::time::Instant;

use self::parts::append_numbers;
pub use self::parts::{Entries, Lists, Texts};
use crate::dictionary::Dictionary;
use crate::event::{Name, Prediction};
use crate::guard::Marks;

#[derive(Clone, Debug, Default)]
pub struct Predictions {
    /// Names of numbers, categories, vectors and lists.
    pub signals: Dictionary,
    /// The values of categories.
    pub words: Dictionary,
    /// Models, versions, environments, sources, and the names of tags.
    pub labels: Dictionary,
    pub ids: Texts,
    pub models: Vec<i32>,
    pub versions: Vec<i32>,
    pub environments: Vec<i32>,
    pub sources: Vec<i32>,
    pub timestamps: Vec<Instant>,
    pub received_at: Vec<Instant>,
    pub numbers: Entries<Vec<f64>>,
    /// The values are numbers in `words`.
    pub categories: Entries<Vec<i32>>,
    pub vectors: Entries<Lists<Vec<f32>>>,
    pub lists: Entries<Lists<Texts>>,
    pub tags: Entries<Texts>,
    pub errors: Texts,
    pub trace_ids: Texts,
    /// What contracts have to say, by row, ascending; about most events nothing.
    pub marks: Vec<(u32, Box<Marks>)>,
}

impl Predictions {
    pub fn len(&self) -> usize {
        self.timestamps.len()
    }

    pub fn is_empty(&self) -> bool {
        self.timestamps.is_empty()
    }

    /// The memory that the events take, without that of the names, which are few.
    pub fn bytes(&self) -> usize {
        let numbers = [&self.models, &self.versions, &self.environments, &self.sources];
        let keys = [&self.numbers.keys, &self.categories.keys, &self.vectors.keys, &self.lists.keys];
        let offsets = [&self.numbers.offsets, &self.categories.offsets, &self.vectors.offsets];
        let fours =
            numbers.iter().chain(&keys).chain(&offsets).map(|column| column.capacity()).sum::<usize>()
                + [&self.lists.offsets, &self.tags.offsets, &self.tags.keys, &self.categories.values]
                    .iter()
                    .map(|column| column.capacity())
                    .sum::<usize>()
                + self.vectors.values.items.capacity();
        let eights =
            self.timestamps.capacity() + self.received_at.capacity() + self.numbers.values.capacity();
        let texts = [&self.ids, &self.errors, &self.trace_ids, &self.lists.values.items, &self.tags.values];
        4 * fours + 8 * eights + texts.iter().map(|texts| texts.memory()).sum::<usize>()
    }

    pub fn push(&mut self, event: &Prediction) {
        let label = |labels: &mut Dictionary, place, name: &Name| labels.index_at(place, name) as i32;
        let row = self.len() as u32;
        self.marks.extend(event.marks.iter().map(|marks| (row, marks.clone())));
        self.ids.push(&event.id);
        self.models.push(label(&mut self.labels, 0, &event.model));
        self.versions.push(label(&mut self.labels, 1, &event.version));
        self.environments.push(label(&mut self.labels, 2, &event.environment));
        self.sources.push(label(&mut self.labels, 3, &event.source));
        self.timestamps.push(event.timestamp);
        self.received_at.push(event.received_at);
        self.push_numbers(&event.numbers);
        self.push_categories(&event.categories);
        for (name, vector) in &event.vectors {
            self.vectors.keys.push(self.signals.index(name) as i32);
            self.vectors.values.push(|items| items.extend_from_slice(vector));
        }
        self.vectors.end_row();
        for (name, list) in &event.lists {
            self.lists.keys.push(self.signals.index(name) as i32);
            self.lists.values.push(|items| list.iter().for_each(|text| items.push(text)));
        }
        self.lists.end_row();
        for (name, value) in &event.tags {
            self.tags.keys.push(self.labels.index(name) as i32);
            self.tags.values.push(value);
        }
        self.tags.end_row();
        self.errors.push(&event.error);
        self.trace_ids.push(&event.trace_id);
    }

    fn push_numbers(&mut self, numbers: &[(Name, f64)]) {
        for (place, (name, value)) in numbers.iter().enumerate() {
            self.numbers.keys.push(self.signals.index_at(place, name) as i32);
            self.numbers.values.push(*value);
        }
        self.numbers.end_row();
    }

    fn push_categories(&mut self, categories: &[(Name, Name)]) {
        for (name, value) in categories {
            self.categories.keys.push(self.signals.index(name) as i32);
            self.categories.values.push(self.words.index(value) as i32);
        }
        self.categories.end_row();
    }

    /// Adds the events of `other` behind these.
    pub fn append(&mut self, other: Self) {
        if self.is_empty() {
            *self = other;
            return;
        }
        let signals = self.signals.adopt(&other.signals);
        let words = self.words.adopt(&other.words);
        let labels = self.labels.adopt(&other.labels);
        let before = self.len() as u32;
        self.marks.extend(other.marks.into_iter().map(|(row, marks)| (before + row, marks)));
        self.ids.append(&other.ids);
        append_numbers(&mut self.models, &other.models, labels.as_deref());
        append_numbers(&mut self.versions, &other.versions, labels.as_deref());
        append_numbers(&mut self.environments, &other.environments, labels.as_deref());
        append_numbers(&mut self.sources, &other.sources, labels.as_deref());
        self.timestamps.extend_from_slice(&other.timestamps);
        self.received_at.extend_from_slice(&other.received_at);
        self.numbers.append(&other.numbers, signals.as_deref(), |to, from| to.extend_from_slice(from));
        let words = words.as_deref();
        self.categories
            .append(&other.categories, signals.as_deref(), |to, from| append_numbers(to, from, words));
        self.vectors.append(&other.vectors, signals.as_deref(), |to, from| {
            to.append(from, |to, from| to.extend_from_slice(from));
        });
        self.lists.append(&other.lists, signals.as_deref(), |to, from| to.append(from, Texts::append));
        self.tags.append(&other.tags, labels.as_deref(), Texts::append);
        self.errors.append(&other.errors);
        self.trace_ids.append(&other.trace_ids);
    }

    /// Forgets all events but the first ones. Names that only the others had stay in the dictionaries.
    pub fn truncate(&mut self, rows: usize) {
        self.marks.retain(|(row, _)| (*row as usize) < rows);
        for texts in [&mut self.ids, &mut self.errors, &mut self.trace_ids] {
            texts.truncate(rows);
        }
        for labels in [&mut self.models, &mut self.versions, &mut self.environments, &mut self.sources] {
            labels.truncate(rows);
        }
        self.timestamps.truncate(rows);
        self.received_at.truncate(rows);
        self.numbers.truncate(rows, Vec::truncate);
        self.categories.truncate(rows, Vec::truncate);
        self.vectors.truncate(rows, |vectors, n| vectors.truncate(n, Vec::truncate));
        self.lists.truncate(rows, |lists, n| lists.truncate(n, Texts::truncate));
        self.tags.truncate(rows, Texts::truncate);
    }

    /// The events but for those at `rows`, which ascend. Mostly there are none, and nothing is copied.
    pub fn without(self, rows: &[usize]) -> Self {
        if rows.is_empty() {
            return self;
        }
        let mut left_out = rows.iter().copied().peekable();
        let kept = (0..self.len()).filter(|row| left_out.next_if_eq(row).is_none());
        kept.map(|row| self.row(row)).collect::<Vec<_>>().into()
    }

    /// Makes room for the events of `others`, so that appending them moves nothing.
    pub fn reserve<'a>(&mut self, others: impl Iterator<Item = &'a Self> + Clone) {
        let sum = |of: fn(&Self) -> usize| others.clone().map(of).sum::<usize>();
        let rows = sum(Self::len);
        for column in [&mut self.models, &mut self.versions, &mut self.environments, &mut self.sources] {
            column.reserve(rows);
        }
        self.timestamps.reserve(rows);
        self.received_at.reserve(rows);
        self.ids.reserve(rows, sum(|other| other.ids.bytes.len()));
        let numbers = sum(|other| other.numbers.values.len());
        self.numbers.reserve(rows, numbers);
        self.numbers.values.reserve(numbers);
        let categories = sum(|other| other.categories.values.len());
        self.categories.reserve(rows, categories);
        self.categories.values.reserve(categories);
    }

    /// The value of a tag of one event.
    pub fn tag(&self, row: usize, name: i32) -> Option<&str> {
        let mut entries = self.tags.range(row);
        entries.find(|entry| self.tags.keys[*entry] == name).map(|entry| self.tags.values.get(entry))
    }

    /// One event as a row, for what looks at few.
    pub fn row(&self, row: usize) -> Prediction {
        let label = |numbers: &[i32]| self.labels.name(numbers[row] as u32).clone();
        let signal = |key: i32| self.signals.name(key as u32).clone();
        let entries = |range: std::ops::Range<usize>, keys: &[i32]| -> Vec<(usize, Name)> {
            range.map(|entry| (entry, signal(keys[entry]))).collect()
        };
        let vectors = entries(self.vectors.range(row), &self.vectors.keys);
        let lists = entries(self.lists.range(row), &self.lists.keys);
        Prediction {
            id: self.ids.get(row).to_owned(),
            model: label(&self.models),
            version: label(&self.versions),
            environment: label(&self.environments),
            timestamp: self.timestamps[row],
            received_at: self.received_at[row],
            numbers: self.numbers.row(row).map(|(key, value)| (signal(key), *value)).collect(),
            categories: self
                .categories
                .row(row)
                .map(|(key, word)| (signal(key), self.words.name(*word as u32).clone()))
                .collect(),
            vectors: vectors
                .into_iter()
                .map(|(entry, name)| {
                    (name, self.vectors.values.items[self.vectors.values.range(entry)].to_vec())
                })
                .collect(),
            lists: lists
                .into_iter()
                .map(|(entry, name)| {
                    let items = &self.lists.values.items;
                    (name, self.lists.values.range(entry).map(|item| items.get(item).to_owned()).collect())
                })
                .collect(),
            tags: self
                .tags
                .range(row)
                .map(|entry| {
                    let name = self.labels.name(self.tags.keys[entry] as u32).clone();
                    (name, self.tags.values.get(entry).to_owned())
                })
                .collect(),
            error: self.errors.get(row).to_owned(),
            trace_id: self.trace_ids.get(row).to_owned(),
            source: label(&self.sources),
            marks: self.marks_of(row),
        }
    }

    fn marks_of(&self, row: usize) -> Option<Box<Marks>> {
        let found = self.marks.binary_search_by_key(&row, |(row, _)| *row as usize).ok()?;
        Some(self.marks[found].1.clone())
    }

    pub fn rows(&self) -> impl Iterator<Item = Prediction> {
        (0..self.len()).map(|row| self.row(row))
    }
}

impl From<Vec<Prediction>> for Predictions {
    fn from(events: Vec<Prediction>) -> Self {
        events.iter().collect()
    }
}

impl<'a> FromIterator<&'a Prediction> for Predictions {
    fn from_iter<I: IntoIterator<Item = &'a Prediction>>(events: I) -> Self {
        let mut columns = Self::default();
        events.into_iter().for_each(|event| columns.push(event));
        columns
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_event() -> impl Strategy<Value = Prediction> {
        let name = || prop::sample::select(vec!["a", "b", "c", "é", ""]).prop_map(Name::from);
        let text = || prop::sample::select(vec!["", "x", "🚲"]).prop_map(str::to_owned);
        let numbers = prop::collection::vec((name(), -9.0..9.0_f64), 0..4);
        let categories = prop::collection::vec((name(), name()), 0..4);
        let vectors = prop::collection::vec((name(), prop::collection::vec(-1.0..1.0_f32, 0..3)), 0..3);
        let lists = prop::collection::vec((name(), prop::collection::vec(text(), 0..3)), 0..3);
        let tags = prop::collection::vec((name(), text()), 0..3);
        (text(), name(), name(), numbers, categories, vectors, lists, tags, text(), 0..99_i64).prop_map(
            |(id, model, version, numbers, categories, vectors, lists, tags, error, second)| Prediction {
                id,
                model,
                version,
                environment: Name::from("production"),
                timestamp: Instant::from_seconds(second),
                received_at: Instant::from_seconds(second + 1),
                numbers,
                categories,
                vectors,
                lists,
                tags,
                trace_id: error.clone(),
                error,
                source: Name::from("test"),
                marks: (second % 3 == 0).then(|| Box::new(Marks { counts_only: true, ..Marks::default() })),
            },
        )
    }

    #[test]
    fn the_memory_of_events_grows_with_what_they_carry() {
        let event = |numbers: usize, id: usize| Prediction {
            id: "x".repeat(id),
            numbers: (0..numbers).map(|n| (Name::from(format!("n{n}")), 1.0)).collect(),
            ..Prediction::empty(Name::from("m"), Instant::EPOCH)
        };
        let bytes = |numbers, id| vec![event(numbers, id); 1_000].iter().collect::<Predictions>().bytes();
        assert!(bytes(0, 0) >= 1_000 * 60, "{}", bytes(0, 0));
        assert!(bytes(100, 0) >= bytes(0, 0) + 1_000 * 1_200);
        assert!(bytes(0, 500) >= bytes(0, 0) + 1_000 * 500);
    }

    #[test]
    fn events_are_left_out_by_their_rows() {
        let empty = Prediction::empty(Name::from("m"), Instant::EPOCH);
        let event = |id: usize| Prediction { id: id.to_string(), ..empty.clone() };
        let left = |rows: &[usize]| -> Vec<String> {
            let all: Predictions = (0..5).map(event).collect::<Vec<_>>().into();
            all.without(rows).rows().map(|event| event.id).collect()
        };
        assert_eq!(left(&[]), ["0", "1", "2", "3", "4"]);
        assert_eq!(left(&[0, 3]), ["1", "2", "4"]);
        assert!(left(&[0, 1, 2, 3, 4]).is_empty());
    }

    proptest! {
        #[test]
        fn rows_come_out_as_they_went_in_however_they_were_gathered(
            parts in prop::collection::vec(prop::collection::vec(any_event(), 0..6), 0..6)
        ) {
            let columns: Vec<Predictions> = parts.iter().map(|part| part.iter().collect()).collect();
            let mut all = Predictions::default();
            all.reserve(columns.iter());
            columns.into_iter().for_each(|part| all.append(part));
            let expected: Vec<Prediction> = parts.into_iter().flatten().collect();
            prop_assert_eq!(all.len(), expected.len());
            prop_assert_eq!(all.rows().collect::<Vec<_>>(), expected);
        }

        #[test]
        fn what_is_cut_off_leaves_nothing_to_what_is_added_afterwards(
            events in prop::collection::vec(any_event(), 0..9), kept in 0_usize..9, added in any_event()
        ) {
            let kept = kept.min(events.len());
            let mut columns: Predictions = events.iter().collect();
            columns.truncate(kept);
            columns.push(&added);
            let expected: Vec<Prediction> = events.into_iter().take(kept).chain([added]).collect();
            prop_assert_eq!(columns.rows().collect::<Vec<_>>(), expected);
        }
    }
}
