//! Turns a file of rows into a temporary Parquet file, so that it too is read a column at a time.
//!
//! The first pass finds out what the columns are, the second writes them. A value of another type than its column is
//! not written; it is counted as refused.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use arrow::array::{ArrayRef, Float64Builder, RecordBatch, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use crate::files::rows::{self, Cell, Event, Format, Names, number_of};
use crate::files::table::{LeftOut, Shape, Table};

/// Rows that are written at once.
const ROWS_AT_ONCE: usize = 16_384;
/// Rows of a piece of the temporary file; the writer holds one piece.
const ROWS_OF_A_GROUP: usize = 131_072;
/// A column is one of numbers where at least so many in ten of its values are.
const NUMBERS_OF_TEN: u64 = 9;

/// The shapes of columns, by name.
pub type Shapes = HashMap<String, Shape>;

/// A file of which it is known what its columns are.
pub enum Surveyed {
    Table(Table),
    Rows { path: PathBuf, format: Format, names: Names, found: Vec<Found> },
}

/// What stands in a column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    numbers: u64,
    texts: u64,
    others: u64,
}

impl Found {
    fn shape(self) -> Shape {
        let all = self.numbers + self.texts;
        match self.numbers * 10 >= all * NUMBERS_OF_TEN {
            _ if all == 0 => Shape::Nothing,
            true => Shape::Number,
            false => Shape::Category,
        }
    }
}

/// # Errors
/// Where the file cannot be read.
pub fn survey(path: &Path) -> anyhow::Result<Surveyed> {
    let format = Format::of(path)?;
    if format == Format::Parquet {
        return Ok(Surveyed::Table(Table::open(path)?));
    }
    let (mut names, mut found) = (Names::default(), Vec::<Found>::new());
    rows::each(path, format, &mut names, &mut |event| {
        let Event::Cell(place, cell) = event else { return Ok(()) };
        if place >= found.len() {
            found.resize(place + 1, Found::default());
        }
        let column = &mut found[place];
        match cell {
            Cell::Null => {}
            Cell::Number(_) => column.numbers += 1,
            Cell::Written(text) if number_of(text).is_some() => column.numbers += 1,
            Cell::Written(_) | Cell::Text(_) => column.texts += 1,
            Cell::Other => column.others += 1,
        }
        Ok(())
    })?;
    found.resize(names.all.len(), Found::default());
    Ok(Surveyed::Rows { path: path.to_owned(), format, names, found })
}

impl Surveyed {
    pub fn shapes(&self) -> Shapes {
        match self {
            Self::Table(table) => {
                table.columns.iter().map(|column| (column.name.clone(), column.shape)).collect()
            }
            Self::Rows { names, found, .. } => {
                names.all.iter().cloned().zip(found.iter().map(|found| found.shape())).collect()
            }
        }
    }

    /// The table of it. A column of a file of rows is what it is in the baseline, or where that has nothing of it, what
    /// it is in the current file: texts that could be numbers are then either.
    pub fn open(self, baseline: &Shapes, current: &Shapes) -> anyhow::Result<Table> {
        let (path, format, names, found) = match self {
            Self::Table(table) => return Ok(table),
            Self::Rows { path, format, names, found } => (path, format, names, found),
        };
        let known =
            |shapes: &Shapes, name: &str| shapes.get(name).copied().filter(|shape| *shape != Shape::Nothing);
        let shapes = names
            .all
            .iter()
            .map(|name| known(baseline, name).or_else(|| known(current, name)).unwrap_or(Shape::Nothing));
        let shapes: Vec<Shape> = shapes.collect();
        let lists = names.all.iter().zip(&found).filter(|(_, found)| found.others > 0);
        let left_out: Vec<LeftOut> =
            lists.map(|(name, _)| LeftOut { name: name.clone(), what: "lists".to_owned() }).collect();
        let mut table = written(&path, format, names, &shapes)?;
        table.columns.retain(|column| left_out.iter().all(|left| left.name != column.name));
        table.left_out = left_out;
        Ok(table)
    }
}

fn written(path: &Path, format: Format, mut names: Names, shapes: &[Shape]) -> anyhow::Result<Table> {
    let temporary = tempfile::Builder::new()
        .prefix("leeway-compare-")
        .suffix(".parquet")
        .tempfile()
        .context("there is no room for a temporary file")?;
    let (file, temporary) = temporary.into_parts();
    let columns = names.all.clone();
    let mut writer = Writer::new(file, &columns, shapes)?;
    rows::each(path, format, &mut names, &mut |event| match event {
        Event::Cell(place, cell) => {
            writer.cell(place, cell);
            Ok(())
        }
        Event::EndOfRow => writer.end_row(),
    })?;
    let refused = writer.close().context("the temporary file cannot be written")?;
    let mut table = Table::temporary(temporary)?;
    for (column, refused) in table.columns.iter_mut().zip(refused) {
        column.refused = refused;
    }
    Ok(table)
}

enum Builder {
    Numbers(Float64Builder),
    Texts(StringBuilder),
}

struct Writer {
    writer: ArrowWriter<std::fs::File>,
    schema: Arc<Schema>,
    builders: Vec<Builder>,
    /// Which columns the row has so far.
    filled: Vec<bool>,
    refused: Vec<u64>,
    rows: usize,
}

impl Writer {
    fn new(file: std::fs::File, names: &[String], shapes: &[Shape]) -> anyhow::Result<Self> {
        let fields: Vec<Field> =
            names.iter().zip(shapes).map(|(name, shape)| Field::new(name, stored_as(*shape), true)).collect();
        let schema = Arc::new(Schema::new(fields));
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::UNCOMPRESSED)
            .set_statistics_enabled(EnabledStatistics::None)
            .set_max_row_group_row_count(Some(ROWS_OF_A_GROUP));
        for (name, _) in names.iter().zip(shapes).filter(|(_, shape)| **shape == Shape::Number) {
            let column = parquet::schema::types::ColumnPath::new(vec![name.clone()]);
            properties = properties.set_column_dictionary_enabled(column, false);
        }
        let writer = ArrowWriter::try_new(file, schema.clone(), Some(properties.build()))?;
        let builders = shapes.iter().map(|shape| match shape {
            Shape::Number => Builder::Numbers(Float64Builder::new()),
            _ => Builder::Texts(StringBuilder::new()),
        });
        let builders: Vec<Builder> = builders.collect();
        Ok(Self {
            writer,
            schema,
            filled: vec![false; builders.len()],
            refused: vec![0; builders.len()],
            builders,
            rows: 0,
        })
    }

    fn cell(&mut self, place: usize, cell: Cell<'_>) {
        let (Some(builder), Some(filled)) = (self.builders.get_mut(place), self.filled.get_mut(place)) else {
            return;
        };
        // A name that stands twice in one object: the first counts.
        if std::mem::replace(filled, true) {
            return;
        }
        let is_taken = match (builder, cell) {
            (Builder::Numbers(numbers), Cell::Number(value)) => {
                numbers.append_value(value);
                true
            }
            (Builder::Numbers(numbers), Cell::Written(text)) => {
                let value = number_of(text);
                numbers.append_option(value);
                value.is_some()
            }
            (Builder::Texts(texts), Cell::Written(text) | Cell::Text(text)) => {
                texts.append_value(text);
                true
            }
            (Builder::Numbers(numbers), _) => {
                numbers.append_null();
                cell == Cell::Null
            }
            (Builder::Texts(texts), _) => {
                texts.append_null();
                cell == Cell::Null
            }
        };
        self.refused[place] += u64::from(!is_taken);
    }

    fn end_row(&mut self) -> anyhow::Result<()> {
        for (builder, filled) in self.builders.iter_mut().zip(&mut self.filled) {
            if !std::mem::replace(filled, false) {
                match builder {
                    Builder::Numbers(numbers) => numbers.append_null(),
                    Builder::Texts(texts) => texts.append_null(),
                }
            }
        }
        self.rows += 1;
        if self.rows.is_multiple_of(ROWS_AT_ONCE) { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> anyhow::Result<()> {
        let arrays: Vec<ArrayRef> = self
            .builders
            .iter_mut()
            .map(|builder| -> ArrayRef {
                match builder {
                    Builder::Numbers(numbers) => Arc::new(numbers.finish()),
                    Builder::Texts(texts) => Arc::new(texts.finish()),
                }
            })
            .collect();
        if arrays.is_empty() {
            return Ok(());
        }
        self.writer.write(&RecordBatch::try_new(self.schema.clone(), arrays)?)?;
        Ok(())
    }

    /// How many values of each column were of another type.
    fn close(mut self) -> anyhow::Result<Vec<u64>> {
        self.write()?;
        self.writer.close()?;
        Ok(self.refused)
    }
}

/// What has no value anywhere is written as text: Parquet wants a type.
fn stored_as(shape: Shape) -> DataType {
    if shape == Shape::Number { DataType::Float64 } else { DataType::Utf8 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(ending: &str, text: &str) -> Table {
        let file = tempfile::Builder::new().suffix(ending).tempfile().expect("a file");
        std::fs::write(file.path(), text).expect("written");
        let surveyed = survey(file.path()).expect("readable");
        let shapes = surveyed.shapes();
        surveyed.open(&shapes, &Shapes::new()).expect("readable")
    }

    #[test]
    fn a_column_is_what_nine_in_ten_of_its_values_are() {
        let mut text = "mostly,half,code,none\n".to_owned();
        for row in 0..20 {
            let mostly = if row == 7 { "?".to_owned() } else { row.to_string() };
            let half = if row % 2 == 0 { "x".to_owned() } else { row.to_string() };
            text.push_str(&format!("{mostly},{half},0{row},\n"));
        }
        let table = opened(".csv", &text);
        let shapes: Vec<Shape> = table.columns.iter().map(|column| column.shape).collect();
        assert_eq!(shapes, [Shape::Number, Shape::Category, Shape::Category, Shape::Category]);
        let refused: Vec<u64> = table.columns.iter().map(|column| column.refused).collect();
        assert_eq!((table.rows, refused), (20, vec![1, 0, 0, 0]));
    }

    #[test]
    fn an_object_without_a_field_is_missing_it_and_lists_are_left_out() {
        let table = opened(".ndjson", "{\"a\":1}\n{\"b\":\"x\",\"l\":[1]}\n{\"a\":\"one\",\"b\":2}\n");
        let columns: Vec<(&str, Shape, u64)> =
            table.columns.iter().map(|column| (column.name.as_str(), column.shape, column.refused)).collect();
        // One number and one text: too few numbers for a column of numbers, and a number is no category.
        assert_eq!(columns, [("a", Shape::Category, 1), ("b", Shape::Category, 1)]);
        assert_eq!(table.left_out, [LeftOut { name: "l".to_owned(), what: "lists".to_owned() }]);
    }
}
