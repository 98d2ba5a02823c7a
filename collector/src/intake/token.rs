//! Under what a batch is stored.

use std::fmt;

/// A deduplication token: the same rows inserted under it again change nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    text: String,
    was_tried: bool,
}

impl Token {
    /// Under this somebody may have inserted already, and the store may have died in it.
    pub fn tried(self) -> Self {
        Self { was_tried: true, ..self }
    }

    pub fn was_tried(&self) -> bool {
        self.was_tried
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// The token of a part of what is stored under this one.
    pub fn part(&self, name: impl fmt::Display) -> Self {
        Self { text: format!("{}-{name}", self.text), was_tried: self.was_tried }
    }
}

impl<T: AsRef<str>> From<T> for Token {
    fn from(text: T) -> Self {
        Self { text: text.as_ref().to_owned(), was_tried: false }
    }
}
