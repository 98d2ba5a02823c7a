//! Whatever a sender writes: bodies and files that were good once and are broken at random, read by every decoder.
//!
//! The laws: no decoder panics, and every event of a readable body comes out once, understood or refused. `collector/corpus`
//! holds what is broken, a folder a decoder. `LEEWAY_FUZZ_CASES` says how many bodies each law is tried on.

mod cloudevents;
mod files;
mod json;
mod model_servers;
mod mutation;
mod otlp;

use std::path::Path;

use domain::time::{DAY, Instant};
use proptest::prelude::ProptestConfig;

use crate::decode::Rules;
use crate::event::Name;

/// Bodies that each law is tried on where nothing else is said: some seconds for all of them.
const CASES: u32 = 256;

fn config() -> ProptestConfig {
    let cases = std::env::var("LEEWAY_FUZZ_CASES").ok().map_or(CASES, |text| {
        text.parse().unwrap_or_else(|_| panic!("LEEWAY_FUZZ_CASES is \"{text}\", not a number of cases"))
    });
    ProptestConfig { cases, ..ProptestConfig::default() }
}

/// The files of one folder of the corpus, in the order of their names.
fn corpus(folder: &str) -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(folder);
    let files = std::fs::read_dir(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut paths: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).expect("a file of the corpus")).collect()
}

fn rules() -> Rules {
    let now: Instant = "2025-11-20T18:00:00Z".parse().expect("an instant");
    Rules {
        received_at: now,
        source: Name::from("http"),
        oldest: now.saturating_sub(DAY * 90),
        newest: now.saturating_add(DAY),
        models: Vec::new(),
        guards: Default::default(),
    }
}
