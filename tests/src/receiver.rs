//! A web server that takes what it is sent and answers as it is told: a webhook receiver, or PagerDuty's stand-in.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::net::TcpListener;

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Received {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub at: std::time::Instant,
}

impl Received {
    /// # Panics
    /// Where the body is no JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a body of JSON")
    }

    /// A header's value, empty where it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// What the next request is answered with.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub retry_after: Option<&'static str>,
}

#[derive(Clone, Default)]
struct Desk {
    received: Arc<Mutex<Vec<Received>>>,
    answers: Arc<Mutex<VecDeque<Answer>>>,
}

/// A server on loopback; it ends with the test.
pub struct Receiver {
    pub url: String,
    desk: Desk,
    server: tokio::task::JoinHandle<()>,
}

impl Receiver {
    pub async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let desk = Desk::default();
        let router = Router::new().fallback(take).with_state(desk.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Self { url, desk, server }
    }

    /// Answers the next requests so, one each; those after them 202.
    pub fn answer(&self, answers: impl IntoIterator<Item = Answer>) {
        self.desk.answers.lock().expect("unpoisoned").extend(answers);
    }

    /// Everything that came so far, also what was refused.
    pub fn received(&self) -> Vec<Received> {
        self.desk.received.lock().expect("unpoisoned").clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn take(State(desk): State<Desk>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let at = std::time::Instant::now();
    let received = Received { path: uri.path().to_owned(), headers, body, at };
    desk.received.lock().expect("unpoisoned").push(received);
    let answer = desk.answers.lock().expect("unpoisoned").pop_front();
    let Answer { status, retry_after } = answer.unwrap_or(Answer { status: 202, retry_after: None });
    let status = StatusCode::from_u16(status).expect("a status");
    match retry_after {
        Some(value) => (status, [("retry-after", value)], "busy").into_response(),
        None => (status, "taken").into_response(),
    }
}
