//! A JSON object whose values are left as they were written, and in which no name comes twice.

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

/// Borrowed where the text holds no escapes, which `Cow` alone never is.
#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);
