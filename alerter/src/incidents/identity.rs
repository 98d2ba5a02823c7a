//! The name of an incident: ten letters that a replay of the same evaluations finds again.

use domain::time::Instant;
use sha2::{Digest, Sha256};

use super::correlate::Scope;
use domain::evaluation::Subject;

/// Without the letters and digits that are mistaken for others when read aloud.
const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const LENGTH: usize = 10;

/// The identity of an incident of `scope` that began at `onset` with `first`; `again` tells apart incidents that have
/// all of this in common, because one was resolved and the same run of windows went off course once more.
pub fn incident(scope: &Scope, onset: Instant, first: &Subject, again: u32) -> String {
    let parts = [
        scope.model.as_str(),
        &scope.environment,
        &scope.watch,
        scope.cause.name(),
        &onset.millis().to_string(),
        first.monitor.name(),
        &first.signal,
        &first.segment,
        &again.to_string(),
    ];
    short(&parts)
}

/// Ten letters of the hash of `parts`.
pub fn short(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let digest = hash.finalize();
    digest.iter().take(LENGTH).map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(short(&["ab", "c"]), short(&["a", "bc"]));
        assert_eq!(short(&["ab", "c"]).len(), LENGTH);
    }
}
