//! What the engine says when it refuses: ClickHouse's message with its code, and the HTTP status that ClickHouse gives it.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::fmt;

/// `UNKNOWN_EXCEPTION`: ClickHouse's own code for an error that has none.
const UNKNOWN_EXCEPTION: u32 = 1002;

/// A refused or failed statement, in ClickHouse's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    code: u32,
    message: String,
}

impl Exception {
    /// An exception of this server itself, written as ClickHouse writes its own.
    pub fn new(code: u32, name: &str, message: impl fmt::Display) -> Self {
        Self { code, message: format!("Code: {code}. DB::Exception: {message}. ({name})") }
    }

    /// An exception as the engine printed it; the code is read from its beginning.
    pub fn from_message(message: &str) -> Self {
        let message = message.trim();
        match parse_code(message) {
            Some(code) => Self { code, message: message.to_owned() },
            None => Self::new(UNKNOWN_EXCEPTION, "UNKNOWN_EXCEPTION", message.trim_end_matches('.')),
        }
    }

    pub fn code(&self) -> u32 {
        self.code
    }

    pub fn message(&self) -> &str {
        &self.message
    }

    /// The HTTP status that ClickHouse answers for this code.
    pub fn status(&self) -> u16 {
        match self.code {
            194 => 401,
            192 | 193 | 291 | 497 | 512 | 516 => 403,
            6 | 25 | 26 | 27 | 36 | 38 | 41 | 43 | 53 | 62 | 72 | 117 | 321 | 427 | 441 | 457 | 675 | 676 => {
                400
            }
            46 | 47 | 50 | 56 | 60 | 63 | 73 | 78 | 81 | 115 | 336 | 372 | 511 => 404,
            373 => 423,
            223 => 413,
            48 => 501,
            202 | 209 | 439 => 503,
            _ => 500,
        }
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Exception {}

/// The number of `Code: 60. DB::Exception: …`.
fn parse_code(message: &str) -> Option<u32> {
    let rest = message.strip_prefix("Code:")?.trim_start();
    rest.split_once('.')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_read_from_the_message_and_gives_the_status() {
        let exception =
            Exception::from_message("Code: 60. DB::Exception: Table t does not exist. (UNKNOWN_TABLE)\n");
        assert_eq!((exception.code(), exception.status()), (60, 404));
        assert_eq!(exception.message(), "Code: 60. DB::Exception: Table t does not exist. (UNKNOWN_TABLE)");
    }

    #[test]
    fn a_message_without_code_is_an_unknown_exception() {
        let exception = Exception::from_message("Failed to parse INSERT query");
        assert_eq!((exception.code(), exception.status()), (1002, 500));
        assert_eq!(
            exception.message(),
            "Code: 1002. DB::Exception: Failed to parse INSERT query. (UNKNOWN_EXCEPTION)"
        );
    }

    #[test]
    fn a_code_in_the_middle_is_not_taken() {
        assert_eq!(Exception::from_message("x Code: 60. y").code(), 1002);
        assert_eq!(Exception::from_message("Code: sixty. y").code(), 1002);
    }
}
