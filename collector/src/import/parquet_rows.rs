//! Rows of a Parquet file, read column by column, a few thousand rows at a time. Fields of structures become columns
//! with a dot in their names; dictionaries, decimals and all widths of integers are resolved.

use std::vec::IntoIter;

use anyhow::Context as _;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StructArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Fields, Float64Type, Int64Type, TimeUnit, TimestampMillisecondType};
use domain::time::Instant;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::file::reader::ChunkReader;

use super::cell::Cell;
use super::row::{Column, Row, Stated};

/// Rows decoded at a time: large enough that decoding is columnar, small enough that wide rows fit.
const ROWS_AT_A_TIME: usize = 4_096;

pub struct ParquetRows {
    reader: ParquetRecordBatchReader,
    columns: Vec<Column>,
    total: u64,
    number: u64,
    ready: IntoIter<Vec<Cell>>,
}

impl ParquetRows {
    pub fn of<R: ChunkReader + 'static>(file: R) -> anyhow::Result<Self> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(file)?;
        let total = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
        let mut columns = Vec::new();
        name_columns("", builder.schema().fields(), &mut columns);
        let reader = builder.with_batch_size(ROWS_AT_A_TIME).build()?;
        Ok(Self { reader, columns, total, number: 0, ready: Vec::new().into_iter() })
    }

    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    pub fn total(&self) -> u64 {
        self.total
    }

    pub fn next_row(&mut self) -> anyhow::Result<Option<Row>> {
        loop {
            if let Some(cells) = self.ready.next() {
                self.number += 1;
                return Ok(Some(Row { number: self.number, cells }));
            }
            let Some(batch) = self.reader.next() else { return Ok(None) };
            let batch = batch.with_context(|| format!("after row {}", self.number))?;
            self.ready = rows_of(&batch)?.into_iter();
        }
    }
}

/// What a column's values can become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Integers,
    Floats,
    Flags,
    Texts,
    Instants,
    NumberLists,
    TextLists,
}

fn kind_of(field: &Field) -> Option<Kind> {
    use DataType as T;
    Some(match field.data_type() {
        T::Boolean => Kind::Flags,
        T::Int8 | T::Int16 | T::Int32 | T::Int64 | T::UInt8 | T::UInt16 | T::UInt32 => Kind::Integers,
        T::UInt64 | T::Float16 | T::Float32 | T::Float64 => Kind::Floats,
        T::Decimal32(..) | T::Decimal64(..) | T::Decimal128(..) | T::Decimal256(..) => Kind::Floats,
        T::Utf8 | T::LargeUtf8 | T::Utf8View => Kind::Texts,
        T::Timestamp(..) | T::Date32 | T::Date64 => Kind::Instants,
        T::Dictionary(_, value) => return kind_of(&Field::new("", value.as_ref().clone(), true)),
        T::List(item) | T::LargeList(item) | T::FixedSizeList(item, _) => match kind_of(item)? {
            Kind::Integers | Kind::Floats => Kind::NumberLists,
            Kind::Texts => Kind::TextLists,
            _ => return None,
        },
        _ => return None,
    })
}

fn name_columns(prefix: &str, fields: &Fields, columns: &mut Vec<Column>) {
    for field in fields {
        let name = format!("{prefix}{}", field.name());
        match (field.data_type(), kind_of(field)) {
            (DataType::Struct(inner), _) => name_columns(&format!("{name}."), inner, columns),
            (_, Some(Kind::Instants)) => columns.push(Column { name, stated: Stated::Instants }),
            (_, Some(_)) => columns.push(Column { name, stated: Stated::ByCell }),
            (other, None) => columns.push(Column { name, stated: Stated::Unreadable(other.to_string()) }),
        }
    }
}

fn rows_of(batch: &RecordBatch) -> anyhow::Result<Vec<Vec<Cell>>> {
    let mut columns = Vec::new();
    let whole = StructArray::from(batch.clone());
    flatten(&whole, &mut columns)?;
    let mut rows: Vec<Vec<Cell>> = (0..batch.num_rows()).map(|_| Vec::with_capacity(columns.len())).collect();
    for column in columns {
        rows.iter_mut().zip(column).for_each(|(row, cell)| row.push(cell));
    }
    Ok(rows)
}

/// The cells of every column, fields of structures in their place; in the order of [`name_columns`].
fn flatten(group: &StructArray, columns: &mut Vec<Vec<Cell>>) -> anyhow::Result<()> {
    for (field, array) in group.fields().iter().zip(group.columns()) {
        match (array.data_type(), kind_of(field)) {
            (DataType::Struct(_), _) => {
                let inner = array.as_struct();
                let first = columns.len();
                flatten(inner, columns)?;
                // A null structure has no fields, whatever stands below it.
                for row in (0..inner.len()).filter(|row| inner.is_null(*row)) {
                    columns[first..].iter_mut().for_each(|column| column[row] = Cell::Null);
                }
            }
            (_, Some(kind)) => columns.push(cells_of(array, kind)?),
            (_, None) => columns.push(vec![Cell::Null; array.len()]),
        }
    }
    Ok(())
}

fn cells_of(array: &ArrayRef, kind: Kind) -> anyhow::Result<Vec<Cell>> {
    let text_list = || DataType::List(Field::new_list_field(DataType::Utf8, true).into());
    let target = match kind {
        Kind::Integers => DataType::Int64,
        Kind::Floats => DataType::Float64,
        Kind::Flags => DataType::Boolean,
        Kind::Texts => DataType::Utf8,
        Kind::Instants => DataType::Timestamp(TimeUnit::Millisecond, None),
        Kind::NumberLists => DataType::List(Field::new_list_field(DataType::Float64, true).into()),
        Kind::TextLists => text_list(),
    };
    let array = if kind == Kind::Instants { without_zone(array)? } else { array.clone() };
    let array = cast(&array, &target)?;
    let cell = |row: usize| match kind {
        Kind::Integers => Cell::Integer(array.as_primitive::<Int64Type>().value(row)),
        Kind::Floats => Cell::Number(array.as_primitive::<Float64Type>().value(row)),
        Kind::Flags => Cell::Flag(array.as_boolean().value(row)),
        Kind::Texts => Cell::Text(array.as_string::<i32>().value(row).to_owned()),
        Kind::Instants => {
            Cell::At(Instant::from_millis(array.as_primitive::<TimestampMillisecondType>().value(row)))
        }
        Kind::NumberLists => {
            let values = array.as_list::<i32>().value(row);
            // A null inside a vector is not a number.
            let numbers = values.as_primitive::<Float64Type>();
            Cell::Numbers(numbers.iter().map(|value| value.unwrap_or(f64::NAN) as f32).collect())
        }
        Kind::TextLists => {
            let values = array.as_list::<i32>().value(row);
            Cell::Texts(values.as_string::<i32>().iter().flatten().map(str::to_owned).collect())
        }
    };
    Ok((0..array.len()).map(|row| if array.is_null(row) { Cell::Null } else { cell(row) }).collect())
}

/// Instants are stored in UTC whatever zone they are to be shown in. Casting to a type without a zone would turn them
/// into local times, so the zone is taken off first.
fn without_zone(array: &ArrayRef) -> anyhow::Result<ArrayRef> {
    let DataType::Timestamp(unit, Some(_)) = array.data_type() else { return Ok(array.clone()) };
    let unit = *unit;
    let data = array.to_data().into_builder().data_type(DataType::Timestamp(unit, None)).build()?;
    Ok(arrow::array::make_array(data))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        BooleanArray, Float64Array, Int32Array, StringDictionaryBuilder, TimestampSecondArray,
    };
    use arrow::datatypes::{Int8Type, Schema};
    use bytes::Bytes;
    use parquet::arrow::ArrowWriter;

    use super::*;

    fn file(columns: Vec<(&str, ArrayRef)>) -> Bytes {
        let fields: Vec<Field> =
            columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
        let arrays = columns.into_iter().map(|(_, array)| array).collect();
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).expect("a batch");
        let mut buffer = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut buffer, batch.schema(), None).expect("a writer");
        writer.write(&batch).expect("written");
        writer.close().expect("closed");
        buffer.into()
    }

    #[test]
    fn every_type_becomes_the_cell_that_says_the_same() {
        let mut words = StringDictionaryBuilder::<Int8Type>::new();
        words.append_value("x");
        words.append_null();
        let inner = StructArray::from(vec![(
            Arc::new(Field::new("f", DataType::Boolean, true)),
            Arc::new(BooleanArray::from(vec![Some(true), None])) as ArrayRef,
        )]);
        let bytes = file(vec![
            ("i", Arc::new(Int32Array::from(vec![Some(1), None]))),
            ("n", Arc::new(Float64Array::from(vec![1.5, f64::NAN]))),
            ("w", Arc::new(words.finish())),
            ("at", Arc::new(TimestampSecondArray::from(vec![60, 61]).with_timezone("America/New_York"))),
            ("s", Arc::new(inner)),
        ]);
        let mut rows = ParquetRows::of(bytes).expect("a Parquet file");
        let names: Vec<&str> = rows.columns().iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["i", "n", "w", "at", "s.f"]);
        assert_eq!(rows.total(), 2);
        let first = rows.next_row().expect("readable").expect("a row");
        let minute = Cell::At(Instant::from_seconds(60));
        let expected =
            [Cell::Integer(1), Cell::Number(1.5), Cell::Text("x".to_owned()), minute, Cell::Flag(true)];
        assert_eq!((first.number, first.cells.as_slice()), (1, expected.as_slice()));
        let second = rows.next_row().expect("readable").expect("a row");
        assert_eq!(second.cells[0], Cell::Null);
        assert!(matches!(second.cells[1], Cell::Number(value) if value.is_nan()));
        assert!(rows.next_row().expect("readable").is_none());
    }

    #[test]
    fn a_file_that_is_no_parquet_is_refused() {
        assert!(ParquetRows::of(Bytes::from_static(b"a,b\n1,2\n")).is_err());
    }
}
