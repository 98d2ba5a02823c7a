//! A row of a file before anybody has said what its columns mean, whatever its format.

use super::cell::Cell;

/// A row as it stands in the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The line (from 1, as an editor counts) or the row of a Parquet file (from 1).
    pub number: u64,
    /// In the order of the file's columns; columns that came up later are not there.
    pub cells: Vec<Cell>,
}

/// Why a row could not be read at all.
#[derive(Clone, Debug, PartialEq)]
pub struct BadRow {
    pub number: u64,
    pub problem: String,
    /// The row as it stood there, as far as that can be said.
    pub text: String,
}

/// The type that a file states for a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stated {
    /// Each cell says by itself what it is.
    ByCell,
    /// Everything is text, as in CSV; what it means has to be found out.
    Text,
    /// Instants, which are no feature by themselves.
    Instants,
    /// A type that is neither a value nor a list of values.
    Unreadable(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub stated: Stated,
}
