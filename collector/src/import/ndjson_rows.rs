//! Rows of a file with one JSON object a line, read by a mapping: nested objects become columns with a dot in their
//! names, lists of one kind become vectors or lists. Files in Leeway's own event format do not come here.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

use std::collections::HashMap;
use std::io::Read;

use anyhow::Context as _;
use serde_json::{Map, Value};

use super::cell::Cell;
use super::lines::Lines;
use super::row::{BadRow, Column, Row, Stated};

pub struct NdjsonRows {
    lines: Lines,
    columns: Vec<Column>,
    positions: HashMap<String, usize>,
}

impl NdjsonRows {
    pub fn of(content: Box<dyn Read + Send>) -> Self {
        Self { lines: Lines::of(content), columns: Vec::new(), positions: HashMap::new() }
    }

    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    pub fn next_row(&mut self) -> anyhow::Result<Option<Result<Row, BadRow>>> {
        let Some(line) = self.lines.next_line().context("the file breaks off")? else { return Ok(None) };
        let (number, text) = (line.number, line.text);
        let bad = |problem: String| BadRow { number, problem, text: text.clone() };
        let row = match serde_json::from_str::<Value>(&text) {
            Ok(Value::Object(object)) => {
                let mut cells = Vec::with_capacity(self.columns.len());
                self.flatten("", object, &mut cells).map(|()| Row { number, cells }).map_err(bad)
            }
            Ok(_) => Err(bad("the line is JSON but no object".to_owned())),
            Err(error) => Err(bad(format!("the line is not JSON: {error}"))),
        };
        Ok(Some(row))
    }

    fn flatten(
        &mut self,
        prefix: &str,
        object: Map<String, Value>,
        cells: &mut Vec<Cell>,
    ) -> Result<(), String> {
        for (key, value) in object {
            let name = if prefix.is_empty() { key } else { format!("{prefix}.{key}") };
            match value {
                Value::Object(inner) => self.flatten(&name, inner, cells)?,
                value => {
                    let cell = cell_of(value).map_err(|problem| format!("column \"{name}\": {problem}"))?;
                    let position = self.position(name);
                    if position >= cells.len() {
                        cells.resize(position + 1, Cell::Null);
                    }
                    if let Some(place) = cells.get_mut(position) {
                        *place = cell;
                    }
                }
            }
        }
        Ok(())
    }

    fn position(&mut self, name: String) -> usize {
        if let Some(position) = self.positions.get(&name) {
            return *position;
        }
        let position = self.columns.len();
        self.columns.push(Column { name: name.clone(), stated: Stated::ByCell });
        self.positions.insert(name, position);
        position
    }
}

fn cell_of(value: Value) -> Result<Cell, String> {
    Ok(match value {
        Value::Null => Cell::Null,
        Value::Bool(value) => Cell::Flag(value),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => Cell::Integer(integer),
            None => Cell::Number(number.as_f64().ok_or("a number out of range")?),
        },
        Value::String(text) => Cell::Text(text),
        Value::Array(values) if values.iter().all(Value::is_number) && !values.is_empty() => {
            Cell::Numbers(values.iter().filter_map(Value::as_f64).map(|value| value as f32).collect())
        }
        Value::Array(values) if values.iter().all(Value::is_string) => {
            Cell::Texts(values.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        }
        Value::Array(_) => return Err("a list must hold numbers only or texts only".to_owned()),
        Value::Object(_) => return Err("an object inside a list cannot be read".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn nested_objects_become_columns_and_bad_lines_are_named() {
        let text = "{\"a\":1,\"b\":{\"c\":\"x\"}}\nnonsense\n\n{\"d\":[1,2.5],\"a\":null,\"e\":true}\n[1]\n";
        let mut rows = NdjsonRows::of(Box::new(Cursor::new(text)));
        let first = rows.next_row().expect("readable").expect("a row").expect("a good row");
        assert_eq!(first.cells, [Cell::Integer(1), Cell::Text("x".to_owned())]);
        let bad = rows.next_row().expect("readable").expect("a row").expect_err("no JSON");
        assert_eq!((bad.number, bad.text.as_str()), (2, "nonsense"));
        let third = rows.next_row().expect("readable").expect("a row").expect("a good row");
        assert_eq!(third.number, 4);
        assert_eq!(third.cells, [Cell::Null, Cell::Null, Cell::Numbers(vec![1.0, 2.5]), Cell::Flag(true)]);
        assert!(rows.next_row().expect("readable").expect("a row").is_err());
        assert!(rows.next_row().expect("readable").is_none());
        let names: Vec<&str> = rows.columns().iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["a", "b.c", "d", "e"]);
    }
}
