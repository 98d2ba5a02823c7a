//! Columns of a file as signals: which bin each row's value is in, and what it would be in with a fault.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use analyzer::simulate::Fault;
use anyhow::Context;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Float64Type};
use domain::counts::Counts;
use domain::grid::{Bin, Bins, Edges, Grid, Levels};
use domain::time::Instant;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rand::RngExt;
use rand::rngs::StdRng;

/// How far a shift of one standard deviation moves a number is measured on so many values.
const SAMPLE: usize = 5_000;
/// What the files call a score.
const PREDICTIONS: [&str; 2] = ["score", "predicted_probability"];
const MODEL: &str = "recorded";

pub struct Column {
    pub name: String,
    pub grid: Grid,
    /// The value of each row; `None` where missing.
    numbers: Vec<Option<f64>>,
    pub bins: Vec<Bin>,
    sd: f64,
    /// Where values stand still: at the first that there is.
    stuck: Bin,
}

/// All rows of a Parquet file.
pub fn read(path: &Path) -> anyhow::Result<RecordBatch> {
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file)?;
    let schema = builder.schema().clone();
    let batches: Vec<RecordBatch> = builder.build()?.collect::<Result<_, _>>()?;
    Ok(concat_batches(&schema, &batches)?)
}

/// So many of these rows of the file, each as likely as any.
pub fn drawn(column: &Column, from: &[usize], rows: usize, fault: Fault, random: &mut StdRng) -> Counts {
    if from.is_empty() {
        return Counts::default();
    }
    let row = |_| from[random.random_range(0..from.len())];
    let chosen: Vec<usize> = (0..rows).map(row).collect();
    Counts::of(chosen.into_iter().map(|row| (column.bin(row, fault, random), 1)))
}

impl Column {
    fn bin(&self, row: usize, fault: Fault, random: &mut StdRng) -> Bin {
        match fault {
            Fault::Nulls(share) if random.random_bool(share) => Bin::MISSING,
            Fault::NewCategory(share) if random.random_bool(share) => Bin::OTHER,
            Fault::Shift(by) if self.grid.is_numeric() => match self.numbers[row] {
                Some(value) => self.grid.bin_of_number(value + by * self.sd),
                None => Bin::MISSING,
            },
            Fault::Unit(factor) => match self.numbers[row] {
                Some(value) => self.grid.bin_of_number(factor * value),
                None => self.bins[row],
            },
            Fault::Stuck if self.bins[row] != Bin::MISSING => self.stuck,
            _ => self.bins[row],
        }
    }
}

pub fn column<'a>(all: &'a RecordBatch, name: &str) -> anyhow::Result<&'a dyn Array> {
    Ok(all.column_by_name(name).with_context(|| format!("the file has no column {name}"))?.as_ref())
}

fn signal_name(name: &str) -> String {
    if PREDICTIONS.contains(&name) { "prediction.score".to_owned() } else { format!("feature.{name}") }
}

/// A column of numbers, of these rows.
pub fn number(all: &RecordBatch, name: &str, kept: &[usize]) -> anyhow::Result<Option<Column>> {
    if all.column_by_name(name).is_none() {
        return Ok(None);
    }
    let values = cast(column(all, name)?, &DataType::Float64)?;
    let values = values.as_primitive::<Float64Type>();
    let value =
        |row: &usize| (!values.is_null(*row)).then(|| values.value(*row)).filter(|value| value.is_finite());
    let numbers: Vec<Option<f64>> = kept.iter().map(value).collect();
    let step = (kept.len() / SAMPLE).max(1);
    let sample: Vec<f64> = numbers.iter().step_by(step).flatten().copied().collect();
    let mean = sample.iter().sum::<f64>() / sample.len() as f64;
    let variance = sample.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / sample.len() as f64;
    let signal = signal_name(name);
    let grid = Grid::new(MODEL, &signal, Instant::EPOCH, Bins::Numbers(Edges::of_sample(sample)));
    let bins = numbers.iter().map(|value| value.map_or(Bin::MISSING, |value| grid.bin_of_number(value)));
    let bins: Vec<Bin> = bins.collect();
    Ok(Some(Column { stuck: first_value(&bins)?, bins, name: signal, grid, numbers, sd: variance.sqrt() }))
}

/// A column of texts, of these rows.
pub fn category(all: &RecordBatch, name: &str, kept: &[usize]) -> anyhow::Result<Option<Column>> {
    if all.column_by_name(name).is_none() {
        return Ok(None);
    }
    let values = cast(column(all, name)?, &DataType::Utf8)?;
    let values = values.as_string::<i32>();
    let mut counted = BTreeMap::<String, u64>::new();
    for row in kept.iter().filter(|row| !values.is_null(**row)) {
        *counted.entry(values.value(*row).to_owned()).or_default() += 1;
    }
    let signal = signal_name(name);
    let levels = Levels::most_frequent(counted);
    let grid = Grid::new(MODEL, &signal, Instant::EPOCH, Bins::Categories(levels));
    let bin = |row: &usize| match values.is_null(*row) {
        true => Bin::MISSING,
        false => grid.bin_of_category(values.value(*row)),
    };
    let bins: Vec<Bin> = kept.iter().map(bin).collect();
    Ok(Some(Column {
        stuck: first_value(&bins)?,
        numbers: vec![None; bins.len()],
        bins,
        name: signal,
        grid,
        sd: 0.0,
    }))
}

fn first_value(bins: &[Bin]) -> anyhow::Result<Bin> {
    bins.iter().copied().find(|bin| *bin > Bin::OTHER).context("a column has no values")
}
