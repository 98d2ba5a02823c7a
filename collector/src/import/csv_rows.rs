//! Rows of a CSV file with a header line. Every cell is text or nothing; what it means is found out later.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

use std::collections::HashSet;
use std::io::Read;

use anyhow::{Context as _, bail};
use csv::{Reader, ReaderBuilder, StringRecord};

use super::cell::Cell;
use super::row::{BadRow, Column, Row, Stated};

pub struct CsvRows {
    reader: Reader<Box<dyn Read + Send>>,
    columns: Vec<Column>,
    null_words: HashSet<String>,
    record: StringRecord,
    /// The number of the row before; the header's is 1.
    last: u64,
}

impl CsvRows {
    /// Reads the header.
    pub fn of(content: Box<dyn Read + Send>, null_words: &[String]) -> anyhow::Result<Self> {
        // Rows of another length are told with their line instead of ending the import.
        let mut reader = ReaderBuilder::new().flexible(true).from_reader(content);
        let header = reader.headers().context("the header line is not in order")?.clone();
        let names: Vec<&str> = header.iter().map(|name| name.trim().trim_start_matches('\u{feff}')).collect();
        if names.is_empty() || names.iter().all(|name| name.is_empty()) {
            bail!("there is no header line that names the columns");
        }
        let mut seen = HashSet::new();
        if let Some(twice) = names.iter().find(|name| !seen.insert(**name)) {
            bail!("the header names the column \"{twice}\" twice: rename one of them");
        }
        let columns =
            names.into_iter().map(|name| Column { name: name.to_owned(), stated: Stated::Text }).collect();
        let null_words = null_words.iter().cloned().collect();
        Ok(Self { reader, columns, null_words, record: StringRecord::new(), last: 1 })
    }

    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    pub fn next_row(&mut self) -> anyhow::Result<Option<Result<Row, BadRow>>> {
        let line = self.reader.position().line();
        match self.reader.read_record(&mut self.record) {
            Ok(false) => return Ok(None),
            Ok(true) => {}
            Err(error) if error.is_io_error() => return Err(error).with_context(|| format!("line {line}")),
            Err(error) => {
                let number = self.number(line);
                let problem = format!("the line is not in order: {error}");
                return Ok(Some(Err(BadRow { number, problem, text: String::new() })));
            }
        }
        // Of a record after blank lines this is the first of them.
        let line = self.record.position().map_or(line, csv::Position::line);
        let number = self.number(line);
        if self.record.len() != self.columns.len() {
            let problem = format!("{} fields where the header has {}", self.record.len(), self.columns.len());
            let text = self.record.iter().collect::<Vec<_>>().join(",");
            return Ok(Some(Err(BadRow { number, problem, text })));
        }
        let cells = self.record.iter().map(|text| self.cell(text)).collect();
        Ok(Some(Ok(Row { number, cells })))
    }

    /// A row's own number: its line, or more where a lone carriage return ends rows, which is no end of a line. Ids are made
    /// of it.
    fn number(&mut self, line: u64) -> u64 {
        self.last = line.max(self.last + 1);
        self.last
    }

    fn cell(&self, text: &str) -> Cell {
        if self.null_words.contains(text.trim()) { Cell::Null } else { Cell::Text(text.to_owned()) }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn rows(text: &'static str) -> anyhow::Result<CsvRows> {
        CsvRows::of(Box::new(Cursor::new(text)), &[String::new(), "NA".to_owned()])
    }

    #[test]
    fn a_row_with_a_field_too_many_is_named_by_its_line_and_the_rest_is_read() {
        let mut rows = rows("a,b\n1,\"x\nx\"\n2,y,z\n3,NA\n").expect("a header");
        let mut read = Vec::new();
        while let Some(row) = rows.next_row().expect("readable") {
            read.push(row);
        }
        let text = |text: &str| Cell::Text(text.to_owned());
        assert_eq!(read[0], Ok(Row { number: 2, cells: vec![text("1"), text("x\nx")] }));
        let bad = read[1].as_ref().expect_err("three fields");
        assert_eq!((bad.number, bad.problem.as_str()), (4, "3 fields where the header has 2"));
        assert_eq!(read[2], Ok(Row { number: 5, cells: vec![text("3"), Cell::Null] }));
    }

    #[test]
    fn text_that_is_no_utf8_is_one_bad_row() {
        let content: &[u8] = b"a,b\n1,\xff\n2,y\n";
        let mut rows = CsvRows::of(Box::new(Cursor::new(content)), &[]).expect("a header");
        assert!(rows.next_row().expect("readable").expect("a row").is_err());
        assert!(rows.next_row().expect("readable").expect("a row").is_ok());
        assert!(rows.next_row().expect("readable").is_none());
    }

    #[test]
    fn rows_that_end_with_a_carriage_return_have_numbers_of_their_own() {
        let mut rows = rows("a,b\r1,x\r2,y\r").expect("a header");
        let mut number = || rows.next_row().expect("readable").map(|row| row.expect("a row").number);
        assert_eq!((number(), number(), number()), (Some(2), Some(3), None));
    }

    #[test]
    fn a_column_named_twice_is_refused() {
        let error = rows("a,a\n1,2\n").err().expect("twice").to_string();
        assert!(error.contains("\"a\" twice"), "{error}");
    }
}
