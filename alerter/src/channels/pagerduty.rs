//! PagerDuty, by its Events API v2: one alert an incident, triggered, acknowledged and resolved under one key.

use std::path::PathBuf;

use domain::evaluation::Severity;
use domain::incident::EventKind;
use domain::time::Clock;
use reqwest::Client;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use service::Secret;
use url::Url;

use super::{Message, Outcome, Problem, http_url, post, secret, stated};
use crate::notice::Notice;

pub const KINDS: &[EventKind] = &[
    EventKind::Opened,
    EventKind::Updated,
    EventKind::Escalated,
    EventKind::Unsilenced,
    EventKind::Acknowledged,
    EventKind::Resolved,
];

/// What it hears of where nothing is stated: an update would call again somebody who has closed the alert there.
pub const USUAL: &[EventKind] = &[
    EventKind::Opened,
    EventKind::Escalated,
    EventKind::Unsilenced,
    EventKind::Acknowledged,
    EventKind::Resolved,
];

/// Sent in a silence as well: who was called learns that it is over, or that somebody cares.
pub const QUIETENS: &[EventKind] = &[EventKind::Acknowledged, EventKind::Resolved];

/// PagerDuty cuts summaries that are longer.
const LONGEST_SUMMARY: usize = 1_024;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The integration key of a service.
    pub routing_key: Secret,
    pub routing_key_file: Option<PathBuf>,
    /// The API's address, without its path; `https://events.eu.pagerduty.com` in the service region EU.
    pub endpoint: String,
    /// What it hears of; where empty, everything but updates.
    pub events: Vec<EventKind>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            routing_key: Secret::default(),
            routing_key_file: None,
            endpoint: "https://events.pagerduty.com".to_owned(),
            events: Vec::new(),
        }
    }
}

impl Config {
    pub fn check(&self) -> Result<(), Problem> {
        http_url(&self.endpoint, "endpoint")?;
        stated(&self.routing_key, &self.routing_key_file, "routing_key")
    }
}

pub struct Pagerduty {
    client: Client,
    enqueue: Url,
    routing_key: Secret,
}

impl Pagerduty {
    pub fn open(config: &Config) -> Result<Self, Problem> {
        let base = config.endpoint.trim_end_matches('/');
        let file = config.routing_key_file.as_deref();
        Ok(Self {
            client: post::client(),
            enqueue: http_url(&format!("{base}/v2/enqueue"), "endpoint")?,
            routing_key: secret(&config.routing_key, file, "routing_key_file")?,
        })
    }

    pub fn target(&self) -> String {
        self.enqueue.host_str().unwrap_or_default().to_owned()
    }

    pub async fn send(&self, message: Message<'_>, clock: &Clock) -> Outcome {
        let mut body = event(message.notice);
        body.insert("routing_key".to_owned(), json!(self.routing_key.expose()));
        post::send(self.client.post(self.enqueue.clone()).json(&body), clock).await
    }
}

/// The body without the key.
fn event(notice: &Notice) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("event_action".to_owned(), json!(action(notice.event.kind)));
    body.insert("dedup_key".to_owned(), json!(dedup_key(notice)));
    if action(notice.event.kind) == "trigger" {
        body.insert("payload".to_owned(), payload(notice));
        body.insert("links".to_owned(), links(notice));
        body.insert("client".to_owned(), json!("Leeway"));
        if !notice.url.is_empty() {
            body.insert("client_url".to_owned(), json!(notice.url));
        }
    }
    body
}

fn action(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Acknowledged => "acknowledge",
        EventKind::Resolved => "resolve",
        _ => "trigger",
    }
}

fn dedup_key(notice: &Notice) -> String {
    format!("leeway-{}", notice.incident.id)
}

fn payload(notice: &Notice) -> Value {
    let incident = &notice.incident;
    let findings = notice.findings();
    let component = findings.first().map_or("", |lead| lead.subject.signal.as_str());
    let sentences: Vec<&str> = findings.iter().map(|finding| finding.sentence.as_str()).collect();
    json!({
        "summary": notice.title().chars().take(LONGEST_SUMMARY).collect::<String>(),
        "source": incident.model,
        "severity": match incident.severity {
            Severity::Page => "critical",
            Severity::Ticket => "warning",
        },
        "timestamp": notice.event.at.to_string(),
        "component": component,
        "group": incident.environment,
        "class": incident.cause.name(),
        "custom_details": {
            "incident": incident.id,
            "since": incident.since.to_string(),
            "owner": notice.owner,
            "news": notice.news(),
            "findings": sentences,
            "further_findings": notice.further_findings(),
        },
    })
}

fn links(notice: &Notice) -> Value {
    let links = [(&notice.url, "The incident in Leeway"), (&notice.playbook, "Playbook")];
    // PagerDuty takes addresses only; a playbook may be a sentence.
    let usable = |url: &&str| url.starts_with("http://") || url.starts_with("https://");
    links
        .into_iter()
        .map(|(url, text)| (url.as_str(), text))
        .filter(|(url, _)| usable(url))
        .map(|(url, text)| json!({"href": url, "text": text}))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incidents::samples;

    #[test]
    fn the_body_of_a_trigger() {
        insta::assert_json_snapshot!(event(&samples::notice(EventKind::Opened)));
    }

    #[test]
    fn acknowledging_and_resolving_name_the_same_key_and_no_more() {
        let body = |kind| Value::Object(event(&samples::notice(kind)));
        let key = body(EventKind::Opened)["dedup_key"].clone();
        let expected = |action| json!({"event_action": action, "dedup_key": key});
        assert_eq!(body(EventKind::Acknowledged), expected("acknowledge"));
        assert_eq!(body(EventKind::Resolved), expected("resolve"));
    }
}
