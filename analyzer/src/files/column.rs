//! One column of both files: read, counted, measured.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};

use crate::files::levels::Levels;
use crate::files::rungs::{Rungs, Side};
use crate::files::table::{Column, Shape, Table};
use crate::files::{Tables, Tell};
use crate::side_by_side::measured::Measured;
use crate::side_by_side::{Kind, Signal, Standing, Tally, Unseen};

/// Reads a column of both files and measures how far they are apart.
pub fn measure(tables: &Tables, name: &str, tell: Tell<'_>) -> anyhow::Result<Measured> {
    let sides = [
        (Side::Baseline, &tables.baseline, tables.baseline.column(name)),
        (Side::Current, &tables.current, tables.current.column(name)),
    ];
    let shapes = sides.map(|(_, _, column)| column.map(|column| column.shape));
    let of_something = shapes.into_iter().flatten().find(|shape| *shape != Shape::Nothing);
    let kind = if of_something == Some(Shape::Category) { Kind::Category } else { Kind::Number };
    let mut values = match kind {
        Kind::Number => Values::Numbers(Rungs::default()),
        Kind::Category => Values::Levels(Levels::default()),
    };
    let mut tallies = [Tally::default(); 2];
    for (side, table, column) in sides {
        if let Some(column) = column {
            tallies[side as usize] = values.read(side, table, column, tell)?;
        }
    }
    let signal = signal(name, kind, shapes, [tables.baseline.rows, tables.current.rows], tallies);
    Ok(Measured::of(values.into_signal(signal)))
}

fn signal(
    name: &str,
    kind: Kind,
    shapes: [Option<Shape>; 2],
    rows: [u64; 2],
    [baseline, current]: [Tally; 2],
) -> Signal {
    let word = |shape: Option<Shape>| shape.unwrap_or(Shape::Nothing).word();
    let is_refused = |tally: &Tally| tally.n == 0 && tally.invalid > 0;
    let standing = match shapes {
        // A file without a row says nothing about its columns.
        [Some(_), None] if rows[1] > 0 => Standing::BaselineOnly,
        [None, Some(_)] if rows[0] > 0 => Standing::CurrentOnly,
        [Some(_), Some(_)] if shapes[0] != shapes[1] && (is_refused(&baseline) || is_refused(&current)) => {
            Standing::OtherType { baseline: word(shapes[0]), current: word(shapes[1]) }
        }
        _ => Standing::Both,
    };
    Signal { standing, ..Signal::new(name, kind, baseline, current) }
}

enum Values {
    Numbers(Rungs),
    Levels(Levels),
}

impl Values {
    fn read(&mut self, side: Side, table: &Table, column: &Column, tell: Tell<'_>) -> anyhow::Result<Tally> {
        let mut tally = Tally::default();
        table.read(column, |array| {
            match self {
                Self::Numbers(rungs) => take_numbers(rungs, side, array, &mut tally)?,
                Self::Levels(levels) => take_levels(levels, side, array, &mut tally)?,
            }
            tell(array.len() as u64);
            Ok(())
        })?;
        // What was refused when rows were turned into columns stands there as null.
        tally.invalid += column.refused;
        tally.missing -= column.refused.min(tally.missing);
        Ok(tally)
    }

    fn into_signal(self, signal: Signal) -> Signal {
        match self {
            Self::Numbers(rungs) => Signal { pair: rungs.into_pair(), ..signal },
            Self::Levels(levels) => {
                let counted = levels.counted();
                let unseen =
                    Unseen { rows: counted.unseen, once: counted.once, different: counted.different };
                Signal { pair: counted.pair, levels: counted.names, unseen: Some(unseen), ..signal }
            }
        }
    }
}

fn take_numbers(rungs: &mut Rungs, side: Side, array: &ArrayRef, tally: &mut Tally) -> anyhow::Result<()> {
    if is_category(array.data_type()) {
        tally.refuse_all(array);
        return Ok(());
    }
    let array = cast(array, &DataType::Float64)?;
    let numbers = array.as_primitive::<Float64Type>();
    let mut take = |value: f64| {
        if value.is_finite() {
            tally.n += 1;
            rungs.push(side, value);
        } else {
            tally.invalid += 1;
        }
    };
    if numbers.null_count() == 0 {
        numbers.values().iter().for_each(|value| take(*value));
    } else {
        numbers.iter().flatten().for_each(&mut take);
    }
    tally.missing += numbers.null_count() as u64;
    Ok(())
}

fn take_levels(levels: &mut Levels, side: Side, array: &ArrayRef, tally: &mut Tally) -> anyhow::Result<()> {
    if !is_category(array.data_type()) {
        tally.refuse_all(array);
        return Ok(());
    }
    if array.data_type() == &DataType::Boolean {
        let flags = array.as_boolean();
        let (yes, no) = (flags.true_count() as u64, flags.false_count() as u64);
        [("true", yes), ("false", no)].into_iter().filter(|(_, count)| *count > 0).for_each(
            |(level, count)| {
                levels.add(side, level, count);
            },
        );
        tally.n += yes + no;
        tally.missing += flags.null_count() as u64;
        return Ok(());
    }
    if let Some(dictionary) =
        array.as_any_dictionary_opt().filter(|dictionary| !dictionary.values().is_empty())
    {
        let words = cast(dictionary.values(), &DataType::Utf8)?;
        let mut counts = vec![0_u64; words.len()];
        let keys = dictionary.normalized_keys();
        let is_null = |row: usize| dictionary.keys().is_null(row);
        keys.iter().enumerate().filter(|(row, _)| !is_null(*row)).for_each(|(_, key)| counts[*key] += 1);
        let words = words.as_string::<i32>();
        for (word, count) in words.iter().zip(&counts).filter(|(_, count)| **count > 0) {
            if let Some(word) = word {
                levels.add(side, word, *count);
                tally.n += count;
            } else {
                tally.missing += count;
            }
        }
        tally.missing += dictionary.keys().null_count() as u64;
        return Ok(());
    }
    let words = cast(array, &DataType::Utf8)?;
    words.as_string::<i32>().iter().flatten().for_each(|word| levels.add(side, word, 1));
    tally.n += (words.len() - words.null_count()) as u64;
    tally.missing += words.null_count() as u64;
    Ok(())
}

fn is_category(data_type: &DataType) -> bool {
    match data_type {
        DataType::Boolean | DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, value) => is_category(value),
        _ => false,
    }
}

impl Tally {
    /// Values of another type than the signal: what is not null is invalid.
    fn refuse_all(&mut self, array: &ArrayRef) {
        let missing = array.logical_null_count() as u64;
        self.missing += missing;
        self.invalid += array.len() as u64 - missing;
    }
}
