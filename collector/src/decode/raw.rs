//! The texts of a body's events as they came, for whoever hands them on instead of storing them.

use domain::time::Instant;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny};

use super::split::split;
use super::{Framing, Unreadable, nonfinite};

/// The texts of the events of a body, in order.
///
/// # Errors
/// Where the body is no list of events.
pub fn texts(body: &[u8], framing: Framing) -> Result<Vec<&[u8]>, Unreadable> {
    split(body, framing)?.collect()
}

/// What an event states of itself.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Stated {
    #[serde(deserialize_with = "stated")]
    id: bool,
    #[serde(deserialize_with = "stated")]
    timestamp: bool,
}

fn stated<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

/// The text of an event that was understood, with the id and the time that it was given where it stated none: so that it
/// means the same whenever it is read again.
pub fn with_identity(text: &[u8], id: &str, timestamp: Instant) -> Vec<u8> {
    let (text, found) = match serde_json::from_slice::<Stated>(text) {
        Ok(found) => (text.to_vec(), found),
        // NaN and Infinity as Python writes them; in quotes they mean the same.
        Err(_) => {
            let quoted = std::str::from_utf8(text).ok().and_then(nonfinite::quoted);
            let quoted = quoted.map_or_else(|| text.to_vec(), |text| text.into_bytes());
            let found = serde_json::from_slice(&quoted).unwrap_or(Stated { id: true, timestamp: true });
            (quoted, found)
        }
    };
    let mut added = String::new();
    if !found.id {
        added.push_str(&format!("\"id\":{},", serde_json::Value::from(id)));
    }
    if !found.timestamp {
        added.push_str(&format!("\"timestamp\":\"{timestamp}\","));
    }
    match text.iter().position(|byte| *byte == b'{') {
        Some(brace) if !added.is_empty() => {
            let (before, after) = text.split_at(brace + 1);
            [before, added.as_bytes(), after].concat()
        }
        _ => text,
    }
}
