//! Who hears of an incident: channels by model, owner and severity.
//!
//! Every route that matches adds its channels; the default channels hear of what no route matches.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

use std::collections::BTreeSet;

use domain::evaluation::Severity;
use serde::{Deserialize, Serialize};

/// One rule. A list that is empty matches everything; names of models and owners may contain `*`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Route {
    pub models: Vec<String>,
    pub owners: Vec<String>,
    pub severities: Vec<Severity>,
    pub channels: Vec<String>,
}

impl Route {
    fn matches(&self, model: &str, owner: &str, severity: Severity) -> bool {
        let any = |patterns: &[String], text: &str| {
            patterns.is_empty() || patterns.iter().any(|pattern| is_like(pattern, text))
        };
        any(&self.models, model)
            && any(&self.owners, owner)
            && (self.severities.is_empty() || self.severities.contains(&severity))
    }
}

/// All rules, and what holds where none matches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routes {
    pub routes: Vec<Route>,
    pub default: Vec<String>,
}

impl Routes {
    /// The channels that hear of an incident with this severity.
    pub fn channels(&self, model: &str, owner: &str, severity: Severity) -> BTreeSet<&str> {
        let matching: Vec<&Route> =
            self.routes.iter().filter(|route| route.matches(model, owner, severity)).collect();
        let names = if matching.is_empty() {
            self.default.iter().collect::<Vec<_>>()
        } else {
            matching.into_iter().flat_map(|route| &route.channels).collect()
        };
        names.into_iter().map(String::as_str).collect()
    }
}

/// Whether `text` is like `pattern`, in which `*` stands for any text, also none.
fn is_like(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut left) = text.strip_prefix(start) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = left.find(part) else { return false };
        left = &left[at + part.len()..];
    }
    left.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        let cases = [
            ("fraud", "fraud", true),
            ("fraud", "fraud-eu", false),
            ("fraud*", "fraud-eu", true),
            ("*-eu", "fraud-eu", true),
            ("*", "", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("ab*ba", "aba", false),
            ("*é*", "café au lait", true),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(is_like(pattern, text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn every_matching_route_adds_its_channels_and_the_default_takes_the_rest() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let routes = Routes {
            routes: vec![
                Route { severities: vec![Severity::Page], channels: names(&["oncall"]), ..Route::default() },
                Route { owners: names(&["risk"]), channels: names(&["risk-mail"]), ..Route::default() },
            ],
            default: names(&["mail"]),
        };
        let heard =
            |owner, severity| routes.channels("fraud", owner, severity).into_iter().collect::<Vec<_>>();
        assert_eq!(heard("risk", Severity::Page), ["oncall", "risk-mail"]);
        assert_eq!(heard("risk", Severity::Ticket), ["risk-mail"]);
        assert_eq!(heard("ops", Severity::Ticket), ["mail"]);
    }
}
