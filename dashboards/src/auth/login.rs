//! The page to log in, and the way out.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{ConnectInfo, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};

use super::posted::{self, Posted, is_ours};
use super::{Gate, guard, password, session};
use crate::assets;

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    css: String,
    icon: String,
    name: String,
    then: String,
    problem: String,
}

/// Pages that everybody may see. They stand outside the guard.
pub fn routes(gate: Arc<Gate>) -> Router {
    Router::new().route("/login", get(show).post(log_in)).with_state(gate)
}

/// The way out, behind the guard.
pub fn logout<S: Clone + Send + Sync + 'static>(gate: Arc<Gate>) -> Router<S> {
    Router::new().route("/logout", post(log_out)).with_state(gate)
}

#[derive(serde::Deserialize)]
struct Then {
    #[serde(default)]
    then: String,
}

async fn show(State(gate): State<Arc<Gate>>, Query(Then { then }): Query<Then>) -> Response {
    if !gate.is_closed() {
        return Redirect::to("/").into_response();
    }
    page(String::new(), &then, String::new(), StatusCode::OK)
}

fn page(name: String, then: &str, problem: String, status: StatusCode) -> Response {
    let then = if is_ours(then) { then.to_owned() } else { "/".to_owned() };
    let page =
        LoginPage { css: assets::url("leeway.css"), icon: assets::url("icon.svg"), name, then, problem };
    match page.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn log_in(State(gate): State<Arc<Gate>>, request: Request) -> Response {
    if !gate.is_closed() {
        return Redirect::to("/").into_response();
    }
    if guard::is_from_elsewhere(request.headers()) {
        return (StatusCode::FORBIDDEN, "this was sent by a page of another site\n").into_response();
    }
    let address = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let headers = request.headers().clone();
    let fields = match posted::fields(request).await {
        Ok(fields) => fields,
        Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    };
    let get = |name: &str| fields.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
    let (name, then) = (get("name").trim(), get("then"));
    match gate.check(name, get("password"), address).await {
        Outcome::Right => gate.welcome(name, then, &headers),
        Outcome::Wrong => {
            tracing::info!(name = crate::text::cut(name, 64), "a log-in failed");
            let problem = "The name or the password is wrong.".to_owned();
            page(crate::text::cut(name, 64), then, problem, StatusCode::UNAUTHORIZED)
        }
        Outcome::Wait(length) => {
            let problem =
                format!("Too many attempts failed. Try again in {}.", crate::text::duration(length));
            let mut response = page(crate::text::cut(name, 64), then, problem, StatusCode::TOO_MANY_REQUESTS);
            let seconds = HeaderValue::from(length.as_secs().max(1));
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
            response
        }
    }
}

/// What came of a name and a password.
pub(super) enum Outcome {
    Right,
    Wrong,
    Wait(std::time::Duration),
}

impl Gate {
    pub(super) async fn check(&self, name: &str, given: &str, address: Option<IpAddr>) -> Outcome {
        // One that waits for its turn counts from the beginning, or many at once would outrun the limit.
        let Ok(_turn) = self.checks.acquire().await else { return Outcome::Wrong };
        let now = self.clock.now();
        let attempts = || self.attempts.lock().expect("no thread panics while it holds this lock");
        if let Some(length) = attempts().wait(name, address, now) {
            return Outcome::Wait(length);
        }
        let hash = self.users.get(name).cloned();
        let given = given.to_owned();
        let checked = tokio::task::spawn_blocking(move || {
            given.len() <= password::LONGEST
                && password::is_right(&given, hash.as_ref().map(|hash| hash.expose()))
        });
        if checked.await.unwrap_or(false) {
            attempts().succeeded(name);
            return Outcome::Right;
        }
        attempts().failed(name, address, now);
        Outcome::Wrong
    }

    fn welcome(&self, name: &str, then: &str, headers: &HeaderMap) -> Response {
        let then = if is_ours(then) { then } else { "/" };
        let mut response = Redirect::to(then).into_response();
        let cookie = self.session_cookie(name, session::nonce(), headers);
        if let Some(cookie) = cookie.and_then(|cookie| HeaderValue::from_str(&cookie).ok()) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        response
    }
}

async fn log_out(State(gate): State<Arc<Gate>>, headers: HeaderMap, _: Posted) -> Response {
    let mut response = Redirect::to("/login").into_response();
    if let Ok(cookie) = HeaderValue::from_str(&gate.ended_cookie(&headers)) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}
