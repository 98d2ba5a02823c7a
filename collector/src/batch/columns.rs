//! Arrow columns in the layout of the intake's schema.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, DictionaryArray, Float32Array, Int32Array, ListArray, MapArray, StringArray, StructArray,
    TimestampMillisecondArray,
};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, Int32Type};
use domain::time::Instant;

use crate::dictionary::Dictionary;
use crate::event::Name;
use crate::predictions::{Entries, Lists, Texts};

pub fn instants(instants: impl Iterator<Item = Instant>) -> ArrayRef {
    let millis = TimestampMillisecondArray::from_iter_values(instants.map(Instant::millis));
    Arc::new(millis.with_timezone("UTC"))
}

/// A column of texts of any variety.
pub fn text(texts: Texts) -> ArrayRef {
    let Texts { offsets, bytes } = texts;
    let array = StringArray::try_new(offset_buffer(offsets), Buffer::from_vec(bytes.into_bytes()), None);
    Arc::new(array.expect("the offsets are those of whole texts"))
}

/// A column of texts of low variety.
pub fn named<E>(events: &[E], of: impl Fn(&E) -> &Name) -> ArrayRef {
    let mut names = Dictionary::default();
    let keys: Vec<i32> = events.iter().map(|event| names.index(of(event)) as i32).collect();
    numbered(keys, &texts(&names))
}

/// The texts of a dictionary, in the order of their numbers.
pub fn texts(names: &Dictionary) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(names.names().iter().map(Name::as_str)))
}

/// Texts by their numbers in a dictionary.
pub fn numbered(keys: Vec<i32>, names: &ArrayRef) -> ArrayRef {
    let keys = Int32Array::from(keys);
    // Every key was given by the dictionary whose texts these are.
    Arc::new(
        DictionaryArray::<Int32Type>::try_new(keys, names.clone()).expect("keys lie within the dictionary"),
    )
}

/// A map column whose keys are `names`.
pub fn keyed<V>(entries: Entries<V>, names: &ArrayRef, values: impl FnOnce(V) -> ArrayRef) -> ArrayRef {
    let Entries { offsets, keys, values: entries } = entries;
    map(offsets, numbered(keys, names), values(entries))
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

fn lists_of<I>(column: Lists<I>, items: impl FnOnce(I) -> ArrayRef) -> ArrayRef {
    list(offset_buffer(column.offsets), items(column.items))
}

pub fn vectors(entries: Entries<Lists<Vec<f32>>>, names: &ArrayRef) -> ArrayRef {
    keyed(entries, names, |column| lists_of(column, |items| Arc::new(Float32Array::from(items))))
}

pub fn lists(entries: Entries<Lists<Texts>>, names: &ArrayRef) -> ArrayRef {
    keyed(entries, names, |column| lists_of(column, text))
}

pub fn tags(entries: Entries<Texts>, names: &ArrayRef) -> ArrayRef {
    keyed(entries, names, text)
}
