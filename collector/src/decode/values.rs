//! The signals of an event, read where they stand: nested objects become names with a dot, scalars become numbers or
//! categories, arrays become vectors or lists.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::array::Array;
use super::draft::Draft;
use super::scalar::{DEEPEST, Scalar, Skipped, too_deep};
use super::section::Section;

/// Reads the value at the draft's present path.
pub struct Value<'d, 'n> {
    pub draft: &'d mut Draft<'n>,
    pub section: Section,
    /// Whether the path is only the section's prefix so far: a name, not a dot, comes next.
    pub is_top: bool,
    /// How many objects it lies in.
    pub depth: u8,
}

impl<'de> DeserializeSeed<'de> for Value<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    /// Null is missing: nothing is stored. A whole section that is null was not sent.
    fn visit_unit<E>(self) -> Result<(), E> {
        if self.is_top {
            self.draft.sections.pop();
        }
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        let text = if value { "true" } else { "false" };
        self.leaf(|draft, section| draft.flag(section, text));
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.visit_f64(value as f64)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.visit_f64(value as f64)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.leaf(|draft, section| draft.number(section, value));
        Ok(())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.leaf(|draft, section| draft.text(section, value));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let mut array = Array::default();
        while let Some(item) = items.next_element::<Scalar<'_>>()? {
            array.push(item);
        }
        self.leaf(|draft, section| draft.array(section, array));
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let Self { draft, section, is_top, depth } = self;
        if depth >= DEEPEST {
            return Err(too_deep());
        }
        let length = draft.path().len();
        while entries.next_key_seed(Key { path: draft.path(), is_top })?.is_some() {
            if draft.has_problem() {
                entries.next_value::<Skipped>()?;
            } else {
                entries.next_value_seed(Value {
                    draft: &mut *draft,
                    section,
                    is_top: false,
                    depth: depth + 1,
                })?;
            }
            draft.path().truncate(length);
        }
        Ok(())
    }
}

impl<'n> Value<'_, 'n> {
    fn leaf(self, take: impl FnOnce(&mut Draft<'n>, Section)) {
        // A bare value in the place of an object: `"prediction": 0.93` is the output called `value`.
        if self.is_top {
            if !self.section.may_be_bare() {
                self.draft.problem(self.section.field(), "must be an object of names and values");
                return;
            }
            self.draft.path().push_str("value");
        }
        take(self.draft, self.section);
    }
}

/// Reads a key onto the end of the path.
struct Key<'d> {
    path: &'d mut String,
    is_top: bool,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, key: &str) -> Result<(), E> {
        if !self.is_top {
            self.path.push('.');
        }
        self.path.push_str(key);
        Ok(())
    }
}
