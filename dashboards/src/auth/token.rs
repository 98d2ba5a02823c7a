//! Programs that come with a bearer token: what its scopes and its models allow.
//!
//! Invariants: where there are tokens, nothing below `/v1/` is answered to whoever is not known; a token that is for some
//! models sees what belongs to one of them, and no list.

use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use service::token::{Bearer, Denied, Scope};

use super::Gate;
use super::guard::is_from_elsewhere;
use crate::visit::Session;

/// Addresses for programs begin with this.
const API: &str = "/v1/";
/// What lies below it belongs to an incident, and whoever answers knows of which model ([`Session::check_model`]).
const INCIDENTS: &str = "/v1/incidents/";
/// What lies below it belongs to the model that is named next.
const MODELS: &str = "/models/";

impl Gate {
    /// The session of a program that comes with a token. `None` where none is wanted, or another way is open to whoever
    /// asks.
    pub(super) fn admit_token(&self, request: &Request) -> Option<Result<Session, Box<Response>>> {
        if self.tokens.is_empty() {
            return None;
        }
        let stated = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let is_bearer = stated.is_some_and(|stated| {
            stated.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer "))
        });
        if !is_bearer {
            // Persons have sessions, and programs may have a name and a password; where nobody logs in, only a token says
            // who asks.
            let is_unknown = request.uri().path().starts_with(API) && !self.is_closed();
            return is_unknown.then(|| Err(denied(Denied::Missing)));
        }
        Some(self.known(stated, request.method(), request.uri().path(), request.headers()))
    }

    fn known(
        &self,
        stated: Option<&str>,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
    ) -> Result<Session, Box<Response>> {
        if is_from_elsewhere(headers) {
            return Err(forbidden("this was sent by a page of another site"));
        }
        let bearer = self.tokens.check(stated, scope(method)).map_err(denied)?;
        if !is_about(&bearer, path) {
            let models = bearer.models.join(", ");
            return Err(forbidden(&format!("the token is for {models}, and this would show other models")));
        }
        Ok(Session { person: bearer.name.clone(), csrf: String::new(), models: bearer.models.clone() })
    }
}

/// What a request needs.
fn scope(method: &Method) -> Scope {
    if matches!(*method, Method::GET | Method::HEAD) { Scope::Read } else { Scope::Act }
}

/// Whether an address belongs to what the token is for, as far as the address says.
fn is_about(bearer: &Bearer, path: &str) -> bool {
    if bearer.models.is_empty() || path.starts_with(INCIDENTS) {
        return true;
    }
    let model = path.strip_prefix(MODELS).and_then(|rest| rest.split('/').next());
    model.is_some_and(|model| {
        percent_encoding::percent_decode_str(model).decode_utf8().is_ok_and(|model| bearer.is_for(&model))
    })
}

fn denied(denied: Denied) -> Box<Response> {
    let body = axum::Json(serde_json::json!({ "error": denied.to_string() }));
    Box::new(if denied.is_unauthorised() {
        (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")], body).into_response()
    } else {
        (StatusCode::FORBIDDEN, body).into_response()
    })
}

fn forbidden(why: &str) -> Box<Response> {
    let body = axum::Json(serde_json::json!({ "error": why }));
    Box::new((StatusCode::FORBIDDEN, body).into_response())
}

#[cfg(test)]
mod tests {
    use domain::time::Clock;
    use service::Secret;
    use service::token::Token;

    use super::*;
    use crate::config::Config;

    fn gate(tokens: Vec<Token>) -> Gate {
        Gate::new(&Config { tokens, ..Config::default() }, Clock::System).expect("a gate")
    }

    fn token(name: &str, scope: Scope, models: &[&str]) -> Token {
        let models = models.iter().map(|model| (*model).to_owned()).collect();
        Token {
            name: name.to_owned(),
            token: Secret::new(name),
            scopes: vec![scope],
            models,
            ..Token::default()
        }
    }

    fn ask(
        gate: &Gate,
        method: &str,
        path: &str,
        authorization: Option<&str>,
    ) -> Option<Result<String, u16>> {
        let request = Request::builder().method(method).uri(path);
        let request = match authorization {
            Some(value) => request.header("authorization", value),
            None => request,
        };
        let request = request.body(axum::body::Body::empty()).expect("a request");
        let admitted = gate.admit_token(&request)?;
        Some(admitted.map(|session| session.person).map_err(|refusal| refusal.status().as_u16()))
    }

    #[test]
    fn a_token_reads_or_acts_as_its_scopes_say() {
        let gate = gate(vec![token("reader", Scope::Read, &[]), token("actor", Scope::Act, &[])]);
        let ask =
            |method, who: &str| ask(&gate, method, "/v1/incidents/7/causes", Some(&format!("Bearer {who}")));
        assert_eq!(ask("GET", "reader"), Some(Ok("reader".to_owned())));
        assert_eq!(ask("POST", "actor"), Some(Ok("actor".to_owned())));
        assert_eq!(ask("POST", "reader"), Some(Err(403)));
        assert_eq!(ask("GET", "actor"), Some(Err(403)));
        assert_eq!(ask("GET", "nobody"), Some(Err(401)));
    }

    #[test]
    fn a_token_for_some_models_sees_no_list_and_no_other_model() {
        let gate = gate(vec![token("bound", Scope::Read, &["fraud", "a/b"])]);
        let ask = |path| ask(&gate, "GET", path, Some("Bearer bound")).expect("asked for a token").is_ok();
        for seen in
            ["/models/fraud/production", "/models/a%2Fb/production/signals/x", "/v1/incidents/7/causes"]
        {
            assert!(ask(seen), "{seen}");
        }
        for hidden in
            ["/", "/incidents", "/models/churn/production", "/models/a", "/v1/other", "/incidents/7"]
        {
            assert!(!ask(hidden), "{hidden}");
        }
    }

    #[test]
    fn without_tokens_nothing_changes_and_with_them_the_api_wants_one() {
        assert_eq!(ask(&gate(Vec::new()), "GET", "/v1/incidents/7/causes", Some("Bearer x")), None);
        let gate = gate(vec![token("reader", Scope::Read, &[])]);
        assert_eq!(ask(&gate, "GET", "/incidents", None), None);
        assert_eq!(ask(&gate, "GET", "/v1/incidents/7/causes", None), Some(Err(401)));
        assert_eq!(ask(&gate, "GET", "/v1/incidents/7/causes", Some("Basic YTpi")), Some(Err(401)));
    }
}
