//! A Parquet file, read one column at a time.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field, Fields};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};

/// Rows of a column that are decoded at once.
const ROWS_AT_ONCE: usize = 65_536;

/// What the values of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Number,
    /// Texts and flags.
    Category,
    /// Nothing but nulls, of no type.
    Nothing,
}

impl Shape {
    /// What a person calls it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Number => "numbers",
            Self::Category => "categories",
            Self::Nothing => "nothing",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub shape: Shape,
    /// Its place among the columns that are stored; structures have one for each of their fields.
    leaf: usize,
    /// Values that were of another type than the column when a file of rows was turned into this one.
    pub refused: u64,
}

/// A column that has no distribution to compare: a time, a list, bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    pub name: String,
    pub what: String,
}

pub struct Table {
    pub rows: u64,
    pub columns: Vec<Column>,
    pub left_out: Vec<LeftOut>,
    path: PathBuf,
    metadata: ArrowReaderMetadata,
    /// Removed with the table, where it was made of a file of rows.
    _temporary: Option<tempfile::TempPath>,
}

impl Table {
    /// # Errors
    /// Where it is no Parquet file, or cannot be read.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let file = File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new())
            .with_context(|| format!("{} is no Parquet file that can be read", path.display()))?;
        let rows = u64::try_from(metadata.metadata().file_metadata().num_rows()).unwrap_or(0);
        let (mut columns, mut left_out, mut leaf) = (Vec::new(), Vec::new(), 0);
        collect("", metadata.schema().fields(), &mut leaf, &mut columns, &mut left_out);
        unique_names(columns.iter_mut().map(|column| &mut column.name));
        Ok(Self { rows, columns, left_out, path: path.to_owned(), metadata, _temporary: None })
    }

    /// A table that was just written, and is removed when it is no longer used.
    pub(super) fn temporary(path: tempfile::TempPath) -> anyhow::Result<Self> {
        Ok(Self { _temporary: None, ..Self::open(&path)? }.kept_until_dropped(path))
    }

    fn kept_until_dropped(mut self, path: tempfile::TempPath) -> Self {
        self._temporary = Some(path);
        self
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str())
    }

    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Hands over the values of one column, piece by piece.
    pub fn read(
        &self,
        column: &Column,
        mut each: impl FnMut(&ArrayRef) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let place = || format!("column \"{}\" of {}", column.name, self.path.display());
        // A file of its own: clones of one share their position.
        let file = File::open(&self.path).with_context(place)?;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone());
        let mask = ProjectionMask::leaves(builder.parquet_schema(), [column.leaf]);
        let reader =
            builder.with_projection(mask).with_batch_size(ROWS_AT_ONCE).build().with_context(place)?;
        for batch in reader {
            let batch = batch.with_context(place)?;
            let mut values = batch.column(0).clone();
            while let Some(inner) = values.as_struct_opt() {
                values = inner.column(0).clone();
            }
            each(&values).with_context(place)?;
        }
        Ok(())
    }
}

fn collect(
    prefix: &str,
    fields: &Fields,
    leaf: &mut usize,
    columns: &mut Vec<Column>,
    left_out: &mut Vec<LeftOut>,
) {
    for field in fields {
        let name = format!("{prefix}{}", field.name());
        match (field.data_type(), shape_of(field.data_type())) {
            (DataType::Struct(inner), _) => collect(&format!("{name}."), inner, leaf, columns, left_out),
            (_, Some(shape)) => {
                columns.push(Column { name, shape, leaf: *leaf, refused: 0 });
                *leaf += 1;
            }
            (other, None) => {
                left_out.push(LeftOut { name, what: described(other) });
                *leaf += leaves(field);
            }
        }
    }
}

fn shape_of(data_type: &DataType) -> Option<Shape> {
    use DataType as T;
    Some(match data_type {
        T::Int8 | T::Int16 | T::Int32 | T::Int64 | T::UInt8 | T::UInt16 | T::UInt32 | T::UInt64 => {
            Shape::Number
        }
        T::Float16 | T::Float32 | T::Float64 => Shape::Number,
        T::Decimal32(..) | T::Decimal64(..) | T::Decimal128(..) | T::Decimal256(..) => Shape::Number,
        T::Boolean | T::Utf8 | T::LargeUtf8 | T::Utf8View => Shape::Category,
        T::Dictionary(_, value) => shape_of(value)?,
        T::Null => Shape::Nothing,
        _ => return None,
    })
}

fn described(data_type: &DataType) -> String {
    match data_type {
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => "times".to_owned(),
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => "lists".to_owned(),
        DataType::Map(..) => "maps".to_owned(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            "bytes".to_owned()
        }
        other => other.to_string(),
    }
}

/// How many stored columns a field has.
fn leaves(field: &Field) -> usize {
    match field.data_type() {
        DataType::Struct(inner) => inner.iter().map(|field| leaves(field)).sum(),
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => leaves(item),
        DataType::Map(entries, _) => leaves(entries),
        _ => 1,
    }
}

/// A name that stands twice is numbered from its second place on, so that every column is compared under one name.
pub(super) fn unique_names<'a>(names: impl Iterator<Item = &'a mut String>) {
    let mut seen = std::collections::HashSet::new();
    for name in names {
        let mut place = 2;
        let plain = name.clone();
        while !seen.insert(name.clone()) {
            *name = format!("{plain} ({place})");
            place += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_stands_twice_is_numbered() {
        let mut names = ["x", "y", "x", "x (2)", "x"].map(str::to_owned);
        unique_names(names.iter_mut());
        assert_eq!(names, ["x", "y", "x (2)", "x (2) (2)", "x (3)"]);
    }
}
