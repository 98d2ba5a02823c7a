//! Files of rows, CSV and NDJSON, cell by cell, without keeping one.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::Context as _;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::files::table::unique_names;

/// How a file is written, by the ending of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Parquet,
    Csv,
    Ndjson,
}

impl Format {
    /// # Errors
    /// Where the ending is none of those known, which the error names.
    pub fn of(path: &Path) -> anyhow::Result<Self> {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or("").to_ascii_lowercase();
        match ending.as_str() {
            "parquet" | "pq" => Ok(Self::Parquet),
            "csv" => Ok(Self::Csv),
            "ndjson" | "jsonl" => Ok(Self::Ndjson),
            _ => anyhow::bail!(
                "{} is of an unknown kind (known endings: .parquet, .pq, .csv, .ndjson, .jsonl)",
                path.display()
            ),
        }
    }
}

/// Texts of a CSV file that mean that there is no value.
const NULL_WORDS: [&str; 4] = ["", "NA", "null", "NULL"];

/// The longest line of NDJSON that is read.
const LONGEST_LINE_BYTES: u64 = 64 * 1024 * 1024;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    Null,
    /// What stands in a CSV file: a text, which may be that of a number.
    Written(&'a str),
    Number(f64),
    Text(&'a str),
    /// A list: nothing that has a distribution.
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event<'a> {
    /// The place of the column, and what is there.
    Cell(usize, Cell<'a>),
    EndOfRow,
}

/// The columns, in the order in which they were met.
#[derive(Clone, Debug, Default)]
pub struct Names {
    pub all: Vec<String>,
    places: HashMap<String, usize>,
}

impl Names {
    fn place(&self, name: &str, likely: usize) -> Option<usize> {
        // Rows mostly have the same columns in the same order.
        if self.all.get(likely).is_some_and(|known| known == name) {
            return Some(likely);
        }
        self.places.get(name).copied()
    }

    fn add(&mut self, name: String) -> usize {
        self.places.insert(name.clone(), self.all.len());
        self.all.push(name);
        self.all.len() - 1
    }
}

/// Reads a file of rows from its beginning. `names` grows where a row has a column that none before it had.
///
/// # Errors
/// With the line, where a row cannot be read.
pub fn each(
    path: &Path,
    format: Format,
    names: &mut Names,
    tell: &mut dyn FnMut(Event<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let file = File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let read = match format {
        Format::Csv => each_of_csv(file, names, tell),
        _ => each_of_ndjson(file, names, tell),
    };
    read.with_context(|| format!("{} cannot be read to its end", path.display()))
}

fn each_of_csv(
    file: File,
    names: &mut Names,
    tell: &mut dyn FnMut(Event<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut reader = csv::ReaderBuilder::new().buffer_capacity(1 << 18).from_reader(file);
    if names.all.is_empty() {
        let mut header: Vec<String> = reader
            .byte_headers()?
            .iter()
            .map(|name| String::from_utf8_lossy(name).trim().to_owned())
            .collect();
        unique_names(header.iter_mut());
        for name in header {
            names.add(name);
        }
    }
    let mut record = csv::ByteRecord::new();
    while reader.read_byte_record(&mut record)? {
        for (place, bytes) in record.iter().enumerate() {
            let text = String::from_utf8_lossy(bytes);
            let cell = if NULL_WORDS.contains(&text.trim()) { Cell::Null } else { Cell::Written(&text) };
            tell(Event::Cell(place, cell))?;
        }
        tell(Event::EndOfRow)?;
    }
    Ok(())
}

fn each_of_ndjson(
    file: File,
    names: &mut Names,
    tell: &mut dyn FnMut(Event<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut reader = BufReader::with_capacity(1 << 18, file);
    let mut line = Vec::new();
    let mut number = 0_u64;
    loop {
        line.clear();
        let read = std::io::Read::take(&mut reader, LONGEST_LINE_BYTES).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(());
        }
        number += 1;
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let mut json = serde_json::Deserializer::from_slice(&line);
        let object = Object { names, tell, prefix: String::new(), next: 0 };
        let parsed = object.deserialize(&mut json).and_then(|()| json.end());
        parsed.with_context(|| format!("line {number} is no JSON object"))?;
        tell(Event::EndOfRow)?;
    }
}

/// Reads an object and hands its fields over; those of objects within it are named with a dot.
struct Object<'s, 't> {
    names: &'s mut Names,
    tell: &'s mut (dyn FnMut(Event<'_>) -> anyhow::Result<()> + 't),
    prefix: String,
    next: usize,
}

impl<'de> DeserializeSeed<'de> for Object<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        loop {
            let seed = Key { names: self.names, prefix: &self.prefix, likely: self.next };
            let Some(key) = map.next_key_seed(seed)? else { return Ok(()) };
            if let Named::Known(place) = key {
                self.next = place + 1;
            }
            map.next_value_seed(Value { names: &mut *self.names, tell: &mut *self.tell, key })?;
        }
    }
}

struct Key<'s> {
    names: &'s Names,
    prefix: &'s str,
    likely: usize,
}

/// A column that is known, or the name of one that is not.
enum Named {
    Known(usize),
    New(String),
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Named;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Named, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Named;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Named, E> {
        if self.prefix.is_empty() {
            return Ok(match self.names.place(name, self.likely) {
                Some(place) => Named::Known(place),
                None => Named::New(name.to_owned()),
            });
        }
        let full = format!("{}{name}", self.prefix);
        Ok(self.names.place(&full, self.likely).map_or(Named::New(full), Named::Known))
    }
}

struct Value<'s, 't> {
    names: &'s mut Names,
    tell: &'s mut (dyn FnMut(Event<'_>) -> anyhow::Result<()> + 't),
    key: Named,
}

impl Value<'_, '_> {
    fn hand_over<E: serde::de::Error>(self, cell: Cell<'_>) -> Result<(), E> {
        let place = match self.key {
            Named::Known(place) => place,
            Named::New(name) => self.names.add(name),
        };
        (self.tell)(Event::Cell(place, cell)).map_err(E::custom)
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        self.hand_over(Cell::Text(if value { "true" } else { "false" }))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.hand_over(Cell::Number(value as f64))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.hand_over(Cell::Number(value as f64))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        self.hand_over(Cell::Number(value))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        self.hand_over(Cell::Text(value))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.hand_over(Cell::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        self.hand_over(Cell::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let prefix = match self.key {
            Named::Known(place) => format!("{}.", self.names.all[place]),
            Named::New(name) => format!("{name}."),
        };
        Object { names: self.names, tell: self.tell, prefix, next: usize::MAX }.visit_map(map)
    }
}

/// Reads a number as files write it. `007` is no number: what keeps its leading zeros is a code.
pub fn number_of(text: &str) -> Option<f64> {
    let text = text.trim();
    let digits = text.trim_start_matches(['-', '+']).as_bytes();
    if digits.first() == Some(&b'0') && digits.get(1).is_some_and(u8::is_ascii_digit) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn read(ending: &str, text: &str) -> anyhow::Result<Vec<String>> {
        let mut file = tempfile::Builder::new().suffix(ending).tempfile().expect("a file");
        file.write_all(text.as_bytes()).expect("written");
        let mut names = Names::default();
        let mut cells = Vec::new();
        each(file.path(), Format::of(file.path())?, &mut names, &mut |event| {
            cells.push(format!("{event:?}"));
            Ok(())
        })?;
        cells.push(names.all.join(" "));
        Ok(cells)
    }

    #[test]
    fn a_table_of_texts_is_read_as_it_is_written() {
        let cells = read(".csv", "a,b,a\n1,\"x, y\",NA\n").expect("readable");
        let expected = [
            "Cell(0, Written(\"1\"))",
            "Cell(1, Written(\"x, y\"))",
            "Cell(2, Null)",
            "EndOfRow",
            "a b a (2)",
        ];
        assert_eq!(cells, expected);
    }

    #[test]
    fn objects_within_objects_are_named_with_a_dot() {
        let cells = read(".ndjson", "{\"a\":{\"b\":1.5,\"c\":true},\"d\":null}\n\n{\"d\":\"x\",\"e\":[1]}\n");
        let expected = [
            "Cell(0, Number(1.5))",
            "Cell(1, Text(\"true\"))",
            "Cell(2, Null)",
            "EndOfRow",
            "Cell(2, Text(\"x\"))",
            "Cell(3, Other)",
            "EndOfRow",
            "a.b a.c d e",
        ];
        assert_eq!(cells.expect("readable"), expected);
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_line() {
        let error = read(".ndjson", "{}\n[1]\n").expect_err("no object");
        assert!(format!("{error:#}").contains("line 2"), "{error:#}");
        let error = read(".csv", "a,b\n1\n").expect_err("a field too few");
        assert!(format!("{error:#}").contains("line: 2"), "{error:#}");
        let error = read(".xlsx", "").expect_err("an unknown ending");
        assert!(error.to_string().contains(".parquet"), "{error}");
    }

    #[test]
    fn a_code_with_leading_zeros_is_no_number() {
        let read = ["007", "0.5", "-0", " 12 ", "1e3", "x", "nan"].map(number_of);
        assert_eq!(read[..6], [None, Some(0.5), Some(0.0), Some(12.0), Some(1e3), None]);
        assert!(read[6].is_some_and(f64::is_nan));
    }
}
