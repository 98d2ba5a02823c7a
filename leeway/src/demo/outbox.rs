//! What was sent, to look at: the mails, webhooks and PagerDuty events that the demonstration's own receivers got.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse};
use axum::routing::{get, post};
use domain::time::{Clock, Instant};

use super::smtp::Mail;

/// The newest messages kept for the page.
const MOST: usize = 200;

/// Something that was received.
#[derive(Clone, Debug)]
pub struct Message {
    pub at: Instant,
    /// `mail`, `webhook`, `PagerDuty`.
    pub kind: &'static str,
    pub title: String,
    pub body: String,
}

/// What has been received so far, and how to tell of it.
#[derive(Clone)]
pub struct Outbox {
    messages: Arc<Mutex<VecDeque<Message>>>,
    clock: Clock,
    secret: String,
    tell: Arc<dyn Fn(&Message) + Send + Sync>,
}

impl Outbox {
    /// An outbox whose webhooks must be signed with `secret` (`whsec_…`).
    pub fn new(clock: Clock, secret: String, tell: impl Fn(&Message) + Send + Sync + 'static) -> Self {
        Self { messages: Arc::default(), clock, secret, tell: Arc::new(tell) }
    }

    pub fn keep_mail(&self, mail: Mail) {
        let subject = subject_of(&mail.text);
        self.keep("mail", format!("{subject} (to {})", mail.to.join(", ")), mail.text);
    }

    /// What was received so far, the newest first.
    pub fn messages(&self) -> Vec<Message> {
        self.messages.lock().expect("no thread panics while it holds this lock").iter().cloned().collect()
    }

    fn keep(&self, kind: &'static str, title: String, body: String) {
        let message = Message { at: self.clock.now(), kind, title, body };
        (self.tell)(&message);
        let mut messages = self.messages.lock().expect("no thread panics while it holds this lock");
        messages.push_front(message);
        messages.truncate(MOST);
    }

    pub fn router(&self) -> Router {
        Router::new()
            .route("/", get(page))
            .route("/webhook", post(webhook))
            .route("/pagerduty/v2/enqueue", post(pagerduty))
            .route("/pagerduty/v2/change/enqueue", post(pagerduty))
            .with_state(self.clone())
    }
}

/// A webhook, checked with the public library of the Standard Webhooks.
async fn webhook(State(outbox): State<Outbox>, headers: HeaderMap, body: Bytes) -> impl IntoResponse {
    let verified =
        standardwebhooks::Webhook::new(&outbox.secret).and_then(|webhook| webhook.verify(&body, &headers));
    if let Err(error) = verified {
        return (StatusCode::UNAUTHORIZED, error.to_string());
    }
    outbox.keep("webhook", text_at(&body, &["type"]), pretty(&body));
    (StatusCode::OK, "taken".to_owned())
}

async fn pagerduty(State(outbox): State<Outbox>, body: Bytes) -> impl IntoResponse {
    let title = format!("{} {}", text_at(&body, &["event_action"]), text_at(&body, &["payload", "summary"]));
    let key = text_at(&body, &["dedup_key"]);
    outbox.keep("PagerDuty", title, pretty(&body));
    let answer = serde_json::json!({"status": "success", "message": "Event processed", "dedup_key": key});
    (StatusCode::ACCEPTED, axum::Json(answer))
}

fn text_at(body: &[u8], path: &[&str]) -> String {
    let value: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    path.iter().fold(&value, |value, key| &value[*key]).as_str().unwrap_or_default().to_owned()
}

fn pretty(body: &[u8]) -> String {
    let parsed = serde_json::from_slice::<serde_json::Value>(body);
    parsed
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_else(|_| String::from_utf8_lossy(body).into_owned())
}

/// The subject of a message, without the folding and encoding that mail needs.
fn subject_of(text: &str) -> String {
    let mut lines = text.lines();
    let Some(first) = lines.by_ref().find_map(|line| line.strip_prefix("Subject: ")) else {
        return "(no subject)".to_owned();
    };
    let folded = lines.take_while(|line| line.starts_with([' ', '\t'])).map(str::trim);
    std::iter::once(first).chain(folded).collect::<Vec<_>>().join(" ")
}

async fn page(State(outbox): State<Outbox>) -> impl IntoResponse {
    let items: Vec<String> = outbox.messages().iter().map(item).collect();
    let list = if items.is_empty() { "<p>Nothing was sent yet.</p>".to_owned() } else { items.concat() };
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"10\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>What Leeway sent</title>\
         <style>:root{{color-scheme:light dark;font:15px/1.5 system-ui,sans-serif}}body{{max-width:900px;margin:2rem auto;\
         padding:0 1rem}}details{{border-top:1px solid #8884;padding:.6rem 0}}summary{{cursor:pointer}}\
         pre{{overflow:auto;font-size:13px}}time,.kind{{opacity:.7;margin-right:.6em}}</style></head><body>\
         <h1>What Leeway sent</h1><p>The demonstration's own mailbox, webhook receiver and PagerDuty stand-in. \
         Webhooks are kept only if their signature is right.</p>{list}</body></html>"
    );
    ([(header::CACHE_CONTROL, "no-store")], Html(html))
}

fn item(message: &Message) -> String {
    format!(
        "<details><summary><time>{}</time><span class=\"kind\">{}</span>{}</summary><pre>{}</pre></details>",
        message.at,
        message.kind,
        escaped(&message.title),
        escaped(&message.body)
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folded_subject_is_one_line() {
        let text = "From: a\r\nSubject: [Page] flights:\r\n temp is missing\r\nTo: b\r\n\r\nbody";
        assert_eq!(subject_of(text), "[Page] flights: temp is missing");
    }

    #[test]
    fn what_was_received_is_shown_escaped() {
        let message =
            Message { at: Instant::EPOCH, kind: "mail", title: "<script>".to_owned(), body: String::new() };
        assert!(item(&message).contains("&lt;script&gt;"));
    }
}
