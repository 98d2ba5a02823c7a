//! The items of an array: numbers are a vector, texts a list.

use super::nonfinite;
use super::scalar::Scalar;

/// What the items of an array turned out to be.
#[derive(Debug, Default)]
pub struct Array {
    pub numbers: Vec<f32>,
    pub texts: Vec<String>,
    /// What was neither a number nor a string.
    pub bad: Option<&'static str>,
}

impl Array {
    pub fn push(&mut self, item: Scalar<'_>) {
        match item {
            Scalar::Number(value) => self.numbers.push(value as f32),
            Scalar::Text(text) => match nonfinite::number(&text) {
                Some(value) => self.numbers.push(value as f32),
                None => self.texts.push(text.into_owned()),
            },
            // A gap in an embedding.
            Scalar::Null => self.numbers.push(f32::NAN),
            other => self.bad = self.bad.or(Some(other.kind())),
        }
    }
}
