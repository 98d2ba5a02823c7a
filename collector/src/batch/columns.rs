//! Arrow columns in the layout of the intake's schema.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, DictionaryArray, Float32Array, Int32Array, ListArray, MapArray, StringArray, StructArray,
    TimestampMillisecondArray,
};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, Int32Type};
use domain::time::Instant;

use crate::dictionary::Dictionary;
use crate::event::{Name, Prediction};
use crate::table::Entries;

pub fn instants(instants: impl Iterator<Item = Instant>) -> ArrayRef {
    let millis = TimestampMillisecondArray::from_iter_values(instants.map(Instant::millis));
    Arc::new(millis.with_timezone("UTC"))
}

/// A column of texts of low variety.
pub fn named<E>(events: &[E], of: impl Fn(&E) -> &Name) -> ArrayRef {
    let mut names = Dictionary::default();
    let keys: Vec<i32> = events.iter().map(|event| names.index(of(event)) as i32).collect();
    dictionary_values(keys, &names)
}

/// Texts with a dictionary that holds no others.
pub fn dictionary_of<'a>(values: impl Iterator<Item = &'a str>) -> ArrayRef {
    let mut names = Dictionary::default();
    let keys = values.map(|value| names.index_of_text(value) as i32).collect();
    dictionary_values(keys, &names)
}

/// Dictionary-encoded texts.
pub fn dictionary_values(keys: Vec<i32>, names: &Dictionary<'_>) -> ArrayRef {
    dictionary_array(keys, &texts(names))
}

/// The texts of a dictionary, in the order of their numbers.
pub fn texts(names: &Dictionary<'_>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(names.texts()))
}

fn dictionary_array(keys: Vec<i32>, names: &ArrayRef) -> ArrayRef {
    let keys = Int32Array::from(keys);
    // Every key was given by the dictionary whose texts these are.
    Arc::new(
        DictionaryArray::<Int32Type>::try_new(keys, names.clone()).expect("keys lie within the dictionary"),
    )
}

/// A map column whose keys are `names`.
pub fn keyed<V>(entries: Entries<V>, names: &ArrayRef, values: impl FnOnce(Vec<V>) -> ArrayRef) -> ArrayRef {
    let Entries { offsets, keys, values: entries } = entries;
    map(offsets, dictionary_array(keys, names), values(entries))
}

fn map(offsets: Vec<i32>, keys: ArrayRef, values: ArrayRef) -> ArrayRef {
    let DataType::Map(field, _) = sql::intake::map_of(values.data_type().clone(), true) else {
        unreachable!("map_of makes a map");
    };
    let DataType::Struct(fields) = field.data_type() else { unreachable!("a map's entries are a struct") };
    let entries = StructArray::new(fields.clone(), vec![keys, values], None);
    Arc::new(MapArray::new(field, offset_buffer(offsets), entries, None, false))
}

fn offset_buffer(offsets: Vec<i32>) -> OffsetBuffer<i32> {
    OffsetBuffer::new(ScalarBuffer::from(offsets))
}

/// A list column.
pub fn list(offsets: OffsetBuffer<i32>, values: ArrayRef) -> ArrayRef {
    let item = Arc::new(Field::new("item", values.data_type().clone(), true));
    Arc::new(ListArray::new(item, offsets, values, None))
}

/// Offsets of a list column that is empty but on a few rows, which are given in ascending order with their lengths.
pub fn offsets_on_rows(rows: usize, filled: impl Iterator<Item = (usize, usize)>) -> OffsetBuffer<i32> {
    let mut lengths = vec![0_usize; rows];
    filled.for_each(|(row, length)| lengths[row] = length);
    OffsetBuffer::from_lengths(lengths)
}

/// A map from names to lists, from what each event carries.
fn map_of_lists<T>(
    events: &[Prediction],
    of: impl Fn(&Prediction) -> &[(Name, Vec<T>)],
    values: impl Fn(Vec<&T>) -> ArrayRef,
) -> ArrayRef {
    let mut names = Dictionary::default();
    let mut entries: Entries<()> = Entries::with_capacity(events.len(), 0);
    let mut lengths = Vec::new();
    let mut items: Vec<&T> = Vec::new();
    for event in events {
        for (name, list) in of(event).iter().filter(|_| !event.is_counts_only()) {
            entries.push(names.index(name), ());
            lengths.push(list.len());
            items.extend(list);
        }
        entries.end_row();
    }
    let lists = list(OffsetBuffer::from_lengths(lengths), values(items));
    keyed(entries, &texts(&names), |_| lists)
}

pub fn vectors(events: &[Prediction]) -> ArrayRef {
    map_of_lists(
        events,
        |event| &event.vectors,
        |items| Arc::new(Float32Array::from_iter_values(items.into_iter().copied())),
    )
}

pub fn lists(events: &[Prediction]) -> ArrayRef {
    map_of_lists(events, |event| &event.lists, |items| Arc::new(StringArray::from_iter_values(items)))
}

pub fn tags(events: &[Prediction]) -> ArrayRef {
    let mut names = Dictionary::default();
    let mut entries = Entries::with_capacity(events.len(), 0);
    for event in events {
        for (name, value) in event.tags.iter().filter(|_| !event.is_counts_only()) {
            entries.push(names.index(name), value.as_str());
        }
        entries.end_row();
    }
    keyed(entries, &texts(&names), |values| Arc::new(StringArray::from_iter_values(values)))
}
