//! What one request asks for: the stretch of time, the form (page, JSON, SQL), its other parameters, and who asks.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::Uri;
use axum::http::request::Parts;
use domain::time::Instant;

use crate::error::PageError;
use crate::layout::{Layout, Section};
use crate::run::App;
use crate::text::path_part;
use crate::time_range::{Asked, TimeRange};

/// The form in which a view is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    #[default]
    Page,
    Json,
    Sql,
}

/// Who asks, where people log in: put into the request by whoever checked it, before a page sees the request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// The person's name; empty where nobody has to log in.
    pub person: String,
    /// What every form of this person must carry.
    pub csrf: String,
    /// The models that a program's token is for; all where none is named.
    pub models: Vec<String>,
}

impl Session {
    /// Whether who asks may see, and act on, what belongs to a model.
    ///
    /// # Errors
    /// Where a program came with a token for other models.
    pub fn check_model(&self, model: &str) -> Result<(), PageError> {
        if self.models.is_empty() || self.models.iter().any(|known| known == model) {
            return Ok(());
        }
        Err(PageError::Forbidden(format!(
            "The token is for {}, and this belongs to another model. Nothing was done.",
            self.models.join(", ")
        )))
    }
}

#[derive(Clone, Debug)]
pub struct Visit {
    pub range: TimeRange,
    pub form: Form,
    pub session: Session,
    path: String,
    parameters: Vec<(String, String)>,
}

/// When a page is asked for, and how far back it looks where its address does not say.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    pub at: Instant,
    pub usual: Duration,
}

/// No parameter is longer: names of signals and segments are shorter, searches too.
const LONGEST_PARAMETER: usize = 1_024;

impl Visit {
    /// What the address says, at `now`.
    ///
    /// # Errors
    /// Names the parameter and what would be right.
    pub fn parse(uri: &Uri, session: Session, now: Now) -> Result<Self, PageError> {
        let parameters: Vec<(String, String)> =
            url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
        if let Some((key, _)) = parameters.iter().find(|(_, value)| value.len() > LONGEST_PARAMETER) {
            let key = crate::text::cut(key, 40);
            return Err(PageError::wrong(format!("\"{key}\" is longer than {LONGEST_PARAMETER} bytes")));
        }
        let get =
            |key: &str| parameters.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
        let asked = Asked { from: get("from"), to: get("to"), tz: get("tz"), usual: now.usual };
        let range = TimeRange::parse(asked, now.at).map_err(|error| PageError::wrong(error.to_string()))?;
        let form = match get("format") {
            None | Some("" | "html") => Form::Page,
            Some("json") => Form::Json,
            Some("sql") => Form::Sql,
            Some(other) => {
                let other = crate::text::cut(other, 40);
                return Err(PageError::wrong(format!(
                    "format \"{other}\" does not exist (known: html, json, sql)"
                )));
            }
        };
        Ok(Self { range, form, session, path: uri.path().to_owned(), parameters })
    }

    /// A parameter of the address; `None` where it is absent or empty.
    pub fn get(&self, key: &str) -> Option<&str> {
        let (_, value) = self.parameters.iter().find(|(name, _)| name == key)?;
        Some(value.trim()).filter(|value| !value.is_empty())
    }

    /// The number of a page of a long list, from 1.
    pub fn page_number(&self) -> usize {
        self.get("page").and_then(|page| page.parse().ok()).unwrap_or(1).max(1)
    }

    /// This very view in another form.
    pub fn as_form(&self, form: &str) -> String {
        link(&self.path, &[self.range.query(), self.kept_except(&["format"]), format!("format={form}")])
    }

    /// This very view with one parameter changed; an empty value takes it away.
    pub fn with(&self, key: &str, value: &str) -> String {
        let changed = if value.is_empty() { String::new() } else { format!("{key}={}", path_part(value)) };
        link(&self.path, &[self.range.query(), self.kept_except(&[key, "page", "format"]), changed])
    }

    /// This very view from another time on, to the present.
    pub fn over(&self, from: &str) -> String {
        let zone = self.get("tz").map(|zone| format!("tz={}", path_part(zone))).unwrap_or_default();
        link(&self.path, &[format!("from={from}"), zone, self.kept_except(&["page", "format"])])
    }

    /// The parameters that are not about time and not in `except`, as a query string.
    pub fn kept_except(&self, except: &[&str]) -> String {
        self.kept(except)
            .map(|(key, value)| format!("{}={}", path_part(key), path_part(value)))
            .collect::<Vec<_>>()
            .join("&")
    }

    /// The parameters that a form of this page keeps as hidden fields.
    pub fn kept<'a>(&'a self, except: &'a [&str]) -> impl Iterator<Item = (&'a str, &'a str)> {
        const TIME: [&str; 3] = ["from", "to", "tz"];
        self.parameters
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .filter(|(key, value)| !TIME.contains(key) && !except.contains(key) && !value.is_empty())
    }

    /// The parameters that a form of this page must carry as hidden fields to stay where it is, those of time among them.
    pub fn hidden(&self, except: &[&str]) -> Vec<(&str, &str)> {
        self.parameters
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .filter(|(key, value)| !except.contains(key) && !value.is_empty())
            .collect()
    }

    /// A link to another page over the same stretch of time.
    pub fn to(&self, path: &str) -> String {
        link(path, &[self.range.query()])
    }

    pub fn path(&self) -> &str {
        &self.path
    }

    /// The shell for a page of this visit. How many incidents are open is asked of the store; where it does not answer,
    /// the shell says nothing about it.
    pub async fn layout(&self, app: &App, section: Section, title: &str) -> Layout {
        let open = app.store.open_incidents_count(self.range.now()).await.unwrap_or_default();
        Layout::new(self, section, title, open)
    }
}

/// A path with those of `queries` that are not empty.
pub fn link(path: &str, queries: &[String]) -> String {
    let filled: Vec<&str> = queries.iter().map(String::as_str).filter(|query| !query.is_empty()).collect();
    if filled.is_empty() { path.to_owned() } else { format!("{path}?{}", filled.join("&")) }
}

impl<S> FromRequestParts<S> for Visit
where
    App: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, PageError> {
        let app = App::from_ref(state);
        let session = Session::from_request_parts(parts, state).await.unwrap_or_default();
        Self::parse(&parts.uri, session, app.now())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Session {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}

/// The address of a model's page.
pub fn model_path(model: &str, environment: &str) -> String {
    format!("/models/{}/{}", path_part(model), path_part(environment))
}

/// The address of a signal's page.
pub fn signal_path(model: &str, environment: &str, signal: &str) -> String {
    format!("{}/signals/{}", model_path(model, environment), path_part(signal))
}

/// The address of an incident's page.
pub fn incident_path(incident: &str) -> String {
    format!("/incidents/{}", path_part(incident))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visit(address: &str) -> Result<Visit, PageError> {
        let at = "2026-11-20T14:43:10Z".parse().expect("a literal instant");
        let now = Now { at, usual: crate::time_range::USUAL };
        Visit::parse(&address.parse().expect("an address"), Session::default(), now)
    }

    #[test]
    fn links_keep_the_range_and_the_other_parameters() {
        let visit = visit("/models/a/b?from=-24h&segment=origin%3DJFK&page=3").expect("a visit");
        assert_eq!(visit.get("segment"), Some("origin=JFK"));
        assert_eq!(visit.page_number(), 3);
        assert_eq!(visit.with("segment", ""), "/models/a/b?from=-24h");
        assert_eq!(visit.as_form("json"), "/models/a/b?from=-24h&segment=origin%3DJFK&page=3&format=json");
        assert_eq!(visit.to("/"), "/?from=-24h");
    }

    #[test]
    fn what_is_not_understood_is_named() {
        assert!(visit("/?format=xml").expect_err("no form").to_string().contains("\"xml\""));
        assert!(visit("/?from=soon").expect_err("no time").to_string().contains("\"soon\""));
        assert!(visit(&format!("/?q={}", "x".repeat(2_000))).is_err());
    }

    #[test]
    fn hostile_names_stay_in_their_part_of_an_address() {
        assert_eq!(signal_path("a/b", "?", "<script>"), "/models/a%2Fb/%3F/signals/%3Cscript%3E");
    }
}
