//! Which models are an analyzer's own, where several share them.
//!
//! Invariant: for any number of shards every model belongs to exactly one, in every build on every machine.

use std::str::FromStr;

use serde::Deserialize;

/// One of `of` equal parts of all models, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Shard {
    place: u64,
    of: u64,
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
        hash(model) % self.of == self.place - 1
    }

    pub fn is_all(self) -> bool {
        self.of == 1
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
    fn a_shard_that_does_not_exist_is_refused() {
        for text in ["", "0/2", "3/2", "1", "a/b", "1/0"] {
            let error = text.parse::<Shard>().expect_err("no shard").to_string();
            assert!(error.starts_with(&format!("shard \"{text}\" does not exist")), "{error}");
        }
    }
}
