//! Bearer tokens of programs: what each may do, for which models, and how much a second.
//!
//! Invariant: a token is kept as its SHA-256 only, and compared with all known ones in constant time. Tokens are long
//! and random ([`fresh`]), so a plain hash is enough: there is nothing to be guessed.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant as Moment};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::Secret;

/// A bearer token and what it allows. One of `hash`, `token` and `token_file` says what it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// For logs and changes: who this is.
    pub name: String,
    /// The token's SHA-256 in hexadecimal digits, as `leeway token` prints it.
    #[serde(default)]
    pub hash: String,
    #[serde(default)]
    pub token: Secret,
    /// A file that holds the token; wins over `token`.
    #[serde(default)]
    pub token_file: Option<PathBuf>,
    pub scopes: Vec<Scope>,
    /// The models it is for; all where none is named.
    #[serde(default)]
    pub models: Vec<String>,
    /// Whether it may stand in the address of payload logs (`?token=…`), for senders that send no headers.
    #[serde(default)]
    pub in_url: bool,
    #[serde(default)]
    pub quota: Option<Quota>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Send predictions and outcomes.
    Ingest,
    /// Send predictions.
    Predictions,
    /// Send outcomes.
    Outcomes,
    /// See what the pages show.
    Read,
    /// Acknowledge, silence, report on retrainings.
    Act,
    /// State contracts; holds all other scopes as well, but those to send.
    Admin,
}

impl Scope {
    pub fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Predictions => "predictions",
            Self::Outcomes => "outcomes",
            Self::Read => "read",
            Self::Act => "act",
            Self::Admin => "admin",
        }
    }

    /// Whether who has this scope may do what needs `wanted`.
    pub fn allows(self, wanted: Self) -> bool {
        self == wanted
            || matches!(
                (self, wanted),
                (Self::Ingest, Self::Predictions | Self::Outcomes) | (Self::Admin, Self::Read | Self::Act)
            )
    }
}

/// How many events a token may send.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// On average.
    pub events_per_s: f64,
    /// At once, after a pause.
    pub burst: f64,
}

/// What is wrong with a token, by its name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{name}\" {problem}")]
pub struct TokenError {
    pub name: String,
    pub problem: String,
}

impl Token {
    /// Says what is wrong.
    pub fn check(&self) -> Result<(), TokenError> {
        let wrong = |problem: &str| Err(TokenError { name: self.name.clone(), problem: problem.to_owned() });
        if self.hash.is_empty() && self.token.is_empty() && self.token_file.is_none() {
            return wrong(
                "has neither hash nor token nor token_file (`leeway token` makes one with its hash)",
            );
        }
        if !self.hash.is_empty() && digest_of(&self.hash).is_none() {
            return wrong(
                "has a hash that is no SHA-256: 64 hexadecimal digits, as `leeway token` prints them",
            );
        }
        if self.scopes.is_empty() {
            return wrong("has no scopes (known: ingest, predictions, outcomes, read, act, admin)");
        }
        if self.quota.is_some_and(|quota| !(quota.events_per_s > 0.0 && quota.burst >= 1.0)) {
            return wrong("has a quota without room: events_per_s must be above 0, and burst at least 1");
        }
        Ok(())
    }

    fn digest(&self) -> anyhow::Result<[u8; 32]> {
        if let Some(digest) = digest_of(&self.hash) {
            return Ok(digest);
        }
        let text = match &self.token_file {
            Some(path) => std::fs::read_to_string(path).with_context(|| {
                format!("the token \"{}\" cannot be read from \"{}\"", self.name, path.display())
            })?,
            None => self.token.expose().to_owned(),
        };
        let text = text.trim();
        anyhow::ensure!(!text.is_empty(), "the token \"{}\" is empty", self.name);
        Ok(digest(text))
    }
}

/// A new token of 256 random bits, and the hash that stands for it in the configuration.
pub fn fresh() -> (Secret, String) {
    let random: [u8; 32] = rand::random();
    let token = format!("leeway_{}", hexadecimal(&random));
    let hash = hexadecimal(&digest(&token));
    (Secret::new(token), hash)
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn digest_of(hash: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    if hash.len() != 64 || !hash.is_ascii() {
        return None;
    }
    for (place, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hash.get(2 * place..2 * place + 2)?, 16).ok()?;
    }
    Some(digest)
}

/// The tokens that are known.
#[derive(Debug)]
pub struct Tokens(Vec<Arc<Bearer>>);

/// Who was recognised by a token.
#[derive(Debug)]
pub struct Bearer {
    pub name: String,
    /// The models it is for; all where none is named.
    pub models: Vec<String>,
    digest: [u8; 32],
    scopes: Vec<Scope>,
    in_url: bool,
    quota: Option<Bucket>,
}

/// Where a token was found. Addresses end in logs and manifests, so only tokens that are meant for it count there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Given {
    InHeader,
    InUrl,
}

/// Why a request is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    #[error("a token is needed; send it as `Authorization: Bearer …`")]
    Missing,
    #[error("the token is not known")]
    Unknown,
    #[error("this token must not stand in an address; send it as a header, or set its in_url")]
    InUrl,
    #[error("the token's scopes do not allow {}", .0.name())]
    Scope(Scope),
}

impl Denied {
    /// Whether it is not known who asks, which another token may mend.
    pub fn is_unauthorised(self) -> bool {
        matches!(self, Self::Missing | Self::Unknown)
    }
}

impl Tokens {
    /// # Errors
    /// Where a token's file cannot be read or is empty.
    pub fn read(tokens: &[Token]) -> anyhow::Result<Self> {
        let known = tokens.iter().map(|token| {
            Ok(Arc::new(Bearer {
                name: token.name.clone(),
                models: token.models.clone(),
                digest: token.digest()?,
                scopes: token.scopes.clone(),
                in_url: token.in_url,
                quota: token.quota.map(Bucket::full),
            }))
        });
        known.collect::<anyhow::Result<_>>().map(Self)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Who sends the header `Authorization`, if `scope` is among what it may do.
    pub fn check(&self, authorization: Option<&str>, scope: Scope) -> Result<Arc<Bearer>, Denied> {
        self.check_given(authorization.and_then(bearer), Given::InHeader, scope)
    }

    /// The same for senders that can only be given an address: also `?token=…`, where the token is meant for it.
    pub fn check_with_url(
        &self,
        authorization: Option<&str>,
        query: Option<&str>,
        scope: Scope,
    ) -> Result<Arc<Bearer>, Denied> {
        match authorization.and_then(bearer) {
            Some(token) => self.check_given(Some(token), Given::InHeader, scope),
            None => self.check_given(query.and_then(in_query), Given::InUrl, scope),
        }
    }

    fn check_given(&self, token: Option<&str>, given: Given, scope: Scope) -> Result<Arc<Bearer>, Denied> {
        let hashed = token.map(digest).ok_or(Denied::Missing)?;
        // All are compared, so that the time taken says nothing about which one came close.
        let mut found = None;
        for known in &self.0 {
            if bool::from(known.digest.ct_eq(&hashed)) {
                found = Some(known);
            }
        }
        match found.ok_or(Denied::Unknown)? {
            bearer if given == Given::InUrl && !bearer.in_url => Err(Denied::InUrl),
            bearer if !bearer.may(scope) => Err(Denied::Scope(scope)),
            bearer => Ok(bearer.clone()),
        }
    }
}

fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// The token of `?token=…`, as it stands: tokens have no characters that an address would write otherwise.
fn in_query(query: &str) -> Option<&str> {
    query.split('&').find_map(|pair| pair.strip_prefix("token="))
}

impl Bearer {
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.iter().any(|known| known.allows(scope))
    }

    pub fn is_for(&self, model: &str) -> bool {
        self.models.is_empty() || self.models.iter().any(|known| known == model)
    }

    /// Takes `events` out of the quota.
    ///
    /// # Errors
    /// How long to wait, where it is used up.
    pub fn spend(&self, events: usize) -> Result<(), Duration> {
        match &self.quota {
            Some(bucket) => bucket.spend(events, Moment::now()),
            None => Ok(()),
        }
    }
}

/// A token bucket. A request larger than the burst is let in while there is anything left, and leaves a debt: it could
/// never come otherwise.
#[derive(Debug)]
struct Bucket {
    quota: Quota,
    state: Mutex<(f64, Moment)>,
}

impl Bucket {
    fn full(quota: Quota) -> Self {
        Self { quota, state: Mutex::new((quota.burst, Moment::now())) }
    }

    fn spend(&self, events: usize, now: Moment) -> Result<(), Duration> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (left, since) = *state;
        let gained = now.saturating_duration_since(since).as_secs_f64() * self.quota.events_per_s;
        let left = (left + gained).min(self.quota.burst);
        let wanted = (events as f64).min(self.quota.burst);
        if left < wanted {
            *state = (left, now);
            return Err(Duration::from_secs_f64((wanted - left) / self.quota.events_per_s));
        }
        *state = (left - events as f64, now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> Tokens {
        let token = |name: &str, scopes: Vec<Scope>, models: &[&str]| Token {
            name: name.to_owned(),
            token: Secret::new(format!("secret-{name}")),
            scopes,
            models: models.iter().map(|model| (*model).to_owned()).collect(),
            in_url: name == "url",
            ..Token::default()
        };
        Tokens::read(&[
            token("both", vec![Scope::Ingest], &[]),
            token("one", vec![Scope::Outcomes], &["fraud"]),
            token("chief", vec![Scope::Admin], &[]),
            token("url", vec![Scope::Predictions], &[]),
        ])
        .expect("good tokens")
    }

    fn check(header: Option<&str>, scope: Scope) -> Result<String, Denied> {
        tokens().check(header, scope).map(|bearer| bearer.name.clone())
    }

    #[test]
    fn a_token_allows_what_its_scopes_say() {
        assert_eq!(check(Some("Bearer secret-both"), Scope::Predictions).as_deref(), Ok("both"));
        assert_eq!(check(Some("bearer secret-one"), Scope::Outcomes).as_deref(), Ok("one"));
        let denied = Err(Denied::Scope(Scope::Predictions));
        assert_eq!(check(Some("Bearer secret-one"), Scope::Predictions), denied);
        assert_eq!(check(Some("Bearer secret-chief"), Scope::Predictions), denied);
        for scope in [Scope::Read, Scope::Act, Scope::Admin] {
            assert_eq!(check(Some("Bearer secret-chief"), scope).as_deref(), Ok("chief"));
            assert_eq!(check(Some("Bearer secret-both"), scope), Err(Denied::Scope(scope)));
        }
    }

    #[test]
    fn no_token_or_a_wrong_one_is_denied() {
        for header in [None, Some("Basic secret-both"), Some("secret-both")] {
            assert_eq!(check(header, Scope::Predictions), Err(Denied::Missing), "{header:?}");
        }
        for header in ["Bearer x", "Bearer "] {
            assert_eq!(check(Some(header), Scope::Predictions), Err(Denied::Unknown));
        }
    }

    #[test]
    fn a_token_in_an_address_counts_where_it_is_meant_for_it() {
        let in_url = |query: &str, scope: Scope| {
            tokens().check_with_url(None, Some(query), scope).map(|bearer| bearer.name.clone())
        };
        assert_eq!(in_url("a=b&token=secret-url", Scope::Predictions).as_deref(), Ok("url"));
        assert_eq!(in_url("token=secret-url", Scope::Outcomes), Err(Denied::Scope(Scope::Outcomes)));
        assert_eq!(in_url("token=secret-both", Scope::Predictions), Err(Denied::InUrl));
        assert_eq!(in_url("token=x", Scope::Predictions), Err(Denied::Unknown));
        assert_eq!(in_url("", Scope::Predictions), Err(Denied::Missing));
        let header = Some("Bearer secret-both");
        let both = tokens().check_with_url(header, Some("token=x"), Scope::Predictions);
        assert_eq!(both.map(|bearer| bearer.name.clone()).as_deref(), Ok("both"), "the header wins");
    }

    #[test]
    fn a_fresh_token_is_known_by_its_hash_alone() {
        let (token, hash) = fresh();
        assert_ne!(token, fresh().0);
        assert_eq!(token.expose().len(), "leeway_".len() + 64);
        let known = Token { name: "ci".to_owned(), hash, scopes: vec![Scope::Read], ..Token::default() };
        assert_eq!(known.check(), Ok(()));
        let tokens = Tokens::read(&[known]).expect("good tokens");
        let header = format!("Bearer {}", token.expose());
        assert!(tokens.check(Some(&header), Scope::Read).is_ok());
        assert!(tokens.check(Some(&format!("{header}x")), Scope::Read).is_err());
    }

    #[test]
    fn a_token_that_cannot_work_says_why() {
        let sound = Token { hash: "0".repeat(64), scopes: vec![Scope::Read], ..Token::default() };
        let quota = Some(Quota { events_per_s: 0.0, burst: 5.0 });
        let cases = [
            (Token { hash: String::new(), ..sound.clone() }, "neither hash nor token"),
            (Token { hash: "xyz".to_owned(), ..sound.clone() }, "64 hexadecimal digits"),
            (Token { scopes: Vec::new(), ..sound.clone() }, "known: ingest"),
            (Token { quota, ..sound.clone() }, "events_per_s must be above 0"),
        ];
        for (token, expected) in cases {
            let error = token.check().expect_err(expected).to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_quota_lets_its_rate_through_and_says_when_to_come_back() {
        let bucket = Bucket::full(Quota { events_per_s: 10.0, burst: 20.0 });
        let start = Moment::now();
        let at = |seconds: f64| start + Duration::from_secs_f64(seconds);
        assert_eq!(bucket.spend(15, at(0.0)), Ok(()));
        let wait = bucket.spend(10, at(0.0)).expect_err("five are left");
        assert!((wait.as_secs_f64() - 0.5).abs() < 0.05, "{wait:?}");
        assert_eq!(bucket.spend(10, at(0.6)), Ok(()));
        // More than a burst at once is let in when the bucket is full, and is paid back.
        assert_eq!(bucket.spend(60, at(60.0)), Ok(()));
        let wait = bucket.spend(1, at(60.0)).expect_err("a debt");
        assert!((wait.as_secs_f64() - 4.1).abs() < 0.05, "{wait:?}");
    }
}
