//! Which models are an analyzer's own, where several share them.
//!
//! Invariant: for any number of shards every model belongs to exactly one, in every build on every machine. Analyzers that
//! see the same of them living agree on whose a dead one's models are.

use std::collections::BTreeSet;
use std::str::FromStr;

use serde::Deserialize;

/// One of `of` equal parts of all models, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Shard {
    place: u32,
    of: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("shard \"{0}\" does not exist (known: 1/1 for all models, or 1/2 and 2/2, and so on)")]
pub struct UnknownShard(String);

impl FromStr for Shard {
    type Err = UnknownShard;
    fn from_str(text: &str) -> Result<Self, UnknownShard> {
        let parts =
            text.split_once('/').and_then(|(place, of)| Some((place.parse().ok()?, of.parse().ok()?)));
        match parts {
            Some((place, of)) if place >= 1 && place <= of => Ok(Self { place, of }),
            _ => Err(UnknownShard(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Shard {
    type Error = UnknownShard;
    fn try_from(text: String) -> Result<Self, UnknownShard> {
        text.parse()
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.place, self.of)
    }
}

impl Shard {
    pub const ALL: Self = Self { place: 1, of: 1 };

    /// Whether a model is this shard's: by a hash of its name, so that all its watches and environments stay together.
    pub fn holds(self, model: &str) -> bool {
        self.home(model) == self.place
    }

    /// The place whose model it is while all live.
    fn home(self, model: &str) -> u32 {
        (hash(model) % u64::from(self.of)) as u32 + 1
    }

    pub fn is_all(self) -> bool {
        self.of == 1
    }

    pub fn place(self) -> u32 {
        self.place
    }

    /// How many there are.
    pub fn count(self) -> u32 {
        self.of
    }
}

/// Which shards live, as one of them sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Living {
    own: Shard,
    places: BTreeSet<u32>,
}

impl Living {
    /// All of them.
    pub fn all(own: Shard) -> Self {
        Self { own, places: (1..=own.of).collect() }
    }

    /// Those that were heard of, and the own one, which knows that it lives.
    pub fn of(own: Shard, heard: impl IntoIterator<Item = u32>) -> Self {
        let is_one = |place: &u32| (1..=own.of).contains(place);
        Self { own, places: heard.into_iter().filter(is_one).chain([own.place]).collect() }
    }

    /// Whether a model is the own shard's now: its own ones, and of a dead one's those that fall to it. Each model of the
    /// dead goes to the living place with the highest hash of both (Thaler and Ravishankar 1998), so they spread evenly
    /// and nobody else's move.
    pub fn holds(&self, model: &str) -> bool {
        let home = self.own.home(model);
        let heir = || self.places.iter().max_by_key(|place| hash(&format!("{place}/{model}")));
        let holder = if self.places.contains(&home) { Some(home) } else { heir().copied() };
        holder == Some(self.own.place)
    }

    /// The shards that were not heard of.
    pub fn dead(&self) -> Vec<Shard> {
        let all = (1..=self.own.of).filter(|place| !self.places.contains(place));
        all.map(|place| Shard { place, of: self.own.of }).collect()
    }
}

/// FNV-1a, mixed once more so that its low bits are as good as its high ones; fixed for ever, unlike the standard
/// library's.
fn hash(text: &str) -> u64 {
    let folded = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (folded ^ (folded >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_is_in_exactly_one_of_the_shards() {
        let shards: Vec<Shard> = ["1/3", "2/3", "3/3"].map(|text| text.parse().expect("a shard")).to_vec();
        let mut sizes = [0; 3];
        for model in (0..300).map(|n| format!("model-{n}")) {
            let holding: Vec<usize> = (0..3).filter(|place| shards[*place].holds(&model)).collect();
            assert_eq!(holding.len(), 1, "{model}");
            sizes[holding[0]] += 1;
            assert!(Shard::ALL.holds(&model));
        }
        assert!(sizes.iter().all(|size| (70..=130).contains(size)), "{sizes:?}");
    }

    #[test]
    fn the_models_of_a_dead_shard_fall_to_the_living_and_no_other_moves() {
        let shards: Vec<Shard> = ["1/3", "2/3", "3/3"].map(|text| text.parse().expect("a shard")).to_vec();
        let all: Vec<Living> = shards.iter().map(|own| Living::all(*own)).collect();
        let two: Vec<Living> = shards[..2].iter().map(|own| Living::of(*own, [1, 2])).collect();
        let mut inherited = [0; 2];
        for model in (0..300).map(|n| format!("model-{n}")) {
            let holding: Vec<usize> = (0..2).filter(|place| two[*place].holds(&model)).collect();
            assert_eq!(holding.len(), 1, "{model}");
            assert_eq!((0..3).filter(|place| all[*place].holds(&model)).count(), 1, "{model}");
            if all[2].holds(&model) {
                inherited[holding[0]] += 1;
            } else {
                assert!(all[holding[0]].holds(&model), "{model} stays where it was");
            }
        }
        assert!(inherited.iter().all(|n| (30..=70).contains(n)), "{inherited:?}");
        assert_eq!(two[0].dead(), [shards[2]]);
        let alone = Living::of(shards[0], [9]);
        assert!((0..50).all(|n| alone.holds(&format!("model-{n}"))), "whoever is left holds all");
    }

    #[test]
    fn a_shard_that_does_not_exist_is_refused() {
        for text in ["", "0/2", "3/2", "1", "a/b", "1/0"] {
            let error = text.parse::<Shard>().expect_err("no shard").to_string();
            assert!(error.starts_with(&format!("shard \"{text}\" does not exist")), "{error}");
        }
    }
}
