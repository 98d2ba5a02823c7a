//! What a contract says must not be kept of a model's events, and what is kept instead.
//!
//! Invariant: where two rules meet, the more particular one holds: a rule of the field before one of what it lies in,
//! and both before the rule of its class. Patterns look at what these leave, except where a field is kept by name.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ContractError;

/// Nothing is redacted where nothing is stated.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Privacy {
    /// Whether values are only counted into their bins: the stored event keeps id, model and time, and no value.
    pub counts_only: bool,
    /// What is looked for in every text.
    pub patterns: Vec<Pattern>,
    /// What is done with the signals of a privacy class.
    pub classes: BTreeMap<String, Action>,
    /// What is done with a field, by name: a feature (`email`), an output (`prediction.note`), an outcome
    /// (`outcome.comment`), a tag (`tag.user`), `id`, `error` or `trace_id`. Holds for all that lies below it.
    pub fields: BTreeMap<String, Action>,
}

/// What is done with a value before anything else sees it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// As it is, whatever its class or the patterns say.
    Keep,
    /// Left out.
    Drop,
    /// A keyed hash (HMAC-SHA256) of it: equal values stay equal, and nobody without the key can try values.
    Hash,
    /// The first characters of a text, or the leading digits of a number; the others become zeros.
    Truncate(u32),
    /// A number rounded down to a multiple of this width; a text is left out.
    Bucket(f64),
    /// Up to three asterisks instead of a text; a number is left out.
    Mask,
}

/// What can be found in a text by its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pattern {
    /// An address such as `ada@example.com`.
    Email,
    /// Twelve to nineteen digits, in groups or not, whose check digit is right (Luhn).
    Card,
    /// A number in international form, or eight digits and more in groups.
    Phone,
}

impl Pattern {
    pub const ALL: [Self; 3] = [Self::Email, Self::Card, Self::Phone];
}

impl Privacy {
    /// Whether anything of an event may be changed or left out.
    pub fn is_stated(&self) -> bool {
        *self != Self::default()
    }

    /// What is done with a field, as far as this contract says: by its name or by what it lies in.
    pub fn of_field(&self, field: &str) -> Option<Action> {
        let mut name = field;
        loop {
            if let Some(action) = self.fields.get(name) {
                return Some(*action);
            }
            name = name.rsplit_once('.')?.0;
        }
    }

    /// Whether a key is needed to do what is stated.
    pub fn needs_key(&self) -> bool {
        let actions = self.classes.values().chain(self.fields.values());
        !self.patterns.is_empty() || actions.into_iter().any(|action| matches!(action, Action::Hash))
    }

    pub(super) fn check(&self, model: &str) -> Result<(), ContractError> {
        let classes = self.classes.iter().map(|(name, action)| ("classes", name, action));
        let fields = self.fields.iter().map(|(name, action)| ("fields", name, action));
        for (part, name, action) in classes.chain(fields) {
            let problem = match action {
                Action::Truncate(0) => "truncate must leave at least 1 character; drop it instead",
                Action::Bucket(width) if !(width.is_finite() && *width > 0.0) => {
                    "bucket must have a width greater than 0, such as 10.0"
                }
                Action::Truncate(_) | Action::Bucket(_) | Action::Mask
                    if part == "fields" && name == "id" =>
                {
                    "an id must still tell events apart: hash it, or drop it for a new one"
                }
                _ => continue,
            };
            return Err(ContractError::new(model, format!("privacy.{part}.{name}"), problem));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn privacy(text: &str) -> Privacy {
        toml::from_str(text).expect("well-formed")
    }

    #[test]
    fn a_rule_holds_for_all_that_lies_below_its_field() {
        let privacy =
            privacy("[fields]\naddress = \"drop\"\n\"address.country\" = \"keep\"\nage = { bucket = 10.0 }");
        assert_eq!(privacy.of_field("address.city"), Some(Action::Drop));
        assert_eq!(privacy.of_field("address.city.name"), Some(Action::Drop));
        assert_eq!(privacy.of_field("address.country"), Some(Action::Keep));
        assert_eq!(privacy.of_field("age"), Some(Action::Bucket(10.0)));
        assert_eq!(privacy.of_field("addressee"), None);
    }

    #[test]
    fn an_action_that_does_nothing_useful_is_refused_with_its_key() {
        for (text, key) in [
            ("[fields]\nemail = { truncate = 0 }", "privacy.fields.email"),
            ("[classes]\nage = { bucket = -1.0 }", "privacy.classes.age"),
            ("[fields]\nid = \"mask\"", "privacy.fields.id"),
        ] {
            assert_eq!(privacy(text).check("m").expect_err("refused").key, key);
        }
    }

    #[test]
    fn a_key_is_needed_to_hash_and_to_look_for_patterns() {
        assert!(privacy("patterns = [\"email\"]").needs_key());
        assert!(privacy("[classes]\npersonal = \"hash\"").needs_key());
        assert!(!privacy("[fields]\nemail = \"mask\"").needs_key());
    }
}
