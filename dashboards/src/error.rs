//! What a page says when it cannot be shown, by what the reader can do about it.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};

use crate::layout::{Layout, Section};
use crate::run::App;
use crate::visit::{Form, Session, Visit};

#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// There is nothing of that name; says what there is, or where to look.
    #[error("{0}")]
    NotFound(String),
    /// The address or a form says something that is not understood.
    #[error("{0}")]
    Wrong(String),
    /// Who asks may not do this.
    #[error("{0}")]
    Forbidden(String),
    #[error(transparent)]
    Store(#[from] sql::Error),
    #[error("the page could not be written")]
    Template(#[from] askama::Error),
}

impl PageError {
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::NotFound(message.into())
    }

    pub fn wrong(message: impl Into<String>) -> Self {
        Self::Wrong(message.into())
    }

    pub fn status(&self) -> StatusCode {
        match self {
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Wrong(_) => StatusCode::BAD_REQUEST,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::Store(error) if error.is_transient() => StatusCode::SERVICE_UNAVAILABLE,
            Self::Store(_) | Self::Template(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn headline(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "There is nothing here",
            Self::Wrong(_) => "This address says something else than it should",
            Self::Forbidden(_) => "This is not allowed",
            Self::Store(error) if error.is_transient() => "The store does not answer",
            Self::Store(_) => "The store refused the question",
            Self::Template(_) => "This page could not be written",
        }
    }

    /// What the reader is told: never more of an inner failure than its own layer says.
    fn explanation(&self) -> String {
        match self {
            Self::Store(error) if error.is_transient() => {
                "Leeway keeps what it knows in ClickHouse, and ClickHouse is away or too busy right now. Counting goes on \
                 as soon as it is back; nothing that was accepted is lost. This page tries again by itself."
                    .to_owned()
            }
            Self::Store(_) | Self::Template(_) => {
                "This is a fault in Leeway; its log says more. The other pages may still work.".to_owned()
            }
            other => other.to_string(),
        }
    }
}

/// Carries the failure to [`dress`], which knows the request and so can write the page.
impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    layout: Layout,
    headline: &'static str,
    explanation: String,
    tries_again: bool,
}

/// Puts the shell around failures of pages, or answers in JSON where JSON was asked for.
pub async fn dress(State(app): State<App>, request: Request, next: Next) -> Response {
    let uri = request.uri().clone();
    let session = request.extensions().get::<Session>().cloned().unwrap_or_default();
    let mut response = next.run(request).await;
    let Some(error) = response.extensions_mut().remove::<Arc<PageError>>() else { return response };
    if response.status().is_server_error() {
        tracing::error!(
            path = uri.path(),
            error = &*error as &dyn std::error::Error,
            "a page could not be shown"
        );
    }
    let now = app.now();
    // The address itself may be what is wrong; the shell is then that of the bare path.
    let visit = Visit::parse(&uri, session.clone(), now).or_else(|_| {
        let bare = uri.path().parse().unwrap_or_default();
        Visit::parse(&bare, session, now)
    });
    let Ok(visit) = visit else { return response };
    let mut dressed = written(&error, &visit);
    *dressed.status_mut() = response.status();
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        dressed.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("10"));
    }
    dressed
}

fn written(error: &PageError, visit: &Visit) -> Response {
    if visit.form != Form::Page || visit.path().starts_with("/v1/") {
        let body = serde_json::json!({ "error": error.headline(), "detail": error.explanation() });
        return axum::Json(body).into_response();
    }
    let page = ErrorPage {
        layout: Layout::new(visit, Section::None, error.headline(), Default::default()),
        headline: error.headline(),
        explanation: error.explanation(),
        tries_again: error.status() == StatusCode::SERVICE_UNAVAILABLE,
    };
    match page.render() {
        Ok(html) => Html(html).into_response(),
        Err(_) => error.headline().into_response(),
    }
}

/// Any address that no page has.
pub async fn no_such_page() -> PageError {
    PageError::not_found("No page has this address. The models are listed on the first page.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_is_escaped_in_the_error_that_quotes_it() {
        let now = crate::visit::Now { at: domain::time::Instant::EPOCH, usual: crate::time_range::USUAL };
        let visit = Visit::parse(&"/".parse().expect("a path"), Session::default(), now).expect("a visit");
        let error = PageError::not_found("no model \"<script>\"");
        let layout = Layout::new(&visit, Section::None, "x", Default::default());
        let page = ErrorPage {
            layout,
            headline: error.headline(),
            explanation: error.explanation(),
            tries_again: false,
        };
        let html = page.render().expect("a page");
        assert!(html.contains("&#60;script&#62;") && !html.contains("<script>"), "{html}");
    }
}
