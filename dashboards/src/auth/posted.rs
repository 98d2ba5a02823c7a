//! A form that somebody sent: read within a bound, and taken only with the token of the session it was written for.

use axum::extract::{FromRequest, Request};
use axum::http::header;

use super::session::is_same;
use crate::error::PageError;
use crate::visit::Session;

/// No form of ours is longer, with the longest reason in it.
const LONGEST_BODY: usize = 64 * 1024;

#[derive(Clone, Debug)]
pub struct Posted {
    pub session: Session,
    fields: Vec<(String, String)>,
}

impl Posted {
    /// A field without the space around it; empty where it is absent.
    pub fn get(&self, name: &str) -> &str {
        self.fields.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.trim())
    }

    /// Where the person goes next: the page that the form names, if it is one of ours.
    pub fn back(&self, otherwise: &str) -> String {
        let back = self.get("back");
        if is_ours(back) { back.to_owned() } else { otherwise.to_owned() }
    }

    #[cfg(test)]
    pub fn of(fields: &[(&str, &str)], person: &str) -> Self {
        let fields = fields.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Self {
            session: Session { person: person.to_owned(), csrf: "token".to_owned(), ..Session::default() },
            fields,
        }
    }
}

/// Whether a path stays on this site: `//evil.example` and `/\evil.example` do not.
pub(super) fn is_ours(path: &str) -> bool {
    path.starts_with('/')
        && !path.starts_with("//")
        && !path.contains('\\')
        && path.len() < 2_048
        && path.bytes().all(|byte| (b'!'..=b'~').contains(&byte))
}

impl<S: Send + Sync> FromRequest<S> for Posted {
    type Rejection = PageError;

    async fn from_request(request: Request, _: &S) -> Result<Self, PageError> {
        let session = request.extensions().get::<Session>().cloned().unwrap_or_default();
        let fields = fields(request).await?;
        let posted = Self { session, fields };
        let token = posted.get("csrf");
        // A session without a token takes no forms at all.
        if token.is_empty() || !is_same(token.as_bytes(), posted.session.csrf.as_bytes()) {
            return Err(PageError::Forbidden(
                "The form was not written for this session, or Leeway was restarted since. Nothing was done. Go back, \
                 load the page again and send the form once more."
                    .to_owned(),
            ));
        }
        Ok(posted)
    }
}

/// The fields of a form's body.
pub(super) async fn fields(request: Request) -> Result<Vec<(String, String)>, PageError> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if !kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded")) {
        return Err(PageError::wrong("a form is sent as application/x-www-form-urlencoded"));
    }
    let body = axum::body::to_bytes(request.into_body(), LONGEST_BODY)
        .await
        .map_err(|_| PageError::wrong("the form is longer than 64 kB"))?;
    Ok(url::form_urlencoded::parse(&body).into_owned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_sent_back_to_our_own_pages_alone() {
        assert!(is_ours("/incidents/7f3c?from=-6h#why"));
        for foreign in
            ["https://evil.example", "//evil.example", "/\\evil.example", "", "javascript:x", "/a\nb"]
        {
            assert!(!is_ours(foreign), "{foreign}");
        }
    }

    async fn post(body: &'static str, csrf: &str) -> Result<Posted, PageError> {
        let mut request = Request::post("/x")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body.into())
            .expect("a request");
        request.extensions_mut().insert(Session {
            person: "ada".to_owned(),
            csrf: csrf.to_owned(),
            ..Session::default()
        });
        Posted::from_request(request, &()).await
    }

    #[tokio::test]
    async fn a_form_without_its_sessions_token_is_refused() {
        assert!(post("csrf=right&reason=x", "right").await.is_ok());
        for (body, csrf) in [("reason=x", "right"), ("csrf=wrong", "right"), ("csrf=", ""), ("", "")] {
            let refused = post(body, csrf).await.expect_err("refused");
            assert!(matches!(refused, PageError::Forbidden(_)), "{body}");
        }
    }
}
