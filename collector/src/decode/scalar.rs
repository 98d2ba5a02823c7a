//! A JSON value that should be a single one: whatever else it is, is read over, so that the next field is found.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// How deep objects or arrays may lie in each other. Parsers have bounds of their own, at which an unlucky stack is used
/// up already; nobody nests features like that.
pub const DEEPEST: u8 = 32;

/// What stands in the error of a value that is nested deeper.
pub fn too_deep<E: Error>() -> E {
    E::custom(format!("nested deeper than {DEEPEST} levels"))
}

#[derive(Clone, Debug, PartialEq)]
pub enum Scalar<'de> {
    Null,
    Bool(bool),
    Number(f64),
    Text(Cow<'de, str>),
    Array,
    Object,
}

impl Scalar<'_> {
    /// What it is, for an error.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        }
    }
}

impl<'de> Deserialize<'de> for Scalar<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor { depth: 0 })
    }
}

struct ScalarVisitor {
    depth: u8,
}

impl ScalarVisitor {
    /// How deep the values inside of this one lie.
    fn inner_depth<E: Error>(&self) -> Result<u8, E> {
        if self.depth < DEEPEST { Ok(self.depth + 1) } else { Err(too_deep()) }
    }
}

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Number(value as f64))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Number(value))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Scalar<'de>, A::Error> {
        let depth = self.inner_depth::<A::Error>()?;
        while items.next_element_seed(Skip { depth })?.is_some() {}
        Ok(Scalar::Array)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Scalar<'de>, A::Error> {
        let depth = self.inner_depth::<A::Error>()?;
        while entries.next_key_seed(Skip { depth })?.is_some() {
            entries.next_value_seed(Skip { depth })?;
        }
        Ok(Scalar::Object)
    }
}

/// A value that is read over. Not serde's `IgnoredAny`: a parser may skip that without its bound on nesting, and a body of
/// brackets would then end the process.
pub struct Skipped;

impl<'de> Deserialize<'de> for Skipped {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Skip { depth: 0 }.deserialize(deserializer).map(|()| Self)
    }
}

/// Reads over a value that lies so deep.
struct Skip {
    depth: u8,
}

impl<'de> DeserializeSeed<'de> for Skip {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(ScalarVisitor { depth: self.depth }).map(|_| ())
    }
}
