//! Names of signals and frequent texts, shared between events: most events of a model name the same signals in the same
//! order, so a name is mostly found where it was the last time.

use std::collections::HashSet;

use domain::signal::MAX_NAME_BYTES;
use sha2::{Digest, Sha256};

use super::section::Section;
use crate::event::{Name, Prediction};

/// Names kept at most: a few models' worth. Beyond it all are forgotten and learned again, so that no sender can fill
/// the memory with names.
const KEPT: usize = 16_384;
/// Texts longer than this are no words that come again.
const SHARED_BYTES: usize = 128;
/// How many names the order of signals holds at most, and how far ahead a name is looked for in it.
const ORDER: usize = 1_024;
const AHEAD: usize = 4;

#[derive(Debug, Default)]
pub struct Names {
    kept: HashSet<Name>,
    /// The signals of the events before, each once, in the order in which they came.
    order: Vec<Name>,
    /// The latest signal that was not where it was looked for.
    astray: Name,
    /// Where the next signal of this event is looked for.
    next: usize,
    /// Whether a signal of this event was not where it was looked for; only then can one have come twice.
    irregular: bool,
    /// The memory of the event before, for the next one.
    pub(super) spare: Spare,
    /// From what ids are made up, with how many events were begun since; random where nothing is stated.
    made_up_from: Option<(String, usize)>,
    /// The name that is being read, as far as nesting has come: `feature.address.city`.
    pub(super) path: String,
}

/// Memory that every event needs, and none keeps. Numbers and categories of the event before stand in it still: the next one
/// is written over them ([`super::row::Row`]).
#[derive(Debug, Default)]
pub(super) struct Spare {
    pub sections: Vec<Section>,
    pub numbers: Vec<(Name, f64)>,
    pub categories: Vec<(Name, Name)>,
}

/// Why a text cannot be a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadName {
    TooLong,
    Unprintable,
}

impl BadName {
    pub fn error(self) -> String {
        match self {
            Self::TooLong => format!("has a name longer than {MAX_NAME_BYTES} bytes; shorten it"),
            Self::Unprintable => "has control characters in its name; rename it".to_owned(),
        }
    }
}

impl Names {
    /// Begins an event.
    pub fn begin(&mut self) {
        if self.kept.len() >= KEPT {
            self.kept.clear();
            self.order.clear();
        }
        self.next = 0;
        self.irregular = false;
        self.path.clear();
        if let Some((_, begun)) = &mut self.made_up_from {
            *begun += 1;
        }
    }

    /// Takes back the memory of an event that is not needed any more.
    pub(super) fn reuse(&mut self, event: Prediction) {
        let Prediction { numbers, categories, .. } = event;
        self.spare.numbers = numbers;
        self.spare.categories = categories;
    }

    /// Has the ids of events that state none made of `place` from now on, and of how many events come before: the same
    /// event at the same place gets the same id, whatever is said of those before it.
    pub fn make_ids_of(&mut self, place: Option<String>) {
        self.made_up_from = place.map(|place| (place, 0));
    }

    /// An id for an event that states none.
    pub fn made_up_id(&self) -> String {
        let Some((place, begun)) = &self.made_up_from else { return uuid::Uuid::now_v7().to_string() };
        let digest = Sha256::digest(format!("{place}/{begun}").as_bytes());
        let mut bytes = [0; 16];
        bytes.iter_mut().zip(digest).for_each(|(byte, of)| *byte = of);
        uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
    }

    /// Whether a signal may have come twice in this event.
    pub fn is_irregular(&self) -> bool {
        self.irregular
    }

    /// The signal whose name is the present path.
    pub fn signal(&mut self) -> Result<&Name, BadName> {
        let mut ahead = self.order.iter().enumerate().skip(self.next).take(AHEAD);
        let found = ahead.find(|(_, known)| known.as_str() == self.path).map(|(place, _)| place);
        match found {
            Some(place) => {
                self.next = place + 1;
                #[expect(clippy::indexing_slicing, reason = "it was found there")]
                Ok(&self.order[place])
            }
            None => self.signal_astray(),
        }
    }

    /// The same where it is not among the next in order.
    fn signal_astray(&mut self) -> Result<&Name, BadName> {
        self.irregular = true;
        let path = std::mem::take(&mut self.path);
        let name = self.name(&path);
        self.path = path;
        let name = name?;
        if self.order.len() < ORDER && !self.order.contains(&name) {
            self.order.insert(self.next.min(self.order.len()), name.clone());
            self.next += 1;
        }
        self.astray = name;
        Ok(&self.astray)
    }

    /// A name, shared where it is known.
    pub fn name(&mut self, text: &str) -> Result<Name, BadName> {
        if let Some(known) = self.kept.get(text) {
            return Ok(known.clone());
        }
        if text.len() > MAX_NAME_BYTES {
            return Err(BadName::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(BadName::Unprintable);
        }
        let name = Name::from(text);
        self.kept.insert(name.clone());
        Ok(name)
    }

    /// A category: shared where it is short.
    pub fn category(&mut self, text: &str) -> Name {
        if text.len() > SHARED_BYTES {
            return Name::from(text);
        }
        if let Some(known) = self.kept.get(text) {
            return known.clone();
        }
        let name = Name::from(text);
        // Within an event nothing is forgotten: equal signals keep lying in one place.
        if self.kept.len() < 2 * KEPT {
            self.kept.insert(name.clone());
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signals(names: &mut Names, paths: &[&str]) -> Vec<Name> {
        names.begin();
        let find = |path: &&str| {
            names.path.clear();
            names.path.push_str(path);
            names.signal().expect("a good name").clone()
        };
        paths.iter().map(find).collect()
    }

    #[test]
    fn the_second_event_finds_its_signals_in_order() {
        let mut names = Names::default();
        let first = signals(&mut names, &["a", "b", "c"]);
        assert!(names.is_irregular());
        let second = signals(&mut names, &["a", "b", "c"]);
        assert!(!names.is_irregular());
        assert!(first.iter().zip(&second).all(|(a, b)| a.address() == b.address()));
    }

    #[test]
    fn a_signal_left_out_is_skipped_and_one_that_comes_twice_is_irregular() {
        let mut names = Names::default();
        signals(&mut names, &["a", "b", "c", "d"]);
        signals(&mut names, &["a", "c", "d"]);
        assert!(!names.is_irregular());
        signals(&mut names, &["a", "b", "a"]);
        assert!(names.is_irregular());
        signals(&mut names, &["a", "b", "a"]);
        assert!(names.is_irregular());
    }

    #[test]
    fn made_up_ids_are_those_of_the_place_or_random() {
        let ids = |place: Option<&str>| -> Vec<String> {
            let mut names = Names::default();
            names.make_ids_of(place.map(str::to_owned));
            let id = |_| {
                names.begin();
                names.made_up_id()
            };
            (0..3).map(id).collect()
        };
        assert_eq!(ids(Some("a")), ids(Some("a")));
        let all: HashSet<String> = [Some("a"), Some("b"), None, None].into_iter().flat_map(ids).collect();
        assert_eq!(all.len(), 12);
    }

    #[test]
    fn names_are_forgotten_before_they_fill_the_memory() {
        let mut names = Names::default();
        for n in 0..10 * KEPT {
            names.begin();
            names.name(&n.to_string()).expect("a good name");
            names.category(&format!("c{n}"));
        }
        assert!(names.kept.len() <= 2 * KEPT + 1);
    }

    #[test]
    fn a_name_that_cannot_be_shown_is_refused() {
        let mut names = Names::default();
        assert_eq!(names.name("a\nb"), Err(BadName::Unprintable));
        assert_eq!(names.name(&"x".repeat(MAX_NAME_BYTES + 1)), Err(BadName::TooLong));
        assert!(names.name("prix d'été 🚲").is_ok());
    }
}
