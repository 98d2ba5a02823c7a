//! Webhooks: a CloudEvents body, signed as the Standard Webhooks ask for.

use std::path::PathBuf;

use domain::incident::EventKind;
use domain::time::Clock;
use reqwest::Client;
use reqwest::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::{Value, json};
use service::Secret;
use url::Url;

use super::signature::{self, Keys};
use super::{Message, Outcome, Problem, http_url, post, secret, stated};

/// Sent in a silence as well: programs follow the state of incidents, and nobody is called by these.
pub const QUIETENS: &[EventKind] = &[
    EventKind::Acknowledged,
    EventKind::Silenced,
    EventKind::RetrainingRequested,
    EventKind::RetrainingHeldBack,
    EventKind::RetrainingReported,
    EventKind::MarkedFalse,
    EventKind::Resolved,
];

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub url: String,
    /// `whsec_` and base64 of 24 to 64 bytes; two, apart by a space, while it is being replaced.
    pub secret: Secret,
    pub secret_file: Option<PathBuf>,
    /// What it hears of; all events where empty.
    pub events: Vec<EventKind>,
}

impl Config {
    pub fn check(&self) -> Result<(), Problem> {
        http_url(&self.url, "url")?;
        stated(&self.secret, &self.secret_file, "secret")?;
        match self.secret_file {
            Some(_) => Ok(()),
            None => keys(&self.secret).map(|_| ()),
        }
    }
}

fn keys(secret: &Secret) -> Result<Keys, Problem> {
    Keys::parse(secret).map_err(|error| ("secret", error.to_string()))
}

/// Posts signed messages to one address.
pub struct Webhook {
    client: Client,
    url: Url,
    keys: Keys,
}

impl Webhook {
    pub fn open(config: &Config) -> Result<Self, Problem> {
        let secret = secret(&config.secret, config.secret_file.as_deref(), "secret_file")?;
        Ok(Self { client: post::client(), url: http_url(&config.url, "url")?, keys: keys(&secret)? })
    }

    /// The host alone: a path may be a secret.
    pub fn target(&self) -> String {
        self.url.host_str().unwrap_or_default().to_owned()
    }

    pub async fn send(&self, message: Message<'_>, clock: &Clock) -> Outcome {
        let kind = message.notice.event.kind.name();
        let body = cloud_event(message, &format!("leeway.incident.{kind}"), message.notice.data());
        self.post_signed(message.delivery, &body, &[], clock).await
    }

    /// Posts a body with its signature and further headers.
    pub async fn post_signed(
        &self,
        id: &str,
        body: &Value,
        headers: &[(&'static str, &str)],
        clock: &Clock,
    ) -> Outcome {
        let body = body.to_string();
        let now = clock.now();
        let mut request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/cloudevents+json; charset=utf-8")
            .header(signature::ID, id)
            .header(signature::TIMESTAMP, now.seconds().to_string())
            .header(signature::SIGNATURE, self.keys.sign(id, now, body.as_bytes()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        post::send(request.body(body), clock).await
    }
}

/// The body: a CloudEvent in structured mode. It is the same for every attempt.
pub fn cloud_event(message: Message<'_>, kind: &str, data: Value) -> Value {
    let event = &message.notice.event;
    json!({
        "specversion": "1.0",
        "id": format!("{}/{}", event.incident, event.sequence),
        "source": format!("/leeway/models/{}", event.model),
        "type": kind,
        "subject": event.incident,
        "time": event.at.to_string(),
        "datacontenttype": "application/json",
        "data": data,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incidents::samples;

    #[test]
    fn the_body_of_an_opened_incident() {
        let notice = samples::notice(EventKind::Opened);
        let message = Message { delivery: "msg_1", notice: &notice };
        let body = cloud_event(message, "leeway.incident.opened", notice.data());
        insta::assert_json_snapshot!(body);
        assert!(body.to_string().len() < 20_000, "the Standard Webhooks ask for less than 20 kB");
    }
}
