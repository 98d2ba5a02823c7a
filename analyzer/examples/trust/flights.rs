//! Streams of real values: the flights of nine weeks of 2013, whose days are drawn again and again by their weekday.
//!
//! Either each row is a flight of the hour's own past, by hour of the week: real values and real waves, and nothing else.
//! Or days are drawn whole: a day keeps its weather, its delays and its traffic as they were, and an hour holds its few
//! flights again and again. That days follow each other in another order makes them alike, so nothing is wrong with any but
//! those on which the record itself was down: on three of the days the weather of all flights is missing for hours.

use std::path::Path;
use std::rc::Rc;

use analyzer::simulate::{Draw, Signal};
use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use domain::grid::Bin;
use rand::RngExt;
use rand::rngs::StdRng;

use crate::columns::{self, Column, drawn};

const WEEKS: usize = 9;
/// 2 September 2013, a Monday.
const FIRST_DAY: i64 = 15_950;
const NUMBERS: [&str; 9] =
    ["temp", "dewp", "humid", "wind_speed", "pressure", "visib", "distance", "precip", "score"];
const CATEGORIES: [&str; 3] = ["carrier", "dest", "origin"];
/// Of fewer flights in an hour that a column is missing of all of them is chance.
const SEVERAL: usize = 5;

pub struct Pool {
    columns: Vec<Rc<Column>>,
    /// The flights of each day and hour.
    hours: Rc<Vec<[Vec<usize>; 24]>>,
    /// The days of each day of the week on which the record was not down.
    healthy: [Vec<usize>; 7],
}

impl Pool {
    pub fn read() -> anyhow::Result<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../leeway/data/nyc_flights_scored.parquet");
        let all = columns::read(&path)?;
        let seconds = cast(columns::column(&all, "ts")?, &DataType::Timestamp(TimeUnit::Second, None))?;
        let seconds = cast(&seconds, &DataType::Int64)?;
        let seconds = seconds.as_primitive::<Int64Type>();
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
        let mut known = Vec::new();
        for name in NUMBERS {
            known.extend(columns::number(&all, name, &kept)?.map(Rc::new));
        }
        for name in CATEGORIES {
            known.extend(columns::category(&all, name, &kept)?.map(Rc::new));
        }
        anyhow::ensure!(known.len() > 8, "only {} columns of flights were found", known.len());
        let mut healthy: [Vec<usize>; 7] = Default::default();
        for (day, _) in hours.iter().enumerate().filter(|(_, hours)| !is_down(&known, hours)) {
            healthy[day % 7].push(day);
        }
        Ok(Self { columns: known, hours: Rc::new(hours), healthy })
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

    /// A model of these columns, whose days are drawn for `28 + days` days; also from those on which the record was down
    /// where those are wanted.
    pub fn days(&self, rows: usize, days: usize, with_down: bool, random: &mut StdRng) -> Vec<Signal> {
        let mut day = |place: usize| match with_down {
            true => place % 7 + 7 * random.random_range(0..WEEKS),
            false => {
                let known = &self.healthy[place % 7];
                known[random.random_range(0..known.len())]
            }
        };
        let days: Rc<Vec<usize>> = Rc::new((0..28 + days).map(&mut day).collect());
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

/// Whether at some hour of a day the most of the columns are missing of each of several flights.
fn is_down(columns: &[Rc<Column>], hours: &[Vec<usize>; 24]) -> bool {
    let is_gone = |column: &Rc<Column>, flights: &[usize]| {
        flights.iter().all(|flight| column.bins[*flight] == Bin::MISSING)
    };
    let mut several = hours.iter().filter(|flights| flights.len() >= SEVERAL);
    several.any(|flights| {
        let gone = columns.iter().filter(|column| is_gone(column, flights)).count();
        2 * gone >= columns.len()
    })
}
