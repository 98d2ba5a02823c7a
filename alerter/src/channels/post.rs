//! Posting a message over HTTP: one attempt, its answer read up to a bound, judged by its status.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

use std::time::Duration;

use domain::time::Clock;
use reqwest::header::RETRY_AFTER;
use reqwest::{Client, RequestBuilder, Response};

use super::Outcome;
use crate::retry::{judge_status, parse_retry_after};

/// The Standard Webhooks ask for 15 to 30 s; a receiver that needs longer should answer first and work then.
const TIMEOUT: Duration = Duration::from_secs(15);
/// What is kept of an answer: enough for an error message.
const MOST_ANSWER_BYTES: usize = 1_024;

/// The client of channels that post.
pub fn client() -> Client {
    service::http::client(TIMEOUT)
}

/// Sends the request and says how it went.
pub async fn send(request: RequestBuilder, clock: &Clock) -> Outcome {
    match request.send().await {
        Ok(response) => judge(response, clock).await,
        Err(error) => Outcome::passing(in_words(&error)),
    }
}

async fn judge(response: Response, clock: &Clock) -> Outcome {
    let code = response.status().as_u16();
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after = retry_after.and_then(|text| parse_retry_after(text, clock.now()));
    let failure = judge_status(code, retry_after);
    let error = match failure {
        None => String::new(),
        Some(_) => format!("answered {code}"),
    };
    Outcome { code, answer: beginning(response).await, failure, error }
}

/// The beginning of the answer's body. What cannot be read is no failure: the status has said all that counts.
async fn beginning(mut response: Response) -> String {
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        bytes.extend_from_slice(&chunk);
        if bytes.len() >= MOST_ANSWER_BYTES {
            break;
        }
    }
    bytes.truncate(MOST_ANSWER_BYTES);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The error and its causes, without the address: that may hold a secret.
fn in_words(error: &reqwest::Error) -> String {
    let kind = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "cannot connect"
    } else {
        "the connection broke"
    };
    let mut causes = Vec::new();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        causes.push(cause.to_string());
        source = cause.source();
    }
    match causes.pop() {
        Some(cause) => format!("{kind}: {cause}"),
        None => kind.to_owned(),
    }
}
