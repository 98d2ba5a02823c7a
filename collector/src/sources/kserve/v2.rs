//! Bodies of the Open Inference Protocol (V2): named tensors whose first dimension counts the instances.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::check_instances;
use super::tensor::{Cell, Datatype, Tensor};
use crate::payloads::rows::{self, MOST_COLUMNS, Rows, Side, Wrong};
use crate::sources::object::{Object, unquoted};

/// Tensors in one body.
const MOST_TENSORS: usize = 4_096;

#[derive(Deserialize)]
struct RawTensor<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    shape: Vec<u64>,
    #[serde(borrow)]
    datatype: Cow<'a, str>,
    #[serde(default)]
    parameters: Option<Parameters>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
struct Parameters {
    #[serde(default)]
    binary_data_size: Option<usize>,
}

/// The instances of `tensors`; `rest` are the bytes after the JSON, where tensors may stand in binary.
pub fn rows(
    object: &Object<'_>,
    field: &str,
    tensors: &RawValue,
    rest: &[u8],
    side: Side,
    known: &[String],
) -> Result<Rows, Wrong> {
    let raw: Vec<RawTensor<'_>> = serde_json::from_str(tensors.get())
        .map_err(|error| Wrong::of(field, format!("is no array of tensors: {}", unquoted(&error))))?;
    if raw.len() > MOST_TENSORS {
        return Err(Wrong::of(field, format!("has more than {MOST_TENSORS} tensors")));
    }
    let mut rest = Rest { bytes: rest };
    let tensors = raw.into_iter().map(|raw| tensor(raw, field, &mut rest)).collect::<Result<Vec<_>, _>>()?;
    if !rest.bytes.trim_ascii().is_empty() {
        return Err(Wrong::of("", "there is more after the end of the JSON object and its tensors"));
    }
    let instances = tensors.first().map_or(0, Tensor::instances);
    check_instances(field, instances)?;
    if let Some(other) = tensors.iter().find(|tensor| tensor.instances() != instances) {
        let problem = format!("has {} instances, the first tensor {instances}", other.instances());
        return Err(Wrong::of(format!("{field}.{}", other.name), problem));
    }
    let columns = columns(&tensors, side, known)?;
    let mut out = Vec::with_capacity(instances);
    for row in 0..instances {
        let mut object = Map::new();
        for (tensor, columns) in tensors.iter().zip(&columns) {
            tensor_row(tensor, columns, row, &mut object, field)?;
        }
        out.push(Value::Object(object).to_string());
    }
    Ok(Rows { rows: out, model: text(object, "model_name"), version: text(object, "model_version") })
}

fn text(object: &Object<'_>, field: &str) -> Option<String> {
    let text: String = serde_json::from_str(object.get(field)?.get()).ok()?;
    Some(text).filter(|text| !text.is_empty())
}

/// The bytes after the JSON, taken tensor by tensor.
struct Rest<'a> {
    bytes: &'a [u8],
}

impl<'a> Rest<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(n)?;
        self.bytes = rest;
        Some(taken)
    }
}

fn tensor<'a>(raw: RawTensor<'a>, field: &str, rest: &mut Rest<'a>) -> Result<Tensor<'a>, Wrong> {
    let name: String = raw.name.chars().take(64).collect();
    let wrong = |problem: String| Wrong::of(format!("{field}.{name}"), problem);
    let datatype = Datatype::of(&raw.datatype).ok_or_else(|| {
        let known = Datatype::ALL.map(Datatype::name).join(", ");
        wrong(format!("datatype \"{}\" does not exist (known: {known})", raw.datatype.escape_debug()))
    })?;
    let size = raw.parameters.unwrap_or_default().binary_data_size;
    let cells = match (raw.data, size) {
        (Some(_), Some(_)) => {
            return Err(wrong("has data and binary_data_size; send one of them".to_owned()));
        }
        (Some(data), None) => Cell::from_json(data.get()),
        (None, Some(size)) => match rest.take(size) {
            Some(bytes) => Cell::from_bytes(bytes, datatype),
            None => Err(format!("binary_data_size is {size}, more than the bytes after the JSON")),
        },
        (None, None) => Err("has neither data nor binary_data_size".to_owned()),
    };
    Tensor::new(raw.name, raw.shape, cells.map_err(wrong)?).map_err(wrong)
}

/// What the values of one tensor are called.
enum Columns {
    /// Each value has a name.
    Named(Vec<String>),
    /// They are a vector.
    Whole,
}

fn columns(tensors: &[Tensor<'_>], side: Side, known: &[String]) -> Result<Vec<Columns>, Wrong> {
    if let ([only], false) = (tensors, known.is_empty()) {
        let names = rows::names(side, known, only.width())?;
        return Ok(vec![names.map_or(Columns::Whole, Columns::Named)]);
    }
    let of = |tensor: &Tensor<'_>| {
        let width = tensor.width();
        if width == 1 {
            return Columns::Named(vec![tensor.name.to_string()]);
        }
        if tensor.shape.len() > 2 || width > MOST_COLUMNS {
            return Columns::Whole;
        }
        // A table in one tensor: its name says nothing about its columns.
        let is_table = tensors.len() == 1 && side == Side::Inputs;
        let name = |index| {
            if is_table { side.numbered(index) } else { format!("{}.{index}", tensor.name) }
        };
        Columns::Named((0..width).map(name).collect())
    };
    Ok(tensors.iter().map(of).collect())
}

fn tensor_row(
    tensor: &Tensor<'_>,
    columns: &Columns,
    row: usize,
    object: &mut Map<String, Value>,
    field: &str,
) -> Result<(), Wrong> {
    let cells = tensor.row(row);
    let mut add = |name: &str, value: Value| match object.insert(name.to_owned(), rows::tame(value)) {
        None => Ok(()),
        Some(_) => Err(Wrong::of(format!("{field}.{name}"), "comes twice; name each tensor once")),
    };
    match columns {
        Columns::Named(names) => names.iter().zip(cells).try_for_each(|(name, cell)| add(name, cell.value())),
        Columns::Whole => add(&tensor.name, Value::Array(cells.iter().map(Cell::value).collect())),
    }
}
