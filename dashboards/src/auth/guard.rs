//! Stands before every page: finds out who asks, and turns away who may not.
//!
//! Where nobody logs in, requests must name this machine: a foreign name that was made to point here would let a
//! stranger's page read ours. Where people log in, a request without a session goes to the page to log in.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::login::Outcome;
use super::session::{self, Ticket};
use super::{Gate, host_name};
use crate::text::path_part;
use crate::visit::Session;

pub const SESSION_COOKIE: &str = "leeway_session";
const VISIT_COOKIE: &str = "leeway_visit";
/// A name and a password, in base64.
const LONGEST_CREDENTIALS: usize = 2_048;

/// Who asks, and the cookie to be set with the answer, if any.
struct Admitted {
    session: Session,
    cookie: Option<String>,
}

pub async fn guard(State(gate): State<Arc<Gate>>, mut request: Request, next: Next) -> Response {
    let admitted = match gate.admit_token(&request) {
        Some(session) => session.map(|session| Admitted { session, cookie: None }),
        None => match gate.admit_program(request.headers()).await {
            Some(admitted) => admitted,
            None => gate.admit(&request),
        },
    };
    let admitted = match admitted {
        Ok(admitted) => admitted,
        Err(refusal) => return *refusal,
    };
    request.extensions_mut().insert(admitted.session);
    let mut response = next.run(request).await;
    if let Some(cookie) = admitted.cookie.and_then(|cookie| HeaderValue::from_str(&cookie).ok()) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

impl Gate {
    fn admit(&self, request: &Request) -> Result<Admitted, Box<Response>> {
        let headers = request.headers();
        let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
        if changes && is_from_elsewhere(headers) {
            return Err(refused("this was sent by a page of another site"));
        }
        if self.is_closed() { self.admit_person(request) } else { self.admit_anybody(request) }
    }

    /// Programs send name and password with each request (HTTP Basic), and get a session without a token for forms.
    /// `None` where nothing of that kind was sent.
    async fn admit_program(&self, headers: &HeaderMap) -> Option<Result<Admitted, Box<Response>>> {
        if !self.is_closed() || is_from_elsewhere(headers) {
            return None;
        }
        let (name, password) = credentials(headers)?;
        Some(match self.check(&name, &password, None).await {
            Outcome::Right => {
                Ok(Admitted { session: Session { person: name, ..Session::default() }, cookie: None })
            }
            Outcome::Wrong => {
                let body = serde_json::json!({ "error": "the name or the password is wrong" });
                Err(Box::new((StatusCode::UNAUTHORIZED, axum::Json(body)).into_response()))
            }
            Outcome::Wait(length) => {
                let headers = [(header::RETRY_AFTER, length.as_secs().max(1).to_string())];
                let body = serde_json::json!({ "error": "too many attempts failed" });
                Err(Box::new((StatusCode::TOO_MANY_REQUESTS, headers, axum::Json(body)).into_response()))
            }
        })
    }

    fn admit_anybody(&self, request: &Request) -> Result<Admitted, Box<Response>> {
        let host = host_of(request);
        if !self.is_known_host(&host) {
            return Err(refused(
                "nobody has to log in here, so only this machine is served, and under its own name: open it as \
                 http://127.0.0.1, or set dashboards.base_url to the name that people use (and dashboards.users, where \
                 others can reach it)",
            ));
        }
        let known = cookie(request.headers(), VISIT_COOKIE).filter(|nonce| is_nonce(nonce));
        let is_new = known.is_none();
        let nonce = known.map_or_else(session::nonce, str::to_owned);
        let session = Session { csrf: self.key.csrf(&nonce), ..Session::default() };
        let cookie = is_new.then(|| self.cookie(VISIT_COOKIE, &nonce, None, request.headers()));
        Ok(Admitted { session, cookie })
    }

    fn admit_person(&self, request: &Request) -> Result<Admitted, Box<Response>> {
        let now = self.clock.now();
        let ticket = cookie(request.headers(), SESSION_COOKIE)
            .and_then(|cookie| session::read(cookie, |person| self.key_of(person), now));
        let Some(ticket) = ticket else {
            return Err(Box::new(to_log_in(request.method(), request.uri(), request.headers())));
        };
        // Who is here is not sent away in mid-work: the second half of a session makes it a new one.
        let is_old = ticket.ends_at.since(now).as_millis() as i64 * 2 < self.session_ms;
        let cookie =
            is_old.then(|| self.session_cookie(&ticket.person, ticket.nonce.clone(), request.headers()));
        Ok(Admitted { session: self.session_of(&ticket), cookie: cookie.flatten() })
    }

    fn session_of(&self, ticket: &Ticket) -> Session {
        let csrf = self.key_of(&ticket.person).map(|key| key.csrf(&ticket.nonce));
        Session { person: ticket.person.clone(), csrf: csrf.unwrap_or_default(), ..Session::default() }
    }

    /// The cookie of a session of `person` that begins now.
    pub(super) fn session_cookie(&self, person: &str, nonce: String, headers: &HeaderMap) -> Option<String> {
        let key = self.key_of(person)?;
        let ends_at = domain::time::Instant::from_millis(self.clock.now().millis() + self.session_ms);
        let value = key.sign(&Ticket { person: person.to_owned(), ends_at, nonce });
        Some(self.cookie(SESSION_COOKIE, &value, Some(self.session_ms / 1_000), headers))
    }

    pub(super) fn ended_cookie(&self, headers: &HeaderMap) -> String {
        self.cookie(SESSION_COOKIE, "", Some(0), headers)
    }

    fn cookie(&self, name: &str, value: &str, max_age_s: Option<i64>, headers: &HeaderMap) -> String {
        let age = max_age_s.map_or_else(String::new, |seconds| format!("; Max-Age={seconds}"));
        let forwarded = headers.get("x-forwarded-proto").is_some_and(|proto| proto == "https");
        let secure = if self.secure || forwarded { "; Secure" } else { "" };
        format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{age}{secure}")
    }
}

fn refused(why: &str) -> Box<Response> {
    Box::new((StatusCode::FORBIDDEN, format!("Leeway does not answer this: {why}.\n")).into_response())
}

fn to_log_in(method: &Method, uri: &Uri, headers: &HeaderMap) -> Response {
    let wants_page = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_none_or(|accept| accept.contains("text/html") || accept.contains("*/*"));
    let is_other_form = uri.query().is_some_and(|query| query.contains("format="));
    if *method != Method::GET || !wants_page || is_other_form {
        let body = serde_json::json!({ "error": "log in first", "at": "/login" });
        return (StatusCode::UNAUTHORIZED, axum::Json(body)).into_response();
    }
    let then = uri.path_and_query().map_or("/", |path| path.as_str());
    Redirect::to(&format!("/login?then={}", path_part(then))).into_response()
}

/// Whether the browser says that a page of another site sent this. Programs say neither and are not browsers.
pub(super) fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site != "same-origin" && site != "none";
    }
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    match (text(header::ORIGIN), text(header::HOST)) {
        (Some(origin), Some(host)) => {
            let origin_host = origin.split_once("://").map_or("", |(_, rest)| rest);
            !origin_host.eq_ignore_ascii_case(host)
        }
        (Some(_), None) => true,
        (None, _) => false,
    }
}

/// Name and password of `Authorization: Basic …`.
fn credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let stated = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = stated.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") || encoded.len() > LONGEST_CREDENTIALS {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (name, password) = decoded.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}

fn host_of(request: &Request) -> String {
    let named = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let host = named.or_else(|| request.uri().authority().map(|authority| authority.as_str()));
    host_name(host.unwrap_or_default()).to_owned()
}

/// A cookie of the request by name.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}

fn is_nonce(text: &str) -> bool {
    text.len() == 22 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value")))
            .collect()
    }

    #[test]
    fn a_form_of_another_site_is_told_from_ours() {
        assert!(is_from_elsewhere(&headers(&[("sec-fetch-site", "cross-site")])));
        assert!(is_from_elsewhere(&headers(&[("sec-fetch-site", "same-site")])));
        assert!(!is_from_elsewhere(&headers(&[("sec-fetch-site", "same-origin")])));
        assert!(is_from_elsewhere(&headers(&[
            ("origin", "http://evil.example"),
            ("host", "127.0.0.1:4840")
        ])));
        assert!(is_from_elsewhere(&headers(&[("origin", "null"), ("host", "127.0.0.1:4840")])));
        assert!(!is_from_elsewhere(&headers(&[
            ("origin", "http://127.0.0.1:4840"),
            ("host", "127.0.0.1:4840")
        ])));
        assert!(!is_from_elsewhere(&headers(&[])));
    }

    #[test]
    fn programs_send_name_and_password_with_each_request() {
        let sent = |value: &str| credentials(&headers(&[("authorization", value)]));
        assert_eq!(sent("Basic YWRhOmE6Yg=="), Some(("ada".to_owned(), "a:b".to_owned())));
        assert_eq!(sent("Bearer YWRhOmE6Yg=="), None);
        assert_eq!(sent("Basic !!"), None);
        assert_eq!(sent("Basic YWRh"), None);
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let headers = headers(&[("cookie", "a=1; leeway_visit=x=y ; b=2")]);
        assert_eq!(cookie(&headers, VISIT_COOKIE), Some("x=y"));
        assert_eq!(cookie(&headers, "leeway"), None);
    }
}
