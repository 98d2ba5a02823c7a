//! Who may send what: bearer tokens with scopes, kept as hashes and compared in constant time.

use anyhow::Context as _;
use axum::http::{HeaderMap, Request, StatusCode, header};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::answer::Refusal;
use crate::config::{Scope, Token};

pub struct Tokens(Vec<Known>);

struct Known {
    hash: [u8; 32],
    scopes: Vec<Scope>,
    models: Vec<String>,
    in_url: bool,
}

/// Where a token was found. Addresses end in logs and manifests, so only tokens that are meant for it count there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Given {
    InHeader,
    InUrl,
}

/// What the sender of a request may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// The models that may be written; all where none is named.
    pub models: Vec<String>,
}

impl Tokens {
    /// # Errors
    /// Where a token's file cannot be read or is empty.
    pub fn read(tokens: &[Token]) -> anyhow::Result<Self> {
        let known = tokens.iter().map(|token| {
            let text = match &token.token_file {
                Some(path) => std::fs::read_to_string(path).with_context(|| {
                    format!("the token \"{}\" cannot be read from \"{}\"", token.name, path.display())
                })?,
                None => token.token.expose().to_owned(),
            };
            let text = text.trim();
            anyhow::ensure!(!text.is_empty(), "the token \"{}\" is empty", token.name);
            Ok(Known {
                hash: hash(text),
                scopes: token.scopes.clone(),
                models: token.models.clone(),
                in_url: token.in_url,
            })
        });
        known.collect::<anyhow::Result<_>>().map(Self)
    }

    /// Whether the sender may send events of this `scope`. Without any tokens everybody may: the collector then
    /// listens on loopback only.
    pub fn check(&self, headers: &HeaderMap, scope: Scope) -> Result<Allowed, Refusal> {
        self.check_given(bearer(headers), Given::InHeader, scope)
    }

    /// The same for senders that can only be given an address: also `?token=…`, where the token is meant for it.
    pub fn check_with_url(
        &self,
        headers: &HeaderMap,
        query: Option<&str>,
        scope: Scope,
    ) -> Result<Allowed, Refusal> {
        match bearer(headers) {
            Some(token) => self.check_given(Some(token), Given::InHeader, scope),
            None => self.check_given(query.and_then(in_query), Given::InUrl, scope),
        }
    }

    fn check_given(&self, token: Option<&str>, given: Given, scope: Scope) -> Result<Allowed, Refusal> {
        if self.0.is_empty() {
            return Ok(Allowed::default());
        }
        let Some(hashed) = token.map(hash) else {
            let error = "a token is needed; send it as `Authorization: Bearer …`";
            return Err(Refusal::of(StatusCode::UNAUTHORIZED, error));
        };
        // All are compared, so that the time taken says nothing about which one came close.
        let mut found = None;
        for known in &self.0 {
            if bool::from(known.hash.ct_eq(&hashed)) {
                found = Some(known);
            }
        }
        match found {
            None => Err(Refusal::of(StatusCode::UNAUTHORIZED, "the token is not known")),
            Some(known) if given == Given::InUrl && !known.in_url => {
                let error = "this token must not stand in an address; send it as a header, or set its in_url";
                Err(Refusal::of(StatusCode::FORBIDDEN, error))
            }
            Some(known) if !known.scopes.contains(&scope) => {
                let error = format!("the token's scopes do not allow {}", scope.name());
                Err(Refusal::of(StatusCode::FORBIDDEN, error))
            }
            Some(known) => Ok(Allowed { models: known.models.clone() }),
        }
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// The token of `?token=…`, as it stands: tokens have no characters that an address would write otherwise.
fn in_query(query: &str) -> Option<&str> {
    query.split('&').find_map(|pair| pair.strip_prefix("token="))
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// The request's id, given by the sender or by us.
pub fn request_id<B>(request: &Request<B>) -> String {
    let id = request.headers().get("x-request-id").and_then(|value| value.to_str().ok());
    id.unwrap_or_default().chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use service::Secret;

    use super::*;

    fn tokens() -> Tokens {
        let token = |name: &str, scopes: Vec<Scope>, models: &[&str]| Token {
            name: name.to_owned(),
            token: Secret::new(format!("secret-{name}")),
            token_file: None,
            scopes,
            models: models.iter().map(|model| (*model).to_owned()).collect(),
            in_url: name == "url",
        };
        Tokens::read(&[
            token("both", vec![Scope::Predictions, Scope::Outcomes], &[]),
            token("one", vec![Scope::Outcomes], &["fraud"]),
            token("url", vec![Scope::Predictions], &[]),
        ])
        .expect("good tokens")
    }

    fn check(header: Option<&str>, scope: Scope) -> Result<Allowed, u16> {
        let mut headers = HeaderMap::new();
        if let Some(value) = header {
            headers.insert(header::AUTHORIZATION, value.parse().expect("a header"));
        }
        tokens().check(&headers, scope).map_err(|refusal| refusal.status.as_u16())
    }

    #[test]
    fn a_token_allows_what_its_scopes_say() {
        assert_eq!(check(Some("Bearer secret-both"), Scope::Predictions), Ok(Allowed::default()));
        assert_eq!(check(Some("bearer secret-one"), Scope::Outcomes).expect("allowed").models, ["fraud"]);
        assert_eq!(check(Some("Bearer secret-one"), Scope::Predictions), Err(403));
    }

    #[test]
    fn no_token_or_a_wrong_one_is_unauthorised() {
        for header in
            [None, Some("Bearer x"), Some("Basic secret-both"), Some("secret-both"), Some("Bearer ")]
        {
            assert_eq!(check(header, Scope::Predictions), Err(401), "{header:?}");
        }
    }

    #[test]
    fn a_token_in_an_address_counts_where_it_is_meant_for_it() {
        let in_url = |query: &str, scope: Scope| {
            let outcome = tokens().check_with_url(&HeaderMap::new(), Some(query), scope);
            outcome.map_err(|refusal| refusal.status.as_u16())
        };
        assert_eq!(in_url("a=b&token=secret-url", Scope::Predictions), Ok(Allowed::default()));
        assert_eq!(in_url("token=secret-url", Scope::Outcomes), Err(403));
        assert_eq!(in_url("token=secret-both", Scope::Predictions), Err(403));
        assert_eq!(in_url("token=x", Scope::Predictions), Err(401));
        assert_eq!(in_url("", Scope::Predictions), Err(401));
    }
}
