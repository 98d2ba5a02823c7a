//! Seldon's own messages (`data`, `jsonData`, `strData`), and what clients report back about a prediction.
//!
//! Payloads in the V1 and V2 protocols look like KServe's and are read there.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::kserve::check_instances;
use super::object::{Object, unquoted};
use crate::payloads::rows::{self, Rows, Side, Wrong};

/// The types of the events that Seldon and MLServer send.
pub const REQUEST: &str = "io.seldon.serving.inference.request";
pub const RESPONSE: &str = "io.seldon.serving.inference.response";
pub const FEEDBACK: &str = "io.seldon.serving.feedback";

/// Whether an object is a message of Seldon's own protocol.
pub fn is_message(object: &Object<'_>) -> bool {
    ["data", "jsonData", "strData", "binData"].iter().any(|field| object.get(field).is_some())
}

#[derive(Deserialize)]
struct Data {
    #[serde(default)]
    names: Vec<String>,
    ndarray: Option<Vec<Value>>,
    tensor: Option<Tensor>,
}

#[derive(Deserialize)]
struct Tensor {
    shape: Vec<u64>,
    values: Vec<Value>,
}

/// The instances of a message.
pub fn message(object: &Object<'_>, side: Side, known: &[String]) -> Result<Rows, Wrong> {
    let rows = if let Some(data) = object.get("data") {
        data_rows(data, side, known)?
    } else if let Some(json) = object.get("jsonData") {
        json_rows(json, side, known)?
    } else if let Some(text) = object.get("strData") {
        let text: String = read(text, "strData")?;
        vec![row(Value::String(text), side, known)?]
    } else {
        return Err(Wrong::of("binData", "is not read: it says nothing about its values"));
    };
    Ok(Rows { rows, ..Rows::default() })
}

fn read<'a, T: Deserialize<'a>>(raw: &'a RawValue, field: &str) -> Result<T, Wrong> {
    serde_json::from_str(raw.get())
        .map_err(|error| Wrong::of(field, format!("cannot be read: {}", unquoted(&error))))
}

fn row(instance: Value, side: Side, known: &[String]) -> Result<String, Wrong> {
    Ok(Value::Object(rows::object(instance, side, known)?).to_string())
}

fn data_rows(data: &RawValue, side: Side, known: &[String]) -> Result<Vec<String>, Wrong> {
    let Data { names, ndarray, tensor } = read(data, "data")?;
    // A message that names its columns knows best.
    let known = if names.is_empty() { known } else { &names };
    let instances = match (ndarray, tensor) {
        (Some(instances), _) => instances,
        (None, Some(tensor)) => instances_of(tensor)?,
        (None, None) => {
            return Err(Wrong::of("data", "has neither ndarray nor tensor (tftensor is not read)"));
        }
    };
    check_instances("data", instances.len())?;
    instances.into_iter().map(|instance| row(instance, side, known)).collect()
}

fn instances_of(tensor: Tensor) -> Result<Vec<Value>, Wrong> {
    let Tensor { shape, values } = tensor;
    let product = shape.iter().try_fold(1_u64, |product, n| product.checked_mul(*n));
    let n = shape.first().map_or(1, |n| *n as usize);
    if product != Some(values.len() as u64) || n == 0 {
        let problem = format!("has {} values, which its shape does not hold", values.len());
        return Err(Wrong::of("data.tensor", problem));
    }
    check_instances("data.tensor", n)?;
    let width = values.len() / n;
    let is_flat = shape.len() < 2;
    let instance = |chunk: &[Value]| match chunk {
        [only] if is_flat => only.clone(),
        _ => Value::Array(chunk.to_vec()),
    };
    Ok(values.chunks(width.max(1)).map(instance).collect())
}

fn json_rows(json: &RawValue, side: Side, known: &[String]) -> Result<Vec<String>, Wrong> {
    match read(json, "jsonData")? {
        Value::Array(instances) if instances.iter().all(|value| value.is_object() || value.is_array()) => {
            check_instances("jsonData", instances.len())?;
            instances.into_iter().map(|instance| row(instance, side, known)).collect()
        }
        instance => Ok(vec![row(instance, side, known)?]),
    }
}

/// What a client reports about a prediction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feedback {
    /// The request that it is about, where the body says so.
    pub id: Option<String>,
    /// The truth, instance by instance; one row with the reward alone where only that is told.
    pub truth: Rows,
}

/// The truth in a feedback: `truth` as a message, and `reward`.
///
/// # Errors
/// Where neither is told.
pub fn feedback(body: &[u8], known: &[String]) -> Result<Feedback, Wrong> {
    let object: Object<'_> = serde_json::from_slice(body)
        .map_err(|error| Wrong::of("", format!("is no JSON object: {}", unquoted(&error))))?;
    let reward: Option<f64> = object.get("reward").and_then(|raw| serde_json::from_str(raw.get()).ok());
    let truth = match object.get("truth").filter(|truth| truth.get() != "null") {
        Some(truth) => Some(message(&read(truth, "truth")?, Side::Outputs, known)?),
        None => None,
    };
    let rows = match (truth, reward) {
        (Some(truth), None) => truth.rows,
        (Some(truth), Some(reward)) => truth.rows.into_iter().map(|row| with_reward(&row, reward)).collect(),
        (None, Some(reward)) => vec![with_reward("{}", reward)],
        (None, None) => return Err(Wrong::of("truth", "is missing, and so is reward; nothing is told")),
    };
    Ok(Feedback { id: puid(&object), truth: Rows { rows, ..Rows::default() } })
}

fn with_reward(row: &str, reward: f64) -> String {
    let mut fields: Map<String, Value> = serde_json::from_str(row).unwrap_or_default();
    fields.insert("reward".to_owned(), rows::number(reward));
    Value::Object(fields).to_string()
}

/// Seldon's id of a request, in the response that a feedback carries.
fn puid(feedback: &Object<'_>) -> Option<String> {
    #[derive(Deserialize)]
    struct Response {
        meta: Meta,
    }
    #[derive(Deserialize)]
    struct Meta {
        puid: String,
    }
    let response: Response = serde_json::from_str(feedback.get("response")?.get()).ok()?;
    Some(response.meta.puid).filter(|id| !id.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::kserve;

    fn rows(body: &str, side: Side) -> Result<Vec<String>, String> {
        kserve::rows(body.as_bytes(), side, &[]).map(|rows| rows.rows).map_err(|wrong| wrong.to_string())
    }

    #[test]
    fn each_form_of_a_message_becomes_rows() {
        let named = r#"{"meta":{"puid":"p"},"data":{"names":["a","b"],"ndarray":[[1.5,"x"],[2,"y"]]}}"#;
        assert_eq!(rows(named, Side::Inputs).expect("rows"), [r#"{"a":1.5,"b":"x"}"#, r#"{"a":2,"b":"y"}"#]);
        let tensor = r#"{"data":{"names":["t:0"],"tensor":{"shape":[2,1],"values":[0.25,0.75]}}}"#;
        assert_eq!(rows(tensor, Side::Outputs).expect("rows"), [r#"{"t:0":0.25}"#, r#"{"t:0":0.75}"#]);
        let flat = r#"{"data":{"tensor":{"shape":[2],"values":[1,0]}}}"#;
        assert_eq!(rows(flat, Side::Outputs).expect("rows"), [r#"{"value":1}"#, r#"{"value":0}"#]);
        assert_eq!(rows(r#"{"jsonData":{"a":{"b":1}}}"#, Side::Inputs).expect("rows"), [r#"{"a":{"b":1}}"#]);
        assert_eq!(rows(r#"{"strData":"yes"}"#, Side::Outputs).expect("rows"), [r#"{"value":"yes"}"#]);
    }

    #[test]
    fn what_cannot_be_read_is_refused_by_its_field() {
        assert!(rows(r#"{"binData":"AA=="}"#, Side::Inputs).expect_err("refused").starts_with("binData"));
        assert!(
            rows(r#"{"data":{}}"#, Side::Inputs).expect_err("refused").contains("neither ndarray nor tensor")
        );
        let shape = r#"{"data":{"tensor":{"shape":[3,2],"values":[1]}}}"#;
        assert!(rows(shape, Side::Inputs).expect_err("refused").starts_with("data.tensor"));
        let names = r#"{"data":{"names":["a"],"ndarray":[[1,2]]}}"#;
        assert!(rows(names, Side::Inputs).expect_err("refused").contains("2 values"));
    }

    #[test]
    fn a_feedback_tells_the_truth_or_a_reward() {
        let body = br#"{"response":{"meta":{"puid":"p7"}},"reward":0.5,"truth":{"data":{"ndarray":[1]}}}"#;
        let told = feedback(body, &[]).expect("a feedback");
        assert_eq!(told.id.as_deref(), Some("p7"));
        assert_eq!(told.truth.rows, [r#"{"value":1,"reward":0.5}"#]);
        assert_eq!(feedback(br#"{"reward":1}"#, &[]).expect("a feedback").truth.rows, [r#"{"reward":1.0}"#]);
        assert_eq!(feedback(b"{}", &[]).expect_err("nothing").field, "truth");
    }
}
