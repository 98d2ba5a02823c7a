//! One value of a file, before anybody has said what its column means.
//!
//! Invariant: reading a cell loses nothing: an integer keeps all its digits, so that it can still become an id.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

use domain::time::Instant;

#[derive(Clone, Debug, Default, PartialEq)]
pub enum Cell {
    /// Empty, null, or not there at all.
    #[default]
    Null,
    Integer(i64),
    Number(f64),
    Flag(bool),
    Text(String),
    At(Instant),
    Numbers(Vec<f32>),
    Texts(Vec<String>),
}

impl Cell {
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The value as a number; text counts where it is written as one.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Integer(value) => Some(*value as f64),
            Self::Number(value) => Some(*value),
            Self::Text(text) => number_of(text),
            _ => None,
        }
    }

    /// The value as one word: what an id, a version or a category is made of.
    pub fn word(&self) -> Option<String> {
        match self {
            Self::Integer(value) => Some(value.to_string()),
            Self::Number(value) => Some(value.to_string()),
            Self::Flag(value) => Some(value.to_string()),
            Self::Text(text) => Some(text.clone()),
            Self::At(instant) => Some(instant.to_string()),
            Self::Null | Self::Numbers(_) | Self::Texts(_) => None,
        }
    }

    /// The value as an instant: RFC 3339, a date and time without an offset (taken as UTC), or a number since 1970 in
    /// seconds, milliseconds, microseconds or nanoseconds, told apart by its size (the four do not overlap between the
    /// years 1973 and 5138).
    pub fn instant(&self) -> Option<Instant> {
        match self {
            Self::At(instant) => Some(*instant),
            Self::Integer(value) => Some(Instant::from_millis(millis_of_integer(*value))),
            Self::Number(value) => millis_of_number(*value).map(Instant::from_millis),
            Self::Text(text) => instant_of(text.trim()),
            _ => None,
        }
    }

    /// What a person reads in an error: the value, cut.
    pub fn shown(&self) -> String {
        const LONGEST: usize = 60;
        let text = match self {
            Self::Null => "null".to_owned(),
            Self::Numbers(values) => format!("a list of {} numbers", values.len()),
            Self::Texts(values) => format!("a list of {} texts", values.len()),
            other => other.word().unwrap_or_default(),
        };
        match text.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("\"{}…\"", text.get(..end).unwrap_or_default()),
            None => format!("\"{text}\""),
        }
    }
}

/// Reads a number as files write it. `007` is no number: what keeps its leading zeros is a code.
pub fn number_of(text: &str) -> Option<f64> {
    let text = text.trim();
    let digits = text.trim_start_matches(['-', '+']);
    if digits.starts_with('0') && digits.chars().nth(1).is_some_and(|second| second.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

const SECONDS_BELOW: i64 = 100_000_000_000;

fn millis_of_integer(value: i64) -> i64 {
    match value.unsigned_abs() {
        size if size < SECONDS_BELOW.unsigned_abs() => value.saturating_mul(1_000),
        size if size < SECONDS_BELOW.unsigned_abs() * 1_000 => value,
        size if size < SECONDS_BELOW.unsigned_abs() * 1_000_000 => value.div_euclid(1_000),
        _ => value.div_euclid(1_000_000),
    }
}

/// Seconds may carry a fraction; the finer units are whole.
fn millis_of_number(value: f64) -> Option<i64> {
    if !value.is_finite() {
        return None;
    }
    if value.abs() < SECONDS_BELOW as f64 {
        return Some((value * 1_000.0).round() as i64);
    }
    Some(millis_of_integer(value as i64))
}

fn instant_of(text: &str) -> Option<Instant> {
    if let Ok(instant) = text.parse() {
        return Some(instant);
    }
    if let Ok(number) = text.parse::<f64>() {
        return millis_of_number(number).map(Instant::from_millis);
    }
    // A date and time without an offset: the same text with the one of UTC.
    let with_offset = format!("{}Z", text.replacen(' ', "T", 1));
    with_offset.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Instant {
        text.parse().expect("a literal instant")
    }

    #[test]
    fn instants_are_read_as_files_write_them() {
        let expected = at("2013-01-01T05:15:00Z");
        let texts =
            ["2013-01-01T05:15:00Z", "2013-01-01 05:15:00", "2013-01-01T06:15:00+01:00", "1357017300"];
        for text in texts {
            assert_eq!(Cell::Text(text.to_owned()).instant(), Some(expected), "{text}");
        }
        for number in [1_357_017_300, 1_357_017_300_000, 1_357_017_300_000_000, 1_357_017_300_000_000_000] {
            assert_eq!(Cell::Integer(number).instant(), Some(expected), "{number}");
        }
        assert_eq!(Cell::Number(1_357_017_300.25).instant(), Some(at("2013-01-01T05:15:00.25Z")));
        assert_eq!(Cell::Text("2013-01-01".to_owned()).instant(), Some(at("2013-01-01T00:00:00Z")));
        assert_eq!(Cell::Text("soon".to_owned()).instant(), None);
    }

    #[test]
    fn a_large_integer_keeps_its_digits_as_an_id() {
        assert_eq!(Cell::Integer(9_007_199_254_740_993).word().as_deref(), Some("9007199254740993"));
    }

    #[test]
    fn a_code_with_leading_zeros_is_no_number() {
        assert_eq!(number_of("007"), None);
        assert_eq!(number_of("0.5"), Some(0.5));
        assert_eq!(number_of(" -3e2 "), Some(-300.0));
        assert_eq!(number_of("x"), None);
    }

    #[test]
    fn a_long_value_is_cut_where_a_person_reads_it() {
        assert!(Cell::Text("é".repeat(500)).shown().ends_with("…\""));
    }
}
