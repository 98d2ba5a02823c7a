//! Asking for a retraining: a signed webhook of its own kind, with an idempotency key.

use std::path::PathBuf;

use domain::evaluation::Cause;
use domain::incident::EventKind;
use domain::time::Clock;
use serde::Deserialize;
use serde_json::{Value, json};
use service::Secret;

use super::webhook::{self, Webhook, cloud_event};
use super::{Message, Outcome, Problem};
use crate::notice::Notice;

/// It hears of nothing else. A silence does not hold it back: nobody is woken by it.
pub const KINDS: &[EventKind] = &[EventKind::RetrainingRequested];

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub url: String,
    /// As of a webhook.
    pub secret: Secret,
    pub secret_file: Option<PathBuf>,
    /// Incidents of these causes ask by themselves; none do where the list is empty, and then only people ask.
    pub causes: Vec<Cause>,
    /// For so long after a request no other is made for the same model.
    pub cooldown_s: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            url: String::new(),
            secret: Secret::default(),
            secret_file: None,
            causes: vec![Cause::Performance],
            cooldown_s: 86_400,
        }
    }
}

impl Config {
    pub fn check(&self) -> Result<(), Problem> {
        self.webhook().check()
    }

    fn webhook(&self) -> webhook::Config {
        webhook::Config {
            url: self.url.clone(),
            secret: self.secret.clone(),
            secret_file: self.secret_file.clone(),
            events: Vec::new(),
        }
    }
}

pub struct Retraining(Webhook);

impl Retraining {
    pub fn open(config: &Config) -> Result<Self, Problem> {
        Ok(Self(Webhook::open(&config.webhook())?))
    }

    pub fn target(&self) -> String {
        self.0.target()
    }

    pub async fn send(&self, message: Message<'_>, clock: &Clock) -> Outcome {
        let key = request_id(message.notice);
        let body = body(message);
        self.0.post_signed(message.delivery, &body, &[("idempotency-key", &key)], clock).await
    }
}

/// One request, whoever receives it and however often.
fn request_id(notice: &Notice) -> String {
    format!("{}-{}", notice.event.incident, notice.event.sequence)
}

fn body(message: Message<'_>) -> Value {
    let notice = message.notice;
    let mut data = json!({
        "request": request_id(notice),
        "model": notice.incident.model,
        "environment": notice.incident.environment,
        "since": notice.incident.since.to_string(),
        "requested_at": notice.event.at.to_string(),
        "requested_by": notice.event.actor,
        "reason": notice.event.reason,
        "callback_url": (!notice.callback_url.is_empty()).then_some(&notice.callback_url),
    });
    if let (Some(data), Value::Object(told)) = (data.as_object_mut(), notice.data()) {
        data.extend(told.into_iter().filter(|(key, _)| key != "event"));
    }
    cloud_event(message, "leeway.retraining.requested", data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incidents::samples;

    #[test]
    fn the_body_of_a_request() {
        let notice = samples::notice(EventKind::RetrainingRequested);
        insta::assert_json_snapshot!(body(Message { delivery: "msg_1", notice: &notice }));
    }
}
