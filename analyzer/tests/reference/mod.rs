//! Reads the reference cases: the files kept beside, or those of the folder that `LEEWAY_GOLDEN_DIR` names.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::path::PathBuf;

use serde_json::Value;

pub fn golden(file: &str) -> Value {
    let folder = std::env::var_os("LEEWAY_GOLDEN_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden"), PathBuf::from);
    let path = folder.join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub fn cases(file: &Value) -> &Vec<Value> {
    file["cases"].as_array().expect("a list of cases")
}

pub fn case<'a>(file: &'a Value, id: &str) -> &'a Value {
    cases(file).iter().find(|case| case["id"] == id).unwrap_or_else(|| panic!("no case {id}"))
}

/// What is no number (null, "nan", "inf") is not finite and so left out by the kernels.
pub fn floats(values: &Value) -> Vec<f64> {
    let values = values.as_array().expect("a list of numbers");
    values.iter().map(|value| value.as_f64().unwrap_or(f64::NAN)).collect()
}

pub fn whole(values: &Value) -> Vec<u64> {
    values
        .as_array()
        .expect("a list of counts")
        .iter()
        .map(|count| count.as_u64().expect("a count"))
        .collect()
}

#[track_caller]
pub fn assert_close(what: &str, got: f64, expected: &Value, relative: f64) {
    let expected = expected.as_f64().unwrap_or_else(|| panic!("{what}: {expected} is no number"));
    let apart = (got - expected).abs();
    assert!(apart <= relative * expected.abs() + 1e-14, "{what}: got {got}, expected {expected}");
}
