//! Keys of dictionaries in as few bytes as they need: fewer bytes to write, send and read, and the engine takes keys as wide
//! as they come.
//!
//! Invariant: the values are the same; only the width of keys differs.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, DictionaryArray, ListArray, MapArray, PrimitiveArray, RecordBatch, StructArray,
};
use arrow::datatypes::{
    ArrowDictionaryKeyType, DataType, Field, FieldRef, Int32Type, Schema, UInt8Type, UInt16Type,
};
use arrow::error::ArrowError;

/// The same batch, each dictionary of up to 256 texts with keys of one byte, of up to 65,536 with keys of two.
///
/// # Errors
/// None for arrays that hold together.
pub fn narrowed(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let columns = batch.columns().iter().map(narrow).collect::<Result<Vec<_>, _>>()?;
    let old = batch.schema();
    let fields = old.fields().iter().zip(&columns).map(|(field, column)| with_type_of(field, column));
    RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), columns)
}

fn narrow(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match array.data_type() {
        DataType::Dictionary(key, _) if **key == DataType::Int32 => {
            let dictionary = array.as_dictionary::<Int32Type>();
            match dictionary.values().len() {
                ..=0x100 => with_keys::<UInt8Type>(dictionary, |key| key as u8),
                0x101..=0x1_0000 => with_keys::<UInt16Type>(dictionary, |key| key as u16),
                _ => Ok(array.clone()),
            }
        }
        DataType::Struct(_) => narrow_struct(array.as_struct()).map(|array| Arc::new(array) as ArrayRef),
        DataType::Map(field, ordered) => {
            let map = array.as_map();
            let entries = narrow_struct(map.entries())?;
            let field = Arc::new(field.as_ref().clone().with_data_type(entries.data_type().clone()));
            let nulls = map.nulls().cloned();
            Ok(Arc::new(MapArray::try_new(field, map.offsets().clone(), entries, nulls, *ordered)?))
        }
        DataType::List(field) => {
            let list = array.as_list::<i32>();
            let values = narrow(list.values())?;
            let field = with_type_of(field, &values);
            Ok(Arc::new(ListArray::try_new(field, list.offsets().clone(), values, list.nulls().cloned())?))
        }
        _ => Ok(array.clone()),
    }
}

fn narrow_struct(array: &StructArray) -> Result<StructArray, ArrowError> {
    let columns = array.columns().iter().map(narrow).collect::<Result<Vec<_>, _>>()?;
    let fields = array.fields().iter().zip(&columns).map(|(field, column)| with_type_of(field, column));
    StructArray::try_new(fields.collect(), columns, array.nulls().cloned())
}

fn with_keys<K: ArrowDictionaryKeyType>(
    dictionary: &DictionaryArray<Int32Type>,
    key: impl Fn(i32) -> K::Native,
) -> Result<ArrayRef, ArrowError> {
    // A key that is null may hold anything, and is not looked at.
    let keys: PrimitiveArray<K> = dictionary.keys().unary(key);
    Ok(Arc::new(DictionaryArray::try_new(keys, dictionary.values().clone())?))
}

fn with_type_of(field: &Field, column: &ArrayRef) -> FieldRef {
    Arc::new(field.clone().with_data_type(column.data_type().clone()))
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int32Array, StringArray};
    use arrow::buffer::OffsetBuffer;

    use super::*;

    fn dictionary(texts: usize) -> ArrayRef {
        let values = StringArray::from_iter_values((0..texts).map(|n| format!("text {n}")));
        let keys = Int32Array::from_iter_values((0..texts as i32).rev());
        Arc::new(DictionaryArray::<Int32Type>::try_new(keys, Arc::new(values)).unwrap())
    }

    fn texts(array: &ArrayRef) -> Vec<String> {
        let dictionary = array.as_any_dictionary();
        if dictionary.is_empty() {
            return Vec::new();
        }
        let values = dictionary.values().as_string::<i32>();
        dictionary.normalized_keys().into_iter().map(|key| values.value(key).to_owned()).collect()
    }

    #[test]
    fn keys_take_no_more_than_they_need_and_mean_the_same() {
        for (size, width) in [
            (0, DataType::UInt8),
            (256, DataType::UInt8),
            (257, DataType::UInt16),
            (65_536, DataType::UInt16),
            (65_537, DataType::Int32),
        ] {
            let wide = dictionary(size);
            let narrow = narrow(&wide).unwrap();
            assert_eq!(
                narrow.data_type(),
                &DataType::Dictionary(width.into(), DataType::Utf8.into()),
                "{size}"
            );
            assert_eq!(texts(&narrow), texts(&wide), "{size}");
        }
    }

    #[test]
    fn dictionaries_within_maps_and_lists_become_narrow_too() {
        let keys = dictionary(4);
        let map_type = crate::intake::map_of(crate::intake::dictionary(), true);
        let DataType::Map(field, _) = &map_type else { unreachable!() };
        let DataType::Struct(fields) = field.data_type() else { unreachable!() };
        let entries = StructArray::new(fields.clone(), vec![keys.clone(), keys.clone()], None);
        let offsets = OffsetBuffer::from_lengths([1, 0, 3]);
        let map: ArrayRef = Arc::new(MapArray::new(field.clone(), offsets.clone(), entries, None, false));
        let item = Arc::new(Field::new("item", crate::intake::dictionary(), true));
        let list: ArrayRef = Arc::new(ListArray::new(item, offsets, keys.clone(), None));
        let batch = RecordBatch::try_from_iter([("map", map), ("list", list)]).unwrap();
        let narrow = narrowed(&batch).unwrap();
        let map = narrow.column(0).as_map();
        for column in [map.keys(), map.values(), narrow.column(1).as_list::<i32>().values()] {
            let DataType::Dictionary(key, _) = column.data_type() else { panic!("{}", column.data_type()) };
            assert_eq!(**key, DataType::UInt8);
            assert_eq!(texts(column), texts(&keys));
        }
        assert_eq!(map.offsets(), batch.column(0).as_map().offsets());
    }
}
