//! What can go wrong with the store, by what the caller can do about it.

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody answers, or the answer broke off: try again later.
    #[error("the store cannot be reached")]
    Unavailable(#[source] clickhouse::error::Error),
    /// The store is too busy or out of memory for this statement now: try again later.
    #[error("the store is busy (code {code}): {message}")]
    Busy { code: u32, message: String },
    /// The store refuses the statement; the same statement will be refused again.
    #[error("the store refuses (code {code}): {message}")]
    Refused { code: u32, message: String },
    /// What came back is not what the query promises.
    #[error("the store answered something else than \"{query}\" promises: {problem}")]
    Unexpected { query: &'static str, problem: String },
    #[error("a migration failed: {name}")]
    Migration {
        name: String,
        #[source]
        source: Box<Error>,
    },
    #[error(
        "the schema of the store is version {found}, this build knows up to {known}: update Leeway before you start it"
    )]
    NewerSchema { found: u32, known: u32 },
    #[error("the schema of the store is version {found}, this build needs {known}: run `leeway migrate`")]
    OlderSchema { found: u32, known: u32 },
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
}

/// ClickHouse's codes for conditions that pass: timeouts, too many queries, memory, network, too many parts, starting up.
const PASSING: [u32; 13] = [3, 159, 160, 164, 198, 202, 203, 209, 210, 241, 242, 252, 999];

impl Error {
    /// Whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::Busy { .. } => true,
            Self::Migration { source, .. } => source.is_transient(),
            _ => false,
        }
    }
}

impl From<clickhouse::error::Error> for Error {
    fn from(error: clickhouse::error::Error) -> Self {
        use clickhouse::error::Error as Client;
        match error {
            Client::BadResponse(message) => from_answer(message),
            Client::Network(_) | Client::TimedOut | Client::Decompression(_) => Self::Unavailable(error),
            Client::NotEnoughData => Self::Unavailable(error),
            other => Self::Refused { code: 0, message: other.to_string() },
        }
    }
}

/// An answer that is no result: ClickHouse's `Code: 60. DB::Exception: …`, or what a proxy said in its place.
fn from_answer(message: String) -> Error {
    match code_of(&message) {
        Some(code) if PASSING.contains(&code) => Error::Busy { code, message },
        Some(code) => Error::Refused { code, message },
        None => Error::Unavailable(clickhouse::error::Error::BadResponse(message)),
    }
}

fn code_of(message: &str) -> Option<u32> {
    let rest = message.split_once("Code: ")?.1;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passing_condition_is_told_from_a_refusal() {
        let busy = from_answer("Code: 202. DB::Exception: Too many simultaneous queries".to_owned());
        assert!(busy.is_transient(), "{busy}");
        let refused = from_answer("Code: 60. DB::Exception: Table x does not exist".to_owned());
        assert!(!refused.is_transient(), "{refused}");
        assert!(from_answer("<html>502 Bad Gateway</html>".to_owned()).is_transient());
    }
}
