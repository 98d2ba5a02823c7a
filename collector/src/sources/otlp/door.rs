//! The endpoint: reads a request, decodes its events, waits until they are stored.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::Response;
use axum::routing::post;
use service::token::Scope;
use tokio::sync::OwnedSemaphorePermit;

use super::answer::{self, Taken};
use super::{Encoding, Lines, Passed, lines};
use crate::decode::{Framing, Names, Refused, Rules, Unreadable};
use crate::event::{Kind, Outcome};
use crate::payloads::Reason;
use crate::predictions::Predictions;
use crate::queue::Gather;
use crate::sources::http::answer::Refusal;
use crate::sources::http::auth;
use crate::sources::http::body::{self, Packed, Packing, Unpacked};
use crate::sources::http::{Door, Http, OUTCOMES, PREDICTIONS, Taken as Events};

/// The name under which events of this source are stored.
const SOURCE: &str = "otlp";

pub fn routes() -> Router<Arc<Http>> {
    Router::new().route("/v1/logs", post(take))
}

#[tracing::instrument(skip_all)]
async fn take(State(http): State<Arc<Http>>, request: Request<Body>) -> Response {
    let encoding = encoding(request.headers());
    let outcome = match &encoding {
        Ok(encoding) => accept(&http, *encoding, request).await,
        Err(other) => {
            let error = format!(
                "content type \"{other}\" is not taken (known: application/x-protobuf, application/json)"
            );
            Err(Refusal::of(StatusCode::UNSUPPORTED_MEDIA_TYPE, error))
        }
    };
    let response = answer::response(encoding.unwrap_or(Encoding::Json), outcome);
    http.intake.metrics().answered(response.status().as_u16());
    response
}

fn encoding(headers: &HeaderMap) -> Result<Encoding, String> {
    let stated = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match stated.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "application/x-protobuf" => Ok(Encoding::Protobuf),
        "application/json" => Ok(Encoding::Json),
        other => Err(other.chars().take(64).collect()),
    }
}

async fn accept(http: &Arc<Http>, encoding: Encoding, request: Request<Body>) -> Result<Taken, Refusal> {
    let (parts, body) = request.into_parts();
    let allowed = auth::check(&http.tokens, &parts.headers, Scope::Predictions)?;
    let rules = http.rules(&allowed, SOURCE);
    let may_send_outcomes = auth::check(&http.tokens, &parts.headers, Scope::Outcomes).is_ok();
    // What cannot be stored soon is not even looked at: the sender keeps it.
    let away = match http.intake.store_health().away_for() {
        Some(away) => Err(Refusal::away(away)),
        None => http.knows_contracts(),
    };
    if let Err(away) = away {
        return Err(body::unread(&parts.headers, body, &http.limits, away).await);
    }
    let packing = Packing::of(&parts.headers)?;
    let packed = body::read(&parts.headers, body, &http.limits, &http.room).await?;
    let work = {
        let (http, rules) = (http.clone(), rules.clone());
        move || understand(&http, packed, packing, encoding, &rules, may_send_outcomes)
    };
    let Understood { predictions, outcomes, mut taken, bytes, room } = http.read_over(work).await?;
    http.spend(&allowed, predictions.len() + outcomes.len())?;
    let (one, two) = futures_util::future::try_join(
        PREDICTIONS.store(http, &rules, predictions, bytes, None),
        OUTCOMES.store(http, &rules, outcomes, 0, None),
    )
    .await?;
    drop(room);
    for refused in one.refused.into_iter().chain(two.refused) {
        taken.reject(&refused.field, &refused.error);
    }
    Ok(taken)
}

impl Taken {
    fn reject(&mut self, field: &str, problem: &str) {
        self.rejected += 1;
        if self.first.is_empty() {
            self.first = format!("{field} {problem}").trim().to_owned();
        }
    }
}

struct Understood {
    predictions: Events<Predictions>,
    outcomes: Events<Vec<Outcome>>,
    taken: Taken,
    /// The memory of the events, for which there is room.
    bytes: usize,
    room: OwnedSemaphorePermit,
}

fn understand(
    http: &Http,
    packed: Packed,
    packing: Packing,
    encoding: Encoding,
    rules: &Rules,
    may_send_outcomes: bool,
) -> Result<Understood, Refusal> {
    let Unpacked { text, mut room } = packed.unpack(packing, &http.limits, &http.room)?;
    let Lines { predictions, outcomes, others: Passed(others), refused, records: _ } =
        lines(&text, encoding, rules.received_at)
            .map_err(|error| Refusal::of(StatusCode::BAD_REQUEST, error.to_string()))?;
    body::adjust(&mut room, &http.room, text.len() + predictions.len() + outcomes.len())?;
    drop(text);
    let mut taken = Taken::default();
    for (index, (field, problem)) in refused.into_iter().enumerate() {
        taken.reject(&field, &problem);
        let refused = Refused {
            index,
            field,
            error: problem,
            model: String::new(),
            payload: String::new(),
            forbidden: false,
            kept_out: None,
        };
        http.payloads.refused(refused.rejection(Kind::Prediction, rules));
    }
    if others > 0 {
        http.payloads.leave_out(Reason::NoEvent, others, rules.received_at);
        taken.rejected += others;
        if taken.first.is_empty() {
            taken.first = format!("{others} log records carry no attributes of ours (leeway.model …)");
        }
    }
    let unreadable = |unreadable| Refusal::unreadable(&unreadable);
    let predictions = http.with_names(|names| decoded(&PREDICTIONS, &predictions, names, rules));
    let predictions = predictions.map_err(unreadable)?;
    let outcomes = if may_send_outcomes {
        http.with_names(|names| decoded(&OUTCOMES, &outcomes, names, rules)).map_err(unreadable)?
    } else {
        for _ in outcomes.lines() {
            taken.reject("outcome", "must not be sent with this token: its scopes do not allow outcomes");
        }
        Events::default()
    };
    let bytes = predictions.bytes() + outcomes.bytes();
    body::adjust(&mut room, &http.room, bytes.min(http.limits.waiting_bytes))?;
    Ok(Understood { predictions, outcomes, taken, bytes, room })
}

/// Reads events as the door for them does.
fn decoded<B: Gather + Default>(
    door: &Door<B>,
    lines: &str,
    names: &mut Names,
    rules: &Rules,
) -> Result<Events<B>, Unreadable> {
    if lines.is_empty() {
        return Ok(Events::default());
    }
    (door.decode)(lines.as_bytes(), Framing::Lines, names, rules)
}
