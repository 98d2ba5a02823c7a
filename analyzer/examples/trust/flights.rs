//! Streams of real values: the flights of nine weeks of 2013, whose days are drawn again and again by their weekday.
//!
//! Either each row is a flight of the hour's own past, by hour of the week: real values and real waves, and nothing else.
//! Or days are drawn whole: a day keeps its weather, its delays and its traffic as they were, and an hour holds its few
//! flights again and again. That days follow each other in another order makes them alike, so nothing is wrong with any.

use std::fs::File;
use std::path::Path;
use std::rc::Rc;

use analyzer::simulate::{Draw, Fault, Signal};
use anyhow::Context;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use domain::counts::Counts;
use domain::grid::{Bin, Bins, Edges, Grid, Levels};
use domain::time::Instant;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rand::RngExt;
use rand::rngs::StdRng;

const WEEKS: usize = 9;
/// 2 September 2013, a Monday.
const FIRST_DAY: i64 = 15_950;
const NUMBERS: [&str; 9] =
    ["temp", "dewp", "humid", "wind_speed", "pressure", "visib", "distance", "precip", "score"];
const CATEGORIES: [&str; 3] = ["carrier", "dest", "origin"];
/// How far a shift of one standard deviation moves a number is measured on so many values.
const SAMPLE: usize = 5_000;

struct Column {
    name: String,
    grid: Grid,
    /// The values of each flight; `None` where missing.
    numbers: Vec<Option<f64>>,
    bins: Vec<Bin>,
    sd: f64,
}

pub struct Pool {
    columns: Vec<Rc<Column>>,
    /// The flights of each day and hour.
    hours: Rc<Vec<[Vec<usize>; 24]>>,
}

impl Pool {
    pub fn read() -> anyhow::Result<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../leeway/data/nyc_flights_scored.parquet");
        let file = File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
        let builder = ParquetRecordBatchReaderBuilder::try_new(file)?;
        let batches: Vec<RecordBatch> = builder.build()?.collect::<Result<_, _>>()?;
        let all = arrow::compute::concat_batches(&batches[0].schema(), &batches)?;
        let seconds =
            cast(column(&all, "ts")?, &DataType::Timestamp(arrow::datatypes::TimeUnit::Second, None))?;
        let seconds = cast(&seconds, &DataType::Int64)?;
        let seconds = seconds.as_primitive::<arrow::datatypes::Int64Type>();
        let mut hours: Vec<[Vec<usize>; 24]> = (0..7 * WEEKS).map(|_| Default::default()).collect();
        let mut kept = Vec::new();
        for row in 0..all.num_rows() {
            let (day, hour) =
                (seconds.value(row).div_euclid(86_400), seconds.value(row).rem_euclid(86_400) / 3_600);
            let place = usize::try_from(day - FIRST_DAY).ok().filter(|day| *day < 7 * WEEKS);
            if let Some(day) = place {
                hours[day][hour as usize].push(kept.len());
                kept.push(row);
            }
        }
        let mut columns = Vec::new();
        for name in NUMBERS {
            columns.extend(number(&all, name, &kept)?.map(Rc::new));
        }
        for name in CATEGORIES {
            columns.extend(category(&all, name, &kept)?.map(Rc::new));
        }
        anyhow::ensure!(columns.len() > 8, "only {} columns of flights were found", columns.len());
        Ok(Self { columns, hours: Rc::new(hours) })
    }

    pub fn signals(&self) -> usize {
        self.columns.len()
    }

    /// A model of these columns, each of whose rows is any flight of its hour of the week.
    pub fn rows(&self, rows: usize) -> Vec<Signal> {
        let whole = |place: usize| {
            (0..24).map(move |hour| {
                (0..WEEKS).flat_map(|week| self.hours[7 * week + place][hour].clone()).collect()
            })
        };
        let hours: Rc<Vec<Vec<usize>>> = Rc::new((0..7).flat_map(whole).collect());
        let signal = |column: &Rc<Column>| {
            let (own, hours) = (column.clone(), hours.clone());
            let draw: Draw =
                Box::new(move |hour, fault, random| drawn(&own, &hours[hour % 168], rows, fault, random));
            Signal { name: column.name.clone(), grid: column.grid.clone(), draw }
        };
        self.columns.iter().map(signal).collect()
    }

    /// A model of these columns, whose days are drawn for `28 + days` days.
    pub fn days(&self, rows: usize, days: usize, random: &mut StdRng) -> Vec<Signal> {
        let days: Rc<Vec<usize>> =
            Rc::new((0..28 + days).map(|day| day % 7 + 7 * random.random_range(0..WEEKS)).collect());
        let signal = |column: &Rc<Column>| {
            let (own, hours, days) = (column.clone(), self.hours.clone(), days.clone());
            let draw: Draw = Box::new(move |hour, fault, random| {
                drawn(&own, &hours[days[hour / 24]][hour % 24], rows, fault, random)
            });
            Signal { name: column.name.clone(), grid: column.grid.clone(), draw }
        };
        self.columns.iter().map(signal).collect()
    }
}

/// So many of these flights, each as likely as any.
fn drawn(column: &Column, flights: &[usize], rows: usize, fault: Fault, random: &mut StdRng) -> Counts {
    if flights.is_empty() {
        return Counts::default();
    }
    let flight = |_| flights[random.random_range(0..flights.len())];
    let chosen: Vec<usize> = (0..rows).map(flight).collect();
    Counts::of(chosen.into_iter().map(|flight| (column.bin(flight, fault, random), 1)))
}

impl Column {
    fn bin(&self, flight: usize, fault: Fault, random: &mut StdRng) -> Bin {
        match fault {
            Fault::Nulls(share) if random.random_bool(share) => Bin::MISSING,
            Fault::NewCategory(share) if random.random_bool(share) => Bin::OTHER,
            Fault::Shift(by) if self.grid.is_numeric() => match self.numbers[flight] {
                Some(value) => self.grid.bin_of_number(value + by * self.sd),
                None => Bin::MISSING,
            },
            _ => self.bins[flight],
        }
    }
}

fn column<'a>(all: &'a RecordBatch, name: &str) -> anyhow::Result<&'a dyn Array> {
    Ok(all.column_by_name(name).with_context(|| format!("the flights have no column {name}"))?.as_ref())
}

fn signal_name(name: &str) -> String {
    if name == "score" { "prediction.score".to_owned() } else { format!("feature.{name}") }
}

fn number(all: &RecordBatch, name: &str, kept: &[usize]) -> anyhow::Result<Option<Column>> {
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
    let grid = Grid::new("flights", &signal, Instant::EPOCH, Bins::Numbers(Edges::of_sample(sample)));
    let bins = numbers.iter().map(|value| value.map_or(Bin::MISSING, |value| grid.bin_of_number(value)));
    Ok(Some(Column { bins: bins.collect(), name: signal, grid, numbers, sd: variance.sqrt() }))
}

fn category(all: &RecordBatch, name: &str, kept: &[usize]) -> anyhow::Result<Option<Column>> {
    if all.column_by_name(name).is_none() {
        return Ok(None);
    }
    let values = cast(column(all, name)?, &DataType::Utf8)?;
    let values = values.as_string::<i32>();
    let mut counted = std::collections::BTreeMap::<String, u64>::new();
    for row in kept.iter().filter(|row| !values.is_null(**row)) {
        *counted.entry(values.value(*row).to_owned()).or_default() += 1;
    }
    let signal = signal_name(name);
    let levels = Levels::most_frequent(counted);
    let grid = Grid::new("flights", &signal, Instant::EPOCH, Bins::Categories(levels));
    let bin = |row: &usize| match values.is_null(*row) {
        true => Bin::MISSING,
        false => grid.bin_of_category(values.value(*row)),
    };
    let bins: Vec<Bin> = kept.iter().map(bin).collect();
    Ok(Some(Column { numbers: vec![None; bins.len()], bins, name: signal, grid, sd: 0.0 }))
}
