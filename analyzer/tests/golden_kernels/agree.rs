//! Comparing a value with its reference, where the reference may be no number.

use serde_json::Value;

/// Within `relative`, or 1e-14 absolutely; a reference that is no number (null, "nan") asks for none here.
#[track_caller]
pub fn agrees(what: &str, got: impl Into<Option<f64>>, expected: &Value, relative: f64) {
    let got = got.into().filter(|value| !value.is_nan());
    match (got, number(expected)) {
        (None, None) => {}
        (Some(got), Some(expected)) if got == expected => {}
        (Some(got), Some(expected)) => {
            let apart = (got - expected).abs();
            let most = relative * expected.abs() + 1e-14;
            assert!(apart <= most, "{what}: got {got:e}, expected {expected:e}, apart {apart:e}");
        }
        (got, _) => panic!("{what}: got {got:?}, expected {expected}"),
    }
}

/// The same for lists.
#[track_caller]
pub fn all_agree(what: &str, got: &[f64], expected: &Value, relative: f64) {
    let expected = expected.as_array().unwrap_or_else(|| panic!("{what}: {expected} is no list"));
    assert_eq!(got.len(), expected.len(), "{what}: {got:?} against {expected:?}");
    for (at, (got, expected)) in got.iter().zip(expected).enumerate() {
        agrees(&format!("{what}[{at}]"), *got, expected, relative);
    }
}

/// A number, also an infinite one; `None` for what is none.
pub fn number(value: &Value) -> Option<f64> {
    match value.as_str() {
        Some("inf") => Some(f64::INFINITY),
        Some("-inf") => Some(f64::NEG_INFINITY),
        _ => value.as_f64(),
    }
}

/// The named values of a case.
#[track_caller]
pub fn named(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let named = value.as_object().unwrap_or_else(|| panic!("{value} has no names"));
    named.iter().map(|(name, value)| (name.as_str(), value))
}

#[track_caller]
pub fn float(value: &Value) -> f64 {
    number(value).unwrap_or_else(|| panic!("{value} is no number"))
}
