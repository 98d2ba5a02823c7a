//! The signature of the Standard Webhooks (1.0.0): HMAC-SHA-256 over `{id}.{timestamp}.{body}`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::time::Instant;
use hmac::{Hmac, KeyInit, Mac};
use service::Secret;
use sha2::Sha256;

pub const ID: &str = "webhook-id";
pub const TIMESTAMP: &str = "webhook-timestamp";
pub const SIGNATURE: &str = "webhook-signature";

const PREFIX: &str = "whsec_";
/// What the specification asks of a key.
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// What a message is signed with; two while a secret is being replaced, so that the receiver may know either.
#[derive(Clone)]
pub struct Keys(Vec<Vec<u8>>);

/// Why a secret cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    #[error("must begin with whsec_")]
    Prefix,
    #[error("must be whsec_ and base64")]
    Encoding,
    #[error("must hold 24 to 64 bytes, base64-encoded after whsec_")]
    Length,
}

impl Keys {
    /// Reads secrets written `whsec_` and base64; several stand apart by spaces, the new one first.
    pub fn parse(secret: &Secret) -> Result<Self, SecretError> {
        let keys: Vec<Vec<u8>> = secret.expose().split_whitespace().map(key).collect::<Result<_, _>>()?;
        if keys.is_empty() { Err(SecretError::Prefix) } else { Ok(Self(keys)) }
    }

    /// The value of `webhook-signature`.
    pub fn sign(&self, id: &str, at: Instant, body: &[u8]) -> String {
        let signed: Vec<String> = self.0.iter().map(|key| sign_with(key, id, at, body)).collect();
        signed.join(" ")
    }
}

fn key(secret: &str) -> Result<Vec<u8>, SecretError> {
    let encoded = secret.strip_prefix(PREFIX).ok_or(SecretError::Prefix)?;
    let key = STANDARD.decode(encoded).map_err(|_| SecretError::Encoding)?;
    if BYTES.contains(&key.len()) { Ok(key) } else { Err(SecretError::Length) }
}

fn sign_with(key: &[u8], id: &str, at: Instant, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(format!("{id}.{}.", at.seconds()).as_bytes());
    mac.update(body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const NEW: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

    /// The example of the specification's own reference libraries.
    #[test]
    fn the_signature_is_the_one_of_the_public_example() {
        let keys = Keys::parse(&Secret::new(OLD)).expect("a secret");
        let at = Instant::from_seconds(1_614_265_330);
        let signature = keys.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn the_public_library_signs_the_same_and_either_secret_verifies() {
        let keys = Keys::parse(&Secret::new(format!("{NEW} {OLD}"))).expect("secrets");
        let signature = keys.sign("msg_1", Instant::from_seconds(1_700_000_000), b"{}");
        for secret in [OLD, NEW] {
            let public = standardwebhooks::Webhook::new(secret).expect("a secret");
            let expected = public.sign("msg_1", 1_700_000_000, b"{}").expect("signed");
            assert!(signature.split(' ').any(|one| one == expected), "{signature}");
        }
    }

    #[test]
    fn a_secret_that_the_specification_forbids_is_refused() {
        let error = |text: &str| Keys::parse(&Secret::new(text)).err();
        assert_eq!(error("swordfish"), Some(SecretError::Prefix));
        assert_eq!(error(""), Some(SecretError::Prefix));
        assert_eq!(error("whsec_?"), Some(SecretError::Encoding));
        assert_eq!(error("whsec_c2hvcnQ="), Some(SecretError::Length));
    }
}
