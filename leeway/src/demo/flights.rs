//! The flights of 2013 from New York, scored by a real model: what the demonstration replays.
//!
//! Source: `nyc_flights_scored.parquet` (CC0), 336,776 departures with the weather at the airport, the score "will this
//! flight arrive late" of a model trained on part of January to March, and what came of it.

use anyhow::Context as _;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Map, Value, json};

/// The file, carried in the program, so that the demonstration needs nothing else.
pub const FILE: &[u8] = include_bytes!("../../data/nyc_flights_scored.parquet");

/// Columns that are numeric features of the model.
pub const NUMBERS: [&str; 13] = [
    "sched_hour",
    "weekday",
    "distance",
    "temp",
    "dewp",
    "humid",
    "wind_speed",
    "wind_gust",
    "precip",
    "pressure",
    "visib",
    "plane_age",
    "seats",
];

/// Columns that are categorical features of the model.
pub const CATEGORIES: [&str; 4] = ["origin", "carrier", "dest", "manufacturer"];

/// One departure as the model saw it, and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Flight {
    /// In the order of [`NUMBERS`]; `None` where the file has no value.
    pub numbers: [Option<f64>; NUMBERS.len()],
    /// In the order of [`CATEGORIES`].
    pub categories: [Option<String>; CATEGORIES.len()],
    pub score: f64,
    /// Late by more than a quarter of an hour; `None` where it never arrived, so that no outcome ever comes.
    pub late: Option<bool>,
}

impl Flight {
    pub fn number(&self, name: &str) -> Option<f64> {
        NUMBERS.iter().position(|column| *column == name).and_then(|index| self.numbers[index])
    }

    pub fn set_number(&mut self, name: &str, value: Option<f64>) {
        if let Some(index) = NUMBERS.iter().position(|column| *column == name) {
            self.numbers[index] = value;
        }
    }

    pub fn origin(&self) -> &str {
        self.categories[0].as_deref().unwrap_or("")
    }

    /// The features as an event carries them; a missing one is null, as a feature store would send it.
    pub fn features(&self) -> Map<String, Value> {
        let numbers =
            NUMBERS.iter().zip(&self.numbers).map(|(name, value)| ((*name).to_owned(), json!(value)));
        let categories =
            CATEGORIES.iter().zip(&self.categories).map(|(name, value)| ((*name).to_owned(), json!(value)));
        numbers.chain(categories).collect()
    }
}

/// Reads the flights whose position in the file is at least `from`; the file is in the order of departure.
///
/// # Errors
/// Where the bytes are no Parquet file with the columns named here.
pub fn read(file: &'static [u8], from: usize) -> anyhow::Result<Vec<Flight>> {
    let reader =
        ParquetRecordBatchReaderBuilder::try_new(Bytes::from_static(file))?.with_offset(from).build()?;
    let mut flights = Vec::new();
    for batch in reader {
        append(&batch?, &mut flights)?;
    }
    Ok(flights)
}

/// How many flights the file holds.
pub fn count(file: &'static [u8]) -> anyhow::Result<usize> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from_static(file))?;
    Ok(usize::try_from(reader.metadata().file_metadata().num_rows())?)
}

fn append(batch: &RecordBatch, flights: &mut Vec<Flight>) -> anyhow::Result<()> {
    let column = |name: &str, kind: &DataType| -> anyhow::Result<arrow::array::ArrayRef> {
        let column =
            batch.column_by_name(name).with_context(|| format!("the file has no column \"{name}\""))?;
        Ok(cast(column, kind)?)
    };
    let floats = |name: &str| column(name, &DataType::Float64);
    let texts = |name: &str| column(name, &DataType::Utf8);
    let numbers = NUMBERS.iter().map(|name| floats(name)).collect::<anyhow::Result<Vec<_>>>()?;
    let categories = CATEGORIES.iter().map(|name| texts(name)).collect::<anyhow::Result<Vec<_>>>()?;
    let (scores, lates) = (floats("score")?, floats("late")?);
    let float = |array: &arrow::array::ArrayRef, row: usize| {
        (!array.is_null(row)).then(|| array.as_primitive::<Float64Type>().value(row))
    };
    for row in 0..batch.num_rows() {
        flights.push(Flight {
            numbers: std::array::from_fn(|index| float(&numbers[index], row)),
            categories: std::array::from_fn(|index| {
                let array = &categories[index];
                (!array.is_null(row)).then(|| array.as_string::<i32>().value(row).to_owned())
            }),
            score: float(&scores, row).context("a flight has no score")?,
            late: float(&lates, row).map(|late| late > 0.5),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_in_the_program_holds_all_flights_of_the_year() {
        assert_eq!(count(FILE).expect("a Parquet file"), 336_776);
    }

    #[test]
    fn the_last_flights_have_features_and_a_score() {
        let flights = read(FILE, 336_000).expect("flights");
        assert_eq!(flights.len(), 776);
        // The year's last day has no weather; scores it has.
        assert!(flights.iter().all(|flight| (0.0..=1.0).contains(&flight.score)));
        assert!(flights.iter().all(|flight| ["JFK", "LGA", "EWR"].contains(&flight.origin())));
        assert_eq!(flights[0].features().len(), NUMBERS.len() + CATEGORIES.len());
    }
}
