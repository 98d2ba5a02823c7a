//! Payload logs of model servers: acknowledged at once, kept on disk until they are stored, request and response brought
//! together, and turned into events of our own that go the way of every event.
//!
//! Reading order: [`rows`] is one side of an inference; [`event`] makes events of both; [`pairs`] brings them together;
//! [`journal`] keeps what was acknowledged; [`worker`] stores it.
//!
//! Invariant: what was acknowledged lies in the journal until its events are in the store, under a token that was written
//! down first; a batch that is repeated is the same batch.

pub mod event;
pub mod journal;
mod maker;
pub mod pairs;
mod ready;
pub mod rows;
pub mod settings;
pub mod worker;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use domain::time::Instant;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use self::journal::{Full, Journal, Place};
use crate::event::{Kind, Rejection};
use crate::metrics::Metrics;
use crate::sources::cloudevents::CloudEvent;
use crate::sources::{kserve, seldon};

/// The name under which events of payload logs are stored.
pub const SOURCE: &str = "payloads";

/// Which part of an inference a payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    Request,
    Response,
    Feedback,
}

impl Part {
    /// The part that a type of CloudEvents stands for.
    pub fn of(kind: &str) -> Option<Self> {
        match kind {
            kserve::REQUEST | seldon::REQUEST => Some(Self::Request),
            kserve::RESPONSE | seldon::RESPONSE => Some(Self::Response),
            seldon::FEEDBACK => Some(Self::Feedback),
            _ => None,
        }
    }
}

/// A payload as it was acknowledged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Payload {
    pub part: Part,
    pub event: CloudEvent,
    pub received_at: Instant,
    /// The models that its sender may write; all where none is named.
    pub models: Vec<String>,
}

/// What a request and its response have in common and no other inference has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key([u8; 16]);

impl Payload {
    /// The id by which outcomes find the prediction: Seldon gives each message an id of its own, beside the request's.
    pub fn id(&self) -> &str {
        self.event.extension("requestid").unwrap_or(&self.event.id)
    }

    pub fn key(&self) -> Key {
        let mut hash = Sha256::new();
        let event = &self.event;
        let extensions = ["namespace", "inferenceservicename", "component", "endpoint", "modelid"];
        let texts = extensions.map(|name| event.extension(name).unwrap_or_default());
        for text in [self.id(), &event.source].into_iter().chain(texts) {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        }
        let digest: [u8; 32] = hash.finalize().into();
        let mut key = [0; 16];
        key.copy_from_slice(&digest[..16]);
        Key(key)
    }
}

/// A payload that lies in the journal.
#[derive(Clone, Copy, Debug)]
pub struct Kept {
    pub place: Place,
    pub part: Part,
    pub key: Key,
}

/// The door through which sources hand payloads in. Clones share everything.
#[derive(Clone)]
pub struct Payloads {
    journal: Arc<Journal>,
    sender: mpsc::UnboundedSender<Kept>,
    left_out: Arc<LeftOut>,
    metrics: Arc<Metrics>,
}

impl Payloads {
    /// Writes payloads down, all or none, and says so at once; they are stored later. Waits for the disk only.
    pub fn acknowledge(&self, payloads: Vec<(Payload, String)>) -> Result<usize, Full> {
        if payloads.is_empty() {
            return Ok(0);
        }
        let heads: Vec<(&Payload, &Bytes)> =
            payloads.iter().map(|(payload, _)| (payload, &payload.event.data)).collect();
        match self.journal.keep(&heads) {
            Ok(places) => {
                for ((payload, _), place) in payloads.iter().zip(places) {
                    let kept = Kept { place, part: payload.part, key: payload.key() };
                    // The worker ends only after the last request was answered; what it misses stays in the journal.
                    let _ = self.sender.send(kept);
                }
                self.metrics.journal(self.journal.bytes());
                Ok(payloads.len())
            }
            Err(full) => {
                for (payload, model) in &payloads {
                    self.left_out.count(Reason::Full, model, 1, payload.received_at);
                }
                self.metrics.payloads("full", payloads.len());
                Err(full)
            }
        }
    }

    /// Notes payloads that their sender's quota keeps out, by their models.
    pub fn over_quota(&self, models: impl Iterator<Item = String>, at: Instant) {
        for model in models {
            self.left_out.count(Reason::OverQuota, &model, 1, at);
            self.metrics.payloads("over_quota", 1);
        }
    }

    /// Notes `n` events that are left out for one reason.
    pub fn leave_out(&self, reason: Reason, n: usize, at: Instant) {
        self.left_out.count(reason, "", n as u64, at);
    }

    /// Notes an event that is no payload.
    pub fn refused(&self, rejection: Rejection) {
        self.metrics.payloads("refused", 1);
        self.left_out.refused(rejection);
    }
}

/// Why something is left out that nobody will send again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    Full,
    OverQuota,
    Duplicate,
    Unreadable,
    NoEvent,
}

impl Reason {
    fn text(self) -> &'static str {
        match self {
            Self::NoEvent => "log records carry no attributes of ours (leeway.model …)",
            Self::Full => {
                "payloads did not fit in the journal (collector.payloads.journal_bytes); answered with 429"
            }
            Self::OverQuota => "payloads were beyond the quota of their token; answered with 429",
            Self::Duplicate => "payloads had come before with the same id, source and type; left out",
            Self::Unreadable => "payloads could not be read back from the journal",
        }
    }
}

/// Models that are counted by themselves; those beyond are counted together.
const MOST_MODELS: usize = 1_000;
/// Refused events that wait to be written down; those beyond are only counted.
const MOST_REFUSED: usize = 1_000;

/// What was left out since it was last told: counts by reason and model, and events that were refused.
#[derive(Default)]
pub struct LeftOut(Mutex<Told>);

#[derive(Default)]
struct Told {
    counts: BTreeMap<(Reason, String), (u64, Instant, Instant)>,
    refused: Vec<Rejection>,
    more_refused: u64,
}

impl LeftOut {
    pub fn count(&self, reason: Reason, model: &str, more: u64, at: Instant) {
        let mut told = self.lock();
        let mut key = (reason, model.to_owned());
        if told.counts.len() >= MOST_MODELS && !told.counts.contains_key(&key) {
            key.1.clear();
        }
        let (n, _, last) = told.counts.entry(key).or_insert((0, at, at));
        *n += more;
        *last = at;
    }

    pub fn refused(&self, rejection: Rejection) {
        let mut told = self.lock();
        if told.refused.len() < MOST_REFUSED {
            told.refused.push(rejection);
        } else {
            told.more_refused += 1;
        }
    }

    /// Rows of `rejected_events` for all of it; it is then forgotten.
    pub fn take(&self, now: Instant) -> Vec<Rejection> {
        let Told { counts, mut refused, more_refused } = std::mem::take(&mut *self.lock());
        let row = |model: String, reason: String| Rejection {
            received_at: now,
            model,
            kind: Kind::Prediction,
            source: SOURCE.to_owned(),
            position: String::new(),
            field: String::new(),
            reason,
            payload: String::new(),
            kept_out: None,
        };
        for ((reason, model), (n, first, last)) in counts {
            refused.push(row(model, format!("{n} {}, from {first} to {last}", reason.text())));
        }
        if more_refused > 0 {
            refused.push(row(String::new(), format!("{more_refused} more events were refused like these")));
        }
        refused
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(id: &str, extensions: &[(&str, &str)]) -> Payload {
        let extensions = extensions.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let event = CloudEvent {
            id: id.to_owned(),
            source: "s".to_owned(),
            kind: kserve::REQUEST.to_owned(),
            time: None,
            content_type: String::new(),
            extensions: extensions.collect(),
            data: Bytes::new(),
        };
        Payload { part: Part::Request, event, received_at: Instant::EPOCH, models: Vec::new() }
    }

    #[test]
    fn a_response_has_the_key_of_its_request_and_of_nothing_else() {
        let one = payload("1", &[("component", "predictor")]);
        let response = Payload { part: Part::Response, ..one.clone() };
        assert_eq!(one.key(), response.key());
        for other in
            [payload("2", &[("component", "predictor")]), payload("1", &[("component", "transformer")])]
        {
            assert_ne!(one.key(), other.key());
        }
        let (first, second) = (payload("a", &[("requestid", "r")]), payload("b", &[("requestid", "r")]));
        assert_eq!((first.key(), first.id()), (second.key(), "r"));
    }

    #[test]
    fn what_is_left_out_is_told_once_by_reason_and_model() {
        let left_out = LeftOut::default();
        for second in [1, 2, 3] {
            left_out.count(Reason::Full, "m", 1, Instant::from_seconds(second));
        }
        for n in 0..2 * MOST_MODELS {
            left_out.count(Reason::Duplicate, &n.to_string(), 1, Instant::EPOCH);
        }
        let told = left_out.take(Instant::from_seconds(9));
        assert!(told[0].reason.starts_with("3 payloads did not fit"), "{}", told[0].reason);
        assert!(told[0].reason.ends_with("from 1970-01-01T00:00:01Z to 1970-01-01T00:00:03Z"));
        assert!(told.len() <= MOST_MODELS + 1);
        assert!(left_out.take(Instant::EPOCH).is_empty());
    }
}
