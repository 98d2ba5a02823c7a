//! Bodies of model servers: KServe's V1 (`instances`, `predictions`) and V2 (`inputs`, `outputs`), with whose forms
//! Seldon and MLServer log as well.
//!
//! Invariant: a body becomes one row an instance, or it is refused with the field that is wrong.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

mod tensor;
mod v2;

use serde_json::Value;
use serde_json::value::RawValue;

use super::object::{Object, unquoted};
use super::seldon;
use crate::decode::nonfinite;
use crate::payloads::rows::{self, MOST_INSTANCES, Rows, Side, Wrong};

/// The types of the events that KServe's logger sends.
pub const REQUEST: &str = "org.kubeflow.serving.inference.request";
pub const RESPONSE: &str = "org.kubeflow.serving.inference.response";

/// The instances of a body. `known` names values that the body does not name.
///
/// # Errors
/// Names the field, and what would be right.
pub fn rows(body: &[u8], side: Side, known: &[String]) -> Result<Rows, Wrong> {
    match parts(body) {
        Ok((object, rest)) => side_of(&object, rest, side, known),
        // Python's json module writes NaN and Infinity as they are.
        Err(error) => match std::str::from_utf8(body).ok().and_then(nonfinite::quoted) {
            Some(quoted) => {
                let (object, rest) = parts(quoted.as_bytes()).map_err(|_| unreadable(&error))?;
                side_of(&object, rest, side, known)
            }
            None => Err(unreadable(&error)),
        },
    }
}

fn unreadable(error: &serde_json::Error) -> Wrong {
    Wrong::of("", format!("is no JSON object: {}", unquoted(error)))
}

/// The object at the beginning, and what follows it: the bytes of tensors, where there are any.
fn parts(body: &[u8]) -> Result<(Object<'_>, &[u8]), serde_json::Error> {
    let mut objects = serde_json::Deserializer::from_slice(body).into_iter::<Object<'_>>();
    match objects.next() {
        Some(object) => {
            let end = objects.byte_offset();
            object.map(|object| (object, body.get(end..).unwrap_or_default()))
        }
        None => serde_json::from_slice(body).map(|object| (object, [].as_slice())),
    }
}

fn side_of(object: &Object<'_>, rest: &[u8], side: Side, known: &[String]) -> Result<Rows, Wrong> {
    let (v1, v2) = match side {
        Side::Inputs => ("instances", "inputs"),
        Side::Outputs => ("predictions", "outputs"),
    };
    if let Some(tensors) = object.get(v2) {
        return v2::rows(object, v2, tensors, rest, side, known);
    }
    if !rest.trim_ascii().is_empty() {
        return Err(Wrong::of("", "there is more after the end of the JSON object"));
    }
    match object.get(v1) {
        Some(instances) => v1_rows(v1, instances, side, known),
        None if seldon::is_message(object) => seldon::message(object, side, known),
        None => {
            let problem = format!("is missing; a body has {v1} (V1), {v2} (V2) or data (Seldon)");
            Err(Wrong::of(v2, problem))
        }
    }
}

fn v1_rows(field: &str, instances: &RawValue, side: Side, known: &[String]) -> Result<Rows, Wrong> {
    let instances: Vec<&RawValue> = serde_json::from_str(instances.get())
        .map_err(|error| Wrong::of(field, format!("is no array: {}", unquoted(&error))))?;
    check_instances(field, instances.len())?;
    let mut rows = Vec::with_capacity(instances.len());
    for (index, instance) in instances.into_iter().enumerate() {
        let instance: Value = serde_json::from_str(instance.get()).map_err(|error| {
            Wrong::of(format!("{field}[{index}]"), format!("cannot be read: {}", unquoted(&error)))
        })?;
        rows.push(Value::Object(rows::object(instance, side, known)?).to_string());
    }
    Ok(Rows { rows, ..Rows::default() })
}

/// Refuses a body with no instances, or with more than are taken.
pub(super) fn check_instances(field: &str, instances: usize) -> Result<(), Wrong> {
    match instances {
        0 => Err(Wrong::of(field, "has no instances")),
        1..=MOST_INSTANCES => Ok(()),
        _ => Err(Wrong::of(field, format!("has {instances} instances; at most {MOST_INSTANCES} are taken"))),
    }
}

#[cfg(test)]
mod tests;
