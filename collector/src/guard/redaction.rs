//! What is left of an event's values when what must not be kept is gone.
//!
//! Invariant: a value with an action other than `keep` is never left as it came, whatever its type.

use std::collections::{BTreeMap, HashSet};

use domain::contract::{Action, Contract, Pattern, Privacy};
use domain::signal::{FEATURE, OUTCOME, PREDICTION, TAG};
use hmac::{Hmac, KeyInit, Mac};
use service::Secret;
use sha2::Sha256;

use super::terms::is_derived;
use super::{Carried, Settings, is_within, patterns};
use crate::event::Name;

/// Hexadecimal digits of a hash: 128 bits.
const HASH_DIGITS: usize = 32;
/// Asterisks that stand for a text at most, so that they do not tell its length.
const ASTERISKS: usize = 3;

/// The key of the hashes, ready to be used.
#[derive(Clone)]
pub struct Key(Option<Hmac<Sha256>>);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Key(…)" } else { "Key(none)" })
    }
}

impl Key {
    pub fn of(secret: &Secret) -> Self {
        let mac = (!secret.is_empty()).then(|| Hmac::new_from_slice(secret.expose().as_bytes()).ok());
        Self(mac.flatten())
    }

    /// `None` where there is no key: the value is then left out.
    fn hash(&self, text: &str) -> Option<String> {
        let mut mac = self.0.clone()?;
        mac.update(text.as_bytes());
        let bytes = mac.finalize().into_bytes();
        Some(
            bytes
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
                .chars()
                .take(HASH_DIGITS)
                .collect(),
        )
    }
}

/// What is done with the values of one model.
#[derive(Debug)]
pub struct Redaction {
    privacy: Privacy,
    /// The class of each signal that has one, by the name that contracts use.
    class_of: BTreeMap<String, String>,
    /// What is done with a class, the contract's word before everybody's.
    classes: BTreeMap<String, Action>,
    patterns: Vec<Pattern>,
    key: Key,
}

impl Redaction {
    /// `None` where nothing is redacted.
    pub fn of(contract: &Contract, settings: &Settings, key: &Key) -> Option<Self> {
        let class_of: BTreeMap<String, String> = contract
            .signals
            .iter()
            .filter(|(_, terms)| !terms.privacy_class.is_empty())
            .map(|(named, terms)| (named.clone(), terms.privacy_class.clone()))
            .collect();
        let mut classes = settings.classes.clone();
        classes.extend(contract.privacy.classes.clone());
        let mut patterns = settings.patterns.clone();
        patterns.extend(&contract.privacy.patterns);
        patterns.sort_unstable();
        patterns.dedup();
        if class_of.is_empty() && contract.privacy.fields.is_empty() && patterns.is_empty() {
            return None;
        }
        Some(Self { privacy: contract.privacy.clone(), class_of, classes, patterns, key: key.clone() })
    }

    /// What is done with a field, by the name that contracts use. A class of which nobody says what is done with it is
    /// left out: it was named for a reason.
    fn of_field(&self, field: &str) -> Option<Action> {
        if let Some(action) = self.privacy.of_field(field) {
            return Some(action);
        }
        let mut name = field;
        loop {
            if let Some(class) = self.class_of.get(name) {
                return Some(self.classes.get(class).copied().unwrap_or(Action::Drop));
            }
            name = name.rsplit_once('.')?.0;
        }
    }

    fn of_signal(&self, signal: &str) -> Option<Action> {
        match signal.strip_prefix(FEATURE) {
            Some(feature) => self.of_field(feature),
            None if signal.starts_with(PREDICTION) || signal.starts_with(OUTCOME) => self.of_field(signal),
            None => None,
        }
    }

    pub fn redact(&self, event: &mut Carried<'_>) {
        // Categories first: the hashes of numbers join them.
        self.categories(event.categories);
        self.numbers(event);
        event.vectors.retain(|(name, _)| matches!(self.of_signal(name), None | Some(Action::Keep)));
        event.lists.retain_mut(|(name, items)| {
            let action = self.of_signal(name);
            let left: Vec<String> = items.iter().filter_map(|item| self.text(action, item)).collect();
            *items = left;
            action != Some(Action::Drop)
        });
        event.tags.retain_mut(|(name, value)| {
            let left = self.tag(name, value);
            let is_left = left.is_some();
            *value = left.unwrap_or_default();
            is_left
        });
        *event.error = match (self.text(self.of_field("error"), event.error), event.error.is_empty()) {
            (_, true) => String::new(),
            // That it failed is no secret, and is counted.
            (None, false) => "error".to_owned(),
            (Some(left), false) if left.is_empty() => "error".to_owned(),
            (Some(left), false) => left,
        };
        *event.trace_id = self.label("trace_id", event.trace_id).unwrap_or_default();
        *event.id = self.label("id", event.id).unwrap_or_default();
    }

    pub fn tag(&self, name: &str, value: &str) -> Option<String> {
        self.text(self.of_field(&format!("{TAG}{name}")), value)
    }

    pub fn redact_outcome(
        &self,
        id: &mut String,
        numbers: &mut Vec<(Name, f64)>,
        categories: &mut Vec<(Name, Name)>,
        lists: &[Name],
    ) {
        self.categories(categories);
        lists.iter().for_each(|list| self.items(list, numbers));
        let is_item = |name: &Name| lists.iter().any(|list| is_within(name, list));
        self.numbers_of(numbers, categories, is_item);
        // Events without an id cannot be told apart; what became of the prediction's is not known here.
        *id = self.label("id", id).unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
    }

    /// The items of a list that became names, with 1 each, and how many they were, which says no item.
    fn items(&self, list: &Name, numbers: &mut Vec<(Name, f64)>) {
        let action = self.of_signal(list);
        let mut left = HashSet::new();
        numbers.retain_mut(|(name, _)| {
            if !is_within(name, list) {
                return true;
            }
            // Behind the list's name and a dot.
            let item = name.get(list.len() + 1..).unwrap_or_default();
            if item == "length" {
                return action != Some(Action::Drop);
            }
            let Some(text) = self.text(action, item) else { return false };
            if text != item {
                *name = Name::from(format!("{list}.{text}"));
            }
            // Several items may have the same text left.
            left.insert(name.clone())
        });
    }

    fn numbers(&self, event: &mut Carried<'_>) {
        let derived: Vec<Name> = event
            .numbers
            .iter()
            .filter(|(name, _)| name.ends_with(".norm") || name.ends_with(".length"))
            .filter(|(name, _)| is_derived(name, event))
            .map(|(name, _)| name.clone())
            .collect();
        let is_list = |derived: &Name| {
            event.lists.iter().any(|(name, _)| derived.strip_suffix(".length") == Some(name.as_str()))
        };
        // The length of a list whose items are hashed says no item; whatever stands for a vector goes with it.
        let kept: Vec<&Name> = derived
            .iter()
            .filter(|name| match self.of_signal(name) {
                None | Some(Action::Keep) => true,
                Some(Action::Drop) => false,
                Some(_) => is_list(name),
            })
            .collect();
        event.numbers.retain(|(name, _)| !derived.contains(name) || kept.contains(&name));
        self.numbers_of(event.numbers, event.categories, |name| derived.contains(name));
    }

    fn numbers_of(
        &self,
        numbers: &mut Vec<(Name, f64)>,
        categories: &mut Vec<(Name, Name)>,
        is_exempt: impl Fn(&Name) -> bool,
    ) {
        numbers.retain_mut(|(name, value)| {
            if is_exempt(name) {
                return true;
            }
            match self.of_signal(name) {
                None | Some(Action::Keep) => return true,
                Some(Action::Drop | Action::Mask) => {}
                Some(Action::Hash) => {
                    let hash = self.key.hash(&value.to_string());
                    categories.extend(hash.map(|hash| (name.clone(), Name::from(hash))));
                }
                Some(Action::Truncate(digits)) => {
                    *value = leading_digits(*value, digits);
                    return true;
                }
                Some(Action::Bucket(width)) => {
                    *value = bucket(*value, width);
                    return true;
                }
            }
            false
        });
    }

    fn categories(&self, categories: &mut Vec<(Name, Name)>) {
        categories.retain_mut(|(name, value)| match self.text(self.of_signal(name), value) {
            Some(left) => {
                if left != value.as_str() {
                    *value = Name::from(left);
                }
                true
            }
            None => false,
        });
    }

    /// What is left of a text; `None` where it is left out.
    fn text(&self, action: Option<Action>, text: &str) -> Option<String> {
        let seen = |text: &str| patterns::replaced(text, &self.patterns).into_owned();
        match action {
            Some(Action::Keep) => Some(text.to_owned()),
            None => Some(seen(text)),
            Some(Action::Drop | Action::Bucket(_)) => None,
            Some(Action::Hash) => self.key.hash(text),
            // What the pattern found must not be cut in two and so be missed.
            Some(Action::Truncate(characters)) => Some(truncated(&seen(text), characters)),
            Some(Action::Mask) => Some(masked(text)),
        }
    }

    /// An id or a trace's: where a pattern is found in it, it is hashed as a whole, so that it still tells events apart.
    fn label(&self, field: &str, text: &str) -> Option<String> {
        match self.of_field(field) {
            None if patterns::is_found(text, &self.patterns) => self.key.hash(text),
            action => self.text(action, text),
        }
    }
}

/// Three asterisks, or as many as the text has characters where it has fewer.
fn masked(text: &str) -> String {
    text.chars().take(ASTERISKS).map(|_| '*').collect()
}

fn truncated(text: &str, characters: u32) -> String {
    text.chars().take(characters as usize).collect()
}

/// The number with zeros behind its leading digits: 12,345 with two digits is 12,000, and 0.0678 is 0.067.
fn leading_digits(value: f64, digits: u32) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let digits = i32::try_from(digits.min(17)).unwrap_or(17);
    // The shortest text that reads back as this number, cut: so what is cut already is left as it is.
    let text = format!("{value:e}");
    let Some((mantissa, exponent)) = text.split_once('e') else { return value };
    let mut left = digits;
    let cut: String = mantissa
        .chars()
        .map(|c| match c {
            '0'..='9' if left > 0 => {
                left -= 1;
                c
            }
            '0'..='9' => '0',
            other => other,
        })
        .collect();
    format!("{cut}e{exponent}").parse().unwrap_or(0.0)
}

/// The multiple of `width` at or below the number.
fn bucket(value: f64, width: f64) -> f64 {
    let at = (value / width).floor();
    // Rounding may have put a multiple just below itself.
    let next = (at + 1.0) * width;
    if next <= value { next } else { at * width }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> Key {
        Key::of(&Secret::new("a key of tests"))
    }

    #[test]
    fn the_hash_is_the_first_half_of_hmac_sha256() {
        // `printf 'what do ya want for nothing?' | openssl dgst -sha256 -hmac Jefe` (also RFC 4231, case 2)
        let key = Key::of(&Secret::new("Jefe"));
        let hash = key.hash("what do ya want for nothing?");
        assert_eq!(hash.as_deref(), Some("5bdcc146bf60754e6a042426089575c7"));
        assert_eq!(Key::of(&Secret::default()).hash("x"), None);
        assert!(!format!("{key:?}").contains("Jefe"));
    }

    #[test]
    fn numbers_lose_what_is_not_to_be_kept() {
        assert_eq!(leading_digits(12_345.0, 2), 12_000.0);
        assert_eq!(leading_digits(-0.0678, 2), -0.067);
        assert_eq!(leading_digits(7.0, 3), 7.0);
        assert_eq!(bucket(37.0, 10.0), 30.0);
        assert_eq!(bucket(-1.0, 10.0), -10.0);
    }

    proptest! {
        #[test]
        fn a_mask_shows_nothing_and_is_never_longer(text in "\\PC{0,40}") {
            let masked = masked(&text);
            prop_assert!(masked.len() <= text.len());
            prop_assert!(masked.chars().all(|c| c == '*'));
            prop_assert!(masked.chars().count() <= ASTERISKS);
        }

        #[test]
        fn a_hash_is_stable_under_its_key_and_another_under_another(text in "\\PC{0,40}") {
            let hash = key().hash(&text);
            prop_assert_eq!(&hash, &key().hash(&text));
            prop_assert_eq!(hash.as_ref().map(String::len), Some(HASH_DIGITS));
            prop_assert_ne!(hash, Key::of(&Secret::new("another key")).hash(&text));
        }

        #[test]
        fn truncating_again_changes_nothing(text in "\\PC{0,40}", n in 1_u32..20, value in -1e12_f64..1e12) {
            let once = truncated(&text, n);
            prop_assert!(text.starts_with(&once));
            prop_assert_eq!(truncated(&once, n), once.clone());
            let number = leading_digits(value, n);
            prop_assert!(number.abs() <= value.abs());
            prop_assert_eq!(leading_digits(number, n), number);
        }

        #[test]
        fn a_number_lies_in_its_bucket_and_a_bucket_stays(value in -1e9_f64..1e9, width in 0.001_f64..1e6) {
            let once = bucket(value, width);
            prop_assert!(once <= value && value < once + width * 1.000_001);
            prop_assert!((bucket(once, width) - once).abs() <= width * 1e-6);
        }
    }
}
