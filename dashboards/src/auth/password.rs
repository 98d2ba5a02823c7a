//! Hashes of passwords: Argon2id, whose memory makes guessing expensive also for those with special hardware.
//!
//! Invariant: checking takes as long for a name that does not exist as for one that does.

use std::sync::LazyLock;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};

/// A shorter password is refused when its hash is made.
pub const SHORTEST: usize = 8;
/// No password is longer; it bounds the work that a stranger can ask for.
pub const LONGEST: usize = 1_024;

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    #[error("the password has fewer than {SHORTEST} characters")]
    Short,
    #[error("the password has more than {LONGEST} bytes")]
    Long,
    #[error("the password could not be hashed: {0}")]
    Failed(String),
}

/// The hash of `password` with a salt of its own, as `dashboards.users` wants it (`$argon2id$…`).
pub fn hash(password: &str) -> Result<String, PasswordError> {
    if password.chars().count() < SHORTEST {
        return Err(PasswordError::Short);
    }
    if password.len() > LONGEST {
        return Err(PasswordError::Long);
    }
    let hashed: PasswordHash = Argon2::default()
        .hash_password(password.as_bytes())
        .map_err(|error| PasswordError::Failed(error.to_string()))?;
    Ok(hashed.to_string())
}

/// Says what keeps `text` from being a hash that [`is_right`] can check.
pub fn check_hash(text: &str) -> Result<(), String> {
    let parsed = PasswordHash::new(text).map_err(|error| error.to_string())?;
    if !parsed.algorithm.as_str().starts_with("argon2") {
        return Err(format!("it was made by {}, not by argon2id", parsed.algorithm.as_str()));
    }
    if parsed.salt.is_none() || parsed.hash.is_none() {
        return Err("it has no salt or no hash in it".to_owned());
    }
    Ok(())
}

/// A hash of nothing that anybody knows: what the password of an unknown name is checked against.
static NOBODY: LazyLock<Option<String>> = LazyLock::new(|| {
    let unknown: [u8; 32] = rand::random();
    Argon2::default().hash_password(&unknown).ok().map(|hashed: PasswordHash| hashed.to_string())
});

/// Whether `password` is that of `hash`; with no hash the work is done all the same, and the answer is no.
pub fn is_right(password: &str, hash: Option<&str>) -> bool {
    let Some(text) = hash.or(NOBODY.as_deref()) else { return false };
    let Ok(parsed) = PasswordHash::new(text) else { return false };
    let matches = Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok();
    matches && hash.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_opens_its_own_hash_alone() {
        let hashed = hash("correct horse").expect("a hash");
        assert!(hashed.starts_with("$argon2id$"), "{hashed}");
        assert!(is_right("correct horse", Some(&hashed)));
        assert!(!is_right("correct hors", Some(&hashed)));
        assert!(!is_right("correct horse", None));
        assert_ne!(hash("correct horse").expect("a hash"), hashed);
    }

    #[test]
    fn what_is_no_hash_of_ours_is_said() {
        assert!(check_hash("hunter2").is_err());
        assert!(check_hash("$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q").is_err());
        assert!(check_hash("$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ").is_err());
        assert_eq!(hash("short"), Err(PasswordError::Short));
        assert_eq!(hash(&"x".repeat(2_000)), Err(PasswordError::Long));
    }
}
