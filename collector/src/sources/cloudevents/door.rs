//! `POST /v1/kserve`, `/v1/seldon`, `/v1/cloudevents` and `/`, all the same: payload logs are acknowledged when they lie
//! in the journal, events of our own when they are stored.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::Response;
use axum::routing::post;
use service::token::Scope;
use tokio::sync::OwnedSemaphorePermit;

use super::{BadEvent, CloudEvent, Mode, is_packed, read};
use crate::decode::{self, Decoded, Framing, Refused, Rules, Unreadable};
use crate::event::{Kind, Outcome, Prediction};
use crate::payloads::{Part, Payload, event};
use crate::sources::http::answer::{self, Accepted, Refusal};
use crate::sources::http::auth::{self, Allowed};
use crate::sources::http::body::{self, Packed, Packing};
use crate::sources::http::{Http, OUTCOMES, PREDICTIONS};
use crate::sources::{kserve, seldon};

/// The name under which events of our own are stored that come as CloudEvents.
const SOURCE: &str = "cloudevents";
/// The types of events whose data are ours.
const PREDICTION: &str = "io.leeway.prediction";
const OUTCOME: &str = "io.leeway.outcome";

const TYPES: [&str; 7] = [
    kserve::REQUEST,
    kserve::RESPONSE,
    seldon::REQUEST,
    seldon::RESPONSE,
    seldon::FEEDBACK,
    PREDICTION,
    OUTCOME,
];

pub fn routes() -> Router<Arc<Http>> {
    ["/", "/v1/kserve", "/v1/seldon", "/v1/cloudevents"]
        .into_iter()
        .fold(Router::new(), |router, path| router.route(path, post(take)))
}

#[tracing::instrument(skip_all)]
async fn take(State(http): State<Arc<Http>>, request: Request<Body>) -> Response {
    let response = answer::response(accept(&http, request).await);
    http.intake.metrics().answered(response.status().as_u16());
    response
}

async fn accept(http: &Arc<Http>, request: Request<Body>) -> Result<Accepted, Refusal> {
    let (parts, body) = request.into_parts();
    let check = |scope| auth::check_with_url(&http.tokens, &parts.headers, parts.uri.query(), scope);
    let allowed = check(Scope::Predictions)?;
    let rules = http.rules(&allowed, SOURCE);
    let may_send_outcomes = check(Scope::Outcomes).is_ok();
    let packing = Packing::of(&parts.headers)?;
    let packed = body::read(&parts.headers, body, &http.limits, &http.room).await?;
    let sorter = Sorter { http: http.clone(), rules: rules.clone(), allowed, may_send_outcomes };
    let sorting = http.read_over(move || sorter.take(packed, packing, &parts.headers));
    let Taken { acknowledged, predictions, outcomes, mut refused, bytes, room: _room } = sorting.await?;
    let mut accepted = acknowledged;
    // Without events of our own nothing waits for the store.
    if !predictions.events.is_empty() || !predictions.refused.is_empty() {
        let stored = PREDICTIONS.store(http, &rules, predictions, bytes, None).await?;
        accepted += stored.accepted;
        refused.extend(stored.refused);
    }
    if !outcomes.events.is_empty() || !outcomes.refused.is_empty() {
        let stored = OUTCOMES.store(http, &rules, outcomes, bytes, None).await?;
        accepted += stored.accepted;
        refused.extend(stored.refused);
    }
    refused.sort_by_key(|refused| refused.index);
    Accepted::of(accepted, refused)
}

/// The events of a request, sorted by what is done with them.
struct Taken {
    acknowledged: usize,
    predictions: Decoded<Prediction>,
    outcomes: Decoded<Outcome>,
    /// Refused as CloudEvents, before anything else was looked at.
    refused: Vec<Refused>,
    bytes: usize,
    /// Kept until everything is stored.
    room: OwnedSemaphorePermit,
}

/// How the data of an event become events of ours.
type Decode<E> = fn(&[u8], Framing, &mut decode::Names, &Rules) -> Result<Decoded<E>, Unreadable>;

struct Sorter {
    http: Arc<Http>,
    rules: Rules,
    allowed: Allowed,
    may_send_outcomes: bool,
}

impl Sorter {
    /// Unpacks and sorts the events of a body, and writes payloads down.
    fn take(self, packed: Packed, packing: Packing, headers: &HeaderMap) -> Result<Taken, Refusal> {
        let http = &self.http;
        let mut unpacked = packed.unpack(packing, &http.limits, &http.room)?;
        if is_packed(&unpacked.text) {
            unpacked.take_more(&http.room, http.settings.payload_bytes)?;
        }
        let room = unpacked.room;
        let bytes = unpacked.text.len();
        let events = read(Mode::of(headers), headers, unpacked.text, http.settings.payload_bytes);
        let events = events.map_err(|bad| Refusal::of(StatusCode::BAD_REQUEST, bad.to_string()))?;
        self.spend(&events)?;
        let mut payloads = Vec::new();
        let mut taken = Taken {
            acknowledged: 0,
            predictions: Decoded { events: Vec::new(), refused: Vec::new() },
            outcomes: Decoded { events: Vec::new(), refused: Vec::new() },
            refused: Vec::new(),
            bytes,
            room,
        };
        for (index, event) in events.into_iter().enumerate() {
            let sorted = event.and_then(|event| self.sort(index, event, &mut payloads, &mut taken));
            if let Err(bad) = sorted {
                let refused = self.refuse(index, bad);
                http.payloads.refused(refused.rejection(Kind::Prediction, &self.rules));
                taken.refused.push(refused);
            }
        }
        taken.acknowledged = http.payloads.acknowledge(payloads).map_err(|full| {
            tracing::warn!(%full, "payloads are not taken");
            Refusal::full()
        })?;
        Ok(taken)
    }

    /// Whether these events may be taken now: all, or none of them.
    fn spend(&self, events: &[Result<CloudEvent, BadEvent>]) -> Result<(), Refusal> {
        // Payloads can wait in the journal until it is known what must not be kept of them; others are decoded now.
        if events.iter().flatten().any(|event| Part::of(&event.kind).is_none()) {
            self.http.knows_contracts()?;
        }
        self.http.spend(&self.allowed, events.len()).inspect_err(|_| {
            let payloads = events.iter().flatten().filter(|event| Part::of(&event.kind).is_some());
            let model = |event| event::model(event, &self.http.settings).unwrap_or_default();
            self.http.payloads.over_quota(payloads.map(model), self.rules.received_at);
        })
    }

    fn sort(
        &self,
        index: usize,
        event: CloudEvent,
        payloads: &mut Vec<(Payload, String)>,
        taken: &mut Taken,
    ) -> Result<(), BadEvent> {
        match (Part::of(&event.kind), event.kind.as_str()) {
            (Some(part), _) => {
                let model = event::model(&event, &self.http.settings).unwrap_or_default();
                let models = &self.rules.models;
                if !models.is_empty() && !model.is_empty() && !models.contains(&model) {
                    let problem = format!("\"{model}\" must not be written with this token");
                    return Err(BadEvent::of(FORBIDDEN, problem));
                }
                let (received_at, models) = (self.rules.received_at, models.clone());
                payloads.push((Payload { part, event, received_at, models }, model));
                Ok(())
            }
            (None, PREDICTION) => self.decode(index, &event, decode::predictions, &mut taken.predictions),
            (None, OUTCOME) if self.may_send_outcomes => {
                self.decode(index, &event, decode::outcomes, &mut taken.outcomes)
            }
            (None, OUTCOME) => Err(BadEvent::of(FORBIDDEN, "the token's scopes do not allow outcomes")),
            (None, other) => {
                let other: String = other.chars().take(64).collect();
                let problem = format!("\"{other}\" is not taken (known: {})", TYPES.join(", "));
                Err(BadEvent::of("type", problem))
            }
        }
    }

    /// Reads an event of our own out of the data; the index of what is wrong with it is the CloudEvent's.
    fn decode<E>(
        &self,
        index: usize,
        event: &CloudEvent,
        decode: Decode<E>,
        into: &mut Decoded<E>,
    ) -> Result<(), BadEvent> {
        let decoded = self.http.with_names(|names| decode(&event.data, Framing::Json, names, &self.rules));
        let decoded = decoded.map_err(|unreadable| BadEvent::of("data", unreadable.to_string()))?;
        into.events.extend(decoded.events);
        into.refused.extend(decoded.refused.into_iter().map(|refused| Refused { index, ..refused }));
        Ok(())
    }

    fn refuse(&self, index: usize, bad: BadEvent) -> Refused {
        Refused {
            index,
            forbidden: bad.field == FORBIDDEN,
            field: bad.field,
            error: bad.problem,
            model: String::new(),
            payload: String::new(),
            kept_out: None,
        }
    }
}

/// The field of what only the sender's rights keep out.
const FORBIDDEN: &str = "authorization";
