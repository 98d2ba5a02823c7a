//! Who may send what, said in answers of HTTP.

use std::sync::Arc;

use axum::http::{HeaderMap, Request, StatusCode, header};
use service::token::{Bearer, Denied, Scope, Tokens};

use super::answer::Refusal;

/// What the sender of a request may do: everything where there are no tokens, for then only this machine is heard.
#[derive(Clone, Debug, Default)]
pub struct Allowed(Option<Arc<Bearer>>);

impl Allowed {
    /// The models that may be written; all where none is named.
    pub fn models(&self) -> Vec<String> {
        self.0.as_ref().map(|bearer| bearer.models.clone()).unwrap_or_default()
    }

    pub fn is_for(&self, model: &str) -> bool {
        self.0.as_ref().is_none_or(|bearer| bearer.is_for(model))
    }

    /// Who this is, for the record.
    pub fn name(&self) -> &str {
        self.0.as_ref().map_or("local", |bearer| &bearer.name)
    }

    /// Takes events out of the quota.
    pub fn spend(&self, events: usize) -> Result<(), Refusal> {
        match &self.0 {
            Some(bearer) => bearer.spend(events).map_err(Refusal::over_quota),
            None => Ok(()),
        }
    }
}

/// Whether the sender may do what needs `scope`.
pub fn check(tokens: &Tokens, headers: &HeaderMap, scope: Scope) -> Result<Allowed, Refusal> {
    if tokens.is_empty() {
        return Ok(Allowed::default());
    }
    allowed(tokens.check(authorization(headers), scope))
}

/// The same for senders that can only be given an address: also `?token=…`, where the token is meant for it.
pub fn check_with_url(
    tokens: &Tokens,
    headers: &HeaderMap,
    query: Option<&str>,
    scope: Scope,
) -> Result<Allowed, Refusal> {
    if tokens.is_empty() {
        return Ok(Allowed::default());
    }
    allowed(tokens.check_with_url(authorization(headers), query, scope))
}

fn authorization(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok())
}

fn allowed(checked: Result<Arc<Bearer>, Denied>) -> Result<Allowed, Refusal> {
    checked.map(|bearer| Allowed(Some(bearer))).map_err(|denied| {
        let status = if denied.is_unauthorised() { StatusCode::UNAUTHORIZED } else { StatusCode::FORBIDDEN };
        Refusal::of(status, denied.to_string())
    })
}

/// The request's id, given by the sender or by us.
pub fn request_id<B>(request: &Request<B>) -> String {
    let id = request.headers().get("x-request-id").and_then(|value| value.to_str().ok());
    id.unwrap_or_default().chars().take(64).collect()
}
