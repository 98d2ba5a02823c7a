//! A JSON object whose values are left as they were written, and in which no name comes twice; and what is said of one that
//! cannot be read.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The names and values of an object, in their order.
#[derive(Clone, Debug, Default)]
pub struct Object<'a> {
    fields: Vec<(Cow<'a, str>, &'a RawValue)>,
}

/// Names in one object; beyond it, it is something else.
const MOST_FIELDS: usize = 256;

impl<'a> Object<'a> {
    pub fn fields(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.fields.iter().map(|(name, value)| (name.as_ref(), *value))
    }

    pub fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Object<'de>, A::Error> {
        let mut fields: Vec<(Cow<'de, str>, &'de RawValue)> = Vec::new();
        while let Some(Key(name)) = entries.next_key()? {
            if fields.len() >= MOST_FIELDS {
                return Err(A::Error::custom(format!("it has more than {MOST_FIELDS} names")));
            }
            if fields.iter().any(|(known, _)| *known == name) {
                let name: String = name.chars().filter(|letter| !letter.is_control()).take(64).collect();
                return Err(A::Error::custom(format!("\"{name}\" comes twice")));
            }
            fields.push((name, entries.next_value()?));
        }
        Ok(Object { fields })
    }
}

/// What a reader of JSON says, without the values that it quotes: before an event is read nobody knows whether its model
/// keeps them from being stored.
pub fn unquoted(error: &serde_json::Error) -> String {
    /// What begins so holds names at most.
    const SAFE: [&str; 5] =
        ["missing field", "duplicate field", "it has more than", "an object is no value", "\""];
    let said = error.to_string();
    if !error.is_data() || SAFE.iter().any(|begin| said.starts_with(begin)) {
        return said;
    }
    // What was found stands before what was expected.
    match said.rsplit_once(", expected ") {
        Some((_, expected)) => format!("expected {expected}"),
        None => "a value cannot be understood".to_owned(),
    }
}

/// Borrowed where the text holds no escapes, which `Cow` alone never is.
#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_without_the_value() {
        let of = |text: &str| unquoted(&serde_json::from_str::<Object<'_>>(text).expect_err("no object"));
        assert_eq!(of("\"secret, expected nothing\""), "expected an object at line 1 column 26");
        assert_eq!(of("{\"a\":1,\"a\":2}"), "\"a\" comes twice at line 1 column 10");
        assert_eq!(of("{\"a\":"), "EOF while parsing a value at line 1 column 5");
        // Numbers are not quoted as texts are, but told all the same.
        let number = serde_json::from_str::<Vec<u64>>("4111111111111111").expect_err("no list");
        assert!(number.to_string().contains("4111111111111111"));
        assert_eq!(unquoted(&number), "expected a sequence at line 1 column 16");
        #[derive(Debug, serde::Deserialize)]
        struct Own(#[serde(deserialize_with = "refuse")] ());
        fn refuse<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
            Err(D::Error::custom(format!("{} is bad", String::deserialize(deserializer)?)))
        }
        let own = serde_json::from_str::<Own>("\"secret\"").expect_err("it refuses everything");
        assert!(own.to_string().contains("secret"));
        assert_eq!(unquoted(&own), "a value cannot be understood");
    }
}
