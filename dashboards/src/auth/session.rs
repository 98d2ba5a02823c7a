//! Signed cookies and the tokens of forms. A session is a name, an end and a random number under an HMAC; nothing is
//! kept on the server.
//!
//! Invariant: what was not signed with the person's present key, or has ended, is no session.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::time::Instant;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// The longest cookie that is looked at.
const LONGEST: usize = 1_024;

/// What signs. Its `Debug` hides it.
#[derive(Clone)]
pub struct Key([u8; 32]);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

/// A session as its cookie tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    pub person: String,
    pub ends_at: Instant,
    /// Random; the token of this session's forms hangs on it, also after the session was prolonged.
    pub nonce: String,
}

impl Key {
    pub fn random() -> Self {
        Self(rand::random())
    }

    /// The key of a person's sessions, from the hash of the password: every process that reads the same configuration
    /// has it, and a new password ends all sessions.
    pub fn of_hash(hash: &str) -> Self {
        let mut key = [0; 32];
        key.copy_from_slice(&mac(hash.as_bytes(), &["leeway session key"]));
        Self(key)
    }

    /// The cookie's value.
    pub fn sign(&self, ticket: &Ticket) -> String {
        let body = body(ticket);
        let signature = URL_SAFE_NO_PAD.encode(mac(&self.0, &["session", &body]));
        format!("{body}.{signature}")
    }

    /// What the forms of a session carry.
    pub fn csrf(&self, nonce: &str) -> String {
        URL_SAFE_NO_PAD.encode(mac(&self.0, &["csrf", nonce]))
    }
}

fn body(ticket: &Ticket) -> String {
    format!("{}.{}.{}", URL_SAFE_NO_PAD.encode(&ticket.person), ticket.ends_at.millis(), ticket.nonce)
}

pub fn nonce() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>())
}

/// The session that a cookie's value is, if it is one at `now`. `key_of` knows the keys of people.
pub fn read(cookie: &str, key_of: impl Fn(&str) -> Option<Key>, now: Instant) -> Option<Ticket> {
    if cookie.len() > LONGEST {
        return None;
    }
    let (signed, signature) = cookie.rsplit_once('.')?;
    let mut parts = signed.splitn(3, '.');
    let person = String::from_utf8(URL_SAFE_NO_PAD.decode(parts.next()?).ok()?).ok()?;
    let ends_at = Instant::from_millis(parts.next()?.parse().ok()?);
    let nonce = parts.next()?.to_owned();
    let key = key_of(&person)?;
    let expected = mac(&key.0, &["session", signed]);
    let given = URL_SAFE_NO_PAD.decode(signature).ok()?;
    (is_same(&expected, &given) && now < ends_at).then_some(Ticket { person, ends_at, nonce })
}

/// Compares without telling by the time it takes where two texts differ.
pub fn is_same(one: &[u8], other: &[u8]) -> bool {
    one.ct_eq(other).into()
}

fn mac(key: &[u8], parts: &[&str]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part.as_bytes());
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket() -> Ticket {
        Ticket { person: "Ada L.".to_owned(), ends_at: Instant::from_seconds(100), nonce: nonce() }
    }

    #[test]
    fn a_session_reads_back_until_it_ends() {
        let (key, ticket) = (Key::of_hash("$argon2id$x"), ticket());
        let cookie = key.sign(&ticket);
        let at = |seconds| read(&cookie, |_| Some(key.clone()), Instant::from_seconds(seconds));
        assert_eq!(at(99), Some(ticket));
        assert_eq!(at(100), None);
    }

    #[test]
    fn a_new_password_or_a_changed_letter_ends_a_session() {
        let key = Key::of_hash("$argon2id$x");
        let cookie = key.sign(&ticket());
        let now = Instant::from_seconds(1);
        assert_eq!(read(&cookie, |_| Some(Key::of_hash("$argon2id$y")), now), None);
        assert_eq!(read(&cookie, |_| None, now), None);
        for index in 0..cookie.len() {
            let mut changed = cookie.clone().into_bytes();
            changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).expect("ASCII");
            if changed != cookie {
                // The last letter of base64 may hold bits that do not count.
                let same_bytes = index == cookie.len() - 1;
                let read = read(&changed, |_| Some(key.clone()), now);
                assert!(read.is_none() || same_bytes, "{index}");
            }
        }
    }

    #[test]
    fn the_token_of_a_form_belongs_to_one_session() {
        let key = Key::random();
        assert_eq!(key.csrf("a"), key.csrf("a"));
        assert_ne!(key.csrf("a"), key.csrf("b"));
        assert_ne!(key.csrf("a"), Key::random().csrf("a"));
        assert_eq!(format!("{key:?}"), "Key(…)");
    }

    proptest::proptest! {
        #[test]
        fn no_cookie_is_a_panic(cookie in ".{0,200}") {
            let _ = read(&cookie, |_| Some(Key::of_hash("x")), Instant::EPOCH);
        }
    }
}
