//! The list of pages: one line each. A page is a file here, with its templates of the same name, and loads typed rows
//! first (`load`), then says them (`view`): what it says can be tested without a store.

pub mod changes;
pub mod deliveries;
pub mod grids;
pub mod incident;
pub mod incidents;
pub mod model;
pub mod overview;
pub mod signal;
pub mod steps;
pub mod why;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::http::{HeaderValue, header};
use axum::middleware;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::actions;
use crate::assets;
use crate::auth::{self, Gate};
use crate::error::{self, PageError};
use crate::run::App;
use crate::visit::{Form, Visit};

/// Everything a page loads is its own: no script but ours, nothing from elsewhere, no frame around it.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

pub fn router(app: App, gate: Arc<Gate>) -> Router {
    let pages = Router::new()
        .route("/", get(overview::page))
        .route("/models/{model}/{environment}", get(model::page))
        .route("/models/{model}/{environment}/signals/{signal}", get(signal::page))
        .route("/incidents", get(incidents::page))
        .route("/incidents/{incident}", get(incident::page))
        .route("/v1/incidents/{incident}/causes", get(why::causes))
        .route("/deliveries", get(deliveries::page))
        .route("/changes", get(changes::page))
        .merge(actions::routes())
        .fallback(error::no_such_page)
        .merge(auth::login::logout(gate.clone()))
        .layer(middleware::from_fn_with_state(app.clone(), error::dress))
        .layer(middleware::from_fn_with_state(gate.clone(), auth::guard::guard))
        .with_state(app)
        .merge(auth::login::routes(gate));
    let set = |name, value| SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value));
    pages
        .layer(set(header::CACHE_CONTROL, "no-store"))
        .route("/assets/{hash}/{name}", get(assets::serve))
        .layer(set(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY))
        .layer(set(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(set(header::REFERRER_POLICY, "same-origin"))
}

/// Answers a visit in the form it asks for: the page; the rows it was made of; or the questions that gave them.
pub fn answer<T: Template>(
    visit: &Visit,
    data: &impl Serialize,
    questions: &[sql::pages::Asked],
    page: impl FnOnce() -> T,
) -> Result<Response, PageError> {
    Ok(match visit.form {
        Form::Page => Html(page().render()?).into_response(),
        Form::Json => axum::Json(data).into_response(),
        Form::Sql => sql_text(questions).into_response(),
    })
}

fn sql_text(questions: &[sql::pages::Asked]) -> String {
    let mut text = String::from(
        "-- Every number of the page comes from these questions. Each can be asked as it stands: leeway sql \"…\"\n",
    );
    for asked in questions {
        text.push_str(&format!("\n-- {}\n{};\n", asked.title, asked.sql.trim().trim_end_matches(';')));
    }
    text
}
