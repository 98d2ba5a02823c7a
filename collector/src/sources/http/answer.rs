//! What senders are told, each with the status that lets them do the right thing: mend, wait, or give up.

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use crate::decode::{Refused, Unreadable};
use crate::intake::IntakeError;
use crate::queue::NotStored;
use crate::sources::kafka::gateway::NotLogged;

/// The body of an answer to events that were read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Accepted {
    accepted: usize,
    rejected: Vec<Rejected>,
    #[serde(skip)]
    status: StatusCode,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Rejected {
    index: usize,
    field: String,
    error: String,
}

impl Accepted {
    /// The answer to a body of which something was taken, or in which nothing was wrong.
    pub fn of(accepted: usize, refused: Vec<Refused>) -> Result<Self, Refusal> {
        let status =
            if accepted == 0 && !refused.is_empty() { nothing_taken(&refused) } else { StatusCode::OK };
        let rejected = refused
            .into_iter()
            .map(|Refused { index, field, error, .. }| Rejected { index, field, error })
            .collect();
        Ok(Self { accepted, rejected, status })
    }

    /// How many events were rejected.
    pub fn rejections(&self) -> usize {
        self.rejected.len()
    }
}

/// The status of a body of which nothing was taken: whether nothing but missing rights kept its events out.
fn nothing_taken(refused: &[Refused]) -> StatusCode {
    let all_forbidden = refused.iter().all(|refused| refused.forbidden);
    if all_forbidden { StatusCode::FORBIDDEN } else { StatusCode::BAD_REQUEST }
}

/// A request of which nothing was taken, for one reason.
#[derive(Debug, PartialEq)]
pub struct Refusal {
    pub status: StatusCode,
    pub error: String,
    pub retry_after_s: Option<u64>,
}

#[derive(Serialize)]
struct ErrorBody {
    error: String,
}

impl Refusal {
    pub fn of(status: StatusCode, error: impl Into<String>) -> Self {
        Self { status, error: error.into(), retry_after_s: None }
    }

    pub fn unreadable(unreadable: &Unreadable) -> Self {
        let status = match unreadable {
            Unreadable::TooMany => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::BAD_REQUEST,
        };
        Self::of(status, unreadable.to_string())
    }

    /// The queue is full: the same again a little later.
    pub fn full() -> Self {
        let error = "too much is waiting to be stored; send it again later";
        Self { retry_after_s: Some(1), ..Self::of(StatusCode::TOO_MANY_REQUESTS, error) }
    }

    /// The store is away. Batches that were under way are finished when it is back.
    pub fn away(away: Duration) -> Self {
        let error = format!("the store has been away for {} s; send it again later", away.as_secs());
        let retry_after_s = Some(away.as_secs().clamp(1, 30));
        Self { retry_after_s, ..Self::of(StatusCode::SERVICE_UNAVAILABLE, error) }
    }

    /// The sender's quota is used up.
    pub fn over_quota(wait: Duration) -> Self {
        let seconds = (wait.as_secs_f64().ceil() as u64).max(1);
        let error = format!("the token's quota is used up; send it again in {seconds} s");
        Self { retry_after_s: Some(seconds), ..Self::of(StatusCode::TOO_MANY_REQUESTS, error) }
    }

    /// The store does not answer as it should.
    pub fn store(error: &sql::Error) -> Self {
        match error.is_transient() {
            true => Self::away(Duration::ZERO),
            false => Self::of(StatusCode::INTERNAL_SERVER_ERROR, format!("the store refuses: {error}")),
        }
    }

    /// The collector is a gateway, and Kafka does not take what it is given.
    pub fn not_logged(error: &NotLogged) -> Self {
        match error {
            NotLogged::Full => Self::full(),
            NotLogged::Away => {
                let error = "Kafka, which keeps the events, is away; send it again later";
                Self { retry_after_s: Some(2), ..Self::of(StatusCode::SERVICE_UNAVAILABLE, error) }
            }
            NotLogged::Refused(_) => {
                Self::of(StatusCode::INTERNAL_SERVER_ERROR, format!("the events are not kept: {error}"))
            }
        }
    }

    pub fn not_stored(error: &NotStored) -> Self {
        match error {
            NotStored::Stopping => {
                let error = "the collector is stopping; send it again to the next one";
                Self { retry_after_s: Some(1), ..Self::of(StatusCode::SERVICE_UNAVAILABLE, error) }
            }
            NotStored::Failed(error) => match error.as_ref() {
                IntakeError::Away { waited, .. } => Self::away(*waited),
                other => {
                    Self::of(StatusCode::INTERNAL_SERVER_ERROR, format!("the events are not stored: {other}"))
                }
            },
        }
    }
}

pub fn response(outcome: Result<Accepted, Refusal>) -> Response {
    match outcome {
        Ok(accepted) => (accepted.status, Json(accepted)).into_response(),
        Err(refusal) => refused(refusal),
    }
}

pub fn refused(refusal: Refusal) -> Response {
    let (status, retry_after_s) = (refusal.status, refusal.retry_after_s);
    let response = (status, Json(ErrorBody { error: refusal.error })).into_response();
    with_headers(response, status, retry_after_s)
}

/// The same answer with the headers of a refusal: when to come again, and how to say who one is.
pub fn with_headers(mut response: Response, status: StatusCode, retry_after_s: Option<u64>) -> Response {
    let headers = response.headers_mut();
    if let Some(seconds) = retry_after_s {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}
