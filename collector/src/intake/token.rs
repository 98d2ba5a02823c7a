//! Under what a batch is stored.

use std::fmt;

use domain::time::Instant;

/// A deduplication token: the same rows inserted under it again change nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    text: String,
    tried_since: Option<Instant>,
}

impl Token {
    /// Under this somebody may have inserted since `first`, and the store may have died in it. `None`: nobody did.
    pub fn tried(self, first: Option<Instant>) -> Self {
        Self { tried_since: first, ..self }
    }

    pub fn tried_since(&self) -> Option<Instant> {
        self.tried_since
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// The token of a part of what is stored under this one.
    pub fn part(&self, name: impl fmt::Display) -> Self {
        Self { text: format!("{}-{name}", self.text), tried_since: self.tried_since }
    }
}

impl<T: AsRef<str>> From<T> for Token {
    fn from(text: T) -> Self {
        Self { text: text.as_ref().to_owned(), tried_since: None }
    }
}
