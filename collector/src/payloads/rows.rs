//! One side of an inference, request or response, instance by instance: each the JSON object that stands as `features`,
//! `prediction` or `outcome` in an event.
//!
//! Nothing that a model server takes may be lost for its form: what is too long for a category is told by its length,
//! what is too large for a vector by its norm and length.

use serde_json::{Map, Value, json};

/// Instances in one payload.
pub const MOST_INSTANCES: usize = 10_000;
/// Unnamed values of an instance that become a signal each; more are a vector.
pub const MOST_COLUMNS: usize = 256;
/// The longest vector that is kept.
pub const MOST_VALUES: usize = 4_096;
/// The longest text that is a category.
pub const MOST_TEXT: usize = 4_096;

/// Which side of an inference a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Inputs,
    Outputs,
}

impl Side {
    /// The name of a single value without one.
    pub fn bare(self) -> &'static str {
        match self {
            Self::Inputs => "f0",
            Self::Outputs => "value",
        }
    }

    /// The name of one of several values without any.
    pub fn numbered(self, index: usize) -> String {
        match self {
            Self::Inputs => format!("f{index}"),
            Self::Outputs => format!("value.{index}"),
        }
    }

    /// The name of an array that is no list of single values.
    pub fn whole(self) -> &'static str {
        match self {
            Self::Inputs => "input",
            Self::Outputs => "value",
        }
    }

    /// Where the names of values stand in a contract.
    pub fn contract_key(self) -> &'static str {
        match self {
            Self::Inputs => "inputs",
            Self::Outputs => "outputs",
        }
    }
}

/// The instances of one side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// Each a JSON object.
    pub rows: Vec<String>,
    /// What the body itself says about the model.
    pub model: Option<String>,
    pub version: Option<String>,
}

/// What is wrong with a body, by the field that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct Wrong {
    pub field: String,
    pub problem: String,
}

impl Wrong {
    pub fn of(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { field: field.into(), problem: problem.into() }
    }
}

/// The names of `n` unnamed values: the contract's, or made ones.
///
/// # Errors
/// Where the contract names another number of them: values under wrong names are worse than none.
pub fn names(side: Side, known: &[String], n: usize) -> Result<Option<Vec<String>>, Wrong> {
    if known.is_empty() {
        return Ok((n <= MOST_COLUMNS).then(|| match n {
            1 => vec![side.bare().to_owned()],
            _ => (0..n).map(|index| side.numbered(index)).collect(),
        }));
    }
    if known.len() != n {
        let key = side.contract_key();
        let problem =
            format!("an instance has {n} values where {key} of the model's contract names {}", known.len());
        return Err(Wrong::of(key, problem));
    }
    Ok(Some(known.to_vec()))
}

/// An instance as an object, whatever it is: an object, an array of values, or a single one.
pub fn object(instance: Value, side: Side, known: &[String]) -> Result<Map<String, Value>, Wrong> {
    match instance {
        Value::Object(fields) => Ok(fields.into_iter().map(|(name, value)| (name, tame(value))).collect()),
        Value::Array(values) if values.iter().any(Value::is_array) => Ok(whole(values, side)),
        Value::Array(values) => match names(side, known, values.len())? {
            Some(names) => Ok(names.into_iter().zip(values.into_iter().map(tame)).collect()),
            None => Ok(whole(values, side)),
        },
        value => {
            let name = names(side, known, 1)?.and_then(|names| names.into_iter().next());
            Ok(Map::from_iter([(name.unwrap_or_else(|| side.bare().to_owned()), tame(value))]))
        }
    }
}

fn whole(values: Vec<Value>, side: Side) -> Map<String, Value> {
    Map::from_iter([(side.whole().to_owned(), tame(Value::Array(values)))])
}

/// A value as events take it: nested arrays become one, what is too long is told by its size.
pub fn tame(value: Value) -> Value {
    match value {
        Value::String(text) if text.len() > MOST_TEXT => json!({"length": text.len()}),
        Value::Array(values) => array(values),
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, tame(value))).collect(),
        other => other,
    }
}

fn array(values: Vec<Value>) -> Value {
    let mut flat = Vec::with_capacity(values.len());
    flatten(values, &mut flat);
    // An array of objects has no one meaning; how many there are is something to watch.
    let is_plain = flat.iter().all(|value| !value.is_object());
    if is_plain && flat.len() <= MOST_VALUES {
        return Value::Array(flat.into_iter().map(texts_for_flags).collect());
    }
    match norm(&flat) {
        Some(norm) if is_plain => json!({"norm": norm, "length": flat.len()}),
        _ => json!({"length": flat.len()}),
    }
}

fn flatten(values: Vec<Value>, flat: &mut Vec<Value>) {
    for value in values {
        match value {
            Value::Array(inner) => flatten(inner, flat),
            other => flat.push(other),
        }
    }
}

/// Booleans in an array are words of a list.
fn texts_for_flags(value: Value) -> Value {
    match value {
        Value::Bool(flag) => Value::String(flag.to_string()),
        other => other,
    }
}

fn norm(values: &[Value]) -> Option<f64> {
    let squares = values.iter().map(|value| value.as_f64().map(|x| x * x));
    squares.sum::<Option<f64>>().map(f64::sqrt).filter(|norm| norm.is_finite())
}

/// A number as JSON takes it: those that are none are words, as in every event.
pub fn number(value: f64) -> Value {
    match serde_json::Number::from_f64(value) {
        Some(number) => Value::Number(number),
        None if value.is_nan() => Value::from("NaN"),
        None if value > 0.0 => Value::from("Infinity"),
        None => Value::from("-Infinity"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(instance: Value, side: Side, known: &[&str]) -> String {
        let known: Vec<String> = known.iter().map(|name| (*name).to_owned()).collect();
        object(instance, side, &known)
            .map_or_else(|wrong| wrong.to_string(), |row| Value::Object(row).to_string())
    }

    #[test]
    fn an_instance_has_the_names_it_brings_or_those_of_the_contract_or_made_ones() {
        assert_eq!(text(json!({"a": 1, "b": null}), Side::Inputs, &["x"]), r#"{"a":1,"b":null}"#);
        assert_eq!(text(json!([1, "u"]), Side::Inputs, &["a", "b"]), r#"{"a":1,"b":"u"}"#);
        assert_eq!(text(json!([1, 2]), Side::Inputs, &[]), r#"{"f0":1,"f1":2}"#);
        assert_eq!(text(json!(7), Side::Inputs, &[]), r#"{"f0":7}"#);
        assert_eq!(text(json!([0.1, 0.9]), Side::Outputs, &[]), r#"{"value.0":0.1,"value.1":0.9}"#);
        assert_eq!(text(json!(0.9), Side::Outputs, &[]), r#"{"value":0.9}"#);
        assert_eq!(text(json!(0.9), Side::Outputs, &["score"]), r#"{"score":0.9}"#);
        let wrong = text(json!([1, 2, 3]), Side::Inputs, &["a", "b"]);
        assert!(wrong.contains("3 values where inputs of the model's contract names 2"), "{wrong}");
    }

    #[test]
    fn what_is_large_or_nested_is_told_by_its_size() {
        assert_eq!(text(json!([[3.0], [4.0]]), Side::Inputs, &[]), r#"{"input":[3.0,4.0]}"#);
        assert_eq!(
            text(json!({"v": vec![0; 5_000]}), Side::Inputs, &[]),
            r#"{"v":{"norm":0.0,"length":5000}}"#
        );
        assert_eq!(text(json!({"t": "x".repeat(5_000)}), Side::Inputs, &[]), r#"{"t":{"length":5000}}"#);
        assert_eq!(text(json!({"o": [{"a": 1}]}), Side::Inputs, &[]), r#"{"o":{"length":1}}"#);
        assert_eq!(text(json!(vec![1; 257]), Side::Inputs, &[]).matches(',').count(), 256);
    }
}
